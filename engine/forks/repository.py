"""A git repository, with the operations that forks and updates need."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import RunError, UserError

# A git hook that runs this program has set these variables to its own repository.
HOOK_VARIABLES = ('GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_PREFIX')


@dataclass(frozen=True)
class Repository:
    """A git repository.

    Args:
      root: its top folder.
    """

    root: Path

    def git(self, *arguments: str, stdin: str = '', **environment: str) -> str:
        """Runs git and returns its output without the last line end.

        Args:
          *arguments: the command line.
          stdin: the standard input.
          **environment: further environment variables.

        Raises:
          RunError: git failed.
        """
        completed = self._run(arguments, stdin, environment)
        if completed.returncode:
            raise RunError(f'git {arguments[0]} failed in {self.root}: {completed.stderr.strip()}')
        return completed.stdout.rstrip('\n')

    def succeeds(self, *arguments: str) -> bool:
        """Whether git ends with exit code 0."""
        return self._run(arguments, '', {}).returncode == 0

    def lines(self, *arguments: str, **environment: str) -> list[str]:
        """Returns the names that git prints; its arguments must include `-z`."""
        return [line for line in self.git(*arguments, **environment).split('\0') if line]

    def read(self, commit: str, path: str) -> str:
        """Returns the text of a file in a commit; '' if there is no such file."""
        exists = self.succeeds('cat-file', '-e', f'{commit}:{path}')
        return self._run(('cat-file', 'blob', f'{commit}:{path}'), '', {}).stdout if exists else ''

    def tree(
        self, commit: str, without: Iterable[str] = (), contents: Mapping[str, str] | None = None
    ) -> str:
        """Writes a changed copy of a commit's tree. Index and working tree stay as they are.

        Args:
          commit: the commit, or the name of a tree.
          without: pathspecs of the files to leave out.
          contents: new texts of files, by path.

        Returns:
          The name of the tree.
        """
        with tempfile.TemporaryDirectory() as folder:
            index = {'GIT_INDEX_FILE': f'{folder}/index'}
            self.git('read-tree', commit, **index)
            if specs := '\0'.join(without):
                from_input = ('--pathspec-from-file=-', '--pathspec-file-nul')
                self.git('rm', '--cached', '-rfq', '--ignore-unmatch', *from_input, stdin=specs, **index)
            for path, text in (contents or {}).items():
                blob = self.git('hash-object', '-w', '--stdin', stdin=text)
                self.git('update-index', '--add', '--cacheinfo', f'100644,{blob},{path}', **index)
            return self.git('write-tree', **index)

    def check(self) -> None:
        """Raises `UserError` if git, a repository with commits in this folder, or an author is missing."""
        if not shutil.which('git'):
            raise UserError('git is not on PATH. Install it (on Debian and Ubuntu: apt install git).')
        self._check_top()
        if not self.succeeds('var', 'GIT_AUTHOR_IDENT') or not self.succeeds('var', 'GIT_COMMITTER_IDENT'):
            raise UserError(
                'git does not know the author of the commit. Set the author: '
                'git config --global user.name "Your Name"; git config --global user.email you@example.org'
            )

    def author(self) -> str:
        """Returns the name that git gives to the author of commits."""
        return self.git('var', 'GIT_AUTHOR_IDENT').partition(' <')[0]

    def check_clean(self, consequence: str, *options: str) -> None:
        """Raises `UserError` if there are uncommitted changes.

        Args:
          consequence: what would happen to them.
          *options: options of `git status`.
        """
        changed = [line[3:] for line in self.lines('status', '--porcelain', '-z', *options)]
        if changed:
            shown = ', '.join(changed[:5]) + (', ...' if len(changed) > 5 else '')
            raise UserError(
                f'{self.root} has changes that are not committed ({shown}): {consequence}. '
                'Commit them, or stash them: git stash --include-untracked'
            )

    def _check_top(self) -> None:
        """Raises `UserError` if the folder is not the top of a repository that has commits."""
        try:
            self.git('rev-parse', '--verify', 'HEAD')
            top = self.git('rev-parse', '--show-toplevel')
            reason = '' if self.root.samefile(top) else f'it is part of the repository {top}'
        except RunError as error:
            reason = str(error)
        if reason:
            raise UserError(
                f'{self.root} is not a git repository with commits, so it has no history to build on '
                f'({reason}). Get the template by git clone, not as an archive.'
            )

    def _run(
        self, arguments: Iterable[str], stdin: str, environment: Mapping[str, str]
    ) -> 'subprocess.CompletedProcess[str]':
        inherited = {name: value for name, value in os.environ.items() if name not in HOOK_VARIABLES}
        return subprocess.run(
            ['git', '-C', str(self.root), *arguments],
            input=stdin,
            env={**inherited, **environment},
            capture_output=True,
            encoding='utf-8',
            errors='surrogateescape',  # file names need not be valid text
            check=False,
        )
