"""Metrics that users add: docs/metrics.md keeps its word, and mistakes end in one message."""

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from engine import outputs
from engine.errors import UserError
from engine.evaluation import user_metrics
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.results.bootstrap import Bootstrap
from engine.workspace import REPOSITORY
from tests.engine.kinds.detection.test_evaluate import scenes
from tests.engine.random_logits import random_logits

DOCUMENT = (REPOSITORY / 'docs/metrics.md').read_text(encoding='utf-8')
(CODE,) = re.findall(r'```python\n(.*?)```', DOCUMENT, re.DOTALL)
(CONFIG,) = re.findall(r'```gin\n(.*?)```', DOCUMENT, re.DOTALL)
NAMES = ('accuracy', 'expected_cost', 'area_under_curve')


COUNT = itertools.count()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes a user's module, which lies outside of the repository, and its config."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(code: str, config: str) -> tuple[Path, Path]:
        name = f'cost_{next(COUNT)}'  # of its own: to Gin, a function of the same name is the same
        (tmp_path / f'{name}.py').write_text(code)
        config = config.replace('from research.metrics import', 'import')
        (tmp_path / 'cost.gin').write_text(re.sub(r'\bcost\b', name, config))
        return tmp_path / f'{name}.py', tmp_path / 'cost.gin'

    return write


def test_the_document_is_true(save, module, program, tmp_path: Path):
    _, config = module(CODE, CONFIG)
    logits, labels = random_logits(0)
    folder = save(logits, labels)
    code, out, err = program('evaluate', str(folder), f'--gin_file={config}')
    assert (code, err) == (0, '')
    assert [line.split('  ')[0] for line in out.splitlines()[4:7]] == [
        each.replace('_', ' ') for each in NAMES
    ]
    known = json.loads((folder / 'evaluation/metrics.json').read_text())
    cost = (logits.argmax(1) != labels) * np.where(labels == 0, 5.0, 1.0)
    values = {name: each['value'] for name, each in known['metrics'].items()}
    assert values == pytest.approx(
        {
            'accuracy': (logits.argmax(1) == labels).mean(),
            'expected_cost': cost.mean(),
            'area_under_curve': roc_auc_score(labels == 0, logits[:, 0]),
        }
    )
    for name in NAMES[1:]:
        low, high = known['metrics'][name]['interval']
        assert low < values[name] < high
    table = pd.read_csv(folder / 'evaluation/per_example.csv', index_col='id')
    assert table['expected_cost'][[f'example {i}' for i in range(60)]].tolist() == cost.tolist()


def test_what_was_used_is_recorded_and_can_be_used_again(save, module, program, tmp_path: Path):
    code, config = module(CODE, CONFIG)
    folder = save(*random_logits(0))
    assert program('evaluate', str(folder), f'--gin_file={config}')[0] == 0
    first = (folder / 'evaluation/metrics.json').read_bytes()
    known = json.loads(first)
    assert f'{code.stem}.expected_cost.missed = 5.0' in known['config']
    assert 'evaluator.Evaluator.confidence = 0.95' in known['config']
    assert known['metrics']['expected_cost'] | {'value': 0, 'interval': 0} == {
        'value': 0,
        'interval': 0,
        'title': 'expected cost',
        'unit': 'euros',
        'direction': 'lower',
        'definition': 'Mean cost of a decision: 1 for a mistake, `missed` for a mistake about the '
        'positive class.',
        'source': f'{code.stem}.expected_cost, sha256 {outputs.fingerprint(code).sha256}',
        'group': '',
    }
    config.write_text(known['config'])
    assert program('evaluate', str(folder), f'--gin_file={config}', '--overwrite')[0] == 0
    assert (folder / 'evaluation/metrics.json').read_bytes() == first


def test_a_comparison_by_it(save, module, program):
    _, config = module(CODE, CONFIG)
    logits, labels = random_logits(0)
    worse = save(logits + 2 * np.random.default_rng(1).normal(size=logits.shape), labels, name='worse')
    better = save(logits + 9 * np.eye(4)[labels], labels, name='better')
    for metric in NAMES[1:]:
        code, out, err = program(
            'compare',
            str(worse),
            str(better),
            f'--gin_file={config}',
            f'--metric={metric}',
            '--resamples=200',
        )
        assert (code, err) == (0, '')
        rows = [line.split(' | ') for line in out.splitlines()[2:4]]
        assert [row[0] for row in rows] == ['| better', '| worse']
        assert rows[0][1 + NAMES.index(metric)].startswith('**')


def test_a_number_that_is_a_mean_has_the_interval_of_the_mean(save):
    def wrong(logits, labels):
        """Lower is better."""
        return logits.argmax(1) != labels

    def share_wrong(logits, labels):
        return np.mean(wrong(logits, labels))

    report = Evaluator(resamples=4000, metrics=[wrong, share_wrong]).report(save(*random_logits(1)))
    one, two = report.metrics['wrong'], report.metrics['share_wrong']
    assert one.value == two.value
    np.testing.assert_allclose(one.interval, two.interval, atol=0.02)
    assert report.right['wrong'].dtype == bool
    assert (one.definition.unit, one.definition.direction, two.definition.direction) == ('score', 'lower', '')
    assert report.headline[-2:] == ('wrong', 'share_wrong')


def test_boxes_are_resampled_with_their_images(tmp_path: Path):
    def boxes_per_image(example, ids):
        return len(example) / len(ids)

    arrays = scenes(0)
    outputs.write(
        tmp_path / 'it',
        outputs.Manifest('detection'),
        arrays,
        [str(index) for index in range(12)],
        dict.fromkeys(arrays, 'of the test'),
    )
    report = Evaluator(resamples=2000, metrics=[boxes_per_image]).report(tmp_path / 'it')
    counts = np.bincount(arrays['example'], minlength=12)
    assert report.metrics['boxes_per_image'].value == counts.mean()
    assert report.resamples['boxes_per_image'].std() == pytest.approx(counts.std() / np.sqrt(12), rel=0.1)


def test_samples_that_have_no_table_get_one(tmp_path: Path):
    def brightness(samples):
        return samples.mean((1, 2, 3))

    random = np.random.default_rng(0)
    arrays = {
        'samples': random.integers(0, 255, (9, 2, 2, 1), np.uint8),
        'features': random.normal(size=(9, 2)).astype(np.float32),
        'reference_features': random.normal(size=(8, 2)).astype(np.float32),
    }
    ids = list('abcdefghi')
    meanings = dict.fromkeys(arrays, 'of the test')
    outputs.write(tmp_path / 'it', outputs.Manifest('generation'), arrays, ids, meanings)
    table = Evaluator(resamples=100, metrics=[brightness]).report(tmp_path / 'it').tables['per_example']
    assert table['brightness'].to_dict() == dict(zip(ids, arrays['samples'].mean((1, 2, 3)), strict=True))


def test_an_array_that_is_missing_may_have_a_default(save):
    def either(labels, logits=None, probabilities=None):
        return np.full(len(labels), (logits is not None) + 2.0 * (probabilities is not None))

    logits, labels = random_logits(2)
    flat = np.full_like(logits, 0.25)
    evaluator = Evaluator(resamples=100, metrics=[either])
    assert evaluator.report(save(logits, labels)).metrics['either'].value == 1
    other = save(flat, labels, name='other', array='probabilities')
    assert evaluator.report(other).metrics['either'].value == 2


def told(metric: Callable[..., Any], name: str = 'mine') -> Callable[..., Any]:
    metric.__name__ = name
    return metric


def leaves(labels):
    raise SystemExit(3)


def fails(labels):
    values = {0: 1}
    return [values[label] for label in labels.tolist()]


def writes(labels):
    labels[0] = 1
    return labels


FAULTS = {
    'leaves': (leaves, r'test_user_metrics.py:\d+: mine failed: SystemExit: 3'),
    'raises': (fails, r'test_user_metrics.py:\d+: mine failed: KeyError: \d'),
    'writes': (writes, 'mine failed: ValueError: .*read-only'),
    'too many': (lambda labels: labels[1:] * 1.0, r'returned float64 \[59\], .* each of the 60 examples'),
    'text': (lambda labels: ['a'] * len(labels), 'returned <U1'),
    'nothing': (lambda labels: None, 'returned object'),
    'NaN': (
        lambda labels: np.where(labels == 0, np.nan, 1),
        r"returned nan for \d+ of 60 examples.*'example ",
    ),
    'one NaN': (lambda labels: np.nan, 'returned nan[.]'),
    'ragged': (lambda labels: [[1], [1, 2]], 'mine failed|returned object'),
    'missing': (lambda boxes: boxes, 'mine takes boxes, and .* holds only logits, labels'),
    'unbound': (lambda labels, cost: labels, "argument: 'cost'. It gets labels; bind the others"),
}


@pytest.mark.parametrize('metric, message', FAULTS.values(), ids=FAULTS)
def test_faults(metric: Callable[..., Any], message: str, save):
    with pytest.raises(UserError, match=message):
        Evaluator(resamples=100, metrics=[told(metric)]).report(save(*random_logits(0)))


@pytest.mark.parametrize('name', ['accuracy', 'rank', 'confidence'])
def test_a_name_that_is_taken(name: str, save):
    with pytest.raises(UserError, match=f'there is a metric or column {name!r} already'):
        Evaluator(resamples=100, metrics=[told(lambda labels: labels, name)]).report(save(*random_logits(0)))


@pytest.mark.parametrize('metric', [3, 'accuracy', Bootstrap, np.mean(1.0)])
def test_no_function(metric: Any):
    with pytest.raises(UserError, match='which is not a plain function'):
        Evaluator(metrics=[metric])


def test_undefined_on_some_resamples_or_on_all(save):
    seen: list[int] = []

    def sometimes(labels):
        seen.append(1)
        return 1.0 if len(seen) % 2 else np.nan

    def once(labels):
        seen.append(1)
        return 1.0 if len(seen) == 1 else np.nan

    folder = save(*random_logits(0))
    assert Evaluator(resamples=100, metrics=[sometimes]).report(folder).metrics['sometimes'].interval == [
        1,
        1,
    ]
    seen.clear()
    with pytest.raises(UserError, match='once is finite for none of the resamples'):
        Evaluator(resamples=100, metrics=[once]).report(folder)


def test_only_these_in_this_order(save):
    folder = save(*random_logits(0))
    report = Evaluator(resamples=100, only=('log_loss', 'macro_f1')).report(folder)
    assert list(report.metrics) == list(report.headline) == ['log_loss', 'macro_f1']
    with pytest.raises(UserError, match=r"classification has no metric 'log_los'. Did you mean 'log_loss'"):
        Evaluator(resamples=100, only=('log_los',)).report(folder)


def test_a_binding_of_a_metric_that_is_not_told_is_a_mistake(save, module, program):
    path, config = module(CODE, CONFIG.replace('@cost.expected_cost, ', '').replace("'expected_cost', ", ''))
    folder = save(*random_logits(0))
    code, out, err = program('evaluate', str(folder), f'--gin_file={config}')
    assert (code, out) == (2, '')
    assert f'{path.stem}.expected_cost.missed is not used' in err
    assert not (folder / 'evaluation').exists()


def test_a_file_that_is_no_python(save, module, program):
    path, config = module(CODE + 'def more(:\n', CONFIG)
    code, _, err = program('evaluate', str(save(*random_logits(0))), f'--gin_file={config}')
    assert code == 2
    assert err.endswith(
        f'cannot be imported: {path}:{CODE.count(chr(10)) + 1}: SyntaxError: invalid syntax\n'
    )


def test_definition_of_a_function_without_words():
    def nothing(labels):
        return labels

    assert user_metrics.definition(nothing).definition == 'Its function has no docstring.'
