#!/usr/bin/env bash
# Predicts a split with a checkpoint of a run: scripts/predict.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.predict "$@"
