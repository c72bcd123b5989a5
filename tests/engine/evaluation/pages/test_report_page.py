"""The report of every kind, in a browser: whole, quiet, of nothing but itself, and alive."""

import os
from pathlib import Path
from typing import Any

import pytest

from engine.evaluation.evaluator import Evaluator
from engine.outputs import kind_folders
from tests.engine import sample_outputs
from tests.engine.evaluation.pages.hostile_outputs import EVIL, N, write, write_in_run

EVALUATOR = Evaluator(resamples=100, figure_formats=())
PICTURED = {'classification', 'segmentation', 'detection', 'image', 'generation', 'regression'}


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


@pytest.mark.parametrize('kind', ['segmentation', 'detection'])
def test_pictures_without_inputs(kind: str, tmp_path: Path, show: Any) -> None:
    ids = [str(index) for index in range(N)]
    folder = sample_outputs.write(
        tmp_path / 'it', kind, arrays=sample_outputs.arrays(kind, examples=N), ids=ids
    )
    opened = show(report(folder))
    assert opened.page.locator('#examples figure svg').count() >= N // 2
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
