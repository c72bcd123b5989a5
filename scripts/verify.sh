#!/usr/bin/env bash
# Repeats steps and evaluations of a run and compares them with its logs: scripts/verify.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.verify "$@"
