# Sourced by scripts/pipeline.sh: steps that run again only if their inputs have changed.
#
# The caller sets `folder`. $folder/inputs.tsv holds the lines of scripts/inputs.sh, $folder/stamps/<step> the
# inputs of a step that has ended, below a line with the time when it ended and the seconds that it took.

dry_run='' stale='' signal='' child='' now=''

# Runs a step unless its stamp holds the same inputs and all that it makes is there. The name `check` stands for
# the function check, `train-1` for the function train with the argument 1.
step() {   # name, inputs, what it makes...
  local name=$1 inputs=$2 stamp=$folder/stamps/$1 start=$SECONDS why
  why=$(reason "$stamp" "${@:2}")
  [[ -n $why ]] || { printf '%s: unchanged\n' "$name"; return 0; }
  [[ -z $dry_run ]] || { printf '%s: would run (%s)\n' "$name" "$why"; stale=yes; return 0; }
  printf '%s: runs (%s)\n' "$name" "$why"
  rm -f "$stamp"   # from here on, what it makes belongs neither to the old inputs nor to the new ones
  now=$name
  "${name%%-*}" "${name##*-}"
  now=''
  printf '# %s %d s\n%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" $((SECONDS - start)) "$inputs" >"$stamp.new"
  mv "$stamp.new" "$stamp"
}

# Prints why a step runs; nothing if it need not.
reason() {   # stamp, inputs, what it makes...
  local product changed
  [[ -e $1 ]] || { echo 'has not ended yet'; return; }
  changed=$(LC_ALL=C comm -3 <(sed 1d "$1" | LC_ALL=C sort) <(LC_ALL=C sort <<<"$2") | sed 's/^\t//' | cut -f 1,2 |
    LC_ALL=C sort -u | awk -F '\t' '
      NR <= 3 { names = names (NR > 1 ? ", " : "") $1 " " $2 }
      END { if (NR) print names (NR > 3 ? " and " NR - 3 " more" : "") }')
  [[ -z $changed ]] || { printf 'changed: %s\n' "$changed"; return; }
  for product in "${@:3}"; do
    [[ -e $product ]] || { printf '%s is missing\n' "${product#"$folder/"}"; return; }
  done
}

inputs_of() {   # subjects...; prints their lines
  awk -F '\t' -v wanted=" $* " 'index(wanted, " " $1 " ")' "$folder/inputs.tsv"
}

contents() {   # subject, folder, conditions of find...; prints a line with the digest of each file
  [[ -d $2 ]] || return 0
  local digest file
  (cd "$2" && find -L . -type f "${@:3}" -print0 | LC_ALL=C sort -z | xargs -0r sha256sum) |
    while read -r digest file; do printf '%s\t%s/%s\t%s\n' "$1" "${2##*/}" "${file#./}" "$digest"; done
}

# Runs a program, of scripts/ if its name has no slash. Returns its exit code. A signal to this script reaches it.
run() {
  local code=0 program=$1
  [[ $program == */* ]] || program=$root/scripts/$program
  [[ -z $signal ]] || end
  "$program" "${@:2}" 9>&- &
  child=$!
  [[ -z $signal ]] || kill -TERM "$child" 2>/dev/null || true
  wait "$child" 2>/dev/null || code=$?
  while [[ -n $signal ]] && kill -0 "$child" 2>/dev/null; do wait "$child" 2>/dev/null || true; done
  child=''
  [[ -z $signal ]] || end
  return "$code"
}

stop() {   # the name of a signal; one that follows it ends the program at once
  signal=$1
  [[ -z $child ]] || kill -TERM "$child" 2>/dev/null || true
}

end() {
  trap - EXIT
  printf 'stopped. The same command continues.\npipeline: %s\n' "$folder" >&2
  [[ $signal != INT ]] || { trap - INT; kill -INT $$; }   # a loop of a shell ends too
  exit 75
}

after_steps() {   # what comes next depends on the steps before: a dry run ends if one of them would run
  [[ -z $stale ]] || { trap - EXIT; echo 'What follows depends on it.'; exit; }
}

explain() {   # exit code
  [[ $1 == 0 || -z $now ]] ||
    printf 'error: the step %s has ended with code %d. The same command continues there.\n' "$now" "$1" >&2
}

# Lets one pipeline at a time work in $folder. The lock is that of this process, so a kill frees it.
lock() {
  exec 9>"$folder/lock"
  ! command -v flock >/dev/null || flock --nonblock 9 ||
    fail "another pipeline is at work in $folder. Wait for it, or choose another --name."
}

for name in INT TERM HUP USR1 USR2 XCPU; do trap "stop $name" "$name"; done
trap 'explain $?' EXIT
