"""A new project, forked from this template: a git repository that can merge later versions of it."""

import datetime
import re
from dataclasses import dataclass
from pathlib import Path

from engine import files
from engine.errors import UserError
from engine.forks import own_files, template
from engine.forks.repository import Repository
from engine.workspace import REPOSITORY


@dataclass(frozen=True)
class Project:
    """What the user chooses for a project.

    Attributes:
      name: its name in pyproject.toml, and the name of its folder of runs.
      title: the heading of README.md.
      holder: who holds the rights, for LICENSE; '' for the author that git knows.
      keeps_examples: whether the project starts with the template's examples.
    """

    name: str
    title: str
    holder: str
    keeps_examples: bool


def create(project: Project, folder: Path) -> None:
    """Creates a project in a new folder: one commit after the template's.

    Raises:
      UserError: the name or the folder is unsuitable, or the template is not a clean git repository.
    """
    source = Repository(REPOSITORY)
    check_name(project.name)
    check_folder(folder)
    source.check()
    source.check_clean('the project would not contain them')
    with files.user_folder(folder, '.git', overwrite=False) as temporary:
        _fill(project, source, Repository(temporary))


def check_name(name: str) -> None:
    """Raises `UserError` if `name` can be neither a Python project's name nor a folder's."""
    if re.fullmatch(r'[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?', name):
        return
    suggestion = re.sub(r'[^A-Za-z0-9._]+', '-', name).strip('-._')
    raise UserError(
        f'--name={name} is not a valid project name. A name consists of the letters A to Z, digits, "-", "_" '
        'and ".", and it begins and ends with a letter or digit.'
        + (f' How about {suggestion!r}?' if suggestion else '')
    )


def check_folder(folder: Path) -> None:
    """Raises `UserError` if a project cannot be created in `folder`."""
    if folder.resolve().is_relative_to(REPOSITORY):
        raise UserError(
            f'{folder} is inside the template, {REPOSITORY}. Choose a folder outside, such as ../my-project'
        )
    is_empty_folder = folder.is_dir() and not any(folder.iterdir())
    if folder.is_symlink() or (folder.exists() and not is_empty_folder):
        raise UserError(f'{folder} exists and is not empty. Choose a new folder: nothing is overwritten.')


def _fill(project: Project, source: Repository, new: Repository) -> None:
    """Fills an empty folder with the history of the template and the project's first commit."""
    address = template.public_address(source) or str(source.root)
    new.git('init', '--quiet', '--initial-branch=main')
    new.git('remote', 'add', '--no-tags', template.REMOTE, address)  # its tags are not the project's versions
    new.git('fetch', '--quiet', '--update-shallow', '--no-tags', str(source.root), 'HEAD')
    base = new.git('rev-parse', 'FETCH_HEAD')
    without = [] if project.keeps_examples else template.example_pathspecs(new, base)
    tree = new.tree(base, without, _own_files(project, source, base))
    message = f'Begin {project.name} from {template.version_name(new, base)}'
    new.git('reset', '--quiet', '--hard', new.git('commit-tree', tree, '-p', base, '-m', message))


def _own_files(project: Project, source: Repository, base: str) -> dict[str, str]:
    title, holder = _one_line(project.title), _one_line(project.holder or source.author())
    return own_files.own_files(source, base, project.name, title, holder, datetime.date.today())


def _one_line(text: str) -> str:
    """Returns a text with single spaces in place of all white space."""
    return ' '.join(text.split())
