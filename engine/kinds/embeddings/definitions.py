"""The metrics of embeddings: what they mean and where they are from."""

from engine.evaluation.results.metric import Definition
from engine.kinds.embeddings.probe import FOLDS, MAX_STEPS
from engine.kinds.embeddings.spread import MAX_PAIRED

GEOMETRY = 'Geometry'
_ALONE = 'no query has another example of its class to find'
_QUERIES = (
    'Queries whose class has no other example among those that are searched do not count. Of equally close '
    'neighbours, those of other classes come first. Closeness is compared to 12 decimals.'
)
_METRIC_LEARNING = 'Musgrave et al., A Metric Learning Reality Check, ECCV 2020'


def definitions(recalls: tuple[int, ...], voters: int, distance: str) -> dict[str, Definition]:
    """Returns the definitions of all metrics, in the order in which reports list them.

    Args:
      recalls: values of k of recall at k.
      voters: number of neighbours that vote for a class.
      distance: 'cosine' or 'euclidean'.
    """
    by = f'By {"cosine similarity" if distance == "cosine" else "Euclidean distance"}. {_QUERIES}'
    return {
        **{f'recall_at_{k}': _recall(k, by) for k in recalls},
        'map_at_r': Definition(
            'MAP@R',
            'fraction',
            'higher',
            'Mean average precision at R: for a query of whose class R other examples can be found, the sum '
            f'of the precisions at the places of right neighbours among the R nearest, over R. {by}',
            f'{_METRIC_LEARNING}, section 3.2',
            undefined=_ALONE,
        ),
        'knn_accuracy': Definition(
            f'{voters}-NN accuracy',
            'fraction',
            'higher',
            f'Share of queries whose class has more votes of the {voters} nearest neighbours than each other '
            f'class. {by}',
            'Fix and Hodges, Discriminatory Analysis, 1951; scikit-learn, KNeighborsClassifier, but for ties',
            undefined=_ALONE,
        ),
        'linear_probe': Definition(
            'linear probe accuracy',
            'fraction',
            'higher',
            f'Share of examples whose class a logistic regression predicts. It is trained on {FOLDS - 1} of '
            f'{FOLDS} stratified folds of these same outputs, standardised, with an L2 penalty (C = 1) and '
            f'at most {MAX_STEPS:,} steps, and predicts the other fold.',
            'Alain and Bengio 2016, https://arxiv.org/abs/1610.01644; scikit-learn, LogisticRegression',
            undefined=f'fewer than two classes have {FOLDS} examples, or it would take too long',
        ),
        'alignment': Definition(
            'alignment',
            'squared distance',
            'lower',
            'Mean squared distance of two examples of one class, on the unit sphere.',
            'Wang and Isola, Understanding Contrastive Representation Learning, ICML 2020',
            group=GEOMETRY,
            undefined='no class has two examples',
        ),
        'uniformity': Definition(
            'uniformity',
            'log potential',
            'lower',
            'Logarithm of the mean of exp(-2 d²) over pairs of examples at a distance d on the unit sphere. '
            f'0 if all are at one place. Of more than {MAX_PAIRED:,} examples, evenly spaced ones count.',
            'Wang and Isola, Understanding Contrastive Representation Learning, ICML 2020',
            group=GEOMETRY,
        ),
        'effective_rank': Definition(
            'effective rank',
            'dimensions',
            '',
            'Exponential of the entropy of the singular values of the embeddings, divided by their sum: how '
            'many dimensions are in use.',
            'Roy and Vetterli, The Effective Rank, EUSIPCO 2007; RankMe, https://arxiv.org/abs/2210.02885',
            group=GEOMETRY,
            undefined='all embeddings are zeros',
        ),
    }


def _recall(k: int, by: str) -> Definition:
    found = 'the nearest neighbour has' if k == 1 else f'one of the {k} nearest neighbours has'
    return Definition(
        f'recall@{k}',
        'fraction',
        'higher',
        f'Share of queries for which {found} the class of the query. {by}',
        f'Jégou et al., Product Quantization for Nearest Neighbor Search, TPAMI 2011; {_METRIC_LEARNING}',
        undefined=_ALONE,
    )
