"""The page of a dataset: one HTML file without links to others, to open, print or show in a notebook."""

from dataclasses import dataclass
from pathlib import Path

from engine import files
from engine.datasets.catalogue import readme
from engine.datasets.catalogue.names import DEFAULT_CONFIG, DatasetName
from engine.datasets.load import load, prepare
from engine.datasets.pages import statistics
from engine.datasets.pages.contact_sheets import contact_sheets
from engine.datasets.pages.image_findings import image_findings
from engine.datasets.pages.shown_dataset import MAX_SAMPLES, ShownDataset
from engine.datasets.pages.texts import texts
from engine.render import markup, names
from engine.render import table as tables
from engine.render.document import document
from engine.render.table import Cell, Table


@dataclass(frozen=True)
class DatasetPage:
    """The page of a dataset.

    Attributes:
      title: the title of the dataset.
      html: the whole document.
    """

    title: str
    html: str

    def _repr_html_(self) -> str:
        """Returns the page in a frame, which keeps its style apart from the notebook's."""
        style = 'width:100%;height:48rem;border:1px solid #8884;border-radius:6px'
        source = markup.escaped(self.html)
        return f'<iframe srcdoc="{source}" title="{markup.escaped(self.title)}" style="{style}"></iframe>'


def write(name: str) -> Path:
    """Writes the page of a dataset into the workspace, and returns its path."""
    parsed = DatasetName.parse(name)
    html = page(name).html
    file = parsed.workspace_folder / 'explore' / f'{parsed.config or DEFAULT_CONFIG}.html'
    file.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(file, html)
    return file


def page(name: str) -> DatasetPage:
    """Returns the page of a dataset, and builds the dataset first if it is not built yet.

    As the last line of a notebook cell, it shows the page.

    >>> page('digits/toy').title
    '1,797 handwritten digits of 8x8 pixels'

    Args:
      name: `digits`, `digits/toy`, `images:<folder>`, `text:<file>` or `tfds:<dataset>`.

    Raises:
      UserError: there is no such dataset or config, or its original files are damaged.
    """
    features = prepare(name).info.features
    kinds = {field: type(feature).__name__ for field, feature in features.items() if field != 'id'}
    dataset = ShownDataset(load(name), kinds)
    folder = DatasetName.parse(name).repository_folder
    text = readme.read(folder) if folder else ''
    title = readme.title(text) or f'Dataset {names.dataset(name)}'
    sections = [
        _fields(dataset),
        image_findings(dataset.data),
        contact_sheets(dataset),
        statistics.classes(dataset),
        statistics.images(dataset),
        texts(dataset),
        statistics.numbers(dataset),
    ]
    head = _head(dataset, title, readme.introduction(text))
    return DatasetPage(title, document(title, head, sections, _foot(dataset)))


def _head(dataset: ShownDataset, title: str, paragraphs: list[str]) -> str:
    """Returns title, introduction, numbers of examples and fingerprint."""
    data = dataset.data
    counts = [('in all', sum(data.splits.values())), *data.splits.items()]
    facts = ''.join(
        f'<div class="fact"><b>{count:,}</b><span>{markup.escaped(split)}</span></div>'
        for split, count in counts
    )
    introduction = ''.join(f'<p>{markup.inline(paragraph)}</p>' for paragraph in paragraphs)
    return (
        f'<p class="name">{markup.name(data.name)} {markup.escaped(data.version)}</p>'
        f'<h1>{markup.inline(title)}</h1>{introduction}<div class="facts">{facts}</div>'
        f'<p class="fingerprint">fingerprint <code>{data.fingerprint}</code></p>'
    )


def _fields(dataset: ShownDataset) -> str:
    data = dataset.data
    fields = [(name, field.dtype, field.shape) for name, field in data.spec.example.items()]
    fields += [(name, 'uint8', f'(height, width, {channels})') for name, channels in data.encoded.items()]
    rows = [
        [Cell(name, markup=f'<code>{markup.escaped(name)}</code>'), str(dtype), shape, dataset.kinds[name]]
        for name, dtype, shape in fields
    ]
    table = Table.of(['field', 'dtype', 'shape', 'feature'], rows)
    return markup.section('Fields', tables.html(table, 'Fields', sortable=False))


def _foot(dataset: ShownDataset) -> str:
    sampled = (
        f' Statistics cover {MAX_SAMPLES:,} evenly spaced examples of a split.' if dataset.is_sampled else ''
    )
    name = DatasetName.parse(dataset.data.name)
    config = f' --config={name.config}' if name.config else ''
    command = f'scripts/dataset.sh explore {name.without_config}{config}'
    return f'Made by <code>{markup.escaped(command)}</code>.{sampled}'
