"""Outputs made to do harm: refused or escaped, without a traceback, by the programs that meet them."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import outputs
from engine.errors import UserError
from engine.workspace import REPOSITORY
from tests.conftest import Program
from tests.engine import sample_outputs
from tests.engine.sample_runs import write_run

HEADER = "{'descr': '<i4', 'fortran_order': False, 'shape': (8,), }"
# As many brackets as a header may have signs, and then many more.
DEEP = '(' * 9000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return sample_outputs.write(tmp_path / 'it', 'classification')


def refusal(program: Program, folder: Path) -> str:
    """Returns the message of evaluation; comparison refuses too."""
    for name in ('compare', 'evaluate'):
        code, out, err = program(name, str(folder))
        assert (code, out) == (2, '')
        assert err.startswith('error: ')
        assert 'Traceback' not in err
        assert len(err) < 1000
        assert err.removesuffix('\n').isprintable()
    return err


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / 'manifest.json').read_text())
    change(manifest)
    (folder / 'manifest.json').write_text(json.dumps(manifest))


def write_header(
    folder: Path, header: bytes, version: bytes = b'\x01\x00', length: int | None = None
) -> None:
    """Writes labels.npy with a header of one's own, and 8 labels."""
    size = (len(header) if length is None else length).to_bytes(2 if version[0] == 1 else 4, 'little')
    content = b'\x93NUMPY' + version + size + header + bytes(32)
    (folder / 'labels.npy').write_bytes(content)
    sample_outputs.seal(folder)


def test_classes_that_share_a_name_are_refused(folder: Path, program: Program) -> None:
    edit(folder, lambda manifest: manifest.update(class_names=['crane', 'cat', 'crane']))
    assert "calls the classes 0 and 2 'crane'. Give each class a name" in refusal(program, folder)


# Headers of arrays.


@pytest.mark.parametrize(
    ('header', 'more'),
    [
        (HEADER.replace('8', '10**9'), {}),
        (HEADER.replace('8', '9' * 30), {}),
        (HEADER.replace('8', '4611686018427387904, 4'), {}),
        (HEADER.replace('8', '-8'), {}),
        (HEADER.replace('8', 'True'), {}),
        (HEADER.replace('8', '8' * 5000), {}),
        (HEADER.replace('(8,)', DEEP), {}),
        (HEADER.replace('(8,)', '[' * 150 + ']' * 150), {}),
        (HEADER.replace('(8,)', '-' * 9000 + '8'), {}),
        (HEADER.replace('(8,)', "__import__('os')._exit(1)"), {}),
        (HEADER.replace("'<i4'", "'O'"), {}),
        (HEADER.replace("'<i4'", "[('a', '<i4')]"), {}),
        (HEADER.replace("'<i4'", "('<i4', (1000000000, 1000000000))"), {}),
        (HEADER.replace("'<i4'", "'>i4'"), {}),
        (HEADER.replace("'<i4'", "'i999999999999'"), {}),
        (HEADER.replace('(8,)', '(8L,)'), {}),
        (HEADER + ' ' * 20_000, {}),
        (HEADER + ' ' * 10_000_000, {'version': b'\x02\x00'}),
        (HEADER, {'version': b'\x02\x00', 'length': 2**32 - 1}),
        (HEADER, {'version': b'\x09\x00'}),
        ('', {}),
        ('\udcff\x00\x02', {}),
    ],
    ids=lambda value: str(value)[:60].encode('ascii', 'replace').decode().replace('\0', ''),
)
def test_headers(program: Program, folder: Path, header: str, more: dict[str, Any]) -> None:
    write_header(folder, header.encode('utf-8', 'surrogateescape'), **more)
    message = refusal(program, folder)
    assert 'labels.npy' in message or "'labels'" in message


def test_the_order_in_memory_changes_nothing(folder: Path) -> None:
    logits = np.array(outputs.read(folder).arrays['logits'])
    np.save(folder / 'logits.npy', np.asfortranarray(logits))
    sample_outputs.seal(folder)
    np.testing.assert_array_equal(outputs.read(folder).arrays['logits'], logits)


# Files that are none.


@pytest.mark.parametrize('name', ['manifest.json', 'ids.txt', 'logits.npy', 'predictions.csv'])
@pytest.mark.parametrize(
    'put',
    [os.mkfifo, lambda path: path.symlink_to('/dev/zero'), lambda path: path.mkdir()],
    ids=['a pipe that nobody fills', 'a device without end', 'a folder'],
)
def test_what_is_no_file_is_not_read(
    program: Program, folder: Path, name: str, put: Callable[[Path], object]
) -> None:
    (folder / name).unlink()
    put(folder / name)
    assert name in refusal(program, folder)


@pytest.mark.parametrize('name', ['config.gin', 'status.json', 'logs/train.jsonl', 'logs/val.jsonl'])
def test_logs_that_are_no_files_are_not_read(program: Program, tmp_path: Path, name: str) -> None:
    run = write_run(tmp_path / 'run')
    (run / name).unlink()
    os.mkfifo(run / name)
    code, out, _ = program('logs', str(run))
    assert (code, f'{Path(name).name} is not a file' in out) == (0, True)


def test_a_folder_that_leads_elsewhere(program: Program, folder: Path) -> None:
    """A file in a folder of the outputs that is a link."""
    (folder.parent / 'elsewhere').mkdir()
    (folder.parent / 'elsewhere/secret').write_text('secret')
    (folder / 'images').symlink_to(folder.parent / 'elsewhere')
    edit(folder, lambda manifest: manifest['files'].update({'images/secret': {'bytes': 6, 'sha256': ''}}))
    assert 'images/secret is a link' in refusal(program, folder)


# Manifests.


@pytest.mark.parametrize(
    'change',
    [
        {'examples': 10**30},
        {'examples': True},
        {'examples': -1},
        {'version': 10**4000},
        {'step': 1.5},
        {'kind': 'x' * 10**6},
        {'kind': '\x1b[31m'},
        {'dataset': '\x1b]0;title\x07'},
        {'split': 'a\nb'},
        {'run': '\x9b31m'},
        {'project': '\u202egnp.exe'},
        {'class_names': ['a', 'b', 'c\0']},
        {'class_names': ['a', 'b', '\ud800']},
        {'details': {'extractor': ['a']}},
        {'details': {'\x1b': 'a'}},
        {'arrays': {'\x1b[31m': 3}},
        {'arrays': {'\x1b[31m': {'file': 'ids.txt', 'dtype': '\x1b', 'shape': [], 'meaning': ''}}},
        {'files': {'\x1b[31m': {'bytes': 1, 'sha256': ''}}},
        {'files': {'a' * 5000: {'bytes': 1, 'sha256': ''}}},
        {'files': {'\ud800': {'bytes': 1, 'sha256': ''}}},
    ],
    ids=lambda change: ascii(change)[:50],
)
def test_manifests(program: Program, folder: Path, change: dict[str, Any]) -> None:
    edit(folder, lambda manifest: manifest.update(change))
    refusal(program, folder)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('"examples": 8', '"examples": 8, "examples": 9', "the key 'examples' occurs twice"),
        ('"step": null', '"step": NaN', 'NaN is not a number'),
        ('"step": null', '"step": -Infinity', 'Infinity is not a number'),
        ('"step": null', f'"step": {"9" * 5000}', 'not JSON'),
        ('"step": null', f'"step": {"[" * 100_000}', 'not JSON'),
    ],
)
def test_json_that_readers_take_differently(
    program: Program, folder: Path, old: str, new: str, message: str
) -> None:
    path = folder / 'manifest.json'
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert message in refusal(program, folder)


def test_a_manifest_of_100_megabytes(program: Program, folder: Path) -> None:
    edit(folder, lambda manifest: manifest.update(step='x' * 10**8))
    assert "as 'step', which has the wrong type" in refusal(program, folder)


@pytest.mark.parametrize('name', ['a\x1b[31m', 'a\x9b', 'a\u202eb', 'a\x00', 'a\u2028b'])
def test_ids(program: Program, folder: Path, name: str) -> None:
    ids = [name, *map(str, range(7))]
    (folder / 'ids.txt').write_text(''.join(f'{each}\n' for each in ids), encoding='utf-8')
    sample_outputs.seal(folder)
    assert 'is not an id' in refusal(program, folder)


def test_such_names_are_not_written_either(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='holds control characters'):
        sample_outputs.write(tmp_path / 'it', 'classification', class_names=['a', 'b', '\x1b[31m'])


# Names that mean something elsewhere.

NASTY = (
    '<script>alert(1)</script>',
    '=HYPERLINK("http://x")',
    r'\input{/etc/passwd} $\frac{1',
    '[a](javascript:b)',
)


@pytest.fixture
def nasty(tmp_path: Path) -> Path:
    arrays = sample_outputs.arrays('classification')
    logits = np.concatenate([arrays['logits'], arrays['logits'][:, :1]], axis=1)
    more = {'class_names': NASTY, 'ids': [*NASTY, '猫', 'x' * 5000, '*b*', '-1e-05']}
    more |= dict(zip(('project', 'run', 'dataset', 'split'), NASTY, strict=True))
    return sample_outputs.write(tmp_path / 'it', 'classification', arrays=arrays | {'logits': logits}, **more)


def test_evaluations_hold_no_formula_and_no_markup(program: Program, nasty: Path) -> None:
    assert program('evaluate', str(nasty))[0] == 0
    for path in (nasty / 'evaluation').glob('*.csv'):
        for row in csv.reader(io.StringIO(path.read_text())):
            assert not [cell for cell in row if cell.startswith(('=', '+', '@'))]
    with (nasty / 'evaluation/per_example.csv').open(newline='') as file:
        ids = {row['id'] for row in csv.DictReader(file)}
    assert ids == {NASTY[0], f"'{NASTY[1]}", *NASTY[2:], '猫', 'x' * 5000, '*b*', '-1e-05'}
    title = (nasty / 'evaluation/metrics.md').read_text().splitlines()[0]
    assert r'\<script\>' in title
    assert r'\[a\](javascript:b)' in title
    assert (nasty / 'evaluation/figures/confusion_matrix.png').is_file()


@pytest.mark.parametrize('form', ['markdown', 'latex', 'csv'])
def test_comparisons_hold_no_markup(program: Program, nasty: Path, form: str) -> None:
    other = nasty.with_name('=1+1 <b> & $x')
    nasty.rename(other)
    result = outputs.read(other)
    sample_outputs.write(
        nasty, 'classification', arrays=dict(result.arrays), ids=result.ids, class_names=result.class_names
    )
    code, out, _ = program('compare', str(other), str(nasty), '--resamples=100', f'--format={form}')
    assert code == 0
    expected = {
        'markdown': r'=1+1 \<b\> & \$x',
        'latex': r'=1+1 \textless{}b\textgreater{} \& \$x',
        'csv': "'=1+1 <b> & $x",
    }
    assert expected[form] in out


def test_names_of_folders_are_shown_harmless(program: Program, folder: Path) -> None:
    other = folder.with_name('\x1b[31m')
    folder.rename(other)
    sample_outputs.write(folder, 'classification')
    code, out, _ = program('compare', str(folder.parent), '--resamples=100')
    assert (code, r'\x1b' in out, '\x1b' in out) == (0, True, False)
    for command in (['check_outputs'], ['export', '--format=csv'], ['evaluate']):
        code, out, _ = program(*command, str(other))
        assert (code, r'\x1b' in out, '\x1b' in out) == (0, True, False)
    (other / 'ids.txt').unlink()
    assert program('evaluate', str(other))[2].removesuffix('\n').isprintable()


def test_nothing_in_the_folder_is_run(program: Program, folder: Path) -> None:
    """Not even what Python looks for beside a program."""
    trap = f'open({str(folder.parent / "sprung")!r}, "w")'
    for name in ('sitecustomize.py', 'numpy.py', 'research.py', 'matplotlibrc', 'conftest.py', '__init__.py'):
        (folder / name).write_text(trap)
    environment = os.environ | {'ENV': 'existing', 'PYTHON': sys.executable}
    for script in ('eval.sh', 'compare.sh'):
        command = [REPOSITORY / 'scripts' / script, '.']
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    assert not (folder.parent / 'sprung').exists()
