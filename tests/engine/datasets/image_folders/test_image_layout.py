"""Which images a folder holds: splits, classes, lists; what is left out; one message for each mistake."""

from pathlib import Path
from typing import Any

import pytest

from engine.datasets.image_folders import image_folder, image_layout, walk
from engine.datasets.image_folders.image_layout import ImageLayout
from engine.errors import UserError

TRAIN = ['train/cat/1.jpg', 'train/cat/2.jpg', 'train/dog/3.jpg', 'train/dog/4.png']


def made(folder: Path, *names: str, **lists: str) -> Path:
    """Creates empty files of these names, and lists: `train='path,label ...'`, words for lines."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    for split, lines in lists.items():
        (folder / f'{split}.csv').write_text('\n'.join(lines.split()), encoding='utf-8')
    return folder


def labels(layout: ImageLayout, split: str) -> dict[str, Any]:
    return {identity: label for identity, _, label in layout.splits[split]}


def left_out(layout: ImageLayout, folder: Path) -> list[str]:
    return walk.described(layout.left_out, folder)


@pytest.mark.parametrize('train', ['train', 'Train', 'TRAINING'])
@pytest.mark.parametrize('val', ['val', 'valid', 'Validation', 'dev'])
def test_splits_have_several_names(train: str, val: str, tmp_path: Path) -> None:
    layout = image_layout.read(made(tmp_path, f'{train}/cat/1.jpg', f'{val}/cat/2.jpg', 'Testing/dog/3.JPG'))
    assert list(layout.splits) == ['train', 'val', 'test']
    assert labels(layout, 'train') == {f'{train}/cat/1.jpg': 'cat'}
    assert labels(layout, 'val') == {f'{val}/cat/2.jpg': 'cat'}
    assert labels(layout, 'test') == {'Testing/dog/3.JPG': 'dog'}


@pytest.mark.parametrize(
    ('names', 'both'),
    [
        (['val/cat/5.jpg', 'validation/cat/6.jpg'], 'val and validation'),
        (['valid/cat/5.jpg', 'Val/cat/6.jpg'], 'Val and valid'),
        (['val.csv', 'validation.csv'], r'val\.csv and validation\.csv'),
        (['val.csv', 'val.tsv'], r'val\.csv and val\.tsv'),
    ],
)
def test_two_sources_of_a_split_are_refused(names: list[str], both: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f'holds {both}, and each of them means the split val. Merge them'):
        image_layout.read(made(tmp_path, *TRAIN, *names))


def test_an_empty_folder_is_no_rival(tmp_path: Path) -> None:
    made(tmp_path, *TRAIN, 'validation/cat/5.jpg', 'test/notes.txt')
    (tmp_path / 'val').mkdir()
    layout = image_layout.read(tmp_path)
    assert labels(layout, 'val') == {'validation/cat/5.jpg': 'cat'}
    assert list(layout.splits) == ['train', 'val']
    assert layout.notes == [f'{tmp_path}/test holds no images']


def test_what_belongs_to_no_split_is_said(tmp_path: Path) -> None:
    made(tmp_path, *TRAIN, 'val/cat/5.jpg', 'more/6.jpg', 'licence', '.cache/7.jpg', 'train/owl/readme.txt')
    assert left_out(image_layout.read(tmp_path), tmp_path) == [
        '.txt is not an ending of images: 1 (train/owl/readme.txt)',
        'a folder without images: 1 (train/owl)',
        'hidden or put there by a system or program: 1 (.cache)',
        'not part of any split: 2 (licence, more/6.jpg)',
    ]


def test_a_list_goes_before_a_folder_and_the_rest_is_said(tmp_path: Path) -> None:
    made(
        tmp_path,
        *TRAIN,
        train='path;label train/cat/1.jpg;tom train/dog/3.jpg;rex',
        val='label|path a|train/cat/2.jpg',
    )
    layout = image_layout.read(tmp_path)
    assert labels(layout, 'train') == {'train/cat/1.jpg': 'tom', 'train/dog/3.jpg': 'rex'}
    assert labels(layout, 'val') == {'train/cat/2.jpg': 'a'}
    assert left_out(layout, tmp_path) == ['not part of any split: 1 (train/dog/4.png)']


def test_listed_files_beside_the_list_are_part_of_it(tmp_path: Path) -> None:
    made(tmp_path, '1.jpg', '2.jpg', 'more/3.jpg', train='path,label 1.jpg,a 2.jpg,b more/3.jpg,b')
    assert left_out(image_layout.read(tmp_path), tmp_path) == []


def test_a_file_of_two_splits_is_refused(tmp_path: Path) -> None:
    made(
        tmp_path, *TRAIN, train='path,label,id train/cat/1.jpg,a,1', val='path,label,id ./train/cat/1.jpg,a,2'
    )
    with pytest.raises(UserError, match=r'1\.jpg belongs to train and to val. Remove it from one'):
        image_layout.read(tmp_path)


def test_ids_of_a_list(tmp_path: Path) -> None:
    made(
        tmp_path, *TRAIN, train='path,label,id train/cat/1.jpg,a,007 train/cat/2.jpg,a,8 train/dog/3.jpg,b,é'
    )
    layout = image_layout.read(tmp_path)
    rows = {identity: path.name for part in layout.splits.values() for identity, path, _ in part}
    assert rows == {'007': '1.jpg', '8': '2.jpg', 'é': '3.jpg'}
    assert layout.notes == ['1 of the 3 examples of train became val, drawn by the digest of the id']


MISTAKES = {
    'missing': ('path,label train/cat/1.jpg,a gone.jpg,b', r'train\.csv:3: there is .*gone\.jpg\. Paths'),
    'near': ('path,label train/cat/1.jpeg,a x.jpg,b', r"csv:2: .*1\.jpeg\. .*'1\.jpg'\? Others .*: 1"),
    'backslashes': ('path,label train\\cat\\1.jpg,a', r'csv:2: .* Write / instead of \\ between'),
    'a folder': ('path,label train/cat,a', r'csv:2: there is no file .*/train/cat\. It is a folder'),
    'repeated': ('path,label train/cat/1.jpg,a train/cat/1.jpg,b', r"csv:3: the id 'train/cat.* line 2 too"),
    'written otherwise': ('path,label 1.jpg,a ./1.jpg,b', r"csv:3: the id '\./1\.jpg' .* line 2 too"),
    'repeated id': ('path,label,id train/cat/1.jpg,a,7 train/cat/2.jpg,b,7', r"csv:3: the id '7' .*line 2"),
    'no id': ('path,label,id train/cat/1.jpg,a,7 train/cat/2.jpg,b,', r"csv:3: the cell 'id' is empty"),
    'no label': ('path,label train/cat/1.jpg,a train/cat/2.jpg,', r"csv:3: the cell 'label' is empty"),
    'formula': ('path,label train/cat/1.jpg,=A1', r"csv:2: the label '=A1' is a formula"),
    'another column': ('file,label train/cat/1.jpg,a', r"csv:1: .* no column 'path'.*: path,label"),
    'one image': ('path,label train/cat/1.jpg,a', 'one image to train on, .*, and none to validate with'),
}  # fmt: skip


@pytest.mark.parametrize(('lines', 'message'), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_in_lists(lines: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        image_layout.read(made(tmp_path, *TRAIN, train=lines))


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        ([], r'holds no images to train on. It should hold train/<class>/\*\.jpg .* and test\.$'),
        (['cat/1.jpg', 'dog/2.jpg'], 'It holds cat, dog: if these are classes, move them into .*/train'),
        (['flowers/train/cat/1.jpg'], 'Did you mean images:.*/flowers'),
        (['train/cat/readme.txt'], 'holds no images to train on'),
        (
            ['train/1.jpg', 'train/2.jpg'],
            r'train/1\.jpg is not in the folder .*/train/<class>/1\.jpg\. Others: 1',
        ),
        (
            ['train/ cat/1.jpg', 'train/dog/2.jpg'],
            "train/ cat' begins or ends with a space. Rename the folder",
        ),
        (['train/cat/1.jpg'], 'one image to train on'),
        (['train/cat/1\n.jpg', 'train/cat/2.jpg'], 'has a name that is not one line'),
    ],
)
def test_mistakes_in_folders(names: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        image_layout.read(made(tmp_path, *names))


@pytest.mark.parametrize('n', range(2, 14))
def test_few_images_without_val_make_both_splits(n: int, tmp_path: Path) -> None:
    layout = image_layout.read(made(tmp_path, *(f'train/{"ab"[i % 2]}/{i}.jpg' for i in range(n))))
    assert layout.splits['train']
    assert layout.splits['val']
    if n > 3:
        assert {label for _, _, label in layout.splits['train']} == {'a', 'b'}


def test_numbers_are_ordered_by_value_and_ties_by_text() -> None:
    examples: Any = {
        'train': [(str(i), Path(), name) for i, name in enumerate(['10', '9', '1', '01', '001'])]
    }
    assert image_folder._classes(examples) == ['001', '01', '1', '9', '10']
