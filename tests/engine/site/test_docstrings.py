"""Docstrings in the reference: parameters with those of the bases, and text that is not Markdown."""

from pathlib import Path

import griffe
import pytest

from docs.generator.docstrings import Docstrings, as_markdown, parameters

SOURCE = '''
from dataclasses import dataclass

@dataclass(kw_only=True)
class Base:
    """What all have.

    Args:
      first: where it
        begins.
      second: how far.
    """
    first: int
    second: float = 0.5

@dataclass(kw_only=True)
class Derived(Base):
    """More than that.

    >>> Derived(first=1)

    Attributes:
      third: what else.
      second: another meaning.

    Raises:
      ValueError: never.
    """
    third: str = 'x'

@dataclass(kw_only=True)
class Silent(Base):
    """Nothing of its own."""

class Plain(Base):
    """Takes something else.

    Args:
      only: this.
    """
    def __init__(self, only: int):
        self.only = only
'''


@pytest.fixture(scope='module')
def package(tmp_path_factory: pytest.TempPathFactory) -> griffe.Module:
    folder: Path = tmp_path_factory.mktemp('source')
    (folder / 'sample.py').write_text(SOURCE)
    extensions = griffe.load_extensions(Docstrings)
    module = griffe.load('sample', search_paths=[folder], extensions=extensions, allow_inspection=False)
    assert isinstance(module, griffe.Module)
    return module


def docstring(package: griffe.Module, name: str) -> str:
    found = package[name].docstring
    assert found
    return found.value


def test_inherited_parameters_come_first_and_own_meanings_win(package: griffe.Module) -> None:
    text = docstring(package, 'Derived')
    assert parameters(text) == {
        'first': '  first: where it\n    begins.\n',
        'second': '  second: another meaning.\n',
        'third': '  third: what else.\n',
    }
    assert text.startswith('More than that.\n\n```pycon\n>>> Derived(first=1)\n```\n\nArgs:\n  first:')
    assert text.endswith('\n\nRaises:\n  ValueError: never.')


def test_a_class_without_parameters_of_its_own_lists_those_of_its_base(package: griffe.Module) -> None:
    assert list(parameters(docstring(package, 'Silent'))) == ['first', 'second']


def test_a_class_with_other_parameters_does_not_list_those_of_its_base(package: griffe.Module) -> None:
    assert list(parameters(docstring(package, 'Plain'))) == ['only']


def test_the_base_is_left_as_it_is(package: griffe.Module) -> None:
    assert list(parameters(docstring(package, 'Base'))) == ['first', 'second']


@pytest.mark.parametrize('indent', ['  ', '    '])
def test_entries_have_any_indent(indent: str) -> None:
    lines = [
        'Counts.',
        '',
        'Args:',
        f'{indent}start (int): where.',
        f'{indent}step: how',
        f'{indent * 2}far.',
    ]
    assert parameters('\n'.join([*lines, '', 'Returns:', f'{indent}them: all.'])) == {
        'start': '  start (int): where.\n',
        'step': f'  step: how\n  {indent}far.\n',
    }


def test_a_docstring_without_parameters_has_none() -> None:
    assert parameters('Counts.') == {}


@pytest.mark.parametrize(
    ('docstring', 'shown'),
    [
        ("Calls (input, method='__call__').", "Calls (input, method='\\_\\_call\\_\\_')."),
        ('Named `a_b` and a_b.', 'Named `a_b` and a\\_b.'),
        ("Called '<set>/<metric>', if n < 3.", "Called '&lt;set>/&lt;metric>', if n &lt; 3."),
        ('From a `code that\nends_here` and_not there.', 'From a `code that\nends_here` and\\_not there.'),
        ('See https://example.org/a_b_c for x_y.', 'See https://example.org/a_b_c for x\\_y.'),
        ('A formula:\n\n    a**b * c_d < e\n\nwith a*b.', 'A formula:\n\n    a**b * c_d < e\n\nwith a\\*b.'),
        ('Sum.\n\n>>> a_b < 2 * 3\nTrue\n\nA_b.', 'Sum.\n\n```pycon\n>>> a_b < 2 * 3\nTrue\n```\n\nA\\_b.'),
        ('X.\n\nArgs:\n  y: z.\n\n>>> a_b\n1', 'X.\n\nArgs:\n  y: z.\n\n```pycon\n>>> a_b\n1\n```'),
        ('X.\n\nArgs:\n  a_b: of c_d,\n    more_of it.', 'X.\n\nArgs:\n  a_b: of c\\_d,\n    more\\_of it.'),
        ('X.\n\nArgs:\n  **more_of: them.', 'X.\n\nArgs:\n  **more_of: them.'),
        ('X.\n\nArgs:\n  a_b (int | None): of c_d.', 'X.\n\nArgs:\n  a_b (int | None): of c\\_d.'),
        ('Returns:\n  f32 [B, <n>].', 'Returns:\n  f32 [B, &lt;n>].'),
    ],
)
def test_only_code_is_left_as_it_is(docstring: str, shown: str) -> None:
    assert as_markdown(docstring) == shown
