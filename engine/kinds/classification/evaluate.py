"""Evaluation of classification: accuracy, precision and recall, log loss, calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse, special
from sklearn import metrics

from engine.errors import UserError
from engine.evaluation.drawing import figures
from engine.evaluation.kind_evaluation import ExampleScore, KindEvaluation
from engine.evaluation.labels.label_cells import read_classes
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.report import Report
from engine.evaluation.submissions import Column, Export, class_names, csv
from engine.kinds.classification import calibration, class_scores
from engine.kinds.classification.class_probabilities import ClassPredictions, read_predictions
from engine.kinds.classification.definitions import CONDITIONS, DEFINITIONS, HEADLINE, top_k_definition
from engine.lists import ListTable
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs


@dataclass(frozen=True)
class ClassificationEvaluation(KindEvaluation):
    """Evaluates outputs of kind `classification`.

    Attributes:
      top_k: values of k for which top-k accuracy is reported. Values of at least the number of classes are
        ignored.
      calibration_bins: number of bins of the calibration error.
    """

    kind = 'classification'
    example_score = ExampleScore('log_loss', higher_is_better=False)
    class_score = 'f1'

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

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: the labels are missing, or the predictions are not finite or not probabilities.
        """
        predicted = read_predictions(outputs)
        tops = [k for k in self.top_k if k < len(predicted.class_names)]
        values = measure(predicted, tops, self.calibration_bins)
        resamples = resample(predicted, tops, self.calibration_bins, bootstrap)
        definitions = DEFINITIONS | {f'top_{k}_accuracy': top_k_definition(k) for k in tops}
        measured = {
            name: bootstrap.metric(value, resamples[name], definitions[name])
            for name, value in values.items()
        }
        conditions = CONDITIONS['logits' if 'logits' in outputs.arrays else 'probabilities']
        tables = {
            'per_class': _per_class(predicted, bootstrap, resamples['f1']),
            'calibration': calibration.reliability(
                predicted.confidences, predicted.correct, self.calibration_bins
            ),
            'per_example': per_example(outputs.ids, predicted),
        }
        title = figures.subject(outputs, bootstrap)
        drawn = {
            'calibration': partial(
                figures.reliability, tables['calibration'], title, measured['calibration_error']
            ),
            'per_class_f1': partial(
                figures.class_scores,
                tables['per_class'],
                'f1',
                'F1',
                'examples',
                title,
                measured['macro_f1'],
            ),
        }
        if len(predicted.class_names) <= class_scores.MAX_CONFUSION_CLASSES:
            counts = class_scores.confusion(predicted)
            tables = {'confusion_matrix': counts} | tables
            matrix = partial(figures.confusion_matrix, counts, title, measured['accuracy'])
            drawn = {'confusion_matrix': matrix} | drawn
        right = {'accuracy': predicted.correct, **{f'top_{k}_accuracy': predicted.ranks < k for k in tops}}
        resamples = {name: resamples[name] for name in measured}
        return Report(outputs, bootstrap, measured, HEADLINE, tables, drawn, resamples, right, conditions)

    def caption(self, example: Mapping[str, Any]) -> str:
        """Returns the label, prediction and confidence of an example."""
        label, prediction = example['label'], example['prediction']
        words = f'✓ {label}' if label == prediction else f'{label} → {prediction}'
        return f'{words}\n{100 * example["confidence"]:.1f} %'

    def gallery(self, report: Report) -> dict[str, list[str]]:
        """Returns the most confident mistakes, and the examples with the least probable labels."""
        table = report.tables['per_example']
        wrong = table.loc[table['rank'] > 0].sort_values(by='confidence', ascending=False, kind='stable')
        return {
            'Mistakes, the most confident first': self.cards(report, wrong),
            'Hardest: the least probability for the label': self.cards(report, table),
        }

    def exports(self) -> Mapping[str, Export]:
        """Returns the formats: arrays, and a table of predictions and probabilities."""
        return {**super().exports(), 'csv': Export('.csv', _as_csv)}

    def read_list(self, table: ListTable, outputs: Outputs) -> Arrays:
        """Reads the column `label`: the name of the class, or its index."""
        return {'labels': read_classes(table, outputs)}


def _as_csv(outputs: Outputs) -> bytes:
    """Returns a table: id, predicted class and the probability of each class."""
    probabilities = outputs.arrays.get('probabilities')
    if probabilities is None:
        probabilities = special.softmax(outputs.arrays['logits'].astype(np.float64), axis=1)
    names = class_names(outputs, probabilities.shape[1])
    columns: dict[str, Column] = {
        'id': outputs.ids,
        'prediction': [names[index] for index in probabilities.argmax(1)],
    }
    return csv(columns | {f'probability_{name}': probabilities[:, i] for i, name in enumerate(names)})


def measure(predicted: ClassPredictions, tops: Sequence[int], bins: int) -> dict[str, float]:
    """Returns all metrics, in the order in which reports list them."""
    macro = class_scores.macro(predicted)
    gaps = _gaps(predicted, bins).sum(axis=0)
    return {
        'accuracy': float(metrics.accuracy_score(predicted.labels, predicted.predictions)),
        'balanced_accuracy': macro['recall'],
        **{f'top_{k}_accuracy': float((predicted.ranks < k).mean()) for k in tops},
        'macro_precision': macro['precision'],
        'macro_f1': macro['f1'],
        'log_loss': float(predicted.log_losses.mean()),
        'calibration_error': float(calibration.expected_calibration_error(gaps, len(predicted.labels))),
    }


def resample(
    predicted: ClassPredictions, tops: Sequence[int], bins: int, bootstrap: Bootstrap
) -> dict[str, np.ndarray]:
    """Returns all metrics on each resample, f64 [resamples], and `f1`, f64 [resamples, classes]."""
    additive = {
        'accuracy': predicted.correct,
        'log_loss': predicted.log_losses,
        **{f'top_{k}_accuracy': predicted.ranks < k for k in tops},
    }
    columns = {
        name: sparse.csr_array(values[:, np.newaxis], dtype=float) for name, values in additive.items()
    }
    features = {**columns, **class_scores.features(predicted), 'gaps': _gaps(predicted, bins)}
    examples = len(predicted.labels)
    sums = bootstrap.sums(features, examples)
    scores = class_scores.from_sums(sums['hits'], sums['support'], sums['predicted'])
    return {
        **{name: sums[name][:, 0] / examples for name in additive},
        'balanced_accuracy': np.nanmean(scores['recall'], axis=1),
        'macro_precision': np.nanmean(scores['precision'], axis=1),
        'macro_f1': np.nanmean(scores['f1'], axis=1),
        'calibration_error': calibration.expected_calibration_error(sums['gaps'], examples),
        'f1': scores['f1'],
    }


def per_example(ids: Sequence[str], predicted: ClassPredictions) -> pd.DataFrame:
    """Returns a row per example, the worst first: label, prediction, confidence, log loss, rank."""
    names = np.array(predicted.class_names, object)
    columns = {
        'label': names[predicted.labels],
        'prediction': names[predicted.predictions],
        'confidence': predicted.confidences,
        'log_loss': predicted.log_losses,
        'rank': predicted.ranks,
    }
    table = pd.DataFrame(columns, pd.Index(ids, name='id'))
    return table.sort_values('log_loss', ascending=False, kind='stable')


def _gaps(predicted: ClassPredictions, bins: int) -> sparse.csr_array:
    """Returns correctness (0 or 1) minus confidence, f64 [n, bins], in the column of the bin."""
    groups = calibration.bin_of(predicted.confidences, bins)
    return class_scores.indicator(groups, bins, predicted.correct - predicted.confidences)


def _per_class(predicted: ClassPredictions, bootstrap: Bootstrap, f1_resamples: np.ndarray) -> pd.DataFrame:
    """Returns the scores of each class, and the interval of F1 for classes that occur."""
    ends = np.full((2, len(predicted.class_names)), np.nan)
    ends[:, predicted.present] = bootstrap.interval(f1_resamples[:, predicted.present])
    return class_scores.table(predicted).assign(f1_low=ends[0], f1_high=ends[1])


EVALUATION = ClassificationEvaluation()
