"""Completes the parameters of classes for the reference: those that a class inherits are listed too.

A Griffe extension: it changes docstrings that were read from the source, before mkdocstrings shows them.
"""

import re
import textwrap
from collections.abc import Iterator

from griffe import Class, Extension, GriffeLoader, Module

SECTION = re.compile(r'^(?:Args|Attributes):\n((?:(?: .*)?\n)*(?: .*)?)', re.MULTILINE)
ITEM = re.compile(r'^(?=\S)', re.MULTILINE)


class InheritedParameters(Extension):
    """Writes the parameters of its bases into the docstring of each class."""

    def on_package(self, *, pkg: Module, loader: GriffeLoader, **_: object) -> None:
        """Changes all classes of a package after it was read."""
        classes = list(_classes(pkg))
        completed = {class_.path: complete(class_) for class_ in classes if class_.docstring}
        for class_ in classes:
            if class_.docstring:
                class_.docstring.value = completed[class_.path]


def _classes(module: Module) -> Iterator[Class]:
    for member in module.members.values():
        if isinstance(member, Module):
            yield from _classes(member)
        elif isinstance(member, Class):
            yield member


def complete(class_: Class) -> str:
    """Returns the docstring of a class with the parameters of its bases, the most basic one's first."""
    sources = [*reversed(_bases(class_)), class_]
    texts = [source.docstring.value for source in sources if source.docstring]
    items = {name: item for text in texts for name, item in parameters(text).items()}
    if not items:
        return texts[-1]
    section = f'Args:\n{"".join(items.values())}\n'
    own = texts[-1] if SECTION.search(texts[-1]) else f'{texts[-1]}\n\nArgs:\n'
    return SECTION.sub(lambda _: section, own, count=1).rstrip('\n')


def _bases(class_: Class) -> list[Class]:
    """Returns the bases whose parameters a class takes: not beyond one that has a constructor of its own.

    Griffe writes the constructors of dataclasses later.
    """
    classes = [class_, *class_.mro()]
    last = next((place for place, base in enumerate(classes) if '__init__' in base.members), len(classes) - 1)
    return classes[1 : last + 1]


def parameters(docstring: str) -> dict[str, str]:
    """Returns the entries of the section of parameters of a docstring, by name."""
    section = SECTION.search(docstring)
    entries = ITEM.split(textwrap.dedent(section[1]))[1:] if section else []
    return {re.split('[ :]', entry)[0]: textwrap.indent(entry.rstrip(), '  ') + '\n' for entry in entries}
