"""Evaluation of detection: average precision and recall of boxes, as COCO defines them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.errors import UserError
from engine.evaluation.drawing import figures
from engine.evaluation.kind_evaluation import ExampleScore, KindEvaluation
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.report import Report
from engine.evaluation.submissions import Column, Export, class_names, csv
from engine.kinds.detection import box_pictures, coco
from engine.kinds.detection.definitions import ALL, AREAS, EVERY_AREA, definitions, single_thresholds
from engine.kinds.detection.matches import ClassMatches
from engine.kinds.detection.matching import Matching, number_of_classes
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs
from engine.render.pictures import Picture


@dataclass(frozen=True)
class DetectionEvaluation(KindEvaluation):
    """Evaluates outputs of kind `detection`. The default settings are those of COCO.

    Attributes:
      thresholds: intersections over union above which a box counts as a match.
      areas: the smallest and the largest area of targets in pixels, by name of the range.
      max_boxes: numbers of boxes per class and image for which recall is reported. Average precision is of
        the largest number.
    """

    kind = 'detection'
    example_score = ExampleScore('found_share', higher_is_better=True)
    class_score = 'ap'
    legend = 'Dashed: targets. Solid: as many predicted boxes, those with the highest scores.'
    first_colour = 1

    thresholds: tuple[float, ...] = tuple(np.linspace(0.5, 0.95, 10).tolist())
    areas: Mapping[str, tuple[float, float]] = field(default_factory=lambda: dict(AREAS))
    max_boxes: tuple[int, ...] = (1, 10, 100)

    def __post_init__(self):
        within = all(0 < threshold <= 1 for threshold in self.thresholds)
        _require(
            bool(self.thresholds) and within and list(self.thresholds) == sorted({*self.thresholds}),
            'thresholds',
            self.thresholds,
            'numbers above 0 and up to 1, in ascending order',
        )
        for name, ends in self.areas.items():
            _require(
                name.isidentifier() and name != ALL,
                'areas',
                dict(self.areas),
                f'ranges with names other than {ALL!r}',
            )
            _require(
                len(ends) == 2 and 0 <= ends[0] < ends[1],
                'areas',
                dict(self.areas),
                'pairs of a smaller and a larger area',
            )
        _require(
            bool(self.max_boxes) and all(count > 0 for count in self.max_boxes),
            'max_boxes',
            self.max_boxes,
            'numbers of at least 1',
        )

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: there are no targets, or boxes or scores are not valid.
        """
        matching = Matching(self.thresholds, {ALL: EVERY_AREA, **self.areas}, max(self.max_boxes))
        matches, n = matching.match(outputs), len(outputs.ids)
        names = class_names(outputs, number_of_classes(outputs))
        once = {name: scores[0] for name, scores in self.class_scores(matches, np.ones((1, n), int)).items()}
        blocks = [self.class_scores(matches, counts) for counts in bootstrap.blocks(n)]
        of_classes = {name: np.concatenate([block[name] for block in blocks]) for name in once}
        means = {name: _means(values) for name, values in of_classes.items()}
        values = {name: float(_means(scores[np.newaxis])[0]) for name, scores in once.items()}
        measured = {
            name: bootstrap.metric(values[name], _unbiased(means[name], values[name]), definition)
            for name, definition in definitions(self.thresholds, self.areas, self.max_boxes).items()
        }
        main = [name for name, metric in measured.items() if not metric.definition.group]
        table = _per_class(matches[ALL], names, main, once, of_classes, bootstrap)
        tables = {'per_class': table, 'per_example': per_example(outputs.ids, matches[ALL])}
        title = figures.subject(outputs, bootstrap)
        drawn = {
            'per_class_ap': partial(figures.class_scores, table, 'ap', 'AP', 'boxes', title, measured['ap'])
        }
        return Report(outputs, bootstrap, measured, main, tables, drawn, means)

    def class_scores(
        self, matches: Mapping[str, Sequence[ClassMatches]], counts: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Returns all metrics of the classes, f64 [R, K].

        Args:
          matches: of the K classes, by range of areas.
          counts: number of repetitions of the images, int [R, n].
        """
        precisions = {
            area: np.stack([matched.precision(counts.T) for matched in of_classes], axis=-1)
            for area, of_classes in matches.items()
        }  # [T, R, K]
        scores = {'ap': precisions[ALL].mean(0)}
        scores |= {
            f'ap{percent}': precisions[ALL][place]
            for percent, place in single_thresholds(self.thresholds).items()
        }
        scores |= {f'ar_{most}': _recalls(matches[ALL], counts, most) for most in sorted(self.max_boxes)}
        for area in self.areas:
            scores[f'ap_{area}'] = precisions[area].mean(0)
            scores[f'ar_{area}'] = _recalls(matches[area], counts, max(self.max_boxes))
        return scores

    def explanation(self, outputs: Outputs) -> str:
        """Returns how boxes are drawn, and in which frame where no pictures were saved."""
        if box_pictures.has_images(outputs):
            return self.legend
        x0, y0, x1, y1 = (f'{corner:.0f}' for corner in box_pictures.frame(outputs))
        return (
            f'{self.legend} No pictures were saved (inputs.npy), so their sizes are unknown: the frame holds '
            f'the boxes of all examples, x from {x0} to {x1} and y from {y0} to {y1} pixels.'
        )

    def pictures(self, outputs: Outputs, row: int) -> list[Picture]:
        """Returns the image of one example with its boxes."""
        return [box_pictures.picture(outputs, row)]

    def caption(self, example: Mapping[str, Any]) -> str:
        """Returns the number of found targets, of targets and of boxes."""
        boxes = f'{example["boxes"]} box{"" if example["boxes"] == 1 else "es"}'
        return f'{example["found"]} of {example["targets"]} found, {boxes}'

    def exports(self) -> Mapping[str, Export]:
        """Returns the formats: arrays, a table with a row per box, and results of COCO."""
        return {**super().exports(), 'csv': Export('.csv', _as_csv), 'coco': Export('.json', _as_coco)}

    def read_json(self, path: Path, outputs: Outputs) -> tuple[Sequence[str], Arrays]:
        """Reads annotations of COCO."""
        return coco.read(path, outputs)


def _as_csv(outputs: Outputs) -> bytes:
    arrays, classes = outputs.arrays, outputs.arrays['classes']
    names = class_names(outputs, int(classes.max(initial=0)) + 1)
    columns: dict[str, Column] = {
        'id': [outputs.ids[index] for index in arrays['example']],
        'class': [names[index] for index in classes],
        'score': arrays['scores'],
    }
    return csv(columns | dict(zip(('x0', 'y0', 'x1', 'y1'), arrays['boxes'].T, strict=True)))


def _as_coco(outputs: Outputs) -> bytes:
    return json.dumps(coco.box_results(outputs)).encode()


def per_example(ids: Sequence[str], classes: Sequence[ClassMatches]) -> pd.DataFrame:
    """Returns a row per image, the worst first: numbers of targets, of found targets and of boxes.

    A target is found if a box of its class matches it at the smallest threshold, 0.5 by default.
    """
    n = len(ids)
    targets = np.sum([matched.targets for matched in classes], 0)
    hits = np.sum([np.bincount(matched.images[matched.hits[0]], minlength=n) for matched in classes], 0)
    boxes = np.sum([np.bincount(matched.images, minlength=n) for matched in classes], 0)
    share = np.where(targets > 0, hits / np.maximum(targets, 1), np.nan)
    columns = {'found_share': share, 'targets': targets, 'found': hits, 'boxes': boxes}
    table = pd.DataFrame(columns, pd.Index(ids, name='id'))
    return table.sort_values(['found_share', 'boxes'], ascending=[True, False], kind='stable')


def _means(values: np.ndarray) -> np.ndarray:
    """Returns the means of values [resamples, K] over classes, f64 [resamples]. Ignores NaN."""
    present = ~np.isnan(values)
    sums = np.where(present, values, 0).sum(1)
    return np.where(present.any(1), sums / np.maximum(present.sum(1), 1), np.nan)


def _unbiased(resamples: np.ndarray, values: np.ndarray | float) -> np.ndarray:
    """Removes the bias from values [resamples, ...], twice: that of the resamples and that of the value.

    Few images increase precision, and repeated images increase it again. The bootstrap assumes that both
    biases are equal.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 10.
    """
    known = ~np.isnan(resamples)
    bias = np.where(known, resamples, 0).sum(0) / np.maximum(known.sum(0), 1) - values
    return np.clip(resamples - 2 * bias, 0, 1)


def _per_class(
    classes: Sequence[ClassMatches],
    names: Sequence[str],
    main: Sequence[str],
    once: Mapping[str, np.ndarray],
    resamples: Mapping[str, np.ndarray],
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    """Returns a row per class: main metrics, interval of AP, numbers of targets and of predicted boxes."""
    low, high = bootstrap.interval(_unbiased(resamples['ap'], once['ap']))
    columns = {
        **{name: once[name] for name in main},
        'ap_low': low,
        'ap_high': high,
        'support': [int(matched.targets.sum()) for matched in classes],
        'predicted': [len(matched.images) for matched in classes],
    }
    return pd.DataFrame(columns, pd.Index(names, name='class'))


def _recalls(classes: Sequence[ClassMatches], counts: np.ndarray, most: int) -> np.ndarray:
    """Returns the mean recall over the thresholds, f64 [R, K]."""
    return np.stack([matched.recall(counts.T, most).mean(0) for matched in classes], axis=-1)


def _require(holds: bool, name: str, value: object, what: str) -> None:
    if not holds:
        raise UserError(f'DetectionEvaluation.{name} = {value!r}: give {what}.')


EVALUATION = DetectionEvaluation()
