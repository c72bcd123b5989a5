"""Merges what is new in the template into the project that was forked from it.

What is the project's own stays as it is: README.md, LICENSE, CHANGELOG.md, its name in pyproject.toml and the
files that it added. Files of the template that it deleted stay deleted.
"""

import argparse
from pathlib import Path

from engine import errors
from engine.commands import command_line, fork
from engine.errors import RunError, UserError
from engine.forks.repository import Repository
from engine.workspace import REPOSITORY

HELP = """\
  scripts/update.sh
  git remote set-url template <address>      where the template is now"""


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    return command_line.Parser('update.sh', __doc__ or '', HELP)


def main(arguments: argparse.Namespace) -> int:
    """Merges; returns the exit code."""
    del arguments
    project = Repository(REPOSITORY)
    check(project)
    new = fetched(project)
    if project.succeeds('merge-base', '--is-ancestor', new, 'HEAD'):
        print(f'Nothing is new: {fork.named(project, new)} is in this project already.')
        return errors.EXIT_FINISHED
    merge(project, common(project, new), new)
    print(f'Merged {fork.named(project, new)}. See whether all is well: scripts/test.sh')
    print('To go back to before it: git reset --keep HEAD~1')
    return errors.EXIT_FINISHED


def check(project: Repository) -> None:
    """Raises `UserError` if nothing can be merged into the project as it stands."""
    project.check()
    if fork.REMOTE not in project.git('remote').split():
        raise UserError(
            f"{project.root} has no git remote 'template', to say where the template is. Add it: "
            'git remote add --no-tags template <address>'
        )
    if merging(project).exists():
        raise UserError(
            'a merge is under way. Finish it by git commit, or go back to before it: git merge --abort'
        )
    if not project.succeeds('symbolic-ref', '--quiet', 'HEAD'):
        raise UserError('HEAD is detached: the update would belong to no branch. First: git switch <branch>')
    project.check_clean('they could get mixed up with the update', '--untracked-files=no')


def merging(project: Repository) -> Path:
    """Returns the file that says that a merge is under way, and of what."""
    return project.root / project.git('rev-parse', '--git-path', 'MERGE_HEAD')


def fetched(project: Repository) -> str:
    """Returns the newest commit of the template."""
    project.git('fetch', '--quiet', '--no-tags', fork.REMOTE, 'HEAD')
    return project.git('rev-parse', 'FETCH_HEAD')


def common(project: Repository, new: str) -> str:
    """Returns the newest commit of the template that the project has."""
    if not project.succeeds('merge-base', 'HEAD', new):
        raise UserError(
            "this project and the remote 'template' have no history in common. If the address is wrong: "
            'git remote set-url template <address>'
        )
    return project.git('merge-base', 'HEAD', new)


def merge(project: Repository, old: str, new: str) -> None:
    """Merges what changed between two commits of the template, in files that the project has of it.

    Git compares three trees for that. From the template's two we leave out what is the project's own or was
    deleted in it: that can neither conflict nor come back, nor does git take it for what became a new file.
    """
    without = [*fork.OWN, *deleted(project, old)]
    parents: list[str] = []
    for commit in (old, new):
        shared = project.tree(commit, without, own_metadata(project, commit))
        tree = project.tree(shared, examples(project, new))  # apart: exceptions hold for all specs
        parents = ['-p', project.git('commit-tree', tree, *parents, '-m', fork.named(project, commit))]
    applied = apply(project, parents[1])
    note(project, new)
    if not applied:
        raise RunError(conflicts(project, new))
    project.git('commit', '--quiet', '--no-verify', '--no-edit')


def apply(project: Repository, change: str) -> bool:
    """Brings a commit's change into index and working tree; returns whether it went without conflict."""
    # The project's files stay where they are, and conflicts are for people to see.
    settings = ('-c', 'merge.directoryRenames=false', '-c', 'rerere.enabled=false')
    try:
        project.git(*settings, 'cherry-pick', '--no-commit', '--allow-empty', change)
    except RunError:
        if not unmerged(project):
            raise
        return False
    return True


def deleted(project: Repository, old: str) -> list[str]:
    """Returns the pathspecs of the files that the project had of the template and deleted."""
    paths = project.lines('diff', '--no-renames', '--diff-filter=D', '--name-only', '-z', old, 'HEAD')
    return [f':(literal){path}' for path in paths]


def examples(project: Repository, new: str) -> list[str]:
    """Returns the pathspecs of the template's examples, if the project takes none."""
    takes_them = project.succeeds('cat-file', '-e', f'HEAD:{fork.EXAMPLES}')
    return [] if takes_them else fork.examples(project, new)


def own_metadata(project: Repository, commit: str) -> dict[str, str]:
    """Returns the pyproject.toml of a commit with the project's own name and version."""
    own = fork.metadata(project.read('HEAD', 'pyproject.toml'))
    return {'pyproject.toml': fork.with_metadata(project.read(commit, 'pyproject.toml'), own)}


def note(project: Repository, new: str) -> None:
    """Makes of the changed index a merge of the template's commit, which `git commit` will conclude."""
    merging(project).write_text(f'{new}\n')
    merging(project).with_name('MERGE_MSG').write_text(f'Merge {fork.named(project, new)}\n')


def unmerged(project: Repository) -> list[str]:
    """Returns the files with conflicts."""
    return project.lines('diff', '--name-only', '--diff-filter=U', '-z')


def conflicts(project: Repository, new: str) -> str:
    """Returns what there is to do about conflicts."""
    files = '\n'.join(f'  {file}' for file in unmerged(project))
    return (
        f'{fork.named(project, new)} and this project both changed:\n{files}\n'
        'All else is merged, nothing is committed yet. Settle these files (git diff shows where they clash), '
        'then: git add <files>; git commit. Or go back to before the update: git merge --abort'
    )


if __name__ == '__main__':
    command_line.run(main, parser())
