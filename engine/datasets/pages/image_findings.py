"""The section of a dataset's page about its image files: modes, what decoding changes, what is left out."""

from engine.datasets.reading.dataset import Dataset
from engine.render import markup


def image_findings(data: Dataset) -> str:
    """Returns the section, '' if all files are alike and none is left out."""
    lines = ''.join(f'<li>{markup.escaped(line)}</li>' for line in data.images.lines())
    return markup.section('Image files', f'<ul>{lines}</ul>') if lines else ''
