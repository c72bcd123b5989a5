"""Random detections as COCO's files, outputs of the same, and what pycocotools says of the files."""

import contextlib
import io
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from engine.kinds.detection.box_lists import corners_and_sides

Dataset = dict[str, Any]
NAMES = (
    *('ap', 'ap50', 'ap75', 'ap_small', 'ap_medium', 'ap_large'),
    *('ar_1', 'ar_10', 'ar_100', 'ar_small', 'ar_medium', 'ar_large'),
)


def random_files(seed: int, width: str = 'float64') -> tuple[Dataset, list[dict[str, Any]]]:
    """Returns annotations and results: ties in scores and areas, crowds, gaps in ids, empty images.

    Args:
      seed: of the random numbers.
      width: dtype to whose numbers boxes and scores are rounded.
    """
    random = np.random.default_rng(seed)
    n, k = int(random.choice([1, 2, 8, 20])), int(random.choice([1, 2, 5]))
    images = random.choice(1000, n, replace=False).tolist()
    categories = random.choice(np.arange(1, 91), k, replace=False).tolist()
    whole = random.random() < 0.3  # whole numbers: many ties
    targets, results = [], []
    for image in images:
        for _ in range(int(random.choice([0, 1, 3, 12, 40]))):
            corner, sides = random.uniform(0, 300, 2), random.choice([8, 32, 96, random.uniform(1, 200)], 2)
            box = np.concatenate([corner, sides]).round(0 if whole else 2).tolist()
            crowd = int(random.random() < 0.1)
            own = (
                {}
                if random.random() < 0.3
                else {'area': float(random.choice([box[2] * box[3], 1024.0, 9216.0]))}
            )
            targets.append(
                {
                    'image_id': image,
                    'category_id': int(random.choice(categories)),
                    'bbox': box,
                    'iscrowd': crowd,
                    **own,
                }
            )
            for _ in range(int(random.choice([0, 1, 1, 2, 6]))):
                moved = box + random.normal(0, random.choice([0, 2, 10]), 4)
                moved[2:] = np.maximum(moved[2:], 0)
                category = targets[-1]['category_id'] if random.random() < 0.9 else random.choice(categories)
                moved = moved.round(0 if whole else int(random.choice([1, 12]))).astype(width)
                score = np.array(random.random().__round__(int(random.choice([1, 9])))).astype(width)
                results.append(
                    {
                        'image_id': image,
                        'category_id': int(category),
                        'bbox': moved.tolist(),
                        'score': float(score),
                    }
                )
    order = random.permutation(len(results))
    content = {
        'images': [{'id': image, 'file_name': f'{image:012}.jpg'} for image in images],
        'categories': [{'id': category, 'name': f'class {category}'} for category in categories],
        'annotations': [{'id': place, **target} for place, target in enumerate(targets, 1)],
    }
    return content, [results[place] for place in order]


def predictions(
    content: Dataset, results: list[dict[str, Any]], width: str = 'float64'
) -> dict[str, np.ndarray]:
    """Returns the arrays of results."""
    rows = {image['id']: row for row, image in enumerate(content['images'])}
    labels = {category['id']: label for label, category in enumerate(content['categories'])}
    boxes = np.array([result['bbox'] for result in results]).reshape(-1, 4)
    return {
        **corners_and_sides(boxes, ''),
        'scores': np.array([result['score'] for result in results], width),
        'classes': np.array([labels[result['category_id']] for result in results], int),
        'example': np.array([rows[result['image_id']] for result in results], int),
    }


def by_pycocotools(content: Dataset, results: list[dict[str, Any]]) -> dict[str, float]:
    """Returns what pycocotools sums up, which needs `iscrowd` and `area`; -1 where it has no value."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth: Any = COCO()
        truth.dataset = content | {
            'annotations': [
                {'iscrowd': 0, 'area': each['bbox'][2] * each['bbox'][3], **each}
                for each in content['annotations']
            ]
        }
        truth.createIndex()
        # loadRes fails without results.
        found: Any = truth.loadRes(results) if results else COCO()
        if not results:
            found.dataset = truth.dataset | {'annotations': []}
            found.createIndex()
        evaluation: Any = COCOeval(truth, found, 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(NAMES, evaluation.stats.tolist(), strict=True))
