"""The built standard library equals the installed files."""

import sysconfig
from pathlib import Path

import numpy as np
import pytest

from data.stdlib import explore, original
from data.stdlib.stdlib_dataset_builder import Builder
from engine.datasets.building import checksums
from engine.datasets.catalogue import builders
from engine.datasets.checks import check
from engine.datasets.load import load, prepare
from engine.datasets.reading.dataset import Dataset, Examples
from engine.errors import UserError

FOLDER = Path(original.__file__).parent
COUNTS = {
    'stdlib': {'train': 16384, 'val': 1024, 'test': 1024},
    'stdlib/toy': {'train': 32, 'val': 8, 'test': 8},
}


@pytest.fixture(scope='module')
def workspace(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp('workspace')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('WORKSPACE', str(folder))
        yield folder


@pytest.fixture(scope='module', params=COUNTS)
def dataset(workspace: Path, request: pytest.FixtureRequest) -> Dataset:
    return load(request.param)


def bytes_of(examples: Examples, index: int) -> bytes:
    """Returns the text of a window without padding, computed byte by byte."""
    example = examples.example(index)
    assert not example['text'][example['length'] :].any()
    return bytes(example['text'][: example['length']].tolist())


def test_counts_and_shapes(dataset: Dataset):
    assert dataset.splits == COUNTS[dataset.name]
    assert {name: (field.shape, field.dtype) for name, field in dataset.spec.example.items()} == {
        'text': ((256,), np.uint8),
        'length': ((), np.int32),
    }


def test_each_window_is_in_its_file_and_in_no_other_split(dataset: Dataset, workspace: Path):
    installed = Path(sysconfig.get_path('stdlib'))
    sources = installed if dataset.name == 'stdlib' else FOLDER / 'toy' / 'Lib'
    seen = set()
    for split in dataset.splits:
        examples = dataset.split(split)
        for index, identity in enumerate(examples.ids):
            file, _, number = identity.partition(':')
            text = bytes_of(examples, index)
            assert text == (sources / file).read_bytes()[256 * int(number) :][:256]
            assert len(text) >= 128
            seen.add(text)
    assert len(seen) == sum(dataset.splits.values())


def test_ids_are_sorted_and_a_module_is_in_one_split(dataset: Dataset):
    modules = {}
    for split in dataset.splits:
        ids = dataset.split(split).ids
        assert ids == sorted(set(ids))
        modules[split] = {identity.split(':')[0].split('/')[0].removesuffix('.py') for identity in ids}
        assert {original.split(identity) for identity in ids} == {split}
    assert sum(map(len, modules.values())) == len(set().union(*modules.values()))
    if dataset.name == 'stdlib':
        assert min(map(len, modules.values())) > 15


def test_splits_never_change():
    splits = {'json/decoder.py:0003': 'train', 'functools.py:0000': 'val', 'inspect.py:0101': 'test'}
    assert {identity: original.split(identity) for identity in splits} == splits


def test_tests_and_excluded_modules_are_not_copied(workspace: Path):
    prepare('stdlib')
    copied = {path.name for path in (workspace / 'data/stdlib/raw/Lib').rglob('*')}
    assert not copied & {'test', 'tests', '__pycache__', 'site-packages', 'encodings', 'idlelib', 'tkinter'}
    assert {'json', 'asyncio', 'typing.py'} <= copied


def library(folder: Path, **files: bytes) -> Path:
    """Writes a library of a few modules."""
    (folder / 'Lib').mkdir(parents=True)
    (folder / 'python.txt').write_text('3.99.1\n')
    for name, content in files.items():
        (folder / 'Lib' / f'{name}.py').write_bytes(content)
    return folder


def test_a_window_has_256_bytes_or_ends_a_file_with_at_least_128(tmp_path: Path):
    lengths = {'a': 127, 'b': 128, 'c': 256 + 127, 'd': 2 * 256 + 128}
    files = {name: np.random.default_rng(length).bytes(length) for name, length in lengths.items()}
    windows = list(original.windows(library(tmp_path, **files)))
    assert [identity for identity, _, _ in windows] == [
        'b.py:0000',
        'c.py:0000',
        'd.py:0000',
        'd.py:0001',
        'd.py:0002',
    ]
    assert [len(original.read(file, index)) for _, file, index in windows] == [128, 256, 256, 256, 128]


def test_only_the_first_of_equal_windows_is_kept(tmp_path: Path):
    folder = library(tmp_path, a=b'x' * 512, b=b'x' * 256 + b'y' * 256)
    assert [identity for identity, _, _ in original.windows(folder)] == ['a.py:0000', 'b.py:0001']


def test_an_incomplete_library_is_refused(tmp_path: Path):
    folder = library(tmp_path, json=b'x' * 256)
    with pytest.raises(UserError, match=r'has 1 windows for train, and 2 are needed.* Python 3\.99\.1'):
        original.select_windows(folder, {'train': 2, 'val': 0, 'test': 0})


def test_damage_is_detected_without_stated_checksums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    raw = builders.builder('stdlib').originals()
    (raw / 'Lib/json/decoder.py').write_text('changed')
    with pytest.raises(UserError, match=r'raw/Lib differs from .*changed or damaged since it was fetched'):
        load('stdlib')


def test_the_checksums_check_is_skipped_with_a_reason(workspace: Path):
    findings = {finding.check: finding for finding in check.run(check.DatasetUnderTest('stdlib'))}
    version = original.version(workspace / 'data/stdlib/raw')
    assert {name for name, finding in findings.items() if finding.verdict != check.OK} == {
        'checksums',
        'labels',
    }
    assert findings['checksums'].verdict == findings['labels'].verdict == check.SKIPPED
    assert f'come with Python {version},' in findings['checksums'].message


def test_all_checks_pass_on_toy(workspace: Path):
    findings = check.run(check.DatasetUnderTest('stdlib/toy'))
    assert [
        f'{finding.check}: {finding.message}' for finding in findings if finding.verdict == check.WRONG
    ] == []


def test_registered_checksums_are_those_of_toy(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    builders = [prepare(name) for name in COUNTS]
    monkeypatch.setattr(Builder, 'home', classmethod(lambda _: tmp_path))
    Builder.register_checksums(builders)
    assert (tmp_path / 'checksums.tsv').read_text() == (FOLDER / 'checksums.tsv').read_text()
    assert [*checksums.stated(FOLDER / 'checksums.tsv', 'toy')] == ['Lib', 'python.txt']
    assert not checksums.stated(FOLDER / 'checksums.tsv', 'full')


def test_bits_per_byte_match_probabilities_computed_by_hand():
    train, test, trust = [b'abab', b'b'], [b'ab', b'c'], explore.PRIOR_COUNT
    a, b, c = ((count + trust / 256) / (5 + trust) for count in (2, 3, 0))
    b_after_a = (2 + trust * b) / (2 + trust)
    for order, expected in {0: [a, b, c], 1: [a, b_after_a, c]}.items():
        assert explore.bits_per_byte(train, test, order) == pytest.approx(-np.log2(expected).mean())
