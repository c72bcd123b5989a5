# Sourced by environment.sh, in a subshell, when .venv is missing or lacks something: careful where that is quick.

# Ends by the signal itself, so that a loop of the caller ends too.
trap 'echo "error: interrupted. The same command sets up the rest." >&2; trap - INT; kill -INT "$BASHPID"' INT
[[ -w $root ]] || fail "$root cannot be written to, so .venv cannot be made. ENV=existing uses the Python at hand." 1
PATH=${PATH//"$root/.venv/bin:"/}   # an activated .venv must not be what rebuilds it
installer=$(type -P uv || echo pip)

# Prints the executable behind a Python (behind a shim or a venv too), or why it will not do.
suitable="$supported
if sys.implementation.name != 'cpython' or 't' in sys.abiflags:
    sys.exit('it is not the usual CPython')
try:
    import $([[ $installer == pip ]] && echo ensurepip || echo venv)
except ImportError:
    sys.exit('it lacks the venv module (on Debian and Ubuntu: apt install python3-venv)')
print(sys._base_executable)"

# Prints every place where a Python of this name may be.
places() {
  type -aP -- "$1"
  ls -d "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/*/bin/"$1" \
    "${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-${HOME:-}/.local/share}/uv/python}"/*/bin/"$1" 2>/dev/null
}

# Sets `base` to the first Python among these names or paths that will do, or `why` to what is wrong with the last.
# Each is tried by running it: a pyenv shim may be on PATH and yet fail.
find_python() {
  local name place output
  why='there is no such program'
  for name; do
    while read -r place; do
      output=$("$place" -c "$suitable" 2>&1 </dev/null) && base=${output##*$'\n'} && return
      why="$place: ${output%%$'\n'*}"
    done < <(places "$name")
  done
  return 1
}

choose_python() {
  if [[ -n ${PYTHON:-} ]]; then
    find_python "$PYTHON" ||
      fail "PYTHON=$PYTHON will not do ($why). Give Python 3.13, 3.12 or 3.11, by its name or its path."
  elif [[ -n $made_python ]] && find_python "$made_python"; then
    PYTHON=$made_python
  else
    find_python python3.13 python3.12 python3.11 python3 ||
      fail "no Python 3.13, 3.12 or 3.11 that will do is on PATH, in pyenv or in uv's folder (the last tried: $why).
Install one (such as: uv python install 3.13, or: pyenv install 3.13), or name yours: PYTHON=/path/to/python3"
  fi
}

# Holds the lock on file 9 as long as this subshell, or an installer that outlives it, has that file open.
lock() {
  "$base" -c 'import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("waiting: another script is setting up .venv ...", file=sys.stderr)
    fcntl.flock(9, fcntl.LOCK_EX)
except OSError:
    print("This file system has no locks: start no other script until .venv is set up.", file=sys.stderr)'
}

# Prints what tells one Python from another, seen from inside a venv too.
identity() {
  "$1" -I -c 'import os, sys; print(os.path.realpath(sys.base_prefix), sys.version)'
}

# Whether what is missing can be installed into the .venv that is there. What an interrupted installer left cannot
# be trusted, a moved .venv points to its old place, and nothing uninstalls an accelerator's libraries.
worth_keeping() {
  [[ -x $python && ! -e $made/unfinished && ${made_root:-$root} == "$root" ]] || return 1
  [[ $made_accelerator == cpu || $made_accelerator == "$accelerator" ]] || return 1
  "$python" -I -c "$suitable" >/dev/null 2>&1 || return 1
  [[ -z ${PYTHON:-} || $(identity "$python") == "$(identity "$base")" ]] || return 1
  [[ $installer != pip ]] || "$python" -I -m pip --version >/dev/null 2>&1
}

# Runs a command quietly. If it fails, shows the end of what it said and gives up.
attempt() {
  local output
  output=$("$@" 2>&1 </dev/null) && return
  printf '%s\n' "$output" | tail -n 15 >&2
  fail "setting up .venv failed; the last words of $(basename "$1") are above.
Is the network there, and room on the disk (2 GB; 8 GB with ACCELERATOR=gpu)? The same command tries again." 1
}

# Notes that .venv is in the making, and for what, so that the next call can finish it.
begin() {
  mkdir -p "$made"
  : >"$made/unfinished"
  printf '%s\n' "$root" "${PYTHON:-}" "$accelerator" >"$made/stamp"
}

create() {
  rm -f "$python"   # first, for without it nothing that is left counts
  rm -rf "$root/.venv"
  begin
  if [[ $installer == pip ]]; then
    attempt "$base" -m venv "$root/.venv"
  else
    attempt "$installer" venv --allow-existing --python "$base" "$root/.venv"
  fi
}

install() {
  begin
  local file arguments=()
  for file in "${needed[@]}"; do
    cp "$root/$file" "$made/$file"
    arguments+=(-r "$file")
  done
  if [[ $installer == pip ]]; then
    attempt "$python" -I -m pip install --disable-pip-version-check "${arguments[@]}"
  else
    attempt "$installer" pip install --compile-bytecode --python "$python" "${arguments[@]}"   # as pip does: quick first starts
  fi
  rm "$made/unfinished"
}

set_up() {
  lock
  ! ready || return 0   # another script did it meanwhile
  local minutes='a minute or two'
  [[ $accelerator != gpu ]] || minutes='several minutes, for it fetches some GB'
  echo "setting up .venv: ${needed[*]} for $(basename "$base"), with $(basename "$installer"); takes $minutes ..." >&2
  cd "$root"            # requirements files may name paths
  worth_keeping || create
  install
}

choose_python
set_up 9>"$root/.venv.lock"
