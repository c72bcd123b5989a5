#!/usr/bin/env bash
# Creates, builds, checks and shows datasets: scripts/dataset.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.dataset "$@"
