#!/usr/bin/env bash
# Merges what is new in the template into the project that was forked from it: scripts/update.sh --help
ENV=existing   # git and Python's standard library are all it needs: nothing is installed
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m research.update "$@"
