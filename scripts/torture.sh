#!/usr/bin/env bash
# Makes trainings meet faults and compares what comes out: scripts/torture.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"
exec "$python" -m benchmarks.torture "$@"
