"""Cross-validation: runs that differ only in their fold, and in their seed, are one method.

Each example is in the test part of one fold. A method's value is the mean over its folds; the seeds of a fold
are averaged first. Metrics to which each example adds by itself are also computed on the examples of all
folds together. Scores of different models have no common scale, so that metrics which sort examples by their
scores, such as areas under curves, are not.

Source: Forman and Scholz, Apples-to-Apples in Cross-Validation Studies, SIGKDD Explorations 2010.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.errors import UserError
from engine.evaluation.comparison.comparison_inputs import ComparisonInput
from engine.evaluation.comparison.methods import Method
from engine.evaluation.results.report import Report
from engine.outputs.joint.pooled import pooled
from engine.outputs.outputs import Outputs

MIN_FOLDS = 3  # one to test on, one to choose the checkpoint, and one to train on


def is_divided(inputs: Sequence[ComparisonInput]) -> bool:
    """Returns whether the inputs are folds of cross-validations.

    Raises:
      UserError: only some are, the numbers of folds differ, or a method lacks folds.
    """
    first, *others = inputs
    for source in others:
        _check_same_division(first, source)
    if not first.fold:
        return False
    for members in by_method(inputs):
        _check_complete(members)
    return True


def check_disjoint(inputs: Sequence[ComparisonInput]) -> None:
    """Raises `UserError` if an example is in several folds."""
    owners: dict[str, ComparisonInput] = {}
    for source in inputs:
        for identity in source.outputs.ids:
            owner = owners.setdefault(identity, source)
            if owner.fold != source.fold:
                raise UserError(
                    f'the example {identity!r:.100} is in the fold of {owner.outputs.folder} and in that of '
                    f'{source.outputs.folder}. Compare the test parts of one division: pass --split=test.'
                )


def by_method(inputs: Sequence[ComparisonInput]) -> list[list[ComparisonInput]]:
    """Returns the inputs of each method, in the order of the first ones."""
    members: dict[object, list[ComparisonInput]] = {}
    for source in inputs:
        members.setdefault(source.method, []).append(source)
    return list(members.values())


def methods(
    inputs: Sequence[ComparisonInput],
    report: Callable[[Outputs], Report],
    report_without_intervals: Callable[[Outputs], Report],
) -> list[Method]:
    """Evaluates the folds of each method, and all examples together.

    Args:
      inputs: complete and disjoint folds.
      report: evaluates outputs.
      report_without_intervals: evaluates outputs whose intervals nobody reads.
    """
    return [
        _method(members, place, report, report_without_intervals)
        for place, members in enumerate(by_method(inputs))
    ]


def _method(
    members: Sequence[ComparisonInput],
    place: int,
    report: Callable[[Outputs], Report],
    report_without_intervals: Callable[[Outputs], Report],
) -> Method:
    folds: dict[int, list[ComparisonInput]] = {}
    for source in sorted(members, key=lambda source: source.part):
        folds.setdefault(source.part, []).append(source)
    seeds = min(map(len, folds.values()))  # each seed makes one prediction of all examples
    together = [_pooled([sources[seed] for sources in folds.values()]) for seed in range(seeds)]
    return Method(
        [source for sources in folds.values() for source in sources],
        [report(outputs) for outputs in together],
        place,
        folds=[
            [report_without_intervals(source.outputs) for source in sources] for sources in folds.values()
        ],
    )


def _pooled(sources: Sequence[ComparisonInput]) -> Outputs:
    together = pooled([source.outputs for source in sources])
    fold = sources[0].fold
    name = fold.dataset if fold and fold.dataset else together.manifest.dataset
    return replace(together, manifest=replace(together.manifest, dataset=name))


def _check_same_division(first: ComparisonInput, other: ComparisonInput) -> None:
    one, two = first.fold, other.fold
    if not (one or two):
        return
    if not (one and two):
        divided, fixed = (first, other) if one else (other, first)
        raise UserError(
            f'{divided.folder} is tested on a fold of a cross-validation and {fixed.folder} on a split that '
            'is not divided. Compare one or the other.'
        )
    if one.count != two.count:
        raise UserError(
            f'{first.folder} belongs to a cross-validation with {one.count} folds and {other.folder} to one '
            f'with {two.count}. Compare methods on the same folds.'
        )


def _check_complete(members: Sequence[ComparisonInput]) -> None:
    first, known = members[0], {source.part for source in members}
    count = first.fold.count if first.fold else 0
    if count < MIN_FOLDS or max(known) >= count:
        raise UserError(
            f'{first.folder} is fold {max(known)} of {count}. A cross-validation has at least {MIN_FOLDS} '
            'folds, counted from 0.'
        )
    missing = [index for index in range(count) if index not in known]
    if missing:
        are = 'is' if len(missing) == 1 else 'are'
        raise UserError(
            f'{first.folder} belongs to a cross-validation with {count} folds, of which '
            f'{_listed(missing)} {are} missing. Folds of one method differ in fold and seed alone, not in '
            'code. Train and predict the rest, or leave this method out.'
        )


def _listed(indices: Sequence[int]) -> str:
    """Returns numbers as text, with ranges.

    >>> _listed([0, 2, 3, 4, 6])
    '0, 2-4, 6'
    """
    starts = [index for index in indices if index - 1 not in indices]
    ends = [index for index in indices if index + 1 not in indices]
    return ', '.join(
        str(start) if start == end else f'{start}-{end}' for start, end in zip(starts, ends, strict=True)
    )
