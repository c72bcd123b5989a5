"""What building found in the images of a dataset: their modes, what decoding changes, what is left out."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from engine import files
from engine.datasets.reading.any_format import FileTraits

FILE = 'images.json'
TWO_SCALES = {'floats up to 1 to 8 bits', 'floats up to 255 to 8 bits'}
MAX_NAMED = 20  # examples that lines and messages name


@dataclass(frozen=True)
class UnusableImage:
    """An example with an image that cannot be used.

    Attributes:
      split: of the example.
      record: the position of its record in the split.
      id: of the example.
      file: the original file, '' if it is unknown.
      reason: what is wrong, such as `image is damaged: image file is truncated`.
    """

    split: str
    record: int
    id: str
    file: str
    reason: str

    def __str__(self) -> str:
        """Returns the message about this example."""
        return f'example {self.id!r} ({self.file or self.split}): {self.reason}'


@dataclass
class ImageReport:
    """What building found in the images of a dataset.

    Attributes:
      modes: for each field, the number of images of each format and mode, such as `JPEG RGB`.
      conversions: for each field, the number of images that each conversion changes.
      first: the example in which a conversion was first met, by field and conversion.
      left_out: the examples that were left out.
    """

    modes: dict[str, dict[str, int]] = field(default_factory=dict)
    conversions: dict[str, dict[str, int]] = field(default_factory=dict)
    first: dict[str, dict[str, str]] = field(default_factory=dict)
    left_out: list[UnusableImage] = field(default_factory=list)

    def count(self, name: str, example: str, file: FileTraits) -> None:
        """Counts the image of an example."""
        _increment(self.modes.setdefault(name, {}), file.mode)
        for conversion in file.conversions:
            _increment(self.conversions.setdefault(name, {}), conversion)
            self.first.setdefault(name, {}).setdefault(conversion, example)

    def left_out_of(self, split: str) -> set[str]:
        """Returns the ids that were left out of a split."""
        return {image.id for image in self.left_out if image.split == split}

    def lines(self) -> Iterator[str]:
        """Yields lines for people: different modes, what decoding changes, what is left out."""
        for name, modes in self.modes.items():
            if len(modes) > 1:
                counts = (f'{count:,} {mode}' for mode, count in Counter(modes).most_common())
                yield f'{name}: {", ".join(counts)}'
            for conversion, count in self.conversions.get(name, {}).items():
                yield f'{name}: {count:,} {conversion} (the first: {self.first[name][conversion]})'
            if self.conversions.get(name, {}).keys() >= TWO_SCALES:
                yield f'note: floats of {name} have two scales. Those up to 1 may be dark ones'
        for image in self.left_out[:MAX_NAMED]:
            yield f'left out, {image}'
        if len(self.left_out) > MAX_NAMED:
            yield f'left out, {len(self.left_out) - MAX_NAMED:,} more like these'

    def write(self, folder: Path) -> None:
        """Writes the report beside the arrays."""
        files.write_json(folder / FILE, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> 'ImageReport':
        """Reads the report beside the arrays. Without the file, nothing was found."""
        stored = files.read_json(folder / FILE)
        left_out = [UnusableImage(**image) for image in stored.pop('left_out', [])]
        return cls(**stored, left_out=left_out)


def has_changed_image(folder: Path) -> bool:
    """Whether the original of an example that was left out is newer than the report in `folder`."""
    file = folder / FILE
    originals = [Path(image.file) for image in ImageReport.read(folder).left_out if image.file]
    return any(path.exists() and path.stat().st_mtime > file.stat().st_mtime for path in originals)


def _increment(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1
