"""Every mistake in a config ends in one message: what is wrong, where, the nearest valid name, what to do."""

import dataclasses
from pathlib import Path
from typing import Any

import optax
import pytest
from flax import nnx

from engine.config.config import Config
from engine.errors import UserError
from engine.training.trainer import Trainer
from engine.workspace import REPOSITORY
from research.models.mlp import MLP

IN_FILE = {
    'unknown parameter': (
        'trainer.Trainer.bach_size = 3',
        [":26: trainer.Trainer has no parameter 'bach_size'", "'batch_size'"],
    ),
    'unknown configurable': ('mlp.MPL.width = 3', [":26: mlp has no 'MPL'", "'MLP'"]),
    'unknown symbol': (
        'convnet.ConvNet.width = 3',
        [":26: 'convnet' is not imported", 'from research.models import convnet'],
    ),
    'unknown module': (
        'from research.models import convnt',
        [":26: there is no module 'research.models.convnt'", "'convnet'"],
    ),
    'unknown package': (
        'from reserch.models import mlp',
        ["there is no module 'reserch.models.mlp'", 'reserch'],
    ),
    'unknown reference': (
        'trainer.Trainer.predict = @classification.Clasification',
        [":26: classification has no 'Clasification'", "'Classification'"],
    ),
    'macro misspelt where used': (
        'trainer.Trainer.steps_per_dispatch = %STEP',
        [':26: %STEP is not defined', "'STEPS'"],
    ),
    'macro misspelt where set': ('LEARNING_RAET = 1', [':26: LEARNING_RAET is not used', 'LEARNING_RAET']),
    'unknown scope': (
        'wide/mlp.MLP.width = 3',
        [":26: wide/mlp.MLP.width is not used: no reference has the scope 'wide'"],
    ),
    'bound twice': ('mlp.MLP.width = 3', [':26: mlp.MLP.width is bound twice, first at ', ':23: remove one']),
    'bound twice, a macro': ('RATE = 3', [':26: RATE is bound twice, first at ']),
    'nothing built uses it': (
        'optax.sgd.momentum = 0.9',
        [':26: optax.sgd.momentum is not used: nothing in this config builds optax.sgd'],
    ),
    'the caller overrides it': (
        'mlp.MLP.outputs = 3',
        [":26: mlp.MLP.outputs is not used: the code that calls mlp.MLP passes 'outputs' itself"],
    ),
    'float for an integer': (
        'mlp.MLP.depth = 1e3',
        [':26: mlp.MLP.depth takes int, not 1000.0', 'write 1000'],
    ),
    'string for a number': (
        "classification.Classification.label_smoothing = '0.1'",
        [":26: classification.Classification.label_smoothing takes float, not '0.1'", 'write 0.1'],
    ),
    'bool for a number': ('mlp.MLP.depth = True', ['mlp.MLP.depth takes int, not True']),
    'wrong literal': (
        "trainer.Trainer.best = ('loss', 'low')",
        [":26: trainer.Trainer.best takes tuple[str, Literal['min', 'max']] | None", 'low'],
    ),
    'number for a factory': (
        'classification.Classification.augment = 3',
        [':26: classification.Classification.augment takes', 'not 3'],
    ),
    'not called': (
        'trainer.Trainer.parallelism = @sharding.Jit\nfrom engine import sharding',
        ["'sharding' is not imported"],
    ),
    'name without @': (
        'classification.Classification.augment = none',
        [':26: classification.Classification.augment = none', '@none for a class or function'],
    ),
    'call without @': ('trainer.Trainer.parallelism = Jit()', [':26: ', '@Jit() for a class or function']),
    'bad syntax': ('mlp.MLP.depth == 3', [':26: mlp.MLP.depth == 3', 'write mlp.MLP.depth = 3.']),
    'no sense': ('mlp.MLP.depth = = 3', [':26: mlp.MLP.depth = = 3', 'cannot be read']),
    'open bracket': ("trainer.Trainer.predict = ('val',", ['cannot be read']),
    'capital forgotten': ('optax.adamw.nesterov = true', [':26: ', 'Write True, or']),
    'missing include': ("include 'bse.gin'", [':26: includes come first']),
    'no class or function': ('optax.losses.x = 3', ['optax.losses is neither a class nor a function']),
}


def build(*files: Path, bindings: tuple[str, ...] = ()) -> tuple[Trainer, Config]:
    config = Config(files, bindings)
    trainer = config.build(Trainer)
    with config.explained():
        trainer.check()
    return trainer, config


@pytest.mark.parametrize('mistake', IN_FILE)
def test_mistakes_in_a_file(mistake: str, program: Any, config_file: Any) -> None:
    line, expected = IN_FILE[mistake]
    code, out, err = program('train', f'--gin_file={config_file(line)}', '--dry_run')
    assert code == 2, out + err
    assert err.startswith('error: ')
    assert 'Traceback' not in out + err
    for part in expected:
        assert part in err


def test_wrong_type_behind_a_macro_names_both_places(config_file: Any) -> None:
    with pytest.raises(
        UserError,
        match=r'base.gin:\d+: trainer.Trainer.steps takes int, not 1000.0 \(defined at .*:9\): .*write 1000',
    ):
        build(config_file(STEPS='STEPS = 1e3'))


def test_factory_where_an_instance_is_wanted(config_file: Any) -> None:
    with pytest.raises(
        UserError, match=r'Trainer.task takes Task, not @classification.Classification: it is not called'
    ):
        build(config_file(task='  task = @classification.Classification'))


def test_instance_where_a_factory_is_wanted(config_file: Any) -> None:
    message = r'Classification.model takes .* not @mlp.MLP\(\): it is called where a factory is wanted'
    with pytest.raises(UserError, match=message):
        build(config_file(model='  model = @mlp.MLP()'))


def test_a_value_that_a_function_refuses(config_file: Any, program: Any) -> None:
    rate = '  learning_rate = @optax.cosine_decay_schedule()'
    bindings = ('optax.cosine_decay_schedule.init_value = 1.0', 'optax.cosine_decay_schedule.decay_steps = 0')
    path = config_file(*bindings, learning_rate=rate, RATE='')
    code, out, err = program('train', f'--gin_file={path}', '--dry_run')
    assert code == 2, out
    assert 'optax.cosine_decay_schedule cannot be built: ' in err
    assert 'Traceback' not in out + err


def test_an_empty_config(tmp_path: Path) -> None:
    (tmp_path / 'empty.gin').write_text('')
    with pytest.raises(UserError, match=r'these configs bind no parameter of trainer.Trainer'):
        build(tmp_path / 'empty.gin')


def test_a_config_without_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(UserError, match=r"no such file. Did you mean 'configs/digits_cnn.gin'"):
        Config(['digits_cnn.gin'])


def test_a_module_of_a_package_misspelt(config_file: Any) -> None:
    with pytest.raises(UserError, match=r"research.models has no 'mpl'. Did you mean 'mlp'"):
        build(config_file(), bindings=('classification.Classification.model = @research.models.mpl.MLP',))


def test_instance_of_another_class(config_file: Any) -> None:
    with pytest.raises(
        UserError, match=r'Trainer.parallelism takes Parallelism, not @classification.Classification\(\)'
    ):
        build(config_file('trainer.Trainer.parallelism = @classification.Classification()'))


def test_missing_required_macro(config_file: Any) -> None:
    with pytest.raises(UserError, match=r'base.gin:\d+: STEPS must be given'):
        build(config_file(STEPS=''))


def test_missing_value(config_file: Any) -> None:
    with pytest.raises(
        UserError,
        match=r'classification.Classification needs a value for learning_rate: bind `classification.Cl',
    ):
        build(config_file(learning_rate='', RATE=''))


def test_missing_file(config_file: Any, program: Any) -> None:
    path = config_file()
    code, _, err = program('train', f'--gin_file={path.with_name("smal.gin")}')
    assert code == 2
    assert "no such file. Did you mean 'small.gin'?" in err


def test_an_include_is_relative_to_its_file(tmp_path: Path) -> None:
    child = tmp_path / 'child.gin'
    (tmp_path / 'parent.gin').write_text('')
    child.write_text("include 'parnt.gin'\n")
    with pytest.raises(
        UserError, match=r"child.gin:1: include 'parnt.gin': no such file. Did you mean 'parent.gin'"
    ):
        Config([child])


def test_circular_include(tmp_path: Path) -> None:
    (tmp_path / 'a.gin').write_text("include 'b.gin'\n")
    (tmp_path / 'b.gin').write_text("include 'a.gin'\n")
    with pytest.raises(
        UserError, match=r'b.gin:1: .*a.gin includes itself: .*a.gin -> .*b.gin -> .*a.gin. Remove'
    ):
        Config([tmp_path / 'a.gin'])


BINDINGS = {
    'STEPS = 1e3': ['takes int, not 1000.0', 'write 1000'],
    'STEPS == 3': ["--gin_bindings: 'STEPS == 3'", "In a shell: --gin_bindings='STEPS = 3'"],
    'RATE = 3/4': ['a config does not compute', "In a shell: --gin_bindings='RATE = 0.75'"],
    'trainer.Trainer.dataset = digits': ['In a shell: --gin_bindings=\'trainer.Trainer.dataset = "digits"\''],
    'STEPZ = 3': ['STEPZ is not used', "'STEPS'"],
    'mlp.MLP.widht = 3': ["mlp.MLP has no parameter 'widht'", "'width'"],
    'include "x.gin"': ['not a binding'],
    'STEPS': ['cannot be read'],
}


@pytest.mark.parametrize('binding', BINDINGS)
def test_mistakes_on_the_command_line(binding: str, program: Any, config_file: Any) -> None:
    code, out, err = program('train', f'--gin_file={config_file()}', f'--gin_bindings={binding}', '--dry_run')
    assert code == 2, out + err
    assert 'Traceback' not in out + err
    assert '--gin_bindings' in err
    for part in BINDINGS[binding]:
        assert part in err


def test_the_shell_quoted_form_works(program: Any, config_file: Any) -> None:
    import re
    import shlex

    _, _, err = program(
        'train', f'--gin_file={config_file()}', '--gin_bindings=trainer.Trainer.dataset = digits', '--dry_run'
    )
    quoted = re.search(r'In a shell: (.*)', err)
    assert quoted
    trainer, _ = build(config_file(), bindings=tuple(a.split('=', 1)[1] for a in shlex.split(quoted[1])))
    assert trainer.dataset == 'digits'


def test_bindings_win_and_name_anything_importable(config_file: Any) -> None:
    bindings = (
        'classification.Classification.model = @research.models.convnet.ConvNet',
        'research.models.convnet.ConvNet.width = 4',
        'classification.Classification.optimizer = @optax.sgd',
    )
    trainer, config = build(config_file(), bindings=bindings)
    notes = config.check()
    assert 'ConvNet.width = 4' in config.text()
    assert trainer.task.optimizer(0.1).init({}) == optax.sgd(0.1).init({})  # type: ignore[attr-defined]
    # What only the replaced model used is a note, for the command line cannot take lines out of a file.
    assert [note.split(' is not used')[0].split(': ')[1] for note in notes] == [
        'mlp.MLP.width',
        'mlp.MLP.dropout',
    ]


def test_a_child_may_replace_what_its_parent_builds(config_file: Any, tmp_path: Path) -> None:
    config_file()
    child = tmp_path / 'child.gin'
    child.write_text(
        "include 'small.gin'\nfrom __gin__ import dynamic_registration\n"
        'from research.models import convnet\nfrom engine.parts import classification\n'
        'classification.Classification.model = @convnet.ConvNet\nconvnet.ConvNet.width = 4\n'
    )
    _, config = build(child)
    assert len(config.check()) == 2
    with_later_file = build(config_file(), child)[1]
    assert with_later_file.check()


def test_saved_config_parses_back_to_itself(config_file: Any, tmp_path: Path) -> None:
    trainer, config = build(config_file())
    config.save(tmp_path / 'config.gin')
    again, config = build(tmp_path / 'config.gin')
    assert config.text() == (tmp_path / 'config.gin').read_text()
    assert config.check() == []
    same = {name: getattr(trainer, name) for name in ('task', 'parallelism', 'observers')}
    assert dataclasses.replace(again, **same) == trainer


def linear(input_shape: tuple[int, ...], outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
    """Makes a model that leaves no parameter to Gin."""
    return MLP(input_shape, outputs, depth=0, rngs=rngs)


def test_a_model_without_parameters_of_its_own_can_be_saved(config_file: Any, tmp_path: Path) -> None:
    model = 'classification.Classification.model = @tests.engine.config.test_config.linear'
    config = build(config_file(), bindings=(model,))[1]
    config.save(tmp_path / 'config.gin')
    assert build(tmp_path / 'config.gin')[1].text() == config.text()


def test_every_value_is_explained(config_file: Any) -> None:
    path = config_file()
    explained = build(path, bindings=('SEED = 7',))[1].explain().splitlines()
    assert any(
        line.startswith('SEED = 7') and line.endswith("# --gin_bindings 'SEED = 7'") for line in explained
    )
    assert any(line.startswith('mlp.MLP.width = 16') and line.endswith('small.gin:23') for line in explained)
    assert any(line.startswith('mlp.MLP.depth = 2') and line.endswith('# default') for line in explained)


def test_scopes(tmp_path: Path) -> None:
    path = tmp_path / 'scopes.gin'
    path.write_text(
        'from __gin__ import dynamic_registration\nfrom tests.engine.config import test_config\n'
        'test_config.Pair.first = @a/test_config.Leaf()\ntest_config.Pair.second = @test_config.Leaf()\n'
        'test_config.Leaf.size = 1\na/test_config.Leaf.size = 2\n'
    )
    config = Config([path])
    pair = config.build(Pair)
    assert (pair.first.size, pair.second.size) == (2, 1)
    assert config.check() == []
    assert '# ' + str(path) + ':6' in config.explain()


@dataclasses.dataclass(frozen=True)
class Leaf:
    size: int = 0


@dataclasses.dataclass(frozen=True)
class Pair:
    first: Leaf
    second: Leaf
