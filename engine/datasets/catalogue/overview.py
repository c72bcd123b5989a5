"""The table of all datasets, for `scripts/dataset.sh list`."""

from collections.abc import Iterator
from typing import Any

from engine import workspace
from engine.datasets.building import build
from engine.datasets.catalogue import builders, readme
from engine.datasets.catalogue.names import DEFAULT_CONFIG


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Yields name, whether it is built, counts and title of each dataset and config."""
    for record in records():
        counts = [f'{split} {count:,}' for split, count in record['examples'].items()]
        is_built = record['is_built']
        yield record['dataset'], 'yes' if is_built else 'no', ', '.join(counts) or '-', record['title']


def records() -> Iterator[dict[str, Any]]:
    """Yields `dataset`, `is_built`, `examples` of each split and `title` of each dataset and config."""
    for dataset in builders.names():
        title = readme.title(readme.read(workspace.REPOSITORY / 'data' / dataset))
        for config in builders.builder(dataset).builder_configs or [DEFAULT_CONFIG]:
            name = dataset if config == DEFAULT_CONFIG else f'{dataset}/{config}'
            yield {'dataset': name, **_state(name), 'title': title}


def _state(name: str) -> dict[str, Any]:
    """Returns whether a dataset is built, and the number of examples of each split if it is."""
    builder = builders.builder(name)
    is_built = build.arrays_folder(builder).exists()
    splits = builder.info.splits.items() if is_built else ()
    return {'is_built': is_built, 'examples': {split: info.num_examples for split, info in splits}}
