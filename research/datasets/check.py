"""Whether a dataset keeps its contract, from raw files to arrays: all that is wrong, a sentence each.

Every check is a generator of such sentences. The first line of its docstring is what holds if there are none.
"""

import ast
import csv
import functools
import inspect
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from research.datasets import building, catalogue, checksums, progress, readme
from research.datasets.dataset import Dataset, Examples, load
from research.datasets.names import Name
from research.errors import UserError

OK, WRONG, SKIPPED = 'ok', 'wrong', 'skipped'
SHOWN = 5  # sentences of one check; the rest are counted
REQUIRED = ('README.md', 'CITATIONS.bib', 'TAGS.txt', checksums.FILE)
IMAGES = ('.png', '.jpg', '.jpeg', '.bmp', '.gif', '.webp', '.tif', '.tiff')
LOSSY = ('.jpg', '.jpeg')
ROUNDING = 3.0  # gray levels, on average, by which two decoders of JPEG may differ


@dataclass(frozen=True)
class Finding:
    """What a check found: its name, OK, WRONG or SKIPPED, and a sentence."""

    check: str
    verdict: str
    what: str


class NotApplicable(Exception):  # noqa: N818 (no error)
    """A dataset has nothing that this check could look at."""


class Subject:
    """A dataset to be checked; each part of it is read when a check asks for it.

    Args:
      name: `<dataset>` or `<dataset>/<config>`.
    """

    def __init__(self, name: str):
        self.builder = _prepared(name)
        self.config = self.builder.builder_config.name
        self._name = Name.parse(name)
        self.dataset_name = self._name.without_config
        is_plain = self._name.card is None or self.config == catalogue.DEFAULT_CONFIG
        self.name = self.dataset_name if is_plain else f'{self.dataset_name}/{self.config}'

    @functools.cached_property
    def dataset(self) -> Dataset:
        """The dataset, built if need be."""
        return load(self.name)

    @functools.cached_property
    def raw(self) -> dict[str, list[Any]]:
        """Id, file and label of each original, by split."""
        if not hasattr(self.builder, 'raw_examples'):
            raise NotApplicable('its builder lists no originals')
        return self.builder.raw_examples()

    @functools.cached_property
    def splits(self) -> dict[str, Examples]:
        """The arrays of each split."""
        return {split: self.dataset.split(split) for split in self.dataset.splits}

    @functools.cached_property
    def folder(self) -> Path:
        """The dataset's folder in the repository."""
        if not self._name.card:
            raise NotApplicable('it has no folder in data/')
        return self._name.card

    @property
    def bytes(self) -> Path:
        """The dataset's folder in the workspace."""
        return Path(self.builder.data_dir_root).parent

    @property
    def originals(self) -> Path:
        """The folder of its originals."""
        return self.bytes / ('raw' if self.config == catalogue.DEFAULT_CONFIG else self.config)

    def fields(self, *kinds: str) -> list[str]:
        """Returns the fields whose features are of these kinds: `ClassLabel`, say."""
        features = self.builder.info.features
        return [name for name, each in features.items() if type(each).__name__ in kinds]


def _prepared(name: str) -> Any:
    """Returns the builder of a dataset that is built, or cannot be: `Subject.dataset` says why."""
    builder = catalogue.builder(name)
    try:
        return building.prepare(name)
    except Exception:  # whatever the builder's own code may raise
        return builder


Check = Callable[[Subject], Iterator[str]]


def folder(subject: Subject) -> Iterator[str]:
    """README.md, CITATIONS.bib, TAGS.txt, checksums.tsv and toy/ are there and say something."""
    for name in REQUIRED:
        file = subject.folder / name
        if not file.is_file():
            yield f'{file} is missing'
        elif not file.read_text(encoding='utf-8').strip():
            yield f'{file} is empty'
    if not any((subject.folder / 'toy').glob('*')):
        yield f'{subject.folder / "toy"} is missing: put a few originals there, laid out as they are in raw/'
    yield from _unknown_tags(subject.folder / 'TAGS.txt')


def _unknown_tags(file: Path) -> Iterator[str]:
    from tensorflow_datasets.core import dataset_metadata

    lines = file.read_text(encoding='utf-8').splitlines() if file.is_file() else []
    for tag in filter(None, (line.partition('#')[0].strip() for line in lines)):
        if tag not in dataset_metadata.valid_tags():
            yield f'{file} has a tag that TFDS does not know: {tag!r}'


def layout(subject: Subject) -> Iterator[str]:
    """raw/ and toy/ hold the same kinds of files, and tables of the same columns."""
    raw, toy = subject.bytes / 'raw', subject.folder / 'toy'
    if not raw.is_dir():
        raise NotApplicable('raw/ is not there before the config full is built')
    in_raw, in_toy = _kinds(raw), _kinds(toy)
    for kind in sorted(in_raw - in_toy):
        yield f'raw/ has {kind}, and {toy} has not'
    for kind in sorted(in_toy - in_raw):
        yield f'{toy} has {kind}, and raw/ has not'


def _kinds(folder: Path) -> set[str]:
    """Returns what there is: `images/*.png`, or `labels.csv with the columns file, label`."""
    files = (path for path in folder.rglob('*') if path.is_file() and not path.name.startswith('.'))
    return {_kind(path, path.relative_to(folder)) for path in files}


def _kind(path: Path, relative: Path) -> str:
    if len(relative.parts) > 1:
        return f'{relative.parts[0]}/*{path.suffix}'
    if path.suffix in ('.csv', '.tsv'):
        with path.open(newline='', encoding='utf-8') as file:
            columns = next(csv.reader(file, delimiter=',' if path.suffix == '.csv' else '\t'), [])
        return f'{path.name} with the columns {", ".join(columns)}'
    if path.suffix == '.npy':
        array = np.load(path, mmap_mode='r')
        return f'{path.name} of {array.dtype} {(None, *array.shape[1:])}'
    return f'*{path.suffix}'


def files(subject: Subject) -> Iterator[str]:
    """Every listed file is there, not empty, and of the stated size and channels if it is an image."""
    for split, rows in subject.raw.items():
        for identity, path, label in progress.bar(rows, len(rows), f'files of {split}'):
            for each in filter(lambda each: isinstance(each, Path), (path, label)):
                if wrong := _wrong_file(each):
                    yield f'{_which(split, identity)}: {each} {wrong}'
    yield from _wrong_images(subject)


def _wrong_file(path: Path) -> str:
    if not path.is_absolute():
        return 'is no absolute path'
    if not path.is_file():
        return 'is missing'
    return '' if path.stat().st_size else 'is empty'


def _wrong_images(subject: Subject) -> Iterator[str]:
    """Yields what is wrong with images that go to TFDS as they are."""
    images = subject.fields('Image', 'LabeledImage')
    features = subject.builder.info.features
    for split, (identity, _, _), example in _examples(subject):
        for field in images if isinstance(example, dict) else ():
            path = example[field]
            if isinstance(path, str | Path) and Path(path).is_file():
                wrong = _wrong_image(Path(path), features[field])
                if wrong:
                    yield f'{_which(split, identity)}: {path} {wrong}'


def _wrong_image(path: Path, feature: Any) -> str:
    from PIL import Image

    try:
        with Image.open(path) as image:
            width, height, channels = *image.size, len(image.getbands())
            deep = image.mode in ('I', 'F') or image.mode.startswith('I;16')
    except (OSError, ValueError) as error:
        return f'cannot be read: {_said(error)}'
    found, stated = (height, width, channels), tuple(feature.shape)
    if any(there != need for there, need in zip(found, stated, strict=True) if need is not None):
        return f'is {found} (height, width, channels), and the builder states {stated}'
    if deep and np.dtype(feature.np_dtype) == np.uint8:
        return f'has pixels of the mode {image.mode}, and the builder states uint8'
    return ''


def _examples(subject: Subject) -> Iterator[tuple[str, Any, Any]]:
    """Yields split, row and what the builder makes of it: a dict, or the exception that it raised."""
    for split, rows in subject.raw.items():
        place = 0
        while place < len(rows):
            try:
                for _, example in subject.builder._generate_examples(rows[place:]):
                    yield split, rows[place], example
                    place += 1
                break
            except Exception as error:  # whatever the builder's own code may raise
                yield split, rows[place], error
                place += 1


def labels(subject: Subject) -> Iterator[str]:
    """Labels are in range, and their names are those that the originals state."""
    names = subject.dataset.spec.class_names
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        yield f'the class {twice[0]!r} is there twice'
    fields = subject.fields('ClassLabel', 'LabeledImage')
    if not fields:
        raise NotApplicable('it has no classes')
    for split, examples in subject.splits.items():
        rows = subject.raw.get(split, [])
        for place, identity in enumerate(examples.ids):
            example = examples.example(place)
            stated = rows[place][2] if place < len(rows) else None
            for field in fields:
                yield from (
                    f'{_which(split, identity)}: {wrong}'
                    for wrong in _wrong_label(field, example[field], names, stated)
                )


def _wrong_label(field: str, label: np.ndarray, names: tuple[str, ...], stated: Any) -> Iterator[str]:
    """Yields what is wrong with one label, or one map of labels; `stated` is that of the original."""
    low, high = int(label.min()), int(label.max())
    if low < 0 or high >= len(names):
        outside = low if low < 0 else high
        yield f'{field} holds {outside}, and classes go from 0 to {len(names) - 1}'
    elif label.ndim == 0 and isinstance(stated, str | int) and str(stated) not in (names[high], str(high)):
        yield f'{field} is {high}, the class {names[high]!r}, and the original states {str(stated)!r}'


def ids(subject: Subject) -> Iterator[str]:
    """Ids are unique in the dataset, one line each, and in the order of the originals."""
    seen: dict[str, str] = {}
    for split, examples in subject.splits.items():
        for identity in examples.ids:
            if identity in seen:
                yield f'the id {identity!r} of {split} is also one of {seen[identity]}'
            seen[identity] = split
            if not identity.strip() or len(identity.splitlines()) != 1:
                yield f'{split} has the id {identity!r}, which is not one line of text'
    for split, rows in subject.raw.items():
        yield from _in_order(split, [str(row[0]) for row in rows], subject)


def _in_order(split: str, expected: list[str], subject: Subject) -> Iterator[str]:
    if split not in subject.splits:
        yield f'the split {split} of the originals is not built'
        return
    found = subject.splits[split].ids
    if len(found) != len(expected):
        yield f'{split} has {len(found):,} ids, and the originals list {len(expected):,}'
    differ = [place for place, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]]
    if differ:
        first = differ[0]
        yield f'example {first} of {split} has the id {found[first]!r}, the original {expected[first]!r}'


def duplicates(subject: Subject) -> Iterator[str]:
    """No example is in two splits, and none is twice in one, by content."""
    keys = subject.builder.info.supervised_keys
    inputs = [keys[0]] if keys else [*subject.dataset.spec.example, *subject.dataset.encoded]
    seen = defaultdict[int, list[tuple[str, int]]](list)  # by hash, which the content then confirms
    for split, examples in subject.splits.items():
        for place in progress.bar(range(len(examples)), len(examples), f'contents of {split}'):
            content = _content(examples, place, inputs)
            for other, there in seen[hash(content)]:
                if _content(subject.splits[other], there, inputs) == content:
                    first = subject.splits[other].ids[there]
                    yield f'{_which(split, examples.ids[place])} is the same as {_which(other, first)}'
                    break
            seen[hash(content)].append((split, place))


def _content(examples: Examples, place: int, fields: list[str]) -> bytes:
    """Returns the content of some fields of an example; images of varying size are those of equal files."""
    example = examples.example(place)
    arrays = (example[field] for field in fields if field in example)
    files = (each[place] for field, each in examples.encoded.items() if field in fields)
    return b'|'.join([*(str(each.shape).encode() + each.tobytes() for each in arrays), *files])


def lists(subject: Subject) -> Iterator[str]:
    """The lists of the workspace name every original, by its absolute path."""
    subject.dataset  # noqa: B018 (it makes them true where the workspace moved)
    for split, rows in subject.raw.items():
        file = subject.bytes / 'lists' / subject.config / f'{split}.csv'
        if not file.is_file():
            yield f'{file} is missing'
            continue
        with file.open(newline='', encoding='utf-8') as lines:
            found = [tuple(row) for row in csv.reader(lines)][1:]
        expected = [tuple(map(str, row)) for row in rows]
        if len(found) != len(expected):
            yield f'{file} lists {len(found):,} of {len(expected):,} examples. Delete it and build again'
        for row, right in zip(found, expected, strict=False):
            if row != right:
                yield f'{file} lists {", ".join(row)!r} where {", ".join(right)!r} belongs'
                break


def stated_checksums(subject: Subject) -> Iterator[str]:
    """The originals are those that checksums.tsv states."""
    subject.folder  # noqa: B018 (without it nothing is stated)
    subject.raw  # noqa: B018 (it fetches them)
    if hasattr(subject.builder, 'damage'):
        wrong = subject.builder.damage()
        if not wrong and (reason := subject.builder.unstated(subject.originals)):
            raise NotApplicable(reason)
    elif subject.originals.is_dir():
        stated = checksums.stated(subject.folder / checksums.FILE, subject.config)
        wrong = checksums.differences(checksums.measure(subject.originals), stated)
    else:
        raise NotApplicable('there are no originals in raw/')
    for name, what in wrong.items():
        yield f'{subject.originals / name} {what}'


def stated_in_readme(subject: Subject) -> Iterator[str]:
    """README.md has a title, and its counts, shapes and classes are true."""
    text = readme.read(subject.folder)
    if not readme.title(text):
        yield f'{subject.folder / "README.md"} does not open with a title: # ...'
    yield from _wrong_counts(subject, readme.table(text, 'split'))
    yield from _wrong_fields(subject, readme.table(text, 'field'))
    yield from _wrong_classes(subject.dataset.spec.class_names, readme.table(text, '') or [])


def _wrong_counts(subject: Subject, table: readme.Table | None) -> Iterator[str]:
    if table is None or not all(subject.name in row for row in table):
        yield f'README.md has no table of counts with the columns: split, `{subject.name}`'
        return
    stated = {row['split']: readme.count(row[subject.name]) for row in table}
    for split in sorted(stated.keys() | subject.dataset.splits):
        true = subject.dataset.splits.get(split)
        if true is None:
            yield f'README.md states a split {split} that {subject.name} has not'
        elif split not in stated:
            yield f'README.md does not state how many examples {split} has: {true:,}'
        elif stated[split] != true:
            yield f'README.md states {stated[split]} examples of {split}, and there are {true:,}'


def _wrong_fields(subject: Subject, table: readme.Table | None) -> Iterator[str]:
    if table is None or not all({'dtype', 'shape'} <= row.keys() for row in table):
        yield 'README.md has no table of fields with the columns: field, dtype, shape'
        return
    stated = {row['field']: row for row in table}
    default = catalogue.spec(catalogue.builder(subject.dataset_name))  # other configs may have other shapes
    for field, true in default.example.items():
        if field not in stated:
            yield f'README.md does not state the field {field!r}: {true.dtype} {true.shape}'
            continue
        row, feature = stated[field], subject.builder.info.features[field]
        is_whole = not feature.shape or None not in feature.shape  # else a reader is told in words
        if row['dtype'] != str(true.dtype) or (is_whole and _shape(row['shape']) != true.shape):
            stated_one = f'{row["dtype"]} {row["shape"]}'
            yield f'README.md states {field}: {stated_one}, and it is {true.dtype} {true.shape}'
    for field in stated.keys() - subject.builder.info.features.keys():
        yield f'README.md states a field {field!r} that the builder has not'


def _shape(cell: str) -> Any:
    """Returns the tuple that a cell holds, the cell itself if it holds none."""
    try:
        return ast.literal_eval(cell)
    except (ValueError, SyntaxError):
        return cell


def _wrong_classes(names: tuple[str, ...], table: readme.Table) -> Iterator[str]:
    """Yields what is wrong with a table of the classes, if README.md has one."""
    for row in table if all('class' in row for row in table) else ():
        index = readme.count(row[''])
        if index is None or index >= len(names) or names[index] != row['class']:
            yield f'README.md states class {row[""]} as {row["class"]!r}; they are {", ".join(names)}'


def originals(subject: Subject) -> Iterator[str]:
    """Each original, decoded anew by the builder, equals its arrays."""
    decode = _decoder(subject)
    places = Counter[str]()
    total = sum(map(len, subject.raw.values()))
    for split, (identity, path, _), example in progress.bar(_examples(subject), total, 'originals'):
        place = places[split]
        places[split] += 1
        try:
            if isinstance(example, Exception):
                raise example
            decoded = decode(example)
        except Exception as error:  # whatever decoders may raise
            yield f'{_which(split, identity)}: {path} cannot be read: {_said(error)}'
            continue
        wrong = _difference(subject, split, place, decoded, Path(path).suffix.lower() in LOSSY)
        if wrong:
            yield f'{_which(split, identity)}: {wrong} of {path} is not what the arrays hold'


def _decoder(subject: Subject) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Returns what decodes an example of the builder's, images of varying size apart."""
    features, decoders = subject.builder.info.features, building.decoders(subject.builder)
    return lambda example: features.decode_example_np(features.encode_example(example), decoders=decoders)


def _difference(subject: Subject, split: str, place: int, decoded: dict[str, Any], lossy: bool) -> str:
    """Returns the first field that differs from the arrays, '' if none does."""
    examples = subject.splits[split]
    if place >= len(examples):
        return 'all'
    for field, each in examples.encoded.items():
        if decoded[field] != each[place]:
            return f'the field {field}'
    for field, array in examples.example(place).items():
        other = np.asarray(decoded[field])
        if other.size != array.size:
            return f'the field {field}, of the shape {other.shape},'
        other = other.reshape(array.shape)
        equal = np.array_equal(other, array, equal_nan=array.dtype.kind == 'f')
        if not equal and not (lossy and np.abs(other.astype(float) - array).mean() < ROUNDING):
            return f'the field {field}'
    return ''


def records(subject: Subject) -> Iterator[str]:
    """Each record can be read and equals its arrays."""
    files = {split: info.filenames for split, info in subject.builder.info.splits.items()}
    for split, examples in subject.splits.items():
        where = Path(subject.builder.data_dir) / ', '.join(sorted(files[split]))
        rows = subject.raw.get(split, [])
        try:
            source = building.records(subject.builder, split)
            count = len(source)
        except Exception as error:  # whatever the reader of a torn file may raise
            yield f'{where} cannot be read: {_said(error)}. {_again(subject)}'
            continue
        if count != len(examples):
            yield f'{where} holds {count:,} records, and the arrays {len(examples):,}. {_again(subject)}'
        for place in progress.bar(range(min(count, len(examples))), count, f'records of {split}'):
            file = f' ({rows[place][1]})' if place < len(rows) else ''
            which = f'{_which(split, examples.ids[place])}{file}'
            try:
                record = source[place]
            except Exception as error:  # as above
                yield f'{which}: record {place} in {where} is damaged: {_said(error)}. {_again(subject)}'
                continue
            if record['id'].decode() != examples.ids[place]:
                yield f'{which}: record {place} in {where} has another id: {record["id"].decode()!r}'
            elif wrong := _difference(subject, split, place, record, lossy=True):
                yield f'{which}: {wrong} of record {place} in {where} is not what the arrays hold'


def arrays(subject: Subject) -> Iterator[str]:
    """The arrays have the promised shapes and are those that were fingerprinted."""
    subject.splits  # noqa: B018 (it raises if not)
    stated, found = subject.dataset.fingerprint, building.fingerprint(subject.dataset.folder)
    if found != stated:
        yield (
            f'the arrays in {subject.dataset.folder} have been changed: their fingerprint is {found}, and '
            f'fingerprint.txt states {stated}. {_again(subject)}'
        )


def _again(subject: Subject) -> str:
    return f'Delete {subject.builder.data_dir} and build again'


def _which(split: str, identity: Any) -> str:
    return f'{split} {str(identity)!r}'


def _said(error: Exception) -> str:
    """Returns an exception in one line."""
    first = str(error).strip().partition('\n')[0]
    return f'{type(error).__name__}: {first}' if first else type(error).__name__


CHECKS: dict[str, Check] = {
    'folder': folder,
    'layout': layout,
    'checksums': stated_checksums,
    'files': files,
    'originals': originals,
    'records': records,
    'arrays': arrays,
    'labels': labels,
    'duplicates': duplicates,
    'ids': ids,
    'lists': lists,
    'readme': stated_in_readme,
}


def run(subject: Subject) -> Iterator[Finding]:
    """Yields what each check finds, one finding per fault, as soon as it is known.

    Args:
      subject: the dataset; it is built if need be.
    """
    stopped: set[str] = set()  # what kept a check from looking is said once
    for name, check in CHECKS.items():
        try:
            wrong = list(check(subject))
            holds = (inspect.getdoc(check) or '').partition('\n')[0]
            yield from _few(name, wrong) if wrong else [Finding(name, OK, holds.rstrip('.'))]
        except NotApplicable as reason:
            yield Finding(name, SKIPPED, str(reason))
        except Exception as error:  # it reads whatever is there by the builder's own code
            what = str(error) if isinstance(error, UserError) else _said(error)
            verdict = SKIPPED if what in stopped else WRONG
            stopped.add(what)
            yield Finding(name, verdict, 'for the same reason' if verdict == SKIPPED else what)


def _few(name: str, wrong: list[str]) -> Iterator[Finding]:
    """Yields the first sentences and how many more there are."""
    for what in islice(wrong, SHOWN):
        yield Finding(name, WRONG, what)
    if len(wrong) > SHOWN:
        yield Finding(name, WRONG, f'and {len(wrong) - SHOWN:,} more like these')
