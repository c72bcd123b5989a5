#!/usr/bin/env bash
# Releases the model of a run: weights, program, metrics, model card: scripts/release.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.release "$@"
