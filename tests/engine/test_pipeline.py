"""`scripts/pipeline.sh`: which steps run, why, and what a kill leaves.

The programs of the steps are replaced by ones that write a line into `log` and make what the step makes. The
last test runs the real ones.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.workspace import REPOSITORY
from tests.conftest import write_config

STEP = r"""#!/usr/bin/env bash
cd "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit
name=$(basename "$0" .sh)
[[ $name == dataset ]] && name=$name.$1
echo "$name $*" >>log
[[ ! -e fail-$name ]] || exit "$(<"fail-$name")"
if [[ -e hang-$name ]]; then
  trap 'echo "$name stopped" >>log; exit 75' TERM
  echo $$ >"hanging.new" && mv hanging.new hanging
  while :; do sleep 0.02; done
fi
value() { local each; for each in "${@:2}"; do [[ $each != "$1="* ]] || echo "${each#*=}"; done; }
make() { mkdir -p "$(dirname "$1")" && echo "$2" >"$1"; }
run=$(value --run "$@") output=$(value --output "$@")
case $name in
  inputs) cat inputs.tsv ;;
  dataset.check) echo 'all checks passed' ;;
  dataset.explore) make page.html page && echo "page: $PWD/page.html" ;;
  check) make "$output/report.md" fine ;;
  train)
    [[ -e $run/config.gin ]] || make "$run/config.gin" ''
    make "$run/checkpoints/best/3/checksums.json" "${run##*/}"
    for split in val test; do make "$run/outputs/$split/manifest.json" "${run##*/}"; done ;;
  predict)
    for split in $(value --split "$@" | tr , ' '); do make "$1/outputs/$split/manifest.json" again; done ;;
  eval) for each in "$@"; do [[ $each == --* ]] || make "$each/evaluation/report.html" page; done ;;
  compare) make "$output" page && echo '{}' ;;
esac
"""
PAGE = """
import subprocess, sys
from pathlib import Path
Path(sys.argv[1], 'report.html').write_text('page')
with Path(__file__).parents[2].joinpath('log').open('a') as log:
    print('page', *sys.argv[1:], file=log)
"""
PROGRAMS = ('inputs', 'dataset', 'check', 'train', 'predict', 'eval', 'compare')
SUBJECTS = ('config', 'code', 'packages', 'flags', 'data', 'originals', 'checks', 'evaluation')
TRAINING = ['check', 'train', 'train', 'eval', 'eval', 'compare', 'compare', 'page']
ALL = ['dataset.check', 'dataset.explore', *TRAINING]


def write_repository(root: Path) -> Path:
    """Writes a repository whose steps only write what they are called with."""
    shutil.copytree(REPOSITORY / 'scripts', root / 'scripts')
    for name in PROGRAMS:
        (root / f'scripts/{name}.sh').write_text(STEP)
    (root / 'engine/commands').mkdir(parents=True)
    (root / 'engine/evaluation/pages').mkdir(parents=True)
    for package in ('engine', 'engine/commands'):  # else `engine` of the repository would be found before it
        (root / package / '__init__.py').touch()
    shutil.copy(REPOSITORY / 'engine/workspace.py', root / 'engine/workspace.py')
    (root / 'engine/commands/pipeline_page.py').write_text(PAGE)
    set_inputs(root)
    return root


def set_inputs(root: Path, **changed: str) -> None:
    values = dict.fromkeys(SUBJECTS, 'old') | changed
    lines = [f'{subject}\ta name of {subject}\t{value}\n' for subject, value in values.items()]
    (root / 'inputs.tsv').write_text(''.join(lines) + 'splits\tval\tpredicted\nsplits\ttest\tpredicted\n')


def start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ['bash', str(root / 'scripts/pipeline.sh'), *(arguments or ['--gin_file=a.gin', '--seeds=2'])],
        cwd=root,
        env=os.environ
        | {
            'ENV': 'existing',
            'PYTHON': sys.executable,
            'WORKSPACE': str(root / 'workspace'),
            'HOME': str(root),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, list[str], str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out.splitlines(), err


def call(root: Path, *arguments: str) -> tuple[int, list[str], str]:
    return finish(start(root, *arguments))


def called(root: Path) -> list[str]:
    """Returns the names of the programs that were called since the last time, without `inputs`."""
    return [line.split()[0] for line in calls(root)]


def calls(root: Path) -> list[str]:
    log = root / 'log'
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return [line for line in lines if not line.startswith('inputs ')]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository whose pipeline has not begun."""
    return write_repository(tmp_path / 'my fork')


@pytest.fixture(scope='module')
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose pipeline has ended, for all tests to copy."""
    root = write_repository(tmp_path_factory.mktemp('ended') / 'my fork')
    code, out, err = call(root)
    assert (code, err) == (0, '')
    assert called(root) == ALL
    assert out[-1] == f'pipeline: {root}/workspace/pipelines/a'
    assert out[-2] == f'report: {root}/workspace/pipelines/a/report.html'
    return root


@pytest.fixture
def done(ended: Path, tmp_path: Path) -> Path:
    """A repository whose pipeline has ended: nothing in its folder depends on where it lies."""
    return shutil.copytree(ended, tmp_path / 'my fork', symlinks=True)


def test_a_second_call_runs_nothing(done: Path) -> None:
    code, out, _ = call(done)
    assert (code, called(done)) == (0, [])
    steps = 'data check train-0 train-1 predict-0 predict-1 evaluate-0 evaluate-1 compare report'
    assert out[1:-2] == [f'{step}: unchanged' for step in steps.split()]


@pytest.mark.parametrize(
    ('subject', 'expected'),
    [
        *((subject, TRAINING) for subject in ('config', 'code')),
        ('data', ALL),
        ('originals', ['dataset.check', 'dataset.explore', 'page']),
        ('checks', ['check', 'page']),
        ('evaluation', ['eval', 'eval', 'compare', 'compare', 'page']),
    ],
)
def test_a_changed_input_runs_exactly_what_depends_on_it(
    done: Path, subject: str, expected: list[str]
) -> None:
    set_inputs(done, **{subject: 'new'})
    code, out, _ = call(done)
    assert (code, called(done)) == (0, expected)
    assert any(line.endswith(f'runs (changed: {subject} a name of {subject})') for line in out)


def test_runs_of_other_inputs_stay_and_are_taken_up_again(done: Path) -> None:
    """What was trained with the old config is not trained into, and is there when the config comes back."""
    set_inputs(done, config='new')
    assert call(done)[0] == 0
    calls(done)
    set_inputs(done)
    assert call(done)[0] == 0
    folders = {line.split('--run=')[1].split(' SEED')[0] for line in calls(done) if line.startswith('train ')}
    assert len({Path(folder).parent for folder in folders}) == 1
    assert len([*(done / 'workspace/pipelines/a/runs').iterdir()]) == 3  # and the link `latest`
    current = (done / 'workspace/pipelines/a/runs/latest').resolve()
    assert {Path(folder).parent for folder in folders} == {current}


@pytest.mark.parametrize(
    ('product', 'expected'),
    [
        ('check/report.md', ['check', 'page']),
        ('data/a-name-of-originals.html', ['dataset.check', 'dataset.explore', 'page']),
        ('runs/latest/seed-1/config.gin', ['train', 'page']),
        # What was predicted anew may differ: here it does.
        ('runs/latest/seed-0/outputs/test', ['predict', 'eval', 'compare', 'compare', 'page']),
        ('runs/latest/seed-1/outputs/test/evaluation', ['eval', 'page']),
        ('table.tex', ['compare', 'compare', 'page']),
    ],
)
def test_what_was_deleted_is_made_again(done: Path, product: str, expected: list[str]) -> None:
    path = done / 'workspace/pipelines/a' / product
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert call(done)[0] == 0
    assert called(done) == expected


def test_other_outputs_are_evaluated_again(done: Path) -> None:
    (done / 'workspace/pipelines/a/runs/latest/seed-1/outputs/test/logits.npy').write_text('other')
    assert call(done)[0] == 0
    assert called(done) == ['eval', 'compare', 'compare', 'page']


def test_more_seeds_train_only_the_new_ones(done: Path) -> None:
    assert call(done, '--gin_file=a.gin', '--seeds=4')[0] == 0
    lines = calls(done)
    assert [line.rpartition(' ')[2] for line in lines if line.startswith('train ')] == ['SEED=2', 'SEED=3']
    assert [line.split()[0] for line in lines][2:] == ['eval', 'eval', 'compare', 'compare', 'page']


def hanging(root: Path, process: subprocess.Popen[str]) -> int:
    """Waits until a program hangs, and returns its process."""
    deadline = time.monotonic() + 60
    while not (root / 'hanging').exists():
        assert process.poll() is None and time.monotonic() < deadline, finish(process)
        time.sleep(0.01)
    number = int((root / 'hanging').read_text())
    (root / 'hanging').unlink()
    return number


@pytest.mark.parametrize('name', ['dataset.explore', 'check', 'train', 'compare'])
def test_a_killed_pipeline_continues_at_the_step_that_was_killed(root: Path, name: str) -> None:
    (root / f'hang-{name}').touch()
    process = start(root)
    hanging(root, process)
    os.killpg(process.pid, signal.SIGKILL)
    assert finish(process)[0] == -signal.SIGKILL
    before = called(root)
    assert before[-1] == name
    (root / f'hang-{name}').unlink()
    assert call(root)[0] == 0
    assert called(root) == ALL[ALL.index('dataset.check' if name == 'dataset.explore' else name) :]


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_to_the_script_alone_stops_its_program_too(root: Path, number: signal.Signals) -> None:
    (root / 'hang-train').touch()
    process = start(root)
    child = hanging(root, process)
    process.send_signal(number)
    code, _, err = finish(process)
    assert code == (-number if number == signal.SIGINT else 75)
    assert err == f'stopped. The same command continues.\npipeline: {root}/workspace/pipelines/a\n'
    assert called(root)[-2:] == ['train', 'train']  # it began, and it was stopped
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    (root / 'hang-train').unlink()
    assert call(root)[0] == 0
    assert called(root) == ALL[ALL.index('train') :]


@pytest.mark.parametrize(('name', 'code'), [('inputs', 2), ('check', 1), ('train', 75)])
def test_a_step_that_fails_ends_the_pipeline_with_its_code(root: Path, name: str, code: int) -> None:
    (root / f'fail-{name}').write_text(str(code))
    ended, out, err = call(root)
    assert ended == code
    step = {'inputs': '', 'train': 'train-0'}.get(name, name)
    expected = f'error: the step {step} has ended with code {code}. The same command continues there.\n'
    assert err == (expected if step else '')
    assert not any(line.startswith('report: ') for line in out)
    (root / f'fail-{name}').unlink()
    calls(root)
    assert call(root)[0] == 0
    assert called(root) == (ALL if name == 'inputs' else ALL[ALL.index(name) :])


def test_a_dataset_with_faults_shows_them(root: Path) -> None:
    text = STEP.replace("echo 'all checks passed'", "echo 'labels: wrong'; exit 1")
    (root / 'scripts/dataset.sh').write_text(text)
    code, out, _ = call(root)
    assert (code, out[-1]) == (1, 'labels: wrong')


def test_a_dry_run_says_what_would_run_and_runs_nothing(done: Path) -> None:
    flags = ('--gin_file=a.gin', '--seeds=2', '--dry_run')
    code, out, _ = call(done, *flags)
    assert (code, called(done), len(out)) == (0, [], 13)
    set_inputs(done, evaluation='new')
    code, out, _ = call(done, *flags)
    assert (code, called(done)) == (0, [])
    assert out[-2:] == [
        'evaluate-1: would run (changed: evaluation a name of evaluation)',
        'What follows depends on it.',
    ]
    set_inputs(done, config='new')
    assert call(done, *flags)[1][-4:] == [
        'check: would run (changed: config a name of config)',
        'train-0: would run (changed: config a name of config)',
        'train-1: would run (changed: config a name of config)',
        'What follows depends on it.',
    ]
    set_inputs(done)
    assert call(done)[0] == 0
    assert called(done) == []


def test_two_pipelines_do_not_work_in_one_folder(root: Path) -> None:
    (root / 'hang-check').touch()
    process = start(root)
    hanging(root, process)
    code, _, err = call(root)
    assert code == 2
    assert err.startswith(f'error: another pipeline is at work in {root}/workspace/pipelines/a. Wait for it')
    os.killpg(process.pid, signal.SIGKILL)
    finish(process)
    (root / 'hang-check').unlink()
    assert call(root)[0] == 0  # the lock of a killed pipeline is free


def test_what_is_given_reaches_the_programs(root: Path) -> None:
    other = root / 'workspace/pipelines/wide'
    (other / 'runs/0/seed-0/outputs/val').mkdir(parents=True)
    (other / 'runs/0/seed-0/outputs/val/manifest.json').touch()
    (other / 'runs/latest').symlink_to('0')
    (root / 'costs.gin').touch()
    flags = ['--gin_file', 'x y.gin', '--gin_file=b.gin', '--seeds=1', '--split=val,train', '--trust']
    flags += ['--against=wide', '--evaluation=~/costs.gin', 'RATE=1e-3', "--gin_bindings=D = 'a b'"]
    code, out, err = call(root, *flags)
    assert (code, err) == (0, '')
    folder = root / 'workspace/pipelines/x-y+b'
    assert out[-1] == f'pipeline: {folder}'
    run = (folder / 'runs/latest').resolve() / 'seed-0'
    files = '--gin_file=x y.gin --gin_file=b.gin --trust'
    lines = calls(root)
    assert lines[2:6] == [
        f"check {files} --output={folder}/check --overwrite RATE=1e-3 --gin_bindings=D = 'a b'",
        f"train {files} --run={run} RATE=1e-3 --gin_bindings=D = 'a b' SEED=0",
        f'predict {run} --split=train',
        f'eval {run}/outputs/val/ {run}/outputs/train/ --gin_file={root}/costs.gin --overwrite',
    ]
    rows = f'--rows={run}=x-y+b --rows={other}/runs/0/seed-0=wide'
    assert lines[6].startswith(f'compare {run} {other}/runs/0 --split=val {rows} --gin_file={root}/costs.gin')
    assert lines[8].startswith(f'page {folder} {run} --split=val --command=scripts/pipeline.sh --gin_file')
    (root / 'costs.gin').write_text('cost = 2')
    (other / 'runs/0/seed-0/outputs/val/manifest.json').write_text('other')
    assert call(root, *flags)[0] == 0
    assert called(root) == ['eval', 'compare', 'compare', 'page']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--seeds=2'], 'no experiment: pass --gin_file=configs/<name>.gin.'),
        (['--gin_file=a.gin', '--seeds=0'], '--seeds=0 is not a number of seeds, such as 3.'),
        (['--gin_file=a.gin', '--seeds=many'], '--seeds=many is not a number of seeds, such as 3.'),
        (['--gin_file=a.gin', '--name=../a'], '--name=../a is not a name of letters, digits and _-+.'),
        (['--gin_file=a.gin', 'SEED=3'], 'SEED=3: the pipeline sets the seeds. Pass --seeds=N.'),
        (['--gin_file=a.gin', '--gin_bindings=SEED = 3'], 'SEED = 3: the pipeline sets the seeds.'),
        (['--gin_file=a.gin', '--against=b'], '--against=b is neither a folder nor the name of a pipeline.'),
        (['--gin_file=a.gin', '--sed=3'], 'unrecognized argument --sed=3. See scripts/pipeline.sh --help.'),
        (['--gin_file=a.gin', 'RATE'], 'unrecognized argument RATE. See scripts/pipeline.sh --help.'),
        (['--gin_file=a.gin', '--seeds'], '--seeds needs a value. See scripts/pipeline.sh --help.'),
    ],
)
def test_a_mistake_on_the_command_line_has_one_message(
    root: Path, arguments: list[str], message: str
) -> None:
    code, _, err = call(root, *arguments)
    assert (code, err.count('\n'), called(root)) == (2, 1, [])
    assert message in err


def test_the_help_shows_every_flag(root: Path) -> None:
    code, out, _ = call(root, '--help')
    source = (root / 'scripts/pipeline.sh').read_text()
    assert code == 0
    for flag in ('gin_file', 'seeds', 'name', 'split', 'against', 'evaluation', 'dry_run', 'trust'):
        assert f'--{flag}' in '\n'.join(out) and f'--{flag}' in source.partition('case $1 in')[2]


# The real programs.


def start_real(workspace: Path, config: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ['bash', str(REPOSITORY / 'scripts/pipeline.sh'), f'--gin_file={config}', '--seeds=2', *more],
        env=os.environ | {'ENV': 'existing', 'PYTHON': sys.executable, 'WORKSPACE': str(workspace)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def killed_in(process: subprocess.Popen[str], step: str, seconds: float) -> None:
    """Kills a pipeline and its programs some time after a step has begun."""
    assert process.stdout
    begun = next((line for line in process.stdout if line.startswith(f'{step}: runs (')), '')
    assert begun, f'{step} did not run'
    time.sleep(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def outputs(folder: Path) -> dict[str, bytes]:
    """Returns the arrays that the runs of a pipeline have predicted."""
    runs = folder / 'runs/latest'
    return {path.relative_to(runs).as_posix(): path.read_bytes() for path in runs.rglob('outputs/*/*.npy')}


@pytest.mark.slow
def test_a_pipeline_killed_in_each_step_ends_as_one_never_killed(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    whole = start_real(tmp_path, config, '--name=whole')
    said, _ = whole.communicate()
    assert whole.returncode == 0, said
    for step in ('data', 'check', 'train-0', 'train-1', 'evaluate-0', 'compare', 'report'):
        killed_in(start_real(tmp_path, config, '--name=killed'), step, 1.0)
    last = start_real(tmp_path, config, '--name=killed')
    said, _ = last.communicate()
    assert last.returncode == 0, said
    assert said.splitlines()[-1] == f'pipeline: {tmp_path}/pipelines/killed'
    assert 'evaluate-0: unchanged' in said
    expected = outputs(tmp_path / 'pipelines/whole')
    assert expected and outputs(tmp_path / 'pipelines/killed') == expected
    for name in ('report.html', 'comparison.html', 'table.tex', 'check/report.md', 'data/digits-toy.html'):
        assert (tmp_path / 'pipelines/killed' / name).stat().st_size > 0
    assert 'unchanged' not in said.partition('report: runs')[2]


@pytest.mark.slow
def test_a_changed_image_ends_the_pipeline_and_says_so(tmp_path: Path) -> None:
    """A dataset of images was built from files that have been replaced since."""
    random = np.random.default_rng(0)
    for name in ('train/cat', 'train/dog', 'val/cat', 'val/dog', 'test/cat', 'test/dog'):
        (tmp_path / 'photos' / name).mkdir(parents=True)
        for number in range(8):
            image = Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8))
            image.save(tmp_path / f'photos/{name}/{number}.png')
    decode = (
        'from engine.parts import crops',
        'trainer.Trainer.decode = @crops.Crops()',
        'crops.Crops.size = 8',
    )
    config = write_config(tmp_path, *decode, dataset=f"  dataset = 'images:{tmp_path}/photos'")
    first = start_real(tmp_path, config, '--name=photos', 'STEPS=3')
    said, _ = first.communicate()
    assert 'data: runs' in said and 'check: runs' in said
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / 'photos/val/dog/3.png')
    again = start_real(tmp_path, config, '--name=photos', 'STEPS=3')
    said, _ = again.communicate()
    assert 'data: runs (changed: originals images:' in said
    assert again.returncode == 1, said
    assert '3.png' in said and 'the step data has ended with code 1' in said
