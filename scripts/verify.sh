#!/usr/bin/env bash
# Repeats some steps of a run and compares them with its log: scripts/verify.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.verify "$@"
