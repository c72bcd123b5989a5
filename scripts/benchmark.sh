#!/usr/bin/env bash
# Runs one benchmark of benchmarks/, by name: scripts/benchmark.sh startup
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m "benchmarks.${1:?name one of startup, checkpoint, inputs, evaluate}"
