"""The report of every kind, in a browser: whole, quiet, of nothing but itself, and alive."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.evaluation.evaluator import Evaluator
from engine.outputs import kind_folders
from tests.engine import sample_outputs
from tests.engine.evaluation.pages.hostile_outputs import EVIL, N, write, write_in_run

EVALUATOR = Evaluator(resamples=100, figure_formats=())
FRAMES = 'all => all.map((each) => each.getAttribute("viewBox"))'
PICTURED = {
    *('classification', 'segmentation', 'detection', 'image', 'generation', 'regression'),
    *('multilabel', 'embeddings', 'dense', 'texts', 'tagging'),
}


def report(folder: Path) -> Path:
    EVALUATOR.evaluate(folder)
    return folder / 'evaluation/report.html'


@pytest.mark.parametrize('kind', kind_folders.names())
def test_every_kind_is_whole_and_quiet(kind: str, tmp_path: Path, show: Any) -> None:
    opened = show(report(write_in_run(tmp_path / 'run', kind)))
    opened.check()
    opened.check_on_phone()
    titles = opened.texts('h2')
    of_run = {'Training', 'Config', 'Environment', 'Dataset', 'Notes'}
    assert {'Metrics', 'Per example', 'Outputs', *of_run} <= {*titles}
    assert ('Examples' in titles) == (kind in PICTURED)
    assert opened.texts('nav a') == titles
    assert opened.page.locator('#training .plot').count() >= 3
    opened.page.click('nav a:last-child')
    opened.page.mouse.move(600, 400)
    opened.check()


def test_names_are_shown_as_they_are_and_do_nothing(tmp_path: Path, show: Any) -> None:
    opened = show(report(write_in_run(tmp_path / 'run', 'classification')))
    assert EVIL in opened.texts('h1')[0]
    assert any(EVIL in cell for cell in opened.texts('#per-example td'))
    assert any(EVIL in cell for cell in opened.texts('#environment td'))
    assert EVIL in opened.texts('#notes .prose')[0]
    assert opened.page.locator('main script, img, a[href^=javascript]').count() == 0
    opened.check()


def test_tables_are_sorted_by_numbers_and_back(tmp_path: Path, show: Any) -> None:
    opened = show(report(write(tmp_path / 'it', 'classification')))
    column, button = '#per-example td:nth-child(4)', '#per-example th:nth-child(4) button'
    assert opened.texts(button) == ['confidence']
    for direction in ('ascending', 'descending'):
        opened.page.click(button)
        result = [float(each) for each in opened.texts(column)]
        assert result == sorted(result, reverse=direction == 'descending')
        assert opened.page.get_attribute('#per-example th:nth-child(4)', 'aria-sort') == direction
    opened.page.click('#per-example th:nth-child(1) button')
    assert opened.texts('#per-example td:first-child') == [f'{EVIL} {index}' for index in range(N)]
    opened.check()


def test_rows_are_filtered_by_words(tmp_path: Path, show: Any) -> None:
    opened = show(report(write(tmp_path / 'it', 'classification')))
    rows = '#per-example tbody tr:visible'
    assert opened.page.locator(rows).count() == N
    opened.page.fill('#per-example input', 'DOG cat')
    left = opened.texts(rows)
    assert 0 < len(left) < N
    assert all('dog' in row and 'cat' in row for row in left)
    assert opened.texts('#per-example output') == [f'{len(left)} of {N} rows']
    opened.page.fill('#per-example input', '')
    assert opened.page.locator(rows).count() == N
    opened.check()


def test_mistakes_are_shown_with_what_was_taken_for_what(tmp_path: Path, show: Any) -> None:
    folder = write(tmp_path / 'it', 'classification')
    opened = show(report(folder))
    table = EVALUATOR.report(folder).tables['per_example']
    wrong = table.loc[table['rank'] > 0].sort_values(by='confidence', ascending=False)
    captions = opened.texts('#examples .sheet:nth-of-type(1) figcaption')
    expected = [f'{row.label} → {row.prediction}' for row in wrong.itertuples()]
    assert [caption.splitlines()[1] for caption in captions] == expected[:24]
    assert opened.page.locator('#examples figure image').count() == len(opened.texts('#examples figure'))


def test_of_two_classes_each_kind_of_mistake_stands_apart_and_no_picture_twice(
    tmp_path: Path, show: Any
) -> None:
    random = np.random.default_rng(1)
    arrays = {
        'logits': random.normal(size=(80, 2)).astype(np.float32),
        'labels': random.integers(2, size=80, dtype=np.int32),
        'inputs': random.integers(256, size=(80, 4, 4, 3), dtype=np.uint8),
    }
    ids = [f'case {index}' for index in range(80)]
    folder = sample_outputs.write(
        tmp_path / 'it', 'classification', arrays=arrays, ids=ids, class_names=['benign', 'malignant']
    )
    opened = show(report(folder))
    assert opened.texts('#examples h3') == [
        'False positives: benign taken for malignant',
        'False negatives: malignant taken for benign',
        'Right, the least confident first',
    ]
    shown = [caption.splitlines() for caption in opened.texts('#examples figcaption')]
    assert len({lines[0] for lines in shown}) == len(shown)
    guesses = arrays['logits'].argmax(1)
    margins = np.abs(np.diff(arrays['logits'].astype(float), axis=1))[:, 0]
    expected = [np.flatnonzero((arrays['labels'] == label) & (guesses != label)) for label in (0, 1)]
    expected = [rows[np.argsort(-margins[rows])][:24].tolist() for rows in expected]
    hits = np.flatnonzero(arrays['labels'] == guesses)
    expected.append(hits[np.argsort(margins[hits])][:24].tolist())
    assert [lines[0] for lines in shown] == [ids[row] for rows in expected for row in rows]
    opened.check()


def test_masks_without_inputs_stand_alone(tmp_path: Path, show: Any) -> None:
    ids = [str(index) for index in range(N)]
    folder = sample_outputs.write(
        tmp_path / 'it', 'segmentation', arrays=sample_outputs.arrays('segmentation', examples=N), ids=ids
    )
    opened = show(report(folder))
    assert opened.page.locator('#examples figure svg').count() >= N // 2
    assert 'No pictures were saved' in opened.texts('#examples .soft')[0]
    opened.check()


def test_boxes_without_inputs_share_a_frame_that_is_explained(tmp_path: Path, show: Any) -> None:
    arrays = sample_outputs.arrays('detection', examples=N)
    arrays['boxes'][0, :2] = -7, -3
    folder = sample_outputs.write(
        tmp_path / 'it', 'detection', arrays=arrays, ids=[str(index) for index in range(N)]
    )
    opened = show(report(folder))
    corners = np.concatenate([arrays['boxes'], arrays['target_boxes']])
    x1, y1 = corners[:, 2:].max(0)
    explanation = opened.texts('#examples .soft')[0]
    assert f'x from -7 to {x1:.0f} and y from -3 to {y1:.0f} pixels' in explanation
    assert 'No pictures were saved' in explanation
    svgs = opened.page.locator('#examples figure svg')
    frames = {tuple(map(float, frame.split())) for frame in svgs.evaluate_all(FRAMES)}
    assert len(frames) == 1
    assert frames.pop() == pytest.approx((-7, -3, x1 + 7, y1 + 3), rel=1e-3)
    assert {'target: a', 'prediction: b'} <= {*opened.page.locator('rect title').all_text_contents()}
    opened.check()


def test_all_figures_of_a_page_are_files(tmp_path: Path) -> None:
    folder = write_in_run(tmp_path / 'run', 'segmentation')
    Evaluator(resamples=100).evaluate(folder)
    written = {path.name for path in (folder / 'evaluation/figures').iterdir()}
    names = {name.rpartition('.')[0] for name in written}
    assert written == {f'{name}.{suffix}' for name in names for suffix in ('svg', 'pdf', 'png')}
    assert names == {
        'per_class_iou',
        'confusion_matrix',
        'examples_worst',
        'examples_typical',
        'training_loss',
        'training_score',
        'training_examples_per_second',
        'training_where_the_time_went',
    }
    page = (folder / 'evaluation/report.html').read_text()
    assert page.count('class="plot"') == len(names) - 2  # the page shows examples as cards


def test_a_thousand_classes(tmp_path: Path, show: Any) -> None:
    """The page stays small, and says which of all classes are confused."""
    random, labels = np.random.default_rng(0), np.arange(1000, dtype=np.int32)
    labels[-2:] = 7
    logits = random.normal(size=(1000, 1000)).astype(np.float32)
    logits[np.arange(1000), labels] += 3
    logits[labels == 7, 8] = 99  # the pair that is confused most
    names = [f'Staffordshire bull terrier, variety {index} of the kennel' for index in range(1000)]
    folder = sample_outputs.write(
        tmp_path / 'it',
        'classification',
        arrays={'logits': logits, 'labels': labels},
        ids=[str(index) for index in range(1000)],
        class_names=names,
    )
    path = report(folder)
    assert path.stat().st_size < 2e6
    opened = show(path)
    first = opened.page.locator('#confused-pairs tbody tr').first
    assert first.locator('td').all_inner_texts() == ['1', names[7], names[8], '3', '1']
    matrix = opened.page.locator('.plot').first
    assert matrix.get_attribute('aria-label').startswith('confusion matrix')
    labels_of_rows = [text for text in matrix.locator('text').all_text_contents() if text.startswith('Staf')]
    assert len(labels_of_rows) == 60
    assert len(set(labels_of_rows)) == 30
    assert 'prediction (the 30 of 1,000 classes that are confused most)' in matrix.inner_html()
    opened.check()


def test_a_pipe_in_a_run_is_not_waited_for(tmp_path: Path, show: Any) -> None:
    folder = write_in_run(tmp_path / 'run', 'regression')
    (tmp_path / 'run/notes.md').unlink()
    os.mkfifo(tmp_path / 'run/notes.md')
    opened = show(report(folder))
    assert 'Notes' not in opened.texts('h2')
    opened.check()


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_readable_on_a_phone_by_day_and_by_night(scheme: str, tmp_path: Path, show: Any) -> None:
    opened = show(report(write_in_run(tmp_path / 'run', 'segmentation')), width=390, color_scheme=scheme)
    opened.check()
    paper = opened.page.evaluate('getComputedStyle(document.body).backgroundColor')
    ink = opened.page.evaluate('getComputedStyle(document.querySelector(".plot text")).fill')
    assert abs(_brightness(paper) - _brightness(ink)) > 400
    assert (_brightness(paper) > _brightness(ink)) == (scheme == 'light')


def test_printed_whole(tmp_path: Path, show: Any) -> None:
    opened = show(report(write_in_run(tmp_path / 'run', 'classification')), color_scheme='dark')
    assert opened.page.locator('details[open]').count() == 0
    opened.page.emulate_media(media='print')
    opened.page.evaluate('dispatchEvent(new Event("beforeprint"))')
    assert opened.page.locator('details:not([open])').count() == 0
    assert opened.page.locator('nav:visible, input:visible').count() == 0
    paper = opened.page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert _brightness(paper) == 3 * 255
    assert opened.page.pdf().startswith(b'%PDF')


def _brightness(colour: str) -> int:
    return sum(map(int, colour[colour.index('(') + 1 :].rstrip(')').split(',')[:3]))
