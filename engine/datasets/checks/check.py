"""Whether a dataset keeps its contract, from raw files to arrays: all that is wrong, a sentence each.

Every check is a generator of such sentences. The first line of its docstring is what holds if there are none.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from engine.datasets.checks import built, card, contents, originals
from engine.datasets.checks.subject import NotApplicable, Subject, said
from engine.errors import UserError

OK, WRONG, SKIPPED = 'ok', 'wrong', 'skipped'
SHOWN = 5  # sentences of one check; the rest are counted

Check = Callable[[Subject], Iterator[str]]
CHECKS: dict[str, Check] = {
    'folder': card.folder,
    'layout': originals.layout,
    'checksums': originals.stated_checksums,
    'files': originals.files,
    'originals': built.originals,
    'records': built.records,
    'arrays': built.arrays,
    'labels': contents.labels,
    'duplicates': contents.duplicates,
    'ids': contents.ids,
    'lists': contents.lists,
    'readme': card.stated_in_readme,
}


@dataclass(frozen=True)
class Finding:
    """What a check found: its name, OK, WRONG or SKIPPED, and a sentence."""

    check: str
    verdict: str
    what: str


def run(subject: Subject) -> Iterator[Finding]:
    """Yields what each check finds, one finding per fault, as soon as it is known.

    Args:
      subject: the dataset; it is built if need be.
    """
    stopped: set[str] = set()  # what kept a check from looking is said once
    for name, check in CHECKS.items():
        try:
            wrong = list(check(subject))
            holds = (inspect.getdoc(check) or '').partition('\n')[0]
            yield from _few(name, wrong) if wrong else [Finding(name, OK, holds.rstrip('.'))]
        except NotApplicable as reason:
            yield Finding(name, SKIPPED, str(reason))
        except Exception as error:  # it reads whatever is there by the builder's own code
            what = str(error) if isinstance(error, UserError) else said(error)
            verdict = SKIPPED if what in stopped else WRONG
            stopped.add(what)
            yield Finding(name, verdict, 'for the same reason' if verdict == SKIPPED else what)


def _few(name: str, wrong: list[str]) -> Iterator[Finding]:
    """Yields the first sentences and how many more there are."""
    for what in islice(wrong, SHOWN):
        yield Finding(name, WRONG, what)
    if len(wrong) > SHOWN:
        yield Finding(name, WRONG, f'and {len(wrong) - SHOWN:,} more like these')
