#!/usr/bin/env bash
# Compares methods by their saved predictions, without the models: scripts/compare.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.compare "$@"
