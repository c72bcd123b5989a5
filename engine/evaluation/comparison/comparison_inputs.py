"""Inputs of a comparison: saved outputs and their runs, read and cut to the same examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine import files
from engine.errors import UserError, did_you_mean
from engine.outputs import finding, reading, subset
from engine.outputs.contents import MANIFEST
from engine.outputs.joint import same_task
from engine.outputs.outputs import Outputs
from engine.outputs.pictures.sequence import equal
from engine.run_reader import origin, settings
from engine.run_reader.folds import HeldOutFold
from engine.run_reader.settings import Settings

CONFIG = 'config.gin'
_ON_OTHER_EXAMPLES = (
    'Compare outputs of the same split, or pass --intersect to compare on the common examples.'
)


@dataclass(frozen=True)
class ComparisonInput:
    """Outputs and their run.

    Attributes:
      folder: the run's folder, or the outputs' folder if they belong to no run.
      outputs: the outputs.
      settings: settings of the run's config; None if there is no run.
      commits: every version of the code that took part, such as `c0ffee0`. With uncommitted changes, '+' and
        the first characters of their digest follow.
      code: the digest of each of them over the files that train; the commits where there is none.
      order_files: the sha256 of each file that ordered the training examples, by its name.
    """

    folder: Path
    outputs: Outputs
    settings: Settings | None
    commits: Sequence[str]
    code: Sequence[str]
    order_files: Mapping[str, str] = field(default_factory=dict)

    @property
    def seed(self) -> str:
        """The seed, from the run or from the details of the outputs; '' if unknown."""
        return self.settings.seed if self.settings else self.outputs.manifest.details.get('seed', '')

    @property
    def fold(self) -> HeldOutFold | None:
        """The fold that was predicted, by the run or by details of the outputs; None without one."""
        if self.settings:
            return self.settings.fold
        manifest = self.outputs.manifest
        index, count = (manifest.details.get(name, '') for name in ('fold', 'folds'))
        if not (index.isdecimal() and count.isdecimal()):
            return None
        return HeldOutFold(int(index), int(count), manifest.dataset)

    @property
    def part(self) -> int:
        """The number of the fold, 0 without one. All outputs of a part have the same examples."""
        return self.fold.index if self.fold else 0

    @property
    def method(self) -> object:
        """What the outputs of one method have in common.

        Runs share the config apart from the seed and the fold, the files that order the examples, the code
        and the name of the outputs. Outputs that belong to no run are a method each, unless their details
        name the same `method`.
        """
        if self.settings is None:
            return self.outputs.manifest.details.get('method', self.folder)
        files = frozenset(self.order_files.items())
        return frozenset(self.settings.values.items()), files, tuple(self.code), self.outputs.folder.name


def find(paths: Sequence[str | Path], split: str) -> tuple[list[ComparisonInput], list[str]]:
    """Finds and reads outputs.

    Args:
      paths: runs, outputs folders, or folders with some of either at any depth.
      split: the outputs to read of each run. Outputs that belong to no run and state another split are left
        out, unless they are passed themselves.

    Returns:
      The outputs, and a note for each run without outputs of the split: it is left out.

    Raises:
      UserError: a path does not exist or holds neither runs nor outputs, no run has outputs of the split, or
        outputs are damaged.
    """
    by_folder: dict[Path, ComparisonInput] = {}
    without: list[Path] = []
    for path in map(Path, paths):
        for folder in [path] if finding.is_outputs(path) else _below(path):
            saved = _outputs_of(folder, split)
            if not saved:
                without.append(folder)
                continue
            source = read(saved)
            if folder == path or _is_run(folder) or source.outputs.manifest.split in ('', split):
                by_folder.setdefault(source.outputs.folder.resolve(), source)
    if without and not any(source.settings for source in by_folder.values()):
        raise UserError(_on_no_outputs(without[0], split))
    if not by_folder:
        raise UserError(f'No outputs of the split {split!r} in: {", ".join(map(str, paths))}.')
    return list(by_folder.values()), [_on_left_out(run, split) for run in without]


def without_duplicates(inputs: Sequence[ComparisonInput]) -> tuple[list[ComparisonInput], list[str]]:
    """Leaves out a second run of the same method, fold and seed, which is not an independent result.

    Returns:
      The other inputs, and a note for each input that is left out.
    """
    kept: dict[object, ComparisonInput] = {}
    notes = []
    for source in inputs:
        first = kept.setdefault((source.method, source.fold, source.seed), source)
        if first is not source:
            notes.append(_on_duplicate(first, source))
    return list(kept.values()), notes


def read(folder: Path) -> ComparisonInput:
    """Reads an outputs folder, and the config and code of its run if it has one."""
    run = folder.resolve().parent.parent
    outputs = reading.read(folder)
    commits, code = outputs.manifest.commits, outputs.manifest.code
    if not (run / CONFIG).is_file():
        return ComparisonInput(folder.resolve(), outputs, None, commits, code or commits)
    if not commits:
        commits, code = origin.versions(run)
    parsed, order_files = settings.parse(_text(run / CONFIG)), origin.order_files(run)
    return ComparisonInput(run, outputs, parsed, commits, code or commits, order_files)


def common(inputs: Sequence[ComparisonInput], intersect: bool) -> list[ComparisonInput]:
    """Cuts outputs to the same examples, in the order of the first outputs; each fold by itself.

    Args:
      inputs: at least one.
      intersect: whether outputs may have different examples; only common ones are kept.

    Raises:
      UserError: kinds or examples differ, or there is no common example.
    """
    for source in inputs[1:]:
        same_task.check_kind(inputs[0].outputs, source.outputs)
    groups: dict[int, list[ComparisonInput]] = {}
    for source in inputs:
        groups.setdefault(source.part, []).append(source)
    ids = {part: _common_ids(group, intersect) for part, group in groups.items()}
    return [replace(source, outputs=subset.of_ids(source.outputs, ids[source.part])) for source in inputs]


def _common_ids(group: Sequence[ComparisonInput], intersect: bool) -> tuple[str, ...]:
    first, *others = [source.outputs for source in group]
    if not intersect:
        for other in others:
            same_task.check_ids(first, other, _ON_OTHER_EXAMPLES)
    shared = set(first.ids).intersection(*(other.ids for other in others))
    if not shared:
        raise UserError(f'{first.folder} and the other outputs have no example in common.')
    return tuple(name for name in first.ids if name in shared)


def check_comparable(inputs: Sequence[ComparisonInput]) -> None:
    """Raises `UserError` if classes, details that must be equal, or labels and targets differ."""
    first_of_fold: dict[int, ComparisonInput] = {}
    for source in inputs:
        same_task.check_classes(inputs[0].outputs, source.outputs)
        reference = first_of_fold.setdefault(source.part, source)
        if reference is not source:
            same_task.check_labels(reference.outputs, source.outputs)


# Search.


def _is_run(folder: Path) -> bool:
    return (folder / CONFIG).is_file()


def _below(path: Path) -> list[Path]:
    """Returns the runs and the outputs folders at or below a path."""
    folders = files.topmost(path, lambda folder: _is_run(folder) or finding.is_outputs(folder))
    if not folders:
        raise UserError(f'{path} contains neither runs nor outputs. Pass a run or an outputs folder.')
    return folders


def _outputs_of(folder: Path, split: str) -> Path | None:
    """Returns the outputs folder of a run, or `folder` itself if it is one; None if a run has none."""
    if not _is_run(folder):
        return folder
    saved = folder / 'outputs' / split
    return saved if (saved / MANIFEST).is_file() else None


# Notes and messages.


def _on_left_out(run: Path, split: str) -> str:
    return (
        f'{run} is left out: it has no outputs of {split!r}. '
        f'Write them with scripts/predict.sh {run} --split={split}.'
    )


def _on_no_outputs(run: Path, split: str) -> str:
    splits = [manifest.parent.name for manifest in (run / 'outputs').glob(f'*/{MANIFEST}')]
    return (
        f'{run} has no outputs of {split!r}. {did_you_mean(split, splits)} Write them with '
        f'scripts/predict.sh {run} --split={split}, or choose another split with --split.'
    )


def _on_duplicate(first: ComparisonInput, second: ComparisonInput) -> str:
    same = first.outputs.ids == second.outputs.ids and all(
        name in second.outputs.arrays and equal(array, second.outputs.arrays[name])
        for name, array in first.outputs.arrays.items()
    )
    if first.settings is None:
        same_part = 'the same fold and seed' if first.fold else 'the same seed'
        cause = f'both name the method {first.method!r} and {same_part}. State each seed in the details'
    else:
        what = 'config, fold, seed' if first.fold else 'config, seed'
        cause = f'its {what} and code are the same' + ('' if same else ', but its outputs differ')
    return f'{second.folder} is left out as a duplicate of {first.folder}: {cause}.'


# Reading.


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f'{path} cannot be read: {error}. Restore it, or pass copies of the outputs alone.'
        ) from error
