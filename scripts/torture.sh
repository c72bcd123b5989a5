#!/usr/bin/env bash
# Interrupts and damages trainings, resumes them and compares the results: scripts/torture.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
exec "$python" -m benchmarks.torture "$@"
