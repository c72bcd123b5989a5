"""Whatever stands in an outputs folder, evaluation and comparison end well: with 0, or a message and 2.

Longer by hand: FUZZ=3000 scripts/test.sh -n 2 tests/engine/evaluation/test_fuzz.py
"""

import contextlib
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.commands import command_line, compare, evaluate
from engine.outputs import kind_folders
from engine.render import escape
from engine.render.escape import CONTROL
from tests.engine import sample_outputs
from tests.engine.random_cases import random_cases

NUMBERS = st.integers() | st.sampled_from([-1, 0, 10**30, 2**63, 10**400]) | st.floats()
TEXTS = st.text(st.characters(codec=None)) | st.sampled_from(
    ['../x.npy', '/dev/zero', '$x', '\x1b[31m', 'a\0']
)
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=5)
BYTES = st.binary(max_size=20) | st.sampled_from([b'\n', b'\0', b'\xff', b'\r\n', b'(', b"'", b'9' * 30])
KINDS = st.sampled_from(sorted(kind_folders.names()))
# Takes a third of the time.
ONLY_PNG = "--gin_bindings=engine.evaluation.evaluator.Evaluator.figure_formats = ('png',)"
FLOATS = st.floats(width=32) | st.sampled_from([0.0, 0.5, 1.0, -1.0, 3.4e38, -3.4e38, 1e-45])


@contextlib.contextmanager
def folder_of(kind: str, **more: Any) -> Iterator[Path]:
    """Writes outputs beside sound ones, in a folder that lives as long as the block."""
    with tempfile.TemporaryDirectory() as name:
        sample_outputs.write(Path(name) / 'sound', kind)
        yield sample_outputs.write(Path(name) / 'it', kind, 1, **more)


def judge(folder: Path) -> None:
    """Evaluates outputs; compares them with sound ones, and with themselves."""
    twin = shutil.copytree(folder, folder.parent / 'twin')
    code = ended(evaluate, str(folder), f'--output={folder.parent / "found"}', ONLY_PNG)
    if code == 0:
        strictly((folder.parent / 'found/metrics.json').read_text(encoding='utf-8'))
    ended(compare, str(folder), str(folder.parent / 'sound'), '--resamples=100', '--format=latex')
    ended(compare, str(folder), str(twin), '--resamples=100', '--intersect', '--format=csv')
    ended(compare, str(folder), str(folder.parent / 'sound'), '--resamples=100', '--format=html')


def ended(program: Any, *arguments: str) -> int:
    """Runs a program; what it says does no harm to a terminal."""
    said, argv = io.StringIO(), sys.argv
    sys.argv = ['it', *arguments]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            command_line.run(program.main, program.parser())
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = argv
    assert code in (0, 2), said.getvalue()
    assert code == 0 or said.getvalue().startswith('error: ')
    assert escape.printable(said.getvalue()) == said.getvalue()
    return code


def strictly(text: str) -> Any:
    """Reads JSON that has no NaN in it."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f'{name} is not JSON'))


# Manifests.


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yields every container in JSON with each of its keys."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def replace(draw: st.DataObject, container: Any, key: Any) -> None:
    container[key] = draw.draw(VALUES)


def drop(draw: st.DataObject, container: Any, key: Any) -> None:
    del container[key]


def add(draw: st.DataObject, container: Any, key: Any) -> None:
    if isinstance(container, list):
        container.insert(key, draw.draw(VALUES))
    else:
        container[draw.draw(TEXTS)] = draw.draw(st.just(container[key]) | VALUES)


EDITS: list[Callable[[st.DataObject, Any, Any], None]] = [replace, drop, add]


@random_cases(25)
@given(KINDS, st.data())
def test_edited_manifests(kind: str, draw: st.DataObject) -> None:
    with folder_of(kind) as folder:
        path = folder / 'manifest.json'
        manifest = json.loads(path.read_text())
        for _ in range(draw.draw(st.integers(1, 3))):
            container, key = draw.draw(st.sampled_from(list(places(manifest))))
            draw.draw(st.sampled_from(EDITS))(draw, container, key)
        path.write_text(json.dumps(manifest))
        judge(folder)


# Files.


@random_cases(25)
@given(KINDS, st.data())
def test_edited_files(kind: str, draw: st.DataObject) -> None:
    with folder_of(kind) as folder:
        path = draw.draw(st.sampled_from(sorted(path for path in folder.iterdir() if path.is_file())))
        content = path.read_bytes()
        for _ in range(draw.draw(st.integers(1, 3))):
            start = draw.draw(st.integers(0, min(len(content), 140)) | st.integers(0, len(content)))
            end = start + draw.draw(st.integers(0, 4) | st.integers(0, len(content)))
            content = content[:start] + draw.draw(BYTES) + content[end:]
        path.write_bytes(content)
        if path.name != 'manifest.json':
            sample_outputs.seal(folder)
        judge(folder)


# Arrays.


@st.composite
def some_arrays(draw: st.DrawFn, kind: str) -> tuple[int, int, dict[str, np.ndarray]]:
    """Draws the number of examples, that of classes, and arrays of these, of any values."""
    lengths = {name: draw(st.integers(0, 5)) for name in (*'dmtrhw', 'ih', 'iw', 'ic')}
    lengths |= {'n': draw(st.integers(1, 6)), 'c': draw(st.integers(0, 4))}
    lengths |= {'classes': draw(st.integers(2, 4)), 'l': draw(st.integers(0, 5))}
    drawn, declared = {}, kind_folders.declaration(kind)
    for axis, name in declared.lengths.items():
        shape = tuple(lengths[each] for each in declared.arrays[name].axes.split())
        drawn[name] = draw(arrays(declared.arrays[name].dtype, shape, elements=st.integers(0, 4)))
        lengths[axis] = int(drawn[name].sum())
    for name, field in declared.arrays.items():
        if name in drawn:
            continue
        shape = tuple(int(axis) if axis.isdigit() else lengths[axis] for axis in field.axes.split())
        values: Any = {'float32': FLOATS, 'float64': st.floats(), 'bool': st.booleans()}.get(field.dtype)
        if values is None:
            values = st.integers(0, np.iinfo(field.dtype).max)
        if field.below:
            values = st.integers(-1 if field.padded else 0, max(0, lengths[field.below] - 1))
        drawn[name] = draw(arrays(field.dtype, shape, elements=values))
    left_out = {name for group in declared.needs for name in set(group) - {draw(st.sampled_from(group))}}
    return lengths['n'], lengths['classes'], {name: drawn[name] for name in drawn.keys() - left_out}


@random_cases(25)
@given(KINDS, st.data())
def test_any_arrays(kind: str, draw: st.DataObject) -> None:
    examples, classes, drawn = draw.draw(some_arrays(kind))
    names = [f'class {index}' for index in range(classes)] if draw.draw(st.booleans()) else []
    ids = [f'example {index}' for index in range(examples)]
    with folder_of(kind, arrays=drawn, ids=ids, class_names=names) as folder:
        judge(folder)


# Names.

NAMES = st.text(st.characters(exclude_categories=['Cs', 'Cc', 'Zl', 'Zp']), min_size=1, max_size=300)
IDS = NAMES.filter(lambda text: not CONTROL.search(text))  # marks of direction, which nobody sees


@random_cases(25)
@given(KINDS, st.data())
def test_any_names(kind: str, draw: st.DataObject) -> None:
    texts = NAMES if draw.draw(st.booleans()) else TEXTS
    ids = draw.draw(st.lists(IDS, min_size=8, max_size=8, unique=True))
    more: dict[str, Any] = {key: draw.draw(texts) for key in ('project', 'run', 'dataset', 'split')}
    if 'classes' in ' '.join(
        field.axes + field.below for field in kind_folders.declaration(kind).arrays.values()
    ):
        more['class_names'] = draw.draw(st.lists(texts, min_size=3, max_size=3))
    with folder_of(kind, ids=ids) as folder:
        path = folder / 'manifest.json'
        path.write_text(json.dumps(json.loads(path.read_text()) | more))
        judge(folder)
