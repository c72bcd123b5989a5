#!/usr/bin/env bash
# Begins a project of its own from this template: scripts/fork.sh --help
also=nothing   # git and Python's standard library are all it needs
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.fork "$@"
