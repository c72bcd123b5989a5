"""The mistakes of a classification: which classes are confused, and which examples are worth a look."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pandas as pd
from matplotlib.figure import Figure
from scipy import sparse

from engine.evaluation.drawing import confusion
from engine.evaluation.results.metric import Metric
from engine.kinds.classification.class_predictions import ClassPredictions
from engine.kinds.classification.class_scores import indicator
from engine.render import names

MAX_MATRIX_CLASSES = 1000  # more classes have no table of the matrix, whose size grows with their square


def confusion_counts(predicted: ClassPredictions) -> sparse.csr_array:
    """Returns the number of examples of each label (row) that were predicted as each class (column)."""
    classes = len(predicted.class_names)
    labels, predictions = (indicator(values, classes) for values in (predicted.labels, predicted.predictions))
    return sparse.csr_array(labels.T @ predictions)


def tables(counts: sparse.csr_array, class_names: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Returns the confusion matrix, unless it is huge, and the pairs of classes that are confused."""
    matrix = {}
    if len(class_names) <= MAX_MATRIX_CLASSES:
        index = pd.Index(class_names, name='label')
        matrix['confusion_matrix'] = pd.DataFrame(counts.toarray().astype(int), index, list(class_names))
    pairs = confusion.pairs(counts, class_names)
    return matrix | ({'confused_pairs': pairs} if len(pairs) else {})


def figures(
    counts: sparse.csr_array, all_tables: Mapping[str, pd.DataFrame], title: str, accuracy: Metric
) -> dict[str, Callable[[], Figure]]:
    """Returns functions that draw the confusion matrix and, of many classes, the pairs confused most."""
    class_names = [str(name) for name in all_tables['per_class'].index]
    drawn: dict[str, Callable[[], Figure]] = {}
    drawn['confusion_matrix'] = partial(confusion.matrix, counts, class_names, title, accuracy)
    if len(class_names) > confusion.NUMBERED and 'confused_pairs' in all_tables:
        pairs = all_tables['confused_pairs']
        drawn['confused_pairs'] = partial(confusion.most_frequent, pairs, title, accuracy)
    return drawn


def gallery(per_example: pd.DataFrame, class_names: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Returns the examples worth a look: heading to rows of the table `per_example`.

    These are the mistakes, the most confident first, and the right predictions with the least confidence. Of
    two classes, the second is the positive one, and both kinds of mistakes stand apart.
    """
    if 'confidence' not in per_example:
        return _by_kind(per_example.loc[~per_example['correct']], class_names, 'Mistakes')
    table = per_example.sort_values('confidence', ascending=False, kind='stable')
    wrong, right = table.loc[~table['correct']], table.loc[table['correct']]
    heading = 'Mistakes, the most confident first'
    return {**_by_kind(wrong, class_names, heading), 'Right, the least confident first': right[::-1]}


def _by_kind(wrong: pd.DataFrame, class_names: Sequence[str], heading: str) -> dict[str, pd.DataFrame]:
    if len(class_names) != 2:
        return {heading: wrong}
    first, second = map(names.isolated, class_names)
    return {
        f'False positives: {first} taken for {second}': wrong.loc[wrong['label'] == class_names[0]],
        f'False negatives: {second} taken for {first}': wrong.loc[wrong['label'] == class_names[1]],
    }
