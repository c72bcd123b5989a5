"""Pictures of what checks found, each drawn into a file: readable from the last row, safe for the colour-blind."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from research.engine import debug

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Of Okabe and Ito's palette: told apart with any colour vision.
SKY, ORANGE, GREEN, GREY = '#56B4E9', '#D55E00', '#009E73', '#666666'
MOST = 40  # bars


def is_picture(array: np.ndarray) -> bool:
    """Whether an array [B, ...] can be drawn as images."""
    return array.ndim == 4 and array.shape[-1] in (1, 3)


def sheet(images: np.ndarray, captions: Sequence[str], path: Path) -> None:
    """Draws images [B, H, W, C] with their captions."""
    debug.contact_sheet(images[: debug.MOST], captions[: debug.MOST]).save(path)


def histogram(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Draws how often each value enters the network."""
    figure, axes = _figure('What enters the network', 'value', 'share of values')
    for (name, array), colour in zip(arrays.items(), (SKY, ORANGE, GREEN, GREY), strict=False):
        counts, edges = np.histogram(array.ravel(), bins=50)
        shares = counts / counts.sum()
        axes.stairs(shares, edges, fill=True, alpha=0.6, color=colour, label=name)
        axes.axvline(array.mean(), color=colour, linewidth=2)
        axes.annotate(
            f' mean {array.mean():.2g}, deviation {array.std():.2g}', (array.mean(), shares.max()), va='top'
        )
    axes.set_yscale('log')
    _legend(axes)
    figure.savefig(path, dpi=160)


def bars(values: Mapping[str, float], label: str, path: Path) -> None:
    """Draws a number for each name, on a logarithmic scale."""
    shown = dict(sorted(values.items(), key=lambda each: each[1])[:MOST])
    which = f'the {MOST} lowest of {len(values)}' if len(values) > MOST else ''
    figure, axes = _figure(
        f'Gradients reach every parameter {which}', label, '', height=1.4 + 0.3 * len(shown)
    )
    drawn = {name: value for name, value in values.items() if name in shown}
    axes.barh(range(len(drawn)), list(drawn.values()), color=SKY)
    axes.set_yticks(range(len(drawn)), list(drawn))
    axes.set_xscale('log')
    axes.invert_yaxis()
    axes.tick_params(axis='y', length=0)
    figure.savefig(path, dpi=160)


def by_heart(losses: Sequence[float], looks: Sequence[Any], wanted: float, path: Path) -> None:
    """Draws the loss of one batch as it is learned by heart."""
    figure, axes = _figure('One batch, learned by heart', 'step', 'loss')
    axes.plot(np.arange(len(losses)), losses, color=SKY, label='training')
    axes.plot(
        [look.step for look in looks], [look.loss for look in looks], 'o-', color=ORANGE, label='evaluation'
    )
    axes.axhline(wanted, color=GREY, linestyle='--', label='to be reached by evaluation')
    if min(losses) > 0:
        axes.set_yscale('log')
    _legend(axes)
    figure.savefig(path, dpi=160)


def blanked(seeing: Any, blind: Any, path: Path) -> None:
    """Draws two short trainings, one of them without inputs."""
    figure, axes = _figure('With and without inputs', 'step', 'loss')
    for trial, colour, name in ((seeing, SKY, 'with inputs'), (blind, ORANGE, 'inputs are zeros')):
        axes.plot(np.arange(len(trial.losses)), trial.losses, color=colour, label=f'{name}, training')
        axes.plot(
            len(trial.losses),
            trial.held_out,
            'D',
            markersize=9,
            color=colour,
            label=f'{name}, validation',
            clip_on=False,
        )
    axes.set_ylim(bottom=min(0, *seeing.losses))
    _legend(axes)
    figure.savefig(path, dpi=160)


def ramp(found: Any, path: Path) -> None:
    """Draws the loss over a learning rate that grows with each step."""
    figure, axes = _figure('Learning-rate range', 'learning rate, growing with each step', 'loss')
    top = 1.3 * found.smooth[0]
    axes.plot(found.rates, found.losses, color=SKY, alpha=0.5, linewidth=1)
    axes.plot(found.rates, found.smooth, color=SKY, linewidth=2.5, label='loss, smoothed')
    axes.axvline(found.configured, color='black', linewidth=2, label=f'configured: {found.configured:.2g}')
    axes.axvline(found.best, color=GREEN, linestyle='--', label=f'lowest loss: {found.best:.2g}')
    if np.isfinite(found.diverged):
        axes.axvspan(
            found.diverged, found.rates[-1], color=ORANGE, alpha=0.2, label=f'diverges: {found.diverged:.2g}'
        )
    axes.set(
        xscale='log', ylim=(min(0, float(found.smooth.min())), top), xlim=(found.rates[0], found.rates[-1])
    )
    _legend(axes)
    figure.savefig(path, dpi=160)


def _figure(title: str, across: str, up: str, height: float = 4.2) -> 'tuple[Figure, Axes]':
    from matplotlib.figure import Figure  # takes half a second to import

    figure = Figure(figsize=(7, height), layout='constrained')
    axes = figure.add_subplot()
    axes.set(xlabel=across, ylabel=up)
    axes.spines[['top', 'right']].set_visible(False)
    figure.suptitle(title, x=0.02, ha='left')
    return figure, axes


def _legend(axes: 'Axes') -> None:
    axes.legend(frameon=False)
