"""The report of a build: how many examples each split and class has, what was left out, what is odd."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.datasets.building import features, ids, labels
from engine.datasets.reading.image_report import ImageReport
from engine.interfaces import Spec

FILE = 'report.txt'  # in the folder of the arrays


def write(builder: Any, folder: Path) -> None:
    """Writes the report of a build into the folder of its arrays.

    Args:
      builder: of the dataset.
      folder: of the arrays.
    """
    spec = features.spec(builder)
    taken = _taken(folder, spec, ImageReport.read(folder), builder.info.splits)
    lines = [*taken, *remarks(builder, folder, spec)]
    (folder / FILE).write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')


def read(folder: Path) -> str:
    """Returns the report of a build, '' if there is none."""
    file = folder / FILE
    return file.read_text(encoding='utf-8').rstrip('\n') if file.is_file() else ''


def remarks(builder: Any, folder: Path, spec: Spec) -> list[str]:
    """Returns what was left out of a dataset and why, and what is odd about its classes."""
    own = builder.remarks() if hasattr(builder, 'remarks') else ()
    fields: dict[str, list[str]] = {}
    for field, reason in features.unused_fields(builder).items():
        fields.setdefault(reason, []).append(field)
    unused = [f'left out, {", ".join(names)}: {reason}' for reason, names in fields.items()]
    counted = labels.counts(folder, list(builder.info.splits), spec)
    identities = (
        identity
        for split in builder.info.splits
        for identity in (folder / split / 'ids.txt').read_text(encoding='utf-8').split('\n')
    )
    odd = [*labels.remarks(spec, counted), *ids.remarks(identities)]
    return [*ImageReport.read(folder).lines(), *unused, *own, *(f'note: {remark}' for remark in odd)]


def _taken(folder: Path, spec: Spec, images: ImageReport, splits: Any) -> Iterator[str]:
    """Yields a line for each split: its examples, and those of each class of the first label."""
    field, counted = next(iter(labels.counts(folder, list(splits), spec).items()), ('', {}))
    for split, info in splits.items():
        classes = labels.described(spec.class_names[field], counted[split]) if field else ''
        count = info.num_examples - len(images.left_out_of(split))
        yield f'{split} {count:,}' + (f': {classes}' if classes else '')
