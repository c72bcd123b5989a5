"""Evaluation of embeddings: retrieval, nearest neighbours, linear probe, and how they fill their space."""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from engine.errors import UserError
from engine.evaluation.drawing import figures
from engine.evaluation.drawing.example_cards import Card, worst_and_typical
from engine.evaluation.kind_evaluation import ExampleScore, KindEvaluation
from engine.evaluation.labels.label_cells import read_classes
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Metric
from engine.evaluation.results.report import Report
from engine.evaluation.submissions import Export, csv
from engine.kinds.embeddings import plane, query_cards, query_tables, reading, spread, unit
from engine.kinds.embeddings.definitions import definitions
from engine.kinds.embeddings.probe import probe
from engine.kinds.embeddings.retrieval import Embedded, Retrieval, retrieve
from engine.lists import ListTable
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs
from engine.render.names import isolated

HEADLINE = ('recall_at_1', 'map_at_r', 'knn_accuracy', 'linear_probe')


@dataclass(frozen=True)
class EmbeddingsEvaluation(KindEvaluation):
    """Evaluates outputs of kind `embeddings`.

    Attributes:
      recall_at: values of k for which recall at k is reported.
      neighbours: number of neighbours that vote for a class.
    """

    kind = 'embeddings'
    example_score = ExampleScore('map@r', higher_is_better=True)
    class_score = 'map@r'
    legend = (
        f'First the query, in black, then its {query_cards.SHOWN} nearest neighbours, the nearest first: '
        'framed in green if they are of its class, dashed in orange if not.'
    )

    recall_at: tuple[int, ...] = (1, 5, 10)
    neighbours: int = 5

    def __post_init__(self):
        if not self.recall_at or any(k < 1 for k in self.recall_at):
            raise UserError(f'EmbeddingsEvaluation.recall_at = {self.recall_at!r}: give numbers from 1 on.')
        if self.neighbours < 1:
            raise UserError(f'EmbeddingsEvaluation.neighbours = {self.neighbours!r}: it must be at least 1.')

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: embeddings are too few or not finite, or there are no queries or no gallery.
        """
        embedded = reading.read(outputs)
        found = retrieve(embedded, self.recall_at, self.neighbours)
        scores, notes = found.scores_of_all(embedded), reading.notes(outputs, embedded)
        if embedded.labels is not None:
            probed = probe(np.asarray(outputs.arrays['embeddings']), embedded.labels)
            scores['linear_probe'] = probed.correct
            notes += filter(None, [_alone(found, outputs), probed.note])
        resamples = {name: query_tables.means(column, bootstrap) for name, column in scores.items()}
        values = {name: query_tables.mean(column) for name, column in scores.items()}
        values |= _geometry(outputs, embedded)
        stated = definitions(self.recall_at, self.neighbours, embedded.space.distance)
        measured = {
            name: bootstrap.metric(values[name], resamples.get(name, np.zeros(0)), definition)
            for name, definition in stated.items()
            if name in values
        }
        tables = query_tables.tables(outputs, embedded, found, scores, bootstrap)
        headline = [name for name in HEADLINE if name in measured] or ['uniformity', 'effective_rank']
        return Report(
            outputs,
            bootstrap,
            measured,
            headline,
            tables,
            _figures(outputs, embedded, tables, measured, headline[0], figures.subject(outputs, bootstrap)),
            resamples,
            conditions=dict.fromkeys(found.scores, _condition(outputs, embedded)),
            notes=notes,
        )

    def caption(self, example: Mapping[str, Any]) -> str:
        """Returns the label of a query and of its nearest neighbour."""
        if 'label' not in example:
            return f'nearest: {isolated(example["nearest"])}'
        words = [isolated(example['label']), isolated(example['nearest_label'])]
        return f'{words[0]}, nearest: {words[1]}\nMAP@R {100 * example["map@r"]:.1f} %'

    def gallery(self, report: Report) -> dict[str, list[Card]]:
        """Returns the worst and some typical queries, each with its nearest neighbours."""
        outputs, table = report.outputs, report.tables['per_example']
        if not self.pictures(outputs, 0):
            return {}
        if 'map@r' not in table:
            return {'Nearest neighbours': query_cards.cards(outputs, table.head(12), self.caption)}
        chosen = worst_and_typical(table.dropna(subset='map@r'))
        return {heading: query_cards.cards(outputs, rows, self.caption) for heading, rows in chosen.items()}

    def exports(self) -> Mapping[str, Export]:
        """Returns the formats: arrays, and a table with a row per example."""
        return {**super().exports(), 'csv': Export('.csv', _as_csv)}

    def read_list(self, table: ListTable, outputs: Outputs) -> Arrays:
        """Reads the column `label`: a class name, or a number."""
        if outputs.class_names:
            return {'labels': read_classes(table, outputs)}
        return {'labels': np.array([_number(row.place, row['label']) for row in table.rows], np.int32)}


def _number(place: str, cell: str) -> int:
    if not (cell.isascii() and cell.isdecimal() and int(cell) < 2**31):
        raise UserError(
            f'{place}: {cell!r} is not a label. The outputs name no classes, so labels are numbers from 0 on.'
        )
    return int(cell)


def _geometry(outputs: Outputs, embedded: Embedded) -> dict[str, float]:
    embeddings = np.asarray(outputs.arrays['embeddings'])
    vectors = unit(embeddings)
    aligned = {} if embedded.labels is None else {'alignment': spread.alignment(vectors, embedded.labels)}
    return {
        **aligned,
        'uniformity': spread.uniformity(vectors),
        'effective_rank': spread.effective_rank(embeddings),
    }


def _alone(found: Retrieval, outputs: Outputs) -> str:
    """Returns a sentence on queries that have nothing to find; '' if all have."""
    missing = int(np.isnan(found.scores['map_at_r']).sum())
    where = 'in the gallery ' if 'is_query' in outputs.arrays else ''
    return (
        f'{missing:,} queries do not count, because no other example {where}has their class.'
        if missing
        else ''
    )


def _condition(outputs: Outputs, embedded: Embedded) -> str:
    if 'is_query' not in outputs.arrays:
        return 'Each example was searched in all others.'
    digest = hashlib.sha256(np.asarray(outputs.arrays['is_query']).tobytes()).hexdigest()[:8]
    return (
        f'{len(embedded.queries):,} queries were searched in a gallery of {len(embedded.gallery):,} examples '
        f'(is_query {digest}).'
    )


def _figures(
    outputs: Outputs,
    embedded: Embedded,
    tables: Mapping[str, pd.DataFrame],
    measured: Mapping[str, Metric],
    first: str,
    title: str,
) -> dict[str, Callable[[], Figure]]:
    drawn: dict[str, Callable[[], Figure]] = {}
    drawn['map'] = partial(plane.figure, *_mapped(outputs, embedded), title, measured[first])
    if 'map_at_r' in measured and not math.isnan(measured['map_at_r'].value):
        drawn['per_class_map_at_r'] = partial(
            figures.class_scores,
            tables['per_class'],
            'map@r',
            'MAP@R',
            'queries',
            title,
            measured['map_at_r'],
        )
    return drawn


def _mapped(outputs: Outputs, embedded: Embedded) -> tuple[Any, ...]:
    indices, names = query_tables.classes(embedded) if embedded.labels is not None else (None, [])
    return embedded.space.vectors, indices, names, outputs.arrays.get('inputs')


def _as_csv(outputs: Outputs) -> bytes:
    embeddings = np.asarray(outputs.arrays['embeddings'])
    return csv({'id': outputs.ids, **{f'embedding_{i}': column for i, column in enumerate(embeddings.T)}})


EVALUATION = EmbeddingsEvaluation()
