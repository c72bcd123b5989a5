"""What a report lists, under which headings, and what it says of metrics without a value."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import outputs
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.results.report import Report
from engine.outputs import kind_folders
from engine.workspace import REPOSITORY
from tests.engine import sample_outputs
from tests.engine.random_logits import random_logits

MAIN = ['accuracy', 'balanced accuracy', 'macro F1']
Program = Callable[..., tuple[int, str, str]]


def report(folder: Path, arrays: Mapping[str, np.ndarray], **settings: Any) -> Report:
    ids = [str(row) for row in range(len(arrays['labels']))]
    outputs.write(folder, outputs.Manifest('classification'), arrays, ids, dict.fromkeys(arrays, 'it'))
    return Evaluator(resamples=100, **settings).report(folder)


def classification(classes: int, missing: tuple[int, ...] = ()) -> dict[str, np.ndarray]:
    logits, labels = random_logits(0, 40, classes, missing)
    return {'logits': logits, 'labels': labels}


def titles(shown: Report) -> dict[str, list[str]]:
    return {
        heading: [metric.definition.title for metric in group] for heading, group in shown.groups().items()
    }


@pytest.mark.parametrize(
    ('classes', 'more'), [(2, ['sensitivity', 'specificity']), (4, []), (10, ['top-5 accuracy'])]
)
def test_main_metrics_come_first_and_others_under_their_heading(
    classes: int, more: list[str], tmp_path: Path
) -> None:
    shown = titles(report(tmp_path / 'it', classification(classes)))
    assert list(shown) == ['', 'Probabilities', 'Agreement beyond chance', 'Averages over classes']
    assert sorted(shown['']) == sorted([*MAIN, *more, 'log loss', 'calibration error'])
    assert shown['Agreement beyond chance'] == ['Matthews correlation', "Cohen's kappa"]


def test_the_headline_is_among_the_main_metrics(tmp_path: Path) -> None:
    logits, labels = random_logits(0)
    predicted = logits.argmax(1).astype(np.int32)
    shown = titles(report(tmp_path / 'it', {'predicted': predicted, 'labels': labels}))
    assert shown[''] == [*MAIN, 'Matthews correlation']
    assert shown['Agreement beyond chance'] == ["Cohen's kappa"]


def test_chosen_metrics_keep_their_order_without_headings(tmp_path: Path) -> None:
    chosen = ('micro_f1', 'log_loss', 'roc_auc')
    shown = titles(report(tmp_path / 'it', classification(3), only=chosen))
    assert shown == {'': ['micro F1', 'log loss', 'ROC AUC']}


def test_metrics_of_one_reason_share_a_footnote(tmp_path: Path) -> None:
    shown = report(tmp_path / 'it', classification(2, missing=(1,)))
    assert shown.footnotes[:2] == [
        'sensitivity and average precision are not defined: the labels lack the positive class.',
        'ROC AUC is not defined: all labels are the same class.',
    ]


@pytest.mark.parametrize('kind', ['classification', 'detection'])
def test_terminal_markdown_and_page_show_every_metric_once_below_its_heading(
    kind: str, program: Program, tmp_path: Path
) -> None:
    folder = sample_outputs.write(tmp_path / 'it', kind)
    bindings = 'engine.evaluation.evaluator.Evaluator.figure_formats = ()'
    code, out, _ = program('evaluate', str(folder), f'--gin_bindings={bindings}')
    groups = titles(Evaluator(resamples=100).report(folder))
    rows, sections = groups.pop(''), [block.splitlines() for block in out.split('\n\n')]
    assert code == 0
    assert [line.split('  ')[0] for line in sections[1][2:]] == rows
    for (heading, names), lines in zip(groups.items(), sections[2:], strict=False):
        assert [line.split('  ')[0] for line in lines] == [heading, *names]
    text = (folder / 'evaluation/metrics.md').read_text()
    page = (folder / 'evaluation/report.html').read_text().replace('&#x27;', "'")
    for heading, names in groups.items():
        assert text.count(f'\n## {heading}\n') == 1
        assert page.count(f'<h3>{heading}</h3><div class="wide group"') == 1
        for name in names:
            assert text.count(f'\n| {name} |') == 1
            assert page.count(f'<dt>{name}</dt>') == 1


@pytest.mark.parametrize('kind', kind_folders.names())
def test_the_document_lists_every_metric(kind: str, tmp_path: Path) -> None:
    reports = [Evaluator(resamples=100).report(sample_outputs.write(tmp_path / 'it', kind))]
    if kind == 'classification':
        reports += [report(tmp_path / str(classes), classification(classes)) for classes in (2, 10)]
    if kind == 'language':
        counted = sample_outputs.arrays(kind)
        counted['tokens'] = counted['lengths']
        with_tokens = sample_outputs.write(tmp_path / 'tokens', kind, arrays=counted)
        reports += [Evaluator(resamples=100).report(with_tokens)]
    document = (REPOSITORY / 'docs/metrics.md').read_text(encoding='utf-8')
    lines = [line for line in document.splitlines() if line.startswith(f'| {kind}')]
    listed = {name for line in lines for name in re.findall(r'`(\w+)`', line)}
    assert listed == {name for shown in reports for name in shown.metrics}
