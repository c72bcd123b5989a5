"""Predictions of other data than those of the run: images in any folder, labelled or not."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine import outputs
from engine.datasets.load import load
from engine.outputs.outputs import Outputs
from engine.runs.safety import trust
from tests.conftest import Program
from tests.engine import photos

FEW_RESAMPLES = '--gin_bindings=engine.evaluation.evaluator.Evaluator.resamples = 100'


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trained run of 8 x 8 grey digits, in a workspace without its data."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    folder = tmp_path / 'run'
    shutil.copytree(trained, folder)
    trust.vouch_for(folder / 'config.gin')
    return folder


def saved(out: str) -> Outputs:
    """Returns the outputs that a program named last."""
    return outputs.read(Path(out.splitlines()[-1].removeprefix('outputs: ')))


def photographs(folder: Path, count: int) -> Path:
    """Writes photographs of varying size and format."""
    (folder / 'trip').mkdir(parents=True)
    for index in range(count):
        image = Image.fromarray(photos.picture(index, 30 + 9 * index, 80 - 3 * index))
        mode, name = (('RGB', '{}.JPG'), ('L', 'trip/{}.png'), ('RGBA', '{}.webp'))[index % 3]
        image.convert(mode).save(folder / name.format(index))
    (folder / 'x.heic').touch()
    (folder / 'damaged.jpg').write_bytes((folder / '0.JPG').read_bytes()[:300])
    return folder


def digits(folder: Path, names: Any = str) -> Path:
    """Writes the test examples of digits/toy as `test/<class>/<id>.png`, the classes renamed."""
    data = load('digits/toy')
    examples = data.split('test')
    for index, identity in enumerate(examples.ids):
        label = data.spec.class_names['label'][examples.arrays['label'][index]]
        place = folder / 'test' / names(label)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(examples.arrays['image'][index, ..., 0]).save(place / f'{identity}.png')
    return folder


def test_photographs_give_a_table_and_a_page(run: Path, tmp_path: Path, program: Program) -> None:
    folder = photographs(tmp_path / 'photos', 9)
    before = [(entry, entry.stat().st_mtime_ns) for entry in sorted(folder.rglob('*'))]
    code, out, err = program('predict', str(run), f'--dataset=images:{folder}')
    assert code == 0, err
    assert 'left out, .heic cannot be read, convert it to JPEG or PNG: 1 (x.heic)' in err + out
    assert "left out, example 'damaged.jpg'" in err + out
    assert [(entry, entry.stat().st_mtime_ns) for entry in sorted(folder.rglob('*'))] == before
    result = saved(out)
    assert result.folder.parent == run / 'outputs'
    assert result.folder.name.startswith('images-photos-')
    assert result.arrays.keys() == {'logits', 'inputs'}
    manifest = result.manifest
    assert (manifest.dataset, manifest.split, manifest.checkpoint) == (f'images:{folder}', 'images', 'best')
    assert manifest.details['resize'] == 'crop'
    assert len(manifest.dataset_fingerprint) == len(manifest.details['checkpoint_sha256']) == 64
    assert {'predictions.csv', 'predictions.html'} <= manifest.files.keys()
    rows = list(csv.DictReader((result.folder / 'predictions.csv').read_text().splitlines()))
    assert [row['id'] for row in rows] == list(result.ids)
    page = (result.folder / 'predictions.html').read_text()
    assert page.count('<figure') == 9
    assert all(identity in page for identity in result.ids)
    assert not (tmp_path / 'workspace/data/digits').exists()  # the training data were not needed
    code, out, err = program('evaluate', str(result.folder))
    assert code == 2
    assert 'has no labels' in err
    assert f'To look at the predictions, open {result.folder}/predictions.html.' in err
    labelled = str(run / 'outputs/test')  # of several outputs, those with labels are evaluated
    code, out, err = program('evaluate', str(result.folder), labelled, FEW_RESAMPLES, '--overwrite')
    assert (code, f'{result.folder} is left out: it has no labels' in out) == (0, True), err


def test_images_are_predicted_as_the_same_arrays_are(run: Path, tmp_path: Path, program: Program) -> None:
    """Classes are matched by name, though only some exist, and their order is another."""
    own = outputs.read(run / 'outputs/test')
    folder = digits(tmp_path / 'numerals')
    for label in ('0', '4', '8'):
        shutil.rmtree(folder / 'test' / label, ignore_errors=True)
    code, out, err = program('predict', str(run), f'--dataset=images:{folder}')
    assert code == 0, err
    other = saved(out)
    assert 5 < len(other.ids) < len(own.ids)
    for row, identity in enumerate(other.ids):
        same = own.ids.index(Path(identity).stem)
        np.testing.assert_allclose(other.arrays['logits'][row], own.arrays['logits'][same], atol=1e-5)
        assert other.arrays['labels'][row] == own.arrays['labels'][same]
    assert other.class_names == own.class_names


def test_labels_of_other_classes_are_left_out(run: Path, tmp_path: Path, program: Program) -> None:
    folder = digits(tmp_path / 'numerals', names=lambda name: f'digit {name}' if name > '6' else name)
    code, out, err = program('predict', str(run), f'--dataset=images:{folder}')
    assert code == 0, err
    assert "no labels: its field 'label' has the classes 'digit 7', 'digit 8', 'digit 9', which" in out + err
    assert 'labels' not in saved(out).arrays


def test_a_flat_folder_of_classes_is_labelled(run: Path, tmp_path: Path, program: Program) -> None:
    folder = digits(tmp_path / 'numerals') / 'test'
    code, out, err = program('predict', str(run), f'--dataset=images:{folder}', '--resize=stretch')
    assert code == 0, err
    assert np.array_equal(saved(out).arrays['labels'], [int(identity[0]) for identity in saved(out).ids])


def test_nothing_is_overwritten(run: Path, tmp_path: Path, program: Program) -> None:
    name = f'images:{photographs(tmp_path / "photos", 3)}'
    places = [{folder.name for folder in (run / 'outputs').iterdir()}]
    for flags in ([], ['--checkpoint=latest'], ['--split=images', '--checkpoint=14', '--overwrite']):
        code, out, err = program('predict', str(run), f'--dataset={name}', *flags)
        assert code == 0, err
        places.append({folder.name for folder in (run / 'outputs').iterdir()})
        assert json.loads((saved(out).folder / 'manifest.json').read_text())['step'] == 14
    (first,), (second,) = places[1] - places[0], places[2] - places[1]
    assert (second, places[3]) == (f'{first}@14', places[2])  # the best checkpoint is the latest one here
    for flags in ([], ['--checkpoint=latest']):
        code, out, err = program('predict', str(run), f'--dataset={name}', *flags)
        assert (code, 'exists already. Pass --overwrite' in err) == (2, True)
        assert 'predicting' not in out + err  # it is refused before anything is computed


def test_the_outputs_are_verified(run: Path, tmp_path: Path, program: Program) -> None:
    name = f'images:{photographs(tmp_path / "photos", 3)}'
    assert program('predict', str(run), f'--dataset={name}', '--resize=stretch')[0] == 0
    code, out, err = program('verify', str(run), '--steps=1', '--outputs')
    assert code == 0, out + err
    assert 'images-photos-' in out.splitlines()[-1]


@pytest.mark.parametrize(
    ('name', 'flags', 'message'),
    [
        ('images:{folder}/gone', [], 'There is no folder'),
        (
            'images:{folder}',
            ['--resize=no'],
            r'vary in size, and this run predicts from images of 8 x 8 pixels',
        ),
        ('images:{folder}', ['--split=test'], "has no split 'test'. There are: images"),
        (
            'stdlib/toy',
            [],
            "predicts from the field 'image' of digits/toy, uint8 [8, 8, 1], but stdlib/toy has no field "
            "'image'; it has text",
        ),
        ('shapes/toy', [], "but its field 'image' is uint8 ["),
    ],
)
def test_mistakes(
    name: str, flags: list[str], message: str, run: Path, tmp_path: Path, program: Program
) -> None:
    folder = photographs(tmp_path / 'photos', 3)
    code, _, err = program('predict', str(run), f'--dataset={name.format(folder=folder)}', *flags)
    assert code == 2
    assert message in err
    assert 'Traceback' not in err


def test_without_its_record_a_run_reads_its_dataset(run: Path, tmp_path: Path, program: Program) -> None:
    (run / 'dataset.json').unlink()
    name = f'images:{photographs(tmp_path / "photos", 3)}'
    code, out, err = program('predict', str(run), f'--dataset={name}')
    assert code == 0, err
    assert 'dataset.json is missing or damaged. The dataset itself is read instead.' in out + err
