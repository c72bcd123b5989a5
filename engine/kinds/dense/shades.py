"""Values of pixels in colours, on one scale for all images of some outputs."""

from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from engine.outputs.outputs import Outputs
from engine.render import pictures
from engine.render.pictures import Picture

VALUES, ERRORS = 'viridis', 'magma'
ERROR_SHARE = 0.1  # of the scale of the values, at which that of errors ends
_IMAGES, _NUMBERS = 32, 4096  # evenly spaced ones that give the scale, and numbers of each
_STEPS = {'value': 5, 'error': 3}  # of a scale that the legend names


@dataclass(frozen=True)
class Scale:
    """What the colours of pictures mean.

    Attributes:
      low: the value of the first colour.
      high: the value of the last colour.
      error: the absolute error of the last colour; the first is 0.
      unit: of the values, or ''.
    """

    low: float
    high: float
    error: float
    unit: str

    @classmethod
    def of(cls, outputs: Outputs, unit: str) -> 'Scale':
        """Returns the scale of outputs: from the 1st to the 99th percentile of the targets, or of the values.

        It does not depend on predictions if there are targets, so that methods can be compared. Errors end at
        a tenth of the scale. Evenly spaced pixels of evenly spaced images are read.
        """
        count = len(outputs.ids)
        rows = np.unique(np.linspace(0, count - 1, min(count, _IMAGES)).round().astype(int))
        known = _some(outputs, 'targets' if 'targets' in outputs.arrays else 'values', rows)
        known = known[np.isfinite(known)] if np.isfinite(known).any() else np.zeros(1)
        low, high = np.percentile(known, [1, 99]).tolist()
        high = high if high > low else low + 1
        return cls(low, high, (high - low) * ERROR_SHARE, unit)

    @property
    def legend(self) -> list[tuple[str, str]]:
        """Name and CSS colour of some values and errors."""
        values = np.linspace(self.low, self.high, _STEPS['value'])
        errors = np.linspace(0, self.error, _STEPS['error'])
        return _chips('', VALUES, values, self.unit) + _chips('error ', ERRORS, errors, self.unit)

    def picture(self, title: str, values: np.ndarray) -> Picture:
        """Returns values [h, w, c] in colours: of three channels as red, green and blue. NaN is hatched."""
        shares = (np.asarray(values, np.float64) - self.low) / (self.high - self.low)
        if shares.shape[-1] == 3:
            image = np.round(255 * np.clip(np.nan_to_num(shares), 0, 1)).astype(np.uint8)
        else:
            image = _coloured(VALUES, shares[..., 0])
        return Picture(title, pictures.hatched(image, np.isnan(shares).any(-1)))

    def error_picture(self, title: str, values: np.ndarray, targets: np.ndarray) -> Picture:
        """Returns the largest absolute error of each pixel over its channels, bright where it is large."""
        errors = np.abs(np.asarray(values, np.float64) - targets)
        known = ~np.isnan(errors).all(-1)
        largest = np.where(np.isnan(errors), 0, errors).max(-1) / self.error
        return Picture(title, pictures.hatched(_coloured(ERRORS, largest), ~known))


def _some(outputs: Outputs, name: str, rows: np.ndarray) -> np.ndarray:
    """Returns evenly spaced numbers of some images, f64."""
    array = outputs.arrays[name]
    step = max(1, array[0].size // _NUMBERS)
    return np.concatenate([np.asarray(array[row], np.float64).ravel()[::step] for row in rows.tolist()])


def _coloured(name: str, shares: np.ndarray) -> np.ndarray:
    """Returns shares of a colour map, f64 [h, w] from 0 to 1, as uint8 [h, w, 3]."""
    return colormaps[name](np.clip(np.nan_to_num(shares), 0, 1), bytes=True)[..., :3]


def _chips(word: str, name: str, values: np.ndarray, unit: str) -> list[tuple[str, str]]:
    shares = np.linspace(0, 1, len(values))
    return [
        (f'{word}{value:.3g} {unit}'.strip(), to_hex(colormaps[name](share)))
        for value, share in zip(values.tolist(), shares, strict=True)
    ]
