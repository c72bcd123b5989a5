#!/usr/bin/env bash
# Trains a run again from its record and compares the two: scripts/reproduce.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.reproduce "$@"
