"""Checks of a dataset: intact ones pass, and each planted fault fails its check."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.datasets.checks import check
from tests.engine.datasets.new_datasets import DatasetSandbox, new_datasets

KINDS = {'check_images': 'images', 'check_masks': 'masks', 'check_text': 'text', 'check_arrays': 'arrays'}


@pytest.fixture(scope='module')
def intact(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatasetSandbox]:
    with new_datasets(tmp_path_factory.mktemp('intact'), **KINDS) as made:
        yield made


@pytest.fixture
def copy(intact: DatasetSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatasetSandbox]:
    """A copy to plant faults in: a temporary workspace, and a repository that is restored afterwards."""
    shutil.copytree(intact.workspace, tmp_path / 'workspace')
    shutil.copytree(intact.repository / 'data', tmp_path / 'data')
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    yield DatasetSandbox(intact.repository, tmp_path / 'workspace')
    shutil.rmtree(intact.repository / 'data')
    shutil.copytree(tmp_path / 'data', intact.repository / 'data')


def failed_checks(name: str) -> list[tuple[str, str]]:
    """Returns name and message of each failed check."""
    findings = check.run(check.DatasetUnderTest(name))
    return [(finding.check, finding.message) for finding in findings if finding.verdict == check.WRONG]


@pytest.mark.parametrize('name', [name + config for name in KINDS for config in ('', '/toy')])
def test_new_datasets_pass_all_checks(name: str, intact: DatasetSandbox) -> None:
    assert failed_checks(name) == []


def test_checks_pass_after_the_workspace_moved(copy: DatasetSandbox, tmp_path: Path, monkeypatch) -> None:
    """The fixture `copy` has moved the workspace once; this test moves it again."""
    assert failed_checks('check_images/toy') == []
    copy.workspace.rename(tmp_path / 'elsewhere')
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'elsewhere'))
    assert failed_checks('check_images/toy') == []
    listed = (tmp_path / 'elsewhere/data/check_images/lists/toy/test.csv').read_text()
    assert str(tmp_path / 'elsewhere') in listed
    assert str(copy.workspace) not in listed


# --- faults: each names the check that finds it, and the message of that check

Fault = Callable[[Path, Path], object]  # folder in the repository, folder in the workspace
FAULTS: dict[str, tuple[Fault, str, str, str]] = {}
ARRAYS = 'records/{name}/toy/0.1.0/arrays'


def fault(name: str, check_name: str, message: str) -> Callable[[Fault], Fault]:
    """Registers a fault of the dataset `name`, in its config `toy`."""

    def register(plant: Fault) -> Fault:
        FAULTS[plant.__name__] = (plant, name, check_name, message)
        return plant

    return register


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def arrays(bytes_: Path) -> Path:
    return bytes_ / ARRAYS.format(name=bytes_.name)


def change(file: Path, place: object, value: object) -> None:
    array = np.load(file)
    array[place] = value
    np.save(file, array)


@fault('check_images', 'folder', r'README.md is missing')
def no_readme(folder: Path, bytes_: Path) -> None:
    (folder / 'README.md').unlink()


@fault('check_images', 'folder', r'CITATIONS.bib is empty')
def no_citation(folder: Path, bytes_: Path) -> None:
    (folder / 'CITATIONS.bib').write_text('\n')


@fault('check_images', 'folder', r"TAGS.txt has a tag that TFDS does not know: 'content.images'")
def an_unknown_tag(folder: Path, bytes_: Path) -> None:
    (folder / 'TAGS.txt').write_text('content.images # Pictures.\n')


@fault('check_images', 'folder', r'toy is missing: put a few originals there')
def no_toy(folder: Path, bytes_: Path) -> None:
    shutil.rmtree(folder / 'toy')


@fault('check_images', 'checksums', r'labels.csv exists, but checksums.tsv does not state it')
def no_checksum(folder: Path, bytes_: Path) -> None:
    lines = (folder / 'checksums.tsv').read_text().splitlines(keepends=True)
    (folder / 'checksums.tsv').write_text(''.join(line for line in lines if 'toy/labels' not in line))


@fault('check_images', 'checksums', r'toy/images differs from checksums.tsv: its sha256 is \w{64}, not')
def a_changed_pixel(folder: Path, bytes_: Path) -> None:
    image = np.array(Image.open(bytes_ / 'toy/images/val_001.png'))
    image[3, 4] ^= 1
    Image.fromarray(image).save(bytes_ / 'toy/images/val_001.png')


@fault(
    'check_images',
    'originals',
    r"val 'val_001': the field image of .*val_001.png differs from the arrays",
)
def another_pixel(folder: Path, bytes_: Path) -> None:
    a_changed_pixel(folder, bytes_)


@fault(
    'check_images', 'layout', r'raw/ has labels.csv with the columns file, label, split, but .*toy does not'
)
def another_column(folder: Path, bytes_: Path) -> None:
    replace(folder / 'toy/labels.csv', 'file,label,split', 'file,class,split')


@fault('check_images', 'layout', r'toy has images/\*.jpg, but raw/ does not')
def another_format(folder: Path, bytes_: Path) -> None:
    (folder / 'toy/images/train_000.png').rename(folder / 'toy/images/train_000.jpg')


@fault('check_images', 'files', r"test 'test_002': .*toy/images/test_002.png is missing")
def a_missing_file(folder: Path, bytes_: Path) -> None:
    (bytes_ / 'toy/images/test_002.png').unlink()


@fault('check_images', 'files', r"test 'test_002': .*toy/images/test_002.png is empty")
def an_empty_file(folder: Path, bytes_: Path) -> None:
    (bytes_ / 'toy/images/test_002.png').write_bytes(b'')


@fault('check_images', 'files', r"'train_003': .*train_003.png is \(8, 16, 1\).*builder states \(16, 16, 1\)")
def another_size(folder: Path, bytes_: Path) -> None:
    Image.new('L', (16, 8)).save(bytes_ / 'toy/images/train_003.png')


@fault('check_images', 'files', r"'train_003': .*train_003.png is \(16, 16, 3\)")
def other_channels(folder: Path, bytes_: Path) -> None:
    Image.new('RGB', (16, 16)).save(bytes_ / 'toy/images/train_003.png')


@fault('check_images', 'files', r"'train_003': .*train_003.png has pixels of the mode I;16, .* uint8")
def another_depth(folder: Path, bytes_: Path) -> None:
    Image.fromarray(np.zeros((16, 16), np.uint16)).save(bytes_ / 'toy/images/train_003.png')


@fault('check_images', 'originals', r"train 'train_004': .*train_004.png cannot be read: ")
def a_torn_image(folder: Path, bytes_: Path) -> None:
    path = bytes_ / 'toy/images/train_004.png'
    path.write_bytes(path.read_bytes()[:90])


@fault(
    'check_images',
    'labels',
    r"train 'train_005': label is 0, the class 'horizontal', but the original states 'diagonal'",
)
def another_label(folder: Path, bytes_: Path) -> None:
    change(arrays(bytes_) / 'train/label.npy', 5, 0)


@fault('check_images', 'labels', r"train 'train_005': label holds 3, but classes go from 0 to 2")
def a_label_out_of_range(folder: Path, bytes_: Path) -> None:
    change(arrays(bytes_) / 'train/label.npy', 5, 3)


@fault(
    'check_images', 'labels', r"'train_001': label is 1, the class 'vertical', .*original states 'upright'"
)
def an_unknown_class(folder: Path, bytes_: Path) -> None:
    replace(bytes_ / 'toy/labels.csv', 'train_001.png,vertical', 'train_001.png,upright')


@fault('check_masks', 'labels', r"val 'val_002': mask holds 7, but classes go from 0 to 2")
def a_pixel_of_no_class(folder: Path, bytes_: Path) -> None:
    change(arrays(bytes_) / 'val/mask.npy', (2, 30, 30), 7)


@fault('check_masks', 'files', r"train 'train_001': .*toy/masks/train_001.png is missing")
def a_missing_mask(folder: Path, bytes_: Path) -> None:
    (bytes_ / 'toy/masks/train_001.png').unlink()


@fault('check_masks', 'originals', r"'train_001': the field mask of .* differs from the arrays")
def another_mask(folder: Path, bytes_: Path) -> None:
    Image.new('L', (32, 32), 1).save(bytes_ / 'toy/masks/train_001.png')


@fault('check_images', 'duplicates', r"test 'test_003' equals train 'train_007'")
def an_example_in_two_splits(folder: Path, bytes_: Path) -> None:
    image = np.load(arrays(bytes_) / 'train/image.npy')[7]
    change(arrays(bytes_) / 'test/image.npy', 3, image)


@fault('check_arrays', 'duplicates', r"train 'train_004' equals train 'train_002'")
def an_example_twice(folder: Path, bytes_: Path) -> None:
    change(arrays(bytes_) / 'train/features.npy', 4, np.load(arrays(bytes_) / 'train/features.npy')[2])


@fault('check_text', 'ids', r"the id 'train_001' of train occurs in train too")
def an_id_twice(folder: Path, bytes_: Path) -> None:
    replace(arrays(bytes_) / 'train/ids.txt', 'train_002', 'train_001')


@fault('check_text', 'ids', r"example 1 of val has the id 'val_002', but the original has 'val_001'")
def ids_in_another_order(folder: Path, bytes_: Path) -> None:
    replace(arrays(bytes_) / 'val/ids.txt', 'val_001\nval_002', 'val_002\nval_001')


@fault('check_text', 'ids', r"train has the id ' ', which is not one line of text")
def an_id_of_nothing(folder: Path, bytes_: Path) -> None:
    replace(arrays(bytes_) / 'train/ids.txt', 'train_002', ' ')


@fault('check_text', 'lists', r'train.csv lists 11 of 12 examples. Delete it and build again')
def a_list_cut_short(folder: Path, bytes_: Path) -> None:
    check.DatasetUnderTest('check_text/toy')  # which makes it true for this workspace first
    lines = (bytes_ / 'lists/toy/train.csv').read_text().splitlines(keepends=True)
    (bytes_ / 'lists/toy/train.csv').write_text(''.join(lines[:-1]))


@fault(
    'check_text',
    'lists',
    r"lists 'train_003,.*train_009.txt,.*' instead of 'train_003,.*train_003.txt,.*'",
)
def a_list_that_is_wrong(folder: Path, bytes_: Path) -> None:
    check.DatasetUnderTest('check_text/toy')
    replace(bytes_ / 'lists/toy/train.csv', 'train_003.txt', 'train_009.txt')


def record_file(bytes_: Path, split: str) -> Path:
    [file] = (bytes_ / f'records/{bytes_.name}/toy/0.1.0').glob(f'*-{split}.array_record*')
    return file


@fault(
    'check_images',
    'records',
    r"val 'val_003' \(.*toy/images/val_003.png\): record 3 in .* (is damaged|has another id|differs)",
)
def a_damaged_record(folder: Path, bytes_: Path) -> None:
    file = record_file(bytes_, 'val')
    content = bytearray(file.read_bytes())
    place = content.index(b'val_003')
    content[place - 30 : place - 20] = bytes(10)
    file.write_bytes(content)


@fault(
    'check_images', 'records', r'record 0 in .*-val.array_record-00000-of-00001 is damaged: .*Delete .* again'
)
def a_torn_record_file(folder: Path, bytes_: Path) -> None:
    file = record_file(bytes_, 'val')
    file.write_bytes(file.read_bytes()[:100])


@fault('check_arrays', 'originals', r"val 'val_002': the field targets of .*measurements.csv differs")
def another_number(folder: Path, bytes_: Path) -> None:
    change(arrays(bytes_) / 'val/targets.npy', (2, 0), 3.25)


@fault(
    'check_arrays', 'arrays', r'have been changed: their fingerprint is \w{64}, but fingerprint.txt states'
)
def an_array_that_was_changed(folder: Path, bytes_: Path) -> None:
    change(arrays(bytes_) / 'val/targets.npy', (2, 0), 3.25)


@fault('check_arrays', 'originals', r'builder states features: float32 \(4,\), but .*npy differs')
def an_array_of_another_type(folder: Path, bytes_: Path) -> None:
    file = arrays(bytes_) / 'test/features.npy'
    np.save(file, np.load(file).astype(np.float64))


@fault('check_images', 'readme', r'README.md states 13 examples of train, but there are 12')
def another_count(folder: Path, bytes_: Path) -> None:
    replace(folder / 'README.md', '| train | 240 | 12 |', '| train | 240 | 13 |')


@fault('check_images', 'readme', r'README.md does not state the number of examples of val: 6')
def a_split_not_stated(folder: Path, bytes_: Path) -> None:
    replace(folder / 'README.md', '| val | 60 | 6 |\n', '')


@fault(
    'check_images', 'readme', r'README.md states image: uint8 \(28, 28, 1\), but it is uint8 \(16, 16, 1\)'
)
def another_shape(folder: Path, bytes_: Path) -> None:
    replace(folder / 'README.md', '(16, 16, 1)', '(28, 28, 1)')


@fault('check_images', 'readme', r"README.md does not state the field 'label': int32 \(\)")
def a_field_not_stated(folder: Path, bytes_: Path) -> None:
    replace(folder / 'README.md', '| `label` | int32 | () | class |\n', '')


@fault(
    'check_images',
    'readme',
    r"README.md states class 1 as 'upright', but the classes are horizontal, vertical, diagonal",
)
def another_class(folder: Path, bytes_: Path) -> None:
    replace(folder / 'README.md', '| 1 | vertical |', '| 1 | upright |')


@fault('check_images', 'readme', r'README.md does not open with a title')
def no_title(folder: Path, bytes_: Path) -> None:
    replace(folder / 'README.md', '# Check images', 'Check images')


@pytest.mark.parametrize('planted', FAULTS)
def test_a_planted_fault_fails_its_check(planted: str, copy: DatasetSandbox) -> None:
    plant, name, check_name, message = FAULTS[planted]
    plant(copy.folder(name), copy.bytes(name))
    failures = failed_checks(f'{name}/toy')
    assert any(failed == check_name and re.search(message, text) for failed, text in failures), failures


def test_all_faults_are_reported_and_long_lists_are_cut(copy: DatasetSandbox) -> None:
    folder, bytes_ = copy.folder('check_images'), copy.bytes('check_images')
    no_citation(folder, bytes_)
    another_label(folder, bytes_)
    for file in (bytes_ / 'toy/images').glob('train_*'):
        file.unlink()
    failures = failed_checks('check_images/toy')
    assert {'folder', 'checksums', 'labels', 'files', 'originals'} <= {failed for failed, _ in failures}
    files = [text for failed, text in failures if failed == 'files']
    assert len(files) == check.MAX_MESSAGES + 1
    assert re.fullmatch(r'and \d+ more like these', files[-1])


def test_originals_that_prevent_a_build_are_reported_once(copy: DatasetSandbox) -> None:
    bytes_ = copy.bytes('check_images')
    shutil.rmtree(bytes_ / 'records/check_images/toy')
    (bytes_ / 'toy/images/val_002.png').unlink()
    failures = failed_checks('check_images/toy')
    assert any('val_002.png is missing' in text for failed, text in failures if failed == 'files'), failures
    assert len([text for _, text in failures if 'is damaged' in text]) == 1


def test_the_check_command_prints_a_table_and_the_fingerprint(intact: DatasetSandbox, program) -> None:
    code, out, _ = program('dataset', 'check', 'check_text', '--config=toy')
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ['check', 'verdict', 'message']
    assert re.fullmatch(r'fingerprint: [0-9a-f]{64}', lines[-1])
    assert ['labels', 'skipped', 'it has no classes'] in [line.split(maxsplit=2) for line in lines]


def test_the_check_command_exits_with_1_if_a_check_fails(copy: DatasetSandbox, program) -> None:
    no_readme(copy.folder('check_text'), copy.bytes('check_text'))
    code, out, _ = program('dataset', 'check', 'check_text', '--config=toy')
    assert (code, out.splitlines()[-1]) == (1, 'check_text/toy: some checks failed')
