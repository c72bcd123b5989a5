#!/usr/bin/env bash
# Runs one benchmark of benchmarks/, by name: scripts/benchmark.sh startup
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
name=${1:?name one of overhead, startup, checkpoint, loading, logs, inputs, evaluate, random_cases}
shift
exec "$python" -m "benchmarks.$name" "$@"
