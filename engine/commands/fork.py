"""Begins a project of its own from this template: a git repository that can merge later versions of it."""

import argparse
import datetime
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine import errors, files
from engine.commands import command_line
from engine.errors import UserError
from engine.forks.repository import Repository
from engine.workspace import REPOSITORY

REMOTE = 'template'
OWN = (
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
)  # the project's from its first commit on; so are in pyproject.toml:
METADATA = ('name', 'version', 'description', 'license')
EXAMPLES = 'scripts/examples.txt'  # which files are examples

HELP = """\
  scripts/fork.sh ../petals --name=petals
  scripts/fork.sh ../petals --name=petals --title='Petals at dawn' --holder='Jane Doe' --examples=drop"""

README = """\
# {title}

What this project asks, and what it found.

## Begin

```sh
scripts/train.sh --help
```

The first command makes `.venv` with all that is needed. Research is new files; none that exists is edited:

| to add | write |
|---|---|
| an experiment | `configs/<name>.gin`: includes `base.gin` or another, says what differs |
| a model | `research/models/<name>.py`: plain Flax NNX, `__call__(x)` |
| a task | `research/tasks/<name>.py`: a loss per example, metrics, what to save |
| a dataset | `scripts/dataset.sh new <name> --kind=images`; then fill in `data/<name>/` |

| to | |
|---|---|
| train | `scripts/train.sh --gin_file=configs/<name>.gin` |
| see a training | `scripts/logs.sh <run>` |
| evaluate | `scripts/eval.sh <run>/outputs/test` |
| compare | `scripts/compare.sh <run> <run>` |
| check style, types, configs | `scripts/test.sh` |
| take the template's later versions | `scripts/update.sh` |

[WORKSPACE.md](WORKSPACE.md) is the map: every folder and whose it is, the life of a run.

## Origin and licence

Begun from {origin}, {day}. Licence: [LICENSE](LICENSE).
"""

CHANGELOG = """\
# Changelog

## Unreleased
"""


@dataclass(frozen=True)
class Project:
    """What a project is to be."""

    name: str
    title: str
    holder: str
    keeps_examples: bool


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    made = command_line.Parser('fork.sh', __doc__ or '', HELP)
    made.add_argument('folder', metavar='FOLDER', help='a new folder, outside this one')
    made.add_argument(
        '--name', required=True, help='goes into pyproject.toml; runs lie in a folder of this name'
    )
    made.add_argument('--title', help='heads README.md; by default the name')
    made.add_argument('--holder', help='who holds the rights, for LICENSE; by default the user.name of git')
    made.add_argument(
        '--examples',
        choices=['keep', 'drop'],
        default='keep',
        help=f'experiments, datasets, models and what tests them: all of {EXAMPLES}; by default keep',
    )
    return made


def main(arguments: argparse.Namespace) -> int:
    """Makes the project; returns the exit code."""
    template, folder = Repository(REPOSITORY), Path(arguments.folder).absolute()
    check_name(arguments.name)
    check_folder(folder)
    template.check()
    template.check_clean('the project would lack them')
    project = Project(
        name=arguments.name,
        title=one_line(arguments.title or arguments.name),
        holder=one_line(arguments.holder or author(template)),
        keeps_examples=arguments.examples == 'keep',
    )
    with files.user_folder(folder, '.git', overwrite=False) as aside:
        begin(project, template, Repository(aside))
    print(
        'scripts/update.sh will merge later versions of the template. From where: git remote get-url template'
    )
    print(f'project: {folder}')
    return errors.EXIT_FINISHED


def check_name(name: str) -> None:
    """Raises `UserError` if `name` can be neither a Python project's nor a folder's."""
    if re.fullmatch(r'[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?', name):
        return
    near = re.sub(r'[^A-Za-z0-9._]+', '-', name).strip('-._')
    raise UserError(
        f'--name={name} will not do in pyproject.toml: a name is made of letters A to Z, digits, "-", "_" '
        'and ".", and begins and ends with a letter or digit.' + (f' How about {near!r}?' if near else '')
    )


def check_folder(folder: Path) -> None:
    """Raises `UserError` if no project can be begun in `folder`."""
    if folder.resolve().is_relative_to(REPOSITORY):
        raise UserError(
            f'{folder} lies within the template, {REPOSITORY}. Choose a folder outside, such as ../my-project'
        )
    is_empty_folder = folder.is_dir() and not any(folder.iterdir())
    if folder.is_symlink() or (folder.exists() and not is_empty_folder):
        raise UserError(f'{folder} exists and is not empty. Choose a new folder: nothing is overwritten.')


def begin(project: Project, template: Repository, new: Repository) -> None:
    """Fills an empty folder with the project: one commit upon the template's."""
    where = origin(template) or str(template.root)
    new.git('init', '--quiet', '--initial-branch=main')
    new.git('remote', 'add', '--no-tags', REMOTE, where)  # its tags are versions of something else
    new.git('fetch', '--quiet', '--update-shallow', '--no-tags', str(template.root), 'HEAD')
    base = new.git('rev-parse', 'FETCH_HEAD')
    without = [] if project.keeps_examples else examples(new, base)
    tree = new.tree(base, without, own_files(project, template, base))
    message = f'Begin {project.name} from {named(new, base)}'
    new.git('reset', '--quiet', '--hard', new.git('commit-tree', tree, '-p', base, '-m', message))


def own_files(project: Project, template: Repository, base: str) -> dict[str, str]:
    """Returns the files that a project has of its own, by path."""
    today = datetime.date.today()
    own = {
        'name': f'name = "{project.name}"',
        'version': 'version = "0.1.0"',
        'description': f'description = {json.dumps(project.title, ensure_ascii=False)}',
    }
    return {
        'README.md': README.format(title=project.title, origin=begun_from(template, base), day=today),
        'LICENSE': licensed(template.read(base, 'LICENSE'), f'Copyright {today.year} {project.holder}'),
        'CHANGELOG.md': CHANGELOG,
        'pyproject.toml': with_metadata(template.read(base, 'pyproject.toml'), own),
    }


def begun_from(template: Repository, base: str) -> str:
    """Returns what README.md says of the template: with its address, but no password in it."""
    where = re.sub(r'(?<=://)[^/@]*@', '', origin(template))
    return f'{named(template, base)} of {where}' if where else named(template, base)


def licensed(text: str, notice: str) -> str:
    """Returns a licence with one's own notice: for the place left open, or above the notice that is there."""
    if '[name of copyright owner]' in text:
        return re.sub(r'Copyright \[yyyy\] \[name of copyright owner\]', lambda _: notice, text)
    return re.sub(
        r'^( *)(?=Copyright\b)', lambda found: f'{found[0]}{notice}\n{found[0]}', text, count=1, flags=re.M
    )


def metadata(pyproject: str) -> dict[str, str]:
    """Returns the lines of `pyproject.toml` that are a project's own, by key."""
    found = re.finditer(rf'^({"|".join(METADATA)}) = .*$', pyproject.partition('\n[tool.')[0], re.M)
    return {each[1]: each[0] for each in found}


def with_metadata(pyproject: str, own: Mapping[str, str]) -> str:
    """Returns `pyproject.toml` with those lines of one's own that it has."""
    for key, line in metadata(pyproject).items():
        pyproject = pyproject.replace(line, own.get(key, line), 1)
    return pyproject


def examples(repository: Repository, commit: str) -> list[str]:
    """Returns the pathspecs of what is an example in a commit."""
    lines = repository.read(commit, EXAMPLES).splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def named(repository: Repository, commit: str) -> str:
    """Returns name, version and commit of a template, for people."""
    project = tomllib.loads(repository.read(commit, 'pyproject.toml'))['project']
    return f'{project["name"]} {project["version"]} ({commit[:10]})'


def origin(template: Repository) -> str:
    """Returns the address that the template was cloned from; '' if none, or none beyond this machine."""
    if 'origin' not in template.git('remote').split():
        return ''
    found = template.git('remote', 'get-url', 'origin')
    return found if re.match(r'(?!file:)(\w[\w+.-]*://|[\w.@-]+:)', found) else ''


def author(template: Repository) -> str:
    """Returns the name that git gives to the author of commits."""
    return template.git('var', 'GIT_AUTHOR_IDENT').partition(' <')[0]


def one_line(text: str) -> str:
    """Returns a text with every run of white space made one space."""
    return ' '.join(text.split())


if __name__ == '__main__':
    command_line.run(main, parser())
