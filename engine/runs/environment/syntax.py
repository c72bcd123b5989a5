"""What the syntax tree of a source file says: its digest, its imports, the files that it names."""

import ast
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

DIGEST_LENGTH = 16  # characters of a sha256: enough to tell the versions of a file apart
_MAX_PATH = 200  # characters of a text that may be a path
# Fields that say nothing, and the positions.
_UNCOUNTED = {
    *('ctx', 'kind', 'type_comment', 'type_ignores'),
    *('lineno', 'col_offset', 'end_lineno', 'end_col_offset'),
}


@dataclass(frozen=True)
class Import:
    """An import statement: `import names`, or `from base import names`.

    Attributes:
      names: as they are written.
      base: what stands after `from`, without its dots; None for a plain import.
      level: number of these dots.
    """

    names: Sequence[str]
    base: str | None = None
    level: int = 0


@dataclass(frozen=True)
class Summary:
    """A source file without comments, layout and docstrings.

    Attributes:
      digest: start of the sha256 of the syntax tree.
      imports: all import statements, inside functions too.
      dynamic_imports: what `import_module` and `__import__` are given as far as it is known: 'a.b', or 'a.*'.
      paths: texts that may be relative paths: 'a/b.txt', x / 'a' / 'b.txt', join(x, 'a', 'b.txt').
    """

    digest: str
    imports: Sequence[Import]
    dynamic_imports: Sequence[str] = ()
    paths: Sequence[str] = ()

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> 'Summary':
        """Returns a summary from the values that `dataclasses.asdict` gave."""
        imports = [Import(**each) for each in values['imports']]
        return cls(values['digest'], imports, values['dynamic_imports'], values['paths'])


def summary(content: bytes, imports_alone: bool = False) -> Summary | None:
    """Returns what a source file says, None if it cannot be parsed.

    Args:
      content: of the file.
      imports_alone: whether to look for import statements, and neither for dynamic imports nor for paths.
    """
    try:
        tree = ast.parse(content)
        parts: list[str] = []
        statements: list[ast.Import | ast.ImportFrom] = []
        _write(tree, parts, statements)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    text = '\0'.join(parts).encode('utf-8', 'surrogatepass')
    digest = hashlib.sha256(text).hexdigest()[:DIGEST_LENGTH]
    imports = [_import(statement) for statement in statements]
    if imports_alone:
        return Summary(digest, imports)
    return Summary(digest, imports, [*_dynamic_imports(tree)], [*_paths(tree)])


def _import(statement: ast.Import | ast.ImportFrom) -> Import:
    names = [alias.name for alias in statement.names]
    if isinstance(statement, ast.Import):
        return Import(names)
    return Import(names, statement.module or '', statement.level)


def _write(node: ast.AST, parts: list[str], imports: list[ast.Import | ast.ImportFrom]) -> None:
    """Appends a node and the nodes below it. Names and values stand between brackets, so none can merge."""
    kind = node.__class__
    if kind is ast.Import or kind is ast.ImportFrom:
        imports.append(node)  # type: ignore[arg-type]
    parts += ('(', kind.__name__)
    if kind is ast.Constant:
        parts.append(repr(node.value))  # type: ignore[attr-defined]
    for field, value in () if kind is ast.Constant else node.__dict__.items():
        if value is None or value == [] or field in _UNCOUNTED:
            continue  # Python versions differ in the empty fields that they have
        parts.append(field)
        for item in value if value.__class__ is list else (value,):
            if not isinstance(item, ast.AST):
                parts.append(repr(item))
            elif not _is_text(item):
                _write(item, parts, imports)
    parts.append(')')


def _is_text(node: ast.AST) -> bool:
    """Whether a statement is a text alone, such as a docstring."""
    return isinstance(node, ast.Expr) and bool(_text(node.value))


def imported(imports: Sequence[Import], module: str, is_package: bool) -> list[str]:
    """Returns the names that import statements may import as modules.

    Args:
      imports: the statements.
      module: the module that holds them; relative imports start there.
      is_package: whether it is the `__init__` of a package.
    """
    names = []
    for statement in imports:
        if statement.base is None:
            names += statement.names
        else:
            base = _base(statement, module, is_package)
            names += [base, *(f'{base}.{name}' for name in statement.names if name != '*')]
    return names


def _base(statement: Import, module: str, is_package: bool) -> str:
    """Returns the absolute name of the package or module that a statement imports from."""
    if not statement.level:
        return statement.base or ''
    package = module.split('.')
    package = package[: len(package) - statement.level + is_package]
    return '.'.join([*package, *filter(None, [statement.base])])


def _dynamic_imports(tree: ast.Module) -> Iterator[str]:
    """Yields what `import_module` and `__import__` are given as far as it is known: 'a.b', or 'a.*'."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _called(node) in ('import_module', '__import__'):
            first = node.args[0]
            text = _start(first)
            if text and text == _text(first):
                yield text
            elif '.' in text:
                yield f'{text.rpartition(".")[0]}.*'


def _called(node: ast.Call) -> str:
    return getattr(node.func, 'attr', getattr(node.func, 'id', ''))


def _start(node: ast.AST) -> str:
    """Returns the text that an expression begins with, '' if it is unknown."""
    if isinstance(node, ast.JoinedStr) and node.values:
        return _text(node.values[0])
    if isinstance(node, ast.BinOp):
        return _start(node.left)
    return _text(node)


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ''


def _paths(tree: ast.Module) -> Iterator[str]:
    """Yields the texts that may be relative paths: 'a/b.txt', x / 'a' / 'b.txt', join(x, 'a', 'b.txt')."""
    for node in ast.walk(tree):
        for text in _path_parts(node):
            if 0 < len(text) <= _MAX_PATH and not {'\0', '\n'} & set(text) and not text.startswith('/'):
                yield text


def _path_parts(node: Any) -> tuple[str, ...]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return (_joined(node),)
    if isinstance(node, ast.Call):
        return ('/'.join(filter(None, map(_text, node.args))),)
    return (_text(node),)


def _joined(node: ast.AST) -> str:
    """Returns the texts at the end of a chain of `/`, joined."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and (end := _text(node.right)):
        return '/'.join(filter(None, [_joined(node.left), end]))
    return ''
