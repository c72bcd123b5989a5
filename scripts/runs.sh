#!/usr/bin/env bash
# Lists, shows, compares and removes the runs of the workspace: scripts/runs.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.runs "$@"
