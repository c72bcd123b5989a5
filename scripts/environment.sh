# Sourced by every script. Makes sure of .venv, then sets `root` (the repository) and `python`. The user may set
#
#   PYTHON=python3.12        another Python than the newest found of 3.13, 3.12 and 3.11; a name or a path
#   ACCELERATOR=gpu|tpu|cpu  what JAX runs on: its libraries are installed too (cpu for a new .venv)
#   ENV=existing             PYTHON, or else python3 on PATH, is used as it is; nothing is installed
#
# PYTHON and ACCELERATOR are remembered in .venv until others are given. A script that needs more than
# requirements.txt sets `also=dev` first, for requirements-dev.txt; one that needs the standard library alone sets
# `also=nothing`, and any Python will do, that of .venv before others.
set -euo pipefail

root=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)
python=$root/.venv/bin/python
made=$root/.venv/made   # what .venv was made from and for

# Imports come from this repository, wherever the user stands and whatever lies there (another fork, say).
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" PYTHONSAFEPATH=1
export MPLBACKEND=agg   # figures go to files; a notebook or a desktop may name a backend that is not installed here

# A Python program that says why it is not run by a supported Python.
supported="import sys; (3, 11) <= sys.version_info[:2] <= (3, 13) or sys.exit('it is Python ' + sys.version.split()[0])"

fail() {   # message, exit code
  printf 'error: %s\n' "$1" >&2
  exit "${2:-2}"
}

# Fails unless the Python in use has these modules. Only the Python of ENV=existing can lack them.
need() {   # modules
  [[ ${ENV:-} == existing ]] || return 0
  local missing
  missing=$("$python" -c 'from importlib.util import find_spec; import sys
print(*(name for name in sys.argv[1:] if not find_spec(name)))' "$@")
  [[ -z $missing ]] || fail "ENV=existing: $python lacks $missing.
Install what development needs: $python -m pip install -r $root/requirements-$also.txt"
}

# Reads what .venv was made for and sets `accelerator` and `needed`, the requirements files that count.
read_plan() {
  made_root='' made_python='' made_accelerator=cpu
  [[ ! -e $made/stamp ]] || { read -r made_root && read -r made_python && read -r made_accelerator; } <"$made/stamp"
  accelerator=${ACCELERATOR:-$made_accelerator}
  needed=(requirements.txt)
  case $accelerator in
    cpu) ;;
    gpu | tpu) needed+=("requirements-$accelerator.txt") ;;
    *) fail "ACCELERATOR=$accelerator is unknown. Give gpu, tpu or cpu." ;;
  esac
  [[ -z ${also:-} ]] || needed+=("requirements-$also.txt")
}

# Whether .venv is whole, in its place and has all that is needed. No program is started: this runs every time.
ready() {
  read_plan
  [[ -x $python && ! -e $made/unfinished && $made_root == "$root" ]] || return 1
  [[ $made_accelerator == "$accelerator" && $made_python == "${PYTHON:-$made_python}" ]] || return 1
  local file
  for file in "${needed[@]}"; do
    [[ -e $made/$file && $(<"$made/$file") == "$(<"$root/$file")" ]] || return 1
  done
}

if [[ ${ENV:-} == existing || ${also:-} == nothing && ! -x $python ]]; then
  python=$("${PYTHON:-python3}" -S -c "$supported; print(sys.executable)" 2>&1) ||
    fail "ENV=existing: ${PYTHON:-python3} will not do (${python##*: }). Activate or name a Python 3.13, 3.12 or 3.11."
elif [[ ${also:-} != nothing ]] && ! ready; then
  (source "$root/scripts/setup.sh")
fi
