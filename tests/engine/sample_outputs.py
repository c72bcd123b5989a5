"""Small outputs of every kind, as a poor model would write them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from engine import outputs
from engine.kinds.texts import labels, stored

EXAMPLES, CLASSES, TAGS = 8, 3, ['O', 'B-x', 'I-x']
UNCLASSIFIED = ('image', 'generation', 'language', 'regression', 'texts', 'dense')
STATED = {'kind', 'project', 'run', 'step', 'dataset', 'split', 'class_names', 'details'}


def arrays(kind: str, seed: int = 0, examples: int = EXAMPLES) -> dict[str, np.ndarray]:
    """Returns random arrays of a kind, with the truth, which is the same for every seed."""
    truth, random = np.random.default_rng(0), np.random.default_rng([seed, 1])
    return {
        'classification': _classification,
        'segmentation': _segmentation,
        'detection': _detection,
        'image': _image,
        'generation': _generation,
        'language': _language,
        'regression': _regression,
        'multilabel': _multilabel,
        'embeddings': _embeddings,
        'dense': _dense,
        'texts': _texts,
        'tagging': _tagging,
    }[kind](truth, random, examples)


def write(folder: Path, kind: str, seed: int = 0, **more: Any) -> Path:
    """Writes outputs of a kind; `more` goes to `outputs.write`."""
    written = more.pop('arrays', None) or arrays(kind, seed)
    given: dict[str, Any] = {
        'ids': [f'example {index}' for index in range(EXAMPLES)],
        'class_names': [] if kind in UNCLASSIFIED else TAGS if kind == 'tagging' else list('abc'),
        'meanings': dict.fromkeys(written, 'of the test'),
        'dataset': 'noise',
        'split': 'test',
    }
    write_stated(folder, kind=kind, arrays=written, **given | more)
    return folder


def write_stated(folder: Path, **given: Any) -> None:
    """Calls `outputs.write` with a manifest of those keywords that are its attributes."""
    manifest = {name: given.pop(name) for name in STATED & given.keys()}
    outputs.write(folder, outputs.Manifest(**manifest), **given)


def seal(folder: Path) -> None:
    """States all files as they are, as a careless writer would have."""
    manifest = json.loads((folder / 'manifest.json').read_text())
    for name in manifest['files']:
        content = (folder / name).read_bytes()
        manifest['files'][name] = {'bytes': len(content), 'sha256': hashlib.sha256(content).hexdigest()}
    (folder / 'manifest.json').write_text(json.dumps(manifest))


def _classification(truth: np.random.Generator, random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    labels = truth.integers(CLASSES, size=n, dtype=np.int32)
    return {'logits': random.normal(size=(n, CLASSES)).astype(np.float32), 'labels': labels}


def _segmentation(truth: np.random.Generator, random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    shape = (n, 5, 6)
    return {
        'masks': random.integers(CLASSES, size=shape, dtype=np.uint8),
        'targets': truth.integers(CLASSES, size=shape, dtype=np.uint8),
    }


def _detection(truth: np.random.Generator, random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    corners = truth.uniform(0, 50, (20, 2))
    targets = np.concatenate([corners, corners + 20], axis=1)
    of_targets = {
        'target_classes': truth.integers(CLASSES, size=20, dtype=np.int32),
        'target_example': truth.integers(n, size=20, dtype=np.int32),
    }
    return {
        'boxes': (targets + random.uniform(-5, 5, targets.shape)).astype(np.float32),
        'scores': random.random(20).astype(np.float32),
        'classes': random.integers(CLASSES, size=20, dtype=np.int32),
        'example': of_targets['target_example'],
        'target_boxes': targets.astype(np.float32),
        **of_targets,
    }


def _image(truth: np.random.Generator, random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    shape = (n, 12, 12, 3)
    return {
        'images': random.integers(256, size=shape, dtype=np.uint8),
        'targets': truth.integers(256, size=shape, dtype=np.uint8),
    }


def _generation(truth: np.random.Generator, random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    return {
        'samples': random.integers(256, size=(n, 4, 4, 1), dtype=np.uint8),
        'features': random.normal(size=(n, 3)).astype(np.float32),
        'reference_features': truth.normal(size=(10, 3)).astype(np.float32),
    }


def _language(truth: np.random.Generator, random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    lengths = truth.integers(1, 50, n, dtype=np.int32)
    return {'log_probs': -(random.random(n) * lengths).astype(np.float32), 'lengths': lengths}


def _regression(truth: np.random.Generator, random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    return {
        name: generator.normal(size=(n, 2)).astype(np.float32)
        for name, generator in (('values', random), ('targets', truth))
    }


def _multilabel(truth: np.random.Generator, random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    targets = truth.integers(-1, 2, (n, CLASSES)).astype(np.int8)
    targets[0] = (1, 0, 1)  # so that one example alone has known labels
    return {'logits': random.normal(size=(n, CLASSES)).astype(np.float32), 'targets': targets}


def _texts(truth: np.random.Generator, random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    words = np.array(['a', 'cat', 'sat', 'on', 'the', 'mat', 'naïve', '猫'])
    references = [' '.join(truth.choice(words, 6)) for _ in range(n)]
    texts = [
        ' '.join(word if random.random() < 0.7 else str(random.choice(words)) for word in reference.split())
        for reference in references
    ]
    data, lengths = stored.store(texts)
    return {'texts': data, 'text_lengths': lengths, **labels.arrays([[each] for each in references])}


def _embeddings(truth: np.random.Generator, random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    labels = truth.integers(CLASSES, size=n, dtype=np.int32)
    return {'embeddings': random.normal(size=(n, 4)).astype(np.float32), 'labels': labels}


def _tagging(truth: np.random.Generator, random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    lengths = truth.integers(1, 6, n, dtype=np.int32)
    lengths[-1] = 5  # so that the last scores are those of a token
    targets = truth.integers(CLASSES, size=(n, 5), dtype=np.int32)
    return {
        'logits': random.normal(size=(n, 5, CLASSES)).astype(np.float32),
        'targets': np.where(np.arange(5) < lengths[:, np.newaxis], targets, -1).astype(np.int32),
        'lengths': lengths,
    }


def _dense(truth: np.random.Generator, random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    targets = truth.uniform(1, 5, size=(n, 6, 8, 1)).astype(np.float32)
    noise = random.uniform(0.5, 2, size=targets.shape).astype(np.float32)
    return {'values': targets * noise, 'targets': np.where(targets > 1.5, targets, np.float32(np.nan))}
