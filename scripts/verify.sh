#!/usr/bin/env bash
# Does steps of a run again and compares: scripts/verify.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.verify "$@"
