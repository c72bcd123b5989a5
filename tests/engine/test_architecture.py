"""docs/architecture.md: its picture shows the imports, and the functions that it names exist."""

import ast
import re
from pathlib import Path

import pytest

from docs import draw_architecture
from engine.workspace import REPOSITORY
from tests import test_imports

DOCUMENT = (REPOSITORY / 'docs/architecture.md').read_text(encoding='utf-8')
NAMED = re.findall(r'`(engine/[\w/]+\.py)`, `([\w.]+)`', DOCUMENT)


def ids(picture: Path) -> set[str]:
    """Returns the rooms and the imports that a picture shows."""
    return set(re.findall(r'id="((?:room|import):(?!yours)[\w:]+)"', picture.read_text(encoding='utf-8')))


def imports_between_rooms() -> set[tuple[str, str]]:
    pairs = {
        (test_imports.room(module), test_imports.room(imported))
        for module in test_imports.IMPORTS
        if module.startswith('engine.')
        for imported in test_imports.internal(module)
    }
    return {(source, target) for source, target in pairs if source != target}


def test_the_picture_shows_the_imports(tmp_path: Path) -> None:
    draw_architecture.main(tmp_path / 'drawn.svg')
    assert ids(draw_architecture.PICTURE) == ids(tmp_path / 'drawn.svg'), (
        'run python -m docs.draw_architecture'
    )


def test_every_import_is_an_arrow_or_a_chain_of_arrows() -> None:
    drawn = draw_architecture.drawn_graph()
    for source, target in imports_between_rooms():
        assert target in draw_architecture.FOUNDATION_BOXES or target in draw_architecture.reachable(
            drawn, source
        )
    arrows = {(source, target) for source, targets in drawn.items() for target in targets}
    assert arrows <= imports_between_rooms()


@pytest.mark.parametrize(
    'name', [name for name in draw_architecture.import_graph() if name in test_imports.WITHOUT_FRAMEWORKS]
)
def test_rooms_without_jax_are_drawn_so(name: str) -> None:
    assert not draw_architecture.needs_jax(name)


def defined(path: str) -> set[str]:
    """Returns the functions and classes of a file, and the methods as `Class.method`."""
    names = set()
    for node in ast.parse((REPOSITORY / path).read_text(encoding='utf-8')).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {
                f'{node.name}.{method.name}' for method in node.body if isinstance(method, ast.FunctionDef)
            }
    return names


def test_the_trips_name_many_functions() -> None:
    assert len(NAMED) >= 30


@pytest.mark.parametrize(('path', 'name'), NAMED, ids=lambda part: part)
def test_a_function_that_a_trip_names_exists(path: str, name: str) -> None:
    assert name in defined(path)
