#!/usr/bin/env bash
# Compiles an experiment for devices that need not be here: scripts/compile.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

# Fetches libtpu, the compiler for TPUs, into a folder of its own: in .venv, JAX would look for a TPU at each start.
fetch_libtpu() {
  local installer=("$python" -I -m pip --disable-pip-version-check) part
  [[ -z $(type -P uv) ]] || installer=(uv pip)
  part=$root/.venv-tpu.$$
  mkdir "$part"
  grep '^libtpu' "$root/requirements-tpu.txt" >"$part/requirements.txt"
  echo 'fetching libtpu into .venv-tpu; takes a minute ...' >&2
  if ! output=$("${installer[@]}" install --no-deps --target "$part" --python "$python" -r "$part/requirements.txt" 2>&1 </dev/null); then
    rm -rf "$part"
    fail "libtpu cannot be fetched: ${output##*$'\n'}
Is the network there, and room on the disk (1 GB)? TPU_LIBRARY_PATH names a libtpu.so that is there already." 1
  fi
  rm -rf "$root/.venv-tpu"
  mv "$part" "$root/.venv-tpu"
}

if [[ " $* " == *' --topology'* && -z ${TPU_LIBRARY_PATH:-} ]]; then
  "$python" -c 'import importlib.util as u; raise SystemExit(not u.find_spec("libtpu"))' || {
    cmp -s <(grep '^libtpu' "$root/requirements-tpu.txt") "$root/.venv-tpu/requirements.txt" || fetch_libtpu
    export TPU_LIBRARY_PATH=$root/.venv-tpu/libtpu/libtpu.so
  }
fi
exec "$python" -m engine.commands.compile "$@"
