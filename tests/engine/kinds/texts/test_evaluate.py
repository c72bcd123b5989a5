"""Reports on texts: their notes and pages, labels from files, exports, and a task that predicts texts."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.labels import external_labels
from engine.kinds.texts import labels, references, stored
from engine.kinds.texts.evaluate import TextsEvaluation
from engine.render import texts as rendered
from tests.conftest import Program

TEXTS = ['the cat sat', '', '=1+1', 'x\x1b[31m\n\u202e<b>']
REFERENCES = [['the cat sat', 'a cat'], [''], ['=1+2'], ['x']]


def save(
    folder: Path, texts: Sequence[str | bytes] = TEXTS, known: Sequence[Sequence[str]] | None = REFERENCES
) -> Path:
    data, lengths = stored.store(texts)
    arrays = {'texts': data, 'text_lengths': lengths, **(labels.arrays(known) if known else {})}
    ids = [f'text {row}' for row in range(len(texts))]
    outputs.write(folder, outputs.Manifest('texts'), arrays, ids, dict.fromkeys(arrays, 'of the test'))
    return folder


def evaluated(folder: Path, **settings: Any) -> Any:
    return Evaluator(resamples=100, kinds=[TextsEvaluation(**settings)]).report(folder)


def test_the_signatures_state_the_settings(tmp_path: Path) -> None:
    metrics = evaluated(save(tmp_path / 'it'), tokenize='char', lowercase=True, chrf_words=2).metrics
    assert 'nrefs:var|case:lc|eff:no|tok:char|smooth:exp|version:2' in metrics['bleu'].definition.source
    assert 'nc:6|nw:2|space:no|version:2' in metrics['chrf'].definition.source


def test_examples_without_references_are_counted_out(tmp_path: Path) -> None:
    report = evaluated(save(tmp_path / 'it', known=[['the cat sat'], [], [], ['y']]))
    assert report.metrics['exact_match'].value == 0.5
    assert report.notes[0].startswith('2 of 4 texts have no reference')
    assert report.tables['per_example']['edits'].isna().sum() == 2
    assert len(report.outputs.ids) == 4


def test_texts_alone_are_shown(tmp_path: Path) -> None:
    folder = save(tmp_path / 'it', known=None)
    Evaluator(resamples=100).evaluate(folder)
    page = (folder / 'evaluation/report.html').read_text(encoding='utf-8')
    assert page.count('<dt><bdi>prediction</bdi></dt>') == 4
    assert 'the texts are compared with nothing' in page
    assert set(evaluated(folder).metrics) == {'mean_length', 'repeated'}


def test_no_character_acts_on_page_or_table(tmp_path: Path) -> None:
    folder = save(tmp_path / 'it')
    Evaluator(resamples=100).evaluate(folder)
    page = (folder / 'evaluation/report.html').read_text(encoding='utf-8')
    assert not any(character in page for character in '\x1b\u202e')
    assert '\\u202e' in page
    assert '&lt;b&gt;' in page
    with (folder / 'predictions.csv').open(encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['prediction'] for row in rows] == ['the cat sat', '', "'=1+1", 'x\\x1b[31m\n\\u202e<b>']
    assert [row['reference_1'] for row in rows] == ['a cat', '', '', '']


def test_notes_on_bytes_and_on_scripts_without_spaces(tmp_path: Path) -> None:
    report = evaluated(save(tmp_path / 'it', [b'\xff', '猫が好きです'], [['犬'], ['猫が好きです']]))
    assert [note.split(' ')[0] for note in report.notes] == ['1', 'BLEU']
    assert len(evaluated(tmp_path / 'it', tokenize='zh').notes) == 1


def test_parts_of_references_are_refused(tmp_path: Path) -> None:
    data, lengths = stored.store(['a'])
    arrays = {'texts': data, 'text_lengths': lengths, 'references': data, 'reference_lengths': lengths}
    outputs.write(tmp_path / 'it', outputs.Manifest('texts'), arrays, ['a'], dict.fromkeys(arrays, 'x'))
    with pytest.raises(UserError, match=r'reference_example\.npy is missing'):
        evaluated(tmp_path / 'it')


@pytest.mark.parametrize(
    ('lengths', 'words'),
    [
        ([1, 3], 'whose sum is 4, but there are 3 text_bytes'),
        ([-1, 4], 'holds -1, but a length is 0 or more'),
    ],
)
def test_lengths_that_do_not_fit_are_refused(tmp_path: Path, lengths: list[int], words: str) -> None:
    arrays = {'texts': np.zeros(3, np.uint8), 'text_lengths': np.array(lengths, np.int32)}
    with pytest.raises(UserError, match=words):
        outputs.write(
            tmp_path / 'it', outputs.Manifest('texts'), arrays, ['a', 'b'], dict.fromkeys(arrays, 'x')
        )


def _json(path: Path) -> None:
    path.write_text(json.dumps({f'text {row}': REFERENCES[row] for row in (2, 0, 3, 1)}))


def _lines(path: Path) -> None:
    rows = [{'id': f'text {row}', 'references': REFERENCES[row]} for row in (3, 2, 1, 0)]
    path.write_text('\n'.join(map(json.dumps, rows)))


def _csv(path: Path) -> None:
    with path.open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['id', 'text', 'reference_1'])
        writer.writerows([[f'text {row}', *REFERENCES[row], ''][:3] for row in (1, 0, 3, 2)])


@pytest.mark.parametrize(('name', 'write'), [('a.json', _json), ('a.jsonl', _lines), ('a.csv', _csv)])
def test_references_from_a_file(tmp_path: Path, name: str, write: Callable[[Path], None]) -> None:
    write(tmp_path / name)
    bare, whole = save(tmp_path / 'bare', known=None), save(tmp_path / 'whole')
    added = external_labels.add(outputs.read(bare), tmp_path / name)
    assert references(added.arrays, 4) == REFERENCES
    added = external_labels.add(outputs.read(whole), tmp_path / name)
    assert added.external_labels is not None
    assert added.external_labels['differing'] == 0
    other = save(tmp_path / 'other', known=[*REFERENCES[:3], ['z']])
    record = external_labels.add(outputs.read(other), tmp_path / name).external_labels
    assert record is not None
    assert record['differing'] == 1


@pytest.mark.parametrize(
    ('name', 'content', 'words'),
    [
        ('a.json', '[1]', 'maps each id to a text'),
        ('a.json', '{"text 0": 3}', "'text 0' has 3, which is not a text"),
        ('a.json', '{', 'not JSON'),
        ('a.jsonl', '{"text": "a"}', 'line 1 has no id'),
    ],
)
def test_files_that_hold_no_texts_are_refused(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=words):
        external_labels.add(outputs.read(save(tmp_path / 'it')), tmp_path / name)


def test_exports_are_exact_or_safe(tmp_path: Path) -> None:
    known = outputs.read(save(tmp_path / 'it'))
    exports = TextsEvaluation().exports()
    lines = exports['jsonl'].content(known).decode().splitlines()
    assert [json.loads(line)['text'] for line in lines] == TEXTS
    assert "'=1+1" in exports['csv'].content(known).decode()


def test_differences_are_marked_word_by_word() -> None:
    marked = rendered.difference('the cat sat', 'the dog sat')
    assert marked == 'the <del>cat</del><ins>dog</ins> sat'
    assert rendered.difference('猫が', '犬が') == '<del>猫</del><ins>犬</ins>が'
    assert ''.join(rendered.words('Hi, \n猫 you!')) == 'Hi, \n猫 you!'


def test_a_task_that_predicts_texts(
    config_file: Callable[..., Path], program: Program, workspace: Path
) -> None:
    config = config_file(STEPS='STEPS = 3', dataset="  dataset = 'stdlib/toy'")
    text = config.read_text().replace(
        'engine.parts import classification', 'tests.engine.kinds.texts import echo'
    )
    text = text.replace('@classification.Classification()', '@echo.Echo()')
    text = text.replace('classification.Classification:', 'echo.Echo:').replace('@mlp.MLP', '@echo.ByteModel')
    text = text.replace('from research.models import mlp\n', '')
    config.write_text('\n'.join(line for line in text.splitlines() if not line.startswith('mlp.')))
    code, out, err = program('train', f'--gin_file={config}', f'--run={workspace / "runs/echo"}')
    assert code == 0, out + err
    folder = workspace / 'runs/echo/outputs/test'
    code, out, err = program('evaluate', str(folder))
    assert code == 0, out + err
    metrics = json.loads((folder / 'evaluation/metrics.json').read_text())['metrics']
    assert metrics['length_ratio']['value'] is not None
    known = outputs.read(folder)
    lengths = known.arrays['text_lengths']
    np.testing.assert_array_equal(lengths, known.arrays['reference_lengths'])
