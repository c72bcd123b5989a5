"""The page of predictions, for people: thumbnails with what was predicted, the least certain ones first.

It is written where no report says more: for examples without labels, and for other data than the run's. The
page is one file. It shows a bounded number of examples and says so; predictions.csv has all of them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.datasets.reading import images
from engine.datasets.reading.dataset import EncodedImages, Examples
from engine.datasets.reading.images import Box
from engine.outputs import kind_folders
from engine.outputs.contents import PREDICTIONS
from engine.outputs.display import shown
from engine.outputs.display.shown import Shown
from engine.outputs.outputs import Outputs
from engine.prediction.resizing import IN_WORDS
from engine.render import charts, markup, names
from engine.render import table as tables
from engine.render.document import document
from engine.render.pictures import MAX_SIDE, Picture, visible
from engine.render.table import Cell, Table

MAX_CARDS = 600  # examples on a page
MAX_UNCERTAIN = 24  # of them in the first section
MAX_GROUPS = 40  # predicted classes with a section
MAX_ROWS = 500  # of the table
CERTAIN = 0.5  # probability below which a prediction counts as uncertain


@dataclass(frozen=True)
class _Page:
    """A page of outputs.

    Attributes:
      outputs: the outputs.
      examples: the examples that were predicted.
      shown: what is said of each.
    """

    outputs: Outputs
    examples: Examples
    shown: Shown

    def sections(self) -> list[str]:
        """Returns the sections."""
        order = np.arange(len(self.outputs.ids))
        if self.shown.certainty is not None:
            order = np.argsort(np.nan_to_num(self.shown.certainty, nan=-1), kind='stable')
        groups = self._groups(order)
        if not groups:
            return [self._cards('Examples', order, MAX_CARDS), self._table(order)]
        first = [self._cards('Least certain', order, MAX_UNCERTAIN)] if self._has_more(MAX_UNCERTAIN) else []
        most = max(MAX_UNCERTAIN // 2, MAX_CARDS // max(1, min(len(groups), MAX_GROUPS)))
        largest = [name for name, _ in Counter(self.shown.groups).most_common(MAX_GROUPS)]
        chosen = [self._cards(name, groups[name], most) for name in groups if name in largest]
        return [self._counts(groups), *first, *chosen, self._table(order)]

    def _has_more(self, count: int) -> bool:
        return self.shown.certainty is not None and len(self.outputs.ids) > count

    def _groups(self, order: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the examples of each predicted class, in the order of the classes."""
        predicted = np.array(self.shown.groups, object)[order] if len(self.shown.groups) else np.array([])
        known = [name for name in self.outputs.class_names if name in set(self.shown.groups)]
        found = known or sorted(set(self.shown.groups))
        return {name: order[predicted == name] for name in found}

    def _counts(self, groups: Mapping[str, np.ndarray]) -> str:
        """Returns a table of the predicted classes."""
        largest = max(map(len, groups.values()))
        rows = []
        for name, members in groups.items():
            row = [
                Cell(name),
                Cell(len(members), markup=charts.bar(len(members) / largest, 0, f'{len(members):,}')),
            ]
            if self.shown.certainty is not None:
                median = float(np.median(self.shown.certainty[members]))
                row.append(Cell(median, self._shown_certainty(members)))
            rows.append(row)
        titles = ['class', 'examples', f'median {self.shown.measure}'][: len(rows[0])]
        title = 'Predicted classes'
        return markup.section(title, tables.html(Table.of(titles, rows), title, 'bars'))

    def _shown_certainty(self, members: np.ndarray) -> str:
        """Returns the median certainty of some examples."""
        median = float(np.median(np.asarray(self.shown.certainty)[members]))
        return f'{100 * median:.1f} %' if self.shown.measure == 'probability' else f'{median:.2f}'

    def _cards(self, title: str, rows: np.ndarray, most: int) -> str:
        """Returns a section with a card for each of the first rows."""
        cards = ''.join(self._card(int(row)) for row in rows[:most])
        first = 'The first' if self.shown.certainty is None else 'The least certain'
        note = f'<p class="soft">{first} {most:,} of {len(rows):,} examples. {PREDICTIONS} has all.</p>'
        legend = f'<p class="legend">{markup.chips(self.shown.legend)}</p>' if self.shown.legend else ''
        sheet = f'<div class="sheet examples predicted">{cards}</div>'
        return markup.section(title, note if len(rows) > most else '', legend, sheet)

    def _card(self, row: int) -> str:
        first, *more = [*self.shown.caption(row)] or ['']
        lines = [f'<b>{markup.name(first)}</b>'] if first else []
        lines += [f'<span>{markup.name(line)}</span>' for line in more]
        lines.append(f'<small>{markup.name(self.outputs.ids[row])}</small>')
        pictures = self.shown.pictures(row) if self.shown.pictures else self._image(row)
        drawn = ''.join(picture.markup for picture in pictures)
        pair = f'<div class="pair">{drawn}</div>' if drawn else ''
        hint = markup.escaped('\n'.join([self.outputs.ids[row], *self.shown.caption(row)]))
        return f'<figure title="{hint}">{pair}<figcaption>{"".join(lines)}</figcaption></figure>'

    def _image(self, row: int) -> list[Picture]:
        """Returns the image of an example: the whole original if it is stored, else what was saved of it."""
        title = f'image of {self.outputs.ids[row]}'
        for encoded in self.examples.encoded.values():
            return [Picture(title, visible(_small(encoded, row)))]
        inputs = self.outputs.arrays.get('inputs')
        return [] if inputs is None or not inputs[row].size else [Picture(title, visible(inputs[row]))]

    def _table(self, order: np.ndarray) -> str:
        """Returns the first rows of predictions.csv, in the order of the page."""
        declared, outputs = kind_folders.declaration(self.outputs.kind), self.outputs
        if not declared.table:
            return ''
        columns = declared.table(outputs.arrays, outputs.ids, outputs.class_names)
        rows = [[cells[row] for cells in columns.values()] for row in order[:MAX_ROWS].tolist()]
        note = f'<p class="soft">{MAX_ROWS:,} of {len(order):,} rows. {PREDICTIONS} has all.</p>'
        table = tables.html(Table.of([name.replace('_', ' ') for name in columns], rows), 'Predictions')
        return markup.section('Table', table, note if len(order) > MAX_ROWS else '')

    def facts(self) -> dict[str, str]:
        """Returns the numbers at the top of the page."""
        certainty, groups = self.shown.certainty, set(self.shown.groups)
        facts = {'examples': f'{len(self.outputs.ids):,}'}
        if groups:
            facts['predicted classes'] = f'{len(groups):,} of {self.outputs.classes or len(groups):,}'
        if certainty is not None:
            facts[f'median {self.shown.measure}'] = self._shown_certainty(np.arange(len(certainty)))
            if self.shown.measure == 'probability':
                facts[f'below {100 * CERTAIN:.0f} %'] = f'{int((certainty < CERTAIN).sum()):,}'
        return facts


def html(outputs: Outputs, examples: Examples) -> str:
    """Returns the page.

    Args:
      outputs: the outputs, in memory.
      examples: the examples that were predicted.
    """
    manifest, page = outputs.manifest, _Page(outputs, examples, shown.of(outputs))
    title = names.outputs(manifest.kind, manifest.dataset, manifest.split)
    name = ' / '.join(filter(None, [manifest.project, manifest.run]))
    has_labels = any(label in outputs.arrays for label in kind_folders.declaration(outputs.kind).labels)
    about = ['predictions', manifest.saved_step, '' if has_labels else 'no labels']
    tiles = ''.join(
        f'<div class="fact"><span>{markup.escaped(fact)}</span><b>{markup.escaped(value)}</b></div>'
        for fact, value in page.facts().items()
    )
    head = (
        f'<p class="name">{markup.name(name)}</p>'
        f'<h1 title="{markup.escaped(manifest.dataset)}">{markup.name(title)}</h1>'
        f'<p class="soft">{markup.escaped(" · ".join(filter(None, about)))}</p>'
        f'<div class="facts">{tiles}</div>'
    )
    sections = [*page.sections(), _origin(outputs)]
    foot = f'Made by <code>scripts/predict.sh</code>. <code>{PREDICTIONS}</code> has a row for each example.'
    return document(f'Predictions: {title}', head, sections, foot, tables.SCRIPT)


def _origin(outputs: Outputs) -> str:
    """Returns a section on where the predictions come from."""
    manifest = outputs.manifest
    resized = IN_WORDS.get(manifest.details.get('resize', ''), '')
    rows = {
        'dataset': manifest.dataset,
        'its fingerprint': manifest.dataset_fingerprint,
        'checkpoint': manifest.saved_step,
        'its sha256': manifest.details.get('checkpoint_sha256', ''),
        'commits': ', '.join(manifest.commits),
        'images were resized': f'{manifest.details["resize"]}: {resized}' if resized else '',
    }
    table = Table.of(['name', 'value'], [(name, value) for name, value in rows.items() if value])
    return markup.section('Origin', tables.html(table, 'Origin', 'long', sortable=False))


def _small(encoded: EncodedImages, row: int) -> np.ndarray:
    """Returns a whole image, uint8 [H, W, C], reduced while it is decoded if it is large."""
    data = encoded[row]
    height, width = images.dimensions(data, encoded.channels)
    reduction = next((n for n in images.REDUCTIONS if max(height, width) >= n * MAX_SIDE), 1)
    return images.part(data, Box(0, 0, height, width), encoded.channels, reduction).copy()
