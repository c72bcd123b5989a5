"""Inputs of a comparison: saved outputs and their runs, read and cut to the same examples."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine import files
from engine.errors import UserError, did_you_mean
from engine.outputs import finding, kind_folders, reading, subset
from engine.outputs.contents import MANIFEST
from engine.outputs.outputs import Outputs
from engine.run_reader import settings
from engine.run_reader.settings import Settings

CONFIG, ENVIRONMENT, UNCOMMITTED = 'config.gin', 'environment.json', 'uncommitted.diff'


@dataclass(frozen=True)
class ComparisonInput:
    """Outputs and their run.

    Attributes:
      folder: the run's folder, or the outputs' folder if they belong to no run.
      outputs: the outputs.
      settings: settings of the run's config; None if there is no run.
      commit: first characters of the run's commit. With uncommitted changes, '+' and the first characters
        of their digest follow. '' if unknown.
    """

    folder: Path
    outputs: Outputs
    settings: Settings | None
    commit: str

    @property
    def seed(self) -> str:
        """The seed, from the run or from the details of the outputs; '' if unknown."""
        return self.settings.seed if self.settings else self.outputs.manifest.details.get('seed', '')


def find(paths: Iterable[str | Path], split: str) -> list[ComparisonInput]:
    """Finds and reads outputs.

    Args:
      paths: runs, outputs folders, or folders with some of either at any depth.
      split: the outputs to read of each run. Outputs that belong to no run and state another split are left
        out, unless they are passed themselves.

    Raises:
      UserError: a path does not exist or has no such outputs, or outputs are damaged.
    """
    by_folder: dict[Path, ComparisonInput] = {}
    for path in map(Path, paths):
        for source in [read(path)] if finding.is_outputs(path) else _below(path, split):
            by_folder.setdefault(source.outputs.folder.resolve(), source)
    return list(by_folder.values())


def read(folder: Path) -> ComparisonInput:
    """Reads an outputs folder, and the config and commit of its run if it has one."""
    run = folder.resolve().parent.parent
    if not (run / CONFIG).is_file():
        return ComparisonInput(folder.resolve(), reading.read(folder), None, '')
    return ComparisonInput(run, reading.read(folder), settings.parse(_text(run / CONFIG)), _commit(run))


def common(inputs: Sequence[ComparisonInput], intersect: bool) -> list[ComparisonInput]:
    """Cuts outputs to the same examples, in the order of the first outputs.

    Args:
      inputs: at least one.
      intersect: whether outputs may have different examples; only common ones are kept.

    Raises:
      UserError: kinds or examples differ, or there is no common example.
    """
    first = inputs[0].outputs
    for source in inputs[1:]:
        _check_kind(first, source.outputs)
        if not intersect:
            _check_ids(first, source.outputs)
    shared = set(first.ids).intersection(*(source.outputs.ids for source in inputs))
    if not shared:
        raise UserError(f'{first.folder} and the other outputs have no example in common.')
    ids = tuple(name for name in first.ids if name in shared)
    return [replace(source, outputs=subset.of_ids(source.outputs, ids)) for source in inputs]


def check_comparable(inputs: Sequence[ComparisonInput]) -> None:
    """Raises `UserError` if classes, details that must be equal, or labels and targets differ."""
    for source in inputs[1:]:
        _check_same_task(inputs[0].outputs, source.outputs)


# Search.


def _below(path: Path, split: str) -> list[ComparisonInput]:
    folders = files.topmost(path, lambda folder: (folder / CONFIG).is_file() or finding.is_outputs(folder))
    inputs = [source for folder in folders for source in _in(folder, split)]
    if not inputs:
        raise UserError(f'{path} contains neither runs nor outputs of the split {split!r}.')
    return inputs


def _in(folder: Path, split: str) -> list[ComparisonInput]:
    """Returns the outputs of a run, or the outputs in `folder` unless they state another split."""
    if (folder / CONFIG).is_file():
        return [read(_of_run(folder, split))]
    source = read(folder)
    return [source] if source.outputs.manifest.split in ('', split) else []


def _of_run(run: Path, split: str) -> Path:
    folder = run / 'outputs' / split
    if not (folder / MANIFEST).is_file():
        splits = [manifest.parent.name for manifest in (run / 'outputs').glob(f'*/{MANIFEST}')]
        raise UserError(
            f'{run} has no outputs of {split!r}. {did_you_mean(split, splits)} Write them with '
            f'scripts/predict.sh {run} --split={split}, choose another split with --split, or leave out the '
            'run.'
        )
    return folder


# Reading.


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f'{path} cannot be read: {error}. Restore it, or pass copies of the outputs alone.'
        ) from error


def _commit(run: Path) -> str:
    if not (run / ENVIRONMENT).is_file():
        return ''
    try:
        environment = json.loads(_text(run / ENVIRONMENT))
        commit, dirty = environment.get('commit'), environment.get('dirty')
    except (ValueError, RecursionError, AttributeError) as error:
        raise UserError(f'{run / ENVIRONMENT} is damaged: {error}. Restore or delete it.') from error
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
            'they cannot be compared. Pass outputs of one kind.'
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
        'Compare outputs of the same split, or pass --intersect to compare on the common examples.'
    )


def _check_same_task(first: Outputs, other: Outputs) -> None:
    if first.class_names and other.class_names and first.class_names != other.class_names:
        raise UserError(
            f'{first.folder} and {other.folder} have different classes. Compare outputs of the same classes.'
        )
    if first.classes != other.classes:
        raise UserError(
            f'{first.folder} has {first.classes} classes and {other.folder} {other.classes}. '
            'Compare outputs of the same classes.'
        )
    declared = kind_folders.declaration(first.kind)
    for name in declared.comparable_details:
        _check_same_detail(name, first, other)
    for name in declared.from_data:
        if name in first.arrays and name in other.arrays:
            _check_same(name, first, other)


def _check_same_detail(name: str, first: Outputs, other: Outputs) -> None:
    one, two = (saved.manifest.details.get(name) for saved in (first, other))
    if one != two:
        raise UserError(
            f'the detail {name} is {one} in {first.folder} and {two} in {other.folder}, so their metrics '
            f'cannot be compared. Save outputs with the same {name}.'
        )


def _check_same(name: str, first: Outputs, other: Outputs) -> None:
    one, two = first.arrays[name], other.arrays[name]
    # CPUs and GPUs round computed numbers, such as features, differently.
    near = np.allclose if one.dtype.kind == 'f' else np.array_equal
    if one.shape != two.shape or not near(one, two):
        raise UserError(
            f'{name}.npy of {first.folder} and {other.folder} differ, although the ids are equal: the data '
            'differ. Compare outputs of the same version of a dataset.'
        )
