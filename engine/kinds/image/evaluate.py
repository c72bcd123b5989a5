"""Evaluation of images: peak signal-to-noise ratio, structural similarity, absolute error."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from scipy import sparse
from skimage.metrics import structural_similarity

from engine.errors import UserError
from engine.evaluation.drawing import example_cards
from engine.evaluation.kind_evaluation import ExampleScore, KindEvaluation, require
from engine.evaluation.labels.label_cells import read_images
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Definition, Metric
from engine.evaluation.results.report import Report
from engine.lists import ListTable
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs
from engine.render.pictures import Picture

MAX_DECIBELS = 100.0  # of an image without errors, whose ratio is infinite
SSIM_WINDOW_PIXELS = 11  # side of the window, which must fit into an image

DEFINITIONS = {
    'psnr': Definition(
        'PSNR',
        'dB',
        'higher',
        'Mean over the images of the peak signal-to-noise ratio: ten times the decimal logarithm of the '
        'squared largest gray level, 255 or 65535, over the mean squared error of all pixels and channels; '
        f'{MAX_DECIBELS:g} dB for an image without errors.',
        'scikit-image, peak_signal_noise_ratio',
    ),
    'ssim': Definition(
        'SSIM',
        'similarity',
        'higher',
        'Mean over the images of the structural similarity in Gaussian windows of standard deviation 1.5 '
        'pixels, for each channel. It is 1 for equal images. Images with a side below '
        f'{SSIM_WINDOW_PIXELS} pixels are left out.',
        'Wang et al., Image quality assessment: from error visibility to structural similarity, IEEE '
        'Transactions on Image Processing 2004; scikit-image, structural_similarity',
    ),
    'mae': Definition(
        'mean absolute error',
        'gray levels',
        'lower',
        'Mean over the images of the absolute difference in gray levels, from 0 to 255 or 65535, over all '
        'pixels and channels of an image.',
        'this evaluator',
    ),
}


@dataclass(frozen=True)
class ImageEvaluation(KindEvaluation):
    """Evaluates outputs of kind `image`."""

    kind = 'image'
    pooled_metrics = tuple(DEFINITIONS)
    example_score = ExampleScore('psnr', higher_is_better=True)
    legend = 'From left to right: the input, if it was saved, the prediction, the target, the error.'

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: the targets are missing, or the images have no pixels.
        """
        scores = score_images(outputs)
        values = scores.to_numpy(np.float64)
        known = ~np.isnan(values)  # images that are smaller than the window have no SSIM
        features = {
            'scores': sparse.csr_array(np.where(known, values, 0)),
            'known': sparse.csr_array(known * 1.0),
        }
        sums = bootstrap.sums(features, len(values))
        resamples = sums['scores'] / np.where(sums['known'] > 0, sums['known'], np.nan)
        measured = {
            name: Metric(float(value), interval.tolist(), DEFINITIONS[name])
            for name, value, interval in zip(
                map(str, scores.columns), np.nanmean(values, 0), bootstrap.interval(resamples).T, strict=True
            )
        }
        tables = {'per_example': scores.sort_values('psnr', kind='stable')}
        return Report(
            outputs,
            bootstrap,
            measured,
            tuple(measured),
            tables,
            {},
            dict(zip(measured, resamples.T, strict=True)),
        )

    def pictures(self, outputs: Outputs, row: int) -> list[Picture]:
        """Returns the input, the prediction, the target and the error of one example."""
        shown = example_cards.images(outputs, ('inputs', 'images', 'targets'), row)
        return shown + [_error(outputs, row)] * ('targets' in outputs.arrays)

    def caption(self, example: Mapping[str, Any]) -> str:
        """Returns the signal-to-noise ratio of an example."""
        return f'{example["psnr"]:.1f} dB'

    def read_list(self, table: ListTable, outputs: Outputs) -> Arrays:
        """Reads the column `target` or `label`: a PNG file per example, absolute or relative to the list."""
        return {'targets': read_images(table, ('target', 'label'), outputs.arrays['images'])}


def score_images(outputs: Outputs) -> pd.DataFrame:
    """Returns a row of scores per image. There is no SSIM if the images are smaller than its window.

    Raises:
      UserError: the targets are missing, or the images have no pixels.
    """
    require(outputs, 'targets')
    images, targets = outputs.arrays['images'], outputs.arrays['targets']
    if not images.size:
        raise UserError(f'{outputs.folder}: the images have no pixels, so there is nothing to evaluate.')
    if images.dtype != targets.dtype:
        raise UserError(
            f'{outputs.folder}: the images are {images.dtype} and the targets {targets.dtype}, whose ranges '
            'differ. Save both in one dtype.'
        )
    rows = [_scores(image, target) for image, target in zip(images, targets, strict=True)]
    return pd.DataFrame(rows, pd.Index(outputs.ids, name='id'))


def _scores(image: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Returns the scores of one image, u8 or u16 [h, w, c]."""
    errors, largest = image.astype(np.float64) - target, float(np.iinfo(image.dtype).max)
    squared = np.square(errors).mean()
    scores = {'psnr': min(MAX_DECIBELS, 10 * np.log10(largest**2 / squared)) if squared else MAX_DECIBELS}
    if min(image.shape[:2]) >= SSIM_WINDOW_PIXELS:
        scores['ssim'] = _ssim(image, target, largest)
    return {**scores, 'mae': float(np.abs(errors).mean())}


def _error(outputs: Outputs, row: int) -> Picture:
    """Returns the largest absolute error of each pixel over its channels, bright where it is large."""
    image, target = (outputs.arrays[name][row].astype(int) for name in ('images', 'targets'))
    errors = np.abs(image - target).max(-1) * (255 / np.iinfo(outputs.arrays['images'].dtype).max)
    return Picture(
        f'error of {outputs.ids[row]}', colormaps['magma'](errors.astype(np.uint8), bytes=True)[..., :3]
    )


def _ssim(image: np.ndarray, target: np.ndarray, largest: float) -> float:
    similarity: Any = structural_similarity(
        image,
        target,
        channel_axis=-1,
        data_range=largest,
        gaussian_weights=True,
        use_sample_covariance=False,
    )
    return float(similarity)


EVALUATION = ImageEvaluation()
