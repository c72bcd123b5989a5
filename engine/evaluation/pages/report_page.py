"""The report on one outputs folder, as one page that needs no other file."""

from engine.evaluation.pages import gallery, parts
from engine.evaluation.pages.report_figures import ReportFigures
from engine.evaluation.results.report import Report
from engine.render import markup, names
from engine.render.document import document
from engine.render.table import SCRIPT
from engine.run_reader.origin import Origin


def page(report: Report, figures: ReportFigures, run: Origin | None) -> str:
    """Returns the page.

    Args:
      report: the report.
      figures: its figures.
      run: the run that wrote the outputs, if its folder is there.
    """
    sections = [*_of_outputs(report, figures), *_of_run(run, figures), parts.files(report.outputs)]
    return document(report.title(), _head(report, run), sections, _foot(report), SCRIPT)


def _head(report: Report, run: Origin | None) -> str:
    manifest, count = report.outputs.manifest, len(report.outputs.ids)
    name = ' / '.join(filter(None, [manifest.project, manifest.run]))
    about = [f'{count:,} examples', f'{report.bootstrap.percent} intervals']
    about += [manifest.saved_step] if manifest.saved_step else []
    about += [f'training {run.logs.state}'] if run else []
    title = names.outputs(manifest.kind, manifest.dataset, manifest.split)
    headline = [report.metrics[name] for name in report.headline]
    return (
        (f'<p class="name">{markup.name(name)}</p>' if name else '')
        + f'<h1 title="{markup.escaped(manifest.dataset)}">{markup.name(title)}</h1>'
        f'<p class="soft">{markup.escaped(" · ".join(about))}</p>'
        f'{parts.tiles(headline)}'
    )


def _of_outputs(report: Report, figures: ReportFigures) -> list[str]:
    plots = [figure.markup() for figure in figures.results.values()]
    shown = {name: table for name, table in report.tables.items() if name != 'confusion_matrix'}
    return [
        markup.section(
            'Metrics',
            parts.metric_tables(report),
            *(f'<p class="soft">{markup.escaped(footnote)}</p>' for footnote in report.footnotes),
        ),
        markup.section('Figures', markup.cards(plots)),
        markup.section('Examples', *gallery.shown(figures.gallery, figures.explanation, figures.legend)),
        *(markup.section(title := _title(name), parts.frame(table, title)) for name, table in shown.items()),
    ]


def _title(name: str) -> str:
    return name.replace('_', ' ').capitalize()


def _of_run(run: Origin | None, figures: ReportFigures) -> list[str]:
    if not run:
        return []
    return [
        parts.words('Notes', run.notes),
        parts.training({run.folder.name: run.logs}, figures.training.values()),
        parts.config(run),
        parts.environment(run),
        parts.words('Dataset', run.card),
    ]


def _foot(report: Report) -> str:
    bootstrap = report.bootstrap
    return (
        f'Intervals: percentiles over {bootstrap.resamples:,} bootstrap resamples of the examples, seed '
        f'{bootstrap.seed}. The figures are in <code>figures/</code>, as SVG, PDF and PNG. Made by '
        '<code>scripts/eval.sh</code> from saved outputs alone.'
    )
