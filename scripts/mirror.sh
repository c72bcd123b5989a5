#!/usr/bin/env bash
# Copies runs to TensorBoard, MLflow, Visdom or W&B: scripts/mirror.sh --help
# Their packages are installed into .venv-mirrors, because a run records what is installed in .venv. The user may set
# MIRRORS_PYTHON to a Python that has them; ENV=existing uses that on PATH.
also=nothing
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
if [[ -n ${MIRRORS_PYTHON:-} || ${ENV:-} != existing ]]; then
  python=$("$python" -m engine.runs.environment.installation mirrors)
fi
exec "$python" -m engine.commands.mirror "$@"
