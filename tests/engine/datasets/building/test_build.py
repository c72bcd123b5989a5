"""Building and reading by name: kills, crowds, moves, mistakes. What digits hold is tested in tests/data/."""

import csv
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.commands import dataset
from engine.datasets.building import features
from engine.datasets.catalogue import builders
from engine.datasets.load import load, prepare
from engine.datasets.reading import integrity
from engine.errors import UserError
from engine.workspace import REPOSITORY
from tests.engine import photos

TOY = {'train': 30, 'val': 10, 'test': 20}


@pytest.fixture(scope='module')
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which `digits/toy` is built: copy before you change it."""
    folder = tmp_path_factory.mktemp('built')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('WORKSPACE', str(folder))
        prepare('digits/toy')
    return folder


@pytest.fixture
def workspace(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of one's own in which `digits/toy` is built: moved from where it was."""
    folder = tmp_path / 'workspace'
    shutil.copytree(built, folder)
    monkeypatch.setenv('WORKSPACE', str(folder))
    return folder


def start(code: str, workspace: Path) -> subprocess.Popen[str]:
    """Starts Python on `code`, which says `build()` to build digits/toy and print what came out."""
    preamble = """
        import logging, os, signal, sys, time
        from pathlib import Path
        from engine.datasets.catalogue import builders
        from engine.datasets.load import load
        logging.basicConfig(format='%(message)s')
        logging.getLogger('engine').setLevel(logging.INFO)

        def build():
            dataset = load('digits/toy')
            print(dataset.fingerprint, [len(dataset.split(split)) for split in dataset.splits])
    """
    return subprocess.Popen(
        [sys.executable, '-c', textwrap.dedent(preamble) + textwrap.dedent(code)],
        cwd=REPOSITORY,
        env=os.environ | {'WORKSPACE': str(workspace)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Returns stdout and stderr of `process`, which must succeed."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out, err


def listed(workspace: Path, split: str) -> list[dict[str, str]]:
    with (workspace / f'data/digits/lists/toy/{split}.csv').open(newline='') as file:
        return list(csv.DictReader(file))


def state(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.rglob('*')}


def test_names_lists_the_folders_with_a_builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert 'digits' in builders.names()
    for file in ['one/one_dataset_builder.py', 'two/README.md', 'three/other_dataset_builder.py']:
        (tmp_path / 'data' / file).parent.mkdir(parents=True)
        (tmp_path / 'data' / file).touch()
    monkeypatch.setattr('engine.workspace.REPOSITORY', tmp_path)
    assert builders.names() == ['one']


def test_lists_name_every_example_in_order(workspace: Path):
    toy = load('digits/toy')
    assert toy.splits == TOY
    for split, count in TOY.items():
        rows = listed(workspace, split)
        examples = toy.split(split)
        assert [row['id'] for row in rows] == examples.ids
        assert [int(row['label']) for row in rows] == examples.arrays['label'].tolist()
        assert len({row['path'] for row in rows}) == count
        assert all(Path(row['path']).is_file() and Path(row['path']).is_absolute() for row in rows)


def test_lists_have_the_paths_of_the_moved_workspace(workspace: Path, built: Path, tmp_path: Path):
    assert listed(workspace, 'test')[0]['path'].startswith(str(built))
    before = state(workspace / 'data/digits/records')
    prepare('digits/toy')
    assert listed(workspace, 'test')[0]['path'].startswith(str(workspace))
    assert state(workspace / 'data/digits/records') == before


def test_a_deleted_list_is_rewritten(workspace: Path):
    prepare('digits/toy')
    before = listed(workspace, 'val')
    (workspace / 'data/digits/lists/toy/val.csv').unlink()
    prepare('digits/toy')
    assert listed(workspace, 'val') == before


def test_a_second_load_changes_no_file(workspace: Path):
    prepare('digits/toy')
    before = state(workspace)
    load('digits/toy')
    assert state(workspace) == before


def test_the_fingerprint_depends_on_the_data(workspace: Path):
    first = load('digits/toy').fingerprint
    folder = workspace / 'data/digits/records/digits/toy/1.0.0/arrays'
    assert integrity.fingerprint(folder) == first
    image = np.lib.format.open_memmap(folder / 'val/image.npy', 'r+')
    image[3, 4, 5, 0] ^= 15
    image.flush()
    assert integrity.fingerprint(folder) != first


def test_arrays_are_read_only(workspace: Path):
    image = load('digits/toy').split('train').arrays['image']
    with pytest.raises(ValueError, match='read-only'):
        image[0] = 0


def test_two_processes_build_a_dataset_once(tmp_path: Path, workspace: Path):
    """The fingerprint equals that of another build, although the bytes of the records differ."""
    processes = [start('build()', tmp_path / 'shared') for _ in range(2)]
    (first, first_news), (second, second_news) = [finish(process) for process in processes]
    assert first == second == f'{load("digits/toy").fingerprint} [30, 10, 20]\n'
    assert (first_news + second_news).count('Building the dataset') == 1


def test_a_killed_build_is_completed_by_the_next(tmp_path: Path, workspace: Path):
    """Builds are killed just before each rename, in order; then new builds are killed after some time."""
    code = """
        import tensorflow_datasets

        PLACES = ['/toy', 'metadata.json', '_1.0.0', '/train.csv', '/val.csv', '/test.csv', '/arrays']

        def dying_at(place, rename):
            def rename_or_die(source, target, **options):
                if any(str(path).rstrip('/').endswith(place) for path in (source, target)):
                    os.kill(os.getpid(), signal.SIGKILL)
                return rename(source, target, **options)
            return rename_or_die

        def is_killed(place=None, seconds=None):
            child = os.fork()  # it has imported everything, so it starts at once
            if child == 0:
                if place:
                    os.rename, os.replace = dying_at(place, os.rename), dying_at(place, os.replace)
                load('digits/toy')
                os._exit(0)
            if seconds:
                time.sleep(seconds)
                os.kill(child, signal.SIGKILL)
            return os.WIFSIGNALED(os.waitpid(child, 0)[1])

        root = Path(os.environ['WORKSPACE'])
        os.environ['WORKSPACE'] = str(root / 'places')
        for place in PLACES:
            assert is_killed(place), place
        build()
        for seconds in (0.1, 0.25, 0.4):
            os.environ['WORKSPACE'] = str(root / str(seconds))
            is_killed(seconds=seconds)
            build()
        left = [path for path in root.rglob('incomplete*') if path.is_dir()] + [*root.rglob('.*.tmp')]
        assert not left, left
    """
    results, _ = finish(start(code, tmp_path / 'killed'))
    assert results == f'{load("digits/toy").fingerprint} [30, 10, 20]\n' * 4


def test_unknown_names_are_refused_with_suggestions(workspace: Path):
    with pytest.raises(UserError, match=r"no dataset 'digist' in data/. Did you mean 'digits'\?"):
        load('digist')
    with pytest.raises(UserError, match=r"no dataset 'imagenet' in data/. There are: .*digits"):
        load('imagenet')
    with pytest.raises(UserError, match=r"digits has no config 'tony'. Did you mean 'toy'\?"):
        load('digits/tony')
    with pytest.raises(UserError, match=r"digits/toy has no split 'vall'. Did you mean 'val'\?"):
        load('digits/toy').split('vall')
    with pytest.raises(UserError, match=r"digits/toy has no split 'x'. There are: test, train, val."):
        load('digits/toy').split('x')
    assert not (workspace / 'data/digist').exists()


def test_arrays_that_differ_from_the_builder_are_refused(workspace: Path):
    toy = load('digits/toy')
    label = toy.folder / 'val/label.npy'
    np.save(label, np.load(label).astype(np.int64))
    with pytest.raises(UserError, match=r'states label: int32 \(\), but .*label.npy differs.*VERSION'):
        toy.split('val')
    label.unlink()
    with pytest.raises(UserError, match=r'delete .*records/digits/toy/1.0.0'):
        toy.split('val')


def test_a_field_without_a_fixed_shape_is_refused():
    import tensorflow_datasets as tfds

    with pytest.raises(
        UserError, match=r"'mask' of photos has the shape \(None, None, 1\).*photos_dataset_builder"
    ):
        features.field_shape('photos', 'mask', tfds.features.LabeledImage(shape=(None, None, 1), labels=3))


def test_a_folder_with_a_builder_is_a_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Any features serve: here rows of numbers, without classes."""
    (tmp_path / 'data/rows').mkdir(parents=True)
    (tmp_path / 'data/rows/rows_dataset_builder.py').write_text(
        textwrap.dedent("""
            from pathlib import Path

            import numpy as np
            import tensorflow_datasets as tfds


            class Builder(tfds.core.GeneratorBasedBuilder):
                VERSION = tfds.core.Version('0.1.0')
                BUILDER_CONFIGS = [tfds.core.BuilderConfig(name='full'), tfds.core.BuilderConfig(name='toy')]

                def raw_examples(self):
                    folder = Path(self.data_dir_root).parent / 'raw'
                    return {'train': [(name, folder / name, '') for name in 'abc']}

                def _info(self):
                    return tfds.core.DatasetInfo(
                        builder=self,
                        disable_shuffling=True,
                        features=tfds.features.FeaturesDict({
                            'row': tfds.features.Tensor(shape=(2,), dtype=np.float32),
                            'id': tfds.features.Text(),
                        }),
                    )

                def _split_generators(self, dl_manager):
                    return {'train': self._generate_examples(self.raw_examples()['train'])}

                def _generate_examples(self, examples):
                    for name, path, label in examples:
                        yield name, {'id': name, 'row': np.array([ord(name), 0.5], np.float32)}
        """)
    )
    monkeypatch.setattr('engine.workspace.REPOSITORY', tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    rows = load('rows')
    examples = rows.split('train')
    assert (rows.version, rows.spec.class_names, examples.ids) == ('0.1.0', {}, ['a', 'b', 'c'])
    np.testing.assert_array_equal(examples.arrays['row'], [[97, 0.5], [98, 0.5], [99, 0.5]])


def test_images_of_varying_size_are_stored_encoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    raw = photos.dataset(tmp_path, monkeypatch)
    data = load('photos')
    assert (data.encoded, data.spec.example.keys()) == ({'image': 3}, {'label'})
    for split, count in data.splits.items():
        examples = data.split(split)
        files = sorted((raw / split).iterdir())
        assert len(examples) == len(examples.encoded['image']) == count == len(files)
        assert list(examples.encoded['image']) == [path.read_bytes() for path in files]
        assert [examples.origin(index) for index in range(count)] == [
            f'example {path.stem!r} ({path})' for path in files
        ]
    path = data.folder / 'val/image.bin'
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b'?')
    assert integrity.fingerprint(data.folder) != data.fingerprint
    path.unlink()
    with pytest.raises(UserError, match=r'states image: images of varying size, but .*VERSION'):
        data.split('val')


def test_build_fails_if_an_original_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = photos.dataset(tmp_path, monkeypatch) / 'val/val-03.jpg'
    sound = path.read_bytes()
    path.write_bytes(sound[:-300])
    with pytest.raises(UserError, match=rf"example 'val-03' \({path}\): image is damaged: .*truncated"):
        load('photos')
    path.write_bytes(sound)
    assert len(load('photos').split('val').encoded['image']) == 5


def test_damaged_images_of_a_dataset_with_checksums_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    images = sorted((builders.builder('digits/toy').originals() / 'images').glob('*.png'))
    images[2].write_bytes(images[2].read_bytes()[:60])
    images[5].write_bytes(b'')
    named = re.escape(f'(images that cannot be decoded: {images[2].name}, {images[5].name})')
    with pytest.raises(UserError, match=f'differs from checksums.tsv.*{named}'):
        load('digits/toy')


def test_a_build_imports_no_tensorflow_and_prints_what_it_took(tmp_path: Path):
    code = """
        builders.names()
        assert 'tensorflow_datasets' not in sys.modules  # it takes a second
        build()
        assert not {'tensorflow', 'sklearn', 'pandas'} & set(sys.modules)
    """
    out, err = finish(start(code, tmp_path))
    assert len(out.splitlines()) == 1
    assert [line.split()[0] for line in err.splitlines()] == ['Building', 'train', 'val', 'test']


def test_the_build_command_prints_counts_and_folder(workspace: Path):
    command = [sys.executable, '-m', 'engine.commands.dataset', 'build', 'digits', '--config=toy']
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    counts, _, last = done.stdout.splitlines()[-3:]
    assert counts == 'digits/toy 1.0.0: train 30, val 10, test 20'
    assert last == f'dataset: {workspace / "data/digits"}'


def test_the_list_command_prints_datasets(workspace: Path, capsys: pytest.CaptureFixture[str]):
    dataset.list_datasets(as_json=False)
    listed = capsys.readouterr().out
    assert re.search(r'^digits +no +- +1,797 handwritten digits', listed, re.MULTILINE)
    assert re.search(r'^digits/toy +yes +train 30, val 10, test 20 +1,797 hand', listed, re.MULTILINE)


def test_the_build_command_needs_a_name():
    done = subprocess.run(
        [sys.executable, '-m', 'engine.commands.dataset', 'build'],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith('error: build needs the NAME of a dataset')


def test_records_of_more_than_1_gb_are_sorted_in_many_files(
    tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TFDS sorts them in files, for which it wants TensorFlow, and each file in memory."""
    from tensorflow_datasets.core import shuffle

    lengths: list[int] = []

    class Counted(shuffle._Bucket):
        def read_values(self) -> Any:
            lengths.append(len(self))
            return super().read_values()

    monkeypatch.setattr(shuffle, 'MAX_MEM_BUFFER_SIZE', 100)
    monkeypatch.setattr(shuffle, '_Bucket', Counted)
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    data = load('digits/toy')
    assert sum(lengths) == sum(TOY.values())
    assert max(lengths) == 1
    assert not [*tmp_path.rglob('bucket_*')]
    monkeypatch.setenv('WORKSPACE', str(built))
    assert data.fingerprint == load('digits/toy').fingerprint  # the same examples, in the same order
