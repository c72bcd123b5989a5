import csv
import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import outputs
from engine.errors import UserError
from engine.outputs import kind_folders, subset
from tests.engine.sample_outputs import write_stated

NAMES = ('cat', 'dog', 'owl')
LOGITS = np.array([[2, 1, 0], [0, 1, 2], [0, 3, 1], [1, 0, 0]], np.float32)
LABELS = np.array([0, 2, 1, 2], np.int32)
MEANINGS = {'logits': 'before softmax', 'labels': 'true class'}
IDS = ('a', 'b', 'c', 'd')


def write(folder: Path, **changes: Any) -> Path:
    arguments: dict[str, Any] = {
        'kind': 'classification',
        'arrays': {'logits': LOGITS, 'labels': LABELS},
        'ids': IDS,
        'meanings': MEANINGS,
        'class_names': NAMES,
        'project': 'zoo',
        'run': '2026-11-22T17-30-05',
        'step': 7,
        'dataset': 'animals',
        'split': 'test',
        'details': {'extractor': 'a network'},
    }
    write_stated(folder, **arguments | changes)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / 'outputs' / 'test')


def edit_manifest(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = folder / 'manifest.json'
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def reseal(folder: Path, name: str, content: bytes) -> None:
    """Replaces a file and states its new size and digest: what a careless writer would have written."""
    (folder / name).write_bytes(content)
    sealed = {'bytes': len(content), 'sha256': hashlib.sha256(content).hexdigest()}
    edit_manifest(folder, lambda manifest: manifest['files'].update({name: sealed}))


def reseal_array(folder: Path, name: str, array: np.ndarray) -> None:
    """Replaces an array and states it truly."""
    np.save(folder / f'{name}.npy', array, allow_pickle=False)
    reseal(folder, f'{name}.npy', (folder / f'{name}.npy').read_bytes())
    stated = {'file': f'{name}.npy', 'dtype': str(array.dtype), 'shape': array.shape, 'meaning': 'it'}
    edit_manifest(folder, lambda manifest: manifest['arrays'].update({name: stated}))


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as refused:
        outputs.read(folder)
    assert str(folder) in str(refused.value)
    return str(refused.value)


# There and back.


def test_what_was_written_is_read(folder: Path):
    result = outputs.read(folder)
    np.testing.assert_array_equal(result.arrays['logits'], LOGITS)
    np.testing.assert_array_equal(result.arrays['labels'], LABELS)
    assert isinstance(result.arrays['logits'], np.memmap)
    assert not result.arrays['logits'].flags.writeable
    assert (result.kind, result.manifest.project, result.manifest.run) == (
        'classification',
        'zoo',
        '2026-11-22T17-30-05',
    )
    assert (result.manifest.step, result.manifest.dataset, result.manifest.split) == (7, 'animals', 'test')
    assert (result.class_names, result.ids, result.folder) == (NAMES, IDS, folder)
    assert result.manifest.arrays['logits'].meaning == 'before softmax'
    assert result.manifest.details == {'extractor': 'a network'}


def test_every_file_is_in_the_manifest(folder: Path):
    manifest = json.loads((folder / 'manifest.json').read_text())
    others = {path.name for path in folder.iterdir()} - {'manifest.json'}
    assert set(manifest['files']) == others == {'ids.txt', 'labels.npy', 'logits.npy', 'predictions.csv'}
    for name, stated in manifest['files'].items():
        content = (folder / name).read_bytes()
        assert stated == {'bytes': len(content), 'sha256': hashlib.sha256(content).hexdigest()}


def example_of(kind: str) -> dict[str, np.ndarray]:
    lengths = {'n': 4, 'classes': 3, 'm': 0}
    lengths |= dict.fromkeys(kind_folders.declaration(kind).lengths, 0)
    fields = {
        name: field
        for name, field in kind_folders.declaration(kind).arrays.items()
        if name not in ('probabilities', 'predicted')
    }
    shapes = {
        name: [int(axis) if axis.isdigit() else lengths.get(axis, 2) for axis in field.axes.split()]
        for name, field in fields.items()
    }
    return {name: np.zeros(shapes[name], field.dtype) for name, field in fields.items()}


@pytest.mark.parametrize('kind', kind_folders.names())
def test_every_kind_goes_there_and_back(tmp_path: Path, kind: str):
    arrays = example_of(kind)
    write(tmp_path / 'it', kind=kind, arrays=arrays, meanings=dict.fromkeys(arrays, 'zeros'))
    result = outputs.read(tmp_path / 'it')
    assert result.kind == kind
    assert {name: array.shape for name, array in result.arrays.items()} == {
        name: array.shape for name, array in arrays.items()
    }


@pytest.mark.parametrize(
    ('kind', 'name'),
    [
        (kind, name)
        for kind, known in ((kind, kind_folders.declaration(kind)) for kind in kind_folders.names())
        for name in known.arrays
    ],
)
def test_every_dtype_that_an_array_may_have(tmp_path: Path, kind: str, name: str):
    arrays = example_of(kind)
    if name == 'probabilities':
        arrays[name] = arrays.pop('logits')
    if name == 'predicted':
        labels = 'labels' if 'labels' in arrays else 'targets'
        arrays = {'predicted': arrays[labels], labels: arrays[labels]}
    for dtype in kind_folders.declaration(kind).arrays[name].dtypes:
        arrays[name] = arrays[name].astype(dtype)
        write(tmp_path / dtype, kind=kind, arrays=arrays, meanings=dict.fromkeys(arrays, 'zeros'))
        result = outputs.read(tmp_path / dtype)
        assert result.manifest.arrays[name].dtype == result.arrays[name].dtype == dtype


def test_predictions_for_people_from_float16(tmp_path: Path):
    folders = [
        write(tmp_path / str(dtype), arrays={'logits': LOGITS.astype(dtype), 'labels': LABELS})
        for dtype in ('f2', 'f4')
    ]
    half, whole = [(folder / 'predictions.csv').read_text() for folder in folders]
    assert half == whole


def test_labels_and_names_may_be_missing(tmp_path: Path):
    write(tmp_path / 'it', arrays={'logits': LOGITS}, meanings={'logits': 'l'}, class_names=())
    assert outputs.read(tmp_path / 'it').class_names == ()
    rows = list(csv.reader((tmp_path / 'it' / 'predictions.csv').read_text().splitlines()))
    others = ['second', 'second_probability', 'third', 'third_probability']
    assert rows[0] == ['id', 'prediction', 'probability', *others]
    assert [row[1] for row in rows[1:]] == ['0', '2', '1', '0']


def test_predictions_for_people(folder: Path):
    rows = list(csv.DictReader((folder / 'predictions.csv').read_text().splitlines()))
    assert [row['id'] for row in rows] == list(IDS)
    assert [row['prediction'] for row in rows] == ['cat', 'owl', 'dog', 'cat']
    assert [row['label'] for row in rows] == ['cat', 'owl', 'dog', 'owl']
    expected = [np.exp(row.max()) / np.exp(row).sum() for row in LOGITS]
    assert [float(row['probability']) for row in rows] == pytest.approx(expected, abs=1e-6)


def test_predictions_from_probabilities(tmp_path: Path):
    probabilities = np.array([[0.5, 0.3, 0.2]] * 4, np.float32)
    write(tmp_path / 'it', arrays={'probabilities': probabilities}, meanings={'probabilities': 'p'})
    rows = list(csv.DictReader((tmp_path / 'it' / 'predictions.csv').read_text().splitlines()))
    assert {(row['prediction'], row['probability']) for row in rows} == {('cat', '0.500000')}


def test_spreadsheet_formulas_are_defused(tmp_path: Path):
    ids = ('=1+1', '@SUM(A1)', '-2+3', '-12.5')
    write(tmp_path / 'it', ids=ids, class_names=('+cmd', 'say "a, b"', 'owl'))
    rows = list(csv.DictReader((tmp_path / 'it' / 'predictions.csv').read_text().splitlines()))
    assert [row['id'] for row in rows] == ["'=1+1", "'@SUM(A1)", "'-2+3", '-12.5']
    assert [row['label'] for row in rows] == ["'+cmd", 'owl', 'say "a, b"', 'owl']
    assert outputs.read(tmp_path / 'it').ids == ids


def test_ids_may_be_in_any_language(tmp_path: Path):
    ids = ('Katze 1', '猫/2', 'chat\u00e9', ' spaced ')
    assert outputs.read(write(tmp_path / 'it', ids=ids)).ids == ids


# Refused on writing.


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'kind': 'clasification'}, "unknown kind of outputs 'clasification'. Did you mean 'classification'"),
        (
            {'arrays': {'labels': LABELS}},
            "needs one array 'logits' or 'probabilities' or 'predicted'; the arrays are: labels",
        ),
        ({'arrays': {}}, 'the arrays are: none'),
        (
            {'arrays': {'logits': LOGITS, 'probabilities': LOGITS}},
            "needs one array 'logits' or 'probabilities'",
        ),
        ({'arrays': {'logits': LOGITS, 'label': LABELS}}, "no array 'label'. Did you mean 'labels'"),
        (
            {'arrays': {'logits': LOGITS.astype(complex)}},
            'logits.npy holds complex128, but float16, float32 or float64 is needed',
        ),
        ({'arrays': {'logits': LOGITS[0]}}, r'logits.npy has shape \[3\], but \[n, classes\] is needed'),
        ({'arrays': {'logits': LOGITS[:3]}}, 'and the number of ids is 4'),
        ({'arrays': {'logits': LOGITS[:, :2]}}, 'and the number of classes is 3'),
        (
            {'arrays': {'logits': LOGITS, 'labels': LABELS + 1}},
            'labels.npy holds 3, but only 0 to 2 are valid',
        ),
        (
            {'arrays': {'logits': LOGITS, 'labels': LABELS - 1}},
            'labels.npy holds -1, but only 0 to 2 are valid',
        ),
        ({'ids': ('a', 'b', 'b', 'd')}, "ids.txt: 'b' occurs twice"),
        ({'ids': ('a', 'b', 'c', 'd\ne')}, r"'d\\ne' is not an id"),
        ({'ids': ('a', 'b', 'c', 'd\u2028e')}, 'is not an id'),
        ({'ids': ('a', 'b', 'c', '\udcff')}, 'is not an id'),
        ({'ids': ('a', 'b', 'c', '')}, "'' is not an id"),
        ({'ids': ('a', 'b', 'c', b'd')}, "b'd' is not an id"),
        ({'ids': ()}, 'there are no examples'),
        ({'meanings': {'logits': 'l'}}, "'labels' has no meaning"),
        ({'meanings': {**MEANINGS, 'logit': 'l'}}, "'logit' has a meaning but is not an array"),
    ],
)
def test_refused_on_writing(tmp_path: Path, changes: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        write(tmp_path / 'it', **changes)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_unasked(folder: Path):
    with pytest.raises(UserError, match='exists already'):
        write(folder, step=8)
    assert outputs.read(folder).manifest.step == 7
    write(folder, step=8, overwrite=True)
    assert outputs.read(folder).manifest.step == 8


def test_a_write_cut_short_leaves_nothing_new_and_all_that_was(folder: Path, monkeypatch: pytest.MonkeyPatch):
    save, calls = np.save, []

    def save_one_then_stop(*arguments: Any, **options: Any) -> None:
        if calls:
            raise KeyboardInterrupt
        calls.append(save(*arguments, **options))

    monkeypatch.setattr(np, 'save', save_one_then_stop)
    with pytest.raises(KeyboardInterrupt):
        write(folder, step=8, overwrite=True)
    assert outputs.read(folder).manifest.step == 7
    calls.clear()
    with pytest.raises(KeyboardInterrupt):
        write(folder.parent / 'val')
    assert list(folder.parent.iterdir()) == [folder]


# Refused on reading.


def test_a_folder_without_manifest_is_unfinished(folder: Path):
    (folder / 'manifest.json').unlink()
    assert 'unfinished: it has no manifest.json' in refusal(folder)


@pytest.mark.parametrize('text', ['', '{"format": ', '\xff', '[' * 100_000])
def test_a_manifest_that_is_not_json(folder: Path, text: str):
    (folder / 'manifest.json').write_bytes(text.encode('latin-1'))
    assert 'manifest.json: not JSON' in refusal(folder)


@pytest.mark.parametrize('name', ['ids.txt', 'logits.npy', 'labels.npy', 'predictions.csv'])
def test_one_flipped_bit(folder: Path, name: str):
    content = bytearray((folder / name).read_bytes())
    content[-2] ^= 1
    (folder / name).write_bytes(content)
    assert f'{name} is damaged: its sha256' in refusal(folder)


@pytest.mark.parametrize('name', ['ids.txt', 'logits.npy', 'labels.npy', 'predictions.csv'])
@pytest.mark.parametrize('change', [-3, 3])
def test_truncated_or_longer(folder: Path, name: str, change: int):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:change] if change < 0 else content + b'x' * change)
    expected = f'{name} is damaged: it has {len(content) + change} bytes, not {len(content)}'
    assert expected in refusal(folder)


@pytest.mark.parametrize('name', ['ids.txt', 'logits.npy'])
def test_missing_file(folder: Path, name: str):
    (folder / name).unlink()
    assert f'{name} is missing' in refusal(folder)


def test_an_array_that_the_manifest_does_not_know(folder: Path):
    np.save(folder / 'features.npy', LOGITS)
    assert 'features.npy is not in manifest.json' in refusal(folder)


def test_other_files_are_the_readers_own(folder: Path):
    (folder / 'notes.md').write_text('nice')
    (folder / 'evaluation').mkdir()
    np.save(folder / 'evaluation' / 'draws.npy', LOGITS)
    assert outputs.read(folder).ids == IDS


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'a\nb\nc\n', 'ids.txt has 3 ids, but manifest.json says 4 examples'),
        (b'a\nb\nc\nd\ne\n', 'ids.txt has 5 ids, but manifest.json says 4 examples'),
        (b'', 'ids.txt has 0 ids'),
        (b'a\nb\nc\nc\n', "'c' occurs twice"),
        (b'a\n\nc\nd\n', "'' is not an id"),
        (b'a\nb\nc\n\xff\n', 'ids.txt is not UTF-8 text'),
    ],
)
def test_wrong_ids(folder: Path, content: bytes, message: str):
    reseal(folder, 'ids.txt', content)
    assert message in refusal(folder)


@pytest.mark.parametrize('ids', ['a\nb\nc\nd', 'a\r\nb\r\nc\r\nd\r\n'])
def test_ids_as_other_writers_end_their_lines(folder: Path, ids: str):
    reseal(folder, 'ids.txt', ids.encode())
    assert outputs.read(folder).ids == IDS


@pytest.mark.parametrize(
    ('array', 'message'),
    [
        (LOGITS.astype('>f4'), 'logits.npy holds >f4, but float16, float32 or float64 is needed'),
        (LOGITS.astype('>f2'), 'logits.npy holds >f2, but float16, float32 or float64 is needed'),
        (LOGITS[:3], 'logits.npy has shape [3, 3], but [n, classes] is needed and the number of ids is 4'),
        (
            LOGITS[:, :2],
            'logits.npy has shape [4, 2], but [n, classes] is needed and the number of classes',
        ),
        (LOGITS[..., None], 'logits.npy has shape [4, 3, 1], but [n, classes] is needed'),
    ],
)
def test_wrong_dtype_or_shape(folder: Path, array: np.ndarray, message: str):
    reseal_array(folder, 'logits', array)
    assert message in refusal(folder)


def test_an_array_of_another_kind(folder: Path):
    reseal_array(folder, 'mask', np.zeros((3, 2, 2), np.uint8))
    assert 'mask.npy has shape [3, 2, 2], but [n] is needed and the number of ids is 4' in refusal(folder)


@pytest.mark.parametrize('name', ['label', 'Labels', 'probabilties', 'ids', 'class_names', 'a-b'])
def test_a_further_array_needs_a_name_of_its_own(tmp_path: Path, name: str):
    arrays = {'logits': LOGITS, 'labels': LABELS, name: LABELS}
    with pytest.raises(UserError, match=f'classification has no array {name!r}'):
        write(tmp_path / 'it', arrays=arrays, meanings=dict.fromkeys(arrays, 'of the test'))


@pytest.mark.parametrize('name', ['holes', 'holes_logits', 'latent', 'doubt', 'second_labels'])
def test_a_further_array_may_resemble_others_a_little(tmp_path: Path, name: str):
    arrays = {'logits': LOGITS, 'labels': LABELS, name: LOGITS}
    write(tmp_path / 'it', arrays=arrays, meanings=dict.fromkeys(arrays, 'of the test'))
    np.testing.assert_array_equal(outputs.read(tmp_path / 'it').arrays[name], LOGITS)


@pytest.mark.parametrize(
    ('array', 'message'),
    [
        (np.array(['x'] * 4), 'holds <U1, but plain little-endian numbers are needed'),
        (np.zeros(4, '>f4'), 'holds >f4, but plain little-endian numbers are needed'),
        (np.zeros(()), 'has shape [], but [n] is needed.'),
    ],
)
def test_a_further_array_holds_plain_numbers_by_example(tmp_path: Path, array: np.ndarray, message: str):
    arrays = {'logits': LOGITS, 'doubt': array}
    with pytest.raises(UserError) as refused:
        write(tmp_path / 'it', arrays=arrays, meanings=dict.fromkeys(arrays, 'of the test'))
    assert f'doubt.npy {message}' in str(refused.value)


def test_further_arrays_go_there_and_back(tmp_path: Path):
    doubt = np.arange(8.0).reshape(4, 2)
    arrays = {'logits': LOGITS, 'doubt': doubt}
    write(tmp_path / 'it', arrays=arrays, meanings=dict.fromkeys(arrays, 'of the test'))
    read = outputs.read(tmp_path / 'it')
    np.testing.assert_array_equal(read.arrays['doubt'], doubt)
    np.testing.assert_array_equal(subset.of_ids(read, ('d', 'a')).arrays['doubt'], doubt[[3, 0]])


def test_labels_out_of_range(folder: Path):
    reseal_array(folder, 'labels', LABELS + 1)
    assert 'labels.npy holds 3' in refusal(folder)


def test_a_header_that_disagrees_with_the_manifest(folder: Path):
    edit_manifest(folder, lambda manifest: manifest['arrays']['labels'].update(shape=[5]))
    assert "'labels' has shape [4], but manifest.json says [5]" in refusal(folder)


def test_a_header_that_disagrees_with_its_file(folder: Path):
    content = (folder / 'labels.npy').read_bytes()
    reseal(folder, 'labels.npy', content + b'more')
    assert f'labels.npy has {len(content) + 4} bytes, but its header says {len(content)}' in refusal(folder)
    reseal(folder, 'labels.npy', content[:-4])
    assert 'labels.npy is not a plain .npy file' in refusal(folder)


class Bomb:
    def __reduce__(self):
        return os._exit, (1,)


def test_pickles_are_never_opened(folder: Path):
    reseal(folder, 'labels.npy', pickle.dumps(Bomb()))
    assert 'labels.npy is not a plain .npy file' in refusal(folder)
    np.save(folder / 'labels.npy', np.array([Bomb()] * 4), allow_pickle=True)
    reseal(folder, 'labels.npy', (folder / 'labels.npy').read_bytes())
    assert 'labels.npy is not a plain .npy file' in refusal(folder)


@pytest.mark.parametrize(
    'name', ['../secret.npy', '/etc/hostname', 'a/../../secret.npy', 'C:x', '..\\x', '', 'a\0b']
)
def test_paths_out_of_the_folder(folder: Path, name: str):
    (folder.parent / 'secret.npy').write_bytes((folder / 'labels.npy').read_bytes())
    edit_manifest(folder, lambda manifest: manifest['files'].update({name: manifest['files']['labels.npy']}))
    assert f'{name!r} is not a relative path inside the folder' in refusal(folder)


@pytest.mark.parametrize('name', ['labels.npy', 'ids.txt', 'manifest.json'])
def test_links(folder: Path, tmp_path: Path, name: str):
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    assert f'{name} is a link' in refusal(folder)


def test_a_link_to_the_whole_folder_is_fine(folder: Path, tmp_path: Path):
    (tmp_path / 'latest').symlink_to(folder)
    assert outputs.read(tmp_path / 'latest').ids == IDS


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'format': 'evaluation'}, 'not the manifest of an outputs folder'),
        ({'version': 2}, 'format version 2; this code knows up to 1. Update the code'),
        ({'version': '1'}, "'version' is '1'"),
        ({'kind': 'regresion'}, "unknown kind of outputs 'regresion'. Did you mean 'regression'"),
        ({'kind': 3}, "the manifest has 3 as 'kind', which has the wrong type"),
        ({'step': 'seven'}, "the manifest has 'seven' as 'step'"),
        ({'files': []}, "the manifest has [] as 'files'"),
        ({'class_names': [1, 2, 3]}, "'class_names' holds something that is not text"),
        ({'class_names': ['cat']}, 'the number of classes is 1'),
        ({'arrays': {'logits': 'logits.npy'}}, "array 'logits' is not a JSON object"),
        ({'arrays': {'logits': {'file': 'logits.npy'}}}, "array 'logits' has no 'dtype'"),
        ({'files': {}}, "'ids.txt' is missing from 'files'"),
        ({'examples': 5}, 'ids.txt has 4 ids, but manifest.json says 5 examples'),
    ],
)
def test_wrong_manifests(folder: Path, change: dict[str, Any], message: str):
    edit_manifest(folder, lambda manifest: manifest.update(change))
    assert message in refusal(folder)


def test_a_manifest_of_another_shape(folder: Path):
    (folder / 'manifest.json').write_text('[1]')
    assert 'not the manifest of an outputs folder' in refusal(folder)


def test_what_says_whence_it_came_may_be_missing(folder: Path):
    for key in ('project', 'run', 'step', 'dataset', 'split', 'class_names', 'details'):
        edit_manifest(folder, lambda manifest, key=key: manifest.pop(key))
    result = outputs.read(folder)
    assert (result.manifest.project, result.manifest.step, result.class_names) == ('', None, ())
    assert result.manifest.details == {}


# Finding.


def test_find(tmp_path: Path):
    test, val = write(tmp_path / 'run' / 'outputs' / 'test'), write(tmp_path / 'run' / 'outputs' / 'val')
    (tmp_path / 'run' / 'outputs' / '.test.1a2b').mkdir()
    (tmp_path / 'run' / 'outputs' / '.test.1a2b' / 'manifest.json').write_text('half')
    assert outputs.find([test]) == [test]
    assert outputs.find([tmp_path / 'run']) == [test, val]
    assert outputs.find([val, tmp_path]) == [val, test]
    assert outputs.find([]) == []


def test_find_nothing(folder: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"tset does not exist.*'test'"):
        outputs.find([folder.parent / 'tset'])
    with pytest.raises(UserError, match='is not a folder'):
        outputs.find([folder / 'ids.txt'])
    (tmp_path / 'empty').mkdir()
    (folder / 'manifest.json').unlink()
    assert outputs.find([folder.parent]) == [folder]  # for `read` to refuse, not to be passed over
    with pytest.raises(UserError, match='no outputs in it or below it'):
        outputs.find([tmp_path / 'empty'])
