"""Numbers of each text from which all metrics of texts are computed: they add up over texts.

BLEU and chrF are sacrebleu's. Its methods that extract and combine statistics are private by their names, but
its own significance tests are built on them. The tests compare the results with its public functions.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from engine.kinds.texts.edit_distance import levenshtein

# Columns of `edits`.
EXACT, EDITS, CHARACTERS, WORD_EDITS, WORDS, NORMALISED = range(6)


@dataclass(frozen=True)
class CountedTexts:
    """Numbers of n texts that have references.

    Attributes:
      edits: f64 [n, 6]: whether the text is exact, edits and characters of the closest reference, edits and
        words of the closest reference, and the normalised edit distance.
      bleu: sacrebleu's statistics, f64 [n, 10].
      chrf: sacrebleu's statistics, f64 [n, 18] or more.
    """

    edits: np.ndarray
    bleu: np.ndarray
    chrf: np.ndarray


def count(texts: Sequence[str], references: Sequence[Sequence[str]], bleu: BLEU, chrf: CHRF) -> CountedTexts:
    """Counts what the metrics need of each text.

    Args:
      texts: predicted texts, at least one.
      references: at least one for each text.
      bleu: the metric, with its settings.
      chrf: the metric, with its settings.
    """
    most = max(map(len, references))
    streams = [[each[k] if k < len(each) else None for each in references] for k in range(most)]
    bleu_counts, chrf_counts = (
        np.array(metric._extract_corpus_statistics(texts, streams), np.float64)  # type: ignore[arg-type]
        for metric in (bleu, chrf)
    )
    edits = np.array([_edits(text, each) for text, each in zip(texts, references, strict=True)], np.float64)
    return CountedTexts(edits, bleu_counts, chrf_counts)


def score(metric: BLEU | CHRF, sums: np.ndarray) -> float:
    """Returns BLEU or chrF, from 0 to 100, from the sums of its statistics."""
    return float(metric._compute_score_from_stats(sums.tolist()).score)


def repeated(texts: Sequence[str]) -> np.ndarray:
    """Returns whether each text occurs more than once, f64 [n]."""
    times = Counter(texts)
    return np.array([times[text] > 1 for text in texts], np.float64)


def closest(text: str, references: Sequence[str]) -> tuple[str, int]:
    """Returns the reference with the fewest edits, and their number."""
    distances = [levenshtein(text, reference) for reference in references]
    best = int(np.argmin(distances))
    return references[best], distances[best]


def _edits(text: str, references: Sequence[str]) -> tuple[float, ...]:
    reference, edits = closest(text, references)
    words, reference_words = text.split(), [reference.split() for reference in references]
    word_edits = [levenshtein(words, each) for each in reference_words]
    nearest = int(np.argmin(word_edits))
    return (
        float(text in references),
        edits,
        len(reference),
        word_edits[nearest],
        len(reference_words[nearest]),
        edits / (max(len(text), len(reference)) or 1),
    )
