#!/usr/bin/env bash
# Trains what a Gin config describes, or resumes a run: scripts/train.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.train "$@"
