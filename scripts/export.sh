#!/usr/bin/env bash
# Writes submissions from saved predictions, without the model: scripts/export.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.export "$@"
