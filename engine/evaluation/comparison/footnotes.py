"""The notes under a comparison: how many examples, which tests, what the marks mean."""

import math
from collections.abc import Sequence

from engine.evaluation.comparison.methods import Method, differing_conditions
from engine.evaluation.comparison.rank import SIGNIFICANCE_LEVEL, Rank
from engine.render.table import BEST, TIED


def footnotes(methods: Sequence[Method], ranks: Sequence[Rank], metric: str) -> str:
    """Returns the sentences under the table.

    Args:
      methods: the best first.
      ranks: how each method compares with the best.
      metric: name of the metric that ranks the methods.
    """
    if methods[0].folds:
        return f'{_on_folds(methods, metric)} {_on_tests_of_folds(methods, ranks, metric)}'
    return f'{_on_values(methods)} {_on_tests(methods, ranks, metric)}'


def _on_folds(methods: Sequence[Method], metric: str) -> str:
    """Returns how the values of a cross-validation were computed."""
    report, folds = methods[0].reports[0], len(methods[0].folds)
    title = report.metrics[metric].definition.title
    seeds = any(len(reports) > 1 for method in methods for reports in method.folds)
    sentences = [
        f'Cross-validation: {len(report.outputs.ids)} examples in {folds} folds, the same for all. Values '
        f'are the mean of {folds} folds{", each of which is the mean of its seeds" * seeds}. After ±: the '
        'standard deviation over the folds.'
    ]
    if methods[0].has_pooled(metric):
        sentences.append(
            f'All examples together: {title} of the predictions for the test parts of all folds, in '
            f'brackets with {report.bootstrap.percent} bootstrap intervals over the examples.'
        )
        if any(len(reports) > len(method.reports) for method in methods for reports in method.folds):
            sentences.append('Seeds that some folds lack do not count there.')
    else:
        sentences.append(f'There is no {title} of all examples together: each fold has a model of its own.')
    undefined = [method.name for method in methods if math.isnan(method.metric(metric).value)]
    if undefined:
        sentences.append(f'{title} is not defined in every fold of {", ".join(undefined)}.')
    for conditions in differing_conditions(methods).values():
        sentences += conditions
    return ' '.join(sentences)


def _on_tests_of_folds(methods: Sequence[Method], ranks: Sequence[Rank], metric: str) -> str:
    title = methods[0].reports[0].metrics[metric].definition.title
    if len(methods) == 1:
        return _ON_ONE_METHOD
    if not any(rank.difference for rank in ranks):
        return f'Sorted by {title}, which was computed in different ways: nothing is marked.'
    folds, percent = len(methods[0].folds), methods[0].reports[0].bootstrap.percent
    return (
        f'Each method is compared with the first by {title}, with the corrected resampled t-test over '
        f'{folds} folds (Nadeau and Bengio 2003; two-sided, 1 test example to {folds - 2} for training). '
        f'In brackets: its {percent} intervals. {_on_correction(len(ranks) - 1)} {_on_marks(ranks)}'
    )


_ON_ONE_METHOD = 'There is no other method to compare with.'


def _on_values(methods: Sequence[Method]) -> str:
    outputs = [source.outputs for method in methods for source in method.inputs]
    examples = len(outputs[0].ids)
    totals = {saved.manifest.examples for saved in outputs} - {examples}
    sentences = [f'{examples} examples, the same for all']
    sentences[0] += f', cut from as many as {max(totals)}.' if totals else '.'
    if any(len(method.reports) == 1 for method in methods):
        percent = methods[0].reports[0].bootstrap.percent
        sentences.append(f'In brackets: {percent} bootstrap intervals over the examples.')
    for conditions in differing_conditions(methods).values():
        sentences += conditions
    if any(len(method.reports) > 1 for method in methods):
        sentences.append('After ±: the standard deviation over seeds, around their mean.')
    return ' '.join(sentences)


def _on_tests(methods: Sequence[Method], ranks: Sequence[Rank], metric: str) -> str:
    report = methods[0].reports[0]
    title = report.metrics[metric].definition.title
    if len(methods) == 1:
        return _ON_ONE_METHOD
    if not any(rank.difference for rank in ranks):
        return f'Sorted by {title}, which cannot be compared example by example: nothing is marked.'
    tests = f'a paired bootstrap over the examples ({report.bootstrap.resamples} resamples, two-sided)'
    if any(rank.mcnemar is not None for rank in ranks):
        tests += " and McNemar's exact test"
    sentences = [f'Each method is compared with the first by {title}, with {tests}.']
    return ' '.join([*sentences, _on_correction(len(ranks) - 1), *_on_seeds(methods), _on_marks(ranks)])


def _on_correction(comparisons: int) -> str:
    if comparisons == 1:
        return 'There is one comparison, so p needs no correction.'
    return f"p is corrected for {comparisons} comparisons by Holm's method."


def _on_seeds(methods: Sequence[Method]) -> list[str]:
    sentences = []
    if any(len(method.reports) > 1 for method in methods):
        sentences.append(
            'Of several seeds the mean is compared: p accounts for other examples and, by '
            "Student's t, for other seeds."
        )
    if any(len(method.reports) == 1 and method.seeds for method in methods):
        sentences.append('For a method with one seed, p does not account for other seeds.')
    return sentences


def _on_marks(ranks: Sequence[Rank]) -> str:
    test = f'p below {SIGNIFICANCE_LEVEL}'
    if any(rank.mcnemar is not None for rank in ranks):
        test += ' by both tests'
    if ranks[0].mark == BEST:
        return f'Bold: the best, significantly better than every other ({test}).'
    ties = sum(rank.mark == TIED for rank in ranks)
    if ties == len(ranks):
        return f'Italic: all are tied; none is significantly worse than the first ({test}).'
    return (
        f'Italic: the {ties} best are tied; only the others are significantly worse than the first ({test}).'
    )
