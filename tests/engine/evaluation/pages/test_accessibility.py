"""Pages for readers who hear them, use keys alone or hold a phone; and the check that sees to it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.datasets.pages import explore
from engine.evaluation.evaluator import Evaluator
from tests.engine import sample_outputs
from tests.engine.browser import ACCESSIBILITY, PHONE_WIDTH
from tests.engine.evaluation.pages.hostile_outputs import write_in_run

EVALUATOR = Evaluator(resamples=100, figure_formats=())
SOUND = '<html lang="en"><title>t</title><body style="background:#fff;color:#000"><h1>a</h1>'
FAULTS = {
    '<svg viewBox="0 0 1 1"></svg>': 'no role',
    '<svg viewBox="0 0 1 1" role="img"></svg>': 'no name',
    '<input>': 'no name',
    '<table><thead><tr><th scope="col">x</th></tr></thead></table>': 'no caption',
    '<table><caption>y</caption><thead><tr><th>x</th></tr></thead></table>': 'no scope',
    '<h3>b</h3>': 'heading 3 follows 1',
    '<h1>b</h1>': 'headings: 1,1',
    '<a href="#nowhere">x</a>': 'leads nowhere',
    '<p id="x">a</p><p id="x">b</p>': 'an id occurs twice',
    '<div style="width:50px"><p style="white-space:nowrap">too long a line</p></div>': 'wider than its box',
    '<div class="wide" style="width:50px;overflow-x:auto;white-space:nowrap">much too long</div>': 'wider',
    '<div class="fact" style="width:50px"><b style="margin-left:40px">12.34 %</b></div>': 'leaves its card',
    '<p style="color:#999">grey</p>': 'contrast 2.85',
}
LONG = 'Staffordshire bullterrier, Staffordshire bull terrier'
NAMES = [
    '长颈鹿和河马在一起的照片',
    'קטה גדולה',
    f'{LONG} one',
    f'{LONG} two',
    'x' * 90,
    'a/path/to/a_class/' * 4,
]


@pytest.mark.parametrize('markup', FAULTS)
def test_the_check_finds_planted_faults(markup: str, tmp_path: Path, show: Any) -> None:
    (tmp_path / 'page.html').write_text(SOUND + markup)
    problems = show(tmp_path / 'page.html', PHONE_WIDTH).page.evaluate(ACCESSIBILITY)
    assert [problem for problem in problems if problem.startswith(FAULTS[markup])], problems


def test_a_page_of_long_names_in_any_script(tmp_path: Path, show: Any) -> None:
    random = np.random.default_rng(0)
    arrays = {
        'logits': random.normal(size=(60, 6)).astype(np.float32),
        'labels': random.integers(6, size=60, dtype=np.int32),
        'inputs': random.integers(256, size=(60, 8, 8, 3), dtype=np.uint8),
    }
    ids = [f'{NAMES[index % 6]}/{index}.jpg' for index in range(60)]
    folder = sample_outputs.write(
        tmp_path / 'it',
        'classification',
        arrays=arrays,
        ids=ids,
        class_names=NAMES,
        dataset=f'images:/home/{"a" * 60}/photos of {NAMES[0]}',
        run='b' * 80,
    )
    EVALUATOR.evaluate(folder)
    opened = show(folder / 'evaluation/report.html')
    opened.check()
    opened.check_on_phone()
    assert opened.texts('h1') == [f'Classification of photos of {NAMES[0]}, test']
    assert opened.page.get_attribute('h1', 'title').endswith(f'/photos of {NAMES[0]}')
    labels = opened.page.locator('.plot text').all_text_contents()
    assert not any('□' in label for label in labels)
    assert any(NAMES[1] in label for label in labels)
    shown = set(opened.page.locator('.plot').first.locator('text').all_text_contents())
    assert len({label for label in shown if LONG[:5] in label}) == 2
    direction = opened.page.locator('#per-class td', has_text=NAMES[1]).first
    assert direction.evaluate('each => getComputedStyle(each).direction') == 'rtl'
    assert direction.evaluate('each => getComputedStyle(each).textAlign') == 'left'


def test_keys_reach_everything_and_show_where_they_are(tmp_path: Path, show: Any) -> None:
    folder = write_in_run(tmp_path / 'run', 'classification')
    EVALUATOR.evaluate(folder)
    opened = show(folder / 'evaluation/report.html')
    page = opened.page
    page.keyboard.press('Tab')
    skip = page.locator('.skip')
    assert skip.evaluate('each => each === document.activeElement')
    assert skip.bounding_box()['x'] >= 0
    page.keyboard.press('Enter')
    assert page.evaluate('document.activeElement.id') == 'content'
    page.keyboard.press('Tab')
    assert page.evaluate('document.activeElement.closest("section").id') == 'metrics'
    width = 'getComputedStyle(document.activeElement).outlineWidth'
    for _ in range(3):
        assert page.evaluate(width) == '2px'
        page.keyboard.press('Tab')


@pytest.mark.parametrize('name', ['digits/toy', 'shapes/toy', 'stdlib/toy'])
def test_the_page_of_a_dataset(name: str, tmp_path: Path, show: Any) -> None:
    (tmp_path / 'page.html').write_text(explore.page(name).html)
    opened = show(tmp_path / 'page.html')
    opened.check()
    opened.check_on_phone()
    assert opened.texts('nav a') == opened.texts('h2')
