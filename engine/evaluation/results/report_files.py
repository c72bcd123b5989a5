"""A report as files: JSON for programs; Markdown, CSV, figures and a page for people."""

import json
from pathlib import Path

from engine import files
from engine.evaluation.pages import report_page
from engine.evaluation.results.report import Report
from engine.render import table_formats, text_tables, vectors

METRICS, PAGE = 'metrics.json', 'report.html'


def write(report: Report, folder: Path, overwrite: bool) -> None:
    """Writes all of a report into `folder`, or nothing; an earlier evaluation is replaced if `overwrite`."""
    with files.user_folder(folder, METRICS, overwrite) as aside:
        (aside / METRICS).write_text(json.dumps(report.as_json(), indent=2) + '\n', encoding='utf-8')
        (aside / 'metrics.md').write_text(markdown(report), encoding='utf-8')
        for name, table in report.tables.items():
            (aside / f'{name}.csv').write_text(table_formats.frame_as_csv(table), encoding='utf-8')
        figures = {name: vectors.drawn(draw) for name, draw in report.figures.items()}
        (aside / 'figures').mkdir()
        for name, figure in figures.items():
            figure.savefig(aside / 'figures' / f'{name}.png', dpi=160)
        (aside / PAGE).write_text(report_page.page(report, figures), encoding='utf-8')


def markdown(report: Report) -> str:
    """Returns the table of all metrics, what they mean, and the figures."""
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
        f'# {text_tables.escaped(report.title())}',
        text_tables.markdown(report.rows()),
        intervals,
        '\n'.join(meanings),
        *figures,
    ]
    return '\n\n'.join(parts) + '\n'
