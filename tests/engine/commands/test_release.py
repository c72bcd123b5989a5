"""`release.sh`: a release is whole, equals the saved outputs, runs elsewhere, and is never replaced."""

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

from engine import outputs
from engine.datasets.load import load
from engine.releases import exported
from engine.runs.safety import trust
from engine.stored_trees import release_folder
from engine.workspace import REPOSITORY
from tests.conftest import Program, run_program, write_config
from tests.engine import photos

CHECK = """
for count in (1, 17):
    model = jax.export.deserialize(bytearray(open('model.stablehlo', 'rb').read()))
    images = np.load({images!r})[:count]
    predicted = model.call(variables, {{'image': images}})['logits']
    difference = np.abs(predicted - np.load({logits!r})[:count]).max()
    assert predicted.shape == (count, 10) and difference <= 1e-6, (count, difference)
"""


@pytest.fixture(scope='module')
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace."""
    return tmp_path_factory.mktemp('home')


@pytest.fixture(autouse=True)
def _in_home(home: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (home / 'data').exists():
        load('digits/toy')
        (home / 'data').symlink_to(workspace / 'data')
    monkeypatch.setenv('WORKSPACE', str(home))


@pytest.fixture
def run(trained: Path) -> Path:
    """A finished run of this workspace."""
    trust.vouch_for(trained / 'config.gin')
    return trained


@pytest.fixture
def release(run: Path, home: Path) -> Path:
    """A release of the run."""
    folder = home / 'models' / 'digits' / '1.0'
    if not folder.exists():
        assert run_program('release', str(run), '--name=digits', '--version=1.0') == 0
    return folder


def six_lines(release: Path) -> str:
    text = (release / 'README.md').read_text()
    found = re.search(r'^```python\n(.*?)^```$', text, re.MULTILINE | re.DOTALL)
    assert found is not None
    assert len(found[1].splitlines()) == 6
    return found[1]


def test_a_release_holds_everything_and_its_checksums_are_those_of_sha256sum(release: Path) -> None:
    names = {path.name for path in release.iterdir()}
    wanted = 'model.safetensors model.stablehlo config.gin metrics.json README.md LICENSE release.json'
    assert names >= {*wanted.split(), 'dataset.json', 'checksums.txt'}
    for line in (release / 'checksums.txt').read_text().splitlines():
        digest, name = line.split('  ')
        assert hashlib.sha256((release / name).read_bytes()).hexdigest() == digest
        names.remove(name)
    assert names == {'checksums.txt'}
    metrics = json.loads((release / 'metrics.json').read_text())
    low, high = metrics['metrics']['accuracy']['interval']
    assert (metrics['split'], metrics['examples']) == ('test', 20)
    assert low < high
    card = (release / 'README.md').read_text()
    assert '6 months newer' in card
    assert '3 weeks' in card
    assert f'JAX {jax.__version__} made this one' in card
    assert json.loads((release / 'release.json').read_text())['platforms'] == ['cpu', 'cuda', 'tpu']


def test_the_six_lines_run_and_predict_what_the_run_has_saved(
    release: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(release)
    names: dict[str, Any] = {}
    exec(six_lines(release), names)
    assert names['predictions']['logits'].shape == (17, 10)
    saved = np.load(run / 'outputs' / 'test' / 'logits.npy')
    images = load('digits/toy').split('test').arrays['image']
    program = jax.export.deserialize(bytearray((release / 'model.stablehlo').read_bytes()))
    for count in (1, 17):
        predicted = program.call(names['variables'], {'image': images[:count]})['logits']
        assert np.abs(predicted - saved[:count]).max() <= 1e-6


@pytest.mark.slow
def test_the_six_lines_run_with_jax_and_flatbuffers_alone(release: Path, run: Path, tmp_path: Path) -> None:
    import flatbuffers

    python = tmp_path / 'env' / 'bin' / 'python'
    uv = [sys.executable, '-m', 'uv']
    subprocess.run([*uv, 'venv', '-q', '--python', sys.executable, tmp_path / 'env'], check=True)
    wanted = [f'jax=={jax.__version__}', f'flatbuffers=={flatbuffers.__version__}']
    subprocess.run([*uv, 'pip', 'install', '-q', '--python', python, *wanted], check=True)
    images = tmp_path / 'images.npy'
    np.save(images, load('digits/toy').split('test').arrays['image'])
    check = CHECK.format(images=str(images), logits=str(run / 'outputs' / 'test' / 'logits.npy'))
    flags = ['-I', '-c', six_lines(release) + check]
    done = subprocess.run([python, *flags], cwd=release, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_release_that_is_killed_at_any_moment_is_whole_or_not_there(run: Path, home: Path) -> None:
    """SIGKILL as soon as the folder of the release holds some files."""
    killed, model = [], home / 'models' / 'killed'
    command = [sys.executable, '-m', 'engine.commands.release', str(run), '--name=killed']
    for version, files in zip('abcde', (1, 3, 5, 7, 9), strict=True):
        flags = [*command, f'--version={version}']
        process = subprocess.Popen(flags, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
        while process.poll() is None and len([*model.glob(f'.{version}.*.tmp/*')]) < files:
            time.sleep(0.0005)
        process.kill()
        killed.append(process.wait() == -signal.SIGKILL)
        if (model / version).exists():
            assert release_folder.find(f'killed/{version}') == (model / version).resolve()
            assert trust.unknown(model / version) == {}
    assert sum(killed) >= 3
    assert run_program('release', str(run), '--name=killed', '--version=last') == 0
    assert [path.name for path in model.glob('.*')] == ['.lock']
    assert release_folder.find('killed/last') == (model / 'last').resolve()
    shutil.rmtree(model)


def test_a_version_is_never_replaced(release: Path, run: Path, program: Program) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in release.iterdir()}
    code, _, err = program('release', str(run), '--name=digits', '--version=1.0')
    assert code == 2
    assert 'A release never changes: choose another --version. digits has 1.0.' in err
    assert before == {path.name: path.stat().st_mtime_ns for path in release.iterdir()}


@pytest.mark.parametrize('version', ['', '../1', 'a/b', '.1', '1 0', '-1'])
def test_a_version_is_the_name_of_a_folder(version: str, run: Path, home: Path, program: Program) -> None:
    code, _, err = program('release', str(run), '--name=other', f'--version={version}')
    assert (code, 'use letters, digits' in err) == (2, True), err
    assert not (home / 'models' / 'other').exists()


def test_predictions_that_differ_are_not_released(
    run: Path, home: Path, tmp_path: Path, program: Program
) -> None:
    copy = shutil.copytree(run, tmp_path / 'run')
    trust.vouch_for(copy / 'config.gin')
    saved = outputs.read(copy / 'outputs' / 'test')
    arrays = {name: np.array(array) for name, array in saved.arrays.items()}
    arrays['logits'][3, 2] += 1e-4
    shutil.rmtree(copy / 'outputs' / 'test')
    outputs.write(
        copy / 'outputs' / 'test', saved.manifest, arrays, saved.ids, dict.fromkeys(arrays, 'changed')
    )
    code, _, err = program('release', str(copy), '--name=wrong', '--version=1')
    assert (code, saved.ids[3] in err, 'Nothing was released' in err) == (2, True, True), err
    assert not (home / 'models' / 'wrong' / '1').exists()
    assert [*(home / 'models' / 'wrong').glob('.*')] == []


def test_a_release_needs_predictions(run: Path, program: Program) -> None:
    code, _, err = program('release', str(run), '--name=digits', '--version=2', '--split=train')
    assert (code, 'scripts/predict.sh' in err) == (2, True), err
    assert 'secret' not in err


def test_a_secret_in_a_file_of_the_release_is_named(run: Path, tmp_path: Path, program: Program) -> None:
    copy = shutil.copytree(run, tmp_path / 'run')
    (copy / 'dataset.md').write_text('Download it by https://ann:x7Gq2pLw@data.acme.io/digits.zip\n')
    code, out, _ = program('release', str(copy), '--name=digits', '--version=2', '--split=train')
    assert code == 2  # there are no such outputs
    assert (
        f'warning: {copy}/dataset.md will be part of the release, and holds what looks like a secret' in out
    )


def test_a_released_model_predicts_what_the_run_predicts(release: Path, run: Path, program: Program) -> None:
    code, out, err = program('predict', '--model=digits', '--split=test', '--json')
    assert code == 0, err
    (folder,) = json.loads(out)['outputs']
    assert folder.endswith('predictions/digits/1.0/test')
    ours, theirs = outputs.read(folder), outputs.read(run / 'outputs' / 'test')
    np.testing.assert_array_equal(ours.arrays['logits'], theirs.arrays['logits'])
    assert ours.manifest.details['model'] == 'digits/1.0'
    assert ours.manifest.run == theirs.manifest.run
    assert release.exists()


def test_a_released_model_predicts_a_folder_of_images(
    release: Path, tmp_path: Path, program: Program
) -> None:
    from PIL import Image

    for index in range(3):
        Image.fromarray(photos.picture(index, 30, 40)).convert('L').save(tmp_path / f'{index}.png')
    code, out, err = program('predict', f'--model={release.parent.name}', f'--dataset=images:{tmp_path}')
    assert code == 0, err
    saved = outputs.read(out.splitlines()[-1].removeprefix('outputs: '))
    assert (len(saved.ids), saved.has_labels) == (3, False)
    call = exported.loaded((release / 'model.stablehlo').read_bytes())
    images = np.asarray(saved.arrays['inputs'])  # as large as the inputs of the model, so they are the same
    predicted = call(load_file(release / 'model.safetensors'), {'image': images})['logits']
    np.testing.assert_allclose(saved.arrays['logits'], predicted, atol=1e-6)
    table = (saved.folder / 'predictions.csv').read_text().splitlines()
    assert [line.split(',')[0] for line in table[1:]] == list(saved.ids)


@pytest.mark.parametrize(
    ('flags', 'expected'),
    [
        (['--model=digit'], "Did you mean 'digits'?"),
        (['--model=digits/1.1'], "Did you mean '1.0'?"),
        ([], 'Name either a run or a released model'),
        (['--model=digits', '--checkpoint=best'], 'a released model holds only one'),
    ],
)
def test_mistakes_in_the_name_of_a_model(
    flags: list[str], expected: str, release: Path, program: Program
) -> None:
    code, _, err = program('predict', *flags)
    assert (code, expected in err) == (2, True), err
    assert release.exists()


def test_a_training_starts_from_a_release(release: Path, run: Path, tmp_path: Path, program: Program) -> None:
    """With a learning rate of 0, the training ends with the released weights and their predictions."""
    config = write_config(
        tmp_path,
        'from engine.parts import pretrained',
        'trainer.Trainer.init_from = @pretrained.Pretrained()',
        "pretrained.Pretrained.source = 'model:digits/1.0'",
        STEPS='STEPS = 1',
        RATE='RATE = 0.0',
    )
    code, _, err = program('train', f'--gin_file={config}', f'--run={tmp_path / "run"}')
    assert code == 0, err
    environment = json.loads((tmp_path / 'run' / 'environment.json').read_text())
    assert str(release / 'model.safetensors') in json.dumps(environment)
    ours, theirs = (np.load(folder / 'outputs/test/logits.npy') for folder in (tmp_path / 'run', run))
    np.testing.assert_array_equal(ours, theirs)


def test_a_damaged_release_is_refused(release: Path, home: Path, program: Program) -> None:
    copy = shutil.copytree(release, home / 'models' / 'damaged' / '1')
    content = bytearray((copy / 'model.safetensors').read_bytes())
    content[-1] ^= 1
    (copy / 'model.safetensors').write_bytes(content)
    code, _, err = program('predict', '--model=damaged')
    assert (code, 'model.safetensors is damaged' in err) == (2, True), err
    shutil.rmtree(copy.parent)


def test_a_release_from_elsewhere_is_refused_until_it_is_trusted(
    release: Path, home: Path, program: Program
) -> None:
    copy = shutil.copytree(release, home / 'models' / 'foreign' / '1')
    with (copy / 'config.gin').open('a') as config:
        config.write('# of another workspace')
    (copy / 'checksums.txt').unlink()
    release_folder.write_checksums(copy)
    code, _, err = program('predict', '--model=foreign', '--split=test')
    assert (code, '--trust' in err) == (2, True), err
    code, _, err = program('predict', '--model=foreign', '--split=test', '--trust')
    assert code == 0, err
    shutil.rmtree(home / 'models' / 'foreign')


def test_averaged_parameters_are_released(tmp_path: Path, home: Path, program: Program) -> None:
    """The weights given away are those that the task evaluates, here computed in bfloat16."""
    task = 'classification.Classification'
    config = write_config(
        tmp_path, f'{task}.ema_decay = 0.5', f"{task}.dtype = 'bfloat16'", STEPS='STEPS = 6'
    )
    assert program('train', f'--gin_file={config}', f'--run={tmp_path / "run"}')[0] == 0
    code, _, err = program('release', str(tmp_path / 'run'), '--name=averaged', '--version=1')
    assert code == 0, err
    state = load_file(next((tmp_path / 'run' / 'checkpoints' / 'best').glob('*/default/state.safetensors')))
    arrays = load_file(home / 'models' / 'averaged' / '1' / 'model.safetensors')
    assert 'output/kernel' in arrays
    np.testing.assert_array_equal(arrays['output/kernel'], state['ema_params/output/kernel'])
    record = json.loads((home / 'models' / 'averaged' / '1' / 'release.json').read_text())
    assert (record['precision'], record['tolerance']) == ('bfloat16', 2.0**-5)
    assert record['difference'] < 1e-3
    assert 'is allowed in bfloat16' in (home / 'models' / 'averaged' / '1' / 'README.md').read_text()
