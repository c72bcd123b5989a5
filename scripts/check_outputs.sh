#!/usr/bin/env bash
# Checks saved predictions, without the model: scripts/check_outputs.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.check_outputs "$@"
