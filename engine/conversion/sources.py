"""Recognises which tool wrote a file, and converts it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import files, lists
from engine.conversion import array_files, coco, prediction_table, yolo
from engine.conversion.converted import Converted
from engine.errors import UserError

ARRAY_KINDS = ('classification', 'dense', 'embeddings', 'multilabel', 'regression', 'segmentation')
KINDS = tuple(sorted((*ARRAY_KINDS, 'detection')))
_KINDS_OF = {
    'table': ('classification', 'regression'),
    'arrays': ARRAY_KINDS,
    'coco': ('detection',),
    'yolo': ('detection',),
}
_ENDINGS = {
    '.csv': 'table',
    '.tsv': 'table',
    '.txt': 'table',
    '.npz': 'arrays',
    '.npy': 'arrays',
    '.json': 'coco',
}


@dataclass(frozen=True)
class Source:
    """The files to convert, and what their owner says of them.

    Attributes:
      paths: the files, or a folder.
      annotations: true boxes: COCO's annotations, or a folder of YOLO labels.
      images: the folder of the pictures that YOLO labels belong to.
      class_names: names of the classes in order, or ().
      columns: name of the column or array of a role: 'id', 'label' or 'prediction'.
      kind: the kind, or '' to recognise it.
    """

    paths: Sequence[Path]
    annotations: Path | None = None
    images: Path | None = None
    class_names: Sequence[str] = ()
    columns: Mapping[str, str] | None = None
    kind: str = ''


def convert(source: Source) -> Converted:
    """Converts predictions of another tool.

    Raises:
      UserError: a file does not exist, nobody knows its format, or its content is not valid.
    """
    form = _form(source)
    columns = source.columns or {}
    if form == 'yolo':
        return yolo.convert(source.paths[0], source.annotations, source.images, source.class_names)
    if form == 'coco':
        return coco.convert(source.paths[0], source.annotations)
    if form == 'arrays':
        return array_files.convert(source.paths, columns, source.class_names, source.kind)
    table = lists.read(source.paths[0])
    return prediction_table.convert(table, columns, source.class_names, source.kind)


def _form(source: Source) -> str:
    """Returns 'table', 'arrays', 'coco' or 'yolo'."""
    for path in source.paths:
        if not path.exists():
            raise UserError(f'{path} does not exist.{files.nearest_sibling(path)}')
    first = source.paths[0]
    form = 'yolo' if first.is_dir() else _ENDINGS.get(first.suffix.lower(), '')
    if not form:
        raise UserError(
            f'{first}: unknown format. Give .csv, .npz, .npy or .json, or a folder of YOLO labels. Save '
            'tensors of PyTorch with numpy.savez(file, predictions=logits.numpy(), labels=labels.numpy()).'
        )
    if source.kind and source.kind not in _KINDS_OF[form]:
        known = ', '.join(_KINDS_OF[form])
        raise UserError(f'--kind={source.kind}: {first} becomes outputs of another kind: {known}.')
    if len(source.paths) > 1 and any(path.suffix.lower() != '.npy' for path in source.paths):
        raise UserError(f'{source.paths[1]}: give one file, or several .npy files of one array each.')
    return form
