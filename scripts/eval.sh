#!/usr/bin/env bash
# Evaluates saved predictions, without the model: scripts/eval.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.evaluate "$@"
