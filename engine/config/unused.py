"""Bindings that had no effect: nothing that was built has used them."""

from collections.abc import Sequence
from typing import Any

from engine.config import bindable
from engine.config.bindings import Bindings
from engine.config.inheritance import bases
from engine.config.statements import Binding, Macro, Reference, leaves
from engine.errors import did_you_mean


def unused(bindings: Bindings, operative: Sequence[Binding]) -> tuple[list[str], list[str]]:
    """Looks for bindings that nothing used.

    Args:
      bindings: of the config.
      operative: bindings of Gin's operative config, once everything is built.

    Returns:
      Notes and mistakes, as messages. A note is about a binding that may well be unused: an included file
      holds it, or only what a later file or the command line replaced would have used it.
    """
    sources = [source for source in map(bindings.source, operative) if source]
    used = {(source.parent or source).key for source in sources}
    replaced = _reachable_from_replaced(bindings)
    notes, mistakes = [], []
    for binding in bindings.final.values():
        if binding.key not in used:
            excused = binding.location.included or _name(binding) in replaced
            reason = _reason(binding, bindings, operative)
            (notes if excused else mistakes).append(f'{binding.location}: {binding} is not used: {reason}')
    return notes, mistakes


def _reason(binding: Binding, bindings: Bindings, operative: Sequence[Binding]) -> str:
    """Returns why a binding is unused and what to do."""
    if not binding.target:
        others = [name for name in bindings.macros if name != str(binding)]
        return f'no binding that took effect mentions %{binding}. {did_you_mean(str(binding), others)}'
    scopes = {reference.scope for reference in _references(bindings)}
    if binding.scope and binding.scope not in scopes:
        hint = did_you_mean(binding.scope, scopes - {''}) if scopes - {''} else 'Remove it.'
        return f'no reference has the scope {binding.scope!r}. {hint}'
    called = dict.fromkeys(used.target for used in operative if used.target)
    built = [target for target in called if binding.target in (target, *bases(target))]
    if built:
        target = max(built, key=lambda target: bindable.takes(target, binding.parameter))
        return _reason_of_built(binding, target, bindings, operative)
    return f'nothing in this config builds {binding.selector}. Remove it, or refer to @{binding.selector}.'


def _reason_of_built(binding: Binding, target: Any, bindings: Bindings, operative: Sequence[Binding]) -> str:
    """Returns why a class or function that was called has not used a binding of its own or of its base."""
    name, parameter = bindings.mention(target)[0], binding.parameter
    if not bindable.takes(target, parameter):
        return (
            f'{name} derives from {binding.selector}, but its constructor takes no {parameter!r}. '
            f'Remove the binding, or let {name} take {parameter!r} and pass it on.'
        )
    if (binding.scope, target, parameter) not in bindings.effective:
        return f'{name} does not inherit what builds {name} again. Bind {name}.{parameter} itself.'
    rows = [used for used in operative if used.target is target and used.parameter == parameter]
    winner = next(filter(None, map(bindings.source, rows)), None)
    if winner:
        winner = winner.parent or winner
        return f'{winner}, at {winner.location}, wins over it. Change that binding, or remove one of the two.'
    if rows:
        place = f'{binding.scope}/{name}'
        return f'{name} is not built in the scope {binding.scope!r}. Remove it, or refer to @{place}.'
    return f'the code that calls {name} passes {parameter!r} itself. Remove it.'


def _references(bindings: Bindings) -> list[Reference]:
    values = (leaf for binding in bindings.all for leaf in leaves(binding.value))
    return [leaf for leaf in values if isinstance(leaf, Reference)]


def _reachable_from_replaced(bindings: Bindings) -> set[Any]:
    """Returns the targets and macros to which replaced bindings refer, directly or through others."""
    reachable: set[Any] = set()
    values = [binding.value for binding in bindings.all if bindings.final[binding.key] is not binding]
    while values:
        new = _named(values.pop()) - reachable
        reachable |= new
        values += [binding.value for binding in bindings.all if _name(binding) in new]
    return reachable


def _named(value: Any) -> set[Any]:
    """Returns the classes, functions and names of macros to which a value refers."""
    targets = {leaf.target for leaf in leaves(value) if isinstance(leaf, Reference)}
    return targets | {leaf.name for leaf in leaves(value) if isinstance(leaf, Macro)}


def _name(binding: Binding) -> Any:
    """Returns by what values refer to a binding's owner: the class or function, or the name of the macro."""
    return binding.target or str(binding)
