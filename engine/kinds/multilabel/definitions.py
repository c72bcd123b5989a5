"""The metrics of multi-label classification: what they mean and where they are from."""

from engine.evaluation.results.metric import Definition

SETS, RANKINGS = 'Sets of labels', 'Order of the classes of an example'
_AT = 'A class is predicted if its probability is at least {threshold:g}. '
_OCCUR = 'Classes that occur among the known labels or their predictions count.'
_NEGATIVES = 'no class has both known positive and known negative examples'


def definitions(threshold: float) -> dict[str, Definition]:
    """Returns the definitions of all metrics, in the order in which reports list them.

    Args:
      threshold: the probability from which on a class is predicted.
    """
    at = _AT.format(threshold=threshold)
    return {
        'mean_ap': Definition(
            'mAP',
            'fraction',
            'higher',
            'Mean over the classes of the average precision: the mean of the precision at each recall, '
            'without interpolation. Classes without known positive examples do not count.',
            'scikit-learn, average_precision_score(average="macro")',
            undefined='no known label is positive',
        ),
        'micro_ap': Definition(
            'micro AP',
            'fraction',
            'higher',
            'Average precision of all pairs of example and class, ranked together by their scores.',
            'scikit-learn, average_precision_score(average="micro")',
            undefined='no known label is positive',
        ),
        'macro_f1': _f1('macro', f'{at}Mean of F1 over the classes. {_OCCUR}', 'zero_division=nan'),
        'micro_f1': _f1(
            'micro', f'{at}F1 of all pairs of example and class together.', '', 'nothing is true or predicted'
        ),
        'macro_roc_auc': Definition(
            'macro ROC AUC',
            'fraction',
            'higher',
            'Mean over the classes of the probability that a positive example gets a higher score than a '
            'negative one; ties count half. Classes without known examples of both kinds do not count.',
            'Hanley and McNeil, Radiology 1982; scikit-learn, roc_auc_score(average="macro")',
            undefined=_NEGATIVES,
        ),
        'log_loss': Definition(
            'log loss',
            'nats',
            'lower',
            'Binary cross-entropy: mean over all known labels of -ln of the predicted probability of the '
            'label. Saved probabilities are clipped at 1.2e-7, in float64 at 2.2e-16, logits are not.',
            'scikit-learn, log_loss of all labels',
        ),
        'samples_f1': _f1(
            'samples',
            f'{at}Mean of F1 over the examples with known labels. It is 1 for an example without labels for '
            'which nothing is predicted.',
            'zero_division=1',
        ),
        'exact_match': Definition(
            'exact match',
            'fraction',
            'higher',
            f'{at}Share of the examples of which all known labels are predicted right.',
            'scikit-learn, accuracy_score of indicators',
            group=SETS,
        ),
        'hamming_loss': Definition(
            'Hamming loss',
            'fraction',
            'lower',
            f'{at}Share of the known labels that are predicted wrong.',
            'scikit-learn, hamming_loss',
            group=SETS,
        ),
        **{
            f'{mean}_{score}': _average(mean, score, at) for mean in ('macro', 'micro') for score in _MEANINGS
        },
        'ranking_loss': Definition(
            'ranking loss',
            'fraction',
            'lower',
            'Share of the pairs of a true and a false class of an example in which the true class does not '
            'have the higher score; mean over the examples. 0 for an example that lacks either.',
            'Tsoumakas et al., Mining Multi-label Data, 2010; scikit-learn, label_ranking_loss',
            group=RANKINGS,
        ),
        'coverage_error': Definition(
            'coverage error',
            'classes',
            'lower',
            'How many of the classes with the highest scores must be taken to cover all true ones; mean over '
            'the examples. 0 for an example without true classes.',
            'Tsoumakas et al., Mining Multi-label Data, 2010; scikit-learn, coverage_error',
            group=RANKINGS,
        ),
    }


HEADLINE = ('mean_ap', 'macro_f1', 'micro_f1', 'macro_roc_auc')
_MEANINGS = {
    'precision': 'the share of its predictions that are right',
    'recall': 'the share of its examples that are recognised',
}


def _f1(average: str, definition: str, more: str, undefined: str = '') -> Definition:
    arguments = f'average="{average}"' + (f', {more}' if more else '')
    return Definition(
        f'{average} F1',
        'fraction',
        'higher',
        definition,
        f'scikit-learn, f1_score({arguments})',
        group=SETS if average == 'samples' else '',
        undefined=undefined or 'no class occurs among the known labels or their predictions',
    )


def _average(average: str, score: str, at: str) -> Definition:
    mean = f'Mean over the classes. {_OCCUR}' if average == 'macro' else 'Of all labels together.'
    return Definition(
        f'{average} {score}',
        'fraction',
        'higher',
        f'{at}For a class, {_MEANINGS[score]}. {mean}',
        f'scikit-learn, precision_recall_fscore_support(average="{average}")',
        group=SETS,
        undefined='no class occurs among the known labels or their predictions',
    )
