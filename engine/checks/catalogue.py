"""All checks, in the order in which one would want to know."""

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from engine.checks.finding import EXCUSED, FAIL, Finding
from engine.checks.recipe import batch_rows, devices, learning, network_inputs, programs, trainings
from engine.checks.subject import Subject

Check = Callable[[Subject], Finding]

# Of every config, on toy data too.
CONFORMANCE: Mapping[str, Check] = {
    each.__name__: each
    for each in (
        programs.builds,
        programs.steps,
        programs.repeats,
        programs.resumes,
        devices.devices,
        network_inputs.inputs,
        network_inputs.augmentation,
        learning.first_loss,
        learning.by_heart,
        learning.gradients,
        batch_rows.independence,
        batch_rows.peeking,
        batch_rows.evaluation,
        batch_rows.outputs,
    )
}
# Of an experiment on its real data.
RECIPE: Mapping[str, Check] = {
    each.__name__: each for each in (trainings.splits, trainings.blanked, trainings.learning_rate)
}
ALL = {**CONFORMANCE, **RECIPE}


def run(
    subject: Subject, exceptions: Mapping[str, str], checks: Iterable[str] = tuple(ALL)
) -> Iterator[tuple[str, Finding]]:
    """Yields (name, finding) of each check.

    Args:
      subject: what is checked.
      exceptions: why a check may fail, by its name.
      checks: names.
    """
    for name in checks:
        yield name, excused(_attempt(ALL[name], subject), exceptions.get(name, ''))


def excused(finding: Finding, reason: str) -> Finding:
    """Returns a finding that has failed as an excused one, if there is a reason."""
    return replace(finding, verdict=EXCUSED, advice=reason) if finding.verdict == FAIL and reason else finding


def _attempt(check: Check, subject: Subject) -> Finding:
    """Returns what a check finds; what stops it is a finding too, and others may tell more."""
    try:
        return check(subject)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f'{Path(frame.filename).name}:{frame.lineno}'
        said = (str(error).splitlines() or [''])[0]
        return Finding(
            FAIL, f'{type(error).__name__} at {place}: {said}', 'It cannot be checked: mend this first.'
        )
