#!/usr/bin/env bash
# Makes an outputs folder of the predictions of another tool: scripts/import.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.import_outputs "$@"
