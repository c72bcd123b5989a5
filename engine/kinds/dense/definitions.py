"""The metrics of dense values: what they mean and where they are from."""

from engine.evaluation.results.metric import Definition

UNKNOWN = 'units of the targets'
OF_IMAGES = 'Means over the images'
PER_IMAGE = 'image_'  # before the name of a metric that is a mean over the images
_EIGEN = (
    'Eigen et al., Depth Map Prediction from a Single Image, NeurIPS 2014, https://arxiv.org/abs/1406.2283'
)
_LAINA = 'Laina et al., Deeper Depth Prediction with Fully Convolutional Residual Networks, 3DV 2016'
_KITTI = 'as the code of Godard et al., Digging Into Self-Supervised Monocular Depth Estimation, ICCV 2019'
_POOLED = 'Over all pixels with ground truth of all images together. '
_AVERAGED = 'Computed for each image with ground truth, then averaged over the images. '
_LOGS = 'a prediction is 0 or less where there is ground truth'
_MEANINGS = {
    # name: title, unit or '' for that of the targets, direction, meaning, source
    'rmse': ('RMSE', '', 'lower', 'Square root of the mean squared error.', _EIGEN),
    'mae': ('mean absolute error', '', 'lower', 'Mean absolute error.', 'scikit-learn, mean_absolute_error'),
    'r2': (
        'R²',
        'share of the variance',
        'higher',
        'One minus the mean squared error over the variance of the targets.',
        'scikit-learn, r2_score',
    ),
    'abs_rel': (
        'abs rel',
        'of the target',
        'lower',
        'Mean of the absolute error over the target.',
        _EIGEN,
    ),
    'sq_rel': ('sq rel', '', 'lower', 'Mean of the squared error over the target.', _EIGEN),
    'rmse_log': (
        'RMSE log',
        'nats',
        'lower',
        'Square root of the mean squared difference of the natural logarithms.',
        _EIGEN,
    ),
    'log10': ('log10', 'decades', 'lower', 'Mean absolute difference of the decimal logarithms.', _LAINA),
}
_DELTAS = {1: '1.25', 2: '1.25²', 3: '1.25³'}
_RATIO = 'Share of pixels with max(prediction / target, target / prediction) below {}.'
ORDER = ('rmse', 'mae', 'abs_rel', 'delta_1', 'r2', 'delta_2', 'delta_3', 'rmse_log', 'log10', 'sq_rel')
HEADLINES = {True: ('abs_rel', 'rmse', 'delta_1', 'mae'), False: ('rmse', 'mae', 'r2')}


def definitions(unit: str) -> dict[str, Definition]:
    """Returns the definitions of all metrics, in the order in which reports list them.

    Args:
      unit: that of the targets.
    """
    pooled = {name: _definition(name, unit, pooled=True) for name in ORDER}
    return pooled | {
        f'{PER_IMAGE}{name}': _definition(name, unit, pooled=False) for name in ORDER if name != 'r2'
    }


def _definition(name: str, unit: str, pooled: bool) -> Definition:
    title, stated, direction, meaning, source = _meaning(name)
    where = (
        _POOLED if pooled else 'Computed for each image with ground truth, then averaged over the images. '
    )
    undefined = _LOGS if 'log' in name else 'the targets do not vary' if name == 'r2' else ''
    return Definition(
        f'{title}{"" if stated or unit == UNKNOWN else f" in {unit}"}{"" if pooled else " per image"}',
        stated or unit,
        direction,
        where + meaning,
        source if pooled or source is not _EIGEN else _KITTI,
        group='' if pooled else OF_IMAGES,
        undefined=undefined,
    )


def _meaning(name: str) -> tuple[str, str, str, str, str]:
    if name in _MEANINGS:
        return _MEANINGS[name]
    bound = _DELTAS[int(name[-1])]
    return f'δ < {bound}', 'fraction', 'higher', _RATIO.format(bound), _EIGEN
