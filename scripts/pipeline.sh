#!/usr/bin/env bash
# Takes an experiment from its config to one page of results.
#
#   scripts/pipeline.sh --gin_file=configs/digits_cnn.gin --seeds=3 LEARNING_RATE=1e-3
#
#   --gin_file=FILE      the experiment; repeatable, later files win
#   --seeds=N            trains with SEED=0 to N-1; 3 by default
#   --name=NAME          the folder in workspace/pipelines; by default the names of the files
#   --split=SPLITS       predicts and evaluates these splits, and compares the first one; by default those that
#                        the training predicts, and test is compared
#   --against=RUNS       what to compare with: a folder with runs, or the name of another pipeline; repeatable
#   --evaluation=FILE    a config of the evaluator, such as one with your metrics; repeatable
#   --dry_run            says which steps would run, and why, and runs none
#   --trust              as for scripts/train.sh
#   NAME=VALUE           a binding; --gin_bindings='NAME = VALUE' is the same
#
# A step whose inputs have not changed is skipped. So the same command continues after a kill, and repeats only
# what a change concerns (docs/pipeline.md). The steps are the functions below: copy this file to change them.

source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
source "$root/scripts/steps.sh"

# The steps. Those of a seed get it as their argument.

data() {   # checks each dataset against its original files, and draws its page
  local dataset code
  mkdir -p "$folder/data"
  for dataset in "${datasets[@]}"; do
    run dataset.sh check "$dataset" --sample=10000 >"$folder/data/new" ||
      { code=$?; cat "$folder/data/new"; return "$code"; }
    mv "$folder/data/new" "$(page_of "$dataset").txt"
    run dataset.sh explore "$dataset" >"$folder/data/new"
    cp "$(sed -n 's/^page: //p' "$folder/data/new")" "$(page_of "$dataset").html"
  done
  rm -f "$folder/data/new"
}

check() {   # looks for mistakes in the experiment before the long training
  run check.sh "${files[@]}" --output="$folder/check" --overwrite "${bindings[@]}"
}

train() {
  run train.sh "${files[@]}" --run="${runs[$1]}" "${bindings[@]}" SEED="$1"
}

predict() {   # the training has predicted some splits already
  local split missing=''
  for split in "${splits[@]}"; do [[ -e ${runs[$1]}/outputs/$split/manifest.json ]] || missing+=,$split; done
  [[ -z $missing ]] || run predict.sh "${runs[$1]}" --split="${missing#,}"
}

evaluate() {
  local outputs
  mapfile -t outputs < <(made_of "$1" '')
  run eval.sh "${outputs[@]}" "${evaluation[@]}" --overwrite
}

compare() {   # the spread over the seeds, and the difference from the runs of --against
  local given=("${runs[@]}" "${against[@]}" --split="${splits[0]}" "${rows[@]}" "${evaluation[@]}" --overwrite)
  run compare.sh "${given[@]}" --format=latex --output="$folder/table.tex"
  run compare.sh "${given[@]}" --format=html --output="$folder/comparison.html" --json >"$folder/comparison.json"
}

report() {
  run "$python" -m engine.commands.pipeline_page "$folder" "${runs[@]}" --split="${splits[0]}" --command="$command"
}

made_of() {   # seed, file; prints the path of the file in the outputs of each split
  local split
  for split in "${splits[@]}"; do printf '%s\n' "${runs[$1]}/outputs/$split/$2"; done
}

of_outputs() {   # folder of runs, splits...; prints the inputs of what reads the outputs of these splits
  local split
  for split in "${@:2}"; do contents outputs "$1" -path "*outputs/$split/*" ! -path '*/evaluation/*'; done
}

of_metrics() {   # metrics of your own and their configs count if there is --evaluation
  ((${#evaluation[@]} == 0)) || {
    printf 'metrics\t%s\t\n' "${evaluation[@]}"
    sha256sum "${evaluation[@]#--gin_file=}" | sed -E 's/^(\S+) +(.*)/metrics\t\2\t\1/'
    contents metrics "$root/research/metrics" -name '*.py'
    contents metrics "$root/configs/evaluation"
  }
}

name_row() {   # run, the name of its method in the comparison
  [[ $1 == *[,=]* ]] || rows+=(--rows="$1=$2")
}

at_home() { printf '%s' "${1/#\~\//$HOME/}"; }   # a shell does not see ~ after --against=

page_of() { printf '%s/data/%s' "$folder" "${1//[^[:alnum:]._]/-}"; }   # of a dataset, without its suffix

# The command line.

command="scripts/pipeline.sh $*" name='' seeds=3
files=() bindings=() splits=() against=() rows=() evaluation=() stems=()
while (($#)); do
  case $1 in
    -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit ;;
    --gin_file | --gin_bindings | --seeds | --name | --split | --against | --evaluation)
      (($# > 1)) || fail "$1 needs a value. See scripts/pipeline.sh --help."
      set -- "$1=$2" "${@:3}"; continue ;;
    --gin_file=*) files+=("$1"); stems+=("$(basename -- "${1#*=}" .gin)") ;;
    --trust) files+=("$1") ;;
    --seeds=*) seeds=${1#*=} ;;
    --name=*) name=${1#*=} ;;
    --split=*) IFS=, read -r -a splits <<<"${1#*=}" ;;
    --against=*) against+=("$(at_home "${1#*=}")") ;;
    --evaluation=*) evaluation+=("--gin_file=$(at_home "${1#*=}")") ;;
    --dry_run) dry_run=yes ;;
    SEED=* | --gin_bindings=SEED[\ =]*) fail "$1: the pipeline sets the seeds. Pass --seeds=N." ;;
    --gin_bindings=* | [!-]*=*) bindings+=("$1") ;;
    *) fail "unrecognized argument $1. See scripts/pipeline.sh --help." ;;
  esac
  shift
done
((${#stems[@]})) || fail 'no experiment: pass --gin_file=configs/<name>.gin.'
[[ $seeds =~ ^[1-9][0-9]{0,3}$ ]] || fail "--seeds=$seeds is not a number of seeds, such as 3."
name=${name:-$(IFS=+; echo "${stems[*]//[^[:alnum:]_.-]/-}")}
[[ $name =~ ^[[:alnum:]_][[:alnum:]_.+-]*$ ]] || fail "--name=$name is not a name of letters, digits and _-+."

# The inputs. Runs lie in a folder named by the digest of all that a training depends on except its seed.

pipelines=$("$python" -S -c 'from engine.workspace import workspace; print(workspace() / "pipelines")')
folder=$pipelines/$name
mkdir -p "$folder/stamps"
lock
run inputs.sh "${files[@]}" "${bindings[@]}" SEED=0 >"$folder/inputs.new"
mv "$folder/inputs.new" "$folder/inputs.tsv"
trained=(config code packages flags data)
digest=$(inputs_of "${trained[@]}" | sha256sum | cut -c 1-12)
for ((seed = 0; seed < seeds; seed++)); do runs[seed]=$folder/runs/$digest/seed-$seed; done
mapfile -t datasets < <(inputs_of originals | cut -f 2)
((${#splits[@]})) || mapfile -t splits < <(
  inputs_of splits | awk -F '\t' '{ print ($2 != "test") "\t" $2 }' | sort -s -n -k 1,1 | cut -f 2)   # test first
((${#splits[@]})) || fail 'the training predicts no split. Pass --split=SPLITS.'
name_row "${runs[0]}" "$name"
for index in "${!against[@]}"; do
  other=${against[index]}
  [[ ! -d $pipelines/$other ]] || other=$pipelines/$other
  [[ -d $other ]] || fail "--against=$other is neither a folder nor the name of a pipeline."
  against[index]=$other
  if [[ -e $other/runs/latest ]]; then
    against[index]=$(cd "$other/runs/latest" && pwd -P)
    name_row "${against[index]}/seed-0" "$(basename "$other")"
  fi
done

# The order: of each step its inputs and, after them, what it makes.

printf '%s: seeds 0 to %d, in %s\n' "$name" $((seeds - 1)) "$folder"
pages=()
for dataset in "${datasets[@]}"; do pages+=("$(page_of "$dataset").html"); done
step data "$(inputs_of data originals)" "${pages[@]}"
step check "$(inputs_of "${trained[@]}" checks)" "$folder/check/report.md"
for seed in "${!runs[@]}"; do
  step "train-$seed" "$(inputs_of "${trained[@]}")" "${runs[seed]}/config.gin"
done
after_steps
ln -sfn "$digest" "$folder/runs/latest"
for seed in "${!runs[@]}"; do
  mapfile -t made < <(made_of "$seed" manifest.json)
  step "predict-$seed" "$(contents checkpoints "${runs[seed]}/checkpoints" -name checksums.json)" "${made[@]}"
done
after_steps
for seed in "${!runs[@]}"; do
  mapfile -t made < <(made_of "$seed" evaluation/report.html)
  step "evaluate-$seed" "$(inputs_of evaluation; of_metrics; of_outputs "${runs[seed]}" "${splits[@]}")" "${made[@]}"
done
after_steps
step compare "$(
  printf 'runs\t%s\t\n' "${runs[@]#"$folder/"}"
  inputs_of evaluation; of_metrics
  for other in "${runs[@]}" "${against[@]}"; do of_outputs "$other" "${splits[0]}"; done
)" "$folder"/{table.tex,comparison.html,comparison.json}
after_steps
step report "$(
  contents step "$folder/stamps" ! -name 'report*' ! -name '*.new'
  contents code "$root/engine/evaluation/pages" -name '*.py'
)" "$folder/report.html"
printf 'report: %s\npipeline: %s\n' "$folder/report.html" "$folder"
