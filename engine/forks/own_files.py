"""The files that a project owns from its first commit on: README.md, LICENSE, CHANGELOG.md, its metadata."""

import datetime
import json
import re
from collections.abc import Mapping

from engine.forks import template
from engine.forks.repository import Repository

OWN_FILES = ('README.md', 'LICENSE', 'CHANGELOG.md')
OWN_METADATA = ('name', 'version', 'description', 'license')  # the project's own lines of pyproject.toml

README = """\
# {title}

The question of this project, and what it found.

## Begin

```sh
scripts/train.sh --help
```

The first command creates `.venv` with everything that is needed. Research is new files. You do not edit files
of the template.

| to add | write |
|---|---|
| an experiment | `configs/<name>.gin`, which includes `base.gin` or another config and states what differs |
| a model | `research/models/<name>.py`: plain Flax NNX with `__call__(x)` |
| a task | `research/tasks/<name>.py`: the loss per example, the metrics, the predictions to save |
| a dataset | `scripts/dataset.sh new <name> --kind=images`, then fill in `data/<name>/` |

| to | run |
|---|---|
| train | `scripts/train.sh --gin_file=configs/<name>.gin` |
| look at a training | `scripts/logs.sh <run>` |
| evaluate | `scripts/eval.sh <run>/outputs/test` |
| compare | `scripts/compare.sh <run> <run>` |
| check style, types and configs | `scripts/test.sh` |
| merge a newer version of the template | `scripts/update.sh` |

[WORKSPACE.md](WORKSPACE.md) explains every folder, who owns it, and the life of a run.

## Origin and licence

Forked from {origin} on {day}. Licence: [LICENSE](LICENSE).
"""

CHANGELOG = """\
# Changelog

## Unreleased
"""


def own_files(
    source: Repository, base: str, name: str, title: str, holder: str, today: datetime.date
) -> dict[str, str]:
    """Returns the text of each file that a new project owns, by path.

    Args:
      source: the repository of the template.
      base: the commit of the template that the project starts from.
      name: the project's name in pyproject.toml.
      title: the heading of its README.md.
      holder: who holds the rights, for LICENSE.
      today: the date for README.md and LICENSE.
    """
    own = {
        'name': f'name = "{name}"',
        'version': 'version = "0.1.0"',
        'description': f'description = {json.dumps(title, ensure_ascii=False)}',
    }
    return {
        'README.md': README.format(title=title, origin=_origin(source, base), day=today),
        'LICENSE': with_notice(source.read(base, 'LICENSE'), f'Copyright {today.year} {holder}'),
        'CHANGELOG.md': CHANGELOG,
        'pyproject.toml': with_metadata(source.read(base, 'pyproject.toml'), own),
    }


def _origin(source: Repository, base: str) -> str:
    """Returns the version and the address of the template, without a password in the address."""
    address = re.sub(r'(?<=://)[^/@]*@', '', template.public_address(source))
    version = template.version_name(source, base)
    return f'{version} of {address}' if address else version


def with_notice(text: str, notice: str) -> str:
    """Returns a licence with a copyright notice: in place of the blank one, or above the existing one."""
    if '[name of copyright owner]' in text:
        return re.sub(r'Copyright \[yyyy\] \[name of copyright owner\]', lambda _: notice, text)
    return re.sub(
        r'^( *)(?=Copyright\b)', lambda indent: f'{indent[0]}{notice}\n{indent[0]}', text, count=1, flags=re.M
    )


def metadata(pyproject: str) -> dict[str, str]:
    """Returns the lines of a pyproject.toml that a project owns, by key."""
    lines = re.finditer(rf'^({"|".join(OWN_METADATA)}) = .*$', pyproject.partition('\n[tool.')[0], re.M)
    return {line[1]: line[0] for line in lines}


def with_metadata(pyproject: str, own: Mapping[str, str]) -> str:
    """Returns a pyproject.toml in which the lines of `own` replace those with the same keys."""
    for key, line in metadata(pyproject).items():
        pyproject = pyproject.replace(line, own.get(key, line), 1)
    return pyproject
