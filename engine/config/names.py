"""The names in a config: imports modules, resolves selectors, suggests the nearest name for a wrong one."""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import gin.config

from engine.config import bindable
from engine.config.statements import Binding, Location, Reference, transform
from engine.errors import UserError, did_you_mean, own_code_failure, reason
from engine.workspace import REPOSITORY

DYNAMIC_REGISTRATION = 'from __gin__ import dynamic_registration'
_USUAL_IMPORTS = {
    'jnp': 'from jax import numpy as jnp',
    'np': 'import numpy as np',
    'nnx': 'from flax import nnx',
    'linen': 'from engine.parts import linen',
    'lax': 'from jax import lax',
}
_GIN = SimpleNamespace(singleton=gin.config.singleton)  # the names that Gin offers without an import


class ImportedNames:
    """The names that a file imports.

    Args:
      import_missing: whether a selector may also name what was not imported but can be. The command line
        needs this, for it has no import statements.

    Attributes:
      added_imports: the import statements that such selectors needed, as text.
    """

    def __init__(self, import_missing: bool = False):
        self._modules: dict[str, Any] = {'gin': _GIN}
        self._import_missing = import_missing
        self._ambiguous: dict[str, str] = {}
        self.added_imports: list[str] = []

    def add(self, statement: Any, location: Location) -> None:
        """Executes an import statement of Gin.

        Raises:
          UserError: there is no such module, it cannot be imported, or its name is taken.
        """
        if statement.module == 'gin':
            raise UserError(f'{location}: gin.singleton and %gin.REQUIRED need no import: remove this line.')
        if statement.module.startswith('__gin__.'):
            self._check_feature(statement, location)
            return
        module, name = _import(statement.module, location), statement.bound_name()
        is_bound_itself = statement.is_from or statement.alias
        self._bind(name, module if is_bound_itself else importlib.import_module(name), location)

    def _check_feature(self, statement: Any, location: Location) -> None:
        if statement.format() != DYNAMIC_REGISTRATION:
            raise UserError(f'{location}: write `{DYNAMIC_REGISTRATION}`: no other part of __gin__ is used.')
        if self._modules.keys() - {'gin'}:
            raise UserError(f'{location}: move this line above the other imports.')

    def _bind(self, name: str, module: Any, location: Location) -> None:
        """Binds a name to a module. Two files may mean two modules by it, but a file may not."""
        known = self._modules.setdefault(name, module)
        if known is module:
            return
        meanings = f'{known.__name__} and {module.__name__}'
        if not self._import_missing:
            raise UserError(
                f'{location}: the name {name} is taken: it would mean {meanings}. '
                f'Import one by another name, as `... as other_{name}`.'
            )
        self._ambiguous[name] = meanings

    def resolve(self, selector: str, location: Location) -> Any:
        """Returns the class or function that a selector such as `optax.adamw` names.

        Raises:
          UserError: nothing has this name, or what has it can be neither called nor bound.
        """
        first, *attributes = selector.split('.')
        if first not in self._modules and self._import_missing:
            self._import_longest_prefix(selector)
        if first not in self._modules:
            raise UserError(f'{location}: {self._explain_unknown(first)}')
        if first in self._ambiguous:
            raise UserError(
                f'{location}: {first} means {self._ambiguous[first]} in these configs: write the whole path.'
            )
        target, path = self._modules[first], first
        for index, name in enumerate(attributes):
            owner, target = target, _attribute(target, path, name, location)
            if not _contains(owner, target):
                rest = '.'.join(attributes[index + 1 :])
                raise UserError(f'{location}: {self._explain_foreign(target, path, name, rest)}')
            path = f'{path}.{name}'
        if reason := bindable.refusal(target):
            raise UserError(f'{location}: {selector} {reason}')
        return target

    def _explain_foreign(self, module: ModuleType, path: str, name: str, rest: str) -> str:
        """Returns what to write instead of a selector that passes through another module's import."""
        package, _, last = module.__name__.rpartition('.')
        known = f'{path}.{name} is the module {module.__name__}, which {path} only imports. '
        if self._import_missing:
            return f'{known}Write {module.__name__}.{rest}.'
        statement = f'from {package} import {last}' if package else f'import {last}'
        return f'{known}Add `{statement}` and write {last}.{rest}.'

    def _import_longest_prefix(self, selector: str) -> None:
        """Imports as many leading parts of a selector as name a module."""
        parts = selector.split('.')
        prefixes = ('.'.join(parts[:length]) for length in range(len(parts) - 1, 0, -1))
        module = next(filter(_exists, prefixes), None)
        if module:
            importlib.import_module(module)
            self._modules[parts[0]] = importlib.import_module(parts[0])
            self.added_imports.append(f'import {module}')

    def _explain_unknown(self, name: str) -> str:
        """Returns which import the name needs, or the nearest name that needs none."""
        owners = [alias for alias, module in self._modules.items() if callable(getattr(module, name, None))]
        if owners:
            return f'{name!r} needs its module: write {owners[0]}.{name}.'
        if name in _USUAL_IMPORTS:
            return f'{name!r} is not imported. Add `{_USUAL_IMPORTS[name]}`.'
        homes = [path.relative_to(REPOSITORY) for path in _repository_modules() if path.stem == name]
        if homes:
            package = '.'.join(homes[0].parent.parts)
            return f'{name!r} is not imported. Add `from {package} import {name}`.'
        if _exists(name):
            return f'{name!r} is not imported. Add `import {name}`, or import the module itself.'
        modules = {path.stem for path in _repository_modules()} - {'__init__'}
        return f'{name!r} is not imported. {did_you_mean(name, self._modules.keys() | modules)}'


def _contains(owner: Any, target: Any) -> bool:
    """Whether a selector may step from `owner` to `target`: not to a module that `owner` only imports."""
    if not isinstance(target, ModuleType):
        return True
    if not isinstance(owner, ModuleType):
        return False
    inside = owner.__name__
    if hasattr(owner, '__path__'):  # a library's packages publish modules of one another
        inside = inside.partition('.')[0]
    return target.__name__.startswith(f'{inside}.')


def _attribute(target: Any, path: str, name: str, location: Location) -> Any:
    if name.startswith('__'):
        raise UserError(f'{location}: {path}.{name} belongs to Python itself: bind {path} instead.')
    if hasattr(target, name):
        return getattr(target, name)
    known = getattr(target, '__all__', None) or [*dir(target), *_submodules(target)]
    public = [member for member in known if not member.startswith('_')]
    raise UserError(f'{location}: {path} has no {name!r}. {did_you_mean(name, public)}')


def _submodules(target: Any) -> list[str]:
    """Returns the names of the modules in a package, imported or not; an empty list for anything else."""
    return [path.stem for folder in getattr(target, '__path__', ()) for path in Path(folder).glob('*.py')]


def _repository_modules() -> list[Path]:
    return sorted(path for part in ('engine', 'research') for path in (REPOSITORY / part).rglob('*.py'))


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent does not exist, or is not a package
        return False


def _import(module: str, location: Location) -> Any:
    if not _exists(module):
        raise UserError(f'{location}: there is no module {module!r}{_explain_missing(module)}')
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(f'{location}: {module} needs {error.name!r}, which is not installed.') from None
    except (Exception, SystemExit) as error:
        kind = f'{type(error).__name__}: {reason(error)}'
        raise UserError(
            f'{location}: {module} cannot be imported: {own_code_failure(error) or kind}'
        ) from error


def _explain_missing(module: str) -> str:
    parent, _, name = module.rpartition('.')
    if parent and not _exists(parent):
        return f': {parent!r} does not exist either.'
    package = importlib.import_module(parent) if parent else None
    if hasattr(package, name):
        base = parent.rpartition('.')[2]
        return f': it is part of the module {parent}. Import that, and write {base}.{name}.'
    siblings = _submodules(package)
    return f'. {did_you_mean(name, siblings)}'


# Statements whose names are resolved.


def resolved(statement: Any, names: ImportedNames, location: Location) -> Binding:
    """Returns a binding statement of Gin as a `Binding` whose classes, functions and parameters exist.

    Raises:
      UserError: one of them does not exist.
    """

    def resolve(leaf: Any) -> Any:
        if not isinstance(leaf, Reference):
            return leaf
        return Reference(leaf.text, leaf.evaluate, names.resolve(leaf.selector, location))

    selector, parameter = statement.selector, statement.arg_name
    target = names.resolve(selector, location) if parameter else None
    value = transform(statement.value, resolve)
    binding = Binding(statement.scope, selector, parameter, target, value, location)
    if target:
        _check_parameter(binding)
    return binding


def _check_parameter(binding: Binding) -> None:
    if not bindable.takes(binding.target, binding.parameter):
        hint = did_you_mean(binding.parameter, bindable.parameter_names(binding.target))
        raise UserError(
            f'{binding.location}: {binding.selector} has no parameter {binding.parameter!r}. {hint}'
        )
