"""Runs git without the user's settings and without the variables of a shell or a hook.

Index and object store are temporary, so a repository is only read.
"""

import os
import re
import subprocess
from pathlib import Path

TIMEOUT = 60  # seconds for one command

# The system's and the user's files of settings are not read. These win over the repository's own file.
_SETTINGS = {
    'safe.directory': '*',  # the code of this folder is running already
    'core.attributesFile': os.devnull,
    'core.autocrlf': 'false',
    'core.excludesFile': os.devnull,
    'core.fsmonitor': 'false',
    'core.hooksPath': os.devnull,
    'core.ignoreStat': 'false',
    'core.quotePath': 'false',
    'core.safecrlf': 'false',
    'core.sparseCheckout': 'false',
    'core.splitIndex': 'false',
    'core.untrackedCache': 'false',
    'core.whitespace': '-trailing-space,-space-before-tab,cr-at-eol',
    'apply.ignoreWhitespace': 'no',
    'apply.whitespace': 'nowarn',
    'diff.autoRefreshIndex': 'true',
    'diff.orderFile': os.devnull,
    'diff.suppressBlankEmpty': 'false',
}
_ENVIRONMENT = {
    'GIT_CONFIG_GLOBAL': os.devnull,
    'GIT_CONFIG_SYSTEM': os.devnull,
    'GIT_CONFIG_NOSYSTEM': '1',
    'GIT_OPTIONAL_LOCKS': '0',
    'GIT_TERMINAL_PROMPT': '0',
    'LC_ALL': 'C',
}


class GitError(Exception):
    """Git has no answer; the message says why."""


class Git:
    """Git in a folder.

    Args:
      folder: at or below the top of a repository.
      temporary: an empty folder for the index and the object store.
    """

    def __init__(self, folder: Path, temporary: Path):
        self.folder, self._temporary = folder, temporary
        self._own: dict[str, str] = {}
        self._filters = self._read_filters()

    @property
    def index(self) -> Path:
        """The temporary index."""
        return self._temporary / 'index'

    def use_temporary_objects(self, objects: Path) -> None:
        """Writes to the temporary index and object store from now on.

        Args:
          objects: the object store of the repository, which is read too.
        """
        (self._temporary / 'objects').mkdir()
        self._own = {
            'GIT_INDEX_FILE': str(self.index),
            'GIT_OBJECT_DIRECTORY': str(self._temporary / 'objects'),
            'GIT_ALTERNATE_OBJECT_DIRECTORIES': str(objects),
        }

    def __call__(self, *arguments: str, stdin: bytes = b'', index: str = 'index', inside: str = '') -> bytes:
        """Runs git and returns its output.

        Args:
          *arguments: the command line.
          stdin: the standard input.
          index: name of the temporary index.
          inside: a repository below the folder, to work there and not here.

        Raises:
          GitError: git failed.
        """
        settings = _SETTINGS | self._filters
        variables = {'GIT_CONFIG_COUNT': str(len(settings))}
        for number, (name, value) in enumerate(settings.items()):
            variables |= {f'GIT_CONFIG_KEY_{number}': name, f'GIT_CONFIG_VALUE_{number}': value}
        if self._own and not inside:
            variables |= self._own | {'GIT_INDEX_FILE': str(self._temporary / index)}
        done = self._run(arguments, stdin, _inherited() | _ENVIRONMENT | variables, inside)
        if done.returncode:
            raise GitError(_reason(done.stderr) or f'git {arguments[0]} failed')
        return done.stdout

    def names(self, *arguments: str) -> list[str]:
        """Returns the names that git prints; its arguments must include `-z`."""
        return [os.fsdecode(name) for name in self(*arguments).split(b'\0') if name]

    def _run(
        self, arguments: tuple[str, ...], stdin: bytes, variables: dict[str, str], inside: str
    ) -> 'subprocess.CompletedProcess[bytes]':
        command = ['git', '-C', str(self.folder / inside), *arguments]
        try:
            return subprocess.run(
                command, input=stdin, capture_output=True, check=False, env=variables, timeout=TIMEOUT
            )
        except FileNotFoundError:
            raise GitError('git is not installed') from None
        except (OSError, subprocess.SubprocessError) as error:
            raise GitError(f'git cannot be run: {error}') from None

    def _read_filters(self) -> dict[str, str]:
        """Returns the user's filters, such as those of Git LFS: the commit holds what they make of files."""
        try:
            done = self._run(('config', '-z', '--get-regexp', r'^filter\.'), b'', _inherited(), '')
        except GitError:
            return {}
        pairs = (os.fsdecode(entry).partition('\n') for entry in done.stdout.split(b'\0') if entry)
        return {name: value for name, _, value in pairs}


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith('GIT_')}


def _reason(stderr: bytes) -> str:
    """Returns the first line of git's complaint."""
    lines = os.fsdecode(stderr).strip().splitlines()
    return re.sub(r'^(fatal|error): ', '', lines[0]) if lines else ''
