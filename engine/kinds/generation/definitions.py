"""The metrics of generation: what they mean and where they are from."""

from engine.evaluation.results.metric import Definition

# Limits of the number of resamples of a Frechet distance. More would not change its interval.
MIN_RESAMPLES, MAX_RESAMPLES = 30, 1000
_INTERVAL = (
    'Resamples repeat examples, which increases the distance; the interval is shifted by the mean increase.'
)
_FEWER = (
    f'It uses at most {MAX_RESAMPLES} resamples, and fewer for long features, but at least {MIN_RESAMPLES}.'
)
_HALVINGS = (
    'Mean over random halvings, one for each resample of the distance; the interval is that of a single one.'
)
_KYNKAANNIEMI = (
    'Kynkäänniemi et al., Improved Precision and Recall Metric for Assessing Generative Models, NeurIPS 2019'
)
DEFINITIONS = {
    'frechet_distance': Definition(
        'Frechet distance',
        'squared feature units',
        'lower',
        'Squared Frechet distance between normal distributions with the means and covariances of the '
        'features of all samples and of all real examples. It depends on '
        'the number of examples and on the network that computed the features: compare outputs that share '
        f'both. {_INTERVAL} {_FEWER}',
        'Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium, '
        'NeurIPS 2017',
    ),
    'kernel_distance': Definition(
        'kernel distance',
        'squared discrepancy',
        'lower',
        'Unbiased estimate of the squared maximum mean discrepancy between the features of all samples and '
        'of all real examples, with the kernel (x.y / d + 1)^3 for d numbers; 0 on average if both have '
        f'the same distribution. {_INTERVAL} It uses fewer resamples for many examples, but at least '
        f'{MIN_RESAMPLES}.',
        'Binkowski et al., Demystifying MMD GANs, ICLR 2018',
    ),
    'frechet_distance_of_halves': Definition(
        'of real halves',
        'squared feature units',
        '',
        f'A reference: the Frechet distance between two halves of the real examples. {_HALVINGS}',
        'this evaluator',
    ),
    'frechet_ratio': Definition(
        'Frechet ratio',
        'ratio',
        'lower',
        'The Frechet distance between one half of the real examples and as many samples, divided by the '
        'distance between the two halves: 1 if samples are as good as real examples. '
        f'Chance adds equally to both distances. {_HALVINGS}',
        'this evaluator',
    ),
    'precision': Definition(
        'precision',
        'fraction',
        'higher',
        'Share of the samples on the manifold of the real examples: within a ball around the features of a '
        'real example that reaches to its third nearest neighbour. The interval resamples the samples and '
        'keeps the manifold.',
        _KYNKAANNIEMI,
    ),
    'recall': Definition(
        'recall',
        'fraction',
        'higher',
        'Share of the real examples on the manifold of the samples, which has the same construction. '
        'The interval resamples the real examples and keeps the manifold.',
        _KYNKAANNIEMI,
    ),
}
HEADLINE = ('frechet_distance', 'kernel_distance', 'frechet_ratio', 'precision', 'recall')
