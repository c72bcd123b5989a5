"""Curves with few points: the extremes of a long line, and its running mean."""

import numpy as np
import pandas as pd

MAX_POINTS = 2000  # of a line: no screen shows more, and an SVG would be huge


def thinned(values: pd.Series) -> pd.Series:
    """Returns values by step, at most `MAX_POINTS`: the lowest and highest of each part of a longer line."""
    if len(values) <= MAX_POINTS:
        return values
    part = np.arange(len(values)) * (MAX_POINTS // 2) // len(values)
    steps = values.index.to_series().groupby(part).agg(['first', 'last'])
    extremes = values.groupby(part).agg(['min', 'max'])
    return pd.Series(extremes.to_numpy().ravel(), steps.to_numpy().ravel())


def running_mean(values: pd.Series, window: int) -> pd.Series:
    """Returns the mean of the `window` values around each step with a value, at most `MAX_POINTS` means.

    Each mean is computed separately: a running sum would never forget a loss that was huge for a moment.
    """
    numbers = values.to_numpy(float)
    places = list(range(0, len(numbers), max(1, -(-len(numbers) // MAX_POINTS))))
    means = [_mean_around(numbers, place, window) for place in places]
    return pd.Series(means, values.index[places], dtype=float)


def _mean_around(numbers: np.ndarray, place: int, window: int) -> float:
    if np.isnan(numbers[place]):
        return np.nan
    return float(np.nanmean(numbers[max(0, place - window // 2) : place + (window + 1) // 2]))
