"""The verdict and its words."""

import json

import pytest

from engine.reproduction.comparison import RunComparison, nothing
from engine.reproduction.spread import Distance
from engine.reproduction.verdict import Judgement, Verdict
from engine.run_reader.first_difference import LogDifference

FIRST = LogDifference('val.jsonl', 2, 'accuracy', (0.5, 0.25))
INSIDE, OUTSIDE = Distance('val.jsonl', 'accuracy', 0.25, 0.5), Distance('train.jsonl', 'loss', 2.0, 1.0)


def compared(
    first: LogDifference | None = None, outputs: str = '', metrics: str = '', unfinished: str = ''
) -> RunComparison:
    return RunComparison([1, 2], [2], first, {'test': outputs}, {'test': metrics}, unfinished)


VERDICTS = {
    'equal': (compared(), [], Verdict.SAME_BITS),
    'inside': (compared(FIRST), [INSIDE], Verdict.WITHIN_SPREAD),
    'one of two outside': (compared(FIRST), [INSIDE, OUTSIDE], Verdict.DIFFERENT),
    'no spread known': (compared(FIRST), [], Verdict.DIFFERENT),
    'outputs alone': (compared(outputs='logits.npy differs'), [], Verdict.DIFFERENT),
    'metrics alone': (compared(metrics='accuracy was 0.5, is 0.4'), [], Verdict.DIFFERENT),
    'ended early': (compared(unfinished='step 2: no such line'), [], Verdict.DIFFERENT),
    'did not begin': (nothing('the training does not begin'), [], None),
}


@pytest.mark.parametrize('case', VERDICTS)
def test_the_verdict(case: str) -> None:
    comparison, distances, expected = VERDICTS[case]
    assert Judgement(comparison, distances, [], []).verdict == expected


def test_the_first_difference_is_in_the_last_line() -> None:
    judgement = Judgement(compared(FIRST, 'differs'), [OUTSIDE, INSIDE], ['code: a.py has changed'], ['hm'])
    assert judgement.lines() == [
        'note: hm.',
        'compared: steps 1 to 2, 1 evaluation, the outputs test, the metrics of test',
        'what differs in the record:',
        '  code: a.py has changed',
        'root mean square of the differences, and the same of two seeds:',
        '  loss (train.jsonl): 2, 1, outside',
        '  accuracy (val.jsonl): 0.25, 0.5',
        'verdict: different, first at step 2: accuracy was 0.5, is 0.25 (val.jsonl)',
    ]


def test_a_difference_without_a_cause_is_said() -> None:
    lines = Judgement(compared(outputs='logits.npy differs'), [], [], []).lines()
    assert lines[1:] == [
        'nothing differs in the record of code, config, packages, data, flags and machine.',
        'verdict: different, first at outputs/test: logits.npy differs',
    ]


def test_what_was_not_compared_is_not_called_equal() -> None:
    judgement = Judgement(nothing('the training does not begin: the data are damaged'), [], [], [])
    assert judgement.as_json()['verdict'] is None
    assert judgement.lines() == [
        'compared: no step, 0 evaluations, no outputs',
        'code, packages and variables are those of the record; nothing else was compared.',
        'verdict: none, the training does not begin: the data are damaged',
    ]


def test_outputs_come_before_their_metrics() -> None:
    judgement = Judgement(compared(outputs='x differs', metrics='accuracy was 1, is 0'), [], [], [])
    assert judgement.comparison.difference == 'outputs/test: x differs'
    judgement = Judgement(compared(metrics='accuracy was 1, is 0'), [], [], [])
    assert judgement.comparison.difference == 'the metrics of outputs/test: accuracy was 1, is 0'


def test_the_document_is_json() -> None:
    far = Distance('train.jsonl', 'loss', float('inf'), 1.0)
    document = json.loads(json.dumps(Judgement(compared(FIRST), [far], ['c'], ['n']).as_json()))
    assert document['verdict'] == 'different'
    assert document['first_difference'] == {
        'file': 'val.jsonl',
        'step': 2,
        'quantity': 'accuracy',
        'values': [0.5, 0.25],
    }
    assert document['metrics'] == {'test': ''}
    assert document['distances'] == [
        {'file': 'train.jsonl', 'quantity': 'loss', 'repeated': None, 'seeds': 1.0, 'is_within': False}
    ]
