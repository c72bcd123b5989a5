"""The results that README.md and the headers of configs claim are those of the outputs in results/."""

import re

import numpy as np
import pytest

from engine.commands import evaluate
from engine.evaluation.evaluator import Evaluator
from engine.outputs import reading
from engine.workspace import REPOSITORY
from results import update

README = update.README.read_text(encoding='utf-8')
CONFIGS = sorted(path.name for path in update.FOLDER.iterdir() if (path / 'seed-0').is_dir())
MAX_BYTES = 200_000  # all together
pytestmark = pytest.mark.skipif(update.START not in README, reason='this project has a README.md of its own')


def accuracies(config: str) -> list[float]:
    """Returns the test accuracy of each seed in percent, computed here."""
    values = []
    for run in sorted((update.FOLDER / config).iterdir()):
        logits, labels = (np.load(run / update.OUTPUTS / f'{name}.npy') for name in ('logits', 'labels'))
        values.append(100 * float(np.mean(logits.argmax(axis=1) == labels)))
    return values


def test_the_first_output_that_a_reader_sees_is_that_of_the_first_seed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    saved = reading.read(update.FOLDER / 'digits_cnn/seed-0' / update.OUTPUTS)
    evaluate.show(['test'], [Evaluator().report_on(saved)])
    shown = capsys.readouterr().out.replace(', seed-0, ', ', first, ')  # what README.md calls the run
    blocks = re.findall(r'^```text\n(Classification of digits.*?)^```', README, re.MULTILINE | re.DOTALL)
    assert blocks == [shown.rstrip('\n') + '\n']


@pytest.fixture(scope='module')
def comparison() -> str:
    return update.comparison()


def test_the_table_is_what_compare_prints_of_the_results(comparison: str) -> None:
    assert update.with_comparison(README, comparison) == README


def test_the_spread_of_the_seeds_is_that_of_the_results() -> None:
    known = accuracies('digits_cnn')
    low, high = min(known), max(known)
    sentence = f'Five seeds gave {low:.1f} to {high:.1f} % accuracy'
    assert len(known) == 5
    assert sentence in ' '.join(README.split())


@pytest.mark.parametrize('config', CONFIGS)
def test_the_header_of_a_config_states_its_results(config: str) -> None:
    known = accuracies(config)
    text = (REPOSITORY / f'configs/{config}.gin').read_text(encoding='utf-8')
    mean, low, high = np.mean(known), min(known), max(known)
    seeds = f'(seeds 0 to {len(known) - 1})'
    assert f'# Test accuracy   mean {mean:.1f} %, range {low:.1f} to {high:.1f} % {seeds}\n' in text


def test_the_results_are_small_and_their_files_are_those_of_the_manifests() -> None:
    files = [path for path in update.FOLDER.rglob('*') if path.is_file() and '__pycache__' not in path.parts]
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES
    for config in CONFIGS:
        for run in (update.FOLDER / config).iterdir():
            saved = reading.read(run / update.OUTPUTS)  # raises if a file is not that of its manifest
            assert not saved.manifest.commits[0].endswith('+')
            assert {path.name for path in saved.folder.iterdir()} == {'manifest.json', *saved.manifest.files}


def test_an_edited_number_is_noticed(comparison: str) -> None:
    head, table = README.split(update.START)
    edited = f'{head}{update.START}{table.replace("99.", "98.", 1)}'
    assert edited != README
    assert update.with_comparison(edited, comparison) == README
    with pytest.raises(ValueError, match='once each'):
        update.with_comparison('no block', comparison)
