"""Evaluation of language models: bits per byte, perplexity, and nats per token of the vocabulary."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse

from engine.errors import UserError
from engine.evaluation.drawing import figures
from engine.evaluation.kind_evaluation import ExampleScore, KindEvaluation
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Definition
from engine.evaluation.results.report import Report
from engine.evaluation.submissions import Export, csv
from engine.outputs.outputs import Outputs

MAX_BITS_PER_BYTE = 1000  # the perplexity, two to this power, is a finite float64

DEFINITIONS = {
    'bits_per_byte': Definition(
        'bits per byte',
        'bits',
        'lower',
        '-log2 of the probabilities of all texts over their number of bytes: the bits that an ideal coder '
        'needs with the model. A uniform model needs 8.',
        'Shannon, Prediction and Entropy of Printed English, Bell System Technical Journal 1951; '
        'Graves, Generating Sequences With Recurrent Neural Networks, 2013',
    ),
    'perplexity': Definition(
        'perplexity per byte',
        'bytes',
        'lower',
        'Two to the power of the bits per byte: the number of equally likely bytes that are as uncertain.',
        'Jelinek et al., Perplexity: a Measure of the Difficulty of Speech Recognition Tasks, JASA 1977',
    ),
    'nats_per_token': Definition(
        'nats per token',
        'nats',
        'lower',
        '-ln of the probabilities of all texts over their number of tokens: the mean cross-entropy. Unlike '
        'bits per byte, it depends on the vocabulary.',
        'Radford et al., Language Models are Unsupervised Multitask Learners, 2019',
    ),
}
COLUMNS = ('bits', 'bytes', 'tokens')
LIMITS = {'log_probs': 'at most 0', 'lengths': 'at least 0', 'tokens': 'at least 1 where a text has bytes'}


@dataclass(frozen=True)
class LanguageEvaluation(KindEvaluation):
    """Evaluates outputs of kind `language`."""

    kind = 'language'
    pooled_metrics = tuple(DEFINITIONS)
    example_score = ExampleScore('bits_per_byte', higher_is_better=False)

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: there are no bytes, or the log-probabilities are not valid.
        """
        texts = read_texts(outputs)
        # In the order of the ids, so that resamples of other outputs contain the same texts.
        resamples = resample(texts.reindex(list(outputs.ids)).dropna(), bootstrap)
        measured = {
            name: bootstrap.metric(value, resamples[name], DEFINITIONS[name])
            for name, value in measure(texts).items()
        }
        title = figures.subject(outputs, bootstrap)
        drawn = {'per_text': partial(figures.texts, texts, title, measured['bits_per_byte'])}
        tables = {'per_example': texts}
        vocabulary = outputs.manifest.details.get('vocabulary', 'unknown')
        conditions = {'nats_per_token': f'Nats per token are those of the vocabulary {vocabulary}.'}
        conditions = {name: text for name, text in conditions.items() if name in measured}
        return Report(
            outputs, bootstrap, measured, tuple(measured), tables, drawn, resamples, conditions=conditions
        )

    def exports(self) -> Mapping[str, Export]:
        """Returns the formats: arrays, and a table of bits, bytes and tokens."""
        return {**super().exports(), 'csv': Export('.csv', _as_csv)}


def _as_csv(outputs: Outputs) -> bytes:
    bits = -outputs.arrays['log_probs'].astype(np.float64) / np.log(2)
    tokens = {name: outputs.arrays[name] for name in ('tokens',) if name in outputs.arrays}
    return csv({'id': outputs.ids, 'bits': bits, 'bytes': outputs.arrays['lengths'], **tokens})


def read_texts(outputs: Outputs) -> pd.DataFrame:
    """Returns a row for each text with bytes, the hardest first: `bits_per_byte`, `bits` and `bytes`.

    A column `tokens` follows if the outputs count them.

    Raises:
      UserError: there are no bytes, or the log-probabilities are not valid.
    """
    log_probs = np.asarray(outputs.arrays['log_probs'], np.float64)
    lengths = np.asarray(outputs.arrays['lengths'])
    _check(
        outputs,
        'log_probs',
        log_probs,
        ~np.isfinite(log_probs) | (log_probs > 0),
        'wrong log-probabilities',
    )
    _check(outputs, 'lengths', lengths, lengths < 0, 'wrong lengths')
    counts = {name: np.asarray(outputs.arrays[name]) for name in ('tokens',) if name in outputs.arrays}
    for name, array in counts.items():
        _check(outputs, name, array, (array < 0) | ((array == 0) & (lengths > 0)), 'wrong numbers of tokens')
    huge = (lengths > 0) & (-log_probs > MAX_BITS_PER_BYTE * math.log(2) * lengths)
    _check(outputs, 'log_probs', log_probs, huge, f'more than {MAX_BITS_PER_BYTE} bits per byte')
    if not lengths.sum():
        raise UserError(f'{outputs.folder}: lengths.npy counts no bytes, so there is nothing to evaluate.')
    bits = np.abs(log_probs) / math.log(2)
    nonempty = np.flatnonzero(lengths)
    hardest_first = nonempty[np.argsort(-bits[nonempty] / lengths[nonempty], kind='stable')]
    bits, lengths = bits[hardest_first], lengths[hardest_first]
    index = pd.Index(np.asarray(outputs.ids)[hardest_first], name='id')
    counts = {name: array[hardest_first] for name, array in counts.items()}
    return pd.DataFrame({'bits_per_byte': bits / lengths, 'bits': bits, 'bytes': lengths, **counts}, index)


def measure(texts: pd.DataFrame) -> dict[str, float]:
    """Returns all metrics, in the order in which reports list them."""
    sums = _counts(texts).sum(0)
    return {name: float(value) for name, value in _metrics(sums).items()}


def resample(texts: pd.DataFrame, bootstrap: Bootstrap) -> dict[str, np.ndarray]:
    """Returns all metrics on each resample of the texts, f64 [resamples]."""
    features = sparse.csr_array(_counts(texts))
    return _metrics(bootstrap.sums({'sums': features}, len(texts))['sums'])


def _metrics(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the metrics from bits, bytes and perhaps tokens, [..., 2 or 3]."""
    bits = sums[..., 0] / sums[..., 1]
    metrics = {'bits_per_byte': bits, 'perplexity': 2**bits}
    if sums.shape[-1] == len(COLUMNS):
        metrics['nats_per_token'] = sums[..., 0] * math.log(2) / sums[..., 2]
    return metrics


def _counts(texts: pd.DataFrame) -> np.ndarray:
    """Returns the columns that metrics are computed from, f64 [n, 2 or 3]."""
    return texts[[name for name in COLUMNS if name in texts]].to_numpy(np.float64)


def _check(outputs: Outputs, name: str, values: np.ndarray, wrong: np.ndarray, what: str) -> None:
    bad = np.flatnonzero(wrong)
    if bad.size:
        raise UserError(
            f'{outputs.folder}: {name}.npy holds {what} for {bad.size} of {len(values)} examples: '
            f'{values[bad[0]]:g} for {outputs.ids[bad[0]]!r}, the first of them. They must be finite and '
            f'{LIMITS[name]}.'
        )


EVALUATION = LanguageEvaluation()
