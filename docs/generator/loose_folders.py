"""Reads folders of research/ without `__init__.py`, which Python imports and Griffe leaves out."""

from griffe import Extension, GriffeLoader, Module, visit

from engine.workspace import REPOSITORY

RESEARCH = REPOSITORY / 'research'


class LooseFolders(Extension):
    """Adds the modules of such folders to the package `research`."""

    def on_package(self, *, pkg: Module, loader: GriffeLoader, **_: object) -> None:
        """Adds them after the package was read."""
        if pkg.name != RESEARCH.name:
            return
        loose = (path for path in RESEARCH.rglob('*.py') if not (path.parent / '__init__.py').exists())
        for path in sorted(loose):
            add(pkg, path.relative_to(RESEARCH).parts, loader)


def add(package: Module, parts: tuple[str, ...], loader: GriffeLoader) -> None:
    """Reads a file below a package and adds its module, and those of its folders."""
    parent, folder = package, RESEARCH
    for part in parts[:-1]:
        folder /= part
        if part not in parent.members:
            parent.set_member(part, Module(part, filepath=folder, parent=parent))
        parent = parent.members[part]
        assert isinstance(parent, Module)
    path = folder / parts[-1]
    module = visit(
        path.stem,
        path,
        path.read_text(encoding='utf-8'),
        extensions=loader.extensions,
        parent=parent,
        lines_collection=loader.lines_collection,
        modules_collection=loader.modules_collection,
    )
    parent.set_member(path.stem, module)
