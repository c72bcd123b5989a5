"""The program on small runs, written as the trainer writes them."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

from engine import outputs
from engine.evaluation.evaluator import Evaluator
from tests.engine import sample_outputs
from tests.engine.commands.test_evaluate import REPOSITORY, WATCHED
from tests.engine.random_logits import random_logits

CONFIG = """\
from research.models import mlp

# Macros:
# =====
SEED = {seed}
WIDTH = {width}

# Parameters for mlp.MLP:
# =====
mlp.MLP.features = \\
    (%WIDTH,
     %WIDTH)
mlp.MLP.name = 'a = b %WIDTH'

# Parameters for trainer.Trainer:
# =====
trainer.Trainer.seed = %SEED
"""
LABELS = random_logits(0, examples=200)[1]


def scores(strength: float, seed: int = 0, labels: np.ndarray = LABELS) -> np.ndarray:
    """Returns logits that know the labels the better the larger `strength`."""
    random = np.random.default_rng(seed)
    return (random.normal(size=(len(labels), 4)) + strength * np.eye(4)[labels]).astype(np.float32)


def write(folder: Path, logits: np.ndarray, labels: np.ndarray | None = LABELS, **more: Any) -> Path:
    arrays = {'logits': logits} | ({} if labels is None else {'labels': labels})
    ids = more.pop('ids', [f'digit {index}' for index in range(len(logits))])
    meanings = dict.fromkeys(arrays, 'of the test')
    given = {'split': 'test', **more}
    outputs.write(folder, outputs.Manifest('classification', **given), arrays, ids, meanings)
    return folder


def write_run(
    run: Path, strength: float, seed: int = 0, width: object = 8, commit: str = 'c0ffee0123', **more: Any
) -> Path:
    write(run / 'outputs/test', scores(strength, seed), run=run.name, **more)
    (run / 'config.gin').write_text(CONFIG.format(seed=seed, width=width))
    (run / 'environment.json').write_text(json.dumps({'commit': commit, 'dirty': False}))
    return run


def table(out: str) -> list[dict[str, str]]:
    """Reads a Markdown table."""
    lines = [line for line in out.splitlines() if line.startswith('|')]
    titles, _, *rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]
    return [dict(zip(titles, row, strict=True)) for row in rows]


ACCURACY = 'accuracy (%) ↑'


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three seeds of a wide network, which is good, and a narrow one, which is not."""
    for seed in range(3):
        write_run(tmp_path / f'runs/wide{seed}', 3, seed, width=64)
    write_run(tmp_path / 'runs/narrow', 1, 0)
    return tmp_path / 'runs'


def test_seeds_are_grouped_and_the_best_comes_first(program, runs: Path):
    code, out, err = program('compare', str(runs), '--resamples=1000')
    assert (code, err) == (0, '')
    best, other = table(out)
    assert (best['method'], best['WIDTH'], best['seeds']) == ('wide0', '64', '0, 1, 2')
    assert (other['method'], other['WIDTH'], other['seeds']) == ('narrow', '8', '0')
    shares = [100 * (scores(3, seed).argmax(1) == LABELS).mean() for seed in range(3)]
    assert best[ACCURACY] == f'**{np.mean(shares):.2f} ± {np.std(shares, ddof=1):.2f}**'
    share = 100 * (scores(1).argmax(1) == LABELS).mean()
    assert other[ACCURACY].startswith(f'{share:.2f} (')
    assert other['minus the best (%)'].startswith(f'{share - np.mean(shares):.2f} (')
    # No other column: neither the seed's macro nor what reaches the network through WIDTH, nor the commit.
    assert list(best)[1:4] == ['WIDTH', 'seeds', ACCURACY]
    note = out.splitlines()[-1]
    assert '200 examples' in note
    assert 'Bold: the best' in note
    assert 'standard deviation over seeds' in note


def test_digests_of_a_sweep_are_left_out_where_parameters_tell_methods_apart(program, tmp_path: Path):
    runs = tmp_path / 'rates/runs'
    for index, width, seed in (('0d', 8, 10), ('1e', 8, 9), ('2f', 16, 9)):
        write_run(runs / f'{index}65483431', 2 + width, seed, width=width)
    (tmp_path / 'rates/sweep.json').write_text('{}')
    few = ('compare', str(runs), '--resamples=100')
    rows = table(program(*few)[1])
    assert [list(row)[:2] for row in rows] == [['WIDTH', 'seeds']] * 2
    assert sorted(row['seeds'] for row in rows) == ['9', '9, 10']  # in their order, not in that of the runs
    latex = program(*few, '--format=latex', '--columns=WIDTH,accuracy')[1].splitlines()
    assert latex[:4:3] == [r'% \usepackage{booktabs}', r'WIDTH & accuracy (\%) $\uparrow$ \\']
    for shown in (('--columns=accuracy',), ('--rows=0d65483431=Narrow',)):
        assert 'method' in table(program(*few, *shown)[1])[0]
    assert program(*few, '--format=csv')[1].startswith('method,')


def test_single_runs_are_tested_by_mcnemar_too(program, runs: Path):
    _, out, _ = program('compare', str(runs / 'wide0'), str(runs / 'narrow'))
    assert table(out)[1]['p (McNemar)'] == 'below 0.001'
    assert 'one comparison' in out


def test_ties_are_marked(program, runs: Path, tmp_path: Path):
    write_run(tmp_path / 'runs/other', 3.01, 0, width=65)
    _, out, _ = program('compare', str(runs / 'wide0'), str(runs / 'narrow'), str(runs / 'other'))
    cells = [row[ACCURACY] for row in table(out)]
    assert [cell.startswith('*') and not cell.startswith('**') for cell in cells] == [True, True, False]
    assert 'Italic: the 2 best are tied' in out


def test_equal_methods_are_tied_with_p_1(program, tmp_path: Path):
    for width in (8, 16):
        write_run(tmp_path / f'runs/{width}', 2, width=width)
    _, out, _ = program('compare', str(tmp_path / 'runs'), '--resamples=100')
    assert [table(out)[1][name] for name in ('p', 'p (McNemar)')] == ['1.000', '1.000']
    assert table(out)[1]['minus the best (%)'] == '0.00 (0.00 to 0.00)'


def test_commits_tell_methods_apart(program, tmp_path: Path):
    first = write_run(tmp_path / 'runs/a', 2, 0)
    second = write_run(tmp_path / 'runs/b', 2, 1, commit='badc0de456')
    code, out, _ = program('compare', str(first), str(second))
    assert code == 0
    assert sorted(row['commit'] for row in table(out)) == ['badc0de', 'c0ffee0']


def test_files_that_order_the_examples_tell_methods_apart(program, tmp_path: Path):
    """Such as a list of weights that was edited between two seeds."""
    for seed, sha256 in enumerate(('a' * 64, 'a' * 64, 'b' * 64)):
        run = write_run(tmp_path / f'runs/{seed}', 2, seed)
        record = {'commit': 'c0ffee0123', 'dirty': False, 'order': {'weights.csv': sha256}}
        (run / 'environment.json').write_text(json.dumps(record))
    code, out, _ = program('compare', str(tmp_path / 'runs'), '--resamples=100')
    assert code == 0
    rows = {row['seeds']: row['order files'] for row in table(out)}
    assert rows == {'0, 1': 'weights.csv aaaaaaa', '2': 'weights.csv bbbbbbb'}
    code, out, _ = program('compare', str(tmp_path / 'runs'), '--resamples=100', '--columns=order files')
    assert (code, 'weights.csv bbbbbbb' in out) == (0, True)


def test_another_order_is_another_method(program, tmp_path: Path):
    for seed, order in enumerate(('Shuffled', 'Balanced', 'Balanced')):
        run = write_run(tmp_path / f'runs/{seed}', 2, seed)
        config = run / 'config.gin'
        config.write_text(f'{config.read_text()}trainer.Trainer.order = @orders.{order}()\n')
    _, out, _ = program('compare', str(tmp_path / 'runs'), '--resamples=100')
    rows = {row['seeds']: row['trainer.Trainer.order'] for row in table(out)}
    assert rows == {'0': '@orders.Shuffled()', '1, 2': '@orders.Balanced()'}


def test_two_commits_of_the_same_code_are_one_method(program, tmp_path: Path):
    """Files that a run does not use may change between two seeds; the note names both commits."""
    for name, seed, commit, digest in (
        ('a', 0, 'c0ffee0123', 'same'),
        ('b', 1, 'badc0de456', 'same'),
        ('c', 2, 'badc0de456', 'other'),
    ):
        run = write_run(tmp_path / 'runs' / name, 2, seed, commit=commit)
        record = {'commit': commit, 'dirty': False, 'code': {'digest': digest}}
        (run / 'environment.json').write_text(json.dumps(record))
    _, out, _ = program('compare', str(tmp_path / 'runs'), '--resamples=100')
    rows = {row['seeds']: row['commit'] for row in table(out)}
    assert rows.keys() == {'0, 1', '2'}
    assert 'c0ffee0' in rows['0, 1'] and 'badc0de' in rows['0, 1']


def test_changes_that_were_not_committed_tell_methods_apart(program, tmp_path: Path):
    for name in ('a', 'b'):
        run = write_run(tmp_path / 'runs' / name, 2)
        (run / 'environment.json').write_text(
            json.dumps({'commit': 'c0ffee0123', 'dirty': True, 'diff_sha256': 4 * name})
        )
    _, out, _ = program('compare', str(tmp_path / 'runs'), '--resamples=100')
    commits = {row['commit'] for row in table(out)}
    assert len(commits) == 2
    assert all(each.startswith('c0ffee0+') for each in commits)


def test_outputs_of_no_run_stand_beside_a_run(program, runs: Path, tmp_path: Path):
    svm = write(
        tmp_path / 'svm', scores(0.5)[::-1], LABELS[::-1], ids=[f'digit {i}' for i in range(200)][::-1]
    )
    _, out, _ = program('compare', str(svm), str(runs / 'narrow'), '--format=csv')
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row['method'] for row in rows] == ['runs/narrow', 'svm']
    for row, strength in zip(rows, (1, 0.5), strict=True):
        assert float(row['accuracy']) == pytest.approx(
            (scores(strength).argmax(1) == LABELS).mean(), rel=1e-5
        )
    assert float(rows[1]['p']) < 0.05
    assert rows[0]['mark'] == 'best'


def test_the_order_of_the_examples_does_not_matter(program, tmp_path: Path):
    order = np.random.default_rng(0).permutation(200)
    write(tmp_path / 'it/a', scores(2))
    write(tmp_path / 'it/b', scores(2)[order], LABELS[order], ids=[f'digit {i}' for i in order])
    _, out, _ = program('compare', str(tmp_path / 'it'), '--resamples=100')
    assert table(out)[1]['p'] == '1.000'


def test_other_examples_are_refused_or_cut(program, runs: Path, tmp_path: Path):
    part = write(tmp_path / 'part', scores(2)[:150], LABELS[:150])
    code, _, err = program('compare', str(runs / 'narrow'), str(part))
    assert code == 2
    assert 'has 200 examples and' in err
    assert "150, of which 150 are the same: 'digit 150' is only in" in err
    assert '--intersect' in err
    code, out, _ = program('compare', str(runs / 'narrow'), str(part), '--intersect')
    assert code == 0
    assert out.splitlines()[-1].startswith('150 examples, the same for all, cut from as many as 200.')
    cut = 100 * (scores(1)[:150].argmax(1) == LABELS[:150]).mean()
    assert table(out)[1][ACCURACY].startswith(f'{cut:.2f} (')


def test_by_another_metric(program, runs: Path):
    _, out, _ = program('compare', str(runs), '--metric=macro_f1', '--resamples=100')
    assert table(out)[0]['macro F1 (%) ↑'].startswith('**')
    assert not table(out)[0][ACCURACY].startswith('*')


def test_one_method_alone(program, runs: Path):
    code, out, _ = program('compare', str(runs / 'narrow'))
    assert (code, len(table(out))) == (0, 1)
    assert 'no other method' in out


def test_written_to_a_file_and_not_over_another(program, runs: Path, tmp_path: Path):
    target = tmp_path / 'results/table.tex'
    arguments = ['compare', str(runs), '--format=latex', f'--output={target}', '--resamples=100']
    code, out, _ = program(*arguments)
    assert (code, out) == (0, f'comparison: {target}\n')
    text = target.read_text()
    assert r'\toprule' in text
    assert r'$\pm$' in text
    code, _, err = program(*arguments)
    assert (code, 'Pass --overwrite' in err) == (2, True)
    assert program(*arguments, '--overwrite')[0] == 0


def test_without_jax_and_gin(runs: Path):
    watched = WATCHED.replace('engine.commands.evaluate', 'engine.commands.compare')
    command = [sys.executable, '-W', 'error', '-c', watched, str(runs), '--resamples=100']
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stderr.strip()) == (0, 'imported:')


def test_masks_are_compared_by_what_the_evaluator_says(program, tmp_path: Path):
    random = np.random.default_rng(0)
    targets = random.integers(0, 3, (40, 6, 6)).astype(np.uint8)
    for name, share in (('good', 0.9), ('bad', 0.6)):
        masks = np.where(random.random(targets.shape) < share, targets, 0).astype(np.uint8)
        arrays = {'masks': masks, 'targets': targets}
        outputs.write(
            tmp_path / 'it' / name,
            outputs.Manifest('segmentation', class_names=['background', 'cat', 'dog']),
            arrays,
            [str(index) for index in range(40)],
            dict.fromkeys(arrays, 'of the test'),
        )
    _, out, _ = program('compare', str(tmp_path / 'it'), '--format=csv')
    good, bad = csv.DictReader(io.StringIO(out))
    evaluated = Evaluator(resamples=10000).report(tmp_path / 'it/bad').metrics['mean_iou']
    assert [float(bad['mean_iou']), float(bad['mean_iou_low']), float(bad['mean_iou_high'])] == pytest.approx(
        [evaluated.value, *evaluated.interval], rel=1e-5
    )
    assert (good['method'], good['mark'], bad['mark']) == ('good', 'best', '')
    difference = float(bad['mean_iou']) - float(good['mean_iou'])
    assert float(bad['minus_best']) == pytest.approx(difference, rel=1e-4)
    assert float(bad['minus_best_low']) < difference < float(bad['minus_best_high'])


@pytest.mark.parametrize(
    ('kind', 'predicted', 'shape', 'dtype'),
    [('regression', 'values', (30, 2), np.float32), ('image', 'images', (30, 8, 8, 1), np.uint8)],
)
def test_numbers_and_images_are_compared(program, tmp_path: Path, kind: str, predicted: str, shape, dtype):
    random = np.random.default_rng(0)
    targets = random.uniform(50, 200, shape)
    for name, noise in (('near', 2), ('far', 20)):
        arrays = {predicted: targets + random.normal(size=shape) * noise, 'targets': targets}
        outputs.write(
            tmp_path / 'it' / name,
            outputs.Manifest(kind),
            {key: array.astype(dtype) for key, array in arrays.items()},
            [str(index) for index in range(30)],
            dict.fromkeys(arrays, 'of the test'),
        )
    _, out, _ = program('compare', str(tmp_path / 'it'), '--resamples=1000', '--format=csv')
    near, far = csv.DictReader(io.StringIO(out))
    assert (near['method'], near['mark'], far['mark']) == ('near', 'best', '')
    assert float(far['p']) == pytest.approx(2 / 1001, rel=1e-5)


def test_boxes_are_compared(program, tmp_path: Path):
    random = np.random.default_rng(0)
    corners = random.uniform(0, 50, (30, 2))
    targets = np.concatenate([corners, corners + 20], axis=1).astype(np.float32)
    example = np.arange(30, dtype=np.int32)
    for name, noise in (('near', 1), ('far', 8)):
        arrays = {
            'boxes': (targets + random.uniform(-noise, noise, targets.shape)).astype(np.float32),
            'scores': random.random(30).astype(np.float32),
            'classes': np.zeros(30, np.int32),
            'example': example,
            'target_boxes': targets,
            'target_classes': np.zeros(30, np.int32),
            'target_example': example,
        }
        outputs.write(
            tmp_path / 'it' / name,
            outputs.Manifest('detection', class_names=['cat']),
            arrays,
            [str(index) for index in example],
            dict.fromkeys(arrays, 'of the test'),
        )
    _, out, _ = program('compare', str(tmp_path / 'it'), '--resamples=200', '--format=csv')
    near, far = csv.DictReader(io.StringIO(out))
    assert (near['method'], near['mark'], far['mark']) == ('near', 'best', '')
    assert float(far['p']) == pytest.approx(2 / 201, rel=1e-5)


def test_samples_are_sorted_and_not_tested(program, tmp_path: Path):
    random = np.random.default_rng(0)
    reference = random.normal(size=(30, 2)).astype(np.float32)
    for name, shift in (('near', 0.0), ('far', 2.0)):
        arrays = {
            'samples': np.zeros((30, 2, 2, 1), np.uint8),
            'features': (random.normal(size=(30, 2)) + shift).astype(np.float32),
            'reference_features': reference,
        }
        outputs.write(
            tmp_path / 'it' / name,
            outputs.Manifest('generation'),
            arrays,
            [str(index) for index in range(30)],
            dict.fromkeys(arrays, 'of the test'),
        )
    _, out, _ = program('compare', str(tmp_path / 'it'), '--resamples=100')
    assert [row['method'] for row in table(out)] == ['near', 'far']
    assert 'cannot be compared example by example: nothing is marked' in out
    assert '*' not in out


def other_kind(folder: Path) -> None:
    arrays = {'log_probs': np.full(3, -1, np.float32), 'lengths': np.ones(3, np.int32)}
    outputs.write(folder, outputs.Manifest('language'), arrays, ['a', 'b', 'c'], dict.fromkeys(arrays, 'x'))


@pytest.mark.parametrize(
    ('make', 'arguments', 'message'),
    [
        (lambda folder: write(folder, scores(1), None), [], 'no labels.npy'),
        (other_kind, [], "of kind 'language'"),
        (lambda folder: write(folder, scores(1), 3 - LABELS), [], 'labels.npy of'),
        (
            lambda folder: write(folder, scores(1)[:3], LABELS[:3], ids=['x', 'y', 'z']),
            ['--intersect'],
            'no example in',
        ),
        (
            lambda folder: write(folder, scores(1), class_names=list('abcd')),
            ['--metric=acuracy'],
            "'accuracy'",
        ),
        (lambda folder: write(folder, scores(1)), ['--split=tets'], "Did you mean 'test'?"),
        (lambda folder: write(folder, scores(1)), ['--format=word'], 'invalid choice'),
        (lambda folder: write(folder, scores(1)), ['--resamples=3'], 'at least 100'),
        (lambda folder: write(folder, scores(1)[:, [0, 1, 2, 3, 3]]), [], 'has 4 classes and'),
        (
            lambda folder: write(folder, scores(1)),
            ['--output={runs}/narrow/config.gin/x.md'],
            'is not a folder',
        ),
        (lambda folder: (write(folder, scores(1)) / 'manifest.json').unlink(), [], 'unfinished: it has no'),
        (
            lambda folder: (write(folder / 'a', scores(1)) / 'manifest.json').unlink(),
            [],
            'unfinished: it has no',
        ),
        (lambda folder: folder.mkdir(), [], 'neither runs nor outputs'),
        (lambda folder: None, [], 'does not exist'),
    ],
)
def test_mistakes(program, runs: Path, tmp_path: Path, make: Any, arguments: list[str], message: str):
    make(tmp_path / 'other')
    given = [each.format(runs=runs) for each in arguments]
    code, out, err = program('compare', str(runs / 'narrow'), str(tmp_path / 'other'), *given)
    assert (code, out) == (2, '')
    assert err.startswith('error: ')
    assert message in err
    assert 'Traceback' not in err


def test_the_same_run_twice_is_no_second_seed(program, runs: Path, tmp_path: Path):
    write_run(tmp_path / 'runs/z_again', 3, 0, width=64)
    write_run(tmp_path / 'runs/z_other_bits', 3.1, 0, width=64)
    code, out, _ = program('compare', str(runs), '--resamples=100')
    assert (code, table(out)[0]['seeds']) == (0, '0, 1, 2')
    note = out.splitlines()[-1].replace('\\', '')
    assert 'z_again is left out as a duplicate of' in note
    assert 'its config, seed and code are the same.' in note
    assert 'its config, seed and code are the same, but its outputs differ.' in note
    code, out, _ = program(
        'compare', str(runs / 'narrow'), str(runs / 'narrow'), str(runs / 'narrow/outputs')
    )
    assert (code, len(table(out))) == (0, 1)


@pytest.mark.parametrize(
    ('name', 'damage'),
    [
        ('environment.json', b'{'),
        ('environment.json', b'[]'),
        ('environment.json', b'\xff'),
        ('config.gin', b'\xff'),
    ],
)
def test_damaged_runs(program, runs: Path, name: str, damage: bytes):
    (runs / 'narrow' / name).write_bytes(damage)
    code, _, err = program('compare', str(runs))
    assert (code, name in err, 'Traceback' in err) == (2, True, False)


def test_nothing_that_a_config_names_is_imported(program, runs: Path, tmp_path: Path):
    (tmp_path / 'trap.py').write_text(f'open({str(tmp_path / "sprung")!r}, "w")')
    with (runs / 'narrow/config.gin').open('a') as file:
        file.write(f'import sys\nfrom {tmp_path.name} import trap\ntrap.Trap.a = @trap.Trap()\n')
    assert program('compare', str(runs), '--resamples=100')[0] == 0
    assert not (tmp_path / 'sprung').exists()


def test_where_nothing_can_be_written(program, runs: Path):
    code, _, err = program('compare', str(runs), '--resamples=100', '--output=/proc/it.md')
    assert (code, err.startswith('error: /proc/it.md cannot be written')) == (2, True)


def test_seeds_of_methods_that_are_no_runs(program, tmp_path: Path):
    for seed in range(3):
        write(tmp_path / f'f{seed}', scores(3, seed), details={'method': 'forest', 'seed': f'{seed}'})
    write(tmp_path / 'g', scores(1))
    code, out, _ = program('compare', str(tmp_path), '--resamples=100')
    assert code == 0
    assert [(row['method'], row['seeds']) for row in table(out)] == [('f0', '0, 1, 2'), ('g', '')]
    assert '±' in table(out)[0][ACCURACY].strip('*')
    write(tmp_path / 'again', scores(3), details={'method': 'forest', 'seed': '0'})
    _, out, _ = program('compare', str(tmp_path), '--resamples=100')
    assert [row['seeds'] for row in table(out)] == ['0, 1, 2', '']
    assert "both name the method 'forest' and the same seed" in out


def test_runs_without_outputs_are_notes(program, runs: Path):
    shutil.rmtree(runs / 'wide1/outputs')
    for command in ([str(runs)], [str(runs / 'wide0'), str(runs / 'wide1'), str(runs / 'narrow')]):
        code, out, _ = program('compare', *command, '--resamples=100')
        assert (code, len(table(out))) == (0, 2)
        assert 'wide1 is left out: it has no outputs of' in out
        assert 'scripts/predict.sh' in out
    code, _, err = program('compare', str(runs), '--format=csv', '--resamples=100')
    assert 'wide1 is left out' in err
    code, _, err = program('compare', str(runs / 'wide1'))
    assert (code, 'has no outputs of' in err) == (2, True)


def test_chosen_columns_and_names_of_rows(program, runs: Path):
    rows = f'--rows=narrow=Narrow, 8 units,{runs / "wide2"}=Wide & deep'
    _, out, _ = program(
        'compare', str(runs), '--columns=log_loss,parameters,accuracy', rows, '--resamples=100'
    )
    best, other = table(out)
    assert list(best) == ['method', 'log loss (nats) ↓', 'parameters', ACCURACY]
    assert [best['method'], other['method']] == ['Wide & deep', 'Narrow, 8 units']
    assert [best['parameters'], other['parameters']] == ['WIDTH=64', 'WIDTH=8']
    _, out, _ = program('compare', str(runs), '--columns=accuracy', rows, '--format=csv', '--resamples=100')
    assert out.splitlines()[0] == 'method,accuracy,accuracy_low,accuracy_high,accuracy_deviation'
    _, out, _ = program('compare', str(runs), rows, '--format=latex', '--resamples=100')
    assert r'Wide \& deep' in out


def test_a_column_is_named_by_its_end(program, runs: Path):
    for run in sorted(runs.iterdir()):
        width = 8 if run.name == 'narrow' else 64
        lines = [f'cnn.CNN.width = {width}', f'mlp.MLP.depth = {width}', f'rnn.RNN.depth = {width}']
        (run / 'config.gin').write_text('\n'.join(lines))
    _, out, _ = program('compare', str(runs), '--columns=width,accuracy', '--resamples=100')
    assert list(table(out)[0]) == ['method', 'width', ACCURACY]
    _, out, _ = program('compare', str(runs), '--columns=width', '--resamples=100', '--format=csv')
    assert out.splitlines()[0] == 'method,cnn.CNN.width'
    code, out, err = program('compare', str(runs), '--columns=depth', '--resamples=100')
    assert (code, out) == (2, '')
    assert "several columns end in 'depth': mlp.MLP.depth, rnn.RNN.depth." in err


def test_no_short_title_hides_another_column(program, runs: Path):
    for run in sorted(runs.iterdir()):
        width = 8 if run.name == 'narrow' else 64
        lines = [f'cnn.CNN.p = {width}', f'cnn.CNN.method = {width}']
        (run / 'config.gin').write_text('\n'.join(lines))
    _, out, _ = program('compare', str(runs), '--columns=p,method,test', '--resamples=100')
    assert list(table(out)[0])[:3] == ['method', 'cnn.CNN.p', 'cnn.CNN.method']


@pytest.mark.parametrize(
    ('argument', 'message'),
    [
        ('--columns=acuracy', "there is no 'acuracy'. Did you mean 'accuracy'"),
        ('--rows=wode0=Wide', "there is no run 'wode0'. Did you mean 'wide0'?"),
        ('--rows=wide0', "Write --rows='wide0=NAME'"),
        ('--rows=wide0=narrow', "two methods are called 'narrow'"),
    ],
)
def test_mistakes_in_columns_and_rows(program, runs: Path, argument: str, message: str):
    code, out, err = program('compare', str(runs), argument, '--resamples=100')
    assert (code, out) == (2, '')
    assert message in err


@pytest.mark.parametrize(('parameters', 'shown'), [(3, 'apart'), (5, 'folded'), (9, 'counted')])
def test_many_parameters_are_folded_or_counted(program, runs: Path, parameters: int, shown: str):
    for seed, run in enumerate(sorted(runs.iterdir())):
        width = 8 if run.name == 'narrow' else 64
        lines = [f'cnn.CNN.p{index} = {width + index}' for index in range(parameters - 1)]
        (run / 'config.gin').write_text('\n'.join([CONFIG.format(seed=seed, width=width), *lines]))
    _, out, _ = program('compare', str(runs), '--resamples=100')
    best = table(out)[0]
    assert ('WIDTH' in best) == (shown == 'apart')
    assert best.get('parameters') == ('WIDTH=64, p0=64, p1=65, p2=66, p3=67' if shown == 'folded' else None)
    assert ('The configs differ in 9 parameters' in out) == (shown == 'counted')
    assert best['seeds'] == '1, 2, 3'


def test_features_of_another_extractor_are_not_compared(program, tmp_path: Path):
    for digest in 'ab':
        sample_outputs.write(tmp_path / digest, 'generation', details={'extractor_sha256': digest})
    code, _, err = program('compare', str(tmp_path), '--resamples=100')
    assert (code, f'extractor_sha256 is a in {tmp_path / "a"} and b in ' in err) == (2, True)


def test_small_numbers_are_shown(program, tmp_path: Path):
    arrays = {name: each * np.float32(1e-6) for name, each in sample_outputs.arrays('regression').items()}
    for name in 'ab':
        sample_outputs.write(tmp_path / name, 'regression', arrays=arrays)
    code, out, _ = program('compare', str(tmp_path), '--resamples=100')
    shown = table(out)[0]['root mean squared error (units of the targets) ↓'].strip('*')
    rmse = np.sqrt(np.mean((arrays['values'] - arrays['targets']).astype(float) ** 2))
    assert (code, shown.split()[0]) == (0, f'{rmse:.4g}')
    assert float(shown.split()[0]) > 1e-7


def test_labels_of_more_examples_serve_the_common_ones(program, runs: Path, tmp_path: Path):
    part = write(
        tmp_path / 'part', scores(2)[50:150], None, ids=[f'digit {index}' for index in range(50, 150)]
    )
    rows = [f'digit {index},{label}' for index, label in enumerate(LABELS)]
    labels = tmp_path / 'labels.csv'
    labels.write_text('\n'.join(['id,label', *rows]))
    given = ('compare', str(runs / 'narrow'), str(part), f'--labels={labels}', '--resamples=100')
    assert '--intersect' in program(*given)[2]
    code, out, err = program(*given, '--intersect')
    assert (code, err) == (0, f'labels: {labels}, 100 examples\n')
    right = 100 * (scores(1)[50:150].argmax(1) == LABELS[50:150]).mean()
    assert table(out)[1][ACCURACY].startswith(f'{right:.2f} (')


def test_log_losses_of_logits_and_of_probabilities_are_not_tested(program, tmp_path: Path):
    """These are clipped where they are 0 and those are exact: the same predictions would differ."""
    logits = scores(1) * 40
    write(tmp_path / 'logits', logits)
    chances = special.softmax(logits, axis=1)
    more: dict[str, Any] = {'arrays': {'probabilities': chances.astype(np.float32), 'labels': LABELS}}
    ids = outputs.read(tmp_path / 'logits').ids
    sample_outputs.write(tmp_path / 'chances', 'classification', class_names=[], ids=ids, **more)
    code, out, _ = program('compare', str(tmp_path), '--resamples=100', '--metric=log_loss')
    assert (code, 'nothing is marked' in out, 'p' in table(out)[0]) == (0, True, False)
    assert 'Log loss clips saved probabilities at 1.2e-7. Log loss uses saved logits as they are.' in out
    code, out, _ = program('compare', str(tmp_path), '--resamples=100')
    assert (code, table(out)[1]['p']) == (0, '1.000')
