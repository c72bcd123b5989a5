#!/usr/bin/env bash
# Shows training logs as tables and figures: scripts/logs.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.logs "$@"
