import numpy as np
import pytest

from engine import outputs
from engine.evaluation.drawing import figures
from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.classification.evaluate import ClassificationEvaluation
from tests.engine.random_logits import random_logits


@pytest.mark.parametrize('classes', [2, 20, 45])
def test_all_are_drawn_with_title_and_labelled_axes(save, tmp_path, classes: int):
    names = [f'${index} a name too long for an axis' for index in range(classes)]
    folder = save(*random_logits(0, examples=200, classes=classes), class_names=names)
    report = ClassificationEvaluation((5,), 15).report(outputs.read(folder), Bootstrap(100, 0.95, 0))
    for name, draw in report.figures.items():
        figure = draw()
        assert figure.get_suptitle().startswith('animals, test, n = 200, 95 % intervals\n')
        assert all(axes.get_ylabel() for axes in figure.axes)
        assert figure.axes[0 if name == 'confusion_matrix' else -1].get_xlabel()
        figure.savefig(tmp_path / 'it.png')
        assert (tmp_path / 'it.png').read_bytes().startswith(b'\x89PNG')


def test_the_confusion_matrix_shows_counts_and_shares(save):
    logits = np.eye(3)[[0, 0, 1, 1, 1, 1, 2]]
    report = ClassificationEvaluation((5,), 15).report(
        outputs.read(save(logits, [0, 0, 1, 1, 1, 0, 2])), Bootstrap(100, 0.95, 0)
    )
    axes = report.figures['confusion_matrix']().axes[0]
    assert [(text.get_position(), text.get_text()) for text in axes.texts] == [
        ((0, 0), '2'),
        ((1, 0), '1'),
        ((1, 1), '3'),
        ((2, 2), '1'),
    ]
    shares = axes.images[0].get_array()
    np.testing.assert_allclose(np.asarray(shares), [[2 / 3, 1 / 3, 0], [0, 1, 0], [0, 0, 1]])


def test_of_many_classes_the_lowest_and_the_highest_are_drawn(save):
    """All of them are a curve. A class whose score is 0 shows its number, since its bar has no width."""
    report = ClassificationEvaluation((5,), 15).report(
        outputs.read(save(*random_logits(0, examples=900, classes=50))), Bootstrap(100, 0.95, 0)
    )
    table = report.tables['per_class']
    headline = report.metrics['macro_f1']
    curve, low, high = figures.class_scores(table, 'f1', 'F1', 'examples', 'title', headline).axes
    widths = [[patch.get_width() for patch in axes.patches] for axes in (low, high)]  # pyright: ignore
    assert widths == [pytest.approx(sorted(table['f1'])[:15]), pytest.approx(sorted(table['f1'])[-15:])]
    assert curve.lines[0].get_ydata() == pytest.approx(sorted(table['f1']))
    assert low.get_ylabel() == 'lowest 15 (examples)'
    assert [text.get_text() for text in low.texts] == [f'{100 * width:.1f} %' for width in widths[0]]


def test_the_reliability_diagram_shows_the_table(save):
    report = ClassificationEvaluation((5,), 10).report(
        outputs.read(save(*random_logits(3))), Bootstrap(100, 0.95, 0)
    )
    table = report.tables['calibration']
    above, below = report.figures['calibration']().axes
    heights = [[patch.get_height() for patch in axes.patches] for axes in (above, below)]  # pyright: ignore
    np.testing.assert_allclose(heights[0], table['accuracy'].to_numpy())
    assert heights[1] == table['examples'].tolist()
