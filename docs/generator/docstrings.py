"""Prepares docstrings for the reference: adds inherited parameters, and protects text from Markdown.

A Griffe extension: it changes docstrings that were read from the source, before mkdocstrings shows them.
"""

import re
import textwrap
from collections.abc import Iterator

from griffe import Class, Extension, Function, GriffeLoader, Module

PARAMETERS = re.compile(r'^(?:Args|Attributes):\n((?:(?: .*)?\n)*(?: .*)?)', re.MULTILINE)
ENTRY = re.compile(r'^(?=\S)', re.MULTILINE)
SECTION = re.compile(r'[A-Z]\w*:\n')  # such as 'Args:'
# What is not text: the name of a parameter, code between backticks, an address.
NOT_TEXT = re.compile(r'(^ +[\w*]+(?: \([^)]*\))?:|`[^`]*`|https?://\S+)', re.MULTILINE)


class Docstrings(Extension):
    """Changes the docstrings of a package after it was read."""

    def on_package(self, *, pkg: Module, loader: GriffeLoader, **_: object) -> None:
        """Completes the parameters of classes first: they come from docstrings that are not changed yet."""
        documented = [(member, member.docstring) for member in _members(pkg) if member.docstring]
        texts = [complete(member) if isinstance(member, Class) else text.value for member, text in documented]
        for (_member, docstring), text in zip(documented, texts, strict=True):
            docstring.value = as_markdown(text)


def _members(parent: Module | Class) -> Iterator[Class | Function]:
    """Yields the classes and functions below a module, and their methods."""
    for member in parent.members.values():
        if isinstance(member, Class | Function):
            yield member
        if isinstance(member, Module | Class):
            yield from _members(member)


def complete(class_: Class) -> str:
    """Returns the docstring of a class with the parameters of its bases, the most basic one's first."""
    sources = [*reversed(_bases(class_)), class_]
    texts = [source.docstring.value for source in sources if source.docstring]
    entries = {name: entry for text in texts for name, entry in parameters(text).items()}
    if not entries:
        return texts[-1]
    section = f'Args:\n{"".join(entries.values())}\n'
    own = texts[-1] if PARAMETERS.search(texts[-1]) else f'{texts[-1]}\n\nArgs:\n'
    return PARAMETERS.sub(lambda _: section, own, count=1).rstrip('\n')


def _bases(class_: Class) -> list[Class]:
    """Returns the bases whose parameters a class takes: not beyond one that has a constructor of its own.

    Griffe writes the constructors of dataclasses later.
    """
    classes = [class_, *class_.mro()]
    last = next((place for place, base in enumerate(classes) if '__init__' in base.members), len(classes) - 1)
    return classes[1 : last + 1]


def parameters(docstring: str) -> dict[str, str]:
    """Returns the entries of the section of parameters of a docstring, by name."""
    section = PARAMETERS.search(docstring)
    entries = ENTRY.split(textwrap.dedent(section[1]))[1:] if section else []
    return {re.split('[ :]', entry)[0]: textwrap.indent(entry.rstrip(), '  ') + '\n' for entry in entries}


def as_markdown(docstring: str) -> str:
    """Returns a docstring with its examples as code, and its text without what Markdown takes for markup."""
    parts = re.split(r'(\n\n+)', docstring)
    first_section = next((place for place, part in enumerate(parts) if SECTION.match(part)), len(parts))
    shown = [_paragraph(part, place < first_section) for place, part in enumerate(parts)]
    return ''.join(shown)


def _paragraph(text: str, is_before_sections: bool) -> str:
    """Returns a paragraph as Markdown. Before the sections, a paragraph with an indent is code."""
    if text.startswith('>>>'):
        return f'```pycon\n{text}\n```'
    if text.startswith('    ') and is_before_sections:
        return text
    parts = NOT_TEXT.split(text)
    parts[::2] = [re.sub(r'([*_])', r'\\\1', part).replace('<', '&lt;') for part in parts[::2]]
    return ''.join(parts)
