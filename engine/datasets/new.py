"""Creates a dataset that builds, passes the checks and trains at once. EDIT marks the lines to change."""

import importlib.util
import keyword
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from types import ModuleType

from engine import files, workspace
from engine.datasets.building import checksums
from engine.errors import UserError

TEMPLATES = Path(__file__).parent / 'templates'


def create(name: str, kind: str) -> list[str]:
    """Creates `data/<name>/`, `configs/<name>.gin` and `tests/data/test_<name>.py`.

    Args:
      name: the name of the dataset, a Python identifier in lower case.
      kind: `images`, `masks`, `text` or `arrays`, a folder of templates.

    Returns:
      The three paths, relative to the repository.

    Raises:
      UserError: the name is not valid, or one of the paths exists already.
    """
    _check_name(name)
    folder, config, test = paths = _paths(name)
    for path in paths:
        if path.exists():
            raise UserError(f'{path} exists already. Choose another name, or remove it.')
    with files.user_folder(folder, 'README.md', overwrite=False) as temporary:
        _fill(temporary, name, kind)
    for path, template in ((config, f'{kind}/experiment.gin'), (test, 'shared/test.py.txt')):
        files.user_file(path, _rendered(template, name).encode())
    return [path.relative_to(workspace.REPOSITORY).as_posix() for path in paths]


def missing_modules(name: str) -> list[str]:
    """Returns the modules in research/ that `configs/<name>.gin` imports and that this project lacks."""
    config = _paths(name)[1].read_text(encoding='utf-8')
    modules = re.findall(r'^from (research[.\w]*) import (\w+)$', config, re.MULTILINE)
    paths = (f'{package.replace(".", "/")}/{module}.py' for package, module in modules)
    return [path for path in paths if not (workspace.REPOSITORY / path).exists()]


def _check_name(name: str) -> None:
    """Raises `UserError` unless the name is valid for a Python module and a TFDS dataset."""
    if re.fullmatch('[a-z][a-z0-9_]*', name) and not keyword.iskeyword(name):
        return
    near = re.sub('[^a-z0-9]+', '_', name.lower()).strip('_0123456789')
    hint = f' How about {near!r}?' if near and not keyword.iskeyword(near) else ''
    raise UserError(
        f'{name!r} cannot be the name of a dataset, because Python imports data.{name}. A name consists of '
        f'letters a to z, digits and "_", begins with a letter, and is not a keyword of Python.{hint}'
    )


def _paths(name: str) -> tuple[Path, Path, Path]:
    root = workspace.REPOSITORY
    return root / 'data' / name, root / 'configs' / f'{name}.gin', root / 'tests/data' / f'test_{name}.py'


def _fill(folder: Path, name: str, kind: str) -> None:
    """Writes the files of a dataset, its toy originals and its checksums."""
    templates = {
        f'{name}_dataset_builder.py': f'{kind}/builder.py.txt',
        'original.py': f'{kind}/original.py.txt',
        'README.md': f'{kind}/README.md',
        'TAGS.txt': f'{kind}/TAGS.txt',
        'CITATIONS.bib': 'shared/CITATIONS.bib',
    }
    for file, template in templates.items():
        (folder / file).write_text(_rendered(template, name), encoding='utf-8')
    original = _module(folder / 'original.py')
    (folder / 'toy').mkdir()
    original.write(folder / 'toy', original.TOY)
    with tempfile.TemporaryDirectory() as raw:
        original.write(Path(raw))
        measured = {'full': checksums.measure(Path(raw)), 'toy': checksums.measure(folder / 'toy')}
    (folder / checksums.FILE).write_text(checksums.text(measured), encoding='utf-8')


def _rendered(template: str, name: str) -> str:
    text = Template((TEMPLATES / template).read_text(encoding='utf-8'))
    title = name.replace('_', ' ').capitalize()
    return text.substitute(name=name, title=title, year=datetime.now(UTC).year)


def _module(path: Path) -> ModuleType:
    """Imports a file by its path, because its folder is still temporary."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
