"""Damaged images of a dataset: refuses them by name, or leaves out as many as the user allows."""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from engine import files
from engine.datasets.reading import lists as dataset_lists
from engine.datasets.reading.image_report import MAX_NAMED, ImageReport
from engine.errors import UserError

FILE = 'unusable.csv'  # beside the lists of the splits
ANY_SHARE = math.nextafter(1, 0)  # allows any number of damaged images, but not all


class UnusableImagesError(UserError):
    """More images cannot be used than the user allows."""


def check_allowed(share: float) -> None:
    """Raises `UserError` unless a share of images that may be left out is valid."""
    if not 0 <= share < 1:
        raise UserError(
            f'allow_damaged = {share}: give a share of all examples, 0 or more and below 1, such as 0.01.'
        )


def check_share(report: ImageReport, counts: Mapping[str, int], allowed: float, lists: Path) -> None:
    """Names the files of the images that cannot be used, and lists them in a file beside the lists.

    Args:
      report: names the images.
      counts: the number of all examples of each split.
      allowed: the share of the examples that may be left out.
      lists: the folder of the lists, which give the file of each example.

    Raises:
      UnusableImagesError: more than this share cannot be used, or all examples of a split.
    """
    (lists / FILE).unlink(missing_ok=True)
    if not report.left_out:
        return
    _name_files(report, lists)
    _write_list(report, lists / FILE)
    emptied = [split for split, count in counts.items() if 0 < count <= len(report.left_out_of(split))]
    count, total = len(report.left_out), sum(counts.values())
    if count > allowed * total or emptied:
        named = '\n'.join(f'  {image}' for image in report.left_out[:MAX_NAMED])
        more = f'\n  and {count - MAX_NAMED:,} more' if count > MAX_NAMED else ''
        raise UnusableImagesError(
            f'{count:,} of {total:,} examples cannot be used:\n{named}{more}\n'
            f'All of them: {lists / FILE}\n{_advice(count / total, emptied)}'
        )


def _advice(share: float, emptied: list[str]) -> str:
    if emptied:
        return f'Nothing would be left of {" and ".join(emptied)}. Repair or replace these files.'
    enough = math.ceil(share * 1000) / 1000
    return (
        'Repair, replace or remove these files. Or leave them out by name: bind '
        f'trainer.Trainer.allow_damaged = {enough:g} in the config, or build with --allow_damaged={enough:g}.'
    )


def _name_files(report: ImageReport, lists: Path) -> None:
    """Fills in the original file of each image, if the lists give it."""
    splits = {image.split for image in report.left_out}
    paths = {split: dataset_lists.original_files(lists / f'{split}.csv') for split in splits}
    report.left_out[:] = [
        replace(image, file=paths[image.split].get(image.id, '')) for image in report.left_out
    ]


def _write_list(report: ImageReport, file: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(('split', 'id', 'path', 'reason'))
    writer.writerows((image.split, image.id, image.file, image.reason) for image in report.left_out)
    file.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(file, text.getvalue())
