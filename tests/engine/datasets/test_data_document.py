"""The builders of docs/data.md read files of their authors' layout, and its expressions are built."""

import json
import re
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.config.config import Config
from engine.datasets.load import load
from engine.training.trainer import Trainer
from engine.workspace import REPOSITORY
from tests.engine.datasets.test_new import call
from tests.engine.recipes.recipes import FILE
from tests.engine.test_readme import clone

DOCUMENT = (REPOSITORY / 'docs/data.md').read_text(encoding='utf-8')
EXPRESSIONS = re.compile(r'^```gin\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SHOW = """
import json, sys
from engine.datasets.load import load

for name in sys.argv[1:]:
    data = load(name)
    arrays = data.split('train').arrays
    shown = {field: [str(array.dtype), *array.shape] for field, array in arrays.items()}
    first = {field: array[0].ravel()[:6].tolist() for field, array in arrays.items()}
    print(json.dumps([name, data.splits, shown, first, {**data.spec.notes}, {**data.encoded}]))
"""


def write_wildlife(raw: Path) -> None:
    rows = ['file,species,split']
    for number, species in enumerate(['fox', 'hare', 'owl', 'fox']):
        noise = np.random.default_rng(number).integers(0, 256, (20 + number, 30, 3), np.uint8)
        Image.fromarray(noise).save(raw / f'{number}.png')
        rows.append(f'{number}.png,{species},{"val" if number == 3 else "train"}')
    (raw / 'wildlife.csv').write_text('\n'.join(rows))


def write_penguins(raw: Path) -> None:
    rows = [
        'a,train,40,18,Biscoe,3500',
        'b,train,NA,20,Dream,4000',
        'c,train,44,16,Dream,4500',
        'd,val,40,17,Torgersen,4000',
    ]
    (raw / 'penguins.csv').write_text(
        '\n'.join(['id,split,bill,depth,island,mass', *rows]), encoding='utf-8-sig'
    )


def write_reviews(raw: Path) -> None:
    rows = ['a,train,good,"Fine, really."', 'b,train,bad,Dull', 'c,val,good,Ünder']
    (raw / 'reviews.csv').write_text('\n'.join(['id,split,verdict,text', *rows]), encoding='utf-8')


def write_words(raw: Path) -> None:
    for word in ('no', 'yes'):
        (raw / word).mkdir()
        for number in range(5):
            with wave.open(str(raw / word / f'{number}.wav'), 'wb') as recording:
                recording.setparams((1, 2, 16000, 0, 'NONE', ''))
                recording.writeframes(np.arange(number * 5000, dtype='<i2').tobytes())


def write_street(raw: Path) -> None:
    for split in ('train', 'val'):
        (raw / split).mkdir()
        noise = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
        Image.fromarray(noise).save(raw / split / '0.png')
        (raw / split / '0.json').write_text(json.dumps([[1, 2, 11, 12, 'car'], [3, 4, 5, 6, 'person']]))


WRITERS: dict[str, Callable[[Path], None]] = {
    'wildlife': write_wildlife,
    'penguins': write_penguins,
    'reviews': write_reviews,
    'words': write_words,
    'street': write_street,
}


@pytest.fixture(scope='module')
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each dataset holds, by name: splits, fields, the first example, notes, encoded fields."""
    root = clone(tmp_path_factory.mktemp('copy') / 'repository')
    for path, text in FILE.findall(DOCUMENT):
        (root / path).parent.mkdir()
        (root / path).write_text(text, encoding='utf-8')
    for name, write in WRITERS.items():
        files, raw = root.parent / name, root / 'workspace/data' / name / 'raw'
        files.mkdir()
        write(files)
        raw.parent.mkdir(parents=True)
        raw.symlink_to(files)
    lines = [
        json.loads(line) for line in call(root, '-c', SHOW, *WRITERS).splitlines() if line.startswith('[')
    ]
    return {name: values for name, *values in lines}


def test_each_builder_is_read(shown: dict[str, Any]) -> None:
    assert {path.split('/')[1] for path, _ in FILE.findall(DOCUMENT)} == WRITERS.keys() == shown.keys()


def test_images_of_varying_size(shown: dict[str, Any]) -> None:
    splits, fields, first, _, encoded = shown['wildlife']
    assert (splits, fields, first) == (
        {'train': 3, 'val': 1},
        {'label': ['int32', 3]},
        {'label': [0]},
    )
    assert encoded == {'image': 3}


def test_a_table(shown: dict[str, Any]) -> None:
    _, fields, first, notes, _ = shown['penguins']
    assert fields == {'features': ['float32', 3, 5], 'targets': ['float32', 3, 1]}
    assert first == {'features': [40, 18, 1, 0, 0], 'targets': [3500]}
    assert notes == {'mean': [42, 18], 'deviation': [2, pytest.approx((8 / 3) ** 0.5)]}


def test_texts(shown: dict[str, Any]) -> None:
    _, fields, first, notes, _ = shown['reviews']
    assert fields == {'label': ['int32', 2], 'length': ['int32', 2], 'text': ['uint8', 2, 128]}
    assert (first['length'], bytes(first['text'])) == ([13], b'Fine, ')
    assert notes['vocabulary']['kind'] == 'bytes'


def test_audio(shown: dict[str, Any]) -> None:
    splits, fields, first, _, _ = shown['words']
    assert splits == {'train': 8, 'val': 2}
    assert fields['samples'] == ['int16', 8, 16000]
    assert first['length'][0] in {0, 5000, 10000, 15000, 16000}


def test_boxes(shown: dict[str, Any]) -> None:
    _, fields, first, _, _ = shown['street']
    assert (fields['boxes'], fields['classes']) == (['float32', 1, 20, 4], ['int32', 1, 20])
    assert (first['boxes'], first['classes']) == ([1, 2, 11, 12, 3, 4], [1, 2, -1, -1, -1, -1])


def test_expressions(config_file: Any, tmp_path: Path) -> None:
    blocks = EXPRESSIONS.findall(DOCUMENT)
    assert blocks
    for number, block in enumerate(blocks):
        file = tmp_path / f'{number}.gin'
        file.write_text(f"include '{config_file()}'\nfrom __gin__ import dynamic_registration\n{block}")
        data = Config([file]).build(Trainer).data
        assert data.splits['train'] == load('digits').splits['train'] + 20
