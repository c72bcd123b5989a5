"""Values of the metrics of texts, on all texts and on resamples."""

from collections.abc import Mapping

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from scipy import sparse

from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.texts.counted import (
    CHARACTERS,
    EDITS,
    EXACT,
    NORMALISED,
    WORD_EDITS,
    WORDS,
    CountedTexts,
    score,
)

Values = dict[str, np.ndarray]


def measure(counted: CountedTexts, bleu: BLEU, chrf: CHRF) -> dict[str, float]:
    """Returns the metrics of all texts; NaN for one that is not defined."""
    sums = {name: array.sum(0, keepdims=True) for name, array in vars(counted).items()}
    return {name: float(value[0]) for name, value in _metrics(sums, len(counted.edits), bleu, chrf).items()}


def resample(counted: CountedTexts, bleu: BLEU, chrf: CHRF, bootstrap: Bootstrap) -> Values:
    """Returns the metrics on each resample of the texts, f64 [resamples]."""
    features = {name: sparse.csr_array(array) for name, array in vars(counted).items()}
    return _metrics(bootstrap.sums(features, len(counted.edits)), len(counted.edits), bleu, chrf)


def _metrics(sums: Mapping[str, np.ndarray], texts: int, bleu: BLEU, chrf: CHRF) -> Values:
    """Returns the metrics from sums over as many texts, each [k, ...]."""
    edits, lengths = sums['edits'].T, sums['bleu'].T[:2]
    return {
        'bleu': np.array([score(bleu, row) for row in sums['bleu']]),
        'chrf': np.array([score(chrf, row) for row in sums['chrf']]),
        'character_error_rate': _ratio(edits[EDITS], edits[CHARACTERS]),
        'word_error_rate': _ratio(edits[WORD_EDITS], edits[WORDS]),
        'exact_match': edits[EXACT] / texts,
        'edit_distance': edits[EDITS] / texts,
        'normalised_edit_distance': edits[NORMALISED] / texts,
        'length_ratio': _ratio(*lengths),
    }


def of_predictions(
    characters: np.ndarray, repeated: np.ndarray, bootstrap: Bootstrap
) -> tuple[dict[str, float], Values]:
    """Returns the metrics that need no references, on all texts, and on each resample, f64 [resamples].

    Args:
      characters: of each text, [n].
      repeated: whether each text occurs more than once, f64 [n].
      bootstrap: draws the resamples.
    """
    columns = np.stack([characters, repeated], 1).astype(np.float64)
    sums = bootstrap.sums({'sums': sparse.csr_array(columns)}, len(columns))['sums']
    names = ('mean_length', 'repeated')
    values, resamples = columns.mean(0).tolist(), sums.T / len(columns)
    return dict(zip(names, values, strict=True)), dict(zip(names, resamples, strict=True))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Returns quotients; NaN where the denominator is 0."""
    return numerator / np.where(denominator > 0, denominator, np.nan)
