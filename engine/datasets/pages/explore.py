"""Shows a dataset as one page that needs nothing else: to be opened, printed, or shown in a notebook.

In a notebook: `explore.page('digits/toy')` as the last line of a cell.
"""

from dataclasses import dataclass
from pathlib import Path

from engine.datasets.catalogue import builders, readme
from engine.datasets.catalogue.names import DatasetName
from engine.datasets.load import load, prepare
from engine.datasets.pages import sections
from engine.datasets.pages.subject import MEASURED, Subject
from engine.render import markup
from engine.render import table as tables
from engine.render.document import document
from engine.render.table import Cell, Table


@dataclass(frozen=True)
class Page:
    """A page, whole.

    Attributes:
      title: of the dataset.
      html: the document.
    """

    title: str
    html: str

    def _repr_html_(self) -> str:
        """Returns the page in a frame, so that its style and the notebook's keep apart."""
        style = 'width:100%;height:48rem;border:1px solid #8884;border-radius:6px'
        source = markup.escaped(self.html)
        return f'<iframe srcdoc="{source}" title="{markup.escaped(self.title)}" style="{style}"></iframe>'


def write(name: str) -> Path:
    """Writes the page of the dataset `name` into the workspace and returns where."""
    found = DatasetName.parse(name)
    folder = found.home / 'explore'
    made = page(name)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f'{found.config or builders.DEFAULT_CONFIG}.html'
    aside = file.with_suffix('.tmp')
    aside.write_text(made.html, encoding='utf-8')
    aside.replace(file)
    return file


def page(name: str) -> Page:
    """Returns the page of the dataset `name`, which is built first if need be.

    Args:
      name: `<dataset>` or `<dataset>/<config>`.

    Raises:
      UserError: no such dataset or config, or its originals are not what they should be.
    """
    builder = prepare(name)
    kinds = {field: type(each).__name__ for field, each in builder.info.features.items() if field != 'id'}
    subject = Subject(load(name), kinds)
    card = DatasetName.parse(name).card
    text = readme.read(card) if card else ''
    title = readme.title(text) or name
    parts = [
        _head(subject, title, readme.head(text)),
        _fields(subject),
        sections.contact_sheets(subject),
        sections.classes(subject),
        sections.images(subject),
        sections.texts(subject),
        sections.numbers(subject),
        _foot(subject),
    ]
    return Page(title, document(title, '\n'.join(filter(None, parts))))


def _head(subject: Subject, title: str, paragraphs: list[str]) -> str:
    """Returns title, what the README opens with, how many examples there are, the fingerprint."""
    dataset = subject.dataset
    counts = [('in all', sum(dataset.splits.values())), *dataset.splits.items()]
    facts = ''.join(
        f'<div class="fact"><b>{count:,}</b>{markup.escaped(split)}</div>' for split, count in counts
    )
    opening = ''.join(f'<p>{markup.inline(each)}</p>' for each in paragraphs)
    return (
        f'<header><p class="name">{markup.escaped(dataset.name)} {markup.escaped(dataset.version)}</p>'
        f'<h1>{markup.inline(title)}</h1>{opening}<div class="facts">{facts}</div>'
        f'<p class="fingerprint">fingerprint <code>{dataset.fingerprint}</code></p></header>'
    )


def _fields(subject: Subject) -> str:
    dataset = subject.dataset
    fields = [(field, each.dtype, each.shape) for field, each in dataset.spec.example.items()]
    fields += [(field, 'uint8', f'(height, width, {each})') for field, each in dataset.encoded.items()]
    rows = [
        [Cell(field, markup=f'<code>{markup.escaped(field)}</code>'), str(dtype), shape, subject.kinds[field]]
        for field, dtype, shape in fields
    ]
    table = Table.of(['field', 'dtype', 'shape', 'feature'], rows)
    return markup.section('Fields', tables.html(table, sortable=False))


def _foot(subject: Subject) -> str:
    sampled = f' Statistics of {MEASURED:,} examples of a split, evenly spaced.' if subject.is_sampled else ''
    found = DatasetName.parse(subject.dataset.name)
    command = f'scripts/dataset.sh explore {found.without_config}' + (
        f' --config={found.config}' if found.config else ''
    )
    return f'<footer>Made by <code>{markup.escaped(command)}</code>.{sampled}</footer>'
