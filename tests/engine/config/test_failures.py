"""An error in the user's own code ends at their line; another names the statement that led to it."""

import re
from pathlib import Path
from typing import Any

import pytest

PARTS = 'tests/engine/config/parts.py'
SOURCE = (Path(__file__).parent / 'parts.py').read_text(encoding='utf-8').splitlines()


@pytest.fixture
def dry_run(program: Any, config_file: Any) -> Any:
    """Tries a config with other lines: dry_run(model='@parts.Model') -> the one message of the mistake."""

    def run(*lines: str, code: int = 2, **values: str) -> str:
        indent = {name: '' if name.isupper() else '  ' for name in values}
        replaced = {name: f'{indent[name]}{name} = {value}' for name, value in values.items()}
        path = config_file(*lines, **replaced)
        text = path.read_text().replace('import optax', 'import optax\nfrom tests.engine.config import parts')
        if 'model' in values:
            text = text.replace('mlp.MLP.width = 16', '').replace('mlp.MLP.dropout = 0.1', '')
        if 'task' in values:
            text = text.replace('classification.Classification:', f'{values["task"][1:-2]}:')
        path.write_text(text.replace('RATE = 0.03', '') if 'learning_rate' in values else text)
        ended, out, err = program('train', f'--gin_file={path}', '--dry_run')
        assert ended == code, out + err
        assert 'Traceback' not in out + err
        assert err.count('error: ') == (code != 0)
        return err.removeprefix('error: ')

    return run


OWN = {
    'model = @parts.WithoutRngs': (
        'self.linear = nnx.Linear(64, outputs)  # type: ignore[call-arg]',
        "TypeError: Linear.__init__() missing 1 required keyword-only argument: 'rngs'",
    ),
    'model = @parts.WrongKey': ("self.width = {'narrow': 1}['wide']", "KeyError: 'wide'"),
    'model = @parts.WrongAttribute': (
        'return self.liner(x)  # type: ignore[attr-defined]',
        "AttributeError: 'WrongAttribute' object has no attribute 'liner'",
    ),
    'model = @parts.WrongShape': (
        'return self.linear(x.astype(float)[:, :3])',
        'TypeError: dot_general requires contracting dimensions to have the same shape',
    ),
    'model = @parts.Exiting': ('sys.exit()', 'SystemExit'),
    'model = @parts.Recursive': (
        'self.inner = Recursive(input_shape, outputs, rngs=rngs)',
        'RecursionError: maximum recursion depth exceeded',
    ),
    'optimizer = @parts.failing_optimizer': (
        "raise RuntimeError('no such optimizer')",
        'RuntimeError: no such optimizer',
    ),
    'learning_rate = @parts.failing_schedule': ("return step['step']", 'TypeError: '),
    'task = @parts.WrongTask()': (
        "raise TypeError('f() missing 1 required positional argument')",
        'TypeError: f()',
    ),
}


@pytest.mark.parametrize('binding', OWN)
def test_an_error_in_own_code_ends_at_its_line(binding: str, dry_run: Any) -> None:
    line, reason = OWN[binding]
    name, _, value = binding.partition(' = ')
    message = dry_run(**{name: value})
    number = SOURCE.index(next(source for source in SOURCE if source.strip() == line)) + 1
    assert message.startswith(f'{PARTS}:{number}, in ')
    assert reason in message.splitlines()[0]
    assert message.splitlines()[1].strip() == line
    assert 'needs a value' not in message
    assert len(message.splitlines()) <= 8


def test_a_parameter_passed_on_to_a_library(dry_run: Any) -> None:
    assert dry_run('parts.Model.use_bias = False', model='@parts.Model', code=0) == ''
    message = dry_run('parts.Model.use_bais = False', model='@parts.Model')
    assert re.match(rf'{PARTS}:\d+, in Model.__init__: TypeError: .*use_bais', message)


def statement(message: str) -> str:
    """Returns the line of the config that a message names first."""
    place = re.match(r'(\S+\.gin):(\d+): ', message)
    assert place, message
    return Path(place[1]).read_text().splitlines()[int(place[2]) - 1].strip()


def test_a_parameter_that_only_the_config_can_give(dry_run: Any) -> None:
    message = dry_run(model='@parts.MissingArgument')
    assert statement(message) == 'model = @parts.MissingArgument'
    assert 'needs a value for width: bind `parts.MissingArgument.width = ...` in your config.\n' in message


def test_arguments_that_a_model_does_not_take(dry_run: Any) -> None:
    message = dry_run(model='@parts.WrongArguments')
    assert statement(message) == 'model = @parts.WrongArguments'
    assert re.search(rf'does not take what the call at engine/\S+:\d+ gives it: .*\({PARTS}:\d+\)', message)


def test_a_configurable_that_is_built_from_itself(dry_run: Any) -> None:
    augment = 'classification.Classification.augment = @parts.Nested()'
    message = dry_run('parts.Nested.inner = @parts.Nested()', augment)
    assert statement(message) == 'parts.Nested.inner = @parts.Nested()'
    assert 'parts.Nested is built from itself: parts.Nested -> parts.Nested' in message


@pytest.mark.parametrize('name', ['constant_schedule', 'linear_schedule', 'piecewise_constant_schedule'])
def test_a_schedule_that_is_not_called(name: str, dry_run: Any) -> None:
    message = dry_run(learning_rate=f'@optax.{name}')
    assert statement(message) == f'learning_rate = @optax.{name}'
    assert message.endswith(f'not @optax.{name}: it is not called.\n')


def test_a_schedule_without_annotations_that_is_not_called(dry_run: Any) -> None:
    message = dry_run(learning_rate='@parts.untyped_schedule')
    assert statement(message) == 'learning_rate = @parts.untyped_schedule'
    assert 'untyped_schedule gives a function where a rate is wanted' in message


def test_an_optimizer_that_takes_values_by_position(dry_run: Any) -> None:
    message = dry_run(optimizer='@optax.chain')
    assert statement(message) == 'optimizer = @optax.chain'
    assert 'optax.chain takes values by position alone' in message


MODULES = {
    'raise ValueError("no luck")': 'cannot be imported: {path}:1, in <module>: ValueError: no luck',
    'import nowhere': "needs 'nowhere', which is not installed",
    'def f(:': 'cannot be imported: {path}:1: SyntaxError',
    'from dataclasses import nothing': 'cannot be imported: {path}:1, in <module>: ImportError',
}


@pytest.mark.parametrize('index', range(len(MODULES)))
def test_a_module_that_cannot_be_imported(
    index: int, dry_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, expected = list(MODULES.items())[index]
    module = tmp_path / f'broken_{index}.py'
    module.write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    message = dry_run(f'import broken_{index}')
    assert statement(message) == f'import broken_{index}'
    assert expected.format(path=module) in message


def test_a_mistake_that_a_check_finds_names_its_statement(dry_run: Any) -> None:
    assert statement(dry_run(STEPS='0')) == 'STEPS = 0'
    assert statement(dry_run(save_every='-1')) == 'save_every = -1'
    best = "trainer.Trainer.best = ('los', 'min')"
    assert statement(dry_run(best)) == best


@pytest.mark.slow
def test_an_observer_that_fails_ends_at_its_line(program: Any, config_file: Any, tmp_path: Path) -> None:
    observers = 'trainer.Trainer.observers = [@parts.FailingObserver()]'
    path = config_file('from tests.engine.config import parts', observers, STEPS='STEPS = 1')
    code, _, err = program('train', f'--gin_file={path}', f'--run={tmp_path / "run"}')
    assert code == 1
    assert re.search(rf"{PARTS}:\d+, in FailingObserver.on_steps: KeyError: 'nothing'\n", err)
    assert err.splitlines()[-1].strip() == "metrics['nothing']"
    assert 'Traceback' not in err


RANGES = {'ema_decay': '1.0', 'label_smoothing': '-0.1', 'grad_clip_norm': '-1.0', 'accumulation_steps': '0'}


@pytest.mark.parametrize('name', RANGES)
def test_a_number_out_of_its_range(name: str, dry_run: Any) -> None:
    line = f'classification.Classification.{name} = {RANGES[name]}'
    message = dry_run(line)
    assert statement(message) == line
    assert f'Classification.{name} = {RANGES[name]}: it must be at least ' in message


def test_a_batch_larger_than_the_memory(dry_run: Any) -> None:
    message = dry_run(BATCH_SIZE='10000000000')
    assert statement(message) == 'BATCH_SIZE = 10000000000'
    assert 'GiB of memory. train of digits/toy has 30 examples. Lower the batch size.' in message


def test_a_batch_larger_than_the_data(program: Any, config_file: Any) -> None:
    code, out, err = program('train', f'--gin_file={config_file()}', 'BATCH_SIZE=32', '--dry_run')
    assert code == 0
    warning = 'Trainer.batch_size = 32: a batch holds examples several times, for train has 30. Lower it.'
    assert warning in out + err


def test_more_steps_than_devices_count(dry_run: Any) -> None:
    assert 'Trainer.steps = 2147483648: it must be below 2147483648.' in dry_run(STEPS='2147483648')
    assert dry_run(STEPS='2147483647', code=0) == ''
