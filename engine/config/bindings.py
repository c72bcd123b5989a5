"""All bindings of a config together: which of them win, and whether macros and types are right."""

import math
from collections.abc import Sequence
from typing import Any

from engine.config import bindable, inheritance, types
from engine.config.messages import FINITE
from engine.config.statements import (
    Binding,
    Location,
    Macro,
    Reference,
    leaves,
    referenced,
    transform,
    written,
)
from engine.errors import UserError, did_you_mean

REQUIRED = 'gin.REQUIRED'  # the name of the macro whose value the user must give


class Bindings:
    """The bindings of all files and of the command line.

    Args:
      bindings: in order. A later one replaces an earlier one of the same key.

    Attributes:
      all: every binding, replaced ones too.
      final: the ones that win, by key.
      macros: the ones of `final` that define macros, by name.
      inherited: the ones that classes have from their bases alone, by key.
      effective: the ones of `final` and the inherited ones, by key.
    """

    def __init__(self, bindings: Sequence[Binding]):
        self.all = tuple(bindings)
        self.final = {binding.key: binding for binding in bindings}
        self.macros = {str(binding): binding for binding in self.final.values() if not binding.target}
        self.inherited = inheritance.inherited(self.final, self._names())
        self.effective = self.final | self.inherited

    def check(self) -> None:
        """Checks what can be checked before anything is built.

        Raises:
          UserError: a required value is missing, a macro is not defined, or a value has the wrong type.
        """
        for binding in self.final.values():
            _check_numbers(binding)
            self._check_macros(binding)
        for binding in self.macros.values():
            self._check_cycle(binding)
        for binding in self.effective.values():
            if binding.target:
                self._check_type(binding)

    def source(self, used: Binding) -> Binding | None:
        """Returns the binding from which a binding of the operative config has its value.

        Returns:
          The binding of the innermost scope; None for a default value.
        """
        return inheritance.innermost(self.effective, used.key)

    def origin(self, binding: Binding) -> Binding:
        """Returns the binding that gives a binding its value: that of the macro, if it names one."""
        while isinstance(binding.value, Macro) and binding.value.name in self.macros:
            binding = self.macros[binding.value.name]
        return binding

    def targets(self) -> list[Any]:
        """Returns the classes and functions to which the config refers."""
        return referenced(self.final.values())

    def _names(self) -> dict[Any, str]:
        """Returns the classes and functions that the config names, as it writes them."""
        bound = {binding.target: binding.selector for binding in self.final.values() if binding.target}
        return bound | {target: self.mention(target)[0] for target in self.targets()}

    def mention(self, target: Any) -> tuple[str, Location | None]:
        """Returns how a class or function is written, and where a statement refers to it or else binds it."""
        final = self.final.values()
        referring = [
            (leaf.selector, binding.location)
            for binding in final
            for leaf in leaves(binding.value)
            if isinstance(leaf, Reference) and leaf.target is target
        ]
        binding = [(binding.selector, binding.location) for binding in final if binding.target is target]
        return next(iter(referring + binding), (bindable.selector(target), None))

    def _check_macros(self, binding: Binding) -> None:
        names = _macros(binding.value)
        if REQUIRED in names:
            raise UserError(
                f'{binding.location}: {binding} must be given: write `{binding} = ...` in your config.'
            )
        for name in names:
            if name not in self.macros:
                hint = did_you_mean(name, self.macros)
                raise UserError(f'{binding.location}: %{name} is not defined. {hint}')

    def _check_cycle(self, first: Binding) -> None:
        """Raises `UserError` if a macro is defined by itself, directly or through others."""
        pending: list[tuple[Binding, ...]] = [(first,)]
        while pending:
            chain = pending.pop()
            for name in _macros(chain[-1].value):
                if self.macros[name] is first:
                    names = ' -> '.join(f'%{macro}' for macro in (*chain, first))
                    places = ', '.join(f'{macro} at {macro.location}' for macro in chain[1:])
                    raise UserError(
                        f'{first.location}: {first} is defined by itself: {names}. '
                        f'Give one of them a value{f" ({places})" if places else ""}.'
                    )
                if self.macros[name] not in chain:
                    pending.append((*chain, self.macros[name]))

    def _check_type(self, binding: Binding) -> None:
        value = self._expanded(binding.value)
        annotation = types.annotation(binding.target, binding.parameter)
        misfit = _misfit(value, annotation)
        if misfit:
            macro = self.macros[binding.value.name] if isinstance(binding.value, Macro) else None
            defined = f' (defined at {macro.location})' if macro else ''
            source = f', inherited from {binding.parent.owner},' if binding.parent else ''
            advice = f' Bind {binding} itself.' if binding.parent else ''
            raise UserError(
                f'{binding.location}: {binding}{source} takes {types.display(annotation)}, '
                f'not {_display(value)}{defined}: {misfit}.{advice}'
            )

    def _expanded(self, value: Any) -> Any:
        """Returns a value with macros replaced by their values."""

        def expand(leaf: Any) -> Any:
            is_known = isinstance(leaf, Macro) and leaf.name in self.macros
            return self._expanded(self.macros[leaf.name].value) if is_known else leaf

        return transform(value, expand)


def _macros(value: Any) -> list[str]:
    return [leaf.name for leaf in leaves(value) if isinstance(leaf, Macro)]


def _check_numbers(binding: Binding) -> None:
    """Raises `UserError` for a number such as 1e999, which Python reads as infinity and Gin cannot write."""
    numbers = [leaf for leaf in leaves(binding.value) if isinstance(leaf, float)]
    if not all(map(math.isfinite, numbers)):
        raise UserError(f'{binding.location}: {binding} = {written(binding.value)}: {FINITE}.')


def _misfit(value: Any, annotation: Any) -> str:
    """Returns why a value does not fit an annotation; '' if it fits or is known only once built."""
    if isinstance(value, Reference):
        check = types.misfit_of_product if value.evaluate else types.misfit_of_factory
        return check(value.target, annotation)
    if isinstance(value, Macro):
        return ''
    if any(isinstance(leaf, Reference | Macro) for leaf in leaves(value)):
        reason = _misfit_of_items(value, annotation)
        others = [(value,), tuple(value) if isinstance(value, list) else value]
        better = [other for other in others if reason and not _misfit_of_items(other, annotation)]
        return f'{reason}; write {written(better[0])}' if better else reason
    return types.misfit(value, annotation)


def _misfit_of_items(value: Any, annotation: Any) -> str:
    """Returns why a list, tuple or dict with references does not fit an annotation; '' if it fits."""
    misfits = (_misfit(item, wanted) for item, wanted in types.items(value, annotation))
    return types.misfit_of_container(value, annotation) or next(filter(None, misfits), '')


def _display(value: Any) -> str:
    return written(value) if any(isinstance(leaf, Reference) for leaf in leaves(value)) else repr(value)
