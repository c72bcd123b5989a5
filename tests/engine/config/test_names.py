"""What a config can name and hold: a selector stays inside its package; anything else gets one message."""

import re
from pathlib import Path

import pytest

from engine.config.config import Config
from engine.errors import UserError
from tests.engine.config import parts

HEADER = 'from __gin__ import dynamic_registration\nfrom tests.engine.config import parts\n'


def config(tmp_path: Path, *lines: str, bindings: tuple[str, ...] = ()) -> Config:
    path = tmp_path / 'x.gin'
    path.write_text(HEADER + '\n'.join(lines) + '\n')
    return Config([path], bindings)


FOREIGN = {
    '@parts.subprocess.getoutput()': 'parts.subprocess is the module subprocess, which parts only imports. '
    'Add `import subprocess` and write subprocess.getoutput.',
    '@parts.nnx.Linear': 'parts.nnx is the module flax.nnx, which parts only imports. '
    'Add `from flax import nnx` and write nnx.Linear.',
    '@parts.jnp.linalg.norm': 'Add `from jax import numpy` and write numpy.linalg.norm.',
    '@parts.dataclasses.sys.exit()': 'parts.dataclasses is the module dataclasses',
    '@trainer.replay.saved_state()': 'trainer.replay is the module engine.training.replay',
    '@trainer.faults.os.system()': 'trainer.faults is the module engine.runs.faults',
    '@f2py.os.system()': 'f2py.os is the module os',
    '@tree_utils.functools.partial()': 'tree_utils.functools is the module functools',
}
IMPORTS = 'from engine.training import trainer\nfrom numpy import f2py\nfrom optax import tree_utils'


@pytest.mark.parametrize('value', FOREIGN)
def test_a_selector_does_not_pass_through_imports(value: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        config(tmp_path, IMPORTS, f'parts.Values.any = {value}')
    assert str(error.value).startswith(f'{tmp_path / "x.gin"}:6: ')
    assert FOREIGN[value] in str(error.value)


def test_nor_does_one_of_the_command_line(tmp_path: Path) -> None:
    for binding in (
        'parts.subprocess.getoutput.cmd = "ls"',
        'parts.Values.any = @parts.subprocess.getoutput()',
    ):
        with pytest.raises(UserError, match=r'which parts only imports\. Write subprocess.getoutput'):
            config(tmp_path, bindings=(binding,))
    path = '@engine.training.trainer.faults.point()'
    with pytest.raises(UserError, match=r'trainer only imports\. Write engine.runs.faults.point'):
        config(tmp_path, bindings=(f'parts.Values.any = {path}',))


@pytest.mark.parametrize(
    'value', ['@parts.Leaf.__init__', '@parts.Leaf.__class__', '@parts.__loader__.get_code()']
)
def test_a_selector_does_not_pass_through_what_is_pythons(value: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match='belongs to Python itself'):
        config(tmp_path, f'parts.Values.any = {value}')


REACHABLE = [
    ('from flax import nnx', '@nnx.relu'),  # a function of JAX that Flax publishes
    ('from flax import nnx', '@nnx.initializers.zeros_init()'),
    ('import flax', '@flax.nnx.bridge.ToNNX'),
    ('from flax.nnx import bridge', '@bridge.initializers.zeros'),
    ('import optax', '@optax.contrib.schedule_free_adamw'),
    ('import optax', '@optax.losses.squared_error'),
    ('import jax', '@jax.numpy.linalg.norm'),
    ('from jax import numpy as jnp', '@jnp.bfloat16'),
    ('import numpy as np', '@np.float32'),
    ('', '@parts.OrderedDict'),  # a class that a module imports
]


@pytest.mark.parametrize(('imported', 'value'), REACHABLE)
def test_what_a_package_publishes_can_be_named(imported: str, value: str, tmp_path: Path) -> None:
    read = config(tmp_path, imported, f'parts.Values.any = {value}')
    read.build(parts.Values)
    assert read.check() == []


@pytest.mark.parametrize('dtype', ['@jnp.bfloat16', '@np.float16', "'bfloat16'", "'float16'"])
def test_a_dtype_is_a_name_or_a_string(dtype: str, tmp_path: Path) -> None:
    import jax.numpy as jnp

    imports = 'from jax import numpy as jnp\nimport numpy as np'
    read = config(tmp_path, imports, f'parts.Values.dtype = {dtype}')
    assert jnp.zeros(2, read.build(parts.Values).dtype).dtype == jnp.dtype(re.sub(r'\W|jnp|np\b', '', dtype))
    read.save(tmp_path / 'config.gin')
    assert Config([tmp_path / 'config.gin']).build(parts.Values) == read.build(parts.Values)


REFUSED = {
    '@parts.Mode.EXACT': "Take the member's name as a string, one of 'FAST', 'EXACT', and write Mode[name]",
    '@parts.Mode': 'is an enumeration',
    '@parts.Mode()': 'is an enumeration',
    '@builtins.range()': 'builtins.range is a class of Python that a config cannot wrap',
    '@operator.itemgetter': 'operator.itemgetter is a class of Python that a config cannot wrap',
    '@builtins.bool': 'builtins.bool is a class of Python that a config cannot wrap',
    '@functools.partial()': 'functools.partial cannot be built',
    '@parts.by_position()': 'parts.by_position takes values by position alone',
    '@operator.itemgetter(1)': 'a call takes no arguments here',
    '@builtins.max': 'builtins.max does not tell its parameters',
    'lambda step: 0.1': 'a config holds no functions',
    '1e999': 'a config holds finite numbers alone',
    '-1e999': 'a config holds finite numbers alone',
    '[1.0, {"a": 1e999}]': 'a config holds finite numbers alone',
    "float('inf')": 'a config holds finite numbers alone',
    "-float('inf')": 'a config holds finite numbers alone',
    'inf': 'a config holds finite numbers alone',
    '-inf': 'a config holds finite numbers alone',
    'np.inf': 'a config holds finite numbers alone',
    'NaN': 'a config holds finite numbers alone',
    '1/250': 'a config does not compute. Write parts.Values.any = 0.004.',
    '2**10': 'a config does not compute. Write parts.Values.any = 1024.',
    '3 * 1e-2  # a rate': 'a config does not compute. Write parts.Values.any = 0.03.',
    '%RATE / 2': 'a config does not compute',
    '{1, 2}': 'a config holds no sets',
    'f"x"': 'a config computes no strings',
    '1, 2': 'a tuple has brackets. Write parts.Values.any = (1, 2).',
    '\u201ctext\u201d': 'these quotes are typographic',
    '[' * 1500 + ']' * 1500: 'nested',
    '%A\nA = %B\nB = %A': 'A is defined by itself: %A -> %B -> %A',
    '%A\nA = [1, %A]': 'A is defined by itself: %A -> %A',
    '%A\nA = 1\nB = %C\nC = %D\nD = {"x": %C}': 'C is defined by itself: %C -> %D -> %C',
    '1\nparts.Values.leaves = (@parts.Leaf,)': 'not (@parts.Leaf,): it is not called',
    '1\nparts.Values.leaves = @parts.Leaf()': 'not @parts.Leaf(): it makes Leaf',
    '1\nparts.Values.by_name = {"a": @parts.Pair()}': 'parts.Values.by_name takes dict[str, Leaf], not',
    '1\nparts.Values.schedule = @optax.constant_schedule': 'it is not called',
    '1\nparts.Values.number = @optax.constant_schedule()': 'parts.Values.number takes float',
    '1\nparts.Values.mode = "FAST"': 'parts.Values.mode takes Mode',
    '1\nparts.Values.point = (1.0, 2.0)': 'parts.Values.point takes Point | None, not (1.0, 2.0)',
    '@parts.Point()\nparts.Point.z = 1.0': "parts.Point has no parameter 'z'",
    '@parts.Point()': 'parts.Point needs a value for x: bind `parts.Point.x = ...`',
}


@pytest.mark.parametrize('value', REFUSED)
def test_what_a_config_cannot_hold_is_one_message(value: str, tmp_path: Path) -> None:
    imports = 'import builtins\nimport functools\nimport operator\nimport optax\nRATE = 1.0'
    with pytest.raises(UserError) as error:
        config(tmp_path, imports, f'parts.Values.any = {value}').build(parts.Values)
    message = str(error.value)
    assert REFUSED[value] in message
    assert re.match(rf'{tmp_path / "x.gin"}:\d+: ', message)
    assert 'Traceback' not in message
    assert ' object at 0x' not in message


IMPORT_MISTAKES = {
    'import gin': 'gin.singleton and %gin.REQUIRED need no import',
    'import gin as g': 'gin.singleton and %gin.REQUIRED need no import',
    'from __gin__ import anything': 'write `from __gin__ import dynamic_registration`',
    'from operator import itemgetter': 'Import that, and write operator.itemgetter',
    'from jax.numpy import float32': 'it is part of the module jax.numpy',
    'import optax as parts': 'the name parts is taken: it would mean tests.engine.config.parts and optax',
    'from __gin__ import dynamic_registration': 'move this line above the other imports',
}


@pytest.mark.parametrize('line', IMPORT_MISTAKES)
def test_mistakes_of_imports(line: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        config(tmp_path, line)
    assert str(error.value).startswith(f'{tmp_path / "x.gin"}:3: ')
    assert IMPORT_MISTAKES[line] in str(error.value)


UNKNOWN = {
    '@jnp.bfloat16': "'jnp' is not imported. Add `from jax import numpy as jnp`.",
    '@nnx.relu': "'nnx' is not imported. Add `from flax import nnx`.",
    '@Leaf': "'Leaf' needs its module: write parts.Leaf.",
    '@mlp.MLP': "'mlp' is not imported. Add `from research.models import mlp`.",
}


@pytest.mark.parametrize('value', UNKNOWN)
def test_a_module_that_is_not_imported(value: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(f'x.gin:3: {UNKNOWN[value]}')):
        config(tmp_path, f'parts.Values.any = {value}')


def test_a_name_of_two_modules_is_ambiguous_on_the_command_line_alone(tmp_path: Path) -> None:
    other = tmp_path / 'other.gin'
    other.write_text(HEADER.split('\n')[0] + '\nfrom tests.engine import tiny as parts\n')
    first = tmp_path / 'first.gin'
    first.write_text(HEADER + 'parts.Leaf.size = 1\n')
    assert Config([first, other]).build(parts.Leaf).size == 1
    with pytest.raises(UserError, match=r'parts means .*parts and .*tiny in these configs: write the'):
        Config([first, other], ['parts.Leaf.size = 2'])
    whole = 'tests.engine.config.parts.Leaf.size = 2'
    assert Config([first, other], [whole]).build(parts.Leaf).size == 2


def test_options_by_name(tmp_path: Path) -> None:
    read = config(tmp_path, 'parts.Values.any = @parts.Flexible()', 'parts.Flexible.anything = (1, 2)')
    assert read.build(parts.Values).any.options == {'anything': (1, 2)}
    assert read.check() == []
    assert 'parts.Flexible.anything = (1, 2)' in read.text()


def test_named_tuples(tmp_path: Path) -> None:
    read = config(tmp_path, 'parts.Values.point = @parts.Point()', 'parts.Point.x = 2.0')
    assert read.build(parts.Values).point == parts.Point(2.0)


def test_singletons(tmp_path: Path) -> None:
    lines = (
        'parts.Pair.first = @shared/gin.singleton()',
        'parts.Pair.second = @shared/gin.singleton()',
        'shared/gin.singleton.constructor = @parts.Leaf',
        'parts.Leaf.size = 3',
    )
    read = config(tmp_path, *lines)
    pair = read.build(parts.Pair)
    assert pair.first is pair.second
    assert pair.first.size == 3
    assert read.check() == []
    read.save(tmp_path / 'config.gin')
    again = Config([tmp_path / 'config.gin'])
    pair = again.build(parts.Pair)
    assert pair.first is pair.second
    assert pair.first.size == 3
    assert again.check() == []
