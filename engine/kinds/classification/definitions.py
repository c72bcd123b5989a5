"""The metrics of classification: what they mean and where they are from."""

from collections.abc import Mapping, Sequence

from engine.evaluation.results.metric import Definition

AVERAGES, AGREEMENT, RANKING = 'Averages over classes', 'Agreement beyond chance', 'Probabilities'
_AVERAGED = {
    'macro': 'Mean over the classes',
    'weighted': 'Mean over the classes, weighted by their examples',
    'micro': 'Over all examples together; for one label per example it equals accuracy',
}
_OF_A_CLASS = {
    'precision': ('precision', 'the share of its predictions that are right; 0 if it is never predicted'),
    'recall': ('recall', 'the share of its examples that are recognised; 0 if it is never true'),
    'f1': ('F1', 'the harmonic mean of precision and recall'),
}


def _average(average: str, score: str, group: str = AVERAGES) -> Definition:
    """Returns the definition of a score averaged over classes, as scikit-learn averages it."""
    title, meaning = _OF_A_CLASS[score]
    return Definition(
        f'{average} {title}',
        'fraction',
        'higher',
        f'{_AVERAGED[average]}: {title}, {meaning}. Classes that occur among the labels or the predictions '
        'count; other classes do not.',
        f'scikit-learn, precision_recall_fscore_support(average="{average}")',
        group=group,
    )


DEFINITIONS = {
    'accuracy': Definition(
        'accuracy',
        'fraction',
        'higher',
        'Share of examples whose most probable class is the label. Of equally probable classes, the first '
        'counts.',
        'scikit-learn, accuracy_score',
    ),
    'balanced_accuracy': Definition(
        'balanced accuracy',
        'fraction',
        'higher',
        'Mean of the recall of each class that occurs among the labels.',
        'Brodersen et al., The Balanced Accuracy and Its Posterior Distribution, ICPR 2010; '
        'scikit-learn, balanced_accuracy_score',
    ),
    'macro_f1': _average('macro', 'f1', group=''),
    'sensitivity': Definition(
        'sensitivity',
        'fraction',
        'higher',
        'Of two classes: the share of the examples of the second class, the positive one, that are '
        'recognised.',
        'scikit-learn, recall_score(pos_label=1)',
        undefined='the labels lack the positive class',
    ),
    'specificity': Definition(
        'specificity',
        'fraction',
        'higher',
        'Of two classes: the share of the examples of the first class, the negative one, that are '
        'recognised.',
        'scikit-learn, recall_score(pos_label=0)',
        undefined='the labels lack the negative class',
    ),
    'log_loss': Definition(
        'log loss',
        'nats',
        'lower',
        'Mean of -ln of the predicted probability of the label. Saved probabilities, which may be rounded to '
        '0, are clipped at 1.2e-7, in float64 at 2.2e-16, as in scikit-learn. Logits are not clipped.',
        'Good, Rational Decisions, Journal of the Royal Statistical Society B, 1952',
    ),
    'calibration_error': Definition(
        'calibration error',
        'fraction',
        'lower',
        'Expected calibration error: mean distance between accuracy and confidence over bins of equal width, '
        'weighted by their examples. With few examples it is biased upwards, and its interval more so.',
        'Naeini et al., AAAI 2015; Guo et al., On Calibration of Modern Neural Networks, ICML 2017',
    ),
    'roc_auc': Definition(
        'ROC AUC',
        'fraction',
        'higher',
        'Area under the receiver operating characteristic: the probability that a positive example gets a '
        'higher score than a negative one; ties count half. Of two classes the second is positive. Of more '
        'classes: each against the others, mean over those among the labels.',
        'Hanley and McNeil, Radiology 1982; scikit-learn, roc_auc_score(multi_class="ovr", average="macro")',
        group=RANKING,
        undefined='all labels are the same class',
    ),
    'average_precision': Definition(
        'average precision',
        'fraction',
        'higher',
        'Mean of the precision at each recall, without interpolation. Of two classes the second is positive. '
        'Of more classes: each against the others, mean over those among the labels.',
        'scikit-learn, average_precision_score(average="macro")',
        group=RANKING,
        undefined='the labels lack the positive class',
    ),
    'brier_score': Definition(
        'Brier score',
        'squared probability',
        'lower',
        'Mean squared error of the probability of the second, positive class. Of more than two classes: the '
        'sum of the squared errors of the probabilities of all classes, from 0 to 2.',
        'Brier, Verification of Forecasts Expressed in Terms of Probability, Monthly Weather Review 1950; '
        'scikit-learn, brier_score_loss',
        group=RANKING,
    ),
    'matthews': Definition(
        'Matthews correlation',
        'correlation',
        'higher',
        'Correlation of predictions and labels: 1 if they are equal, 0 for guessing. For more than two '
        'classes by Gorodkin.',
        'Matthews 1975; Gorodkin, Computational Biology and Chemistry 2004; scikit-learn, matthews_corrcoef, '
        'which gives 0 where it is undefined',
        group=AGREEMENT,
        undefined='all predictions or all labels are the same class',
    ),
    'cohens_kappa': Definition(
        "Cohen's kappa",
        'kappa',
        'higher',
        'Agreement of predictions and labels beyond chance: 1 if they are equal, 0 for guessing by the '
        'shares of the classes.',
        'Cohen, Educational and Psychological Measurement 1960; scikit-learn, cohen_kappa_score',
        group=AGREEMENT,
        undefined='all predictions and all labels are the same class',
    ),
    **{
        f'{average}_{score}': _average(average, score)
        for average in _AVERAGED
        for score in _OF_A_CLASS
        if (average, score) != ('macro', 'f1')
    },
}
# The others sort or bin the confidences of all examples, which different models scale differently.
POOLED = tuple(
    name for name in DEFINITIONS if name not in ('roc_auc', 'average_precision', 'calibration_error')
)
# The metrics by which outputs with probabilities, and outputs without, are compared.
HEADLINES = {
    True: ('accuracy', 'balanced_accuracy', 'log_loss', 'calibration_error'),
    False: ('accuracy', 'balanced_accuracy', 'macro_f1', 'matthews'),
}
# How log loss was computed, by the array that holds the predictions.
CONDITIONS: Mapping[str, Mapping[str, str]] = {
    'logits': {'log_loss': 'Log loss uses saved logits as they are.'},
    'probabilities': {'log_loss': 'Log loss clips saved probabilities at 1.2e-7.'},
    'float64 probabilities': {'log_loss': 'Log loss clips saved probabilities at 2.2e-16.'},
    'predicted': {},
}


def definitions(tops: Sequence[int]) -> dict[str, Definition]:
    """Returns the definitions of all metrics, in the order in which reports list them.

    Args:
      tops: values of k for which top-k accuracy is reported.
    """
    first, second, *others = DEFINITIONS
    top = {f'top_{k}_accuracy': _top_k_definition(k) for k in tops}
    return {
        first: DEFINITIONS[first],
        second: DEFINITIONS[second],
        **top,
        **{name: DEFINITIONS[name] for name in others},
    }


def _top_k_definition(k: int) -> Definition:
    return Definition(
        f'top-{k} accuracy',
        'fraction',
        'higher',
        f'Share of examples whose label is among the {k} most probable classes. Of equally probable classes, '
        'the first count.',
        'Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015',
    )
