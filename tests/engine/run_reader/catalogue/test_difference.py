"""`scripts/runs.sh diff`: what differs between two runs, and that nothing unknown counts as equal."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from engine import outputs
from engine.evaluation.comparison import two_runs
from engine.evaluation.evaluator import Evaluator
from engine.run_reader.catalogue import entry
from tests.engine.commands.test_compare import LABELS, scores, write
from tests.engine.sample_runs import write_lines, write_run

RECORD = {
    'code': {'digest': 'd', 'files': {'research/models/mlp.py': 'aa'}},
    'packages': {'jax': '0.8.0'},
    'flags': {'jax_enable_x64': False},
    'python': '3.13.0',
    'host': 'node1',
    'dataset': {'name': 'digits', 'fingerprint': 'f' * 64},
}


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two equal runs with records."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    runs = tmp_path / 'runs' / 'a', tmp_path / 'runs' / 'b'
    for run in runs:
        write_run(run)
        (run / 'environment.json').write_text(json.dumps(RECORD))
    return runs


@pytest.fixture
def diff(program: Any) -> Any:
    """Compares a with b: diff() -> (lines of text, document)."""

    def diff() -> tuple[list[str], dict[str, Any]]:
        code, out, err = program('runs', 'diff', 'a', 'b')
        assert (code, err) == (0, '')
        return out.splitlines(), json.loads(program('runs', 'diff', 'a', 'b', '--json')[1])

    return diff


def test_equal_runs(pair: tuple[Path, Path], diff: Any) -> None:
    lines, document = diff()
    assert lines[:5] == [
        'a: a',
        'b: b',
        'equal: config, data, code, packages, flags, machine',
        'logs: equal to the bit in all that both have, 20 steps and 5 evaluations',
        'best: score 12 after step 12 in a, score 12 after step 12 in b',
    ]
    assert lines[5].startswith(f"outputs: {pair[0]} has no outputs of 'test'.")
    assert document['first_difference'] is document['unknown'] is document['outputs'] is None
    assert (document['config'], document['machine'], document['common_steps']) == ({}, {}, 20)


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    'code': (
        {'code': {'files': {'research/models/mlp.py': 'bb'}}},
        'code: research/models/mlp.py has changed',
    ),
    'packages': ({'packages': {'jax': '0.8.1'}}, 'packages: jax: 0.8.0 -> 0.8.1'),
    'python': ({'python': '3.12.1'}, 'packages: python: 3.13.0 -> 3.12.1'),
    'flags': ({'flags': {'jax_enable_x64': True}}, 'flags: jax_enable_x64: False -> True'),
    'machine': ({'host': 'node2'}, 'machine: host: node1 -> node2'),
    'data': (
        {'dataset': {'name': 'digits', 'fingerprint': 'e' * 64}},
        f'data: fingerprint: {"f" * 64} -> {"e" * 64}',
    ),
}


@pytest.mark.parametrize('subject', CHANGES)
def test_each_part_of_the_record(subject: str, pair: tuple[Path, Path], diff: Any) -> None:
    changed, line = CHANGES[subject]
    (pair[1] / 'environment.json').write_text(json.dumps(RECORD | changed))
    lines, document = diff()
    assert lines[2] == line
    name = 'packages' if subject == 'python' else subject
    assert name not in lines[3]
    assert len(document[name]) == 1


def test_config_and_the_first_step(pair: tuple[Path, Path], diff: Any) -> None:
    (pair[1] / 'config.gin').write_text(
        (pair[0] / 'config.gin').read_text().replace('STEPS = 20', 'STEPS = 30')
    )
    steps = [{'step': s, 'epoch': s / 4, 'loss': 1 / s if s < 7 else 2.0} for s in range(1, 21)]
    write_lines(pair[1], 'train', steps)
    lines, document = diff()
    assert lines[2] == 'config: trainer.Trainer.steps: 20 -> 30'
    assert 'logs: they differ first at step 7: loss was 0.14285714285714285, is 2.0 (train.jsonl)' in lines
    assert document['config'] == {'trainer.Trainer.steps': ['20', '30']}
    assert document['first_difference']['step'] == 7


@pytest.mark.parametrize('damage', ['{}', '', '{"code": 3}', '[]', 'missing'])
def test_what_is_unknown_is_not_equal(damage: str, pair: tuple[Path, Path], diff: Any) -> None:
    for which in (0, 1):
        (pair[1 - which] / 'environment.json').write_text(json.dumps(RECORD))
        path = pair[which] / 'environment.json'
        path.unlink() if damage == 'missing' else path.write_text(damage)
        lines, document = diff()
        assert lines[2] == 'equal: config'
        assert lines[3].startswith(
            f'unknown: data, code, packages, flags, machine ({"ab"[which]}: environment.json'
        )
        assert (document['code'], document['machine'], document['data']) == (None, None, None)


def test_runs_without_configs_and_logs(pair: tuple[Path, Path], diff: Any) -> None:
    for run in pair:
        (run / 'config.gin').write_text('')
        shutil.rmtree(run / 'logs')
    lines, document = diff()
    assert 'unknown: config' in lines
    assert 'logs: they have no step in common' in lines
    assert 'best: none in a, none in b' in lines
    assert document['config'] is None


def test_outputs_are_compared_in_pairs(pair: tuple[Path, Path], diff: Any) -> None:
    """The difference is always the second run minus the first, whichever is better."""
    strong, weak = scores(2.0, 1), scores(0.5, 2)
    write(pair[0] / 'outputs/test', strong)
    write(pair[1] / 'outputs/test', weak)
    lines, document = diff()
    compared = document['outputs']
    right = [(logits.argmax(1) == LABELS).astype(float) for logits in (strong, weak)]
    assert compared['values'] == pytest.approx([values.mean() for values in right], abs=1e-12)
    assert compared['difference'] == pytest.approx(right[1].mean() - right[0].mean(), abs=1e-12)
    random = np.random.default_rng(0)
    places = random.integers(200, size=(4000, 200))
    expected = np.percentile((right[1] - right[0])[places].mean(1), [2.5, 97.5])
    assert compared['interval'] == pytest.approx(expected, abs=0.02)
    swapped = two_runs.document(pair[1], pair[0], 'test', Evaluator().report_on)
    assert swapped['difference'] == -compared['difference']
    assert swapped['interval'] == [-end for end in reversed(compared['interval'])]
    assert swapped['p'] == compared['p']
    assert lines[-1].startswith(
        f'outputs: accuracy on test {right[0].mean():.6g} in a, {right[1].mean():.6g} in b; b minus a: -'
    )


def test_outputs_of_other_examples_are_not_compared(pair: tuple[Path, Path], diff: Any) -> None:
    write(pair[0] / 'outputs/test', scores(2.0))
    write(pair[1] / 'outputs/test', scores(2.0), ids=[f'other {index}' for index in range(200)])
    _, document = diff()
    assert document['outputs'] is None
    assert 'examples' in document['outputs_problem']


def test_two_runs_are_needed(pair: tuple[Path, Path], program: Any) -> None:
    code, out, err = program('runs', 'diff', 'a')
    assert (code, out) == (2, '')
    assert 'diff compares two runs, not 1.' in err
    assert entry.read(pair[0]).name == 'a'


@pytest.fixture
def predicted(pair: tuple[Path, Path]) -> tuple[Path, Path]:
    """The two runs with outputs of the same examples, those of the first one better."""
    for run, strength in zip(pair, (2.0, 0.5), strict=True):
        for split in ('test', 'val'):
            write(run / 'outputs' / split, scores(strength, seed=len(split)), split=split)
    return pair


def test_any_metric_of_the_outputs_with_its_paired_interval(
    predicted: tuple[Path, Path], program: Any
) -> None:
    """A lower log loss is better. The difference is the second run minus the first all the same."""
    code, out, err = program('runs', 'diff', 'a', 'b', '--metric=log_loss', '--split=val', '--json')
    assert (code, err) == (0, '')
    compared = json.loads(out)['outputs']
    reports = [Evaluator().report(run / 'outputs' / 'val') for run in predicted]
    values = [report.metrics['log_loss'].value for report in reports]
    assert (compared['metric'], compared['split'], compared['examples']) == ('log_loss', 'val', 200)
    assert compared['values'] == values and values[1] > values[0]
    assert compared['difference'] == pytest.approx(values[1] - values[0])
    resamples = reports[1].resamples['log_loss'] - reports[0].resamples['log_loss']
    assert compared['interval'] == pytest.approx(np.percentile(resamples, [2.5, 97.5]), rel=1e-9)
    text = program('runs', 'diff', 'a', 'b', '--metric=log_loss', '--split=val')[1]
    low, high = compared['interval']
    assert f'b minus a: {compared["difference"]:.4g}, paired 95 % interval {low:.4g} to {high:.4g}' in text


@pytest.mark.parametrize(
    ('flag', 'message'),
    [
        ('--metric=acuracy', "Did you mean 'accuracy'"),
        ('--metric=loss', 'lack this metric'),  # one of val.jsonl
        ('--split=tset', 'tset'),
    ],
)
def test_what_the_outputs_lack_is_a_mistake_if_it_was_asked_for(
    flag: str, message: str, predicted: tuple[Path, Path], program: Any
) -> None:
    code, out, err = program('runs', 'diff', 'a', 'b', flag)
    assert (code, out, message in err) == (2, '', True), err


def test_a_metric_without_a_test_has_a_difference(predicted: tuple[Path, Path], program: Any) -> None:
    """Log loss from logits and from probabilities are computed in different ways."""
    folder = predicted[1] / 'outputs' / 'test'
    shutil.rmtree(folder)
    arrays = {'probabilities': softmax(scores(0.5), axis=1), 'labels': LABELS}
    ids = [f'digit {index}' for index in range(200)]
    outputs.write(
        folder,
        outputs.Manifest('classification', split='test'),
        arrays,
        ids,
        dict.fromkeys(arrays, 'of a test'),
    )
    code, out, err = program('runs', 'diff', 'a', 'b', '--metric=log_loss')
    assert code == 0, err
    one, other = (Evaluator().report(run / 'outputs' / 'test').metrics['log_loss'].value for run in predicted)
    assert f'b minus a: {other - one:.4g}; there is no test of this metric' in out


def test_a_metric_belongs_to_diff(program: Any) -> None:
    code, out, err = program('runs', '--metric=accuracy')
    assert (code, out, '--metric belongs to diff' in err) == (2, '', True)
