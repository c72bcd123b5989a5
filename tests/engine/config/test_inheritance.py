"""A binding of a class holds for the classes that derive from it."""

import re
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.config import Config
from engine.errors import UserError
from engine.parts import augmentation
from engine.run_reader import settings
from engine.training.trainer import Trainer
from engine.workspace import REPOSITORY
from tests.conftest import HAS_EXAMPLES
from tests.engine.config import families
from tests.engine.random_cases import random_cases

HEADER = 'from __gin__ import dynamic_registration\nfrom tests.engine.config import families as t\n'


@pytest.fixture
def build(tmp_path: Path) -> Any:
    """Builds `Root` from lines of a config, the first of which is line 3: build(line) -> (items, config)."""

    def from_lines(*lines: str, bindings: Sequence[str] = ()) -> tuple[Any, Config]:
        path = tmp_path / 'family.gin'
        path.write_text('\n'.join([HEADER + lines[0], *lines[1:], '']), encoding='utf-8')
        config = Config([path], bindings)
        return config.build(families.Root).items, config

    return from_lines


def sizes(items: Any) -> Any:
    """Returns the sizes of nested objects."""
    if isinstance(items, dict):
        return {name: sizes(item) for name, item in items.items()}
    if isinstance(items, families.Record) and items.inner:
        return sizes(items.inner)
    return type(items)(map(sizes, items)) if isinstance(items, list | tuple) else items.size


# Lines of a config, and the sizes of what it builds.
FAMILIES = {
    'a child': (['items = @t.Child()', 't.Base.size = 2'], 2),
    'a grandchild': (['items = @t.Grandchild()', 't.Base.size = 2'], 2),
    'its own': (['items = @t.Child()', 't.Base.size = 2', 't.Child.size = 6'], 6),
    'the nearest': (['items = @t.Grandchild()', 't.Base.size = 2', 't.Child.size = 6'], 6),
    'the first of two bases': (['items = @t.Grandchild()', 't.Other.size = 2', 't.Child.size = 6'], 6),
    'the second of two bases': (['items = @t.Grandchild()', 't.Other.size = 2', 't.Base.size = 6'], 2),
    'no sibling': (['items = [@t.Child(), @t.Other()]', 't.Child.size = 6'], [6, 1]),
    'no base': (['items = [@t.Child(), @t.Base()]', 't.Child.size = 6'], [6, 1]),
    'the base too': (['items = [@t.Child(), @t.Base()]', 't.Base.size = 6'], [6, 6]),
    'nested': (
        ["items = {'a': (@t.Child(), [@t.Grandchild()]), 'b': @t.Base()}", 't.Base.size = 2'],
        {'a': (2, [2]), 'b': 2},
    ),
    'a dataclass': (['items = @t.LongerRecord()', 't.Record.size = 2'], 2),
    'a function': (['items = (@t.make(), @t.Child())', 't.Base.size = 2'], (7, 2)),
    'a macro': (['items = @t.Child()', 't.Base.size = %SIZE', 'SIZE = 8'], 8),
    'through a macro': (['items = %MODEL', 't.Base.size = 2', 'MODEL = @t.Grandchild()'], 2),
    'a scope': (['items = [@a/t.Child(), @t.Child()]', 'a/t.Base.size = 2'], [2, 1]),
    'an inner scope': (['items = @a/b/t.Child()', 'a/t.Base.size = 2'], 2),
    'own in an outer scope': (['items = @a/t.Child()', 'a/t.Base.size = 2', 't.Child.size = 6'], 2),
    'own in an inner scope': (['items = @a/t.Child()', 'a/t.Child.size = 6', 't.Base.size = 2'], 6),
    'within the scope of another': (
        ['items = @a/t.Record()', 't.Record.inner = @t.Child()', 'a/t.Base.size = 8', 't.Base.size = 2'],
        8,
    ),
    'a singleton': (
        ['items = @x/gin.singleton()', 'x/gin.singleton.constructor = @t.Child', 't.Base.size = 2'],
        2,
    ),
}


@pytest.mark.parametrize('case', FAMILIES)
def test_who_inherits_what(case: str, build: Any, tmp_path: Path) -> None:
    (first, *lines), expected = FAMILIES[case]
    items, config = build(f't.Root.{first}', *lines)
    assert sizes(items) == expected
    text = config.text()
    config.save(tmp_path / 'config.gin')
    again = Config([tmp_path / 'config.gin'])
    assert sizes(again.build(families.Root).items) == expected
    assert again.text() == text == (tmp_path / 'config.gin').read_text()
    assert again.check() == []


def test_each_value_is_explained(build: Any) -> None:
    items, config = build('t.Root.items = @t.Grandchild()', "t.Base.name = 'x'", 't.Other.size = 2')
    assert vars(items) == {'size': 2, 'name': 'x', 'pick': None}
    assert config.check() == []
    explained = re.sub(r' +# \S*family.gin', ' #', config.explain())
    assert explained.splitlines() == [
        "t.Grandchild.name = 'x' #:4 (inherited from t.Base)",
        't.Grandchild.size = 2 #:5 (inherited from t.Other)',
        't.Root.items = @t.Grandchild() #:3',
    ]


def test_the_command_line_wins_among_the_bindings_of_a_class(build: Any) -> None:
    items, config = build('t.Root.items = @t.Child()', 't.Base.size = 2', bindings=['t.Base.size = 9'])
    assert items.size == 9
    assert re.search(
        r"t.Child.size = 9 +# --gin_bindings 't.Base.size = 9' \(inherited from t.Base\)", config.explain()
    )


SMALL, LARGE = families.SmallNet, families.LargeNet
# Lines of a config whose classes hold others of their kind, and what it builds.
NESTED = {
    'directly': (['@t.Net()', 't.Net.inner = @t.SmallNet()'], families.Net(SMALL())),
    'a factory': (
        ['@t.Net()', 't.Net.inner = [@a/t.SmallNet()]', 'a/t.Net.size = 2'],
        families.Net([SMALL(size=2)]),
    ),
    'a sibling': (
        ['@t.LargeNet()', 't.Net.inner = @t.SmallNet()', 't.Net.size = 3'],
        LARGE(SMALL(size=3), 3),
    ),
    'through another class': (
        ['@t.Net()', 't.Net.inner = @t.Record()', 't.Record.inner = @t.SmallNet()', 't.Net.size = 3'],
        families.Net(families.Record(inner=SMALL(size=3)), 3),
    ),
    'through a macro': (['@t.Net()', 't.Net.inner = %PART', 'PART = @t.SmallNet()'], families.Net(SMALL())),
    'through each other': (
        ['@t.Net()', 't.Net.inner = @t.SmallNet()', 't.SmallNet.inner = @t.LargeNet()'],
        families.Net(SMALL(LARGE())),
    ),
    'ended by a scope': (
        ['@t.LargeNet()', 't.Net.inner = @teacher/t.LargeNet()', 'teacher/t.LargeNet.inner = None'],
        LARGE(LARGE()),
    ),
    'ended by a scope of the base': (
        ['@t.LargeNet()', 't.Net.inner = @teacher/t.SmallNet()', 'teacher/t.Net.inner = None'],
        LARGE(SMALL()),
    ),
}


@pytest.mark.parametrize('case', NESTED)
def test_a_class_does_not_inherit_what_builds_it_again(case: str, build: Any, tmp_path: Path) -> None:
    (first, *lines), expected = NESTED[case]
    items, config = build(f't.Root.items = {first}', *lines)
    assert items == expected
    assert config.check() == []
    text = config.text()
    config.save(tmp_path / 'config.gin')
    again = Config([tmp_path / 'config.gin'])
    assert again.build(families.Root).items == expected
    assert again.text() == text


def test_a_class_that_would_build_itself_says_so(build: Any) -> None:
    _, config = build('t.Root.items = @t.SmallNet()', 't.Net.inner = @t.SmallNet()')
    with pytest.raises(
        UserError, match=r't.SmallNet does not inherit what builds t.SmallNet again. Bind t.Small'
    ):
        config.check()


# Bindings of a base that reach nothing, and what the message says.
UNUSED = {
    'its own wins': (
        ['t.Root.items = @t.Child()', 't.Base.size = 9', 't.Child.size = 2'],
        r'family.gin:4: t.Base.size is not used: t.Child.size, at \S+:5, wins over it. Change',
    ),
    'a nearer one wins': (
        ['t.Root.items = @t.Grandchild()', 't.Base.size = 9', 't.Other.size = 2'],
        r'family.gin:4: t.Base.size is not used: t.Other.size, at \S+:5, wins over it. Change',
    ),
    'an inner scope wins': (
        ['t.Root.items = @a/t.Child()', 't.Base.size = 9', 'a/t.Base.size = 2'],
        r'family.gin:4: t.Base.size is not used: a/t.Base.size, at \S+:5, wins over it. Change',
    ),
    'the constructor does not take it': (
        ['t.Root.items = @t.Narrow()', "t.Base.name = 'x'"],
        r"t.Base.name is not used: t.Narrow derives from t.Base, but its constructor takes no 'name'. "
        r"Remove the binding, or let t.Narrow take 'name' and pass it on",
    ),
    'the caller gives it': (
        ['t.Root.items = @t.Caller()', 't.Caller.factory = @t.Child', 't.Base.size = 3'],
        r"t.Base.size is not used: the code that calls t.Child passes 'size' itself",
    ),
    'nothing derives from it': (
        ['t.Root.items = @t.Record()', 't.Base.size = 3'],
        r't.Base.size is not used: nothing in this config builds t.Base',
    ),
    'a function': (
        ['t.Root.items = @t.make()', 't.Base.size = 3'],
        r't.Base.size is not used: nothing in this config builds t.Base',
    ),
    'another scope': (
        ['t.Root.items = [@t.Child(), @a/t.Record()]', 'a/t.Base.size = 3'],
        r"a/t.Base.size is not used: t.Child is not built in the scope 'a'. .* refer to @a/t.Child",
    ),
}


@pytest.mark.parametrize('case', UNUSED)
def test_a_binding_of_a_base_that_reaches_nothing(case: str, build: Any) -> None:
    lines, message = UNUSED[case]
    _, config = build(*lines)
    with pytest.raises(UserError, match=message):
        config.check()


def test_an_included_binding_that_no_heir_takes_is_noted(build: Any, tmp_path: Path) -> None:
    (tmp_path / 'parent.gin').write_text(f"{HEADER}t.Base.name = 'x'\nt.Base.size = 2\n", encoding='utf-8')
    (tmp_path / 'child.gin').write_text(f"include 'parent.gin'\n{HEADER}t.Root.items = @t.Narrow()\n")
    config = Config([tmp_path / 'child.gin'])
    assert config.build(families.Root).items.size == 2
    (note,) = config.check()
    assert note.endswith("let t.Narrow take 'name' and pass it on.")
    assert ':3: t.Base.name is not used: t.Narrow derives from t.Base, but its constructor takes no' in note


def test_the_own_binding_of_a_file_wins_over_the_command_line(build: Any) -> None:
    _, config = build('t.Root.items = @t.Child()', 't.Child.size = 2', bindings=['t.Base.size = 9'])
    with pytest.raises(
        UserError, match=r"^--gin_bindings 't.Base.size = 9': t.Base.size is not used: t.Child"
    ):
        config.check()


def test_a_value_that_does_not_fit_the_heir(build: Any) -> None:
    message = (
        r'family.gin:4: t.Narrow.size, inherited from t.Base, takes int, not None: .* Bind t.Narrow.size'
    )
    with pytest.raises(UserError, match=message):
        build('t.Root.items = @t.Narrow()', 't.Base.size = None')
    assert build('t.Root.items = @t.Narrow()', 't.Base.size = None', 't.Narrow.size = 2')[0].size == 2


def test_an_heir_that_refuses_what_it_inherits(build: Any) -> None:
    with pytest.raises(UserError) as failure:
        build('t.Root.items = @t.Fixed()', "t.Base.name = 'x'", 't.Base.size = 2')
    message = str(failure.value)
    assert message.startswith('tests/engine/config/families.py:')
    assert "multiple values for keyword argument 'size'" in message
    assert re.search(r't.Fixed.size is inherited from t.Base \(\S+:5\)$', message)
    assert build('t.Root.items = @t.Fixed()', "t.Base.name = 'x'")[0].name == 'x'


def test_a_default_value_is_not_inherited(build: Any, tmp_path: Path) -> None:
    """`Base.pick` is None by default; `Narrow.pick` is a function, which no config can state."""
    items, config = build('t.Root.items = [@t.Base(), @t.Narrow()]', 't.Base.size = 2')
    assert 't.Base.pick' not in config.text()
    assert "t.Base.name = 'base'" in config.text()  # `Narrow` does not take it
    config.save(tmp_path / 'config.gin')
    base, narrow = Config([tmp_path / 'config.gin']).build(families.Root).items
    assert (base.pick, narrow.pick, narrow.size) == (None, families.unwritable, 2)
    assert items[1].pick is families.unwritable


# The experiments of the template.

needs_examples = pytest.mark.skipif(not HAS_EXAMPLES, reason='needs the examples, which this project dropped')
CHILD = """
include '{repository}/configs/digits_cnn.gin'
from __gin__ import dynamic_registration
from engine.training import trainer
from tests.engine.config import families
trainer.Trainer.task = @families.Weighted()
"""
TASK = 'trainer.Trainer.task = @tests.engine.config.families.Weighted()'
MODEL = 'classification.Classification.model = @tests.engine.config.families.WideNet'
TOY = "trainer.Trainer.dataset = 'digits/toy'"


def saved(path: Path, *bindings: str) -> tuple[Trainer, dict[str, str]]:
    """Builds and checks an experiment, and returns it with the settings of its saved config."""
    config = Config([path], [*bindings, TOY])
    trainer = config.build(Trainer)
    with config.explained():
        trainer.check()
    assert config.check() == []
    config.save(path.parent / 'config.gin')
    return trainer, dict(settings.parse((path.parent / 'config.gin').read_text()).values)


@needs_examples
@pytest.mark.parametrize('form', ['a file', 'the command line'])
def test_an_experiment_with_a_task_of_its_own(form: str, tmp_path: Path) -> None:
    path = tmp_path / 'child.gin'
    child = CHILD.format(repository=REPOSITORY)
    path.write_text(child if form == 'a file' else child.splitlines()[1] + '\n')
    trainer, values = saved(path, *[TASK] * (form != 'a file'))
    task: Any = trainer.task
    assert type(task) is families.Weighted
    assert task.augment == augmentation.Shift(1)
    of_task = {name.rpartition('.')[2]: value for name, value in values.items() if '.Weighted.' in name}
    assert of_task['augment'] == '@augmentation.Shift()'
    assert of_task['model'] == '@convnet.ConvNet'
    assert not any('Classification' in name for name in values)
    text = (tmp_path / 'config.gin').read_text()
    again, _ = saved(path.with_name('config.gin'))
    names = ('augment', 'mix', 'label_smoothing', 'weight', 'ema_decay')
    assert [getattr(again.task, name) for name in names] == [getattr(task, name) for name in names]
    assert (tmp_path / 'config.gin').read_text() == text


@needs_examples
def test_an_experiment_with_a_model_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / 'child.gin'
    path.write_text(CHILD.format(repository=REPOSITORY).splitlines()[1] + '\n')
    plain, _ = saved(path)
    derived, values = saved(path, MODEL)
    assert {name.rpartition('.')[2]: value for name, value in values.items() if '.WideNet.' in name} == {
        'width': '32',
        'dropout': '0.2',
        'stages': '2',
    }
    assert derived.step_functions.state_shapes == plain.step_functions.state_shapes


@needs_examples
def test_an_abstract_base_binds_all_tasks(config_file: Any) -> None:
    binding = 'engine.parts.supervised.Supervised.ema_decay = 0.5'
    trainer, values = saved(config_file(), binding)
    assert trainer.task.ema_decay == 0.5  # type: ignore[attr-defined]
    assert values['classification.Classification.ema_decay'] == '0.5'
    message = r"^--gin_bindings '.*ema_decay = 1.5': Classification.ema_decay = 1.5: it must be at least 0"
    with pytest.raises(UserError, match=message):
        saved(config_file(), binding.replace('0.5', '1.5'))


@needs_examples
def test_a_dry_run_shows_what_is_inherited(program: Any, tmp_path: Path) -> None:
    path = tmp_path / 'child.gin'
    path.write_text(CHILD.format(repository=REPOSITORY))
    code, out, err = program('train', f'--gin_file={path}', TOY, '--dry_run')
    assert (code, err) == (0, '')
    assert re.search(
        r'families.Weighted.augment = @augmentation.Shift\(\) +'
        r'# \S*digits_cnn.gin:\d+ \(inherited from classification.Classification\)\n',
        out,
    )
    assert 'note: ' not in out


# Random families, beside a slow and obvious rule.

PARAMETERS = ('p', 'q', 'r')
numbers = count()


@st.composite
def modules(draw: st.DrawFn) -> tuple[str, int]:
    """Returns the source of classes C0, C1, ... that derive from earlier ones, and their number."""
    amount = draw(st.integers(2, 6))
    lines = ['def unwritable(): pass']
    for index in range(amount):
        earlier = draw(st.sets(st.integers(0, index - 1), max_size=2)) if index else set()
        names = ', '.join(f'C{base}' for base in sorted(earlier, reverse=True))
        lines.append(f'class C{index}({names}):')
        if index and earlier and draw(st.integers(0, 2)) == 0:
            lines.append('    pass')
            continue
        taken = draw(st.sets(st.sampled_from(PARAMETERS)))
        defaults = [f'{name}={draw(st.sampled_from([str(index), "unwritable"]))}' for name in sorted(taken)]
        takes_more = draw(st.booleans())
        arguments = ', '.join(['self', *defaults, *['**more'] * takes_more])
        lines.append(f'    def __init__({arguments}):')
        lines.append('        self.values = {k: v for k, v in locals().items() if k not in ("self", "more")}')
        lines += ['        self.values |= more'] * takes_more
    lines.append('class Root:\n    def __init__(self, items): self.items = items')
    return '\n'.join(lines), amount


def module_of(source: str) -> ModuleType:
    """Returns a new module with a source."""
    module = ModuleType(f'family_{next(numbers)}')
    module.__spec__ = ModuleSpec(module.__name__, None)
    exec(source, vars(module))
    sys.modules[module.__name__] = module
    return module


def rule(target: type, scope: str, bound: dict[tuple[str, str, str], int]) -> dict[str, int]:
    """Returns what a class is given: of outer scopes first, of far bases first; the last one counts."""
    given = {}
    scopes = scope.split('/') if scope else []
    for length in range(len(scopes) + 1):
        for base in reversed(target.__mro__):
            for parameter in PARAMETERS:
                key = ('/'.join(scopes[:length]), base.__name__, parameter)
                if key in bound and takes(target, parameter):
                    given[parameter] = bound[key]
    return given


def takes(target: Any, parameter: str) -> bool:
    if target.__init__ is object.__init__:
        return False
    code = target.__init__.__code__
    return parameter in code.co_varnames[: code.co_argcount] or 'more' in code.co_varnames


def defaults(target: Any) -> dict[str, Any]:
    if target.__init__ is object.__init__:
        return {}
    code, values = target.__init__.__code__, target.__init__.__defaults__ or ()
    return dict(zip(code.co_varnames[1 : code.co_argcount], values, strict=True))


SCOPES = ('', '', 'a', 'a/b')


@random_cases(40)
@given(data=st.data())
def test_random_families(data: st.DataObject, tmp_path: Path) -> None:
    source, amount = data.draw(modules())
    module = module_of(source)
    classes = [getattr(module, f'C{index}') for index in range(amount)]
    m, bound = module.__name__, dict[tuple[str, str, str], int]()
    lines: list[str] = []
    for value in range(100, 100 + data.draw(st.integers(1, 6))):
        target = data.draw(st.sampled_from(classes))
        parameter = data.draw(st.sampled_from(PARAMETERS))
        key = (data.draw(st.sampled_from(SCOPES)), target.__name__, parameter)
        if key not in bound and takes(target, parameter):
            bound[key] = value
            lines.append(f'{key[0]}{"/" * bool(key[0])}{m}.{target.__name__}.{parameter} = {value}')
    built = data.draw(st.lists(st.tuples(st.sampled_from(classes), st.sampled_from(SCOPES)), min_size=1))
    references = ', '.join(f'@{scope}{"/" * bool(scope)}{m}.{target.__name__}()' for target, scope in built)
    half = data.draw(st.integers(0, len(lines)))
    path = tmp_path / 'random.gin'
    head = f'from __gin__ import dynamic_registration\nimport {m}\n{m}.Root.items = [{references}]'
    path.write_text('\n'.join([head, *lines[:half], '']))
    config = Config([path], lines[half:])
    expected = [defaults(target) | rule(target, scope, bound) for target, scope in built]
    check(config, module, expected)
    explained = config.explain()
    config.save(tmp_path / 'config.gin')
    again = Config([tmp_path / 'config.gin'])
    check(again, module, expected)
    assert again.text() == (tmp_path / 'config.gin').read_text()
    for value in bound.values():  # used, or said to be unused
        is_given = any(value in given.values() for given in expected)
        assert is_given == bool(re.search(rf'= {value} ', explained))


def check(config: Config, module: Any, expected: list[dict[str, Any]]) -> None:
    items = config.build(module.Root).items
    assert [getattr(item, 'values', {}) for item in items] == expected
