#!/usr/bin/env bash
# Starts a project of your own from this template: scripts/fork.sh --help
also=nothing   # it needs only git and Python's standard library
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.fork "$@"
