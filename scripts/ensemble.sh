#!/usr/bin/env bash
# Joins the predictions of several models, without the models: scripts/ensemble.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
exec "$python" -m engine.commands.ensemble "$@"
