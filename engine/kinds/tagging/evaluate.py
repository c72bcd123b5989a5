"""Evaluation of tags: accuracy and F1 of tokens, and F1 of spans where tags are called B-x and I-x."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import sparse

from engine.errors import UserError, did_you_mean
from engine.evaluation.drawing import figures
from engine.evaluation.drawing.example_cards import TextLine
from engine.evaluation.kind_evaluation import ExampleScore, KindEvaluation
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Metric
from engine.evaluation.results.report import Report
from engine.evaluation.submissions import Export, csv
from engine.kinds.classification import mistakes
from engine.kinds.classification.class_scores import indicator
from engine.kinds.tagging import is_token, measuring, predicted_tags, tag_name, tokens
from engine.kinds.tagging.definitions import DEFINITIONS
from engine.kinds.tagging.spans import SpanTags
from engine.kinds.tagging.tagged import Tagged, read_tagged
from engine.lists import ListTable
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs
from engine.render import texts
from engine.render.escape import printable
from engine.render.markup import escaped
from engine.render.pictures import css

MAX_TOKENS = 150  # of a sequence on a page
HEADLINE = ('span_f1', 'token_accuracy', 'macro_f1', 'micro_f1')


@dataclass(frozen=True)
class TaggingEvaluation(KindEvaluation):
    """Evaluates outputs of kind `tagging`."""

    kind = 'tagging'
    example_score = ExampleScore('accuracy', higher_is_better=True)
    class_score = 'f1'
    legend = 'Tokens with their tags; those of the prediction that are wrong are framed.'

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: there is nothing to evaluate, or an array is not valid.
        """
        tagged = read_tagged(outputs)
        known, tags = SpanTags.of(tagged.class_names), measuring.counted_tags(tagged)
        counts = measuring.count(tagged, known)
        resamples, sums = measuring.resample(counts, tags, bootstrap)
        values = measuring.measure(counts, tags)
        measured = {
            name: bootstrap.metric(values[name], resamples[name], definition)
            for name, definition in DEFINITIONS.items()
            if name in values
        }
        confusion = sparse.csr_array(
            indicator(tagged.targets, len(tagged.class_names)).T
            @ indicator(tagged.predicted, len(tagged.class_names))
        )
        tables = mistakes.tables(confusion, tagged.class_names)
        tables |= _per_class(tagged, known, counts, sums, bootstrap)
        tables['per_example'] = per_example(outputs, counts)
        title = figures.subject(outputs, bootstrap)
        return Report(
            outputs,
            bootstrap,
            measured,
            tuple(name for name in HEADLINE if name in measured),
            tables,
            mistakes.figures(confusion, tables, title, measured['token_accuracy'])
            | _figures(tables, measured, title),
            resamples,
        )

    def lines(self, outputs: Outputs, row: int) -> list[TextLine]:
        """Returns the tokens with their true tags, and with their predicted ones."""
        predicted, words = predicted_tags({**_row(outputs, row)})[0], tokens(outputs.arrays, row)
        valid = is_token(_row(outputs, row))[0]
        if 'targets' not in outputs.arrays:
            return [TextLine('prediction', _tagged(outputs, words, predicted, predicted, valid))]
        targets = np.where(counted_tokens_of(outputs, row), outputs.arrays['targets'][row], -1)
        wanted = np.where(targets < 0, predicted, targets)  # nothing is wrong where nothing is known
        return [
            TextLine('target', _tagged(outputs, words, targets, targets, valid)),
            TextLine('prediction', _tagged(outputs, words, predicted, wanted, valid)),
        ]

    def caption(self, example: Mapping[str, Any]) -> str:
        """Returns how many tokens of an example are wrong."""
        return f'{example["wrong"]:,} of {example["tokens"]:,} tokens wrong'

    def exports(self) -> Mapping[str, Export]:
        """Returns the formats: arrays, and a table with a row per token."""
        return {**super().exports(), 'csv': Export('.csv', _as_csv)}

    def read_list(self, table: ListTable, outputs: Outputs) -> Arrays:
        """Reads the column `tags` or `targets`: names of tags, or their indices, with spaces between them."""
        known = {name: index for index, name in enumerate(outputs.class_names)}
        known = known or {str(index): index for index in range(outputs.classes or 2**15)}
        places = {identity: row for row, identity in enumerate(outputs.ids)}
        valid = is_token({name: array for name, array in outputs.arrays.items() if name != 'targets'})
        targets = np.full((len(table.rows), valid.shape[1]), -1, np.int32)
        for index, (row, cell) in enumerate(zip(table.rows, table.column('tags', 'targets'), strict=True)):
            names = cell.split()
            here = valid[places[row['id']]] if row['id'] in places else np.ones(len(names), bool)
            unknown = [name for name in names if name not in known]
            if unknown:
                raise UserError(
                    f'{row.place}: {unknown[0]!r} is not a tag of {outputs.folder}. '
                    f'{did_you_mean(unknown[0], known)}'
                )
            if len(names) > len(here) or ('lengths' in outputs.arrays and len(names) != here.sum()):
                raise UserError(f'{row.place}: there are {len(names)} tags for {int(here.sum())} tokens.')
            targets[index, : len(names)] = [known[name] for name in names]
        return {'targets': targets}


def per_example(outputs: Outputs, counts: measuring.Counts) -> pd.DataFrame:
    """Returns a row per sequence with a target, the worst first."""
    sums = {name: np.asarray(counts[name].sum(1)).astype(int) for name in ('support', 'hits')}
    total, right = sums['support'], sums['hits']
    columns: dict[str, Any] = {
        'accuracy': right / np.where(total > 0, total, np.nan),
        'wrong': total - right,
        'tokens': total,
    }
    if 'span_hits' in counts:
        hits, support, predicted = (
            np.asarray(counts[f'span_{name}'].sum(1)).astype(int) for name in ('hits', 'support', 'predicted')
        )
        columns |= {'spans': support, 'spans_missed': support - hits, 'spans_wrong': predicted - hits}
    table = pd.DataFrame(columns, pd.Index(outputs.ids, name='id'))
    return table.sort_values(['accuracy', 'wrong'], ascending=[True, False], kind='stable')


def counted_tokens_of(outputs: Outputs, row: int) -> np.ndarray:
    """Returns which tokens of one sequence have a target that counts, bool [l]."""
    targets = np.asarray(outputs.arrays['targets'][row])
    return (targets >= 0) & ~outputs.manifest.is_ignored(targets, outputs.classes)


def _row(outputs: Outputs, row: int) -> dict[str, np.ndarray]:
    """Returns the arrays of one sequence, each [1, ...]."""
    return {name: array[row : row + 1] for name, array in outputs.arrays.items() if name != 'tokens'}


def _tagged(
    outputs: Outputs, words: list[str] | None, tags: np.ndarray, wanted: np.ndarray, valid: np.ndarray
) -> str:
    """Returns tokens with their tags as HTML.

    Args:
      outputs: name the tags.
      words: text of each token; None if it is unknown.
      tags: tag of each token, int [l]; negative for none.
      wanted: the right tags, int [l].
      valid: which positions hold tokens, bool [l].
    """
    known = SpanTags.of(outputs.class_names)
    shown = np.flatnonzero(valid)[:MAX_TOKENS].tolist()
    parts = []
    for place in shown:
        tag = int(tags[place])
        name = tag_name(tag, outputs.class_names)
        group = (
            int(known.type_of[tag]) if known and tag >= 0 else tag - (name == measuring.OUTSIDE) * (tag + 1)
        )
        word = texts.visible(words[place]) if words else ''
        label = f'<small>{escaped(printable(name))}</small>' if group >= 0 or not words else ''
        colour = f' style="--tag:{css(group + 1, 256)}"' if group >= 0 else ''
        wrong = ' wrong' * bool(tags[place] != wanted[place])
        parts.append(f'<span class="tag{wrong}"{colour}>{word}{label}</span>')
    rest = int(valid.sum()) - len(shown)
    more = f' <span class="control">… {rest:,} more tokens</span>' if rest else ''
    return ' '.join(parts) + more or texts.visible('')


def _per_class(
    tagged: Tagged,
    known: SpanTags | None,
    counts: measuring.Counts,
    resampled: Mapping[str, Any],
    bootstrap: Bootstrap,
) -> dict[str, pd.DataFrame]:
    """Returns a table of the tags and, if there are spans, one of their types."""
    sums = {name: np.asarray(matrix.sum(0)) for name, matrix in counts.items()}
    index = pd.Index(tagged.class_names, name='class')
    tables = {'per_class': measuring.table(sums, resampled, bootstrap, '', index)}
    if known:
        types = pd.Index(known.types, name='type')
        tables['per_span_type'] = measuring.table(sums, resampled, bootstrap, 'span_', types)
    return tables


def _figures(
    tables: Mapping[str, pd.DataFrame], measured: Mapping[str, Metric], title: str
) -> dict[str, Callable[[], Figure]]:
    """Returns functions that draw the F1 of each type of spans, or of each tag."""
    if 'per_span_type' in tables:
        shown, headline, counted = tables['per_span_type'], measured['span_f1'], 'spans'
    else:
        shown, headline, counted = tables['per_class'], measured['macro_f1'], 'tokens'
    if np.isnan(shown['f1'].to_numpy()).all():
        return {}
    return {'per_class_f1': partial(figures.class_scores, shown, 'f1', 'F1', counted, title, headline)}


def _as_csv(outputs: Outputs) -> bytes:
    """Returns a row per token: id, position, token if known, and predicted tag."""
    rows, places = np.nonzero(is_token(outputs.arrays))
    tags = predicted_tags(outputs.arrays)[rows, places].tolist()
    columns: dict[str, Any] = {'id': [outputs.ids[row] for row in rows.tolist()], 'position': places}
    if 'tokens' in outputs.arrays:
        words = {row: tokens(outputs.arrays, row) or [] for row in set(rows.tolist())}
        columns['token'] = [
            printable(words[row][place]) for row, place in zip(rows.tolist(), places.tolist(), strict=True)
        ]
    return csv(columns | {'tag': [tag_name(tag, outputs.class_names) for tag in tags]})


EVALUATION = TaggingEvaluation()
