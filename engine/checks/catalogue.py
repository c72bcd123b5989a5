"""All checks of an experiment, in the order in which a reader wants their results."""

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from engine.checks.experiment_under_test import ExperimentUnderTest
from engine.checks.finding import EXCUSED, FAIL, Finding
from engine.checks.recipe import (
    batch_independence,
    devices,
    evaluation,
    first_loss,
    gradients,
    input_ablation,
    leakage,
    learning_rate,
    network_inputs,
    outputs,
    overfit_one_batch,
    programs,
)

Check = Callable[[ExperimentUnderTest], Finding]

# For every config, on toy data too.
CONFORMANCE: Mapping[str, Check] = {
    check.__name__: check
    for check in (
        programs.builds,
        programs.steps,
        programs.repeats,
        programs.resumes,
        devices.devices,
        network_inputs.network_inputs,
        network_inputs.augmentation,
        first_loss.first_loss,
        overfit_one_batch.overfit_one_batch,
        gradients.gradients,
        batch_independence.batch_independence,
        leakage.label_leakage,
        evaluation.evaluation,
        outputs.outputs,
    )
}
# For an experiment on its real data.
RECIPE: Mapping[str, Check] = {
    check.__name__: check
    for check in (leakage.splits, input_ablation.input_ablation, learning_rate.learning_rate)
}
ALL = {**CONFORMANCE, **RECIPE}


def run(
    experiment: ExperimentUnderTest, exceptions: Mapping[str, str], checks: Iterable[str] = tuple(ALL)
) -> Iterator[tuple[str, Finding]]:
    """Runs checks, and yields the name and the finding of each.

    Args:
      experiment: the experiment to check.
      exceptions: the reasons why checks may fail, by name of the check.
      checks: the names of the checks.
    """
    for name in checks:
        yield name, excused(_attempt(ALL[name], experiment), exceptions.get(name, ''))


def excused(finding: Finding, reason: str) -> Finding:
    """Turns a failure into an excused one if there is a reason."""
    return replace(finding, verdict=EXCUSED, advice=reason) if finding.verdict == FAIL and reason else finding


def _attempt(check: Check, experiment: ExperimentUnderTest) -> Finding:
    """Runs a check. An exception becomes a failure, so that the other checks still run."""
    try:
        return check(experiment)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f'{Path(frame.filename).name}:{frame.lineno}'
        message = (str(error).splitlines() or [''])[0]
        return Finding(
            FAIL,
            f'{type(error).__name__} at {place}: {message}',
            'The check could not run. Fix this error first.',
        )
