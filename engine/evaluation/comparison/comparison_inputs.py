"""Saved outputs and the runs that they are from: found, read and brought to the same examples."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine import files
from engine.errors import UserError, did_you_mean
from engine.outputs import outputs, subset
from engine.outputs.outputs import Outputs
from engine.run_reader import settings
from engine.run_reader.settings import Settings

CONFIG, STACK, UNCOMMITTED = 'config.gin', 'environment.json', 'uncommitted.diff'
EXTRACTOR = 'extractor_sha256'  # the detail of generated outputs that tells what made their features
# Of each kind, what the data tell and no method may change.
_TRUTHS = (
    'labels',
    'targets',
    'lengths',
    'reference_features',
    'target_boxes',
    'target_classes',
    'target_example',
)


@dataclass(frozen=True)
class ComparisonInput:
    """Outputs and what is known of their making.

    Attributes:
      folder: the run's, or the outputs' where they are no run's.
      outputs: what was predicted.
      settings: what the run's config says; None where there is no run.
      commit: first letters of the run's commit; with changes that were not committed, '+' and the first
        letters of their digest. '' if unknown.
    """

    folder: Path
    outputs: Outputs
    settings: Settings | None
    commit: str

    @property
    def seed(self) -> str:
        """The seed: of the run, or what the details of the outputs say; '' if unknown."""
        return self.settings.seed if self.settings else self.outputs.manifest['details'].get('seed', '')


def find(paths: Iterable[str | Path], split: str) -> list[ComparisonInput]:
    """Finds and reads outputs.

    Args:
      paths: runs, outputs folders, or folders that hold some of either at any depth.
      split: which outputs of a run to take. Others, unless given by themselves, are left out if they state
        another split.

    Raises:
      UserError: a path does not exist or holds no such outputs, or outputs are damaged.
    """
    found: dict[Path, ComparisonInput] = {}
    for path in map(Path, paths):
        for each in [read(path)] if outputs.is_outputs(path) else _below(path, split):
            found.setdefault(each.outputs.folder.resolve(), each)
    return list(found.values())


def read(folder: Path) -> ComparisonInput:
    """Reads an outputs folder and, where it stands in one, what is known of the run."""
    run = folder.resolve().parent.parent
    if not (run / CONFIG).is_file():
        return ComparisonInput(folder.resolve(), outputs.read(folder), None, '')
    return ComparisonInput(run, outputs.read(folder), settings.parse(_text(run / CONFIG)), _commit(run))


def common(inputs: Sequence[ComparisonInput], intersect: bool) -> list[ComparisonInput]:
    """Brings outputs to the same examples in the order of the first.

    Args:
      inputs: at least one.
      intersect: whether to cut them to the examples that all have, where these differ.

    Raises:
      UserError: kinds or examples differ, or no example is common to all.
    """
    first = inputs[0].outputs
    for each in inputs[1:]:
        _check_kind(first, each.outputs)
        if not intersect:
            _check_ids(first, each.outputs)
    there = set(first.ids).intersection(*(each.outputs.ids for each in inputs))
    if not there:
        raise UserError(f'{first.folder} and the other outputs have no example in common.')
    ids = tuple(each for each in first.ids if each in there)
    return [replace(each, outputs=subset.of_ids(each.outputs, ids)) for each in inputs]


def check_comparable(inputs: Sequence[ComparisonInput]) -> None:
    """Raises `UserError` if classes, extractors of features, or what is known of the examples differ."""
    for each in inputs[1:]:
        _check_same_question(inputs[0].outputs, each.outputs)


# Finding.


def _below(path: Path, split: str) -> list[ComparisonInput]:
    there = files.topmost(path, lambda folder: (folder / CONFIG).is_file() or outputs.is_outputs(folder))
    found = [source for folder in there for source in _in(folder, split)]
    if not found:
        raise UserError(f'{path}: neither runs nor outputs of the split {split!r} in it or below it.')
    return found


def _in(folder: Path, split: str) -> list[ComparisonInput]:
    """Returns the outputs of a run, or outputs themselves unless they state another split."""
    if (folder / CONFIG).is_file():
        return [read(_of_run(folder, split))]
    source = read(folder)
    return [source] if source.outputs.split in ('', split) else []


def _of_run(run: Path, split: str) -> Path:
    folder = run / 'outputs' / split
    if not (folder / outputs.MANIFEST).is_file():
        there = [each.parent.name for each in (run / 'outputs').glob(f'*/{outputs.MANIFEST}')]
        raise UserError(
            f'{run} has no outputs of {split!r}. {did_you_mean(split, there)} Write them with '
            f'scripts/predict.sh {run} --split={split}, choose others with --split, or leave the run out.'
        )
    return folder


# Reading.


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{path} cannot be read: {error}. Restore it, or give the outputs alone.') from error


def _commit(run: Path) -> str:
    if not (run / STACK).is_file():
        return ''
    try:
        stack = json.loads(_text(run / STACK))
        commit, dirty = stack.get('commit'), stack.get('dirty')
    except (ValueError, RecursionError, AttributeError) as error:
        raise UserError(f'{run / STACK} is damaged: {error}. Restore or delete it.') from error
    if not isinstance(commit, str):
        return ''
    changes = run / UNCOMMITTED
    if not dirty or not changes.is_file():
        return commit[:7] + '+' * bool(dirty)
    return f'{commit[:7]}+{hashlib.sha256(changes.read_bytes()).hexdigest()[:4]}'


# The same examples.


def _check_kind(first: Outputs, other: Outputs) -> None:
    if first.kind != other.kind:
        raise UserError(
            f'{first.folder} holds outputs of kind {first.kind!r} and {other.folder} of kind {other.kind!r}: '
            'these cannot be compared. Give outputs of one kind.'
        )


def _check_ids(first: Outputs, other: Outputs) -> None:
    here, there = set(first.ids), set(other.ids)
    if here == there:
        return
    example = min(here ^ there)
    owner = first if example in here else other
    raise UserError(
        f'{first.folder} has {len(here)} examples and {other.folder} {len(there)}, of which '
        f'{len(here & there)} are the same: {example!r} is only in {owner.folder}. '
        'Compare outputs of the same split, or pass --intersect to compare on the examples that all have.'
    )


def _check_same_question(first: Outputs, other: Outputs) -> None:
    if first.class_names and other.class_names and first.class_names != other.class_names:
        raise UserError(f'{first.folder} and {other.folder} have other classes: compare what has the same.')
    if first.classes != other.classes:
        raise UserError(
            f'{first.folder} knows {first.classes} classes and {other.folder} {other.classes}: '
            'compare what has the same.'
        )
    one, two = (each.manifest['details'].get(EXTRACTOR) for each in (first, other))
    if one != two:
        raise UserError(
            f'the features of {first.folder} and {other.folder} are from different extractors: {EXTRACTOR} '
            f'is {one} and {two}. Their distances cannot be compared; save features of the same extractor.'
        )
    for name in _TRUTHS:
        if name in first.arrays and name in other.arrays:
            _check_same(name, first, other)


def _check_same(name: str, first: Outputs, other: Outputs) -> None:
    one, two = first.arrays[name], other.arrays[name]
    # Numbers that were computed, such as features, are rounded otherwise on another machine.
    near = np.allclose if one.dtype.kind == 'f' else np.array_equal
    if one.shape != two.shape or not near(one, two):
        raise UserError(
            f'{name}.npy of {first.folder} and {other.folder} differ, though the ids are the same: they are '
            'not about the same data. Compare outputs of the same version of a dataset.'
        )
