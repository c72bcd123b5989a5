"""Evaluation of texts: BLEU, chrF, error rates and exact match; texts without references are shown alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from engine.errors import UserError
from engine.evaluation.drawing import example_cards, figures
from engine.evaluation.drawing.example_cards import Card, TextLine
from engine.evaluation.kind_evaluation import ExampleScore, KindEvaluation
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.report import Report
from engine.evaluation.submissions import Export, csv
from engine.kinds.texts import counted, labels, measuring, references, stored
from engine.kinds.texts.counted import NORMALISED, CountedTexts
from engine.kinds.texts.definitions import HEADLINE, definitions
from engine.kinds.texts.figures import distances
from engine.lists import ListTable
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs
from engine.render import texts as rendered
from engine.render.escape import printable

MAX_CELL = 200  # characters of a text in a table
DISTANCE = 'normalised_edit_distance'
WITHOUT_REFERENCES = ('mean_length', 'repeated')


@dataclass(frozen=True)
class TextsEvaluation(KindEvaluation):
    """Evaluates outputs of kind `texts`.

    Attributes:
      tokenize: how BLEU splits texts into words, by the name of sacrebleu's tokenizer: '13a' at spaces and
        punctuation; 'zh' also between Chinese characters; 'char' at every character.
      lowercase: whether BLEU and chrF ignore case.
      chrf_words: length of the longest n-grams of words in chrF; 2 is chrF++.
    """

    kind = 'texts'
    example_score = ExampleScore(DISTANCE, higher_is_better=False)

    tokenize: Literal['13a', 'char', 'intl', 'none', 'zh'] = '13a'
    lowercase: bool = False
    chrf_words: int = 0

    def __post_init__(self):
        if self.chrf_words < 0:
            raise UserError(f'TextsEvaluation.chrf_words = {self.chrf_words!r}: it must be at least 0.')

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: a part of the references is missing.
        """
        texts, of_example = _read(outputs)
        lengths, again = np.array(list(map(len, texts))), counted.repeated(texts)
        values, resamples = measuring.of_predictions(lengths, again, bootstrap)
        known = [row for row, given in enumerate(of_example) if given]
        bleu, chrf = self._bleu(), CHRF(word_order=self.chrf_words, lowercase=self.lowercase)
        counts = None
        if known:
            counts = counted.count(
                [texts[row] for row in known], [of_example[row] for row in known], bleu, chrf
            )
            values = {**measuring.measure(counts, bleu, chrf), **values}
            resamples = {**measuring.resample(counts, bleu, chrf, bootstrap), **resamples}
        signatures = [str(metric.get_signature()) if known else '' for metric in (bleu, chrf)]
        measured = {
            name: bootstrap.metric(float(values[name]), resamples[name], definition)
            for name, definition in definitions(*signatures).items()
            if name in values
        }
        table = per_example(outputs.ids, texts, of_example, known, counts)
        title, drawn = figures.subject(outputs, bootstrap), {}
        if known:
            drawn = {'edit_distances': partial(distances, table, title, measured[DISTANCE])}
        return Report(
            outputs,
            bootstrap,
            measured,
            HEADLINE if known else WITHOUT_REFERENCES,
            {'per_example': table},
            drawn,
            resamples if len(known) == len(texts) else {},
            notes=self._notes(texts, of_example, known),
        )

    def gallery(self, report: Report) -> dict[str, list[Card]]:
        """Returns the worst and typical texts; the first ones if there are no references."""
        if DISTANCE in report.tables['per_example']:
            return super().gallery(report)
        shown = report.tables['per_example'].head(example_cards.SHOWN)
        return {f'Texts: the first {len(shown)}': self.cards(report, shown)}

    def explanation(self, outputs: Outputs) -> str:
        """Returns what the marks of words mean."""
        if 'references' not in outputs.arrays:
            return 'There are no references, so the texts stand alone.'
        return (
            'Words of the prediction that the reference lacks are underlined; words of the reference that '
            'are missing are struck through. Of several references, the closest one is compared.'
        )

    def lines(self, outputs: Outputs, row: int) -> list[TextLine]:
        """Returns the source, the closest reference, and the prediction with marked words."""
        text, given, source = _of_row(outputs, row)
        known = [TextLine('source', rendered.visible(source))] if source is not None else []
        if not given:
            return [*known, TextLine('prediction', rendered.visible(text))]
        reference, _ = counted.closest(text, given)
        role = f'closest of {len(given)}' if len(given) > 1 else 'reference'
        return [
            *known,
            TextLine(role, rendered.visible(reference)),
            TextLine('prediction', rendered.difference(reference, text)),
        ]

    def caption(self, example: Mapping[str, Any]) -> str:
        """Returns the number of edits and the normalised edit distance of an example, as far as known."""
        if 'edits' not in example or np.isnan(example['edits']):
            return f'{example["characters"]:,} characters'
        return f'{int(example["edits"]):,} edits, {100 * example[DISTANCE]:.1f} %'

    def exports(self) -> Mapping[str, Export]:
        """Returns the formats: arrays, a table, and lines of JSON, which are exact."""
        return {
            **super().exports(),
            'csv': Export('.csv', _as_csv),
            'jsonl': Export('.jsonl', _as_json_lines),
        }

    def read_list(self, table: ListTable, outputs: Outputs) -> Arrays:
        """Reads the column `reference` or `text`, and `reference_1`, `reference_2`, ..., if they exist."""
        return labels.from_list(table)

    def read_json(self, path: Path, outputs: Outputs) -> tuple[Sequence[str], Arrays]:
        """Reads an object that maps ids to a text or to a list of texts."""
        return labels.from_json(path)

    def _bleu(self) -> BLEU:
        return BLEU(lowercase=self.lowercase, tokenize=self.tokenize, force=True)

    def _notes(
        self, texts: Sequence[str], of_example: Sequence[Sequence[str]], known: Sequence[int]
    ) -> list[str]:
        """Returns sentences on what was left out, and on what readers may not expect."""
        notes = []
        if not known:
            notes.append('There are no references, so the texts are compared with nothing.')
        elif len(known) < len(texts):
            missing = len(texts) - len(known)
            notes.append(
                f'{missing:,} of {len(texts):,} texts have no reference. They count only as predicted texts.'
            )
        damaged = sum('\ufffd' in text for text in texts)
        if damaged:
            notes.append(
                f'{damaged:,} of {len(texts):,} texts hold bytes that are not UTF-8, which count as the '
                'replacement character �, or this character itself.'
            )
        if known and self.tokenize == '13a' and _has_no_spaces([each[0] for each in of_example if each]):
            notes.append(
                'BLEU splits words at spaces, which most of the references lack. Set '
                "TextsEvaluation.tokenize = 'zh' or 'char', or read chrF instead."
            )
        return notes


def per_example(
    ids: Sequence[str],
    texts: Sequence[str],
    of_example: Sequence[Sequence[str]],
    known: Sequence[int],
    counts: CountedTexts | None,
) -> pd.DataFrame:
    """Returns a row per text, the worst first: distances if there are references, lengths, and the texts."""
    columns: dict[str, Any] = {}
    if counts is not None:
        numbers = np.full((len(texts), counts.edits.shape[1]), np.nan)
        numbers[list(known)] = counts.edits
        columns[DISTANCE] = numbers[:, NORMALISED]
        columns['edits'] = numbers[:, counted.EDITS]
        columns['exact'] = numbers[:, counted.EXACT] == 1
    columns['characters'] = list(map(len, texts))
    columns['prediction'] = list(map(_cell, texts))
    if counts is not None:
        columns['reference'] = [_cell(given[0]) if given else '' for given in of_example]
    table = pd.DataFrame(columns, pd.Index(ids, name='id'))
    if counts is None:
        return table
    return table.sort_values([DISTANCE, 'edits'], ascending=False, kind='stable')


def _read(outputs: Outputs) -> tuple[list[str], list[list[str]]]:
    """Returns the texts, and the references of each."""
    arrays = outputs.arrays
    parts = ('references', 'reference_lengths', 'reference_example')
    missing = [name for name in parts if name not in arrays]
    if 0 < len(missing) < len(parts):
        raise UserError(
            f'{outputs.folder}: references need {", ".join(parts)}, and {missing[0]}.npy is missing.'
        )
    return stored.restore(arrays['texts'], arrays['text_lengths']), references(arrays, len(outputs.ids))


def _of_row(outputs: Outputs, row: int) -> tuple[str, list[str], str | None]:
    """Returns the text, the references and the source of one example; None for no source."""
    arrays = outputs.arrays
    text = stored.one(arrays['texts'], arrays['text_lengths'], row)
    given = [
        stored.one(arrays['references'], arrays['reference_lengths'], index)
        for index in np.flatnonzero(np.asarray(arrays.get('reference_example', ())) == row).tolist()
    ]
    source = stored.one(arrays['sources'], arrays['source_lengths'], row) if 'sources' in arrays else None
    return text, given, source


def _cell(text: str) -> str:
    return printable(text if len(text) <= MAX_CELL else f'{text[:MAX_CELL]} …').replace('\n', '↵')


def _has_no_spaces(texts: Sequence[str]) -> bool:
    """Returns whether most characters belong to scripts without spaces."""
    joined = ''.join(texts)
    return 2 * sum(len(word) == 1 and ord(word) >= 0x3040 for word in rendered.words(joined)) > len(joined)


def _as_csv(outputs: Outputs) -> bytes:
    texts = stored.restore(outputs.arrays['texts'], outputs.arrays['text_lengths'])
    return csv({'id': outputs.ids, 'text': [printable(text) for text in texts]})


def _as_json_lines(outputs: Outputs) -> bytes:
    texts = stored.restore(outputs.arrays['texts'], outputs.arrays['text_lengths'])
    rows = zip(outputs.ids, texts, strict=True)
    return ''.join(f'{json.dumps({"id": name, "text": text})}\n' for name, text in rows).encode()


EVALUATION = TextsEvaluation()
