"""Pictures of varying size in outputs: written, read, evaluated and compared as arrays are."""

import csv
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import structural_similarity

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.labels import external_labels
from engine.kinds.segmentation.pixels import count_pixels
from engine.outputs import subset
from engine.outputs.joint import ensemble, same_task
from engine.outputs.pictures.sequence import Pictures
from tests.conftest import Program
from tests.engine import sample_outputs

MASKS, VALUES = outputs.Manifest('segmentation'), outputs.Manifest('regression')
NAMES = {'segmentation': 'masks', 'image': 'images'}
IDS = ['a', 'photos/b c.jpg', '..', 'CON', 'ü%41', 'long' * 60, '?*|<>:"\\', '7']
SIZES = [(13, 40), (60, 11), (12, 12), (5, 300), (20, 31), (1, 1), (33, 17), (64, 64)]


def pictures(kind: str, seed: int, sizes: list = SIZES, dtype: str = 'uint8') -> list[np.ndarray]:
    """Returns random pictures; masks have the classes 0 to 2."""
    channels = () if kind == 'segmentation' else (3 if dtype == 'uint8' else 1,)
    random = np.random.default_rng(seed)
    most = 3 if kind == 'segmentation' else np.iinfo(dtype).max
    return [random.integers(most, size=(*size, *channels), dtype=np.dtype(dtype)) for size in sizes]


def save(
    folder: Path, kind: str, predicted: Any, targets: Any = None, ids: list[str] = IDS
) -> outputs.Outputs:
    arrays = {NAMES[kind]: predicted} | ({} if targets is None else {'targets': targets})
    manifest = outputs.Manifest(kind, class_names=list('xyz') if kind == 'segmentation' else [], split='test')
    outputs.write(folder, manifest, arrays, ids[: len(predicted)], dict.fromkeys(arrays, 'of the test'))
    return outputs.read(folder)


@pytest.fixture(params=NAMES)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def test_what_is_written_is_read(kind: str, tmp_path: Path) -> None:
    images, targets = pictures(kind, 0), pictures(kind, 1)
    saved = save(tmp_path / 'it', kind, images, targets)
    read: Any = saved.arrays[NAMES[kind]]
    assert read.shape == (8, None, None, *([3] if kind == 'image' else []))
    assert [picture.shape[:2] for picture in read] == SIZES
    for one, two in zip(images + targets, [*read, *saved.arrays['targets']], strict=True):
        np.testing.assert_array_equal(one, two)
    entry = json.loads((tmp_path / 'it/manifest.json').read_text())['arrays'][NAMES[kind]]
    assert entry['file'] == f'{NAMES[kind]}/'
    assert entry['shape'][:3] == [8, None, None]
    assert (tmp_path / 'it' / NAMES[kind] / 'photos%2Fb%20c.jpg.png').is_file()
    assert len(list((tmp_path / 'it' / NAMES[kind]).iterdir())) == 8


@pytest.mark.parametrize('dtype', ['int64', 'uint8', 'int32'])
def test_masks_of_other_dtypes_are_converted(dtype: str, tmp_path: Path) -> None:
    saved = save(
        tmp_path / 'it', 'segmentation', [mask.astype(dtype) for mask in pictures('segmentation', 0)]
    )
    assert saved.arrays['masks'].dtype == np.uint8


def test_images_of_16_bits_keep_them(tmp_path: Path) -> None:
    sizes = [(20, 30), (14, 12)]
    images, targets = (pictures('image', seed, sizes, 'uint16') for seed in (0, 1))
    saved = save(tmp_path / 'it', 'image', images, targets)
    np.testing.assert_array_equal(saved.arrays['images'][1], images[1])
    report = Evaluator(resamples=100).report_on(saved)
    errors = [one.astype(float) - two for one, two in zip(images, targets, strict=True)]
    psnr = [10 * np.log10(65535**2 / (each**2).mean()) for each in errors]
    assert report.metrics['psnr'].value == pytest.approx(np.mean(psnr), abs=1e-9)
    in_8_bits = [image.astype(np.uint8) for image in images]
    with pytest.raises(UserError, match='the images are uint8 and the targets uint16, whose ranges differ'):
        Evaluator(resamples=100).report_on(save(tmp_path / 'mixed', 'image', in_8_bits, targets))


def test_equal_sizes_give_the_numbers_of_arrays(kind: str, tmp_path: Path) -> None:
    images, targets = (pictures(kind, seed, [(14, 20)] * 6) for seed in (0, 1))
    arrays = save(tmp_path / 'arrays', kind, np.stack(images), np.stack(targets))
    files = save(tmp_path / 'files', kind, images, targets)
    assert isinstance(files.arrays['targets'], Pictures)
    one, two = (Evaluator(resamples=100).report_on(saved) for saved in (arrays, files))
    assert one.metrics.keys() == two.metrics.keys()
    for name, metric in one.metrics.items():
        assert two.metrics[name].value == pytest.approx(metric.value, abs=1e-12)
        assert two.metrics[name].interval == pytest.approx(metric.interval, abs=1e-12)
    for name, table in one.tables.items():
        np.testing.assert_allclose(table.to_numpy(float), two.tables[name].to_numpy(float), atol=1e-12)
    same_task.check_labels(arrays, files)
    same_task.check_labels(files, arrays)


def slow_iou(masks: list[np.ndarray], targets: list[np.ndarray]) -> float:
    scores = []
    for label in range(3):
        both = either = 0
        for mask, target in zip(masks, targets, strict=True):
            for one, two in zip(mask.ravel(), target.ravel(), strict=True):
                if two != 255:
                    both += one == label and two == label
                    either += one == label or two == label
        scores.append(both / either)
    return float(np.mean(scores))


def test_masks_against_a_slow_loop(tmp_path: Path) -> None:
    masks, targets = pictures('segmentation', 0), pictures('segmentation', 1)
    targets[1][:9] = 255  # pixels that do not count
    report = Evaluator(resamples=100).report_on(save(tmp_path / 'it', 'segmentation', masks, targets))
    assert report.metrics['mean_iou'].value == pytest.approx(slow_iou(masks, targets), abs=1e-9)
    table = report.tables['per_example']
    for row in (0, 4, 7):
        assert table.loc[IDS[row], 'mean_iou'] == pytest.approx(
            slow_iou(masks[row : row + 1], targets[row : row + 1]), abs=1e-9
        )


def test_images_against_a_slow_loop(tmp_path: Path) -> None:
    images, targets = pictures('image', 0), pictures('image', 1)
    targets[2] = images[2]  # without errors
    report = Evaluator(resamples=100).report_on(save(tmp_path / 'it', 'image', images, targets))
    pairs = [(one.astype(float), two.astype(float)) for one, two in zip(images, targets, strict=True)]
    psnr = [min(100, 10 * np.log10(255**2 / max(((a - b) ** 2).mean(), 1e-30))) for a, b in pairs]
    ssim = [
        structural_similarity(
            a, b, channel_axis=-1, data_range=255, gaussian_weights=True, use_sample_covariance=False
        )
        for a, b in pairs
        if min(a.shape[:2]) >= 11
    ]
    assert report.metrics['psnr'].value == pytest.approx(np.mean(psnr), abs=1e-9)
    assert report.metrics['ssim'].value == pytest.approx(np.mean(ssim), abs=1e-9)
    assert report.metrics['mae'].value == pytest.approx(
        np.mean([abs(a - b).mean() for a, b in pairs]), abs=1e-9
    )
    small = save(tmp_path / 'small', 'image', images[3:4], targets[3:4])
    assert 'ssim' not in Evaluator(resamples=100).report_on(small).metrics


def test_selections_follow_their_rows(kind: str, tmp_path: Path) -> None:
    images = pictures(kind, 0)
    saved = save(tmp_path / 'it', kind, images, pictures(kind, 1))
    taken = subset.take(saved, np.array([3, 3, 0]))
    for picture, row in zip(taken.arrays[NAMES[kind]], (3, 3, 0), strict=True):
        np.testing.assert_array_equal(picture, images[row])
    copy = tmp_path / 'copy'
    outputs.write(copy, saved.manifest, taken.arrays, ['x', 'y', 'z'], dict.fromkeys(taken.arrays, 'of it'))
    np.testing.assert_array_equal(outputs.read(copy).arrays[NAMES[kind]][2], images[0])


def test_pictures_are_not_in_memory_at_once(tmp_path: Path) -> None:
    count, size = 200, (300, 300)

    def load(row: int) -> np.ndarray:
        return np.full(size, row % 3, np.uint8)

    lazy = Pictures(load, np.broadcast_to(size, (count, 2)), np.uint8)
    ids = [f'example {row}' for row in range(count)]
    tracemalloc.start()
    saved = save(tmp_path / 'it', 'segmentation', lazy, lazy, ids)
    count_pixels(saved)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20  # all pictures have 18 MB
    assert count_pixels(saved).confusion.trace() == count * 300 * 300


def reseal(folder: Path) -> outputs.Outputs:
    sample_outputs.seal(folder)
    return outputs.read(folder)


def put(path: Path, picture: np.ndarray) -> None:
    Image.fromarray(picture).save(path)


def png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, 'PNG')
    return file.getvalue()


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('masks/a.png', b'', 'it has 0 bytes'),
        ('masks/a.png', None, 'masks/a.png is missing'),
        ('masks/new.png', b'x', 'masks/new.png belongs to no example'),
    ],
)
def test_a_damaged_folder_is_refused(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    save(tmp_path / 'it', 'segmentation', pictures('segmentation', 0))
    path = tmp_path / 'it' / name
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        outputs.read(tmp_path / 'it')


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('masks/a.png', b'GIF89a', 'masks/a.png is not a PNG file'),
        ('masks/a.png', png(np.zeros((13, 40, 3), np.uint8)), 'a.png has colours'),
        (
            'masks/a.png',
            png(np.zeros((13, 40), np.uint16)),
            'holds uint8, but masks/a.png uint16',
        ),
        (
            'masks/a.png',
            png(np.zeros((40, 13), np.uint8)),
            'masks of example 0, .* is 40 pixels',
        ),
        ('masks/a.png', png(np.full((13, 40), 3, np.uint8)), 'masks/ holds 3, but only 0 to 2 are valid'),
        ('targets/7.png', png(np.full((64, 64), 3, np.uint8)), 'targets/ holds 3, but only 0 to 2'),
        ('masks/a.png', png(pictures('segmentation', 5)[0])[:-60], 'a.png cannot be read'),
    ],
)
def test_a_careless_writer_is_told_the_file(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    save(tmp_path / 'it', 'segmentation', pictures('segmentation', 0), pictures('segmentation', 1))
    (tmp_path / 'it' / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        reseal(tmp_path / 'it')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'file': 'targets/'}, "'masks' has file 'targets/'"),
        ({'file': '../masks/'}, "has file '../masks/'"),
        ({'shape': [8, None]}, r'has file .* and shape \[8, None\]'),
        ({'shape': [7, None, None]}, r"'masks' has shape \[8, None, None\]"),
        ({'shape': [8, None, None, 3]}, 'has 1 channels, but 3 are stated|holds indices of a palette'),
        ({'dtype': 'uint16'}, "'masks' has dtype uint8, but manifest.json says 'uint16'"),
    ],
)
def test_a_manifest_that_is_not_true_is_refused(change: dict, message: str, tmp_path: Path) -> None:
    save(tmp_path / 'it', 'segmentation', pictures('segmentation', 0))
    manifest = json.loads((tmp_path / 'it/manifest.json').read_text())
    manifest['arrays']['masks'] |= change
    (tmp_path / 'it/manifest.json').write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=message):
        outputs.read(tmp_path / 'it')


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    save(tmp_path / 'it', 'segmentation', pictures('segmentation', 0))
    (tmp_path / 'it/masks/a.png').rename(tmp_path / 'a.png')
    (tmp_path / 'it/masks/a.png').symlink_to(tmp_path / 'a.png')
    with pytest.raises(UserError, match='png is a link'):
        outputs.read(tmp_path / 'it')


@pytest.mark.parametrize(
    ('masks', 'message'),
    [
        ([np.zeros((2, 2), np.uint8), np.zeros((2, 2, 3), np.uint8)], 'numbers of channels differ'),
        ([np.zeros((2, 2, 3), np.uint8)] * 2, 'but .n, h, w. is needed'),
        ([np.full((2, 2), 0.5)] * 2, '0.5 is not such a number'),
        ([np.zeros((0, 2), np.uint8)] * 2, 'has a picture without pixels'),
        ([np.full((2, 2), 70000)] * 2, '70000 is not such a number|holds 70000'),
        ([np.zeros((2, 2), np.uint8)] * 3, 'the number of ids is 2'),
    ],
)
def test_pictures_that_do_not_fit_are_refused(masks: list[np.ndarray], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        outputs.write(tmp_path / 'it', MASKS, {'masks': masks}, ['a', 'b'], {'masks': ''})
    assert not (tmp_path / 'it').exists()


def test_other_kinds_hold_no_pictures_of_varying_size(tmp_path: Path) -> None:
    values = [np.zeros((2, 2), np.float32), np.zeros((3, 2), np.float32)]
    with pytest.raises(UserError, match='pictures of varying size, but an array of one shape'):
        outputs.write(tmp_path / 'it', VALUES, {'values': values}, ['a', 'b'], {'values': ''})


def test_labels_of_a_list_and_of_another_folder(kind: str, tmp_path: Path) -> None:
    images, targets = pictures(kind, 0), pictures(kind, 1)
    whole = save(tmp_path / 'whole', kind, images, targets)
    bare = save(tmp_path / 'bare', kind, images)
    with (tmp_path / 'labels.csv').open('w', newline='') as file:
        rows = csv.writer(file)
        rows.writerow(['id', 'label'])
        for row in range(8)[::-1]:
            put(tmp_path / f'{row}.png', targets[row])
            rows.writerow([IDS[row], f'{row}.png'])
    expected = Evaluator(resamples=100).report_on(whole)
    for path in (tmp_path / 'labels.csv', tmp_path / 'whole'):
        labelled = external_labels.add(bare, path)
        report = Evaluator(resamples=100).report_on(labelled)
        assert {name: metric.value for name, metric in report.metrics.items()} == {
            name: metric.value for name, metric in expected.metrics.items()
        }
    other = save(tmp_path / 'other', kind, images, [*targets[:7], np.zeros_like(targets[7])])
    facts: Any = external_labels.add(other, tmp_path / 'labels.csv').external_labels
    assert facts['differing'] == 1
    put(tmp_path / '3.png', targets[4])
    with pytest.raises(UserError, match='of example 3, counted from 0, is'):
        external_labels.add(bare, tmp_path / 'labels.csv')


def test_ensembles_join_picture_by_picture(kind: str, tmp_path: Path) -> None:
    members = [save(tmp_path / str(seed), kind, pictures(kind, seed), pictures(kind, 9)) for seed in range(3)]
    joint = ensemble.ensemble(members)
    outputs.write(tmp_path / 'joint', joint.manifest, joint.arrays, joint.ids, joint.meanings)
    read = outputs.read(tmp_path / 'joint')
    for row in range(8):
        stack = np.stack([member.arrays[NAMES[kind]][row] for member in members]).astype(float)
        expected = np.median(np.sort(stack, 0), 0) if kind == 'segmentation' else np.rint(stack.mean(0))
        if kind == 'segmentation':
            counts = np.stack([(stack == label).sum(0) for label in range(3)])
            expected = counts.argmax(0)
        np.testing.assert_array_equal(read.arrays[NAMES[kind]][row], expected)


def test_metrics_of_ones_own_get_the_sequence(tmp_path: Path) -> None:
    def height(masks: Any) -> np.ndarray:
        return np.array([len(mask) for mask in masks])

    def tallest(masks: Any) -> float:
        return float(max(len(mask) for mask in masks))

    saved = save(tmp_path / 'it', 'segmentation', pictures('segmentation', 0), pictures('segmentation', 1))
    report = Evaluator(resamples=100, metrics=[height, tallest]).report_on(saved)
    assert report.metrics['height'].value == pytest.approx(np.mean([size[0] for size in SIZES]), abs=1e-12)
    assert report.metrics['tallest'].value == 64


def test_programs_take_pictures(kind: str, program: Program, tmp_path: Path) -> None:
    for seed in (0, 1):
        save(tmp_path / f'run{seed}', kind, pictures(kind, seed), pictures(kind, 9))
    assert program('check_outputs', str(tmp_path))[0] == 0
    few = '--gin_bindings=engine.evaluation.evaluator.Evaluator.resamples = 100'
    code, out, err = program('evaluate', str(tmp_path / 'run0'), few)
    assert code == 0, out + err
    page = (tmp_path / 'run0/evaluation/report.html').read_text()
    assert '8 x varying x varying' in page
    folders = [str(tmp_path / f'run{seed}') for seed in (0, 1)]
    code, out, err = program('compare', *folders, '--resamples=100', f'--output={tmp_path / "c"}')
    assert code == 0, out + err
    if kind == 'segmentation':
        assert program('export', str(tmp_path / 'run0'), '--format=coco')[0] == 0
        results = json.loads((tmp_path / 'run0/export/submission.json').read_text())
        sizes = {each['image_id']: each['segmentation']['size'] for each in results}
        assert list(sizes.values()) == [list(size) for size in SIZES]
    code, out, err = program('export', str(tmp_path / 'run0'), '--format=npz')
    assert code == 0, out + err
    with np.load(tmp_path / 'run0/export/submission.npz') as file:
        assert file[f'{NAMES[kind]}_sizes'].tolist() == [list(size) for size in SIZES]
        padded = file[NAMES[kind]]
    np.testing.assert_array_equal(padded[1, :60, :11], pictures(kind, 0)[1])
    assert not padded[1, 60:].any()
