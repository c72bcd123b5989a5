"""The dataset `text:<file>`: windows of a text, and of a folder of texts."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.datasets.catalogue.names import DatasetName
from engine.datasets.checks import check
from engine.datasets.load import load
from engine.datasets.reading.dataset import Dataset
from engine.datasets.text import documents, options
from engine.datasets.text.options import TextOptions
from engine.datasets.text.vocabulary import Vocabulary
from engine.errors import UserError
from engine.training.validation.evaluation_set import EvaluationSet
from engine.training.validation.validation_sets import load_sets

TEXT = ''.join(
    f'{number}. Ein Satz über Wörter, 🐝 und {number * number} Zahlen.\r\n' for number in range(60)
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A text, and a temporary workspace."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    (tmp_path / 'words.txt').write_bytes(TEXT.encode())
    return tmp_path / 'words.txt'


def folder_of(folder: Path, texts: dict[str, str]) -> Path:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return folder


def rejoined(data: Dataset, split: str) -> str:
    """Returns the text of a split's windows: the first token of all but the first occurs twice."""
    arrays, vocabulary = data.split(split).arrays, Vocabulary.of(data.spec.notes)
    rows = [row[:length].tolist() for row, length in zip(arrays['text'], arrays['length'], strict=True)]
    assert all(one[-1] == two[0] for one, two in pairwise(rows))
    return vocabulary.decode([rows[0][0], *(token for row in rows for token in row[1:])])


@pytest.mark.parametrize(
    'choice', ['', '?vocabulary=bytes&length=7', '?vocabulary=bpe&size=300&length=64', '?length=9999']
)
def test_each_part_is_the_text_and_each_token_is_predicted_once(file: Path, choice: str) -> None:
    data = load(f'text:{file}{choice}')
    cut = len(TEXT) * 9 // 10
    half = (len(TEXT) - cut) // 2
    expected = {'train': TEXT[:cut], 'val': TEXT[cut : cut + half], 'test': TEXT[cut + half :]}
    assert {split: rejoined(data, split) for split in data.splits} == expected
    assert data.spec.notes['given_tokens'] == 1
    vocabulary = Vocabulary.of(data.spec.notes)
    for split in data.splits:
        examples = data.split(split)
        for identity, row, length in zip(examples.ids, *examples.arrays.values(), strict=True):
            name, _, offset = identity.rpartition(':')
            assert name == 'words.txt'
            assert file.read_bytes()[int(offset) :].startswith(vocabulary.decode_bytes(row[:length].tolist()))
            assert not row[length:].any()


def test_the_vocabulary_is_learned_from_the_training_part_alone(file: Path) -> None:
    file.write_text(TEXT + 'ÄÄÄÄ', encoding='utf-8')
    data = load(f'text:{file}')
    assert 'Ä' not in Vocabulary.of(data.spec.notes).pieces
    assert rejoined(data, 'test').endswith('ÄÄÄÄ')


def test_the_vocabulary_lies_beside_the_arrays_and_counts_in_the_fingerprint(file: Path) -> None:
    first = load(f'text:{file}')
    assert Vocabulary.read(first.folder).notes() == first.spec.notes['vocabulary']
    changed = {'ü': 'ä', 'ö': 'ü', 'ä': 'ö'}  # the tokens stay
    file.write_bytes(''.join(changed.get(character, character) for character in TEXT).encode())
    other = load(f'text:{file}')
    assert other.fingerprint != first.fingerprint


@pytest.mark.parametrize('choice', ['?vocabulary=bytes', '?length=255', '?vocabulary=bpe&size=300'])
def test_options_and_content_make_other_data_and_their_order_does_not(file: Path, choice: str) -> None:
    plain, other, same = (
        load(f'text:{file}{name}') for name in ('', choice, '?vocabulary=characters&length=256')
    )
    assert plain.fingerprint == same.fingerprint != other.fingerprint
    assert DatasetName.parse(plain.name).slug == DatasetName.parse(same.name).slug
    assert DatasetName.parse(plain.name).slug != DatasetName.parse(other.name).slug


def test_an_evaluation_set_of_another_vocabulary_is_refused(file: Path, tmp_path: Path) -> None:
    (tmp_path / 'other.txt').write_bytes(TEXT.replace('ö', 'ø').encode())
    other = EvaluationSet(dataset=f'text:{tmp_path / "other.txt"}')
    data = load(f'text:{file}')
    with pytest.raises(UserError, match=r"'text-other.* does not fit .* its note 'vocabulary' is another"):
        load_sets([other], data, load, None, ())
    same = load_sets([EvaluationSet(dataset=f'text:{file}?length=256')], data, load, None, ())
    assert len(same.sets) == 1


def test_documents_of_a_folder_are_never_joined(file: Path, tmp_path: Path) -> None:
    texts = {f'{number // 7}/{number:02}.txt': f'{number}: {TEXT[:40]}' for number in range(30)}
    folder = folder_of(tmp_path / 'books', texts | {'empty.txt': '', 'notes.pdf': 'x', '.hidden.txt': 'x'})
    data = load(f'text:{folder}?length=16')
    vocabulary, found = Vocabulary.of(data.spec.notes), dict.fromkeys(texts, '')
    names: dict[str, set[str]] = {}
    for split in data.splits:
        examples = data.split(split)
        for identity, row, length in zip(examples.ids, *examples.arrays.values(), strict=True):
            name, _, offset = identity.rpartition(':')
            names.setdefault(split, set()).add(name)
            found[name] += vocabulary.decode(row[1 if int(offset) else 0 : length].tolist())
    assert found == texts
    assert sum(map(len, names.values())) == 30
    assert len(names['val']) <= 5 >= len(names['test'])
    assert check.faults(f'text:{folder}?length=16') == []


@pytest.mark.parametrize('count', [3, 4, 9])
def test_few_documents_still_make_three_splits(tmp_path: Path, count: int) -> None:
    for seed in range(20):
        folder = folder_of(tmp_path / str(seed), {f'{seed}-{number}.txt': 'text' for number in range(count)})
        splits = documents.find(folder).split()
        assert all(splits.values())
        assert sum(map(len, splits.values())) == count


def test_it_is_checked_explored_and_built_by_programs(file: Path, program: Any) -> None:
    name = f'text:{file}?length=32&vocabulary=bpe&size=300'
    code, out, _ = program('dataset', 'build', name)
    assert (code, 'vocabulary: bpe, 300 tokens' in out) == (0, True)
    code, out, err = program('dataset', 'check', name)
    assert code == 0, out + err
    code, out, _ = program('dataset', 'explore', name)
    page = Path(out.strip().removeprefix('page: ')).read_text(encoding='utf-8')
    assert '<h1>Dataset words.txt</h1>' in page
    assert '🐝' in page
    assert '33 tokens' in page


def test_a_byte_order_mark_is_not_text(file: Path) -> None:
    file.write_bytes(documents.BOM + TEXT.encode())
    assert rejoined(data := load(f'text:{file}'), 'train').startswith('0. Ein')
    assert data.split('train').ids[0] == 'words.txt:3'


def write(file: Path, content: bytes) -> str:
    file.write_bytes(content)
    return str(file)


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('text:', 'names no file'),
        ('text:?length=3', 'names no file'),
        ('text:{file}s', r"no file .*words\.txts\. Did you mean 'words\.txt'"),
        ('text:{folder}/none', 'is a folder without texts'),
        ('text:{file}?lenght=3', "no option 'lenght'. Did you mean 'length'"),
        ('text:{file}?length=1', 'length=1: it must be a whole number of at least 2'),
        ('text:{file}?length=-4', 'whole number of at least 2'),
        ('text:{file}?length=', 'whole number of at least 2'),
        ('text:{file}?length=٣', 'whole number of at least 2'),
        ('text:{file}?length=6.4', 'whole number of at least 2'),
        ('text:{file}?length=64&length=64', 'the option length occurs twice'),
        ('text:{file}?vocabulary=char', "no vocabulary 'char'. Did you mean 'characters'"),
        ('text:{file}?size=300', 'size is that of vocabulary=bpe'),
        ('text:{file}?vocabulary=bpe&size=3', 'Raise the size'),
        ('text:{folder}/empty.txt', r'empty\.txt is empty'),
        ('text:{folder}/short.txt', 'holds 39 characters. A text needs at least 40'),
        (
            'text:{folder}/latin.txt',
            r'is not UTF-8: byte 41 is 0xe9\. Convert it, for example: iconv -f LATIN1',
        ),
        ('text:{folder}/wide.txt', 'byte 0 is 0xff. It begins as UTF-16 does. Convert'),
        ('text:{folder}/image.txt', 'probably not a text'),
        ('text:{folder}/two', 'holds 2 texts that are not empty. A folder needs at least 3'),
    ],
)
def test_mistakes_are_named(file: Path, tmp_path: Path, name: str, message: str) -> None:
    contents = {
        'empty.txt': b'',
        'short.txt': b'x' * 39,
        'latin.txt': ('é' * 20 + 'x').encode() + 'é'.encode('latin1') + b'x' * 40,
        'wide.txt': TEXT.encode('utf-16'),
        'image.txt': b'x' * 50 + b'\x00\xff\xd8',
    }
    for other, content in contents.items():
        write(tmp_path / other, content)
    (tmp_path / 'none').mkdir()
    folder_of(tmp_path / 'two', {'a.txt': TEXT, 'b.txt': TEXT, 'c.txt': ''})
    with pytest.raises(UserError, match=message):
        load(name.format(file=file, folder=tmp_path))


def test_defaults() -> None:
    assert options.parse('') == TextOptions(256, 'characters', 0)
    assert options.parse('vocabulary=bpe') == TextOptions(256, 'bpe', 4096)


def test_a_relative_path_starts_at_the_repository(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    data = load('text:LICENSE?length=100')
    assert data.split('train').ids[0] == 'LICENSE:0'
    assert data.split('train').arrays['text'].dtype == np.uint8
