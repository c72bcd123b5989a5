"""Optuna's plots of a sweep, as SVG and PNG files and as one page."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from engine import files
from engine.render import markup
from engine.render.document import document
from engine.render.figures import rendered, style
from engine.render.figures.rendered import INK, RenderedFigure
from engine.sweeps import optuna_study
from engine.sweeps.objective import MAX, Objective
from engine.sweeps.sweep_folder import FINISHED, Sweep

FOLDER, PAGE = 'plots', 'plots.html'
HEIGHT = 3.6  # inches
PANEL = 2.6  # inches; the width of one parameter's slice
MAX_CURVES = 50  # of runs, in one figure
MAX_LEGEND = 4  # entries
COUNTS = ('Trial', 'Step')  # labels of axes with whole numbers

# Heading of a plot on the page, by the name of its files.
HEADINGS = {
    'history': 'Value of each run, and the best so far',
    'slices': 'Value by each parameter',
    'parallel': 'Runs as lines through their parameters',
    'importances': 'Importance of the parameters (fANOVA)',
    'evaluations': 'Evaluations of all runs',
}


def write(sweep: Sweep, objective: Objective) -> list[Path]:
    """Writes the plots that the results of a sweep allow.

    Returns:
      The page and the figures; none if fewer than two finished runs have different values.
    """
    trials = optuna_study.trials(sweep, objective)
    results = [trial for trial in trials if trial.state == FINISHED and trial.value is not None]
    varied = [axis.name for axis in sweep.axes if len({trial.values[axis.name] for trial in results}) > 1]
    if not varied or len({trial.value for trial in results}) < 2:
        return []
    with optuna_study.quiet():
        drawn = _plots(optuna_study.of_sweep(sweep, objective), objective, varied, len(trials))
        figures = rendered.render_all(drawn, formats=('svg', 'png'))
    with files.atomic_folder(sweep.folder / FOLDER) as folder:
        rendered.write_all(figures.values(), folder)
    files.write_text(sweep.folder / PAGE, _page(sweep, objective, figures))
    return [sweep.folder / PAGE, *sorted((sweep.folder / FOLDER).iterdir())]


def _plots(study: Any, objective: Objective, varied: list[str], runs: int) -> dict[str, Callable[[], Figure]]:
    """Returns functions that draw the plots, by the names of their files.

    Args:
      study: the study.
      objective: its metric.
      varied: the parameters that have several values.
      runs: number of runs.
    """
    matplotlib.use('agg')  # files alone: Optuna draws by pyplot, which may look for a screen
    drawing, metric = optuna_study.optuna('visualization.matplotlib'), objective.metric
    plots = {
        'history': lambda: drawing.plot_optimization_history(study, target_name=metric),
        'slices': lambda: drawing.plot_slice(study, varied, target_name=metric),
        'parallel': lambda: drawing.plot_parallel_coordinate(study, varied, target_name=metric),
    }
    if len(varied) > 1:
        evaluator = optuna_study.optuna('importance').FanovaImportanceEvaluator(seed=0)
        plots['importances'] = lambda: drawing.plot_param_importances(study, evaluator, varied)
    if runs <= MAX_CURVES:
        plots['evaluations'] = lambda: _labelled(drawing.plot_intermediate_values(study), metric)
    wide = max(style.WIDTH, PANEL * len(varied))
    widths: dict[str, float] = {'slices': wide, 'parallel': wide}
    return {
        name: lambda name=name, draw=draw: _restyled(draw, HEADINGS[name], widths.get(name, style.WIDTH))
        for name, draw in plots.items()
    }


def _labelled(axes: Axes, label: str) -> Axes:
    axes.set_ylabel(label)
    return axes


def _restyled(draw: Callable[[], Any], title: str, width: float) -> Figure:
    """Returns the figure of the axes that a function draws, in the style of the other figures."""
    from matplotlib import pyplot

    with matplotlib.rc_context({'figure.constrained_layout.use': True}):
        figure = np.ravel(draw())[0].figure
    pyplot.close(figure)  # it lives on without pyplot
    figure.set_size_inches(width, HEIGHT)
    style.entitle(figure, title)
    for panel in figure.axes:
        _restyle(panel)
    figure.set_facecolor('none')
    return figure


def _restyle(panel: Axes) -> None:
    for place in ('left', 'center', 'right'):
        panel.set_title('', loc=place)
    panel.set_facecolor('none')
    panel.grid(visible=False)
    panel.tick_params(colors=INK, which='both')
    panel.xaxis.set_minor_formatter(NullFormatter())  # on a logarithmic axis, they would cover each other
    panel.spines[:].set_edgecolor(INK)
    for axis in (panel.xaxis, panel.yaxis):
        axis.label.set_color(INK)
        if axis.label.get_text() in COUNTS:
            axis.set_major_locator(MaxNLocator(integer=True))
    _restyle_legend(panel)


def _restyle_legend(panel: Axes) -> None:
    """Moves a legend into its panel; drops one that says nothing or has a line for each of many runs."""
    if legend := panel.get_legend():
        handles, names = panel.get_legend_handles_labels()
        legend.remove()
        if 1 < len(names) <= MAX_LEGEND:
            panel.legend(handles, names, frameon=False, fontsize='small', labelcolor=INK)


def _page(sweep: Sweep, objective: Objective, figures: Mapping[str, RenderedFigure]) -> str:
    better = 'Higher' if objective.mode == MAX else 'Lower'
    title, metric = f'Sweep {sweep.folder.name}', markup.escaped(objective.metric)
    head = (
        f'<h1>{markup.name(title)}</h1><p class="soft">{metric}: the best value of each run. '
        f'{better} is better.</p>'
    )
    shown = markup.section('Plots', markup.cards(figure.markup() for figure in figures.values()))
    return document(title, head, [shown], "Optuna's plots, made by <code>scripts/sweep.sh</code>.")
