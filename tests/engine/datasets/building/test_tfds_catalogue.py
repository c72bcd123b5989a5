"""TFDS's own builders, on small files in the original formats that its own downloader fetches from here."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from tensorflow_datasets.image_classification import cifar, mnist

from engine.datasets.building import build, tfds_catalogue, without_tensorflow
from engine.datasets.load import load
from engine.errors import UserError
from tests.conftest import Program

RANDOM = np.random.default_rng(0)
DIGITS = {part: RANDOM.integers(0, 256, (n, 28, 28), np.uint8) for part, n in (('train', 40), ('t10k', 10))}
CLASSES = b'airplane automobile bird cat deer dog frog horse ship truck'.split()
PHOTOS = RANDOM.integers(0, 256, (60, 3, 32, 32), np.uint8)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture(scope='module')
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that has both datasets, as their authors publish them."""
    folder = tmp_path_factory.mktemp('served')
    write_digits(folder)
    write_photos(folder)
    served = ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=str(folder)))
    Thread(target=served.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{served.server_port}/'
    served.shutdown()
    served.server_close()


def write_digits(folder: Path) -> None:
    """Writes MNIST's four files: IDX, compressed."""
    for part, images in DIGITS.items():
        sizes = b''.join(size.to_bytes(4) for size in images.shape)
        data = {'images-idx3': b'\0\0\x08\3' + sizes + images.tobytes()}
        labels = np.arange(len(images), dtype=np.uint8) % 10
        data['labels-idx1'] = b'\0\0\x08\1' + len(images).to_bytes(4) + labels.tobytes()
        for name, content in data.items():
            (folder / f'{part}-{name}-ubyte.gz').write_bytes(gzip.compress(content))


def write_photos(folder: Path) -> None:
    """Writes CIFAR-10's archive: five batches to train on and one to test, a label before each image."""
    rows = [bytes([index % 10]) + image.tobytes() for index, image in enumerate(PHOTOS)]
    names = [*(f'data_batch_{number}.bin' for number in range(1, 6)), 'test_batch.bin']
    files = {name: b''.join(rows[10 * place : 10 * place + 10]) for place, name in enumerate(names)}
    files['batches.meta.txt'] = b'\n'.join(CLASSES)
    with tarfile.open(folder / 'cifar-10-binary.tar.gz', 'w:gz') as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f'cifar-10-batches-bin/{name}')
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


@pytest.fixture
def workspace(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of one's own; both datasets come from the server and are as small as there."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    monkeypatch.setattr(mnist.MNIST, 'URL', server)
    monkeypatch.setattr(mnist, '_TRAIN_EXAMPLES', 40)
    monkeypatch.setattr(mnist, '_TEST_EXAMPLES', 10)
    info: Any = vars(cifar.Cifar10)['_cifar_info'].fget(SimpleNamespace(name='cifar10'))
    monkeypatch.setattr(cifar.Cifar10, '_cifar_info', info._replace(url=f'{server}cifar-10-binary.tar.gz'))
    return tmp_path / 'workspace'


def drawn(count: int) -> dict[str, int]:
    """The numbers of examples if those of train are drawn by the digests of their names."""
    digests = (hashlib.sha256(f'train-{index:07}'.encode()).hexdigest() for index in range(count))
    val = sum(int(digest[:16], 16) % 10 == 0 for digest in digests)
    return {'train': count - val, 'val': val, 'test': 10}


def test_mnist_has_all_images_once(workspace: Path) -> None:
    data = load('tfds:mnist')
    assert data.splits == drawn(40)
    assert data.spec.example['image'].shape == (28, 28, 1)
    assert data.spec.class_names == {'label': tuple(map(str, range(10)))}
    images = np.concatenate([data.split(split).arrays['image'] for split in ('train', 'val')])
    as_bytes = {image.tobytes() for image in images}
    assert as_bytes == {image.tobytes() for image in DIGITS['train']}
    identities = [identity for split in data.splits for identity in data.split(split).ids]
    assert len(set(identities)) == 50


def test_cifar_keeps_names_and_labels(workspace: Path) -> None:
    data = load('tfds:cifar10')
    assert data.splits == drawn(50)
    assert data.spec.class_names['label'][3] == 'cat'
    test = data.split('test')
    for identity, image, label in zip(test.ids, test.arrays['image'], test.arrays['label'], strict=True):
        number = int(identity.removeprefix('test_'))
        np.testing.assert_array_equal(image, PHOTOS[50 + number].transpose(1, 2, 0))
        assert label == number


def test_the_fingerprint_does_not_depend_on_the_workspace(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load('tfds:cifar10').fingerprint
    monkeypatch.setenv('WORKSPACE', f'{workspace}-2')
    assert load('tfds:cifar10').fingerprint == first


def test_check_explore_and_train_accept_mnist(workspace: Path, program: Program, tmp_path: Path) -> None:
    assert program('dataset', 'check', 'tfds:mnist')[0] == 0
    code, out, _ = program('dataset', 'explore', 'tfds:mnist')
    page = out.rpartition('page: ')[2].strip()
    assert code == 0
    assert 'tfds:mnist' in Path(page).read_text()
    config = tmp_path / 'mnist.gin'
    config.write_text(CONFIG)
    assert program('train', f'--gin_file={config}')[0] == 0
    assert [*(workspace / 'runs').glob('*/tfds-mnist/*/outputs/test')]


CONFIG = """
from __gin__ import dynamic_registration
from engine.training import trainer
from research.models import mlp
from engine.parts import classification
import optax

trainer.Trainer:
  dataset = 'tfds:mnist'
  task = @classification.Classification()
  steps = 3
  batch_size = 8

classification.Classification:
  model = @mlp.MLP
  optimizer = @optax.sgd
  learning_rate = 0.01
"""


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('tfds:mnits', "no dataset 'mnits'. Did you mean 'mnist'"),
        ('tfds:mnist_corrupted/frog', "no config 'frog'.*Did you mean 'fog'"),
        ('tfds:mnist:9.0.0', r'at version 9\.0\.0, only: 3\.0\.1'),
        ('tfds:imagenet2012', 'ILSVRC2012_img_train.tar'),  # TFDS says which file to put where
    ],
)
def test_unknown_names_are_refused(name: str, message: str, workspace: Path) -> None:
    with pytest.raises(UserError, match=message):
        load(name)


def test_a_failed_download_is_reported(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist.MNIST, 'URL', mnist.MNIST.URL + 'nowhere/')
    with pytest.raises(UserError, match='TFDS cannot build mnist'):
        load('tfds:mnist')


class NeedsMore(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A builder that needs TensorFlow for more than opening files."""

    VERSION = tfds.core.Version('1.0.0')

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features.FeaturesDict({'label': tfds.features.ClassLabel(num_classes=2)})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        return {'train': self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, int]]]:
        from tensorflow_datasets.core.utils.lazy_imports_utils import tensorflow as tf

        yield 0, {'label': int(tf.math.add(0, 1))}


def test_a_builder_that_needs_tensorflow_is_refused(tmp_path: Path) -> None:
    builder = tfds_catalogue.AdaptedBuilder(NeedsMore(data_dir=tmp_path))
    with pytest.raises(
        UserError, match=r'needs_more can only be built with TensorFlow, because it uses tf\.math'
    ):
        build._prepare_records(builder)


def test_gfile_replacement_reads_writes_copies_and_lists(tmp_path: Path) -> None:
    tf = without_tensorflow._tensorflow('any')
    with tf.io.gfile.GFile(tmp_path / 'a.txt', 'w') as file:
        file.write('grün')
    with tf.io.gfile.GFile(tmp_path / 'a.txt') as file:
        assert file.read() == 'grün'
    tf.io.gfile.copy(tmp_path / 'a.txt', tmp_path / 'b.txt')
    assert sorted(tf.io.gfile.listdir(tmp_path)) == ['a.txt', 'b.txt']
    assert tf.io.gfile.glob(str(tmp_path / '*')) == [str(tmp_path / 'a.txt'), str(tmp_path / 'b.txt')]
    assert tf.compat.as_text(b'gr\xc3\xbcn') == 'grün'


BUILDER = """
import numpy as np
import tensorflow_datasets as tfds


class Builder(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version('1.0.0')

    def _info(self):
        features = {
            'image': tfds.features.Image(shape=(4, 4, 3)),
            'label': tfds.features.ClassLabel(names=['dark', 'light']),
            'notes': tfds.features.Sequence(tfds.features.Text()),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {'train': self._generate_examples(20), 'validation': self._generate_examples(6)}

    def _generate_examples(self, n):
        for index in range(n):
            image = np.full((4, 4, 3), index, np.uint8)
            yield index, {'image': image, 'label': index % 2, 'notes': ['a', 'b'][: index % 3]}
"""


def test_a_plain_tfds_builder_in_data_is_a_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no ids, no toy and no list of originals. Fields that do not fit into arrays are left out."""
    (tmp_path / 'data/plain').mkdir(parents=True)
    (tmp_path / 'data/plain/plain_dataset_builder.py').write_text(BUILDER)
    monkeypatch.setattr('engine.workspace.REPOSITORY', tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    data = load('plain')
    assert data.splits == {'train': 20, 'val': 6}
    assert data.spec.example.keys() == {'image', 'label'}
    train = data.split('train')
    assert sorted(train.arrays['image'][:, 0, 0, 0]) == list(range(20))
    assert train.ids[:2] == ['train-0000000', 'train-0000001']
