"""Checks whether a dataset meets its contract, from original files to arrays, and reports every fault.

Each check is a generator of messages, one per fault. The first line of its docstring states what holds if
there are no faults.
"""

import inspect
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from engine.datasets.checks import arrays, contents, documentation, originals
from engine.datasets.checks.dataset_under_test import DatasetUnderTest, NotApplicable, one_line
from engine.errors import UserError

OK, WRONG, SKIPPED, NOTE = 'ok', 'wrong', 'skipped', 'note'
SAMPLE = 'sample'  # name of the finding about the sample
LARGE = 200_000  # examples; above, checking all images takes an hour or more
REMARKS = 'remarks'  # the check whose messages are notes, not faults
MAX_MESSAGES = 5  # messages of one check. More of them are only counted.

_log = logging.getLogger(__name__)

DatasetCheck = Callable[[DatasetUnderTest], Iterator[str]]
CHECKS: dict[str, DatasetCheck] = {
    'folder': documentation.folder,
    'layout': originals.layout,
    'checksums': originals.stated_checksums,
    'files': originals.files,
    'originals': arrays.originals,
    'records': arrays.records,
    'arrays': arrays.arrays,
    'labels': contents.labels,
    REMARKS: contents.remarks,
    'duplicates': contents.duplicates,
    'ids': contents.ids,
    'lists': contents.lists,
    'readme': documentation.stated_in_readme,
}


@dataclass(frozen=True)
class DatasetFinding:
    """One result of a check.

    Attributes:
      check: the name of the check.
      verdict: OK, WRONG, SKIPPED or NOTE.
      message: what holds, which fault was found, why the check was skipped, or what to note.
    """

    check: str
    verdict: str
    message: str


def faults(name: str) -> list[str]:
    """Runs all checks of a dataset and returns its faults, such as `readme: README.md has no title`.

    >>> faults('digits/toy')
    []
    """
    findings = run(DatasetUnderTest(name))
    return [f'{finding.check}: {finding.message}' for finding in findings if finding.verdict == WRONG]


def run(dataset: DatasetUnderTest) -> Iterator[DatasetFinding]:
    """Runs all checks, and yields one finding per fault as soon as the check has ended.

    Args:
      dataset: the dataset, which is built if necessary.
    """
    yield from _sample(dataset)
    reported: set[str] = set()  # failures that stop several checks are reported once
    for name, check in CHECKS.items():
        try:
            messages = list(check(dataset))
            summary = (inspect.getdoc(check) or '').partition('\n')[0].rstrip('.')
            verdict = NOTE if name == REMARKS else WRONG
            yield from _first(name, verdict, messages) if messages else [DatasetFinding(name, OK, summary)]
        except NotApplicable as reason:
            yield DatasetFinding(name, SKIPPED, str(reason))
        except Exception as error:  # the builder's own code may raise anything
            message = str(error) if isinstance(error, UserError) else one_line(error)
            is_known = message in reported
            reported.add(message)
            yield (
                DatasetFinding(name, SKIPPED, 'for the same reason')
                if is_known
                else DatasetFinding(name, WRONG, message)
            )


def _sample(dataset: DatasetUnderTest) -> Iterator[DatasetFinding]:
    """Yields what the checks look at if that is a sample, and advises one for a large dataset."""
    try:
        splits = dataset.dataset.splits
    except Exception:  # the first check that needs the dataset says why
        return
    total = sum(splits.values())
    if not dataset.is_sample:
        if total > LARGE:
            _log.info('All %s examples are checked. --sample=10000 checks only a part of them.', f'{total:,}')
        return
    counts = {split: len(dataset.positions(split)) for split in splits}
    drawn = ', '.join(f'{split} {count:,} of {splits[split]:,}' for split, count in counts.items())
    yield DatasetFinding(
        SAMPLE,
        NOTE,
        f'{sum(counts.values()):,} of {total:,} examples, drawn by the digests of their ids, evenly over '
        f'splits and classes ({drawn}). Faults in the others are not found. Equal examples, in one split or '
        'in two, are found only if both were drawn. The originals and the arrays were not hashed.',
    )


def _first(name: str, verdict: str, messages: list[str]) -> Iterator[DatasetFinding]:
    """Yields findings with the first messages, and one with the number of the others."""
    most = len(messages) if verdict == NOTE else MAX_MESSAGES
    for message in islice(messages, most):
        yield DatasetFinding(name, verdict, message)
    if len(messages) > most:
        yield DatasetFinding(name, verdict, f'and {len(messages) - most:,} more like these')
