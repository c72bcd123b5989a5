"""A report as files: JSON for programs; Markdown, CSV, figures and a page for people."""

import json
from collections.abc import Sequence
from pathlib import Path

from engine import files
from engine.evaluation.pages import report_page
from engine.evaluation.pages.report_figures import ReportFigures
from engine.evaluation.results import frames
from engine.evaluation.results.report import Report
from engine.render import escape
from engine.render import table as tables
from engine.render.figures import rendered
from engine.render.figures.rendered import RenderedFigure
from engine.run_reader import origin

METRICS, PAGE, FIGURES = 'metrics.json', 'report.html', 'figures'


def write(report: Report, folder: Path, overwrite: bool, formats: Sequence[str] = rendered.FORMATS) -> str:
    """Writes the files of a report into `folder`, all or none.

    Args:
      report: the report.
      folder: the folder to write.
      overwrite: whether to replace an earlier report.
      formats: suffixes of the files of figures.

    Returns:
      A note on the figures; '' if there is nothing to note.
    """
    run = origin.of(report.outputs)
    with files.user_folder(folder, METRICS, overwrite) as temporary:
        figures = ReportFigures.of(report, run, formats)
        (temporary / METRICS).write_text(json.dumps(report.as_json(), indent=2) + '\n', encoding='utf-8')
        (temporary / 'metrics.md').write_text(markdown(report, figures.all()), encoding='utf-8')
        for name, table in report.tables.items():
            frames.write_csv(table, temporary / f'{name}.csv')
        if formats:
            rendered.write_all(figures.all(), temporary / FIGURES)
        (temporary / PAGE).write_text(report_page.page(report, figures, run), encoding='utf-8')
    return rendered.note(figures.all())


def markdown(report: Report, figures: Sequence[RenderedFigure]) -> str:
    """Returns the report in Markdown: the tables of metrics, their definitions, and the figures."""
    links = [
        f'![{escape.markdown(figure.title)}]({FIGURES}/{figure.stem}.{suffix})'
        for figure in figures
        for suffix in sorted(figure.files)[1:2] or list(figure.files)
    ]
    groups = [
        f'## {escape.markdown(heading)}\n\n' * bool(heading) + tables.markdown(table).rstrip('\n')
        for heading, table in report.metric_tables().items()
    ]
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
        *groups,
        *map(escape.markdown, report.footnotes),
        intervals,
        '\n'.join(meanings),
        *links,
    ]
    return '\n\n'.join(parts) + '\n'
