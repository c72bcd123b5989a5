"""Which images a folder holds: its splits, as folders of classes or as lists.

    train/<class>/*.jpg     train.csv    path,label or path,label,id; paths are relative to the folder
    val/<class>/*.jpg       val.csv      or .tsv
    test/<class>/*.jpg      test.csv

Upper and lower case do not matter, and `SPLITS` gives other names of splits. A list goes before a folder of
the same split. Without val, a part of train becomes val (`holding_out`).
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine import lists
from engine.datasets.building import holding_out
from engine.datasets.building.ids import Original
from engine.datasets.image_folders import walk
from engine.datasets.image_folders.rows import FolderRows, chosen
from engine.datasets.reading.any_format import SUFFIXES
from engine.errors import UserError, nearest
from engine.lists import ListRow

SPLITS = {
    'train': ('train', 'training'),
    'val': ('val', 'valid', 'validation', 'dev'),
    'test': ('test', 'testing'),
}
LIST_SUFFIXES = ('.csv', '.tsv')
COLUMNS = ('path', 'label')
LAYOUTS = 'train/<class>/*.jpg or train.csv with the columns path,label; likewise val and test'

Splits = dict[str, Sequence[Original]]


@dataclass(frozen=True)
class ImageLayout:
    """The images of a folder.

    Attributes:
      splits: id, file and class of each image, by split.
      left_out: files and folders that are not part of the dataset, by the reason.
      notes: what a reader may not expect.
    """

    splits: Splits
    left_out: dict[str, list[Path]] = field(default_factory=dict)
    notes: Sequence[str] = ()


def read(folder: Path, needs_train: bool = True) -> ImageLayout:
    """Returns the images of a folder.

    Args:
      folder: the folder.
      needs_train: whether the folder is refused without images to train on.

    Raises:
      UserError: there are none to train on, the layout is wrong, or a file or a list cannot be read.
    """
    places = sources(folder)
    parts = {split: _read_source(source) for split, source in places.items() if source}
    splits = {split: part.splits[split] for split, part in parts.items() if part.splits[split]}
    if needs_train and not splits.get('train'):
        raise UserError(
            f'{folder} holds no images to train on. It should hold {LAYOUTS}.{_hint(folder)}{_advice(folder)}'
        )
    notes = [f'{places[split]} holds no images' for split in parts if split not in splits]
    _check_files(splits)
    if 'train' in splits and 'val' not in splits:
        splits |= _held_out(splits['train'])
        count, total = len(splits['val']), len(splits['val']) + len(splits['train'])
        notes.append(
            f'{count:,} of the {total:,} examples of train became val, drawn by the digest of the id'
        )
    left_out = walk.merged([*(part.left_out for part in parts.values()), _unused(folder, places, splits)])
    return ImageLayout({split: splits[split] for split in SPLITS if split in splits}, left_out, notes)


def sources(folder: Path) -> dict[str, Path | None]:
    """Returns the list or the folder of each split, None where there is neither.

    Raises:
      UserError: there is no such folder, or there are two sources of one split.
    """
    if not folder.is_dir():
        raise UserError(f'There is no folder {folder}.')
    return {split: _source(folder, split) for split in SPLITS}


def _source(folder: Path, split: str) -> Path | None:
    """Returns the list or the folder of a split, None if there is neither. Raises `UserError` if two are."""
    paths = [path for path in sorted(folder.iterdir()) if path.stem.lower() in SPLITS[split]]
    tables = [path for path in paths if path.suffix.lower() in LIST_SUFFIXES and path.is_file()]
    folders = [path for path in paths if path.name.lower() in SPLITS[split] and path.is_dir()]
    if len(folders) > 1 and not tables:  # an empty folder is no rival
        folders = [path for path in folders if walk.walk(path, SUFFIXES, 'images').files] or folders[:1]
    for rivals in (tables, [] if tables else folders):
        if len(rivals) > 1:
            raise UserError(
                f'{folder} holds {" and ".join(path.name for path in rivals)}, and each of them means the '
                f'split {split}. Merge them, or move all but one out of the folder.'
            )
    return next(iter(tables or folders), None)


def _read_source(source: Path) -> ImageLayout:
    split = next(split for split, names in SPLITS.items() if source.stem.lower() in names)
    return _from_folders(source, split) if source.is_dir() else _from_list(source, split)


def _from_folders(folder: Path, split: str) -> ImageLayout:
    """Returns the images below `<class>/`, at any depth."""
    found = walk.walk(folder, SUFFIXES, 'images')
    start = len(str(folder)) + 1
    outside = [Path(file) for file in found.files if '/' not in file[start:]]
    if outside:
        more = f' Others: {len(outside) - 1:,}.' if len(outside) > 1 else ''
        raise UserError(
            f'{outside[0]} is not in the folder of a class. Move it to '
            f'{folder}/<class>/{outside[0].name}.{more}{_advice(folder) if split != "train" else ""}'
        )
    examples = FolderRows(folder, found.files)
    classes = {*examples.classes()}
    spaced = sorted(label for label in classes if label != label.strip())
    if spaced:
        raise UserError(f'{str(folder / spaced[0])!r} begins or ends with a space. Rename the folder.')
    empty = [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name not in classes]
    empty = [path for path in empty if not walk.is_hidden(path.name)]
    left_out = found.left_out | ({'a folder without images': empty} if empty else {})
    return ImageLayout({split: examples}, left_out)


def _from_list(file: Path, split: str) -> ImageLayout:
    """Returns the images that a list names."""
    table = lists.read(file, *COLUMNS)
    has_ids = 'id' in table.columns
    examples: list[Original] = []
    missing: list[ListRow] = []
    lines: dict[str, ListRow] = {}
    for row in table.rows:
        path = file.parent / row['path']
        identity = row['id'] if has_ids else row['path']
        key = identity if has_ids else os.path.normpath(identity)
        if key in lines:
            raise UserError(
                f'{row.place}: the id {identity!r} occurs in line {lines[key].line} too. Remove one of '
                'the rows, or give the examples ids of their own in a column id.'
            )
        lines[key] = row
        if not path.is_file():
            missing.append(row)
        label = row['label']
        if label.startswith('='):
            raise UserError(
                f'{row.place}: the label {label!r} is a formula of a spreadsheet. Put its value there.'
            )
        examples.append((identity, path, label))
    if missing:
        raise UserError(_missing(missing))
    return ImageLayout({split: examples})


def _check_files(splits: Splits) -> None:
    """Raises `UserError` if a file belongs to two splits: a test on training examples tests nothing."""
    if all(isinstance(rows, FolderRows) for rows in splits.values()):
        return  # folders have no file in common
    split_of: dict[str, str] = {}
    for split, rows in splits.items():
        for _, path, _ in rows:
            other = split_of.setdefault(os.path.normpath(path), split)
            if other != split:
                raise UserError(f'{path} belongs to {other} and to {split}. Remove it from one of them.')


def _missing(rows: Sequence[ListRow]) -> str:
    """Returns the message about files that a list names and that do not exist."""
    row, more = rows[0], f' Others in this list: {len(rows) - 1:,}.' if len(rows) > 1 else ''
    path = row.table.path.parent / row['path']
    unix = row.table.path.parent / row['path'].replace('\\', '/')
    siblings = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    if path.is_dir():
        hint = ' It is a folder.'
    elif unix.is_file():
        hint = ' Write / instead of \\ between the names of folders.'
    elif close := nearest(path.name, siblings, 1):
        hint = f' Did you mean {close[0]!r}?'
    else:
        hint = f' Paths are relative to {row.table.path.parent}.'
    return f'{row.place}: there is no file {path}.{hint}{more}'


def _held_out(examples: Sequence[Original]) -> Splits:
    """Splits the examples of train into train and val."""
    if len(examples) < 2:
        raise UserError(
            f'There is one image to train on, {examples[0][1]}, and none to validate with. Add images: '
            'without val, at least two of train are needed.'
        )
    is_drawn = holding_out.drawn([row[0] for row in examples], [row[2] for row in examples])
    return {'train': chosen(examples, ~is_drawn), 'val': chosen(examples, is_drawn)}


def _unused(folder: Path, sources: Mapping[str, Path | None], splits: Splits) -> dict[str, list[Path]]:
    """Returns what lies in the folder and belongs to no split, and images that no list names."""
    used = {source for source in sources.values() if source}
    left_out: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path not in used and walk.is_hidden(path.name):
            left_out.setdefault(walk.HIDDEN, []).append(path)
        elif path not in used:
            files = _images(path) if path.is_dir() else [path]
            left_out.setdefault('not part of any split', []).extend(files)
    candidates = left_out.get('not part of any split', [])
    if candidates:
        taken = {os.path.realpath(file) for rows in splits.values() for _, file, _ in rows}
        candidates[:] = [file for file in candidates if os.path.realpath(file) not in taken]
    return {reason: paths for reason, paths in left_out.items() if paths}


def _images(folder: Path) -> Sequence[Path]:
    """Returns the images in a folder that is no split. What cannot be read there does no harm."""
    try:
        return [*map(Path, walk.walk(folder, SUFFIXES, 'images').files)]
    except UserError:
        return ()


def _advice(folder: Path) -> str:
    """Returns a sentence that says what images without a training split are good for, '' without images."""
    command = f'scripts/predict.sh <run> --dataset=images:{folder}'
    return f' A trained model can predict its images: {command}.' if _images(folder) else ''


def _hint(folder: Path) -> str:
    """Returns a sentence that says what the folder holds instead."""
    inside = [path for path in sorted(folder.iterdir()) if path.is_dir() and not walk.is_hidden(path.name)]
    names = ', '.join(path.name for path in inside[:5]) + ', ...' * (len(inside) > 5)
    below = [path for path in inside if _source(path, 'train')]
    if below:
        return f' Did you mean images:{below[0]}?'
    if inside:
        return f' It holds {names}: if these are classes, move them into {folder / "train"}.'
    return ''
