#!/usr/bin/env bash
# Merges the newest version of the template into a project that was forked from it: scripts/update.sh --help
also=nothing   # it needs only git and Python's standard library
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.update "$@"
