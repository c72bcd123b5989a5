"""The outputs format: predictions as plain files, written and read. Imports NumPy alone.

An outputs folder holds `manifest.json`, `ids.txt` (one example id per line), one `.npy` file per array and,
for people, `predictions.csv` or pictures in `images/`. The manifest states bytes and sha256 of every other
file: a folder without it is unfinished, and one that disagrees with it is damaged. `evaluation/` inside it is
the evaluator's.
"""

import csv
import hashlib
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine import files as folders
from engine.errors import UserError
from engine.outputs import kind as kinds
from engine.render.escape import CONTROL, formula

FORMAT, VERSION = 'outputs', 1
MANIFEST, IDS, PREDICTIONS = 'manifest.json', 'ids.txt', 'predictions.csv'
_BLOCK = 4096  # rows that are worked on at once: all may not fit into memory


@dataclass(frozen=True)
class Outputs:
    """An outputs folder that was read and found whole.

    Attributes:
      folder: where it lies.
      kind: a key of `kinds.KINDS`.
      project: whose run made it, or ''.
      run: name of the run, or ''.
      step: training step of the checkpoint, or None.
      dataset: what the examples are from, or ''.
      split: which split of it, or ''.
      class_names: names of the classes in the order of their indices, or ().
      ids: one id per example.
      arrays: name to array, mapped from the file and read-only.
      manifest: the whole manifest.
    """

    folder: Path
    kind: str
    project: str
    run: str
    step: int | None
    dataset: str
    split: str
    class_names: tuple[str, ...]
    ids: tuple[str, ...]
    arrays: Mapping[str, np.ndarray]
    manifest: Mapping[str, Any]

    @property
    def classes(self) -> int | None:
        """How many classes have a score; None where none has."""
        scores = self.arrays.get('logits', self.arrays.get('probabilities'))
        return None if scores is None else scores.shape[1]


def write(
    folder: str | Path,
    *,
    kind: str,
    arrays: Mapping[str, np.ndarray],
    ids: Sequence[str],
    meanings: Mapping[str, str],
    class_names: Sequence[str] = (),
    project: str = '',
    run: str = '',
    step: int | None = None,
    dataset: str = '',
    split: str = '',
    details: Mapping[str, str] | None = None,
    files: Iterable[tuple[str, bytes]] = (),
    overwrite: bool = False,
) -> None:
    """Writes an outputs folder, whole or not at all.

    Args:
      folder: where to; what contains it is created.
      kind: a key of `kinds.KINDS`, which states names, dtypes and shapes of its arrays.
      arrays: name to array.
      ids: one id per example, unique, one line of text each.
      meanings: for each array, what it holds, in a few words.
      class_names: names of the classes in the order of their indices, where there are any.
      project: whose run made the outputs.
      run: name of the run.
      step: training step of the checkpoint.
      dataset: what the examples are from.
      split: which split of it.
      details: what else tells these outputs from others, as name and text.
      files: path inside the folder, such as `images/0001.png`, and content of whatever else it is to hold.
      overwrite: replaces an existing outputs folder, its evaluation too, once the new one is complete.

    Raises:
      UserError: the folder exists, or what is to be written is not what the kind states.
    """
    folder = Path(folder)
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    _check_ids(folder, ids)
    kinds.check(folder, kind, arrays, len(ids), len(class_names))
    _check_meanings(folder, arrays, meanings)
    told = {
        'project': project,
        'run': run,
        'step': step,
        'dataset': dataset,
        'split': split,
        'class_names': list(class_names),
        'details': dict(details or {}),
    }
    _check_texts(folder, told)
    with folders.user_folder(folder, MANIFEST, overwrite) as aside:
        (aside / IDS).write_text(''.join(f'{each}\n' for each in ids), encoding='utf-8', newline='\n')
        for name, array in arrays.items():
            np.save(aside / f'{name}.npy', array, allow_pickle=False)
        if kind == 'classification':
            _write_predictions(aside / PREDICTIONS, arrays, ids, class_names)
        _write_files(aside, files)
        manifest = {
            'format': FORMAT,
            'version': VERSION,
            'kind': kind,
            **told,
            'examples': len(ids),
            'arrays': {name: _described(name, array, meanings[name]) for name, array in arrays.items()},
            'files': {path.relative_to(aside).as_posix(): fingerprint(path) for path in _files(aside)},
        }
        (aside / MANIFEST).write_text(json.dumps(manifest, indent=2) + '\n', encoding='utf-8')


def read(folder: str | Path) -> Outputs:
    """Reads an outputs folder and verifies all of it.

    Args:
      folder: an outputs folder.

    Returns:
      The outputs; their arrays are mapped from the files, not loaded.

    Raises:
      UserError: the folder is unfinished, damaged or not what its kind states; names the folder and the file.
    """
    folder = Path(folder)
    try:
        manifest = _read_manifest(folder)
        _check_files(folder, manifest)
        ids = _read_ids(folder, manifest['examples'])
        arrays = {name: _read_array(folder, name, stated) for name, stated in manifest['arrays'].items()}
    except OSError as error:
        raise UserError(f'{folder}: cannot be read: {error!s:.300}.') from error
    kinds.check(folder, manifest['kind'], arrays, len(ids), len(manifest['class_names']))
    return Outputs(
        folder=folder,
        kind=manifest['kind'],
        project=manifest['project'],
        run=manifest['run'],
        step=manifest['step'],
        dataset=manifest['dataset'],
        split=manifest['split'],
        class_names=tuple(manifest['class_names']),
        ids=tuple(ids),
        arrays=arrays,
        manifest=manifest,
    )


def is_outputs(folder: Path) -> bool:
    """Returns whether a folder holds outputs, finished or not: `read` refuses those that are not."""
    return (folder / MANIFEST).is_file() or (folder / IDS).is_file()


def find(paths: Iterable[str | Path]) -> list[Path]:
    """Finds outputs folders.

    Args:
      paths: outputs folders, or folders that hold some at any depth, such as a run.

    Returns:
      The outputs folders, each once, in the order of `paths` and by name within one.

    Raises:
      UserError: a path does not exist or holds no outputs.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        for each in _find_below(Path(path)):
            found.setdefault(each.resolve(), each)
    return list(found.values())


# Writing.


def _check_meanings(folder: Path, arrays: Iterable[str], meanings: Mapping[str, str]) -> None:
    for name in sorted(set(arrays).symmetric_difference(meanings)):
        problem = 'has no meaning' if name in arrays else 'has a meaning but is no array'
        raise UserError(f'{folder}: {name!r} {problem}. State one for each array, in a few words.')


def _write_files(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    for name, content in files:
        _check_path(folder, name)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open('xb') as file:  # never over another file
            file.write(content)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob('*') if path.is_file())


def _described(name: str, array: np.ndarray, meaning: str) -> dict[str, Any]:
    return {
        'file': f'{name}.npy',
        'dtype': str(array.dtype),
        'shape': list(array.shape),
        'meaning': meaning,
    }


def fingerprint(path: Path) -> dict[str, Any]:
    """Returns what the manifest states of a file: its bytes and its sha256."""
    with path.open('rb') as file:
        digest = hashlib.file_digest(file, 'sha256').hexdigest()
    return {'bytes': path.stat().st_size, 'sha256': digest}


def _write_predictions(
    path: Path, arrays: Mapping[str, np.ndarray], ids: Sequence[str], class_names: Sequence[str]
) -> None:
    """Writes id, predicted class, confidence and, where known, label."""
    scores = arrays['logits'] if 'logits' in arrays else arrays['probabilities']
    confidences = _confidences(scores) if 'logits' in arrays else scores.max(axis=1)
    names = class_names or [str(index) for index in range(scores.shape[1])]
    columns = {
        'id': ids,
        'prediction': [names[index] for index in scores.argmax(axis=1)],
        'confidence': [f'{confidence:.6f}' for confidence in confidences],
    }
    if 'labels' in arrays:
        columns['label'] = [names[index] for index in arrays['labels']]
    with path.open('w', encoding='utf-8', newline='') as file:
        rows = csv.writer(file, lineterminator='\n')
        rows.writerow(columns)
        rows.writerows([formula(cell) for cell in row] for row in zip(*columns.values(), strict=True))


def _confidences(logits: np.ndarray) -> np.ndarray:
    """Returns the probability of the most probable class, f64 [n], from logits [n, classes]."""
    # A model that diverged may have written infinities: they become NaN, and evaluation says so.
    with np.errstate(invalid='ignore'):
        blocks = (logits[start : start + _BLOCK] for start in range(0, len(logits), _BLOCK))
        return np.concatenate([1 / np.exp(_below_largest(each)).sum(axis=1) for each in blocks])


def _below_largest(logits: np.ndarray) -> np.ndarray:
    return np.subtract(logits, logits.max(axis=1, keepdims=True), dtype=np.float64)


# Reading.

_DEFAULTS = {
    'project': '',
    'run': '',
    'step': None,
    'dataset': '',
    'split': '',
    'class_names': [],
    'details': {},
}
_TYPES = {
    'kind': str,
    'project': str,
    'run': str,
    'step': int | None,
    'dataset': str,
    'split': str,
    'examples': int,
    'class_names': list,
    'details': dict,
    'arrays': dict,
    'files': dict,
}
_ARRAY_TYPES = {'file': str, 'dtype': str, 'shape': list, 'meaning': str}
_FILE_TYPES = {'bytes': int, 'sha256': str}


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(f'{folder}: unfinished: it has no {MANIFEST}. Write the outputs again.')
    try:
        manifest = json.loads(
            path.read_text(encoding='utf-8'), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path}: not JSON: {error}. Write the outputs again.') from error
    _check_format(path, manifest)
    manifest = _DEFAULTS | manifest
    _check_types(path, 'the manifest', manifest, _TYPES)
    for name, stated in manifest['arrays'].items():
        _check_types(path, f'array {name!r:.100}', stated, _ARRAY_TYPES)
    for name, stated in manifest['files'].items():
        _check_types(path, f'file {name!r:.100}', stated, _FILE_TYPES)
    for key in ('class_names', 'details'):
        values = manifest[key].values() if key == 'details' else manifest[key]
        if not all(isinstance(value, str) for value in values):
            raise UserError(f'{path}: {key!r} holds something that is not text.')
    _check_texts(path, manifest)
    return manifest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns a JSON object, whose keys must be different: else readers take different ones of them."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(
            f'the key {next(name for name in names if names.count(name) > 1)!r} stands there twice'
        )
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f'{name} is no number')


def _check_texts(path: Path, manifest: Mapping[str, Any]) -> None:
    """Checks that what reports show is harmless: one line of text each, that no terminal obeys."""
    shown = [manifest[key] for key in ('project', 'run', 'dataset', 'split')]
    for text in (*shown, *manifest['class_names'], *manifest['details'], *manifest['details'].values()):
        if CONTROL.search(text):
            raise UserError(f'{path}: {text!r:.100} holds control characters. Write one line of plain text.')


def _check_format(path: Path, manifest: Any) -> None:
    if not isinstance(manifest, dict) or manifest.get('format') != FORMAT:
        raise UserError(f"{path}: not the manifest of an outputs folder: 'format' is not {FORMAT!r}.")
    version = manifest.get('version')
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UserError(
            f"{path}: 'version' is {version!r:.100}, where a number from 1 to {VERSION} is needed."
        )
    if version > VERSION:
        raise UserError(
            f'{path}: format version {version!r:.100}; this code knows up to {VERSION}. Update the code.'
        )


def _check_types(path: Path, what: str, stated: Any, types: Mapping[str, Any]) -> None:
    if not isinstance(stated, dict):
        raise UserError(f'{path}: {what} is not a JSON object.')
    for key, needed in types.items():
        if key not in stated:
            raise UserError(f'{path}: {what} has no {key!r}.')
        if not isinstance(stated[key], needed) or isinstance(stated[key], bool):
            raise UserError(f'{path}: {what} has {stated[key]!r:.100} as {key!r}, which has the wrong type.')


def _check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    listed = manifest['files']
    for name in (MANIFEST, *listed):
        _check_path(folder, name)
    for name, stated in listed.items():
        _check_content(folder, name, stated)
    for name in (IDS, *(stated['file'] for stated in manifest['arrays'].values())):
        if name not in listed:
            raise UserError(f"{folder / MANIFEST}: {name!r} is missing from 'files'.")
    for path in sorted(folder.glob('*.npy')):
        if path.name not in listed:
            raise UserError(
                f'{folder}: {path.name} is not in {MANIFEST}. Delete it, or write the outputs again.'
            )


def _check_path(folder: Path, name: str) -> None:
    parts = name.split('/')
    if any(part in ('', '.', '..') for part in parts) or re.search(r'[\\:]', name) or CONTROL.search(name):
        raise UserError(f'{folder / MANIFEST}: {name!r:.100} is not a relative path inside the folder.')
    if folder.joinpath(*parts).resolve() != folder.resolve().joinpath(*parts):
        raise UserError(f'{folder}: {name} is a link. Put the file itself there.')


def _check_content(folder: Path, name: str, stated: Mapping[str, Any]) -> None:
    path = folder / name
    if not path.is_file():
        raise UserError(f'{folder}: {name} is missing. Write the outputs again.')
    # The size first: it costs nothing and says more than a digest.
    size = path.stat().st_size
    if size != stated['bytes']:
        problem = f'it has {size} bytes, not {stated["bytes"]!r:.100}'
    elif fingerprint(path)['sha256'] != stated['sha256']:
        problem = f'its sha256 is not the one in {MANIFEST}'
    else:
        return
    raise UserError(f'{folder}: {name} is damaged: {problem}. Write the outputs again.')


def _read_ids(folder: Path, examples: int) -> list[str]:
    try:
        text = (folder / IDS).read_text(encoding='utf-8')
    except UnicodeDecodeError as error:
        raise UserError(f'{folder}: {IDS} is not UTF-8 text: {error}.') from error
    ids = text.removesuffix('\n').split('\n') if text else []
    if len(ids) != examples:
        raise UserError(
            f'{folder}: {IDS} has {len(ids)} ids, but {MANIFEST} says {examples!r:.100} examples.'
        )
    _check_ids(folder, ids)
    return ids


def _check_ids(folder: Path, ids: Sequence[str]) -> None:
    if not len(ids):
        raise UserError(f'{folder}: {IDS}: there are no examples.')
    for each in ids:
        if not isinstance(each, str) or not each or CONTROL.search(each):
            raise UserError(
                f'{folder}: {IDS}: {each!r:.100} is not an id. An id is one line of text, not empty.'
            )
    if len(set(ids)) < len(ids):
        twice = next(each for each, times in Counter(ids).items() if times > 1)
        raise UserError(f'{folder}: {IDS}: {twice!r:.100} stands there twice. Each example has its own id.')


def _read_array(folder: Path, name: str, stated: Mapping[str, Any]) -> np.ndarray:
    """Maps an array from its file; never unpickles."""
    path = folder / stated['file']
    try:
        array = _mapped(path)
    except OSError:
        raise
    except Exception as error:  # of whatever kind NumPy's parser and its parts may raise
        problem = ' '.join(str(error).split())
        raise UserError(f'{folder}: {path.name} is not a plain .npy file: {problem:.200}.') from error
    size, expected = path.stat().st_size, array.offset + array.nbytes
    if size != expected:
        raise UserError(f'{folder}: {path.name} has {size} bytes, but its header says {expected}.')
    found = {'file': f'{name}.npy', 'dtype': str(array.dtype), 'shape': list(array.shape)}
    for key, value in found.items():
        if stated[key] != value:
            raise UserError(
                f'{folder}: {name!r} has {key} {value}, but {MANIFEST} says {stated[key]!r:.100}.'
            )
    return array


def _mapped(path: Path) -> np.memmap:
    """Maps an array; what NumPy would only warn of, such as a size beyond all numbers, is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        return np.lib.format.open_memmap(path, mode='r')


# Finding.


def _find_below(path: Path) -> list[Path]:
    found = folders.topmost(path, is_outputs)
    if not found:
        raise UserError(
            f'{path}: no outputs in it or below it: there is no {MANIFEST}. '
            'Write them with scripts/predict.sh.'
        )
    return found
