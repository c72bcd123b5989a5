"""What `benchmarks.inputs` compares with: tf.data and Grain, in a process and an environment of their own.

Started with a folder, 'one' or 'all' (CPUs); then each line of its input names a candidate, and a line of its
output tells images per second; of one CPU, per second that it worked for this process.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BATCH, SECONDS = 128, 2.0

folder, cpus = Path(sys.argv[1]), sys.argv[2]
if cpus == 'one':
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'

import grain.python as grain  # noqa: E402 (CPUs first)  # type: ignore[import-not-found]
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402  # type: ignore[import-not-found]

clock = time.process_time if cpus == 'one' else time.perf_counter
AUTO = 1 if cpus == 'one' else tf.data.AUTOTUNE


def small() -> tuple[np.ndarray, np.ndarray]:
    """Returns the small images and their labels."""
    return np.load(folder / 'image.npy'), np.load(folder / 'label.npy')


def records() -> str:
    """Returns the small images as TFRecords of PNG, written on first use."""
    path = folder / 'small.tfrecord'
    if not path.exists():
        with tf.io.TFRecordWriter(str(path)) as writer:
            for image, label in zip(*small(), strict=True):
                png = tf.train.BytesList(value=[tf.io.encode_png(image).numpy()])
                number = tf.train.Int64List(value=[int(label)])
                feature = {
                    'image': tf.train.Feature(bytes_list=png),
                    'label': tf.train.Feature(int64_list=number),
                }
                writer.write(
                    tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
                )
    return str(path)


def parsed(record: Any) -> dict[str, Any]:
    """Returns image and label of a record."""
    features = {'image': tf.io.FixedLenFeature([], tf.string), 'label': tf.io.FixedLenFeature([], tf.int64)}
    example = tf.io.parse_single_example(record, features)
    image = tf.ensure_shape(tf.io.decode_png(example['image'], channels=3), [32, 32, 3])
    return {'image': image, 'label': example['label']}


def tf_data() -> Iterator[Any]:
    """Yields batches from TFRecords, parsed and decoded each time."""
    data = tf.data.TFRecordDataset(records()).shuffle(10_000).repeat()
    return data.map(parsed, AUTO).batch(BATCH, drop_remainder=True).prefetch(AUTO).as_numpy_iterator()


def tf_data_cached() -> Iterator[Any]:
    """Yields batches from TFRecords, decoded once and held in memory."""
    data = tf.data.TFRecordDataset(records()).map(parsed, AUTO).cache().shuffle(10_000).repeat()
    return data.batch(BATCH, drop_remainder=True).prefetch(AUTO).as_numpy_iterator()


class _Small:
    """The small images, decoded and in memory, as Grain reads them."""

    def __init__(self) -> None:
        self._images, self._labels = small()

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: Any) -> dict[str, Any]:
        return {'image': self._images[index], 'label': self._labels[index]}


def grain_loader() -> Iterator[Any]:
    """Yields batches from Grain's DataLoader, of images that are decoded already."""
    source = _Small()
    sampler = grain.IndexSampler(
        len(source), grain.ShardOptions(0, 1, drop_remainder=True), shuffle=True, seed=0
    )
    operations = [grain.Batch(BATCH, drop_remainder=True)]
    loader = grain.DataLoader(
        data_source=source,
        sampler=sampler,
        operations=operations,
        worker_count=0,
        read_options=grain.ReadOptions(0, 0),  # its threads make it eight times slower here
    )
    return iter(loader)


def cropped(data: Any) -> Any:
    """Returns a random part of a JPEG, 224 x 224."""
    box = tf.image.sample_distorted_bounding_box(
        tf.io.extract_jpeg_shape(data),
        tf.zeros([1, 0, 4]),
        area_range=(0.08, 1.0),
        aspect_ratio_range=(3 / 4, 4 / 3),
        max_attempts=10,
        use_image_if_no_bounding_boxes=True,
    )
    window = tf.concat([box[0][:2], box[1][:2]], 0)
    image = tf.io.decode_and_crop_jpeg(data, window, channels=3)
    return tf.cast(tf.image.resize(image, [224, 224]), tf.uint8)


def tf_data_jpeg() -> Iterator[Any]:
    """Yields batches of random parts of the JPEGs, which are in memory."""
    data = tf.data.Dataset.from_tensor_slices([path.read_bytes() for path in sorted(folder.glob('*.jpg'))])
    data = data.cache().shuffle(1000).repeat().map(cropped, AUTO).batch(64).prefetch(1)
    return data.as_numpy_iterator()


CANDIDATES: dict[str, Callable[[], Iterator[Any]]] = {
    'tf.data': tf_data,
    'tf.data, cached': tf_data_cached,
    'Grain': grain_loader,
    'tf.data, JPEG': tf_data_jpeg,
}
WARM = {'tf.data, cached': 20_000 // BATCH + 2}  # batches: the whole set, once


def main() -> None:
    """Answers one candidate after another."""
    begun: dict[str, Iterator[Any]] = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in begun:
            begun[name] = CANDIDATES[name]()
            for _ in range(WARM.get(name, 5)):
                next(begun[name])
        images, start = 0, clock()
        while (seconds := clock() - start) < SECONDS:
            batch = next(begun[name])
            images += len(batch['image'] if isinstance(batch, dict) else batch)
        print(images / seconds, flush=True)
    os._exit(0)  # its threads may keep TensorFlow from ending


if __name__ == '__main__':
    main()
