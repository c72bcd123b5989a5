"""The page of a pipeline: results of its seeds, training, checks, steps, and links to the other pages."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np

from engine.evaluation.pages import parts
from engine.evaluation.pages.pipeline_folder import Pipeline, Values, main_metrics, metric
from engine.evaluation.results.metric import Metric
from engine.render import markup, names
from engine.render import table as tables
from engine.render.document import document
from engine.render.durations import duration
from engine.render.figures.rendered import render_all
from engine.render.table import Cell, Table
from engine.run_reader import curves, logs

MAX_TILES = 4
PAGES = {'comparison.html': 'The whole comparison', 'table.tex': 'the table for LaTeX'}


def page(pipeline: Pipeline, command: str) -> str:
    """Returns the page.

    Args:
      pipeline: the folder.
      command: the command line that made it.
    """
    evaluations = pipeline.evaluations()
    trainings = {run.name: logs.read(run) for run in pipeline.runs}
    figures = render_all(curves.figures(trainings), 'training_', ())
    sections = [
        _results(pipeline, evaluations),
        _comparison(pipeline),
        parts.training(trainings, figures.values()),
        _checks(pipeline),
        _data(pipeline),
        _steps(pipeline),
        _config(pipeline),
    ]
    compared = [*evaluations.get(pipeline.split, {}).values()]
    foot = f'Made by <code>{markup.escaped(command)}</code> from the files of its steps.'
    return document(pipeline.folder.name, _head(pipeline, compared), sections, foot, tables.SCRIPT)


def _head(pipeline: Pipeline, compared: Sequence[Values]) -> str:
    """Returns the title, what was trained on what, and the first metrics in large print."""
    seeds = len(pipeline.runs)
    about = [f'{seeds} seeds' if seeds > 1 else '1 seed']
    for first in compared[:1]:
        of = names.outputs(first['kind'], first['dataset'], pipeline.split)
        about = [of, f'{first["examples"]:,} examples', *about]
    about.append(f'{duration(sum(seconds for *_, seconds in pipeline.stamps()))} in all steps')
    tiles = ''.join(
        _tile([metric(name, of) for of in compared]) for name in main_metrics(compared)[:MAX_TILES]
    )
    return (
        f'<h1>{markup.name(pipeline.folder.name)}</h1><p class="soft">{markup.escaped(" · ".join(about))}</p>'
        + (f'<div class="facts">{tiles}</div>' if tiles else '')
    )


def _tile(seeds: Sequence[Metric]) -> str:
    """Returns a metric in large print: the mean over the seeds, and below it the standard deviation."""
    values, first = [each.value for each in seeds], seeds[0]
    mean = replace(first, value=float(np.mean(values)))
    below = _spread(first, float(np.std(values, ddof=1))) if len(seeds) > 1 else first.shown_interval()
    title = markup.escaped(first.definition.title)
    return f'<div class="fact"><span>{title}</span><b>{mean.shown()}</b><small>{below}</small></div>'


def _spread(like: Metric, deviation: float) -> str:
    return f'± {replace(like, value=deviation).shown()}'


def _link(pipeline: Pipeline, path: Path, text: str) -> str:
    """Returns a link to a file in the folder."""
    where = quote(path.relative_to(pipeline.folder).as_posix())
    return f'<a href="{where}">{markup.escaped(text)}</a>'


# Sections.


def _results(pipeline: Pipeline, evaluations: Mapping[str, Mapping[Path, Values]]) -> str:
    """Returns a table per split, with a row per seed."""
    shown = [
        f'<h3>{markup.escaped(split)}</h3>{_seeds(pipeline, split, of_runs)}'
        for split, of_runs in evaluations.items()
    ]
    return markup.section('Results', *shown)


def _seeds(pipeline: Pipeline, split: str, of_runs: Mapping[Path, Values]) -> str:
    rows, titles = [], []
    for run, values in of_runs.items():
        report = run / 'outputs' / split / 'evaluation' / 'report.html'
        metrics = [metric(name, values) for name in main_metrics([*of_runs.values()])]
        shown = [Cell(each.value, each.shown()) for each in metrics]
        titles = [each.definition.title for each in metrics]
        rows.append([run.name, values['step'], *shown, Cell(None, markup=_link(pipeline, report, 'report'))])
    return tables.html(Table.of(['run', 'step', *titles, 'report'], rows), f'Results on {split}')


def _comparison(pipeline: Pipeline) -> str:
    """Returns the methods that were compared, the best first, and links to the comparison."""
    compared = pipeline.comparison()
    shown = {name: text for name, text in PAGES.items() if (pipeline.folder / name).exists()}
    links = [_link(pipeline, pipeline.folder / name, text) for name, text in shown.items()]
    table, note = '', ''
    if len(compared.get('methods', ())) > 1:
        table = _methods(compared)
        note = (
            f'On {pipeline.split}, the best first. p tests the difference from the best, example by example.'
        )
    below = f'<p>{", ".join(links)}.</p>' if links else ''
    return markup.section(
        'Comparison', f'<p class="soft">{markup.escaped(note)}</p>' * bool(note), table, below
    )


def _methods(compared: Values) -> str:
    rows, name = [], compared['metric']
    for method in compared['methods']:
        value = metric(name, method)
        deviation = method['metrics'][name]['standard_deviation']
        seeds = ', '.join(map(str, method['seeds']))
        spread = '' if deviation is None else _spread(value, deviation)
        cell = Cell(value.value, value.shown(), method['mark'] or '')
        rows.append([method['name'], seeds, cell, spread, value.shown_interval(), _p(method['p'])])
    percent = f'{100 * compared["confidence"]:g} %'
    titles = ['method', 'seeds', name.replace('_', ' '), 'over seeds', f'{percent} interval', 'p']
    return tables.html(Table.of(titles, rows), 'Methods')


def _p(value: float | None) -> Cell:
    return Cell(None) if value is None else Cell(value, f'{value:.3f}' if value >= 5e-4 else '< 0.001')


def _checks(pipeline: Pipeline) -> str:
    """Returns the findings of the checks of the experiment."""
    findings = pipeline.findings()
    if not findings:
        return ''
    counts = Counter(finding['verdict'] for finding in findings.values())
    summary = markup.escaped(', '.join(f'{count} {verdict}' for verdict, count in counts.items()))
    rows = [[finding['verdict'], name, finding['result']] for name, finding in findings.items()]
    link = _link(pipeline, pipeline.folder / 'check' / 'report.md', 'the report with pictures')
    table = tables.html(Table.of(['verdict', 'check', 'result'], rows), 'Checks', 'long')
    return markup.section('Checks', f'<p>{summary}: {link}.</p>', table)


def _data(pipeline: Pipeline) -> str:
    """Returns a link to the page of each dataset, and what its check printed."""
    shown = []
    for name, text in pipeline.datasets().items():
        link = _link(pipeline, pipeline.folder / 'data' / f'{name}.html', f'{name}: examples and statistics')
        shown += [f'<p>{link}</p>', markup.folded('What was checked', f'<pre>{markup.escaped(text)}</pre>')]
    return markup.section('Data', *shown)


def _steps(pipeline: Pipeline) -> str:
    rows = [
        [step, time.replace('T', ' ').removesuffix('Z'), Cell(seconds, duration(seconds))]
        for step, time, seconds in pipeline.stamps()
    ]
    table = tables.html(Table.of(['step', 'ended (UTC)', 'took'], rows), 'Steps') if rows else ''
    return markup.section('Steps', table)


def _config(pipeline: Pipeline) -> str:
    table = Table.of(['parameter', 'value'], pipeline.parameters())
    return markup.section('Config', tables.html(table, 'Parameters', 'long'))
