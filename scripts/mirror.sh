#!/usr/bin/env bash
# Copies runs to TensorBoard, MLflow, Visdom or W&B: scripts/mirror.sh --help
# Their packages are installed into .venv-mirrors, because a run records what is installed in .venv. The user may set
# MIRRORS_PYTHON to a Python that has them; ENV=existing uses that on PATH.
also=nothing
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

mirrors=$root/.venv-mirrors

# Installs requirements-mirrors.txt. installed.txt is written last: without it, the next call installs again.
set_up() {
  echo 'setting up .venv-mirrors: requirements-mirrors.txt; takes a minute ...' >&2
  rm -rf "$mirrors"
  local target=$mirrors/bin/python output
  if [[ -n $(type -P uv) ]]; then
    output=$( { uv venv --quiet --python "$python" "$mirrors" &&
      uv pip install --quiet --python "$target" -r "$root/requirements-mirrors.txt"; } 2>&1 </dev/null)
  else
    output=$( { "$python" -m venv "$mirrors" &&
      "$target" -I -m pip install --quiet --disable-pip-version-check -r "$root/requirements-mirrors.txt"; } 2>&1 </dev/null)
  fi || fail "setting up .venv-mirrors failed: ${output##*$'\n'}
Is the network there, and room on the disk (1 GB)? MIRRORS_PYTHON names a Python that has the packages." 1
  needed >"$mirrors/installed.txt"
}

# Prints what .venv-mirrors is made from: it is made again in another place or after a change of the pins.
needed() {
  echo "$root"
  cat "$root/requirements-mirrors.txt"
}

if [[ -n ${MIRRORS_PYTHON:-} ]]; then
  python=$MIRRORS_PYTHON
elif [[ ${ENV:-} != existing ]]; then
  cmp -s <(needed) "$mirrors/installed.txt" || set_up
  python=$mirrors/bin/python
fi
exec "$python" -m engine.commands.mirror "$@"
