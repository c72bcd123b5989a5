"""How F1, precision and recall depend on the threshold, as a table and a figure."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from engine.evaluation.results.metric import Metric
from engine.kinds.classification.class_scores import Totals, of_classes
from engine.kinds.multilabel.label_sets import LabelSets
from engine.kinds.multilabel.measuring import nan_mean
from engine.render.figures.fonts import plain
from engine.render.figures.style import PERCENT, WIDTH, entitle, hide_frame
from engine.render.palette import GREEN, GREY, ORANGE, SKY

THRESHOLDS = np.arange(1, 100) / 100


def table(sets: LabelSets) -> pd.DataFrame:
    """Returns a row per threshold: micro and macro F1, precision and recall of all labels together."""
    support = sets.positive.sum(axis=0)
    hits, predicted = (_at_least(sets, labels) for labels in (sets.positive, sets.known))
    f1 = of_classes(Totals(hits, np.broadcast_to(support, hits.shape), predicted))['f1']
    all_hits, all_predicted = hits.sum(axis=1), predicted.sum(axis=1)
    either = all_predicted + support.sum()
    return pd.DataFrame(
        {
            'micro_f1': 2 * all_hits / np.where(either > 0, either, np.nan),
            'macro_f1': nan_mean(f1),
            'precision': all_hits / np.where(all_predicted > 0, all_predicted, np.nan),
            'recall': all_hits / (support.sum() or np.nan),
        },
        pd.Index(THRESHOLDS, name='threshold'),
    )


def _at_least(sets: LabelSets, labels: np.ndarray) -> np.ndarray:
    """Returns the number of these labels whose probability is at least each threshold, [99, classes]."""
    reached = np.searchsorted(THRESHOLDS, sets.probabilities, side='right')  # thresholds, int [n, classes]
    counts = np.stack(
        [
            np.bincount(reached[labels[:, k], k], minlength=len(THRESHOLDS) + 1)
            for k in range(labels.shape[1])
        ],
        axis=1,
    )
    return counts[::-1].cumsum(axis=0)[::-1][1:]


def figure(curve: pd.DataFrame, threshold: float, title: str, headline: Metric) -> Figure:
    """Draws the table: F1 above, precision and recall below.

    Args:
      curve: as `table` returns it.
      threshold: that of the reported metrics.
      title: what was evaluated.
      headline: macro F1 at this threshold.
    """
    drawn = Figure(figsize=(WIDTH, 4.6), layout='constrained')
    above, below = drawn.subplots(2, sharex=True, height_ratios=(3, 2))
    for axes, lines in (
        (above, {'micro_f1': SKY, 'macro_f1': ORANGE}),
        (below, {'precision': GREEN, 'recall': GREY}),
    ):
        for name, colour in lines.items():
            label = name.replace('_f1', ' F1')
            axes.plot(curve.index, curve[name], color=colour, linewidth=2, label=label)
        axes.axvline(threshold, color=GREY, linestyle='--', linewidth=1)
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.yaxis.set_major_formatter(PERCENT)
        axes.legend(frameon=False, loc='upper left', bbox_to_anchor=(1, 1), fontsize='small')
        hide_frame(axes)
    above.annotate(
        f'reported: {threshold:g}',
        (threshold, 1.02),
        xytext=(0, 3),
        textcoords='offset points',
        ha='center',
        fontsize='small',
        color=GREY,
    )
    above.set_ylabel('F1')
    below.set(xlabel='threshold of the probability', ylabel='all labels')
    entitle(drawn, plain(title, 60), headline.with_title())
    return drawn
