"""The manifest of an outputs folder, which the writer, the reader, reports and exports pass on."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UserError
from engine.outputs.contents import MANIFEST, FileEntry
from engine.outputs.joint.member import Member
from engine.render.escape import CONTROL

FORMAT, VERSION = 'outputs', 1
CHECKPOINTS = ('', 'best', 'latest')
# What pixels that do not count hold by default, in masks of bytes and of 16 bits.
IGNORED_BYTE, IGNORED_WORD = 255, 65535


@dataclass(frozen=True)
class ArrayEntry:
    """The entry of an array in a manifest.

    Attributes:
      file: name of its `.npy` file, or, with `/` at its end, of the folder of PNG files of varying size.
      dtype: name of its NumPy dtype.
      shape: its shape, None for a length that varies.
      meaning: meaning of its numbers, in a few words.
    """

    file: str
    dtype: str
    shape: list[int | None]
    meaning: str

    @classmethod
    def of(cls, name: str, array: Any, meaning: str) -> 'ArrayEntry':
        """Describes an array, or pictures of varying size."""
        shape: list[int | None] = list(array.shape)
        return cls(f'{name}/' if None in shape else f'{name}.npy', str(array.dtype), shape, meaning)


@dataclass(frozen=True)
class Manifest:
    """The contents and origin of an outputs folder.

    >>> Manifest('regression', split='test').as_json()['split']
    'test'

    `write` fills in the last three attributes.

    Attributes:
      kind: name of the kind: a folder in `engine/kinds/` or `research/kinds/`.
      project: the project whose run wrote the outputs, or ''.
      run: name of the run, or ''.
      step: training step of the checkpoint, or None.
      checkpoint: 'best' or 'latest', the kind of the checkpoint; '' if no checkpoint of a run predicted.
      dataset: name of the dataset, or ''.
      dataset_fingerprint: sha256 of the ids and arrays of the dataset that was predicted, or ''.
      split: name of the split, or ''.
      class_names: names of the classes in the order of their indices, or ().
      category_ids: id of each class in COCO's files, or (). COCO's own ids have gaps.
      ignore_label: value of pixels in the targets that do not count, or None.
      details: whatever else distinguishes these outputs, as name and text.
      commits: each version of the code that took part in training and prediction, as `c0ffee0+1a2b`.
      code: the digest of each of them over the files that train; equal code has equal digests.
      members: the origin of each member, if the predictions are those of an ensemble.
      examples: number of examples.
      arrays: an entry for each array, by its name.
      files: an entry for each file, by its path in the folder.
    """

    kind: str
    project: str = ''
    run: str = ''
    step: int | None = None
    checkpoint: str = ''
    dataset: str = ''
    dataset_fingerprint: str = ''
    split: str = ''
    class_names: Sequence[str] = ()
    category_ids: Sequence[int] = ()
    ignore_label: int | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    commits: Sequence[str] = ()
    code: Sequence[str] = ()
    members: Sequence[Member] = ()
    examples: int = 0
    arrays: Mapping[str, ArrayEntry] = field(default_factory=dict)
    files: Mapping[str, FileEntry] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Returns the content of manifest.json."""
        lists = {name: list(getattr(self, name)) for name in (*_LISTS, 'category_ids')}
        lists['members'] = [asdict(member) for member in self.members]
        return {'format': FORMAT, 'version': VERSION, **asdict(self), **lists}

    @property
    def classes(self) -> int:
        """Number of classes, as far as names or category ids tell; 0 if they do not."""
        return len(self.class_names) or len(self.category_ids)

    @property
    def saved_step(self) -> str:
        """Step and kind of the checkpoint in words; '' if the step is unknown.

        >>> Manifest('regression', step=1200, checkpoint='best').saved_step
        'step 1,200 (best)'
        """
        kind = f' ({self.checkpoint})' if self.checkpoint else ''
        return '' if self.step is None else f'step {self.step:,}{kind}'

    def is_ignored(self, labels: np.ndarray, classes: int | None = None) -> np.ndarray:
        """Returns which of the labels do not count, bool [...].

        Without `ignore_label` these are the labels of 255, if no class has this number, as in PASCAL VOC and
        Cityscapes; in uint16 also those of 65535. If the number of classes is unknown, 255 counts in dtypes
        that may hold more than 256 classes.

        Args:
          labels: the labels, int [...].
          classes: number of classes, if more is known than the manifest tells.
        """
        if self.ignore_label is not None:
            return labels == self.ignore_label
        known = classes or self.classes
        is_free = known <= IGNORED_BYTE and (bool(known) or labels.dtype.itemsize == 1)
        words = (labels == IGNORED_WORD) & (labels.dtype == np.uint16) & (known <= IGNORED_WORD)
        return words | ((labels == IGNORED_BYTE) & is_free)

    def check(self, where: Path) -> None:
        """Raises `UserError` if texts are not plain, or another value is not valid."""
        self.check_texts(where)
        self._check_class_names(where)
        self._check_category_ids(where)
        if self.checkpoint not in CHECKPOINTS:
            raise UserError(
                f"{where}: checkpoint is {self.checkpoint!r:.100}, but 'best', 'latest' or '' is needed."
            )
        label = self.ignore_label
        if label is not None and not (isinstance(label, int) and 0 <= label <= IGNORED_WORD):
            raise UserError(
                f'{where}: ignore_label is {label!r:.100}, but a number from 0 to {IGNORED_WORD} is needed.'
            )

    def _check_class_names(self, where: Path) -> None:
        """Raises `UserError` if two classes share a name: labels and columns of tables are found by it."""
        first: dict[str, int] = {}
        for index, name in enumerate(self.class_names):
            if first.setdefault(name, index) != index:
                raise UserError(
                    f'{where}: class_names calls the classes {first[name]} and {index} {name!r:.100}. Give '
                    f"each class a name of its own, such as '{name:.100} ({index})'."
                )

    def _check_category_ids(self, where: Path) -> None:
        ids = self.category_ids
        if not all(isinstance(number, int) and not isinstance(number, bool) for number in ids):
            raise UserError(f'{where}: category_ids holds something that is not a whole number.')
        if len(set(ids)) < len(ids):
            raise UserError(f'{where}: category_ids holds a number twice. Each class has its own.')
        if ids and self.class_names and len(ids) != len(self.class_names):
            raise UserError(
                f'{where}: there are {len(ids)} category_ids for {len(self.class_names)} class_names. Give '
                'one for each class.'
            )

    def check_texts(self, where: Path) -> None:
        """Raises `UserError` if a text that reports show contains control characters."""
        texts = [
            self.project,
            self.run,
            self.dataset,
            self.dataset_fingerprint,
            self.split,
            *self.class_names,
            *self.commits,
            *self.code,
            *(text for member in self.members for text in member.texts),
        ]
        for text in (*texts, *self.details, *self.details.values()):
            if CONTROL.search(text):
                raise UserError(
                    f'{where}: {text!r:.100} holds control characters. Write one line of plain text.'
                )


def read_manifest(folder: Path) -> Manifest:
    """Reads and checks the manifest of an outputs folder. Does not open other files.

    Raises:
      UserError: the manifest is missing or damaged; names the file.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(f'{folder}: unfinished: it has no {MANIFEST}. Write the outputs again.')
    content = _parse(path)
    _check_format(path, content)
    manifest = _from_json(path, content)
    manifest.check(path)
    return manifest


# Parsing.

_TYPES: Mapping[str, Any] = {
    'kind': str,
    'project': str,
    'run': str,
    'step': int | None,
    'checkpoint': str,
    'dataset': str,
    'dataset_fingerprint': str,
    'split': str,
    'examples': int,
    'class_names': list,
    'category_ids': list,
    'ignore_label': int | None,
    'details': dict,
    'commits': list,
    'code': list,
    'members': list,
    'arrays': dict,
    'files': dict,
}
_ARRAY_TYPES = {'file': str, 'dtype': str, 'shape': list, 'meaning': str}
_MEMBER_TYPES = {name: _TYPES.get(name, str) for name in (entry.name for entry in fields(Member))}
_FILE_TYPES = {'bytes': int, 'sha256': str}
_LISTS = ('class_names', 'commits', 'code')
_ORIGIN = {'project', 'run', 'step', 'checkpoint', 'dataset', 'dataset_fingerprint', 'split'}

_OPTIONAL = {*_ORIGIN, *_LISTS, 'category_ids', 'ignore_label', 'details', 'members'}


def _parse(path: Path) -> Any:
    try:
        text = path.read_text(encoding='utf-8')
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path}: not JSON: {error}. Write the outputs again.') from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns a JSON object. Refuses duplicate keys, because parsers differ in which one they keep."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        duplicate = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'the key {duplicate!r} occurs twice')
    return content


def _refuse_constant(name: str) -> None:
    raise ValueError(f'{name} is not a number')


def _check_format(path: Path, content: Any) -> None:
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise UserError(f"{path}: not the manifest of an outputs folder: 'format' is not {FORMAT!r}.")
    version = content.get('version')
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UserError(f"{path}: 'version' is {version!r:.100}, but a number from 1 to {VERSION} is needed.")
    if version > VERSION:
        raise UserError(
            f'{path}: format version {version!r:.100}; this code knows up to {VERSION}. Update the code.'
        )


def _from_json(path: Path, content: Mapping[str, Any]) -> Manifest:
    """Returns the manifest. Ignores unknown keys, so that writers may add their own."""
    required = {name: needed for name, needed in _TYPES.items() if name in content or name not in _OPTIONAL}
    _check_types(path, 'the manifest', content, required)
    known = {item.name: content[item.name] for item in fields(Manifest) if item.name in content}
    for key in (*_LISTS, 'details'):
        _check_are_texts(path, key, known.get(key, ()))
    return Manifest(
        **known
        | {
            'members': tuple(_member(path, entry) for entry in known.get('members', ())),
            'arrays': {
                name: ArrayEntry(**_entry(path, f'array {name!r:.100}', entry, _ARRAY_TYPES))
                for name, entry in known['arrays'].items()
            },
            'files': {
                name: FileEntry(**_entry(path, f'file {name!r:.100}', entry, _FILE_TYPES))
                for name, entry in known['files'].items()
            },
        }
    )


def _member(path: Path, entry: Any) -> Member:
    member = Member(**_entry(path, 'a member', entry, _MEMBER_TYPES))
    for key, values in (('details', member.details), ('commits', member.commits), ('code', member.code)):
        _check_are_texts(path, key, values)
    return member


def _entry(path: Path, what: str, entry: Any, types: Mapping[str, Any]) -> dict[str, Any]:
    _check_types(path, what, entry, types)
    return {name: entry[name] for name in types}


def _check_types(path: Path, what: str, content: Any, types: Mapping[str, Any]) -> None:
    if not isinstance(content, dict):
        raise UserError(f'{path}: {what} is not a JSON object.')
    for key, needed in types.items():
        if key not in content:
            raise UserError(f'{path}: {what} has no {key!r}.')
        if not isinstance(content[key], needed) or isinstance(content[key], bool):
            raise UserError(f'{path}: {what} has {content[key]!r:.100} as {key!r}, which has the wrong type.')


def _check_are_texts(path: Path, key: str, values: Any) -> None:
    texts = values.values() if isinstance(values, dict) else values
    if not all(isinstance(text, str) for text in texts):
        raise UserError(f'{path}: {key!r} holds something that is not text.')


def check_path(folder: Path, name: str) -> None:
    """Raises `UserError` unless a name is a path inside the folder that no link leads out of."""
    parts = name.split('/')
    if any(part in ('', '.', '..') for part in parts) or re.search(r'[\\:]', name) or CONTROL.search(name):
        raise UserError(f'{folder / MANIFEST}: {name!r:.100} is not a relative path inside the folder.')
    if folder.joinpath(*parts).resolve() != folder.resolve().joinpath(*parts):
        raise UserError(f'{folder}: {name} is a link. Put the file itself there.')
