#!/usr/bin/env bash
# Lists what the results of a config depend on: scripts/inputs.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.inputs "$@"
