"""An outputs folder in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.outputs import kind_folders
from engine.outputs.contents import PAGE
from engine.outputs.kind import Arrays
from engine.outputs.manifest import Manifest


@dataclass(frozen=True)
class Outputs:
    """An outputs folder that was read and verified.

    Attributes:
      folder: the folder.
      manifest: its manifest.
      ids: one id per example.
      arrays: the arrays by name, memory-mapped and read-only.
      external_labels: facts about the file that the labels were read from, for the report; None if the
        outputs contain their labels.
    """

    folder: Path
    manifest: Manifest
    ids: tuple[str, ...]
    arrays: Arrays
    external_labels: Mapping[str, Any] | None = None

    @property
    def kind(self) -> str:
        """Name of the kind."""
        return self.manifest.kind

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in the order of their indices, or ()."""
        return tuple(self.manifest.class_names)

    @property
    def has_labels(self) -> bool:
        """Whether there are labels, or the kind needs none."""
        labels = kind_folders.declaration(self.kind).labels
        return not labels or any(name in self.arrays for name in labels)

    @property
    def page_hint(self) -> str:
        """A sentence that names the page of the predictions; '' if there is none."""
        page = self.folder / PAGE
        return f' To look at the predictions, open {page}.' if page.is_file() else ''

    @property
    def classes(self) -> int | None:
        """Number of classes: length of the axis `classes`, or of names or category ids; None without any."""
        declared = kind_folders.declaration(self.kind)
        for name, array in self.arrays.items():
            axes = declared.field(name).axes.split()
            if 'classes' in axes:
                return array.shape[axes.index('classes')]
        return self.manifest.classes or None
