"""Files as other tools write them, imported and evaluated; the numbers are those of scikit-learn."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics

from engine import outputs

NAMES = ['cat', 'dog', 'owl']
RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(3, size=40)
LOGITS = RANDOM.normal(size=(40, 3)) + 2 * np.eye(3)[LABELS]
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
PREDICTED = LOGITS.argmax(axis=1)


def write_table(path: Path, header: str, *columns: Any) -> Path:
    rows = [','.join(map(str, row)) for row in zip(*columns, strict=True)]
    path.write_text('\n'.join([header, *rows, '']))
    return path


def names(indices: np.ndarray) -> list[str]:
    return [NAMES[index] for index in indices]


def imported(program: Any, *arguments: object) -> tuple[outputs.Outputs, str]:
    """Imports files, and returns the outputs and what was said."""
    folder = Path(str(arguments[0])).parent / 'outputs'
    code, out, err = program('import_outputs', *map(str, arguments), f'--output={folder}', '--overwrite')
    assert (code, err) == (0, '')
    assert out.splitlines()[-1] == f'outputs: {folder}'
    return outputs.read(folder), out


def evaluated(program: Any, folder: Path) -> dict[str, float]:
    """Evaluates outputs and returns the metrics."""
    code, _, err = program('evaluate', str(folder), f'--output={folder.parent / "report"}', '--overwrite')
    assert (code, err) == (0, '')
    content = json.loads((folder.parent / 'report/metrics.json').read_text())['metrics']
    return {name: metric['value'] for name, metric in content.items()}


def test_a_table_of_hard_labels(program, tmp_path: Path):
    table = write_table(
        tmp_path / 'p.csv', 'filename,true_label,pred', range(40), names(LABELS), names(PREDICTED)
    )
    saved, said = imported(program, table, '--dataset=pets', '--split=test', '--detail=method=forest')
    assert saved.ids == tuple(map(str, range(40)))
    assert saved.class_names == tuple(NAMES)
    assert (saved.manifest.dataset, saved.manifest.split) == ('pets', 'test')
    assert saved.manifest.details == {'method': 'forest'}
    assert "label: the column 'true_label'" in said
    assert 'Hard labels alone' in said
    found = evaluated(program, saved.folder)
    assert found['accuracy'] == pytest.approx(metrics.accuracy_score(LABELS, PREDICTED), abs=1e-9)
    assert found['macro_f1'] == pytest.approx(metrics.f1_score(LABELS, PREDICTED, average='macro'), abs=1e-9)
    assert 'log_loss' not in found


@pytest.mark.parametrize('prefix', ['prob_', 'p_', 'Probability ', 'score.'])
def test_a_table_of_probabilities(program, tmp_path: Path, prefix: str):
    header = 'id,label,' + ','.join(prefix + name for name in NAMES) + ',fold'
    rounded = np.round(PROBABILITIES, 4)
    table = write_table(tmp_path / 'p.csv', header, range(40), names(LABELS), *rounded.T, range(40))
    saved, said = imported(program, table)
    assert 'they are probabilities' in said
    assert "not used: 'fold'" in said
    np.testing.assert_allclose(saved.arrays['probabilities'], PROBABILITIES, atol=2e-4)
    assert saved.arrays['labels'].tolist() == LABELS.tolist()


def test_columns_named_as_classes_and_labels_as_numbers(program, tmp_path: Path):
    table = write_table(tmp_path / 'p.csv', 'cat,dog,owl,y', *LOGITS.T, names(LABELS))
    saved, said = imported(program, table)
    assert 'read as logits' in said
    assert 'numbered from 0' in said
    np.testing.assert_allclose(saved.arrays['logits'], LOGITS, rtol=1e-6)
    header = 'id,target,logit_cat,logit_dog,logit_owl,prediction'
    table = write_table(tmp_path / 'q.csv', header, range(40), LABELS, *LOGITS.T, np.roll(PREDICTED, 1))
    saved, said = imported(program, table)
    assert saved.class_names == tuple(NAMES)
    assert saved.arrays['labels'].tolist() == LABELS.tolist()
    different = (np.roll(PREDICTED, 1) != PREDICTED).sum()
    assert f'{different} of 40 predictions are not the class with the largest score' in said


def test_the_probability_of_the_second_class(program, tmp_path: Path):
    labels = ['no' if label == 0 else 'yes' for label in LABELS]
    second = 1 - PROBABILITIES[:, 0]
    table = write_table(tmp_path / 'p.csv', 'id,label,score', range(40), labels, second)
    saved, _ = imported(program, table)
    assert saved.class_names == ('no', 'yes')
    np.testing.assert_allclose(saved.arrays['probabilities'][:, 1], second, rtol=1e-6)


def test_numbers_with_fractions_are_a_regression(program, tmp_path: Path):
    targets = RANDOM.normal(size=40)
    table = write_table(tmp_path / 'p.csv', 'id,target,prediction', range(40), targets, targets + 0.5)
    saved, _ = imported(program, table)
    assert saved.kind == 'regression'
    assert evaluated(program, saved.folder)['mae'] == pytest.approx(0.5, rel=1e-5)


def test_names_of_columns_and_order_of_classes_are_given(program, tmp_path: Path):
    table = write_table(tmp_path / 'p.csv', 'a,b,c', range(40), names(PREDICTED), names(LABELS))
    (tmp_path / 'names.txt').write_text('owl\ndog\ncat\nyak\n')
    columns = ['--column=label=c', '--column=prediction=b', '--column=id=a']
    saved, _ = imported(program, table, *columns, f'--classes={tmp_path / "names.txt"}')
    assert saved.class_names == ('owl', 'dog', 'cat', 'yak')
    assert saved.arrays['labels'].tolist() == (2 - LABELS).tolist()


@pytest.mark.parametrize('dtype', [np.float32, np.float64, np.float16])
@pytest.mark.parametrize('integers', [np.int64, np.int32, np.uint8])
def test_arrays_of_trainers(program, tmp_path: Path, dtype: Any, integers: Any):
    file = tmp_path / 'eval.npz'
    np.savez(file, predictions=LOGITS.astype(dtype), label_ids=LABELS.astype(integers))
    saved, _ = imported(program, file)
    assert saved.kind == 'classification'
    assert saved.arrays['labels'].tolist() == LABELS.tolist()
    found = evaluated(program, saved.folder)
    assert found['accuracy'] == pytest.approx((PREDICTED == LABELS).mean(), abs=1e-9)


def test_arrays_of_hard_labels_and_one_hot_labels(program, tmp_path: Path):
    np.save(tmp_path / 'y_pred.npy', PREDICTED)
    np.save(tmp_path / 'y_true.npy', np.eye(3)[LABELS].astype(np.int64))
    saved, _ = imported(program, tmp_path / 'y_pred.npy', tmp_path / 'y_true.npy')
    assert evaluated(program, saved.folder)['accuracy'] == pytest.approx((PREDICTED == LABELS).mean())


def test_arrays_of_numbers_and_of_masks(program, tmp_path: Path):
    np.savez(tmp_path / 'r.npz', preds=LOGITS, targets=LOGITS + 1)
    saved, _ = imported(program, tmp_path / 'r.npz')
    assert (saved.kind, saved.arrays['values'].shape) == ('regression', (40, 3))
    masks = RANDOM.integers(3, size=(4, 6, 5))
    np.savez(tmp_path / 's.npz', pred=masks, gt=masks, names=np.array(['a', 'b', 'c', 'd']))
    saved, _ = imported(program, tmp_path / 's.npz')
    assert (saved.kind, saved.ids) == ('segmentation', ('a', 'b', 'c', 'd'))


def test_arrays_of_several_labels_of_pixels_and_embeddings(program, tmp_path: Path):
    targets = RANDOM.integers(0, 2, size=(40, 3)).astype(float)
    targets[0] = (1, 1, np.nan)
    np.savez(tmp_path / 'm.npz', logits=LOGITS, targets=targets)
    saved, _ = imported(program, tmp_path / 'm.npz')
    assert (saved.kind, saved.arrays['targets'][0].tolist()) == ('multilabel', [1, 1, -1])
    assert 'mean_ap' in evaluated(program, saved.folder)
    np.savez(tmp_path / 'e.npz', features=LOGITS, labels=LABELS)
    saved, _ = imported(program, tmp_path / 'e.npz')
    assert (saved.kind, saved.arrays['labels'].tolist()) == ('embeddings', LABELS.tolist())
    depth = RANDOM.uniform(1, 2, size=(4, 6, 5))
    np.savez(tmp_path / 'd.npz', predictions=depth, gt=depth)
    saved, _ = imported(program, tmp_path / 'd.npz')
    assert (saved.kind, saved.arrays['targets'].shape) == ('dense', (4, 6, 5, 1))


@pytest.mark.parametrize(
    ('kind', 'message'), [('dense', 'Give .n, h, w.'), ('multilabel', 'Give scores and labels')]
)
def test_arrays_of_other_shapes(program, tmp_path: Path, kind: str, message: str):
    np.savez(tmp_path / 'x.npz', predictions=LOGITS, labels=LABELS)
    code, _, err = program(
        'import_outputs', str(tmp_path / 'x.npz'), f'--kind={kind}', f'--output={tmp_path / "it"}'
    )
    assert code == 2
    assert re.search(message, err)


def write_yolo(folder: Path) -> list[object]:
    """Two pictures of 100 x 50 pixels, one of them stored sideways, and one without boxes."""
    (folder / 'images').mkdir()
    Image.new('RGB', (100, 50)).save(folder / 'images/a.jpg')
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (50, 100)).save(folder / 'images/b.jpg', exif=exif)
    Image.new('RGB', (100, 50)).save(folder / 'images/c.png')
    for name, confidence in (('true', ''), ('predicted', ' 0.75')):
        (folder / name).mkdir()
        for picture in 'ab':
            (folder / name / f'{picture}.txt').write_text(f'1 0.5 0.5 0.2 0.4{confidence}\n')
    (folder / 'data.yaml').write_text('path: x\nnames:\n  0: cat\n  1: dog\n')
    return [
        folder / 'predicted',
        f'--annotations={folder / "true"}',
        f'--images={folder / "images"}',
        f'--classes={folder / "data.yaml"}',
    ]


def test_boxes_of_yolo(program, tmp_path: Path):
    saved, said = imported(program, *write_yolo(tmp_path))
    assert saved.ids == ('a', 'b', 'c')
    assert saved.class_names == ('cat', 'dog')
    np.testing.assert_allclose(saved.arrays['boxes'], [[40, 15, 60, 35]] * 2)
    assert saved.arrays['example'].tolist() == [0, 1]
    assert '2 predicted boxes' in said
    assert evaluated(program, saved.folder)['ap50'] == 1


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        (
            '1 0.5 0.5 0.2 0.4',
            'a.txt:1 has 5 numbers, not 6: class, x, y, width, height, confidence. Predict with',
        ),
        ('1 0.5 0.5 0.2 0.4 0.1 0.1 0.2', 'Polygons'),
        ('7 0.5 0.5 0.2 0.4 0.9', 'there is no class 7; --classes names 2'),
        ('1 50 25 20 20 0.9', 'not shares of the picture'),
        ('x 0.5 0.5 0.2 0.4 0.9', 'a.txt:1: could not convert'),
        ('1 0.5 nan 0.2 0.4 0.9', 'finite'),
    ],
)
def test_mistakes_in_yolo(program, tmp_path: Path, line: str, message: str):
    arguments = write_yolo(tmp_path)
    (tmp_path / 'predicted/a.txt').write_text(line)
    code, out, err = program('import_outputs', *map(str, arguments), f'--output={tmp_path / "o"}')
    assert (code, out) == (2, '')
    assert message in err


@pytest.mark.parametrize(
    ('text', 'arguments', 'message'),
    [
        ('id,label\na,cat\n', [], 'neither predictions nor scores'),
        ('id,prediction\na,cat\nb,dog\n', ['--column=prediction=predicton'], "Did you mean 'prediction'?"),
        (
            'id,label,prob_cat,prob_dog\na,cow,0.5,0.5\n',
            [],
            "p.csv:2: 'cow' in the column 'label' is not a class",
        ),
        ('id,label,prob_cat,prob_dog\na,cat,0.5,x\n', [], "p.csv:2: 'x' in the column 'prob_dog'"),
        ('id,target,prediction\na,0.5,1.5\nb,0.5,"1,5"\n', ['--kind=regression'], 'a point before'),
        ('id,label,score\na,no,0.5\nb,yes,1.5\n', [], 'p.csv:3: 1.5 is not a probability'),
        ('id,label,prediction\na,cat,cat\na,dog,dog\n', [], "'a'"),
        ('id,label,prediction\na,cat,cat\n', [], 'has 1 classes: cat'),
        ('id,label,prediction\na,cat,dog\n', ['--kind=words'], 'invalid choice'),
        ('id,label,prediction\na,cat,dog\n', ['--kind=segmentation'], 'of another kind: classification'),
        ('id,label,prediction\na,cat,dog\n', ['--column=truth=label'], "there is no role 'truth'"),
    ],
)
def test_mistakes_in_tables(program, tmp_path: Path, text: str, arguments: list[str], message: str):
    (tmp_path / 'p.csv').write_text(text)
    code, _, err = program(
        'import_outputs', str(tmp_path / 'p.csv'), f'--output={tmp_path / "o"}', *arguments
    )
    assert code == 2
    assert message in err
    assert 'Traceback' not in err


def test_other_mistakes(program, tmp_path: Path):
    target = f'--output={tmp_path / "o"}'
    np.savez(tmp_path / 'hf.npz', predictions=np.array([{}], object), label_ids=LABELS)
    (tmp_path / 'model.pt').write_bytes(b'x')
    for name, message in (
        ('hf.npz', 'plain NumPy arrays'),
        ('hf2.npz', f'Did you mean {tmp_path / "hf.npz"}?'),
        ('model.pt', 'unknown format'),
    ):
        code, _, err = program('import_outputs', str(tmp_path / name), target)
        assert (code, message in err) == (2, True)
    np.savez(tmp_path / 'x.npz', predictions=LOGITS[:10], labels=LABELS)
    code, _, err = program('import_outputs', str(tmp_path / 'x.npz'), target)
    assert code == 2
    np.savez(tmp_path / 'x.npz', predictions=LOGITS, labels=LABELS)
    assert program('import_outputs', str(tmp_path / 'x.npz'), target)[0] == 0
    code, _, err = program('import_outputs', str(tmp_path / 'x.npz'), target)
    assert (code, '--overwrite' in err) == (2, True)


def write_coco(folder: Path) -> list[object]:
    """Two images, categories with a gap, and a box that is found in one of them."""
    truth = {
        'images': [{'id': 30, 'file_name': 'b.jpg'}, {'id': 7, 'file_name': 'a.jpg'}],
        'categories': [{'id': 90, 'name': 'dog'}, {'id': 1, 'name': 'cat'}],
        'annotations': [
            {'id': 1, 'image_id': 7, 'category_id': 90, 'bbox': [10, 10, 20, 20], 'area': 400, 'iscrowd': 0},
            {'id': 2, 'image_id': 30, 'category_id': 90, 'bbox': [0, 0, 20, 20], 'area': 400, 'iscrowd': 0},
        ],
    }
    results = [{'image_id': 7, 'category_id': 90, 'bbox': [10, 10, 20, 20], 'score': 0.9}]
    (folder / 'truth.json').write_text(json.dumps(truth))
    (folder / 'results.json').write_text(json.dumps(results))
    return [folder / 'results.json', f'--annotations={folder / "truth.json"}']


def test_results_of_coco(program, tmp_path: Path):
    saved, _ = imported(program, *write_coco(tmp_path))
    assert (saved.ids, saved.class_names) == (('7', '30'), ('cat', 'dog'))
    assert saved.arrays['boxes'].tolist() == [[10, 10, 30, 30]]
    assert saved.arrays['target_example'].tolist() == [0, 1]
    assert evaluated(program, saved.folder)['ap50'] == pytest.approx(51 / 101, abs=1e-9)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'image_id': 8}, 'result 0, counted from 0, is of the image 8'),
        ({'category_id': 2}, 'is of the category 2'),
        ({'bbox': [1, 2, 3]}, 'not four finite numbers'),
        ({'bbox': [1, 2, 3, None]}, 'not four finite numbers'),
        ({'score': 'high'}, "has 'high' as score"),
    ],
)
def test_mistakes_in_coco(program, tmp_path: Path, change: dict[str, Any], message: str):
    arguments = write_coco(tmp_path)
    results = json.loads((tmp_path / 'results.json').read_text())
    (tmp_path / 'results.json').write_text(json.dumps([results[0] | change]))
    code, _, err = program('import_outputs', *map(str, arguments), f'--output={tmp_path / "o"}')
    assert (code, message in err) == (2, True)
    code, _, err = program('import_outputs', str(tmp_path / 'results.json'), f'--output={tmp_path / "o"}')
    assert (code, '--annotations=FILE' in err) == (2, True)


def test_average_precision_of_imported_results_is_that_of_pycocotools(program, tmp_path: Path):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    random = np.random.default_rng(1)
    images, categories = [9, 4, 131], [3, 90, 17]
    boxes = [[*random.uniform(0, 60, 2).round(2), *random.uniform(4, 190, 2).round(2)] for _ in range(30)]
    truth = [
        {
            'id': index + 1,
            'image_id': images[index % 3],
            'category_id': categories[index % 2],
            'bbox': box,
            'area': box[2] * box[3] * 0.7,
            'iscrowd': int(index % 7 == 0),
        }
        for index, box in enumerate(boxes)
    ]
    content = {
        'info': {},
        'images': [{'id': image, 'width': 200, 'height': 200} for image in images],
        'categories': [{'id': category, 'name': f'class {category}'} for category in categories],
        'annotations': truth,
    }
    results = [
        {
            'image_id': entry['image_id'],
            'category_id': entry['category_id'],
            'bbox': [float(value + random.normal()) for value in entry['bbox']],
            'score': float(random.integers(5) / 5),
        }
        for entry in truth * 2
    ]
    (tmp_path / 'truth.json').write_text(json.dumps(content))
    (tmp_path / 'results.json').write_text(json.dumps(results))
    saved, _ = imported(program, tmp_path / 'results.json', f'--annotations={tmp_path / "truth.json"}')
    assert list(saved.manifest.category_ids) == [3, 17, 90]
    found = evaluated(program, saved.folder)
    known: Any = COCO(tmp_path / 'truth.json')
    expected = COCOeval(known, known.loadRes(results), 'bbox')
    for step in (expected.evaluate, expected.accumulate, expected.summarize):
        step()
    names = ['ap', 'ap50', 'ap75', 'ap_small', 'ap_medium', 'ap_large', 'ar_1', 'ar_10', 'ar_100']
    for name, value in zip(names, expected.stats, strict=False):
        assert found[name] == pytest.approx(value, abs=1e-9), name


def test_a_mistake_in_annotations_is_one_message(program, tmp_path: Path):
    arguments = write_coco(tmp_path)
    truth = json.loads((tmp_path / 'truth.json').read_text())
    truth['annotations'][1]['image_id'] = 8
    (tmp_path / 'truth.json').write_text(json.dumps(truth))
    code, _, err = program('import_outputs', *map(str, arguments), f'--output={tmp_path / "o"}')
    assert (code, 'image_id 8 of annotation 1, counted from 0, is not listed' in err) == (2, True)
