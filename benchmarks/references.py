"""The references of `benchmarks.inputs`: tf.data and Grain, in a process with an environment of its own.

    .venv-benchmarks/bin/python benchmarks/references.py FOLDER one|all

The folder holds the small images and the JPEGs. The process uses one CPU or all of them. Each line of
standard input names a candidate. The process answers with the candidate's images per second. With one CPU,
these are seconds of CPU time. With all CPUs, these are seconds of the wall clock.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BATCH_SIZE, JPEG_BATCH_SIZE = 128, 64
SECONDS = 2.0  # of each measurement

folder, cpus = Path(sys.argv[1]), sys.argv[2]
if cpus == 'one':
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'

import grain.python as grain  # noqa: E402 (the number of CPUs is set first)  # type: ignore[import-not-found]
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402  # type: ignore[import-not-found]

clock = time.process_time if cpus == 'one' else time.perf_counter
PARALLEL_CALLS = 1 if cpus == 'one' else tf.data.AUTOTUNE


def small_images() -> tuple[np.ndarray, np.ndarray]:
    """Returns the small images, uint8 [n, 32, 32, 3], and their labels, int32 [n]."""
    return np.load(folder / 'image.npy'), np.load(folder / 'label.npy')


def tfrecords() -> str:
    """Returns the path of the small images as TFRecords of PNG. The first call writes the file."""
    path = folder / 'small.tfrecord'
    if not path.exists():
        with tf.io.TFRecordWriter(str(path)) as writer:
            for image, label in zip(*small_images(), strict=True):
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


def parse(record: Any) -> dict[str, Any]:
    """Returns the image, uint8 [32, 32, 3], and the label, int64 [], of a record."""
    features = {'image': tf.io.FixedLenFeature([], tf.string), 'label': tf.io.FixedLenFeature([], tf.int64)}
    example = tf.io.parse_single_example(record, features)
    image = tf.ensure_shape(tf.io.decode_png(example['image'], channels=3), [32, 32, 3])
    return {'image': image, 'label': example['label']}


def tf_data() -> Iterator[Any]:
    """Yields batches from TFRecords, which are decoded in every epoch."""
    data = tf.data.TFRecordDataset(tfrecords()).shuffle(10_000).repeat().map(parse, PARALLEL_CALLS)
    return data.batch(BATCH_SIZE, drop_remainder=True).prefetch(PARALLEL_CALLS).as_numpy_iterator()


def tf_data_cached() -> Iterator[Any]:
    """Yields batches from TFRecords, which are decoded once and kept in memory."""
    data = tf.data.TFRecordDataset(tfrecords()).map(parse, PARALLEL_CALLS).cache().shuffle(10_000).repeat()
    return data.batch(BATCH_SIZE, drop_remainder=True).prefetch(PARALLEL_CALLS).as_numpy_iterator()


class _SmallImages:
    """A data source of Grain: the small images, decoded and in memory."""

    def __init__(self) -> None:
        self._images, self._labels = small_images()

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: Any) -> dict[str, Any]:
        return {'image': self._images[index], 'label': self._labels[index]}


def grain_loader() -> Iterator[Any]:
    """Yields batches of the decoded images from Grain's DataLoader."""
    source = _SmallImages()
    sampler = grain.IndexSampler(
        len(source), grain.ShardOptions(0, 1, drop_remainder=True), shuffle=True, seed=0
    )
    operations = [grain.Batch(BATCH_SIZE, drop_remainder=True)]
    loader = grain.DataLoader(
        data_source=source,
        sampler=sampler,
        operations=operations,
        worker_count=0,
        read_options=grain.ReadOptions(0, 0),  # threads of the loader make it eight times slower here
    )
    return iter(loader)


def random_crop(data: Any) -> Any:
    """Returns a random crop of a JPEG, uint8 [224, 224, 3]."""
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
    """Yields batches of random crops of the JPEGs, whose files are in memory."""
    data = tf.data.Dataset.from_tensor_slices([path.read_bytes() for path in sorted(folder.glob('*.jpg'))])
    data = data.cache().shuffle(1000).repeat().map(random_crop, PARALLEL_CALLS)
    return data.batch(JPEG_BATCH_SIZE).prefetch(1).as_numpy_iterator()


CANDIDATES: dict[str, Callable[[], Iterator[Any]]] = {
    'tf.data': tf_data,
    'tf.data, cached': tf_data_cached,
    'Grain': grain_loader,
    'tf.data, JPEG': tf_data_jpeg,
}
# Batches that a candidate reads before its first measurement, if not 5. The cache has to be full.
WARMUP_BATCHES = {'tf.data, cached': 20_000 // BATCH_SIZE + 2}


def main() -> None:
    """Measures the candidates that standard input names, one after the other."""
    iterators: dict[str, Iterator[Any]] = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in iterators:
            iterators[name] = CANDIDATES[name]()
            for _ in range(WARMUP_BATCHES.get(name, 5)):
                next(iterators[name])
        images, start = 0, clock()
        while (seconds := clock() - start) < SECONDS:
            batch = next(iterators[name])
            images += len(batch['image'] if isinstance(batch, dict) else batch)
        print(images / seconds, flush=True)
    os._exit(0)  # threads of TensorFlow may block a normal exit


if __name__ == '__main__':
    main()
