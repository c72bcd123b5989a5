"""The table of all datasets, for `scripts/dataset.sh list`."""

from collections.abc import Iterator

from engine import workspace
from engine.datasets.building import build
from engine.datasets.catalogue import builders, readme
from engine.datasets.catalogue.names import DEFAULT_CONFIG


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Yields name, whether it is built, counts and title of each dataset and config."""
    for dataset in builders.names():
        title = readme.title(readme.read(workspace.REPOSITORY / 'data' / dataset))
        for config in builders.builder(dataset).builder_configs or [DEFAULT_CONFIG]:
            name = dataset if config == DEFAULT_CONFIG else f'{dataset}/{config}'
            yield name, *_state(name), title


def _state(name: str) -> tuple[str, str]:
    """Returns 'yes' and the number of examples of each split if the dataset is built, else 'no' and '-'."""
    builder = builders.builder(name)
    if not build.arrays_folder(builder).exists():
        return 'no', '-'
    counts = (f'{split} {info.num_examples:,}' for split, info in builder.info.splits.items())
    return 'yes', ', '.join(counts)
