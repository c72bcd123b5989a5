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


def failed_checks(name: str, sample: int = 0) -> list[tuple[str, str]]:
    """Returns name and message of each failed check."""
    findings = check.run(check.DatasetUnderTest(name, sample))
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


def arrays(workspace: Path) -> Path:
    return workspace / ARRAYS.format(name=workspace.name)


def change(file: Path, place: object, value: object) -> None:
    array = np.load(file)
    array[place] = value
    np.save(file, array)


@fault('check_images', 'folder', r'README.md is missing')
def missing_readme(folder: Path, workspace: Path) -> None:
    (folder / 'README.md').unlink()


@fault('check_images', 'folder', r'CITATIONS.bib is empty')
def empty_citation(folder: Path, workspace: Path) -> None:
    (folder / 'CITATIONS.bib').write_text('\n')


@fault('check_images', 'folder', r"TAGS.txt has a tag that TFDS does not know: 'content.images'")
def unknown_tag(folder: Path, workspace: Path) -> None:
    (folder / 'TAGS.txt').write_text('content.images # Pictures.\n')


@fault('check_images', 'folder', r'toy is missing: put a few originals there')
def missing_toy(folder: Path, workspace: Path) -> None:
    shutil.rmtree(folder / 'toy')


@fault('check_images', 'checksums', r'labels.csv exists, but checksums.tsv does not state it')
def missing_checksum(folder: Path, workspace: Path) -> None:
    lines = (folder / 'checksums.tsv').read_text().splitlines(keepends=True)
    (folder / 'checksums.tsv').write_text(''.join(line for line in lines if 'toy/labels' not in line))


@fault('check_images', 'checksums', r'toy/images differs from checksums.tsv: its sha256 is \w{64}, not')
def pixel_differs_from_checksum(folder: Path, workspace: Path) -> None:
    image = np.array(Image.open(workspace / 'toy/images/val_001.png'))
    image[3, 4] ^= 1
    Image.fromarray(image).save(workspace / 'toy/images/val_001.png')


@fault(
    'check_images',
    'originals',
    r"val 'val_001': the field image of .*val_001.png differs from the arrays",
)
def pixel_differs_from_arrays(folder: Path, workspace: Path) -> None:
    pixel_differs_from_checksum(folder, workspace)


@fault(
    'check_images', 'layout', r'raw/ has labels.csv with the columns file, label, split, but .*toy does not'
)
def column_differs_in_toy(folder: Path, workspace: Path) -> None:
    replace(folder / 'toy/labels.csv', 'file,label,split', 'file,class,split')


@fault('check_images', 'layout', r'toy has images/\*.jpg, but raw/ does not')
def image_format_differs_in_toy(folder: Path, workspace: Path) -> None:
    (folder / 'toy/images/train_000.png').rename(folder / 'toy/images/train_000.jpg')


@fault('check_images', 'files', r"test 'test_002': .*toy/images/test_002.png is missing")
def missing_file(folder: Path, workspace: Path) -> None:
    (workspace / 'toy/images/test_002.png').unlink()


@fault('check_images', 'originals', r"test 'test_002': .*toy/images/test_002.png: image is empty")
def empty_file(folder: Path, workspace: Path) -> None:
    (workspace / 'toy/images/test_002.png').write_bytes(b'')


@fault(
    'check_images', 'originals', r'train_003.png: image is 8 pixels high and 16 wide, but .* states 16 by 16'
)
def wrong_image_size(folder: Path, workspace: Path) -> None:
    Image.new('L', (16, 8)).save(workspace / 'toy/images/train_003.png')


@fault('check_images', 'originals', r'the field image of .*train_003.png differs from the arrays')
def other_colours(folder: Path, workspace: Path) -> None:
    Image.new('RGB', (16, 16)).save(workspace / 'toy/images/train_003.png')


@fault('check_images', 'originals', r'the field image of .*train_003.png differs from the arrays')
def other_pixels(folder: Path, workspace: Path) -> None:
    Image.fromarray(np.zeros((16, 16), np.uint16)).save(workspace / 'toy/images/train_003.png')


@fault('check_images', 'originals', r"train 'train_004': .*train_004.png: image is damaged: ")
def truncated_image(folder: Path, workspace: Path) -> None:
    path = workspace / 'toy/images/train_004.png'
    path.write_bytes(path.read_bytes()[:90])


@fault(
    'check_images',
    'labels',
    r"train 'train_005': label is 0, the class 'horizontal', but the original states 'diagonal'",
)
def wrong_label(folder: Path, workspace: Path) -> None:
    change(arrays(workspace) / 'train/label.npy', 5, 0)


@fault('check_images', 'labels', r"train 'train_005': label holds 3, but its classes go from 0 to 2")
def label_out_of_range(folder: Path, workspace: Path) -> None:
    change(arrays(workspace) / 'train/label.npy', 5, 3)


@fault(
    'check_images', 'labels', r"'train_001': label is 1, the class 'vertical', .*original states 'upright'"
)
def unknown_class(folder: Path, workspace: Path) -> None:
    replace(workspace / 'toy/labels.csv', 'train_001.png,vertical', 'train_001.png,upright')


@fault('check_masks', 'labels', r"val 'val_002': mask holds 7, but its classes go from 0 to 2")
def mask_value_out_of_range(folder: Path, workspace: Path) -> None:
    change(arrays(workspace) / 'val/mask.npy', (2, 30, 30), 7)


@fault('check_masks', 'files', r"train 'train_001': .*toy/masks/train_001.png is missing")
def missing_mask(folder: Path, workspace: Path) -> None:
    (workspace / 'toy/masks/train_001.png').unlink()


@fault('check_masks', 'originals', r"'train_001': the field mask of .* differs from the arrays")
def mask_differs_from_arrays(folder: Path, workspace: Path) -> None:
    Image.new('L', (32, 32), 1).save(workspace / 'toy/masks/train_001.png')


@fault('check_images', 'duplicates', r"test 'test_003' equals train 'train_007'")
def example_in_two_splits(folder: Path, workspace: Path) -> None:
    image = np.load(arrays(workspace) / 'train/image.npy')[7]
    change(arrays(workspace) / 'test/image.npy', 3, image)


@fault('check_arrays', 'duplicates', r"train 'train_004' equals train 'train_002'")
def duplicate_example(folder: Path, workspace: Path) -> None:
    change(arrays(workspace) / 'train/features.npy', 4, np.load(arrays(workspace) / 'train/features.npy')[2])


@fault('check_text', 'ids', r"the id 'train_001' of train occurs in train too")
def duplicate_id(folder: Path, workspace: Path) -> None:
    replace(arrays(workspace) / 'train/ids.txt', 'train_002', 'train_001')


@fault('check_text', 'ids', r"example 1 of val has the id 'val_002', but the original has 'val_001'")
def ids_out_of_order(folder: Path, workspace: Path) -> None:
    replace(arrays(workspace) / 'val/ids.txt', 'val_001\nval_002', 'val_002\nval_001')


@fault('check_text', 'ids', r"train has the id ' ', which is not one line of text")
def blank_id(folder: Path, workspace: Path) -> None:
    replace(arrays(workspace) / 'train/ids.txt', 'train_002', ' ')


@fault('check_text', 'lists', r'train.csv lists 11 of 12 examples. Delete it and build again')
def truncated_list(folder: Path, workspace: Path) -> None:
    check.DatasetUnderTest('check_text/toy')  # updates the lists for this workspace first
    lines = (workspace / 'lists/toy/train.csv').read_text().splitlines(keepends=True)
    (workspace / 'lists/toy/train.csv').write_text(''.join(lines[:-1]))


@fault(
    'check_text',
    'lists',
    r"lists 'train_003,.*train_009.txt,.*' instead of 'train_003,.*train_003.txt,.*'",
)
def wrong_path_in_list(folder: Path, workspace: Path) -> None:
    check.DatasetUnderTest('check_text/toy')
    replace(workspace / 'lists/toy/train.csv', 'train_003.txt', 'train_009.txt')


def record_file(workspace: Path, split: str) -> Path:
    [file] = (workspace / f'records/{workspace.name}/toy/0.1.0').glob(f'*-{split}.array_record*')
    return file


@fault(
    'check_images',
    'records',
    r"val 'val_003' \(.*toy/images/val_003.png\): record 3 in .* (is damaged|has another id|differs)",
)
def damaged_record(folder: Path, workspace: Path) -> None:
    file = record_file(workspace, 'val')
    content = bytearray(file.read_bytes())
    place = content.index(b'val_003')
    content[place - 30 : place - 20] = bytes(10)
    file.write_bytes(content)


@fault(
    'check_images', 'records', r'record 0 in .*-val.array_record-00000-of-00001 is damaged: .*Delete .* again'
)
def truncated_record_file(folder: Path, workspace: Path) -> None:
    file = record_file(workspace, 'val')
    file.write_bytes(file.read_bytes()[:100])


@fault('check_arrays', 'originals', r"val 'val_002': the field targets of .*measurements.csv differs")
def wrong_number(folder: Path, workspace: Path) -> None:
    change(arrays(workspace) / 'val/targets.npy', (2, 0), 3.25)


@fault(
    'check_arrays', 'arrays', r'have been changed: their fingerprint is \w{64}, but fingerprint.txt states'
)
def changed_array(folder: Path, workspace: Path) -> None:
    change(arrays(workspace) / 'val/targets.npy', (2, 0), 3.25)


@fault('check_arrays', 'originals', r'builder states features: float32 \(4,\), but .*npy differs')
def wrong_dtype(folder: Path, workspace: Path) -> None:
    file = arrays(workspace) / 'test/features.npy'
    np.save(file, np.load(file).astype(np.float64))


@fault('check_images', 'readme', r'README.md states 13 examples of train, but there are 12')
def wrong_count_in_readme(folder: Path, workspace: Path) -> None:
    replace(folder / 'README.md', '| train | 240 | 12 |', '| train | 240 | 13 |')


@fault('check_images', 'readme', r'README.md does not state the number of examples of val: 6')
def split_missing_in_readme(folder: Path, workspace: Path) -> None:
    replace(folder / 'README.md', '| val | 60 | 6 |\n', '')


@fault(
    'check_images', 'readme', r'README.md states image: uint8 \(28, 28, 1\), but it is uint8 \(16, 16, 1\)'
)
def wrong_shape_in_readme(folder: Path, workspace: Path) -> None:
    replace(folder / 'README.md', '(16, 16, 1)', '(28, 28, 1)')


@fault('check_images', 'readme', r"README.md does not state the field 'label': int32 \(\)")
def field_missing_in_readme(folder: Path, workspace: Path) -> None:
    replace(folder / 'README.md', '| `label` | int32 | () | class |\n', '')


@fault(
    'check_images',
    'readme',
    r"README.md states class 1 as 'upright', but the classes are horizontal, vertical, diagonal",
)
def wrong_class_in_readme(folder: Path, workspace: Path) -> None:
    replace(folder / 'README.md', '| 1 | vertical |', '| 1 | upright |')


@fault('check_images', 'readme', r'README.md does not open with a title')
def readme_without_title(folder: Path, workspace: Path) -> None:
    replace(folder / 'README.md', '# Check images', 'Check images')


@pytest.mark.parametrize('planted', FAULTS)
def test_a_planted_fault_fails_its_check(planted: str, copy: DatasetSandbox) -> None:
    plant, name, check_name, message = FAULTS[planted]
    plant(copy.folder(name), copy.workspace_folder(name))
    failures = failed_checks(f'{name}/toy')
    assert any(failed == check_name and re.search(message, text) for failed, text in failures), failures


def test_all_faults_are_reported_and_long_lists_are_cut(copy: DatasetSandbox) -> None:
    folder, workspace = copy.folder('check_images'), copy.workspace_folder('check_images')
    empty_citation(folder, workspace)
    wrong_label(folder, workspace)
    for file in (workspace / 'toy/images').glob('train_*'):
        file.unlink()
    failures = failed_checks('check_images/toy')
    assert {'folder', 'checksums', 'labels', 'files', 'originals'} <= {failed for failed, _ in failures}
    files = [text for failed, text in failures if failed == 'files']
    assert len(files) == check.MAX_MESSAGES + 1
    assert re.fullmatch(r'and \d+ more like these', files[-1])


def test_originals_that_prevent_a_build_are_reported_once(copy: DatasetSandbox) -> None:
    workspace = copy.workspace_folder('check_images')
    shutil.rmtree(workspace / 'records/check_images/toy')
    (workspace / 'toy/images/val_002.png').unlink()
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
    missing_readme(copy.folder('check_text'), copy.workspace_folder('check_text'))
    code, out, _ = program('dataset', 'check', 'check_text', '--config=toy')
    assert (code, out.splitlines()[-1]) == (1, 'check_text/toy: some checks failed')


def test_a_sample_finds_the_faults_of_its_examples_and_says_what_it_is(copy: DatasetSandbox, program) -> None:
    splits = check.DatasetUnderTest('check_images/toy').dataset.splits
    total = sum(splits.values())
    assert failed_checks('check_images/toy', 9) == []
    change(arrays(copy.workspace_folder('check_images')) / 'train/label.npy', slice(None), 3)
    sampled = check.DatasetUnderTest('check_images/toy', 9)
    counts = {split: len(sampled.positions(split)) for split in splits}
    assert all(abs(counts[split] - 9 * n / total) < 1 for split, n in splits.items())
    findings = [*check.run(check.DatasetUnderTest('check_images/toy', 9))]
    assert findings[0].verdict == check.NOTE
    assert f'train {counts["train"]} of {splits["train"]}' in findings[0].message
    wrong = [finding.message for finding in findings if finding.check == 'labels']
    drawn = [sampled.splits['train'].ids[row] for row in sampled.positions('train')]
    assert wrong == [
        f'train {name!r}: label holds 3, but its classes go from 0 to 2'
        for name in drawn[: check.MAX_MESSAGES]
    ]
    code, out, _ = program('dataset', 'check', 'check_images', '--config=toy', '--sample=9')
    assert (code, out.splitlines()[-1]) == (1, 'check_images/toy: some checks failed, on a sample')
    code, out, _ = program('dataset', 'check', 'check_images', '--config=toy', f'--sample={total}')
    assert out.splitlines()[-1] == 'check_images/toy: some checks failed'


@pytest.mark.parametrize('planted', ['file_missing', 'pixel_differs'])
def test_a_sample_sees_no_fault_of_the_others(planted: str, copy: DatasetSandbox) -> None:
    sampled = check.DatasetUnderTest('check_images/toy', 9)
    drawn = {sampled.splits['train'].ids[row] for row in sampled.positions('train')}
    folder = copy.workspace_folder('check_images') / 'toy/images'
    other, own = (
        next(path for path in sorted(folder.glob('train_*')) if (path.stem in drawn) is is_drawn)
        for is_drawn in (False, True)
    )
    other.unlink() if planted == 'file_missing' else Image.new('L', (16, 16), 77).save(other)
    assert failed_checks('check_images/toy', 9) == []
    own.unlink() if planted == 'file_missing' else Image.new('L', (16, 16), 77).save(own)
    assert failed_checks('check_images/toy', 9)


@pytest.mark.parametrize('sample', ['0', '-5'])
def test_a_sample_has_examples(sample: str, program) -> None:
    code, _, error = program('dataset', 'check', 'digits', f'--sample={sample}')
    assert code == 2
    assert f'--sample={sample}: give a number of examples, such as 10000' in error
