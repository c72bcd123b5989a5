"""The code that trains: which files count, and which edits of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.runs.environment import code

Edit = Callable[[Path], object]

MODEL = '''
"""A model."""

import functools

from research import layers
from . import activations


class Model:
    """A network.

    Args:
      width: of it.
    """

    width: int = 8  # units

    def __call__(self, x, *, scale=None):
        """Applies it."""
        from research.lazy import late

        return late(layers.dense(x) + self.width) @ {**x, 'a': "text"}["a"]
'''
FILES = {
    'engine/commands/train.py': 'from engine.training import loop\n',
    'engine/training/loop.py': 'import jax\n',
    'engine/evaluation/report.py': 'x = 1\n',
    'research/__init__.py': '"""Research."""\nimport research.patches\n',
    'research/model.py': MODEL,
    'research/layers.py': 'import numpy as np\ndense = np.dot\n',
    'research/activations/__init__.py': 'from .gelu import gelu\n',
    'research/activations/gelu.py': 'gelu = abs\n',
    'research/lazy.py': 'late = abs\n',
    'research/patches.py': 'patched = True\n',
    'research/unused.py': 'x = 1\n',
    'research/plugins/a.py': 'x = 1\n',
    'research/plugins/b.py': 'x = 2\n',
    'research/words.txt': 'cat dog\n',
    'research/assets/vocabulary.json': '{}\n',
    'data/digits/builder.py': 'x = 1\n',
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr('engine.workspace.REPOSITORY', tmp_path)
    return tmp_path


USED = {
    'engine/commands/train.py', 'engine/training/loop.py', 'research/__init__.py', 'research/model.py',
    'research/layers.py', 'research/activations/__init__.py', 'research/activations/gelu.py',
    'research/lazy.py', 'research/patches.py',
}  # fmt: skip


def test_all_imports_are_followed_and_nothing_else(root: Path) -> None:
    used = code.of(['research.model', 'optax.contrib'])
    assert set(used.files) == USED
    assert used.external == {'functools', 'jax', 'numpy', 'optax'}


def replace(old: str, new: str, file: str = 'research/model.py') -> Edit:
    def edit(root: Path) -> None:
        text = (root / file).read_text()
        assert old in text
        (root / file).write_text(text.replace(old, new, 1))

    return edit


def add(file: str, text: str = 'x = 1\n') -> Edit:
    def edit(root: Path) -> None:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)

    return edit


SAME = {
    'comment': replace('# units', '# neurons'),
    'docstring of a module': replace('A model.', 'Another model.'),
    'docstring of a class': replace('A network.\n', 'A net.\n'),
    'docstring of a function': replace('"""Applies it."""', "'Applies.'"),
    'text after an attribute': replace('# units', '\n    """The units."""'),
    'blank lines': replace('\n\n\nclass', '\n\n\n\n# class\nclass'),
    'layout': replace('(x) +', '(\n            x,\n        ) +'),
    'quotes': replace('"text"', "'text'"),
    'line ends': lambda root: (root / 'research/model.py').write_bytes(
        MODEL.encode().replace(b'\n', b'\r\n')
    ),
    'BOM': lambda root: (root / 'research/model.py').write_bytes(b'\xef\xbb\xbf' + MODEL.encode()),
    'unused file': replace('1', '2', 'research/unused.py'),
    'new file': add('research/new.py'),
    'new file with the name of a library': add('research/numpy.py'),
    'evaluation': replace('1', '2', 'engine/evaluation/report.py'),
    'other builder': replace('1', '2', 'data/digits/builder.py'),
    'file that nothing names': replace('cat', 'bird', 'research/words.txt'),
}
OTHER = {
    'number': replace('= 8', '= 9'),
    'type of a number': replace('= 8', '= 8.0'),
    'sign of zero': replace('= 8', '= -0.0'),
    'name': replace('scale', 'factor'),
    'default': replace('scale=None', 'scale'),
    'text in use': replace('"text"', '"texts"'),
    'bytes': replace('"text"', 'b"text"'),
    'operator': replace('+ self', '- self'),
    'annotation': replace('width: int', 'width: float'),
    'decorator': replace('    def', '    @functools.cache\n    def'),
    'order': replace('functools', 'sys, functools'),
    'removed docstring statement': replace('return late', 'late'),
    'imported module': replace('np.dot', 'np.matmul', 'research/layers.py'),
    'module of a package': replace('abs', 'max', 'research/activations/gelu.py'),
    'import inside a function': replace('abs', 'max', 'research/lazy.py'),
    'package around it': replace('True', 'False', 'research/patches.py'),
    'the engine': replace('jax', 'flax', 'engine/training/loop.py'),
    'new import': replace('import functools', 'import functools\nimport research.unused'),
    'package in place of a module': add('research/layers/__init__.py'),
    'broken syntax': replace('class Model', 'class class'),
}


def digest(*modules: str) -> str:
    return code.of(['research.model', *modules]).digest


@pytest.mark.parametrize('edit', SAME)
def test_edits_that_train_alike_are_the_same_code(edit: str, root: Path) -> None:
    before = digest()
    SAME[edit](root)
    assert digest() == before


@pytest.mark.parametrize('edit', OTHER)
def test_other_edits_are_other_code(edit: str, root: Path) -> None:
    before = digest()
    OTHER[edit](root)
    assert digest() != before


LITERAL = "import importlib\nx = importlib.import_module('research.unused')\n"
FORMATTED = "from importlib import import_module\nx = import_module(f'research.plugins.{y}')\n"
ADDED = "from importlib import import_module\nx = import_module('research.plugins.' + y)\n"
BY_PARTS = "x = Path(__file__).parent / 'assets' / 'vocabulary.json'\n"
JOINED = "x = os.path.join(here, 'assets', 'vocabulary.json')\n"
DYNAMIC = {
    'import_module': (LITERAL, 'research/unused.py'),
    '__import__': ("x = __import__('research.unused')\n", 'research/unused.py'),
    'by a name': (FORMATTED, 'research/plugins/b.py'),
    'by a sum': (ADDED, 'research/plugins/b.py'),
    'a file': ("x = open('research/words.txt')\n", 'research/words.txt'),
    'a file beside it': ("x = Path(__file__).with_name('words.txt')\n", 'research/words.txt'),
    'a file by parts': (BY_PARTS, 'research/assets/vocabulary.json'),
    'a joined file': (JOINED, 'research/assets/vocabulary.json'),
}


@pytest.mark.parametrize('kind', DYNAMIC)
def test_what_is_imported_or_read_by_name_counts(kind: str, root: Path) -> None:
    text, file = DYNAMIC[kind]
    add('research/layers.py', text)(root)
    before = code.of(['research.model'])
    assert file in before.files
    (root / file).write_text('x = 3\n')
    assert digest() != before.digest


def test_compiled_modules_count(root: Path) -> None:
    add('research/fast.cpython-313-x86_64-linux-gnu.so', 'machine code')(root)
    replace('import functools', 'from research import fast')(root)
    before = digest()
    add('research/fast.cpython-313-x86_64-linux-gnu.so', 'other machine code')(root)
    assert digest() != before


def test_names_that_lead_nowhere_are_ignored(root: Path) -> None:
    assert digest('research.nowhere', 'research.kinds.x', '', 'not there') == digest()


def test_the_digest_of_this_repository_is_quick() -> None:
    import time

    before = time.process_time()
    used = code.of(['research.models.mlp', 'engine.parts.classification'])
    assert time.process_time() - before < 0.5  # about 0.1 s on an idle machine
    assert {
        'engine/training/trainer.py',
        'engine/parts/supervised.py',
        'engine/config/config.py',
    } <= used.files.keys()
    assert not any(
        name.startswith(('engine/evaluation', 'engine/checks', 'engine/forks')) for name in used.files
    )
