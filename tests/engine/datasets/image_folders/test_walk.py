"""What a walk takes, what it leaves out and why, and what it refuses."""

import os
from pathlib import Path

import pytest

from engine.datasets.image_folders import walk
from engine.errors import UserError


def made(folder: Path, *names: str) -> Path:
    """Creates files, which hold their own names, and the folders that they lie in."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.fsencode(name))
    return folder


def taken(folder: Path) -> list[str]:
    return [os.path.relpath(path, folder) for path in walk.walk(folder, ('.jpg',), 'images').files]


def left_out(folder: Path) -> list[str]:
    return walk.described(walk.walk(folder, ('.jpg',), 'images').left_out, folder)


def test_files_of_any_depth_and_case_are_taken_in_order(tmp_path: Path) -> None:
    made(tmp_path, 'b/2.JPG', 'b/1.jpg', 'a/deep/er/3.Jpg', 'a.jpg', 'B/4.jpg')
    assert taken(tmp_path) == ['B/4.jpg', 'a/deep/er/3.Jpg', 'a.jpg', 'b/1.jpg', 'b/2.JPG']
    assert left_out(tmp_path) == []


@pytest.mark.parametrize(
    'name',
    [
        '.ipynb_checkpoints/1-checkpoint.jpg',
        '__MACOSX/a/1.jpg',
        'a/._1.jpg',
        'a/.DS_Store',
        'a/Thumbs.db',
        'a/THUMBS.DB',
        'desktop.ini',
        '@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg',
        '.git/1.jpg',
        '$RECYCLE.BIN/1.jpg',
        'a/.1.jpg.icloud',
    ],
)
def test_hidden_names_are_skipped_and_said(name: str, tmp_path: Path) -> None:
    made(tmp_path, 'a/1.jpg', name)
    assert taken(tmp_path) == ['a/1.jpg']
    [line] = left_out(tmp_path)
    assert line.startswith(f'{walk.HIDDEN}: 1 (')
    assert name.startswith(line.rpartition('(')[2][:-1])


def test_what_is_left_out_is_counted_by_ending(tmp_path: Path) -> None:
    names = [f'a/{number}.txt' for number in range(7)]
    made(tmp_path, 'a/1.jpg', *names, 'a/1.HEIC', 'a/readme', 'a/1.jpg.bak')
    assert sorted(left_out(tmp_path)) == [
        '.bak is not an ending of images: 1 (a/1.jpg.bak)',
        '.heic cannot be read, convert it to JPEG or PNG: 1 (a/1.HEIC)',
        '.txt is not an ending of images: 7 (a/0.txt, a/1.txt, a/2.txt, a/3.txt, a/4.txt, ...)',
        'without an ending of images: 1 (a/readme)',
    ]


def test_links_are_followed_and_cycles_are_not(tmp_path: Path) -> None:
    made(tmp_path / 'elsewhere', 'cats/1.jpg', 'one.jpg')
    folder = made(tmp_path / 'train', 'dog/2.jpg')
    (folder / 'cat').symlink_to(tmp_path / 'elsewhere/cats')
    (folder / 'dog/3.jpg').symlink_to(Path('../../elsewhere/one.jpg'))
    (folder / 'dog/again').symlink_to(folder)
    (tmp_path / 'elsewhere/cats/back').symlink_to(tmp_path / 'elsewhere/cats')
    assert taken(folder) == ['cat/1.jpg', 'dog/2.jpg', 'dog/3.jpg']
    assert left_out(folder) == ['a link to a folder that it lies in: 2 (cat/back, dog/again)']
    link = tmp_path / 'link'
    link.symlink_to(folder)
    assert taken(link) == taken(folder)


def test_links_that_lead_nowhere_are_named(tmp_path: Path) -> None:
    folder = made(tmp_path, 'cat/1.jpg')
    (folder / 'cat/2.jpg').symlink_to(tmp_path / 'gone.jpg')
    with pytest.raises(UserError, match=r'cat/2\.jpg is a link to .*gone\.jpg, which does not exist'):
        taken(folder)
    (folder / 'cat/3.jpg').symlink_to(folder / 'cat/3.jpg')
    with pytest.raises(UserError, match=r'There are 1 more such files'):
        taken(folder)
    (folder / 'cat/2.jpg').unlink()
    with pytest.raises(UserError, match=r'cat/3\.jpg cannot be read: Too many levels of symbolic links'):
        taken(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason='root reads everything')
@pytest.mark.parametrize('name', ['cat', 'cat/1.jpg'])
def test_what_may_not_be_read_is_named(name: str, tmp_path: Path) -> None:
    folder = made(tmp_path, 'cat/1.jpg', 'dog/2.jpg')
    (folder / name).chmod(0)
    try:
        with pytest.raises(UserError, match=f'{name} cannot be read: Permission denied'):
            taken(folder)
    finally:
        (folder / name).chmod(0o700)


@pytest.mark.parametrize(
    'name', ['a\nb.jpg', 'a\x85b.jpg', 'a\u2028b.jpg', 'a\tb.jpg', 'ca\nt/1.jpg', 'a\udce9.jpg']
)
def test_names_that_no_list_can_hold_are_refused(name: str, tmp_path: Path) -> None:
    folder = made(tmp_path, 'cat/1.jpg', name)
    with pytest.raises(UserError) as error:
        taken(folder)
    assert 'has a name that is not one line of UTF-8: rename it' in str(error.value)
    assert repr(str(folder / name.split('/')[0]))[:-1] in str(error.value)


@pytest.mark.parametrize(
    'name', ['a b.jpg', 'a,b.jpg', "it's.jpg", '猫.jpg', 'cafe\u0301.jpg', '=1.jpg', '-x.jpg']
)
def test_other_names_are_right(name: str, tmp_path: Path) -> None:
    assert taken(made(tmp_path, name)) == [name]
