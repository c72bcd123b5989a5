"""The recipes of docs/recipes/: sets of files, each a fenced block after a line with its path."""

import re
from dataclasses import dataclass
from pathlib import Path

from engine.workspace import REPOSITORY

FOLDER = REPOSITORY / 'docs/recipes'
INDEX = (FOLDER / 'README.md').read_text(encoding='utf-8')
LINK = re.compile(r'^\| \[.*\]\((.*\.md)\)', re.MULTILINE)
FILE = re.compile(r'^`([\w./-]+)`\n\n```(?:gin|python)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
CODE = re.compile(r'^```(?:gin|python)$', re.MULTILINE)


@dataclass(frozen=True)
class Recipe:
    """A document of a recipe.

    Attributes:
      name: of its file.
      text: its content.
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
        """Writes its files below a folder. Those that are there, of another recipe, must be equal."""
        for path, text in self.files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            assert not file.exists() or file.read_text(encoding='utf-8') == text, path
            file.write_text(text, encoding='utf-8')


def recipes() -> list[Recipe]:
    """Returns the recipes in the order of the index."""
    return [Recipe(name, (FOLDER / name).read_text(encoding='utf-8')) for name in LINK.findall(INDEX)]


RECIPES = recipes()
