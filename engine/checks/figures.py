"""Pictures of the results of checks, in colours that colour-blind readers can tell apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.checks.memorisation import Memorisation
from engine.render.contact_sheet import batch_sheet
from engine.render.palette import GREEN, GREY, ORANGE, SKY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = SKY, ORANGE, GREEN, GREY
MAX_PARAMETERS = 40


def sheet(images: np.ndarray, captions: Sequence[str], path: Path) -> None:
    """Draws images [B, H, W, C] with their captions."""
    batch_sheet(images, captions).save(path)


def histogram(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Draws the distribution of the network's inputs."""
    figure, axes = _figure('Inputs of the network', 'value', 'share of values')
    for (name, array), colour in zip(arrays.items(), COLOURS, strict=False):
        counts, edges = np.histogram(array.ravel(), bins=50)
        label = f'{name}: mean {array.mean():.2g}, deviation {array.std():.2g}'
        axes.stairs(counts / counts.sum(), edges, fill=True, alpha=0.6, color=colour, label=label)
        axes.axvline(array.mean(), color=colour, linewidth=2)
    _save(figure, axes, path)


def gradients(norms: Mapping[str, float], path: Path) -> None:
    """Draws the gradient norm of each parameter, or the smallest ones if there are many."""
    lowest = sorted(norms, key=lambda name: norms[name])[:MAX_PARAMETERS]
    drawn = {name: norm for name, norm in norms.items() if name in lowest}
    which = f', the {MAX_PARAMETERS} smallest of {len(norms)}' if len(norms) > MAX_PARAMETERS else ''
    height = 1.6 + 0.3 * len(drawn)
    figure, axes = _figure(f'Gradients by parameter{which}', 'norm of the gradient', '', height)
    axes.plot(list(drawn.values()), range(len(drawn)), 'o', markersize=9, color=SKY)
    axes.set_yticks(range(len(drawn)), list(drawn))
    axes.set_xscale('log')
    axes.margins(y=0.05)
    axes.grid(axis='y', alpha=0.3)
    axes.invert_yaxis()
    _write(figure, path)


def overfit_one_batch(known: Memorisation, goal: float, path: Path) -> None:
    """Draws the loss of one batch while the network memorises it."""
    figure, axes = _figure('One memorised batch', 'step', 'loss')
    axes.plot(np.arange(len(known.losses)), known.losses, color=SKY, label='training')
    steps = [evaluation.step for evaluation in known.evaluations]
    losses = [evaluation.loss for evaluation in known.evaluations]
    axes.plot(steps, losses, 'o-', color=ORANGE, label='evaluation')
    axes.axhline(goal, color=GREY, linestyle='--', label='goal of evaluation')
    axes.set_ylim(bottom=min(0, *known.losses, *losses))
    _save(figure, axes, path)


def input_ablation(full: Any, ablated: Any, path: Path) -> None:
    """Draws two short trainings, one of them without inputs."""
    figure, axes = _figure('With and without inputs', 'step', 'loss')
    mark: dict[str, Any] = {'marker': 'D', 'markersize': 9, 'linestyle': '', 'clip_on': False}
    for training, colour, name in ((full, SKY, 'with inputs'), (ablated, ORANGE, 'inputs are zeros')):
        steps = len(training.losses)
        axes.plot(np.arange(steps), training.losses, color=colour, label=f'{name}, training')
        axes.plot([steps], [training.validation_loss], color=colour, label=f'{name}, validation', **mark)
    axes.set_ylim(bottom=min(0, *full.losses))
    _save(figure, axes, path)


def learning_rate(test: Any, path: Path) -> None:
    """Draws the loss of a learning rate range test."""
    figure, axes = _figure('Learning rate range test', 'learning rate, growing with each step', 'loss')
    axes.plot(test.rates, test.losses, color=SKY, alpha=0.5, linewidth=1)
    axes.plot(test.rates, test.smooth, color=SKY, linewidth=2.5, label='loss, smoothed')
    axes.axvline(test.configured, color='black', linewidth=2, label=f'configured: {test.configured:.2g}')
    axes.axvline(test.best, color=GREEN, linestyle='--', label=f'lowest loss: {test.best:.2g}')
    if np.isfinite(test.diverged):
        label = f'diverges: {test.diverged:.2g}'
        axes.axvspan(test.diverged, test.rates[-1], color=ORANGE, alpha=0.2, label=label)
    axes.set(xscale='log', xlim=(test.rates[0], test.rates[-1]))
    axes.set_ylim(min(0, float(test.smooth.min())), 1.3 * test.smooth[0])
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
    _write(figure, path)


def _write(figure: 'Figure', path: Path) -> None:
    """Writes a figure as PNG, SVG and PDF."""
    from engine.render.figures import rendered  # imports Matplotlib

    rendered.render(lambda: figure, path.stem).write(path.parent)
