#!/usr/bin/env bash
# Trains one config with many values, by any number of workers: scripts/sweep.sh --help
also=sweeps   # Optuna, for TPE and plots; the installer adds it to .venv
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.sweep "$@"
