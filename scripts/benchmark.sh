#!/usr/bin/env bash
# Runs one benchmark of benchmarks/, by name: scripts/benchmark.sh overhead. Without a name, lists them.
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m benchmarks "$@"
