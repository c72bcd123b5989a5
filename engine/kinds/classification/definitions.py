"""The metrics of classification: what they mean and where they are from."""

from engine.evaluation.results.metric import Definition

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
        'Mean of the recall of each class that occurs among the labels; the same as macro recall.',
        'Brodersen et al., The Balanced Accuracy and Its Posterior Distribution, ICPR 2010; '
        'scikit-learn, precision_recall_fscore_support',
    ),
    'macro_precision': Definition(
        'macro precision',
        'fraction',
        'higher',
        'Mean of the precision of each class that occurs among the labels; 0 for a class never predicted.',
        'scikit-learn, precision_recall_fscore_support',
    ),
    'macro_f1': Definition(
        'macro F1',
        'fraction',
        'higher',
        'Mean of the F1 of each class that occurs among the labels. F1 is the harmonic mean of precision and '
        'recall.',
        'scikit-learn, precision_recall_fscore_support',
    ),
    'log_loss': Definition(
        'log loss',
        'nats',
        'lower',
        'Mean of -ln of the predicted probability of the label. Saved probabilities, which may be rounded to '
        '0, are clipped at 1.2e-7, as in scikit-learn. Logits are not clipped.',
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
}
HEADLINE = ('accuracy', 'balanced_accuracy', 'log_loss', 'calibration_error')
# How log loss was computed, by the array that holds the predictions.
CONDITIONS = {
    'logits': {'log_loss': 'Log loss uses saved logits as they are.'},
    'probabilities': {'log_loss': 'Log loss clips saved probabilities at 1.2e-7.'},
}


def top_k_definition(k: int) -> Definition:
    """Returns the definition of top-k accuracy."""
    return Definition(
        f'top-{k} accuracy',
        'fraction',
        'higher',
        f'Share of examples whose label is among the {k} most probable classes. Of equally probable classes, '
        'the first count.',
        'Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015',
    )
