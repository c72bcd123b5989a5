"""Merges a newer version of the template into a project that was forked from it.

Git compares three trees in a merge: two versions of the template, and the project. From the template's two
trees we leave out the files that the project owns and those that it has deleted. These files can then neither
conflict nor come back, and git does not mistake them for renamed ones.
"""

from pathlib import Path

from engine.errors import RunError, UserError
from engine.forks import own_files, template
from engine.forks.repository import Repository
from engine.forks.template import version_name

# A project owns these tests, whichever version of the template they came from.
OWN_TESTS = ('tests/research', 'tests/data')


def update(project: Repository) -> str:
    """Merges the newest version of the template.

    Returns:
      The name of the merged version, '' if the project has it already.

    Raises:
      UserError: the project is not ready for a merge.
      RunError: the project and the template changed the same lines; the merge is left for the user to finish.
    """
    _check(project)
    new = _newest(project)
    if project.succeeds('merge-base', '--is-ancestor', new, 'HEAD'):
        return ''
    _merge(project, _newest_common(project, new), new)
    return version_name(project, new)


def _check(project: Repository) -> None:
    """Raises `UserError` if nothing can be merged into the project in its present state."""
    project.check()
    if template.REMOTE not in project.git('remote').split():
        raise UserError(
            f"{project.root} has no git remote 'template' with the address of the template. Add it: "
            'git remote add --no-tags template <address>'
        )
    if _merge_head(project).exists():
        raise UserError('a merge is under way. Finish it with git commit, or undo it: git merge --abort')
    if not project.succeeds('symbolic-ref', '--quiet', 'HEAD'):
        raise UserError('HEAD is detached: the update would belong to no branch. First: git switch <branch>')
    project.check_clean('they would be mixed with the update', '--untracked-files=no')


def _merge_head(project: Repository) -> Path:
    """Returns the file that names the commit being merged, while a merge is under way."""
    return project.root / project.git('rev-parse', '--git-path', 'MERGE_HEAD')


def _newest(project: Repository) -> str:
    """Fetches the newest commit of the template and returns it."""
    project.git('fetch', '--quiet', '--no-tags', template.REMOTE, 'HEAD')
    return project.git('rev-parse', 'FETCH_HEAD')


def _newest_common(project: Repository, new: str) -> str:
    """Returns the newest commit of the template that the project contains."""
    if not project.succeeds('merge-base', 'HEAD', new):
        raise UserError(
            "this project and the remote 'template' have no history in common. If the address is wrong: "
            'git remote set-url template <address>'
        )
    return project.git('merge-base', 'HEAD', new)


def _merge(project: Repository, old: str, new: str) -> None:
    """Merges the changes between two commits of the template, in the files that the project has of it."""
    without = [*own_files.OWN_FILES, *OWN_TESTS, *_deleted(project, old)]
    parents: list[str] = []
    for commit in (old, new):
        shared = project.tree(commit, without, _own_metadata(project, commit))
        # Apart from `without`, because the exceptions among these pathspecs hold for all of them.
        tree = project.tree(shared, _unwanted_examples(project, new))
        parents = ['-p', project.git('commit-tree', tree, *parents, '-m', version_name(project, commit))]
    is_applied = _apply(project, parents[1])
    _begin_merge(project, new)
    if not is_applied:
        raise RunError(_conflicts(project, new))
    project.git('commit', '--quiet', '--no-verify', '--no-edit')


def _apply(project: Repository, change: str) -> bool:
    """Applies a commit's change to index and working tree. Returns whether there was no conflict."""
    # The project's files stay in their folders, and the user sees every conflict.
    settings = ('-c', 'merge.directoryRenames=false', '-c', 'rerere.enabled=false')
    try:
        project.git(*settings, 'cherry-pick', '--no-commit', '--allow-empty', change)
    except RunError:
        if not _unmerged(project):
            raise
        return False
    return True


def _deleted(project: Repository, old: str) -> list[str]:
    """Returns the pathspecs of the template's files that the project has deleted."""
    paths = project.lines('diff', '--no-renames', '--diff-filter=D', '--name-only', '-z', old, 'HEAD')
    return [f':(literal){path}' for path in paths]


def _unwanted_examples(project: Repository, new: str) -> list[str]:
    """Returns the pathspecs of the template's examples if the project was forked without them."""
    keeps_examples = project.succeeds('cat-file', '-e', f'HEAD:{template.EXAMPLES_FILE}')
    return [] if keeps_examples else template.example_pathspecs(project, new)


def _own_metadata(project: Repository, commit: str) -> dict[str, str]:
    """Returns the pyproject.toml of a commit with the project's own name and version."""
    own = own_files.metadata(project.read('HEAD', 'pyproject.toml'))
    return {'pyproject.toml': own_files.with_metadata(project.read(commit, 'pyproject.toml'), own)}


def _begin_merge(project: Repository, new: str) -> None:
    """Declares the changes in the index to be a merge of `new`, which `git commit` will conclude."""
    _merge_head(project).write_text(f'{new}\n')
    _merge_head(project).with_name('MERGE_MSG').write_text(f'Merge {version_name(project, new)}\n')


def _unmerged(project: Repository) -> list[str]:
    """Returns the files with conflicts."""
    return project.lines('diff', '--name-only', '--diff-filter=U', '-z')


def _conflicts(project: Repository, new: str) -> str:
    """Returns what the user does about conflicts."""
    conflicting = '\n'.join(f'  {file}' for file in _unmerged(project))
    return (
        f'{version_name(project, new)} and this project both changed:\n{conflicting}\n'
        'All other files are merged. Nothing is committed yet. Resolve the conflicts (git diff shows them), '
        'then: git add <files>; git commit. To undo the update: git merge --abort'
    )
