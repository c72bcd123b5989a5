#!/usr/bin/env bash
# Merges what is new in the template into the project that was forked from it: scripts/update.sh --help
also=nothing   # git and Python's standard library are all it needs
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.update "$@"
