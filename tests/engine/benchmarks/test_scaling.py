"""benchmarks/scaling at small sizes, on the two devices of the tests: loops by hand train as one device."""

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from benchmarks.scaling.__main__ import TOLERANCE, difference
from benchmarks.scaling.layouts import LAYOUTS, Layout

STEPS = 8
SMALL = {
    'jit': LAYOUTS['jit'],
    'fsdp': Layout(2, ('sharding.Jit.fsdp = 2',), LAYOUTS['fsdp=8'].bare),
    'pmap': LAYOUTS['pmap'],
}


def losses_by_hand(layout: Layout, folder: Path) -> list[float]:
    layout.case(STEPS, 'digits/toy', 8).reference(layout.bare, dropout=0.0).run(folder)
    return [float(line.split()[1]) for line in (folder / 'loss.txt').read_text().splitlines()]


@pytest.fixture(scope='module')
def one_device(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[float], list[str]]:
    """The losses of one device, and what it prints."""
    output = io.StringIO()
    with redirect_stdout(output):
        losses = losses_by_hand(LAYOUTS['one device'], tmp_path_factory.mktemp('one'))
    assert len(losses) == STEPS
    assert losses[-1] < losses[0]
    return losses, output.getvalue().splitlines()


@pytest.mark.parametrize('name', SMALL)
def test_layouts_by_hand_train_as_one_device(
    name: str,
    one_device: tuple[list[float], list[str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    losses, lines = one_device
    assert difference(losses_by_hand(SMALL[name], tmp_path), losses) < TOLERANCE
    assert capsys.readouterr().out.splitlines() == lines  # padding of the validation split does not count


def test_a_difference_is_that_of_the_worst_step() -> None:
    assert difference([2.0, 1.01, 3.0], [2.0, 1.0, 3.0]) == pytest.approx(0.01)
    assert difference([0.5, 1.0], [1.0, 1.0]) == 0.5
