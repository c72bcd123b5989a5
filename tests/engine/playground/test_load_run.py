"""A run in a notebook: what `load_run` gives is what the run has saved and logged."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from engine import files, outputs
from engine.errors import UserError
from engine.playground import load_run
from engine.runs.environment import history
from engine.runs.run_folder import Run
from engine.training import steps
from engine.variables import by_path
from engine.workspace import REPOSITORY
from tests.engine.test_readme import blocks


@pytest.fixture(scope='module')
def run(trained: Path) -> Any:
    return load_run(trained)


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copies the run, with texts of its config replaced: copy(old='new') -> folder."""

    def copied(**replaced: str) -> Path:
        folder = Path(shutil.copytree(trained, tmp_path / 'run'))
        text = (folder / 'config.gin').read_text()
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        Run(folder).save_config(lambda path: path.write_text(text))
        return folder

    return copied


def test_config_and_logs(run: Any, trained: Path) -> None:
    assert (run.config['STEPS'], run.config['RATE'], run.config['dropout']) == (14, 0.03, 0.1)
    lines = [json.loads(line) for line in (trained / 'logs/train.jsonl').read_text().splitlines()]
    train = run.logs['train']
    assert train.index.tolist() == [line['step'] for line in lines]
    assert train['loss'].tolist() == [line['loss'] for line in lines]
    assert run.logs['val'].index[-1] == 14
    assert run.logs['performance'].index[-1] == 14
    assert repr(run) == f'{trained}: finished, step 14 of 14'


def test_task_and_model_predict_what_the_run_has_saved(run: Any) -> None:
    batch, saved = run.batch('test'), run.outputs('test')
    expected = saved.arrays['logits'][:8]
    assert batch['valid'].all() and len(batch['valid']) == 8
    predicted = jax.jit(run.task.predict)(run.state, batch)['logits']
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=1e-5)
    logits = run.model(run.trainer.task.inputs(batch))
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5)
    assert saved.manifest.step == run.checkpoint[1]
    assert run.dataset.splits == {'train': 30, 'val': 10, 'test': 20}
    assert len(run.batch('val', 3)['label']) == 3
    assert len(run.batch('val', 300)['label']) == 10


def test_the_latest_state_continues_the_training(trained: Path) -> None:
    run = load_run(trained, checkpoint=10)
    assert run.checkpoint == ('latest', 10)
    state, batch = run.state, run.trainer.batch(10)
    _, metrics = jax.jit(run.task.update)(state, batch, steps.key(run.trainer.seed, steps.TRAIN, 10))
    logged = run.logs['train'].loc[11]
    assert float(metrics['loss'].compute()) == pytest.approx(logged['loss'], rel=1e-5)
    assert float(metrics['gradient_norm'].compute()) == pytest.approx(logged['gradient_norm'], rel=1e-4)


def test_the_optimizer_of_the_best_state_begins_anew(run: Any, trained: Path) -> None:
    assert run.checkpoint[0] == 'best'
    state, fresh = by_path(run.state), by_path(run.trainer.step_functions.init())
    assert state.keys() == fresh.keys()
    for path, array in state.items():
        same = np.array_equal(array, fresh[path])
        assert same == (not path.startswith('params/')), path
    trained_further, metrics = jax.jit(run.task.update)(run.state, run.trainer.batch(0), jax.random.key(0))
    assert float(metrics['loss'].compute()) < run.logs['train']['loss'].iloc[0]
    assert int(trained_further['steps']) == 1


def hidden(task: Any) -> tuple[int, ...]:
    """Returns the shape of the first weights that a task makes."""
    params, _ = jax.eval_shape(lambda: task.init_model(jax.random.key(0)))
    return params['hidden'][0]['kernel'].shape


def test_each_of_several_runs_has_its_own_config(run: Any, copy: Callable[..., Path]) -> None:
    own, wide = run.task, load_run(copy(**{'mlp.MLP.width = 16': 'mlp.MLP.width = 24'})).task
    for task, width in ((own, 16), (wide, 24), (own, 16), (wide, 24)):
        assert hidden(task) == (64, width)
    assert hidden(run.trainer.bound) == (64, 16)
    assert load_run(run.folder).model.hidden[0].kernel.shape == (64, 16)
    assert own.init_model is own.init_model  # or jax.jit would compile each call


def test_a_running_run_shows_new_lines(copy: Callable[..., Path]) -> None:
    folder = copy()
    run = load_run(folder)
    before = len(run.logs['train'])
    with (folder / 'logs/train.jsonl').open('a') as file:
        file.write('{"step": 15, "epoch": 4.0, "loss": 1.0}\n{"step": 16, "lo')
    assert len(run.logs['train']) == before + 1
    assert 'train.jsonl' in repr(run)


# --- where runs are


def test_paths_and_names(
    copy: Callable[..., Path], tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('HOME', str(tmp_path))
    for name in ('run', Path('run'), '~/run', folder):
        assert load_run(name).folder == folder
    monkeypatch.setattr('engine.playground.REPOSITORY', tmp_path)
    monkeypatch.chdir('/')
    assert load_run('run').folder == folder
    shutil.copytree(folder, workspace / 'runs/playground/short-name')
    assert load_run('short-name').folder == workspace / 'runs/playground/short-name'
    shutil.rmtree(workspace / 'runs/playground')


@pytest.mark.parametrize('name', ['nowhere', 'no/such/run', ''])
def test_no_run(name: str) -> None:
    with pytest.raises(UserError, match='is not a run'):
        load_run(name)


@pytest.mark.parametrize('checkpoint', ['bets', '7', 7, 0])
def test_no_checkpoint(checkpoint: Any, trained: Path) -> None:
    with pytest.raises(UserError, match=f'there is no checkpoint {str(checkpoint)!r}. Saved steps: latest'):
        load_run(trained, checkpoint=checkpoint)


def test_no_outputs(run: Any, trained: Path) -> None:
    with pytest.raises(UserError, match=r"has no outputs 'tset'. Did you mean 'test'\? scripts/predict.sh"):
        run.outputs('tset')


def test_a_run_without_checkpoints_shows_its_logs(copy: Callable[..., Path]) -> None:
    folder = copy()
    shutil.rmtree(folder / 'checkpoints')
    run = load_run(folder)
    assert run.logs['val'].index[-1] == 14
    with pytest.raises(UserError, match=r"there is no checkpoint 'latest'\. Saved steps: latest: none"):
        _ = run.model


# --- what is refused, and what has changed


def test_a_run_from_elsewhere_needs_trust(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'other'))
    with pytest.raises(
        UserError, match=r'was not made in this workspace(.|\n)*pass trust=True, which records'
    ):
        load_run(trained)
    assert load_run(trained, trust=True).config['STEPS'] == 14
    load_run(trained)


def recorded_otherwise(folder: Path, name: str) -> None:
    """Has a run record another digest of a source file."""
    record = history.read(folder / history.FILE)
    assert name in record['code']['files']
    record['code']['files'][name] = '0' * 64
    history.write(folder / history.FILE, record)


def test_changed_code_is_named(copy: Callable[..., Path], said: list[str]) -> None:
    folder = copy()
    recorded_otherwise(folder, 'research/models/mlp.py')
    run = load_run(folder)
    assert said == []
    assert run.model.output.kernel.shape == (16, 10)
    _ = run.task, run.dataset, run.state
    assert said == [
        f'warning: since {folder} was trained, this has changed, so numbers may differ:'
        f'\n  code: research/models/mlp.py has changed'
    ]


def test_a_model_that_is_gone_is_named_with_what_has_changed(copy: Callable[..., Path]) -> None:
    folder = copy(**{'mlp.MLP': 'mlp.Perceptron'})
    recorded_otherwise(folder, 'research/models/mlp.py')
    with pytest.raises(UserError) as error:
        _ = load_run(folder).model
    message = str(error.value)
    assert "mlp has no 'Perceptron'" in message
    assert 'code: research/models/mlp.py has changed' in message


def test_a_run_whose_dataset_is_gone(copy: Callable[..., Path], said: list[str]) -> None:
    """Its task is bound to what it recorded of the dataset."""
    folder = copy(**{"'digits/toy'": "'images:/no/such/folder'"})
    run: Any = load_run(folder)
    expected = run.outputs('test').arrays['logits'][:3]
    images = first_images(3)
    np.testing.assert_allclose(run.model(run.trainer.task.inputs({'image': images})), expected, atol=1e-5)
    assert said[0].startswith('warning: the dataset is left out: ')
    assert 'no/such/folder' in said[0]
    with pytest.raises(UserError, match='no/such/folder'):
        _ = run.dataset
    with pytest.raises(UserError, match='no/such/folder'):
        run.batch('val')
    files.write_json(folder / 'dataset.json', {})
    with pytest.raises(UserError, match='no/such/folder'):
        _ = load_run(folder).model


@pytest.mark.parametrize(
    'replaced',
    [
        {'sharding.Jit.fsdp = 1': 'sharding.Jit.fsdp = 8'},
        {'trainer.Trainer.batch_size = %BATCH_SIZE': 'trainer.Trainer.batch_size = 7'},
        pytest.param({'sharding.Jit.data = 0': 'sharding.Jit.data = 16'}, marks=pytest.mark.slow),
        pytest.param(
            {'@sharding.Jit()': '@sharding.PMap()', 'sharding.Jit.data = 0': 'sharding.PMap.devices = 8'},
            marks=pytest.mark.slow,
        ),
    ],
    ids=['fsdp', 'batch', 'data', 'pmap'],
)
def test_a_run_of_other_devices(
    replaced: dict[str, str], copy: Callable[..., Path], run: Any, said: list[str]
) -> None:
    """It is loaded on one device, and says so."""
    other: Any = load_run(copy(**replaced))
    batch = run.batch('val', 4)
    expected = run.outputs('val').arrays['logits'][:4]
    np.testing.assert_allclose(other.model(run.trainer.task.inputs(batch)), expected, atol=1e-5)
    assert other.trainer.parallelism.mesh.size == 1
    assert any('Jit' in line and 'this has changed' in line for line in said)


def first_images(count: int) -> np.ndarray:
    from engine.datasets.load import load

    return load('digits/toy').split('test').arrays['image'][:count]


def test_a_task_need_not_have_a_model(run: Any, trained: Path) -> None:
    class Bound:
        def __getattr__(self, name: str) -> Any:
            if name == 'evaluation_model':
                raise AttributeError(name)
            return getattr(run.trainer.bound, name)

    other = load_run(trained)
    other.trainer.bound = Bound()  # type: ignore[assignment]
    with pytest.raises(
        UserError, match=r'^Bound has no evaluation_model\(state\), which returns a Flax model'
    ):
        _ = other.model
    assert outputs.is_outputs(trained / 'outputs/test')


def test_the_document_shows_what_works(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (REPOSITORY / 'docs/playground.md').read_text(encoding='utf-8')
    code = ''.join(block for language, block, _ in blocks(text) if language == 'python')
    assert code.count('workspace/runs/first') == 2
    names: dict[str, Any] = {}
    exec(code.replace('workspace/runs/first', str(trained)), names)
    assert capsys.readouterr().out.startswith('0.03 16\n')
    np.testing.assert_allclose(names['same_logits'], names['logits'], rtol=0, atol=1e-5)
    listed = re.findall(r'^\| `run\.(\w+)', text, re.MULTILINE)
    assert {*listed} == {name for name in dir(type(names['run'])) if not name.startswith('_')} - {
        'checkpoint'
    }
