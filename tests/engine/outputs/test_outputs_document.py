"""docs/outputs.md: its examples work, its tables and schema are true to the code."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from engine import outputs
from engine.datasets.load import load
from engine.outputs import kind_folders
from engine.outputs.kind import INPUTS
from engine.workspace import REPOSITORY
from tests.conftest import Program

DOCUMENT = (REPOSITORY / 'docs/outputs.md').read_text(encoding='utf-8')
SCHEMA = json.loads((REPOSITORY / 'docs/outputs.schema.json').read_text(encoding='utf-8'))
*NUMPY, SCIKIT_LEARN, TORCH = re.findall(r'```python\n(.*?)```', DOCUMENT, re.DOTALL)


@pytest.fixture(scope='module')
def written(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> Path:
    """A folder in which the examples were run, by a Python that knows nothing of this repository."""
    folder = tmp_path_factory.mktemp('elsewhere')
    load('digits')
    (folder / 'workspace').symlink_to(workspace)
    subprocess.run([sys.executable, '-I', '-c', '\n'.join([*NUMPY, SCIKIT_LEARN])], cwd=folder, check=True)
    return folder / 'outputs'


WRITTEN = ('numpy', 'multilabel', 'embeddings', 'dense', 'masks', 'texts', 'tagging', 'sklearn')


@pytest.mark.parametrize('name', WRITTEN)
def test_what_the_examples_write_is_sound(written: Path, name: str, program: Program) -> None:
    jsonschema.validate(json.loads((written / name / 'manifest.json').read_text()), SCHEMA)
    code, out, err = program('check_outputs', str(written / name))
    assert (code, err) == (0, '')
    assert out.splitlines()[-1] == f'sound: {written / name}'


def test_they_are_evaluated(written: Path, program: Program, tmp_path: Path) -> None:
    code, out, _ = program('evaluate', str(written / 'sklearn'), f'--output={tmp_path}')
    assert code == 0
    metrics = json.loads((tmp_path / 'metrics.json').read_text())['metrics']
    assert 0.8 < metrics['accuracy']['value'] < 1
    assert 'accuracy' in out


def test_the_example_of_pytorch_is_python_and_calls_the_same_function() -> None:
    calls = [node for node in ast.walk(ast.parse(TORCH)) if isinstance(node, ast.Call)]
    (call,) = [call for call in calls if getattr(call.func, 'id', '') == 'save_outputs']
    kind, arrays = call.args[1], call.args[2]
    assert isinstance(kind, ast.Constant)
    assert isinstance(arrays, ast.Dict)
    names = {key.value for key in arrays.keys if isinstance(key, ast.Constant)}
    assert names == {'logits', 'labels'} <= kind_folders.declaration(str(kind.value)).arrays.keys()


def example(kind: str) -> dict[str, np.ndarray]:
    """Returns arrays of a kind: one of each group that it needs, and the truth."""
    known = kind_folders.declaration(kind)
    left_out = {name for group in known.needs for name in group[1:]}
    return {
        name: np.zeros(
            [int(axis) if axis.isdigit() else 2 * (axis not in known.lengths) for axis in field.axes.split()],
            field.dtype,
        )
        for name, field in known.arrays.items()
        if name not in left_out
    }


@pytest.mark.parametrize('kind', kind_folders.names())
def test_the_schema_takes_what_is_written(kind: str, tmp_path: Path) -> None:
    arrays = example(kind)
    meanings = dict.fromkeys(arrays, 'of the test')
    outputs.write(tmp_path / 'it', outputs.Manifest(kind), arrays, ['a', 'b'], meanings)
    jsonschema.validate(json.loads((tmp_path / 'it/manifest.json').read_text()), SCHEMA)


@pytest.mark.parametrize(
    'change',
    [
        {'format': 'else'},
        {'version': 2},
        {'kind': '../regression'},
        {'examples': 'two'},
        {'files': {}},
        {'arrays': {'values': {'file': '../x.npy', 'dtype': 'float32', 'shape': [2], 'meaning': ''}}},
        {'arrays': {'values': {'file': 'values.npy', 'dtype': 'object', 'shape': [2], 'meaning': ''}}},
        {
            'arrays': {
                'masks': {'file': '../masks/', 'dtype': 'uint8', 'shape': [2, None, None], 'meaning': ''}
            }
        },
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_schema_refuses_what_is_not(change: dict[str, Any], written: Path) -> None:
    manifest = json.loads((written / 'numpy/manifest.json').read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest | change, SCHEMA)


@pytest.mark.parametrize('kind', kind_folders.names())
def test_the_table_of_kinds_is_true(kind: str) -> None:
    (row,) = re.findall(rf'^\| `{kind}` \|.*$', DOCUMENT, re.MULTILINE)
    assert set(re.findall(r'`(\w+)`', row)) >= kind_folders.declaration(kind).arrays.keys() - INPUTS.keys()
    (shared,) = re.findall(r'^Any kind (?:.+\n)+', DOCUMENT, re.MULTILINE)
    assert (f'`{kind}`' in shared) == ('inputs' in kind_folders.declaration(kind).arrays)
    for name, field in kind_folders.declaration(kind).arrays.items():
        told = shared if name in INPUTS else row
        narrow_first = sorted(
            filter(None, (field.also, field.dtype)), key=lambda name: np.dtype(name).itemsize
        )
        dtypes = ' or '.join(narrow_first)  # the text adds float64
        assert f'{dtypes} [{", ".join(field.axes.split())}]' in told, name
    assert kind in SCHEMA['properties']['kind']['examples']


def test_the_schema_knows_every_dtype() -> None:
    known = SCHEMA['properties']['arrays']['additionalProperties']['properties']['dtype']['enum']
    fields = [
        field
        for kind in map(kind_folders.declaration, kind_folders.names())
        for field in kind.arrays.values()
    ]
    assert set(known) > {dtype for field in fields for dtype in field.dtypes}
    assert set(known) == {str(np.dtype(code)) for code in '?bhilBHILefd'}  # of additional arrays


def test_a_damaged_folder_is_named_by_the_check(written: Path, program: Program, tmp_path: Path) -> None:
    subprocess.run(['cp', '-r', written / 'numpy', tmp_path / 'damaged'], check=True)
    (tmp_path / 'damaged/ids.txt').write_text('another\n')
    code, _, err = program('check_outputs', str(tmp_path / 'damaged'))
    assert code == 2
    assert 'ids.txt is damaged' in err
