"""Evaluation of classification: accuracy, precision and recall, log loss, calibration."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from engine.errors import UserError
from engine.evaluation.drawing import figures
from engine.evaluation.drawing.example_cards import Card
from engine.evaluation.kind_evaluation import ExampleScore, KindEvaluation
from engine.evaluation.labels.label_cells import read_classes
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Metric
from engine.evaluation.results.report import Report
from engine.evaluation.submissions import Column, Export, class_names, csv
from engine.kinds.classification import calibration, class_scores, mistakes, predicted_classes
from engine.kinds.classification.class_predictions import ClassPredictions
from engine.kinds.classification.class_probabilities import (
    probabilities,
    read_predictions,
    scores_name,
)
from engine.kinds.classification.definitions import CONDITIONS, HEADLINES, POOLED, definitions
from engine.kinds.classification.measuring import in_top, measure, ranked_classes, resample
from engine.lists import ListTable
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs
from engine.render.names import isolated

LOG_LOSS = ExampleScore('log_loss', higher_is_better=False)
CORRECT = ExampleScore('correct', higher_is_better=True)


@dataclass(frozen=True)
class ClassificationEvaluation(KindEvaluation):
    """Evaluates outputs of kind `classification`.

    Attributes:
      top_k: values of k for which top-k accuracy is reported. Values of at least the number of classes are
        ignored.
      calibration_bins: number of bins of the calibration error.
    """

    kind = 'classification'
    example_score = LOG_LOSS
    class_score = 'f1'
    pooled_metrics = POOLED

    top_k: tuple[int, ...] = (5,)
    calibration_bins: int = 15

    def __post_init__(self):
        if self.calibration_bins < 1:
            raise UserError(
                f'ClassificationEvaluation.calibration_bins = {self.calibration_bins!r}: '
                'it must be at least 1.'
            )
        if any(k < 1 for k in self.top_k):
            raise UserError(f'ClassificationEvaluation.top_k = {self.top_k!r}: each k must be at least 1.')

    def common_score(self, tables: Sequence[pd.DataFrame]) -> ExampleScore:
        """Returns the log loss, or whether examples are correct if a table lacks probabilities."""
        return LOG_LOSS if all(LOG_LOSS.column in table for table in tables) else CORRECT

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: the labels are missing, or the predictions are not finite or not probabilities.
        """
        predicted, ranked = read_predictions(outputs), ranked_classes(outputs)
        tops = [k for k in self.top_k if k < len(predicted.class_names)] if predicted.probable else []
        values = measure(predicted, ranked, tops, self.calibration_bins)
        resamples = resample(predicted, ranked, tops, self.calibration_bins, bootstrap)
        measured = {
            name: bootstrap.metric(values[name], resamples.get(name, np.zeros(0)), definition)
            for name, definition in definitions(tops).items()
            if name in values
        }
        tables = _tables(outputs.ids, predicted, self.calibration_bins, bootstrap, resamples['f1'])
        counts, title = mistakes.confusion_counts(predicted), figures.subject(outputs, bootstrap)
        tables = mistakes.tables(counts, predicted.class_names) | tables
        matrix = mistakes.figures(counts, tables, title, measured['accuracy'])
        return Report(
            outputs,
            bootstrap,
            measured,
            [name for name in HEADLINES[bool(predicted.probable)] if name in measured],
            tables,
            matrix | _figures(tables, measured, title),
            {name: resamples[name] for name in measured if name in resamples},
            {'accuracy': predicted.correct, **in_top(predicted, tops)},
            _conditions(outputs),
            _notes(outputs, measured, resamples),
        )

    def caption(self, example: Mapping[str, Any]) -> str:
        """Returns the label, prediction and confidence of an example."""
        label, prediction = (isolated(str(example[name])) for name in ('label', 'prediction'))
        words = f'✓ {label}' if label == prediction else f'{label} → {prediction}'
        return f'{words}\n{100 * example["confidence"]:.1f} %' if 'confidence' in example else words

    def gallery(self, report: Report) -> dict[str, list[Card]]:
        """Returns the mistakes, the most confident first, and the right ones with the least confidence."""
        if not self.pictures(report.outputs, 0):
            return {}
        class_names = [str(name) for name in report.tables['per_class'].index]
        chosen = mistakes.gallery(report.tables['per_example'], class_names)
        return {heading: self.cards(report, rows) for heading, rows in chosen.items()}

    def exports(self) -> Mapping[str, Export]:
        """Returns the formats: arrays, and a table of predictions and probabilities."""
        return {**super().exports(), 'csv': Export('.csv', _as_csv)}

    def read_list(self, table: ListTable, outputs: Outputs) -> Arrays:
        """Reads the column `label`: the name of the class, or its index."""
        return {'labels': read_classes(table, outputs)}


def _as_csv(outputs: Outputs) -> bytes:
    """Returns a table: id, predicted class and, if known, the probability of each class."""
    predictions, name = predicted_classes(outputs.arrays), scores_name(outputs)
    names = class_names(outputs, outputs.classes or int(predictions.max()) + 1)
    columns: dict[str, Column] = {
        'id': outputs.ids,
        'prediction': [names[index] for index in predictions],
    }
    if name:
        dtype = np.promote_types(outputs.arrays[name].dtype, np.float32)  # no more digits than were saved
        scores = probabilities(outputs).astype(dtype)
        columns |= {f'probability_{name}': scores[:, i] for i, name in enumerate(names)}
    return csv(columns)


def _conditions(outputs: Outputs) -> Mapping[str, str]:
    name = scores_name(outputs) or 'predicted'
    if name == 'probabilities' and outputs.arrays[name].dtype == np.float64:
        name = 'float64 probabilities'
    return CONDITIONS[name]


def _notes(outputs: Outputs, measured: Mapping[str, object], resamples: Mapping[str, object]) -> list[str]:
    """Returns sentences on metrics that are left out."""
    if not scores_name(outputs):
        return ['Metrics of probabilities are left out, because only the predicted classes were saved.']
    if 'roc_auc' not in measured:
        return ['ROC AUC and average precision are left out, because they would take too long.']
    if 'roc_auc' not in resamples:
        return ['ROC AUC and average precision have no intervals, because these would take too long.']
    return []


def _tables(
    ids: Sequence[str],
    predicted: ClassPredictions,
    bins: int,
    bootstrap: Bootstrap,
    f1_resamples: np.ndarray,
) -> dict[str, pd.DataFrame]:
    low, high = bootstrap.interval(f1_resamples)
    tables = {'per_class': class_scores.table(predicted).assign(f1_low=low, f1_high=high)}
    if predicted.probable:
        confidences = predicted.probable.confidences
        tables['calibration'] = calibration.reliability(confidences, predicted.correct, bins)
    tables['per_example'] = per_example(ids, predicted)
    return tables


def _figures(
    tables: Mapping[str, pd.DataFrame], measured: Mapping[str, Metric], title: str
) -> dict[str, Callable[[], Figure]]:
    scores, headline = tables['per_class'], measured['macro_f1']
    drawn: dict[str, Callable[[], Figure]] = {}
    drawn['per_class_f1'] = partial(figures.class_scores, scores, 'f1', 'F1', 'examples', title, headline)
    if 'calibration' in tables:
        error = measured['calibration_error']
        drawn['calibration'] = partial(figures.reliability, tables['calibration'], title, error)
    return drawn


def per_example(ids: Sequence[str], predicted: ClassPredictions) -> pd.DataFrame:
    """Returns a row per example, the worst first: label, prediction, whether it is correct.

    If probabilities are known, confidence, log loss and rank are there too.
    """
    names = np.array(predicted.class_names, object)
    columns = {
        'label': names[predicted.labels],
        'prediction': names[predicted.predictions],
    }
    if predicted.probable:
        facts = predicted.probable
        columns |= {'confidence': facts.confidences, 'log_loss': facts.log_losses, 'rank': facts.ranks}
    table = pd.DataFrame({**columns, 'correct': predicted.correct}, pd.Index(ids, name='id'))
    if predicted.probable:
        return table.sort_values('log_loss', ascending=False, kind='stable')
    return table.sort_values('correct', kind='stable')


EVALUATION = ClassificationEvaluation()
