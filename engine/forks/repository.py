"""A git repository, as forks and updates need it. Imports the standard library alone."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import RunError, UserError

# A git hook that runs us has set these to its own repository.
HOOKS = ('GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_PREFIX')


@dataclass(frozen=True)
class Repository:
    """The git repository whose top folder is `root`."""

    root: Path

    def git(self, *arguments: str, given: str = '', **environment: str) -> str:
        """Runs git and returns what it prints, without the end of the last line.

        Args:
          *arguments: its command line.
          given: its standard input.
          **environment: variables for it.

        Raises:
          RunError: it failed; with what it said.
        """
        done = self._run(arguments, given, environment)
        if done.returncode:
            raise RunError(f'git {arguments[0]} failed in {self.root}: {done.stderr.strip()}')
        return done.stdout.rstrip('\n')

    def succeeds(self, *arguments: str) -> bool:
        """Whether git ends with exit code 0."""
        return self._run(arguments, '', {}).returncode == 0

    def lines(self, *arguments: str, **environment: str) -> list[str]:
        """Returns the names that git prints with `-z` among its arguments."""
        return [line for line in self.git(*arguments, **environment).split('\0') if line]

    def read(self, commit: str, path: str) -> str:
        """Returns the text of a file in a commit; '' if it is not there."""
        there = self.succeeds('cat-file', '-e', f'{commit}:{path}')
        return self._run(('cat-file', 'blob', f'{commit}:{path}'), '', {}).stdout if there else ''

    def tree(
        self, commit: str, without: Iterable[str] = (), contents: Mapping[str, str] | None = None
    ) -> str:
        """Writes the tree of a commit, changed; index and working tree stay as they are.

        Args:
          commit: whose files are taken.
          without: pathspecs of those that are left out.
          contents: new text of files, by path.

        Returns:
          The name of the tree.
        """
        with tempfile.TemporaryDirectory() as folder:
            index = {'GIT_INDEX_FILE': f'{folder}/index'}
            self.git('read-tree', commit, **index)
            if specs := '\0'.join(without):
                from_input = ('--pathspec-from-file=-', '--pathspec-file-nul')
                self.git('rm', '--cached', '-rfq', '--ignore-unmatch', *from_input, given=specs, **index)
            for path, text in (contents or {}).items():
                blob = self.git('hash-object', '-w', '--stdin', given=text)
                self.git('update-index', '--add', '--cacheinfo', f'100644,{blob},{path}', **index)
            return self.git('write-tree', **index)

    def check(self) -> None:
        """Raises `UserError` if git, a repository of this very folder, or an author is missing."""
        if not shutil.which('git'):
            raise UserError('there is no git on PATH. Install it (on Debian and Ubuntu: apt install git).')
        self._check_top()
        if not self.succeeds('var', 'GIT_AUTHOR_IDENT') or not self.succeeds('var', 'GIT_COMMITTER_IDENT'):
            raise UserError(
                'git does not know who makes the commit. Tell it: git config --global user.name "Your Name"; '
                'git config --global user.email you@example.org'
            )

    def check_clean(self, consequence: str, *options: str) -> None:
        """Raises `UserError` if something is not committed; `options` are those of `git status`."""
        changed = [line[3:] for line in self.lines('status', '--porcelain', '-z', *options)]
        if changed:
            shown = ', '.join(changed[:5]) + (', ...' if len(changed) > 5 else '')
            raise UserError(
                f'{self.root} has changes that are not committed ({shown}): {consequence}. '
                'Commit them, or put them aside: git stash --include-untracked'
            )

    def _check_top(self) -> None:
        """Raises `UserError` if the folder is not the top of a repository that has commits."""
        try:
            self.git('rev-parse', '--verify', 'HEAD')
            top = self.git('rev-parse', '--show-toplevel')
            why = '' if self.root.samefile(top) else f'it lies in that of {top}'
        except RunError as error:
            why = str(error)
        if why:
            raise UserError(
                f'{self.root} is no git repository with commits, so it has no history to go on from ({why}). '
                'Get the template by git clone, not as an archive.'
            )

    def _run(
        self, arguments: Iterable[str], given: str, environment: Mapping[str, str]
    ) -> 'subprocess.CompletedProcess[str]':
        inherited = {name: value for name, value in os.environ.items() if name not in HOOKS}
        return subprocess.run(
            ['git', '-C', str(self.root), *arguments],
            input=given,
            env={**inherited, **environment},
            capture_output=True,
            encoding='utf-8',
            errors='surrogateescape',  # names of files need not be text
            check=False,
        )
