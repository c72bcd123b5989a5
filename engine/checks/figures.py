"""Pictures of what checks found, each drawn into a file: for a talk, and safe for the colour-blind."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.render.contact_sheet import batch_sheet
from engine.render.palette import GREEN, GREY, ORANGE, SKY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = SKY, ORANGE, GREEN, GREY
MOST = 40  # parameters drawn
DPI = 160


def is_picture(array: np.ndarray) -> bool:
    """Whether an array [B, ...] can be drawn as images."""
    return array.ndim == 4 and array.shape[-1] in (1, 3)


def sheet(images: np.ndarray, captions: Sequence[str], path: Path) -> None:
    """Draws images [B, H, W, C] with their captions."""
    batch_sheet(images, captions).save(path)


def histogram(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Draws how often each value enters the network."""
    figure, axes = _figure('What enters the network', 'value', 'share of values')
    for (name, array), colour in zip(arrays.items(), COLOURS, strict=False):
        counts, edges = np.histogram(array.ravel(), bins=50)
        label = f'{name}: mean {array.mean():.2g}, deviation {array.std():.2g}'
        axes.stairs(counts / counts.sum(), edges, fill=True, alpha=0.6, color=colour, label=label)
        axes.axvline(array.mean(), color=colour, linewidth=2)
    _save(figure, axes, path)


def gradients(norms: Mapping[str, float], path: Path) -> None:
    """Draws the norm of the gradient by each parameter, the smallest if there are many."""
    lowest = sorted(norms, key=lambda name: norms[name])[:MOST]
    shown = {name: norm for name, norm in norms.items() if name in lowest}
    which = f', the {MOST} smallest of {len(norms)}' if len(norms) > MOST else ''
    height = 1.6 + 0.3 * len(shown)
    figure, axes = _figure(f'Gradients by parameter{which}', 'norm of the gradient', '', height)
    axes.plot(list(shown.values()), range(len(shown)), 'o', markersize=9, color=SKY)
    axes.set_yticks(range(len(shown)), list(shown))
    axes.set_xscale('log')
    axes.margins(y=0.05)
    axes.grid(axis='y', alpha=0.3)
    axes.invert_yaxis()
    figure.savefig(path, dpi=DPI)


def by_heart(losses: Sequence[float], looks: Sequence[Any], wanted: float, path: Path) -> None:
    """Draws the loss of one batch as it is learned by heart."""
    figure, axes = _figure('One batch, learned by heart', 'step', 'loss')
    axes.plot(np.arange(len(losses)), losses, color=SKY, label='in training')
    steps, seen = [look.step for look in looks], [look.loss for look in looks]
    axes.plot(steps, seen, 'o-', color=ORANGE, label='in evaluation')
    axes.axhline(wanted, color=GREY, linestyle='--', label='to be reached in evaluation')
    axes.set_ylim(bottom=min(0, *losses, *seen))
    _save(figure, axes, path)


def blanked(seeing: Any, blind: Any, path: Path) -> None:
    """Draws two short trainings, one of them without inputs."""
    figure, axes = _figure('With and without inputs', 'step', 'loss')
    mark: dict[str, Any] = {'marker': 'D', 'markersize': 9, 'linestyle': '', 'clip_on': False}
    for trial, colour, name in ((seeing, SKY, 'with inputs'), (blind, ORANGE, 'inputs are zeros')):
        steps = len(trial.losses)
        axes.plot(np.arange(steps), trial.losses, color=colour, label=f'{name}, training')
        axes.plot([steps], [trial.held_out], color=colour, label=f'{name}, validation', **mark)
    axes.set_ylim(bottom=min(0, *seeing.losses))
    _save(figure, axes, path)


def ramp(found: Any, path: Path) -> None:
    """Draws the loss over a learning rate that grows with each step."""
    figure, axes = _figure('Learning-rate range', 'learning rate, growing with each step', 'loss')
    axes.plot(found.rates, found.losses, color=SKY, alpha=0.5, linewidth=1)
    axes.plot(found.rates, found.smooth, color=SKY, linewidth=2.5, label='loss, smoothed')
    axes.axvline(found.configured, color='black', linewidth=2, label=f'configured: {found.configured:.2g}')
    axes.axvline(found.best, color=GREEN, linestyle='--', label=f'lowest loss: {found.best:.2g}')
    if np.isfinite(found.diverged):
        label = f'diverges: {found.diverged:.2g}'
        axes.axvspan(found.diverged, found.rates[-1], color=ORANGE, alpha=0.2, label=label)
    axes.set(xscale='log', xlim=(found.rates[0], found.rates[-1]))
    axes.set_ylim(min(0, float(found.smooth.min())), 1.3 * found.smooth[0])
    _save(figure, axes, path)


def _figure(title: str, across: str, up: str, height: float = 4.2) -> 'tuple[Figure, Axes]':
    from matplotlib.figure import Figure  # takes half a second to import

    figure = Figure(figsize=(7, height), layout='constrained')
    axes = figure.add_subplot()
    axes.set(xlabel=across, ylabel=up)
    axes.spines[['top', 'right']].set_visible(False)
    figure.suptitle(title, x=0.02, ha='left')
    return figure, axes


def _save(figure: 'Figure', axes: 'Axes', path: Path) -> None:
    axes.legend(frameon=False, loc='upper right')
    figure.savefig(path, dpi=DPI)
