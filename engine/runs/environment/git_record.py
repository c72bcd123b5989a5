"""The commit of the code and a diff of everything that is not committed, by git without the user's settings.

The work happens in an index and an object store of its own, so the repository is only read. The diff is
proven: git applies it to the commit, and the result must be the code as it is.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.runs.environment.git import Git, GitError
from engine.runs.safety import confidential

MAX_BYTES = 256 * 1024  # larger files do not enter the run folder

_COMPARE = ('--cached', '--no-renames', '--ignore-submodules=none', '--relative')
# Paths start at the top of the repository, because git apply expects that.
_PATCH = (
    *_COMPARE,
    '--no-relative',
    *('--patch', '--binary', '--full-index', '--no-ext-diff', '--no-textconv', '--no-color', '--unified=3'),
    *('--inter-hunk-context=0', '--submodule=short', '--diff-algorithm=myers', '--no-indent-heuristic'),
    *('--src-prefix=a/', '--dst-prefix=b/', '--output-indicator-new=+', '--output-indicator-old=-'),
    '--output-indicator-context= ',
)


_BINARY = b'GIT binary patch'


@dataclass(frozen=True)
class GitRecord:
    """What git knows of the code.

    Attributes:
      commit: the commit; None if there is none.
      diff: what is not committed, new files too; None if it is unknown.
      problem: why commit or diff are unknown, '' if they are known.
      left_out: changed files that are not in the diff, because they are large or may hold secrets: their
        names or their content look so. Without them, the diff does not give the code as it is.
    """

    commit: str | None = None
    diff: bytes | None = None
    problem: str = ''
    left_out: list[str] = field(default_factory=list)

    @property
    def dirty(self) -> bool | None:
        """Whether anything is not committed; None if that is unknown."""
        return None if self.diff is None else bool(self.diff or self.left_out)

    def as_json(self) -> dict[str, Any]:
        """Returns what environment.json says of the commit and the changes since."""
        digest = {} if self.diff is None else {'diff_sha256': hashlib.sha256(self.diff).hexdigest()}
        left_out = {'not_in_diff': self.left_out} if self.left_out else {}
        return {'commit': self.commit, 'dirty': self.dirty, **digest, **left_out}


def record(folder: Path, needed: Iterable[str] = ()) -> GitRecord:
    """Returns the commit and the changes since.

    Args:
      folder: of the code, at or below the top of a repository.
      needed: files that the diff holds even if git ignores them, relative to the folder.
    """
    with tempfile.TemporaryDirectory() as temporary:
        repository = _Repository(folder, Path(temporary))
        try:
            commit = repository.commit()
        except GitError as error:
            return GitRecord(problem=str(error))
        try:
            diff, left_out = repository.diff(commit, needed)
        except GitError as error:
            return GitRecord(commit, problem=str(error))
        return GitRecord(commit, diff, left_out=left_out)


@dataclass(frozen=True)
class _Entry:
    """An entry of the index.

    Attributes:
      name: its file.
      is_hidden: whether the user has told git not to look at the file.
      is_submodule: whether it is a submodule.
      is_unmerged: whether an open merge has a conflict in the file.
    """

    name: str
    is_hidden: bool
    is_submodule: bool
    is_unmerged: bool

    @classmethod
    def of(cls, line: bytes) -> '_Entry':
        """Reads a line of `git ls-files -v -s`: tag, mode, object, stage, tab, name."""
        description, _, name = line.partition(b'\t')
        tag, mode, _, stage = description.split(b' ')
        return cls(os.fsdecode(name), tag.islower() or tag == b'S', mode == b'160000', stage != b'0')


class _Repository:
    """Compares a folder with its commit, in a temporary index."""

    def __init__(self, folder: Path, temporary: Path):
        self._folder, self._git = folder, Git(folder, temporary)

    def commit(self) -> str:
        """Returns the commit that is checked out."""
        try:
            return self._git('rev-parse', '--verify', '--quiet', 'HEAD^{commit}').decode().strip()
        except GitError:
            self._git('rev-parse', '--git-dir')  # says why, if this is not a repository
            raise GitError('there is no commit yet, or git cannot read it') from None

    def diff(self, commit: str, needed: Iterable[str]) -> tuple[bytes, list[str]]:
        """Returns everything that differs from a commit as a diff, and the files that it leaves out."""
        objects, index = self._git(
            'rev-parse', *('--git-path', 'objects'), *('--git-path', 'index')
        ).splitlines()
        self._git.use_temporary_objects((self._folder / os.fsdecode(objects)).resolve())
        entries = self._copy_index(self._folder / os.fsdecode(index), commit)
        left_out = self._update_index({entry.name for entry in entries}, needed)
        left_out |= self._changed_submodules(entries)
        changed = self._git.names('diff-index', *_COMPARE, '--name-only', '-z', commit, '--')
        large = self._large_files(commit) if changed else set()
        left_out |= {name for name in changed if name in large or not self._may_be_kept(name)}
        diff = self._patch(commit, changed, left_out)
        if secret := self._with_secrets(commit, diff, set(changed) - left_out):
            left_out |= secret
            diff = self._patch(commit, changed, left_out)
        if diff:
            self._prove(commit, diff, left_out)
        return diff, sorted(left_out)

    def _patch(self, commit: str, changed: Collection[str], left_out: Collection[str]) -> bytes:
        """Returns the diff of changed files without those that it leaves out."""
        if not set(changed) - set(left_out):
            return b''
        without = [f':(exclude,literal){name}' for name in changed if name in left_out]
        return self._git('diff-index', *_PATCH, commit, '--', '.', *without)

    def _large_files(self, commit: str) -> set[str]:
        """Returns the files that are large in the commit. A diff that changes or deletes one holds it."""
        entries = (
            line.partition(b'\t') for line in self._git('ls-tree', '-r', '-l', '-z', commit).split(b'\0')
        )
        sizes = {os.fsdecode(name): entry.split()[-1] for entry, _, name in entries if name}
        return {name for name, size in sizes.items() if size.isdigit() and int(size) > MAX_BYTES}

    def _with_secrets(self, commit: str, diff: bytes, names: Collection[str]) -> set[str]:
        """Returns the files in a diff whose lines, removed ones too, look like secrets."""
        if not confidential.is_in(diff) and _BINARY not in diff:
            return set()
        return {name for name in names if self._shows_secret(commit, name)}

    def _shows_secret(self, commit: str, name: str) -> bool:
        diff = self._git('diff-index', *_PATCH, commit, '--', f':(literal){name}')
        contents = [diff]
        if _BINARY in diff:  # the diff holds both contents in a form of its own
            path = self._folder / name
            contents += [path.read_bytes()] if path.is_file() and not path.is_symlink() else []
            with contextlib.suppress(GitError):  # a new file
                contents.append(self._git('cat-file', 'blob', f'{commit}:./{name}'))
        return any(map(confidential.is_in, contents))

    def _copy_index(self, index: Path, commit: str) -> list['_Entry']:
        """Copies the index, so that unchanged files need not be read; without one, starts from the commit."""
        try:
            shutil.copyfile(index, self._git.index)
            entries = self._entries()
        except (OSError, GitError):
            entries = []
        if not entries or any(entry.is_unmerged for entry in entries):
            (self._git.index).unlink(missing_ok=True)
            self._git('read-tree', commit)
            return self._entries()
        hidden = [os.fsencode(entry.name) for entry in entries if entry.is_hidden]
        for flag in ('--no-assume-unchanged', '--no-skip-worktree') if hidden else ():
            self._git('update-index', flag, '-z', '--stdin', stdin=b'\0'.join(hidden))
        return entries

    def _entries(self) -> list['_Entry']:
        lines = self._git('ls-files', '-v', '-s', '-z').split(b'\0')
        return [_Entry.of(line) for line in lines if line]

    def _update_index(self, known: set[str], needed: Iterable[str]) -> set[str]:
        """Brings the index to the state of the files. Returns changed and new files that it leaves out."""
        changed = set(self._git.names('diff-files', '--name-only', '--relative', '-z', '--no-ext-diff'))
        changed |= set(self._git.names('ls-files', '--others', '--exclude-standard', '-z'))
        changed |= {name for name in needed if name not in known and (self._folder / name).is_file()}
        kept = {name for name in changed if self._may_be_kept(name)}
        gone = {name for name in kept if self._is_gone(name)}
        for names, flags in ((gone, ['--force-remove']), (kept - gone, ['--add', '--replace', '--remove'])):
            if names:
                stdin = b'\0'.join(map(os.fsencode, sorted(names)))
                self._git('update-index', *flags, '-z', '--stdin', stdin=stdin)
        return changed - kept

    def _is_gone(self, file: str) -> bool:
        """Whether a file does not exist, or only behind a link, where git does not look."""
        path = self._folder / file
        parents = path.parents[: len(Path(file).parts) - 1]
        return not os.path.lexists(path) or any(parent.is_symlink() for parent in parents)

    def _changed_submodules(self, entries: Iterable['_Entry']) -> set[str]:
        """Returns the submodules with changes of their own, which no diff of this repository can hold."""
        modules = [entry.name for entry in entries if entry.is_submodule]
        status = ('status', '--porcelain', '--ignore-submodules=none')
        present = [name for name in modules if (self._folder / name / '.git').exists()]
        return {name for name in present if self._git(*status, inside=name)}

    def _prove(self, commit: str, diff: bytes, left_out: Collection[str]) -> None:
        """Raises `GitError` unless the diff, applied to the commit, gives the code as it is."""
        self._git('read-tree', commit, index='proof')
        try:
            self._git('apply', '--check', '--cached', '--binary', '-', stdin=diff, index='proof')
            self._git('apply', '--cached', '--binary', '-', stdin=diff, index='proof')
        except GitError as error:
            raise GitError(f'the diff does not apply to the commit ({error})') from None
        tree = self._git('write-tree', index='proof').decode().strip()
        wrong = set(self._git.names('diff-index', *_COMPARE, '--name-only', '-z', tree, '--')) - set(left_out)
        if wrong:
            raise GitError(f'the diff does not give the same {min(wrong)}')

    def _may_be_kept(self, file: str) -> bool:
        """Whether a file may enter the run folder: it is small, and its name does not suggest a secret."""
        path = self._folder / file
        size = path.lstat().st_size if os.path.lexists(path) and not path.is_dir() else 0
        is_nested = file.endswith('/')  # another repository, which git does not enter
        is_readable = path.is_symlink() or not path.is_file() or os.access(path, os.R_OK)
        return size <= MAX_BYTES and is_readable and not is_nested and not confidential.is_named_so(file)
