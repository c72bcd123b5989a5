"""Evaluation of multi-label classification: average precision, F1, sets and orders of labels."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from engine.errors import UserError
from engine.evaluation.drawing import figures
from engine.evaluation.kind_evaluation import ExampleScore, KindEvaluation
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Metric
from engine.evaluation.results.report import Report
from engine.evaluation.submissions import Column, Export, class_names, csv
from engine.kinds.classification.class_scores import Totals, of_classes
from engine.kinds.classification.definitions import CONDITIONS
from engine.kinds.multilabel import (
    THRESHOLD,
    class_probabilities,
    joined,
    label_cells,
    label_sets,
    thresholds,
)
from engine.kinds.multilabel.definitions import HEADLINE, definitions
from engine.kinds.multilabel.label_sets import LabelSets, scores_name
from engine.kinds.multilabel.measuring import Values, measure, of_examples
from engine.lists import ListTable
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs
from engine.render.names import isolated

THRESHOLD_NOTE = (
    'The threshold is {threshold:g} for all classes. The best threshold of each class is not chosen on these '
    'examples, because this would overstate F1. Choose it on validation data. The table F1 by threshold '
    'shows how much depends on it.'
)


@dataclass(frozen=True)
class MultilabelEvaluation(KindEvaluation):
    """Evaluates outputs of kind `multilabel`.

    Attributes:
      threshold: the probability from which on a class is predicted.
    """

    kind = 'multilabel'
    example_score = ExampleScore('log_loss', higher_is_better=False)
    class_score = 'ap'
    legend = 'Below a picture: right classes (✓), missed ones (−) and wrong ones (+).'  # noqa: RUF001

    threshold: float = THRESHOLD

    def __post_init__(self):
        if not 0 < self.threshold < 1:
            raise UserError(
                f'MultilabelEvaluation.threshold = {self.threshold!r}: it must be between 0 and 1.'
            )

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: there are no known labels, or predictions are not finite or not probabilities.
        """
        sets = label_sets.read(outputs, self.threshold)
        scores = of_examples(sets)
        values, resamples = measure(sets, scores, bootstrap)
        measured = {
            name: bootstrap.metric(float(values[name][0]), resamples.get(name, np.zeros(0)), definition)
            for name, definition in definitions(self.threshold).items()
            if name in values
        }
        tables = {
            'per_class': per_class(sets, values, resamples, bootstrap),
            'f1_by_threshold': thresholds.table(sets),
            'per_example': per_example(outputs.ids, sets, scores),
        }
        drawn = self._figures(tables, measured, figures.subject(outputs, bootstrap))
        return Report(
            outputs,
            bootstrap,
            measured,
            [name for name in HEADLINE if name in measured],
            tables,
            drawn,
            {name: resamples[name] for name in measured if name in resamples},
            conditions=_conditions(outputs),
            notes=_notes(sets, self.threshold, resamples, measured),
        )

    def _figures(
        self, tables: Mapping[str, pd.DataFrame], measured: Mapping[str, Metric], title: str
    ) -> dict[str, Callable[[], Figure]]:
        drawn: dict[str, Callable[[], Figure]] = {}
        if not math.isnan(measured['mean_ap'].value):
            drawn['per_class_ap'] = partial(
                figures.class_scores,
                tables['per_class'],
                'ap',
                'average precision',
                'positive examples',
                title,
                measured['mean_ap'],
            )
        drawn['f1_by_threshold'] = partial(
            thresholds.figure, tables['f1_by_threshold'], self.threshold, title, measured['macro_f1']
        )
        return drawn

    def caption(self, example: Mapping[str, Any]) -> str:
        """Returns the right, the missed and the wrong classes of an example, each on a line."""
        marks = {'right': '✓', 'missed': '−', 'wrong': '+'}  # noqa: RUF001 (a minus sign)
        lines = [f'{mark} {isolated(example[name])}' for name, mark in marks.items() if example[name]]
        return '\n'.join(lines) or 'no class, as predicted'

    def exports(self) -> Mapping[str, Export]:
        """Returns the formats: arrays, and a table of predictions and probabilities."""
        return {**super().exports(), 'csv': Export('.csv', _as_csv)}

    def read_list(self, table: ListTable, outputs: Outputs) -> Arrays:
        """Reads a column per class of 1, 0 and -1, or the column `labels` of names of classes."""
        return {'targets': label_cells.read(table, outputs)}


def per_class(sets: LabelSets, values: Values, resamples: Values, bootstrap: Bootstrap) -> pd.DataFrame:
    """Returns a row per class: average precision and F1 with intervals, and other scores and counts."""
    total = Totals(*(array.sum(axis=0) for array in (sets.hits, sets.positive, sets.predicted)))
    columns: dict[str, np.ndarray] = {}
    for name in ('ap', 'f1'):
        unknown = np.full((1, len(sets.class_names)), np.nan)
        low, high = bootstrap.interval(resamples.get(name, unknown))
        columns |= {name: values[name][0], f'{name}_low': low, f'{name}_high': high}
    scores = of_classes(total)
    columns |= {'precision': scores['precision'], 'recall': scores['recall'], 'roc_auc': values['roc_auc'][0]}
    columns |= {'support': total.support, 'predicted': total.predicted, 'known': sets.known.sum(axis=0)}
    return pd.DataFrame(columns, pd.Index(sets.class_names, name='class'))


def per_example(ids: Sequence[str], sets: LabelSets, scores: Values) -> pd.DataFrame:
    """Returns a row per example, the worst first: its classes, those predicted, and its scores."""
    names = sets.class_names
    columns = {
        'label': joined(sets.positive, names),
        'prediction': joined(sets.probabilities >= sets.threshold, names),
        'right': joined(sets.hits, names),
        'missed': joined(sets.positive & ~sets.predicted, names),
        'wrong': joined(sets.predicted & ~sets.positive, names),
        'f1': scores['samples_f1'],
        'log_loss': scores['log_loss'],
        'ranking_loss': scores['ranking_loss'],
        'known': sets.known.sum(axis=1),
    }
    table = pd.DataFrame(columns, pd.Index(ids, name='id'))
    return table.sort_values('log_loss', ascending=False, kind='stable')


def _conditions(outputs: Outputs) -> Mapping[str, str]:
    name = scores_name(outputs)
    wide = name == 'probabilities' and outputs.arrays[name].dtype == np.float64
    return CONDITIONS['float64 probabilities' if wide else name]


def _notes(sets: LabelSets, threshold: float, resamples: Values, measured: Mapping[str, Any]) -> list[str]:
    missing = int((~sets.known).sum())
    notes = [THRESHOLD_NOTE.format(threshold=threshold)]
    if missing:
        share = 100 * missing / sets.known.size
        notes.append(
            f'{missing:,} of {sets.known.size:,} labels ({share:.1f} %) are unknown and count in no metric.'
        )
    if 'micro_ap' not in measured and sets.positive.any():
        notes.append('Micro AP is left out, because it would take too much memory.')
    if 'mean_ap' not in resamples:
        notes.append('mAP, micro AP and ROC AUC have no intervals, because these would take too long.')
    return notes


def _as_csv(outputs: Outputs) -> bytes:
    """Returns a table: id, predicted classes, and the probability of each class."""
    name = scores_name(outputs)
    dtype = np.promote_types(outputs.arrays[name].dtype, np.float32)  # no more digits than were saved
    scores = class_probabilities(outputs.arrays)
    names = class_names(outputs, scores.shape[1])
    columns: dict[str, Column] = {'id': outputs.ids, 'prediction': joined(scores >= THRESHOLD, names)}
    return csv(columns | {f'probability_{name}': scores[:, i].astype(dtype) for i, name in enumerate(names)})


EVALUATION = MultilabelEvaluation()
