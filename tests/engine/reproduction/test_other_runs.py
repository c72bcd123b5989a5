"""`reproduce.sh` on runs without git, of several processes, with other packages, and after kills."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.runs.environment import history
from tests.engine.reproduction import projects
from tests.engine.reproduction.projects import MODEL, Project

pytestmark = pytest.mark.slow


def same_bits(result: tuple[int, dict[str, Any], str]) -> dict[str, Any]:
    """Returns the document of a reproduction with the same bits, without a change in the record."""
    code, document, err = result
    assert (code, document.get('verdict'), document.get('changes')) == (0, 'same_bits', []), err
    return document


def test_metrics_are_compared(run: Path, project: Project, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / 'run'))
    code, _, err = project.run('eval', str(copy))
    assert code == 0, err
    document = same_bits(project.reproduce(str(copy), '--trust'))
    assert document['metrics'] == {'test': '', 'val': ''}
    path = copy / 'outputs' / 'test' / 'evaluation' / 'metrics.json'
    metrics = json.loads(path.read_text())
    old = metrics['metrics']['accuracy']['value']
    metrics['metrics']['accuracy']['value'] = 0.999
    path.write_text(json.dumps(metrics))
    code, document, err = project.reproduce(str(copy))
    assert (code, document['verdict'], document['distances']) == (1, 'different', []), err
    assert document['difference'] == f'the metrics of outputs/test: accuracy was 0.999, is {old}'


RELATIVE = """
include 'tiny.gin'
from __gin__ import dynamic_registration
from engine.training import trainer
from engine.parts import crops
from engine.parts import orders
from engine.parts import pretrained
trainer.Trainer.dataset = 'images:../photos'
trainer.Trainer.decode = @crops.Crops()
trainer.Trainer.order = @orders.Weighted()
trainer.Trainer.init_from = @pretrained.Pretrained()
crops.Crops.size = 8
crops.Crops.workers = 0
orders.Weighted.file = '../weights.csv'
pretrained.Pretrained.source = 'workspace/runs/begun'
"""


def write_photos(folder: Path) -> None:
    """Writes images of two classes, and a weight for each one to train on."""
    random = np.random.default_rng(0)
    names = [
        f'{split}/{label}/{index}.png'
        for split in ('train', 'val', 'test')
        for label in 'ab'
        for index in range(8)
    ]
    for name in names:
        path = folder / 'photos' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (8, 8, 3), np.uint8)).save(path)
    rows = [f'{name},{1 + index % 3}' for index, name in enumerate(names) if name.startswith('train')]
    (folder / 'weights.csv').write_text('\n'.join(['id,weight', *rows, '']))


def test_relative_paths_start_at_the_clone(project: Project, tmp_path: Path) -> None:
    """Those of data beside the clone, and of trained variables that git ignores."""
    clones = []
    for name in ('one', 'other'):
        (tmp_path / name).mkdir()
        write_photos(tmp_path / name)
        root = projects.clone(project, tmp_path / name / 'clone').root
        clones.append(Project(root, root / 'workspace'))
    one, other = clones
    (one.root / 'configs' / 'relative.gin').write_text(RELATIVE)
    begun = one.train('begun', 'trainer.Trainer.init_from=None', config='relative')
    run = one.train('run', config='relative')
    shutil.copytree(begun, other.workspace / 'runs' / 'begun')
    same_bits(other.reproduce(str(run), '--trust'))
    (other.root.parent / 'weights.csv').unlink()
    code, document, err = other.reproduce(str(run), '--steps=2')
    assert (code, document['verdict']) == (1, None), err
    assert f'{other.root}/../weights.csv does not exist' in document['difference']


def test_several_processes_and_devices(project: Project, elsewhere: Project) -> None:
    """Two processes of two devices each: the number of processes is repeated, that of devices compared."""
    run = project.workspace / 'runs' / 'processes'
    flags = ('--gin_file=configs/tiny.gin', f'--run={run}', '--processes=2')
    code, _, err = project.run('train', *flags, JAX_NUM_CPU_DEVICES='2')
    assert code == 0, err
    record = history.read(run / history.FILE)
    assert (record['processes'], record['devices']) == (2, 4)
    same_bits(elsewhere.reproduce(str(run), '--trust', JAX_NUM_CPU_DEVICES='2'))
    _, document, err = elsewhere.reproduce(str(run), '--processes=1')
    assert {'machine: processes: 2 -> 1', 'machine: devices: 4 -> 1'} <= {*document['changes']}, err


@pytest.fixture(scope='module')
def without_git(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Path]:
    """A project that is not a repository, with an edit, and a run of it."""
    project = projects.copy(tmp_path_factory.mktemp('without_git'))
    project.edit(MODEL, 'x.mean((1, 2))', 'x.max((1, 2))')
    return project, project.train('run')


def test_a_run_without_git_is_repeated_from_its_sources(
    without_git: tuple[Project, Path], elsewhere: Project
) -> None:
    _, run = without_git
    assert (run / 'sources').is_dir() and not (run / 'uncommitted.diff').exists()
    document = same_bits(elsewhere.reproduce(str(run), '--trust'))
    assert not (Path(document['reproduction']) / 'code').exists()
    assert 'x.mean((1, 2))' in (elsewhere.root / MODEL).read_text()


def test_edited_sources_are_refused(
    without_git: tuple[Project, Path], elsewhere: Project, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(without_git[1], tmp_path / 'run'))
    path = run / 'sources' / MODEL
    path.write_text(path.read_text().replace('x.max', 'x.min'))
    code, _, err = elsewhere.reproduce(str(run), '--trust')
    assert (code, f'the digests of {MODEL} differ' in err) == (2, True), err


def test_a_large_file_that_the_diff_leaves_out(project: Project, elsewhere: Project) -> None:
    """It comes from the clone that has it. Elsewhere, the file is named that is missing."""
    path = project.root / 'research' / 'models' / 'scale.bin'
    path.write_bytes(b'\x02' * 300_000)
    old = 'x.mean((1, 2))'
    read = "Path(__file__).with_name('scale.bin').read_bytes()[0]"
    project.edit(MODEL, 'from flax import nnx', 'from pathlib import Path\n\nfrom flax import nnx')
    project.edit(MODEL, old, f'{old} * {read}')
    run = project.train('left_out')
    projects.git(project.root, 'checkout', '-q', MODEL)
    assert history.read(run / history.FILE)['not_in_diff'] == ['research/models/scale.bin']
    document = same_bits(project.reproduce(str(run)))
    assert 'uncommitted.diff leaves out research/models/scale.bin' in document['notes'][0]
    path.unlink()
    code, document, err = elsewhere.reproduce(str(run), '--trust')
    assert (code, document['verdict'], 'scale.bin' in document['difference']) == (1, None, True), err
    assert 'code: research/models/scale.bin was removed' in document['changes']


def test_the_recorded_packages_and_variables_are_rebuilt(
    run: Path, elsewhere: Project, tmp_path: Path
) -> None:
    """The present Python has another version of a package, and the shell another flag."""
    copy = Path(shutil.copytree(run, tmp_path / 'run'))
    used = history.read(copy / history.FILE)['packages']
    lock = copy / 'requirements.lock'  # the packages of the tests take long to install
    lines = [line for line in lock.read_text().splitlines() if line.partition('==')[0] in used]
    lock.write_text('\n'.join(lines) + '\n')
    other = tmp_path / 'packages' / 'optax-9.8.7.dist-info'
    other.mkdir(parents=True)
    present = {
        'PYTHONPATH': str(other.parent),
        'XLA_FLAGS': '--xla_backend_optimization_level=0',
        'JAX_ENABLE_X64': '1',
        'JAX_NUM_CPU_DEVICES': '2',
    }
    document = same_bits(elsewhere.reproduce(str(copy), '--trust', '--environment=rebuild', **present))
    [python] = (elsewhere.workspace / 'environments').glob('*/bin/python')
    made = python.lstat().st_mtime_ns
    code, document, err = elsewhere.reproduce(str(copy), '--environment=rebuild', '--steps=1', **present)
    assert (code, document['verdict'], python.lstat().st_mtime_ns) == (0, 'same_bits', made), err
    code, document, err = elsewhere.reproduce(str(copy), '--steps=1', **present)
    assert {'packages: optax: ' + used['optax'] + ' -> 9.8.7', 'flags: jax_enable_x64: False -> True'} <= {
        *document['changes']
    }, err


def wait_for(path: Path, process: 'subprocess.Popen[str]') -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)


def reproduction(project: Project) -> Path:
    [folder] = (project.workspace / 'reproductions').iterdir()
    return folder


def begin(project: Project, run: Path) -> 'subprocess.Popen[str]':
    """Starts a reproduction and waits until it trains."""
    process = project.start('reproduce', str(run), '--trust', '--json')
    wait_for(project.workspace / 'reproductions', process)
    while not [*(project.workspace / 'reproductions').iterdir()]:
        time.sleep(0.02)
    wait_for(reproduction(project) / 'run' / 'config.gin', process)
    return process


def test_a_killed_reproduction_is_continued(run: Path, elsewhere: Project) -> None:
    process = begin(elsewhere, run)
    os.killpg(process.pid, signal.SIGKILL)  # the training too
    process.communicate()
    folder = reproduction(elsewhere)
    assert (folder / 'code').is_dir() and len(elsewhere.worktrees()) == 2
    document = same_bits(elsewhere.reproduce(str(run)))
    assert document['reproduction'] == str(folder)
    assert not (folder / 'code').exists() and len(elsewhere.worktrees()) == 1


def test_an_interrupted_reproduction_cleans_up(run: Path, elsewhere: Project) -> None:
    process = begin(elsewhere, run)
    process.send_signal(signal.SIGTERM)  # to the program alone, which stops its training
    out, err = process.communicate()
    folder = reproduction(elsewhere)
    assert (process.returncode, out, 'The same command continues' in err) == (75, '', True), err
    assert not (folder / 'code').exists() and len(elsewhere.worktrees()) == 1
    same_bits(elsewhere.reproduce(str(run)))
    assert reproduction(elsewhere) == folder
