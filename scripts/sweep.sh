#!/usr/bin/env bash
# Trains one config with many values, by any number of workers: scripts/sweep.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.sweep "$@"
