"""The recipes of docs/tasks.md: sets of files, each a fenced block after a line with its path."""

import re
from dataclasses import dataclass
from pathlib import Path

from engine.workspace import REPOSITORY

DOCUMENT = (REPOSITORY / 'docs/tasks.md').read_text(encoding='utf-8')
HEADING = '## Recipes\n'
FILE = re.compile(r'^`([\w./-]+)`\n\n```(?:gin|python)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
CODE = re.compile(r'^```(?:gin|python)$', re.MULTILINE)


@dataclass(frozen=True)
class Recipe:
    """A section of the document.

    Attributes:
      name: its heading.
      text: what follows the heading.
    """

    name: str
    text: str

    @property
    def files(self) -> dict[str, str]:
        """The contents of its files, by path."""
        return dict(FILE.findall(self.text))

    @property
    def configs(self) -> list[str]:
        """The paths of its configs, in their order."""
        return [path for path in self.files if path.endswith('.gin')]

    def write(self, root: Path) -> None:
        """Writes its files below a folder, where none of them may be."""
        for path, text in self.files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open('x', encoding='utf-8') as new:
                new.write(text)


def recipes() -> list[Recipe]:
    """Returns the recipes in their order."""
    sections = re.split(r'^## ', DOCUMENT.partition(HEADING)[2], flags=re.MULTILINE)[1:]
    return [Recipe(*section.split('\n', 1)) for section in sections]


RECIPES = recipes()
