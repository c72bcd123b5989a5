"""What stands under a comparison: on how many examples, by which tests, what the marks mean."""

from collections.abc import Sequence

from engine.evaluation.comparison.methods import Method, are_alike
from engine.evaluation.comparison.ranking import SIGNIFICANT, Rank
from engine.render.table_formats import BEST, TIED


def note(methods: Sequence[Method], found: Sequence[Rank], name: str) -> str:
    """Returns the sentences under the table.

    Args:
      methods: the best first.
      found: how each of them stands.
      name: of the metric by which they are compared.
    """
    return f'{_of_values(methods)} {_of_tests(methods, found, name)}'


def _of_values(methods: Sequence[Method]) -> str:
    found = [source.outputs for method in methods for source in method.inputs]
    totals = {each.manifest['examples'] for each in found} - {len(found[0].ids)}
    parts = [f'{len(found[0].ids)} examples, the same for all']
    parts[0] += f', cut from as many as {max(totals)}.' if totals else '.'
    if any(len(method.reports) == 1 for method in methods):
        percent = methods[0].reports[0].bootstrap.percent
        parts.append(f'In brackets: {percent} bootstrap intervals over the examples.')
    if not are_alike(methods, 'log_loss'):
        parts.append('Log loss takes probabilities below 1.2e-7 as that, and what logits make as it is.')
    if any(len(method.reports) > 1 for method in methods):
        parts.append('After ±: the standard deviation over seeds, around their mean.')
    return ' '.join(parts)


def _of_tests(methods: Sequence[Method], found: Sequence[Rank], name: str) -> str:
    report = methods[0].reports[0]
    title = report.metrics[name].definition.title
    if len(methods) == 1:
        return 'There is no other method to compare with.'
    if not any(each.difference for each in found):
        return f'Sorted by {title}, which cannot be compared example by example: nothing is marked.'
    tests = f'a paired bootstrap over the examples ({report.bootstrap.resamples} resamples, two-sided)'
    if any(each.mcnemar is not None for each in found):
        tests += " and McNemar's exact test"
    parts = [f'Each method is compared with the first by {title}: {tests}.', _of_correction(len(found) - 1)]
    if any(len(method.reports) > 1 for method in methods):
        parts.append(
            'Of several seeds the mean is compared: p speaks of other examples and, by '
            "Student's t, of other seeds."
        )
    if any(len(method.reports) == 1 and method.seeds for method in methods):
        parts.append('Where a method has one seed, p knows nothing of others.')
    return ' '.join([*parts, _of_marks(found)])


def _of_correction(comparisons: int) -> str:
    if comparisons == 1:
        return 'There is one comparison, so p needs no correction.'
    return f'p is corrected for {comparisons} comparisons by the method of Holm.'


def _of_marks(found: Sequence[Rank]) -> str:
    test = f'p below {SIGNIFICANT}'
    if any(each.mcnemar is not None for each in found):
        test += ' by both tests'
    if found[0].mark == BEST:
        return f'Bold: the best, significantly better than every other ({test}).'
    ties = sum(each.mark == TIED for each in found)
    if ties == len(found):
        return f'Italic: all are tied; none is significantly worse than the first ({test}).'
    return f'Italic: the {ties} best are tied; only the rest are significantly worse than the first ({test}).'
