"""A report as files: JSON for programs; Markdown, CSV, figures and a page for people."""

import json
from pathlib import Path

from engine import files
from engine.evaluation.pages import report_page
from engine.evaluation.results import frames
from engine.evaluation.results.report import Report
from engine.render import escape, vectors
from engine.render import table as tables

METRICS, PAGE = 'metrics.json', 'report.html'


def write(report: Report, folder: Path, overwrite: bool) -> None:
    """Writes the files of a report into `folder`, all or none. Replaces an earlier report if `overwrite`."""
    with files.user_folder(folder, METRICS, overwrite) as temporary:
        (temporary / METRICS).write_text(json.dumps(report.as_json(), indent=2) + '\n', encoding='utf-8')
        (temporary / 'metrics.md').write_text(markdown(report), encoding='utf-8')
        for name, table in report.tables.items():
            (temporary / f'{name}.csv').write_text(
                tables.comma_separated(frames.table(table)), encoding='utf-8'
            )
        figures = {name: vectors.drawn(draw) for name, draw in report.figures.items()}
        (temporary / 'figures').mkdir()
        for name, figure in figures.items():
            figure.savefig(temporary / 'figures' / f'{name}.png', dpi=160)
        (temporary / PAGE).write_text(report_page.page(report, figures), encoding='utf-8')


def markdown(report: Report) -> str:
    """Returns the report in Markdown: the table of metrics, their definitions, and the figures."""
    figures = [f'![{name.replace("_", " ")}](figures/{name}.png)' for name in report.figures]
    meanings = [
        f'- **{metric.definition.title}**: {metric.definition.definition} ({metric.definition.source})'
        for metric in report.metrics.values()
    ]
    intervals = (
        f'Intervals: percentiles over {report.bootstrap.resamples} bootstrap resamples of the examples, '
        f'seed {report.bootstrap.seed}.'
    )
    parts = [
        f'# {escape.markdown(report.title())}',
        tables.markdown(report.table()).rstrip('\n'),
        intervals,
        '\n'.join(meanings),
        *figures,
    ]
    return '\n\n'.join(parts) + '\n'
