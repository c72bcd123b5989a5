"""Truth that comes later: the same numbers as though the outputs had held it, or one clear message."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.labels import external_labels
from engine.outputs import subset
from tests.engine.kinds.detection.test_evaluate import scenes

IDS = ('007', 'b', 'c,d', 'é')
CLASSES = ('cat', 'dog', 'owl')
RANDOM = np.random.default_rng(0)
MASKS = RANDOM.integers(0, 3, (4, 5, 6)).astype(np.uint8)
TRUE_MASKS = RANDOM.integers(0, 3, (4, 5, 6)).astype(np.uint8)
PREDICTED: dict[str, dict[str, np.ndarray]] = {
    'classification': {'logits': RANDOM.normal(size=(4, 3)).astype(np.float32)},
    'regression': {'values': RANDOM.normal(size=(4, 2)).astype(np.float32)},
    'segmentation': {'masks': MASKS},
    'image': {'images': MASKS[..., np.newaxis]},
    'dense': {'values': RANDOM.normal(size=(4, 5, 6, 1)).astype(np.float32)},
    'embeddings': {'embeddings': RANDOM.normal(size=(4, 3)).astype(np.float32)},
    'multilabel': {'logits': RANDOM.normal(size=(4, 3)).astype(np.float32)},
    'language': {'log_probs': -np.ones(4, np.float32), 'lengths': np.ones(4, np.int32)},
    'detection': {
        name: each
        for name, each in scenes(0, n=4).items()
        if name in ('boxes', 'scores', 'classes', 'example')
    },
}
TRUE: dict[str, dict[str, np.ndarray]] = {
    'classification': {'labels': np.array([2, 0, 1, 1], np.int32)},
    'regression': {'targets': RANDOM.normal(size=(4, 2)).astype(np.float32)},
    'segmentation': {'targets': TRUE_MASKS},
    'dense': {'targets': TRUE_MASKS[..., np.newaxis].astype(np.float32)},
    'embeddings': {'labels': np.array([2, 0, 1, 1], np.int32)},
    'multilabel': {'targets': np.array([[1, 0, -1], [0, 0, 0], [1, 1, 1], [-1, 1, 0]], np.int8)},
    'image': {'targets': TRUE_MASKS[..., np.newaxis]},
    'detection': {name: each for name, each in scenes(0, n=4).items() if name.startswith('target')},
}
LABELS = 'id,path,label\nb,x,cat\n"c,d",x,dog\né,x,dog\n007,x,owl\n'


def save(folder: Path, kind: str, **more: Any) -> outputs.Outputs:
    arrays = PREDICTED[kind] | more.pop('truth', {})
    names = () if kind in ('dense', 'regression', 'image', 'language') else CLASSES
    outputs.write(
        folder,
        outputs.Manifest(kind, **{'class_names': names, **more}),
        arrays,
        IDS,
        dict.fromkeys(arrays, 'of the test'),
    )
    return outputs.read(folder)


def written(folder: Path, text: str, name: str = 'list.csv') -> Path:
    (folder / name).write_text(text, encoding='utf-8')
    return folder / name


def pictures(folder: Path, column: str) -> str:
    """Writes masks as pictures and returns their list: some by absolute paths, some relative to the list."""
    for index, mask in enumerate(TRUE_MASKS):
        Image.fromarray(mask).save(folder / f'{index}.png')
    lines = [f'"{IDS[i]}",{folder / f"{i}.png" if i % 2 else f"{i}.png"}\n' for i in (3, 1, 0, 2)]
    return f'id,{column}\n' + ''.join(lines)


def list_of(kind: str, folder: Path) -> Path:
    if kind in ('classification', 'embeddings'):
        return written(folder, LABELS)
    if kind == 'regression':
        rows = zip(IDS, TRUE[kind]['targets'].tolist(), strict=True)
        lines = [f'{second!r},"{each}",{first!r}\n' for each, (first, second) in rows]
        return written(folder, 'target_1,id,target_0\n' + ''.join(lines[::-1]))
    if kind == 'multilabel':
        rows = zip(IDS, TRUE[kind]['targets'].tolist(), strict=True)
        lines = [f'{owl},"{each}",{"" if cat < 0 else cat},x,{dog}\n' for each, (cat, dog, owl) in rows]
        return written(folder, 'owl,id,cat,path,dog\n' + ''.join(lines[::-1]))
    return written(folder, pictures(folder, 'mask' if kind == 'segmentation' else 'target'))


def annotations(**more: Any) -> dict[str, Any]:
    """Returns COCO's annotations of the detection's truth, images and categories in another order."""
    true = TRUE['detection']
    boxes = true['target_boxes'].astype(float)
    return {
        'images': [{'id': 50 + row, 'file_name': f'{IDS[row]}.jpg'} for row in (2, 0, 3, 1)],
        'categories': [{'id': 90 - index, 'name': name} for index, name in enumerate(CLASSES)],
        'annotations': [
            {
                'image_id': 50 + int(true['target_example'][row]),
                'category_id': 90 - int(true['target_classes'][row]),
                'bbox': [*boxes[row, :2], *(boxes[row, 2:] - boxes[row, :2])],
            }
            for row in range(len(boxes))[::-1]
        ],
        **more,
    }


@pytest.mark.parametrize(
    'kind', ['classification', 'regression', 'segmentation', 'image', 'multilabel', 'embeddings']
)
def test_a_list_is_as_good_as_truth_in_the_outputs(kind: str, tmp_path: Path):
    whole = save(tmp_path / 'whole', kind, truth=TRUE[kind])
    made = external_labels.add(save(tmp_path / 'bare', kind), list_of(kind, tmp_path))
    assert list(made.arrays) == list(whole.arrays)
    for name, array in whole.arrays.items():
        np.testing.assert_array_equal(made.arrays[name], array)
        assert made.arrays[name].dtype == array.dtype


@pytest.mark.parametrize('kind', TRUE)
@pytest.mark.parametrize('how', ['npz', 'folder'])
def test_arrays_in_another_order(kind: str, how: str, tmp_path: Path):
    whole = save(tmp_path / 'whole', kind, truth=TRUE[kind])
    order = np.array([2, 3, 1, 0])
    turned = subset.take(whole, order)
    true = {name: turned.arrays[name] for name in TRUE[kind]}
    if how == 'npz':
        path = tmp_path / 'true.npz'
        wide = {
            name: each.astype(np.int64) if each.dtype.kind == 'i' else each for name, each in true.items()
        }
        np.savez_compressed(path, allow_pickle=False, ids=np.array(turned.ids), **wide)
    else:
        path = tmp_path / 'other'
        outputs.write(
            path,
            outputs.Manifest(kind, class_names=turned.class_names),
            dict(turned.arrays),
            turned.ids,
            dict.fromkeys(turned.arrays, 'of the test'),
        )
    made = external_labels.add(save(tmp_path / 'bare', kind), path)
    assert scores(made) == pytest.approx(scores(whole), nan_ok=True)
    assert (external_labels.add(whole, path).external_labels or {})['differing'] == 0


def scores(found: outputs.Outputs) -> dict[str, float]:
    return {name: each.value for name, each in Evaluator(resamples=100).report_on(found).metrics.items()}


@pytest.mark.parametrize('name', ['{}.jpg', 'deep/{}.png', 'id'])
def test_annotations_of_coco(name: str, tmp_path: Path):
    whole = save(tmp_path / 'whole', 'detection', truth=TRUE['detection'])
    known = annotations()
    for image in known['images']:
        example = IDS[image['id'] - 50]
        image.update({'id': example} if name == 'id' else {'file_name': name.format(example)})
    if name == 'id':
        for annotation in known['annotations']:
            annotation['image_id'] = IDS[annotation['image_id'] - 50]
    path = written(tmp_path, json.dumps(known), 'true.json')
    made = external_labels.add(save(tmp_path / 'bare', 'detection'), path)
    assert scores(made) == pytest.approx(scores(whole), nan_ok=True)


def test_labels_may_be_indices_where_no_class_is_called_so(tmp_path: Path):
    result = save(tmp_path / 'it', 'classification')
    path = written(tmp_path, 'id,label\nb,0\n"c,d",1\né,1\n007,2\n')
    assert external_labels.add(result, path).arrays['labels'].tolist() == [2, 0, 1, 1]
    nameless = save(tmp_path / 'nameless', 'classification', class_names=())
    assert external_labels.add(nameless, path).arrays['labels'].tolist() == [2, 0, 1, 1]
    numerals = save(tmp_path / 'numerals', 'classification', class_names=('2', '0', '1'))
    assert external_labels.add(numerals, path).arrays['labels'].tolist() == [0, 1, 2, 2]
    shifted = save(tmp_path / 'shifted', 'classification', class_names=('1', '2', '3'))
    with pytest.raises(UserError, match="'0', the label of 'b', is not a class"):
        external_labels.add(shifted, path)


def test_given_truth_wins_and_is_recorded(tmp_path: Path, program):
    folder = tmp_path / 'it'
    save(folder, 'classification', truth={'labels': np.array([2, 1, 1, 0], np.int32)})
    path = written(tmp_path, LABELS)
    code, out, err = program('evaluate', str(folder), f'--labels={path}')
    assert (code, err) == (0, '')
    assert out.splitlines()[-3] == (
        f'labels: {path}, 4 examples; the labels in {folder} itself differ for 2 of them and were not used'
    )
    known = json.loads((folder / 'evaluation/metrics.json').read_text())['external_labels']
    assert known['file'] == str(path)
    assert known['sha256'] == outputs.fingerprint(path).sha256
    assert (known['examples'], known['differing']) == (4, 2)
    right = PREDICTED['classification']['logits'].argmax(1) == [2, 0, 1, 1]
    assert scores(external_labels.add(outputs.read(folder), path))['accuracy'] == right.mean()


def test_without_a_file_nothing_is_recorded(tmp_path: Path):
    result = save(tmp_path / 'it', 'classification', truth=TRUE['classification'])
    assert Evaluator(resamples=100).report_on(result).as_json()['external_labels'] is None
    assert external_labels.note(result) == ''
    manifest = json.loads((tmp_path / 'it/manifest.json').read_text())
    manifest |= {'labels': 'of somebody else', 'external_labels': {'file': 'of somebody else'}}
    (tmp_path / 'it/manifest.json').write_text(json.dumps(manifest))
    assert Evaluator(resamples=100).report(tmp_path / 'it').as_json()['external_labels'] is None


def test_differing_boxes_are_counted_by_image(tmp_path: Path):
    result = save(tmp_path / 'it', 'detection', truth=TRUE['detection'])
    path = written(tmp_path, json.dumps(annotations(annotations=annotations()['annotations'][1:])), 'x.json')
    assert (external_labels.add(result, path).external_labels or {})['differing'] == 1


def test_methods_are_compared_by_labels_that_came_later(tmp_path: Path, program):
    for name in ('one', 'two'):
        save(tmp_path / 'all' / name, 'classification')
    labels = written(tmp_path, LABELS)
    code, out, err = program('compare', str(tmp_path / 'all'), f'--labels={labels}', '--resamples=100')
    assert code == 0
    right = PREDICTED['classification']['logits'].argmax(1) == TRUE['classification']['labels']
    assert out.count(f'{100 * right.mean():.2f} (') == 2
    assert err.splitlines() == [f'labels: {labels}, 4 examples']
    assert program('compare', str(tmp_path / 'all'), '--resamples=100')[0] == 2


def separated_by(delimiter: str) -> str:
    return LABELS.replace('"c,d"', 'c|d').replace(',', delimiter).replace('c|d', 'c,d')


SAME = {  # the list above, as other programs write it
    'byte order mark': LABELS.encode('utf-8-sig'),
    'semicolons, CRLF': separated_by(';').replace('\n', '\r\n').encode(),
    'tabs, UTF-16': separated_by('\t').encode('utf-16'),
    'spaces': LABELS.replace(',', ' , ').replace('"c , d" ', '"c,d"').encode(),
    'sep': b'sep=,\n' + LABELS.encode(),
}  # fmt: skip


@pytest.mark.parametrize('content', SAME.values(), ids=SAME)
def test_lists_of_any_dialect_say_the_same(content: bytes, tmp_path: Path):
    (tmp_path / 'list.tsv').write_bytes(content)
    result = external_labels.add(save(tmp_path / 'it', 'classification'), tmp_path / 'list.tsv')
    np.testing.assert_array_equal(result.arrays['labels'], TRUE['classification']['labels'])


@pytest.mark.parametrize('cell', ['1_000', '\uff11', 'inf', '0x10', '1,5', '--1', '1e'])
def test_a_target_is_a_plain_number(cell: str, tmp_path: Path):
    result = save(tmp_path / 'it', 'regression')
    path = written(tmp_path, f'id,target_0,target_1\nb,1,2\n007,-.5e1,"{cell}"\n')
    with pytest.raises(UserError, match=r"list.csv:3: '.*', a target of '007', is not a finite number"):
        external_labels.add(result, path)


MISTAKES = {
    'doubled': (LABELS + 'b,x,cat\n', "example 'b' occurs more than once"),
    'missing': (LABELS.replace('b,x', 'bb,x'), "lacks example 'b' of .*is 'bb'"),
    'unknown': (LABELS + 'z,x,cat\ny,x,cat\n', "has example 'z' and 1 more that .* lacks"),
    'another split': ('id,label\n1,cat\n', 'has none of the 4 examples'),
    'class': (
        LABELS.replace('owl', 'owls'),
        "list.csv:5: 'owls', the label of '007', is not a class.*Did you mean 'owl'",
    ),
    'empty label': (LABELS.replace('owl', ''), "list.csv:5: the cell 'label' is empty"),
    'no label': ('id,lable\nb,cat\n', "list.csv:1: there is no column 'label'. The line reads 'id, lable'"),
    'no id': ('name,label\nb,cat\n', "no column 'id'"),
    'ragged': (LABELS + 'b\n', "list.csv:6: the row 'b' has 1 cell, but there are 3"),
    'same columns': ('id,label,label\nb,cat,cat\n', 'two columns have the same name'),
    'empty': ('', 'is empty'),
    'head only': ('id,label\n', 'lists no examples'),
}


@pytest.mark.parametrize('text, message', MISTAKES.values(), ids=MISTAKES)
def test_mistakes_in_lists(text: str, message: str, tmp_path: Path):
    result = save(tmp_path / 'it', 'classification')
    with pytest.raises(UserError, match=message):
        external_labels.add(result, written(tmp_path, text))


def test_instances_without_names_are_numbers(tmp_path: Path):
    result = save(tmp_path / 'it', 'embeddings', class_names=())
    made = external_labels.add(result, written(tmp_path, 'id,label\n007,9\nb,9\n"c,d",70000\né,0\n'))
    assert made.arrays['labels'].tolist() == [9, 9, 70000, 0]
    with pytest.raises(UserError, match=r"list\.csv:2: 'cat' is not a label"):
        external_labels.add(result, written(tmp_path, LABELS.replace('b,x', '007,x')))


def test_names_of_classes_in_one_cell(tmp_path: Path):
    result = save(tmp_path / 'it', 'multilabel')
    text = 'id\tlabels\n007\tcat; dog\nb\t\n"c,d"\towl\né\tdog;owl\n'
    made = external_labels.add(result, written(tmp_path, text, 'list.tsv'))
    assert made.arrays['targets'].tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1], [0, 1, 1]]


def test_among_indices_the_one_that_is_none_is_blamed(tmp_path: Path):
    result = save(tmp_path / 'it', 'classification')
    cells = [f'"{name}",{"x" if place == 2 else 1}' for place, name in enumerate(result.ids)]
    text = '\n'.join(['id,label', *cells])
    with pytest.raises(UserError, match=f"'x', the label of '{result.ids[2]}', is not a class of [^(]*$"):
        external_labels.add(result, written(tmp_path, text))


@pytest.mark.parametrize(
    ('kind', 'text', 'message'),
    [
        ('regression', 'id,target\nb,1\n', "no column 'target_0'. The line reads 'id, target'"),
        ('regression', 'id,target_0,target_1\nb,1,x\n', "'x', a target of 'b', is not a finite number"),
        ('regression', 'id,target_0,target_1\nb,1,nan\n', 'not a finite number'),
        ('regression', 'id,target_0,target_1,target_2\nb,1,2,3\n', 'has a column target_2'),
        ('segmentation', 'id,mask\nb,gone.png\n', "gone.png, of example 'b', cannot be read"),
        ('segmentation', 'id,mask\nb,list.csv\n', "list.csv, of example 'b', is not a PNG file"),
        ('multilabel', 'id,cat,dog\nb,1,0\n', "no column 'owl'"),
        ('multilabel', 'id,cat,dog,owl\nb,1,2,0\n', ":2: '2' in the column 'dog' is not 1"),
        ('multilabel', 'id,labels\nb,cat; dg\n', ":2: 'dg' is not a class. Did you mean 'dog'"),
        ('detection', 'id,label\nb,1\n', 'do not fit into a list'),
        ('language', 'id,label\nb,1\n', 'have no label for each'),
    ],
)
def test_mistakes_in_lists_of_other_kinds(kind: str, text: str, message: str, tmp_path: Path):
    result = save(tmp_path / 'it', kind)
    with pytest.raises(UserError, match=message):
        external_labels.add(result, written(tmp_path, text))


def test_masks_of_another_size_or_class(tmp_path: Path):
    result = save(tmp_path / 'it', 'segmentation')
    path = written(tmp_path, pictures(tmp_path, 'label'))
    Image.fromarray(np.full((5, 6), 254, np.uint8)).save(tmp_path / '1.png')
    with pytest.raises(UserError, match=r'targets.npy holds 254, but only 0 to 2'):
        external_labels.add(result, path)
    Image.fromarray(np.zeros((6, 5), np.uint8)).save(tmp_path / '1.png')
    with pytest.raises(UserError, match=r"1.png, of example 'b', holds uint8 \[6, 5\], but uint8 \[5, 6\]"):
        external_labels.add(result, path)


@pytest.mark.parametrize(
    ('arrays', 'message'),
    [
        ({'labels': np.zeros(4, int)}, "no array 'ids'"),
        ({'ids': np.array(IDS)}, "no array 'labels'"),
        ({'ids': np.arange(4), 'labels': np.zeros(4, int)}, r'but text \[n\] is needed'),
        ({'ids': np.array(IDS), 'labels': np.zeros(3, int)}, 'shape .3. for 4 ids'),
        (
            {'ids': np.array(IDS), 'labels': np.full(4, 2.5)},
            'int32 is needed, and .* is not such a number',
        ),
        (
            {'ids': np.array(IDS), 'labels': np.full(4, 2**32)},
            'int32 is needed, and .* is not such a number',
        ),
        ({'ids': np.array(IDS), 'labels': np.full(4, 3)}, 'labels.npy holds 3, but only 0 to 2'),
        ({'ids': np.array(IDS), 'labels': np.array(['cat'] * 4)}, 'but int32 is needed'),
        ({'ids': np.array(IDS, object), 'labels': np.zeros(4, int)}, 'not an .npz file of plain arrays'),
    ],
)
def test_mistakes_in_arrays(arrays: dict[str, np.ndarray], message: str, tmp_path: Path):
    np.savez(tmp_path / 'true.npz', allow_pickle=True, **arrays)
    with pytest.raises(UserError, match=message):
        external_labels.add(save(tmp_path / 'it', 'classification'), tmp_path / 'true.npz')


@pytest.mark.parametrize(
    ('more', 'message'),
    [
        ({'categories': [{'id': 1, 'name': 'cats'}]}, "category 'cats' is not a class .*Did you mean 'cat'"),
        ({'images': [{'id': 50}]}, 'lacks|annotations of boxes|none of'),
        ({'annotations': [{'image_id': 50, 'category_id': 90}]}, "KeyError: 'bbox'"),
        ({'annotations': [annotations()['annotations'][0] | {'bbox': [1, 1, 1e309, 1]}]}, 'is not finite'),
        ({'images': 3}, "does not hold COCO's annotations"),
    ],
)
def test_mistakes_in_annotations(more: dict[str, Any], message: str, tmp_path: Path):
    result = save(tmp_path / 'it', 'detection')
    with pytest.raises(UserError, match=message):
        external_labels.add(result, written(tmp_path, json.dumps(annotations(**more)), 'true.json'))


def test_mistakes_about_the_file(tmp_path: Path):
    result = save(tmp_path / 'it', 'classification')
    path = written(tmp_path, LABELS)
    with pytest.raises(UserError, match=f'no such file\\. Did you mean {path}'):
        external_labels.add(result, tmp_path / 'lists.csv')
    with pytest.raises(UserError, match=r'give a .csv, .tsv, .npz or .json file'):
        external_labels.add(result, written(tmp_path, LABELS, 'list.xls'))
    with pytest.raises(UserError, match='cannot be read from JSON'):
        external_labels.add(result, written(tmp_path, '{}', 'list.json'))
    with pytest.raises(UserError, match='has no labels either'):
        external_labels.add(result, tmp_path / 'it')
    (tmp_path / 'bad.csv').write_bytes(b'id,label\n\xff,cat\n')
    with pytest.raises(UserError, match=r'bad\.csv:2: the byte 0xff is not UTF-8'):
        external_labels.add(result, tmp_path / 'bad.csv')
