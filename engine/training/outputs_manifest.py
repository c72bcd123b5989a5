"""The manifest of outputs, as far as it is known before the training. Prediction completes it."""

from collections.abc import Sequence

from engine.interfaces import Description
from engine.outputs.manifest import Manifest
from engine.workspace import project


def manifest(description: Description, dataset: str, split: str, class_names: Sequence[str]) -> Manifest:
    """Returns the manifest of a split's outputs, without run, step and code.

    Args:
      description: of the task's predictions.
      dataset: its name.
      split: the name of the split.
      class_names: of the task's labels.
    """
    return Manifest(
        description.kind,
        project=project(),
        dataset=dataset,
        split=split,
        class_names=tuple(class_names),
        category_ids=description.category_ids,
        ignore_label=description.ignore_label,
        details=description.details,
    )
