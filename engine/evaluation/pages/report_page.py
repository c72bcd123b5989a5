"""The report on one outputs folder, as one file that needs nothing else."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from engine.evaluation.pages import gallery, parts
from engine.evaluation.results.report import Report
from engine.render import html_tables, markup, vectors
from engine.render.document import document
from engine.run_reader import origin
from engine.run_reader.origin import Origin

EXAMPLES = ('examples', 'samples')  # figures that the page shows as pictures of its own


def page(report: Report, figures: Mapping[str, Figure]) -> str:
    """Returns the page.

    Args:
      report: what was found.
      figures: the report's, as `vectors.drawn` draws them.
    """
    run = origin.of(report.outputs)
    sections = list(filter(None, [*_of_outputs(report, figures), *_of_run(run), parts.files(report.outputs)]))
    title = report.title()
    body = [_head(report, run), markup.contents(sections), *sections, _foot(report)]
    return document(title, '\n'.join(body), html_tables.SCRIPT)


def _head(report: Report, run: Origin | None) -> str:
    found = report.outputs
    name = ' / '.join(filter(None, [found.project, found.run])) or 'outputs'
    about = [f'{found.dataset} {found.split}'.strip(), f'{len(found.ids):,} examples', found.kind]
    about += [f'step {found.step:,}'] if found.step is not None else []
    about += [f'{report.bootstrap.percent} intervals'] + ([f'training {run.logs.state}'] if run else [])
    headline = [report.metrics[name] for name in report.headline]
    return (
        f'<header><p class="name">{markup.escaped(name)}</p>'
        f'<h1>{markup.escaped(found.dataset or found.kind)} {markup.escaped(found.split)}</h1>'
        f'<p class="soft">{markup.escaped(" · ".join(filter(None, about)))}</p>'
        f'{parts.tiles(headline)}</header>'
    )


def _of_outputs(report: Report, figures: Mapping[str, Figure]) -> list[str]:
    plots = [vectors.svg(each, name) for name, each in figures.items() if name not in EXAMPLES]
    long = {name: table for name, table in report.tables.items() if name != 'confusion_matrix'}
    confusion = report.tables.get('confusion_matrix')
    return [
        markup.section('Metrics', parts.metric_table(report.metrics, f'{report.bootstrap.percent} interval')),
        markup.section(
            'Figures', markup.cards(plots), '' if confusion is None else parts.confused(confusion)
        ),
        markup.section('Examples', *gallery.galleries(report)),
        *(
            markup.section(name.replace('_', ' ').capitalize(), parts.frame(each))
            for name, each in long.items()
        ),
    ]


def _of_run(run: Origin | None) -> list[str]:
    if not run:
        return []
    return [
        parts.words('Notes', run.notes),
        parts.training({run.folder.name: run.logs}),
        parts.config(run),
        parts.stack(run),
        parts.words('Dataset', run.card),
    ]


def _foot(report: Report) -> str:
    bootstrap = report.bootstrap
    return (
        f'<footer>Intervals: percentiles over {bootstrap.resamples:,} bootstrap resamples of the examples, '
        f'seed {bootstrap.seed}. Made by <code>scripts/eval.sh</code> from saved outputs alone.</footer>'
    )
