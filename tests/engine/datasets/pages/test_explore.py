"""The page of a dataset: well formed, without external resources, with correct numbers."""

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import jax
import numpy as np
import pytest

from engine.datasets.load import load
from engine.datasets.pages import explore, statistics, texts
from engine.datasets.pages.contact_sheets import contact_sheets
from engine.datasets.pages.shown_dataset import ShownDataset, spread
from engine.datasets.reading.dataset import Dataset
from engine.interfaces import Spec
from engine.render import charts, markup, pictures
from tests.engine import photos
from tests.engine.datasets.new_datasets import DatasetSandbox, new_datasets

KINDS = {'seen_images': 'images', 'seen_masks': 'masks', 'seen_text': 'text', 'seen_arrays': 'arrays'}
VOID = {'meta', 'br', 'img', 'wbr'}
EXTERNAL = re.compile(
    r'(?:href|src|srcset|data|action)\s*=\s*["\']?(?!data:|#)[^"\'\s>]|url\(|@import|//\w', re.I
)


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatasetSandbox]:
    with new_datasets(tmp_path_factory.mktemp('explore'), **KINDS) as made:
        yield made


class Parser(HTMLParser):
    """Counts tags, collects the text, and asserts that tags are nested correctly."""

    def __init__(self, html: str):
        super().__init__()
        self.tags, self.open, self.text = Counter[str](), list[str](), ''
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags[tag] += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.tags[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize('name', KINDS)
def test_a_page_is_well_formed_and_loads_nothing_external(name: str, made: DatasetSandbox) -> None:
    file = explore.write(name)
    assert file == made.workspace_folder(name) / 'explore/full.html'
    html = file.read_text()
    page = Parser(html)
    assert EXTERNAL.findall(re.sub(r'data:image/\w+;base64,[\w+/=]+', 'data:', html)) == []
    assert page.tags['script'] == 0
    dataset = load(name)
    assert dataset.fingerprint in page.text
    assert all(f'{count}{split}' in page.text for split, count in dataset.splits.items())
    assert page.tags['h1'] == 1


def test_a_page_shows_examples_by_class(made: DatasetSandbox) -> None:
    page = Parser(explore.page('seen_images').html)
    assert page.tags['figure'] == 3 * 3 * 18  # splits, classes, images
    assert page.text.count('diagonal') == 3 + 1  # a row in each split, a line of the table
    assert 'Classes: examples of each' in page.text
    assert '80' in page.text  # of 240 in train


def test_a_page_shows_masks_beside_images(made: DatasetSandbox) -> None:
    page = Parser(explore.page('seen_masks').html)
    assert page.tags['image'] == 2 * 3 * 24 + 3  # pairs in each split, and a mean of each
    pixels = np.bincount(load('seen_masks').split('train').arrays['mask'].ravel())
    assert f'{pixels[1] / pixels.sum():.1%}' in page.text


def test_a_page_shows_texts_unchanged(made: DatasetSandbox) -> None:
    page = Parser(explore.page('seen_text').html)
    first = load('seen_text').split('train').example(0)
    assert first['text'][: first['length']].tobytes().decode() in page.text
    assert page.tags['pre'] == 3 * texts.MAX_TEXTS


def test_a_page_shows_a_histogram_of_each_column(made: DatasetSandbox) -> None:
    html = explore.page('seen_arrays/toy').html
    page = Parser(html)
    assert html.count('class="chart"') == 5
    values = load('seen_arrays/toy').split('train').arrays['targets']
    assert markup.number(values.astype(np.float64).mean()) in page.text


def test_a_notebook_shows_the_page_in_a_frame(made: DatasetSandbox) -> None:
    page = explore.page('seen_text/toy')
    shown = page._repr_html_()
    assert Parser(shown).tags == {'iframe': 1}
    assert markup.escaped(page.html) in shown


NASTY = '<script>alert("&")</script>'


def nasty(folder: Path) -> ShownDataset:
    """A dataset whose ids, classes and fields are markup. Each example has a box and a padded box."""
    rng = np.random.default_rng(0)
    fields = {
        'image': rng.integers(0, 256, (4, 6, 8, 3), dtype=np.uint8),
        'label': np.array([0, 1, 0, 1], np.int32),
        'boxes': np.tile(np.array([[1, 2, 5, 6], [0, 0, 0, 0]], np.float32), (4, 1, 1)),
        'classes': np.tile(np.array([1, -1], np.int32), (4, 1)),
        '<b>': np.array([0.5, np.nan, np.inf, 2], np.float32),
    }
    (folder / 'train').mkdir()
    (folder / 'train/ids.txt').write_text(''.join(f'{NASTY}{number}\n' for number in range(4)))
    for name, array in fields.items():
        np.save(folder / 'train' / f'{name}.npy', array)
    spec = {name: jax.ShapeDtypeStruct(array.shape[1:], array.dtype) for name, array in fields.items()}
    dataset = Dataset(
        NASTY,
        '1.0.0',
        'f' * 64,
        Spec(spec, {'label': ('ground', NASTY), 'classes': ('ground', NASTY)}),
        {'train': 4},
        folder,
    )
    kinds = {'image': 'Image', 'label': 'ClassLabel', 'boxes': 'Tensor', 'classes': 'Tensor', '<b>': 'Tensor'}
    return ShownDataset(dataset, kinds)


def test_names_are_escaped(tmp_path: Path) -> None:
    shown_dataset = nasty(tmp_path)
    parts = [
        explore._head(shown_dataset, NASTY, [NASTY]),
        explore._fields(shown_dataset),
        explore._foot(shown_dataset),
    ]
    sections = [contact_sheets, statistics.classes, statistics.images, statistics.numbers]
    page = Parser('\n'.join([*parts, *(section(shown_dataset) for section in sections)]))
    assert page.tags['script'] == 0
    assert page.text.count(NASTY) > 5
    assert '<b>' in page.text


def test_boxes_are_drawn_without_the_padding(tmp_path: Path) -> None:
    drawn = contact_sheets(nasty(tmp_path))
    assert drawn.count('<rect') == 4  # one of each example
    assert 'x="1.0" y="2.0" width="4.0" height="4.0"' in drawn
    assert f'<title>{markup.escaped(NASTY)}</title>' in drawn


def test_large_images_are_shown_smaller() -> None:
    large = np.random.default_rng(0).integers(0, 256, (600, 900, 3), dtype=np.uint8)
    shown = pictures.Picture('large', large).markup
    assert 'viewBox="0 0 900 600"' in shown
    assert len(shown) < 60_000
    assert 'class="pixels"' not in shown
    assert 'class="pixels"' in pictures.Picture('small', large[:8, :8]).markup


def test_a_histogram_shows_shares_of_the_values() -> None:
    """Repeating all values does not change the line."""
    values = np.arange(100.0)
    both = charts.histogram({'train': np.repeat(values, 2), 'val': values}, 'x')
    lines = re.findall(r'class="line" d="([^"]*)"', both)
    assert len(lines) == 2
    assert lines[0] == lines[1]
    assert '>0<' in both
    assert '>99<' in both
    assert 'no values' in charts.histogram({'train': np.array([np.nan])}, 'x')


def test_spread_returns_evenly_spaced_indices() -> None:
    assert spread(5, 10).tolist() == [0, 1, 2, 3, 4]
    assert spread(101, 3).tolist() == [0, 50, 100]
    assert spread(0, 3).tolist() == []


def test_images_of_varying_size_have_a_histogram_of_sides_and_no_mean(tmp_path: Path) -> None:
    dataset = Dataset('photos', '1.0.0', 'f' * 64, Spec({}), {'train': 3}, tmp_path)
    shown_dataset = ShownDataset(dataset, {'image': 'Image'})
    vars(shown_dataset)['splits'] = {'train': photos.examples(3)}
    shown = statistics.images(shown_dataset)
    assert 'heights in pixels' in shown
    assert 'widths in pixels' in shown
    assert '40 to 54' in shown
    assert '60 to 82' in shown
    assert 'mean of' not in shown
    assert contact_sheets(shown_dataset).count('<figure') == 3
