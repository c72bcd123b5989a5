"""The template that a project was forked from: its address, its version, its examples.

This module and the others of this folder import the standard library alone.
"""

import re
import tomllib

from engine.forks.repository import Repository

REMOTE = 'template'
EXAMPLES_FILE = 'scripts/examples.txt'  # lists which files are examples


def example_pathspecs(repository: Repository, commit: str) -> list[str]:
    """Returns the git pathspecs of the examples in a commit of the template."""
    lines = repository.read(commit, EXAMPLES_FILE).splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def version_name(repository: Repository, commit: str) -> str:
    """Returns name, version and commit of a template, such as 'jax-gin-template 0.3.0 (0123456789)'."""
    project = tomllib.loads(repository.read(commit, 'pyproject.toml'))['project']
    return f'{project["name"]} {project["version"]} ({commit[:10]})'


def public_address(template: Repository) -> str:
    """Returns the address that the template was cloned from; '' if it is on this machine or unknown."""
    if 'origin' not in template.git('remote').split():
        return ''
    address = template.git('remote', 'get-url', 'origin')
    return address if re.match(r'(?!file:)(\w[\w+.-]*://|[\w.@-]+:)', address) else ''
