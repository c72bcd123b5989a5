"""The report on one outputs folder, as one page that needs no other file."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from engine.evaluation.pages import gallery, parts
from engine.evaluation.results.report import Report
from engine.render import markup, vectors
from engine.render.document import document
from engine.render.table import SCRIPT
from engine.run_reader import origin
from engine.run_reader.origin import Origin

EXAMPLE_FIGURES = ('examples', 'samples')  # the page shows these examples in its gallery


def page(report: Report, figures: Mapping[str, Figure]) -> str:
    """Returns the page.

    Args:
      report: the report.
      figures: its figures, as `vectors.drawn` draws them.
    """
    run = origin.of(report.outputs)
    sections = list(filter(None, [*_of_outputs(report, figures), *_of_run(run), parts.files(report.outputs)]))
    title = report.title()
    body = [_head(report, run), markup.contents(sections), *sections, _foot(report)]
    return document(title, '\n'.join(body), SCRIPT)


def _head(report: Report, run: Origin | None) -> str:
    manifest, count = report.outputs.manifest, len(report.outputs.ids)
    name = ' / '.join(filter(None, [manifest.project, manifest.run])) or 'outputs'
    about = [f'{manifest.dataset} {manifest.split}'.strip(), f'{count:,} examples', manifest.kind]
    about += [f'step {manifest.step:,}'] if manifest.step is not None else []
    about += [f'{report.bootstrap.percent} intervals'] + ([f'training {run.logs.state}'] if run else [])
    headline = [report.metrics[name] for name in report.headline]
    return (
        f'<header><p class="name">{markup.escaped(name)}</p>'
        f'<h1>{markup.escaped(manifest.dataset or manifest.kind)} {markup.escaped(manifest.split)}</h1>'
        f'<p class="soft">{markup.escaped(" · ".join(filter(None, about)))}</p>'
        f'{parts.tiles(headline)}</header>'
    )


def _of_outputs(report: Report, figures: Mapping[str, Figure]) -> list[str]:
    plots = [vectors.svg(figure, name) for name, figure in figures.items() if name not in EXAMPLE_FIGURES]
    long = {name: table for name, table in report.tables.items() if name != 'confusion_matrix'}
    confusion = report.tables.get('confusion_matrix')
    return [
        markup.section('Metrics', parts.metric_table(report.metrics, f'{report.bootstrap.percent} interval')),
        markup.section(
            'Figures', markup.cards(plots), '' if confusion is None else parts.confused(confusion)
        ),
        markup.section('Examples', *gallery.galleries(report)),
        *(
            markup.section(name.replace('_', ' ').capitalize(), parts.frame(table))
            for name, table in long.items()
        ),
    ]


def _of_run(run: Origin | None) -> list[str]:
    if not run:
        return []
    return [
        parts.words('Notes', run.notes),
        parts.training({run.folder.name: run.logs}),
        parts.config(run),
        parts.environment(run),
        parts.words('Dataset', run.card),
    ]


def _foot(report: Report) -> str:
    bootstrap = report.bootstrap
    return (
        f'<footer>Intervals: percentiles over {bootstrap.resamples:,} bootstrap resamples of the examples, '
        f'seed {bootstrap.seed}. Made by <code>scripts/eval.sh</code> from saved outputs alone.</footer>'
    )
