"""Methods beside each other, in a browser."""

from pathlib import Path
from typing import Any

import pytest

from engine.outputs import kind_folders
from tests.engine import sample_outputs
from tests.engine.evaluation.pages.hostile_outputs import EVIL, N, write, write_in_run

NO_FILES = '--gin_bindings=engine.evaluation.evaluator.Evaluator.figure_formats = ()'


@pytest.mark.parametrize('kind', kind_folders.names())
def test_every_kind_is_whole_and_quiet(kind: str, tmp_path: Path, show: Any, program: Any) -> None:
    for seed in range(2):
        write_in_run(tmp_path / f'runs/{seed}', kind, seed)
    page = tmp_path / 'comparison.html'
    given = ('--resamples=100', '--format=html', NO_FILES, f'--output={page}')
    code, _, err = program('compare', str(tmp_path / 'runs'), *given)
    assert (code, err) == (0, '')
    opened = show(page)
    opened.check()
    opened.check_on_phone()
    assert {'Comparison', 'What differs between them', 'Intervals', 'Training', 'Outputs'} <= {
        *opened.texts('h2')
    }
    assert sorted(opened.texts('#comparison td:first-child')) == ['0', '1']
    assert opened.texts('#what-differs-between-them td:first-child') == ['mlp.MLP.width']
    differ, samples = '#where-the-first-two-differ-most', '#samples'
    drawn = {'language': 0, 'generation': 0}.get(kind, 1)  # a text has no picture, a sample no counterpart
    assert min(opened.page.locator(f'{differ} figure').count(), 1) == drawn
    assert all(EVIL in each for each in opened.texts(f'{differ} figcaption'))
    assert min(opened.page.locator(f'{differ} td').count(), 1) == (kind == 'language')
    assert all(EVIL in each for each in opened.texts(f'{differ} td:first-child'))
    assert opened.page.locator(f'{samples} figure').count() == 2 * N * (kind == 'generation')


@pytest.mark.parametrize('media', ['screen', 'print'])
def test_tests_are_in_sight(tmp_path: Path, show: Any, program: Any, media: str) -> None:
    """The table with every column that a classification has fits a window and a sheet."""
    for seed in range(3):
        sample_outputs.write(tmp_path / f'outputs/method_{seed}', 'classification', seed)
    page = tmp_path / 'comparison.html'
    program(
        'compare', str(tmp_path / 'outputs'), '--resamples=100', '--format=html', NO_FILES, f'--output={page}'
    )
    opened = show(page)
    opened.page.set_viewport_size({'width': 1200 if media == 'screen' else 794, 'height': 900})
    opened.page.emulate_media(media=media)
    assert 'p (McNemar)' in opened.texts('#comparison th')
    wide = opened.page.locator('#comparison .wide')
    needed, there = wide.evaluate('each => [each.scrollWidth, each.clientWidth]')
    assert needed <= there
    assert sorted(opened.texts('#per-class th')) == ['class', 'method_0', 'method_1', 'method_2']


def test_sorted_by_another_metric(tmp_path: Path, show: Any, program: Any) -> None:
    for seed in range(3):
        write(tmp_path / f'outputs/{seed}', 'classification', seed)
    page = tmp_path / 'comparison.html'
    program(
        'compare', str(tmp_path / 'outputs'), '--resamples=100', '--format=html', NO_FILES, f'--output={page}'
    )
    opened = show(page)
    place = next(
        place for place, title in enumerate(opened.texts('#comparison th'), 1) if title.startswith('log loss')
    )
    opened.page.click(f'#comparison th:nth-child({place}) button')
    result = [float(each.split()[0]) for each in opened.texts(f'#comparison td:nth-child({place})')]
    assert result == sorted(result)
    assert opened.page.locator('#comparison td strong, #comparison td em').count() > 0
    opened.check()


def test_figures_are_files_beside_the_page(tmp_path: Path, program: Any) -> None:
    for seed in range(2):
        write(tmp_path / f'runs/{seed}', 'classification', seed)
    arguments = (
        str(tmp_path / 'runs'),
        '--resamples=100',
        '--format=html',
        f'--output={tmp_path / "page.html"}',
    )
    code, out, err = program('compare', *arguments)
    folder = tmp_path / 'page_figures'
    assert (code, err) == (0, '')
    assert f'figures: {folder}\n' in out
    names = {path.stem for path in folder.iterdir()} - {'figures'}
    assert {'intervals_accuracy', 'intervals_accuracy_differences'} <= names
    assert {'examples_better_by_0', 'examples_better_by_1'} <= names
    assert {path.name for path in folder.iterdir()} - {'figures.md'} == {
        f'{name}.{suffix}' for name in names for suffix in ('svg', 'pdf', 'png')
    }
    code, _, err = program('compare', *arguments)
    assert (code, 'exists already' in err) == (2, True)
    (folder / 'figures.md').unlink()  # now the folder may be someone else's
    (tmp_path / 'page.html').unlink()
    code, _, err = program('compare', *arguments, '--overwrite')
    assert (code, 'contains other files' in err) == (2, True)
    assert not (tmp_path / 'page.html').exists()
