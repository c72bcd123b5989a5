#!/usr/bin/env bash
# Checks an experiment before a long training: scripts/check.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.check "$@"
