"""How a sweep stands: its runs with their states and values, and the best of them."""

import ast
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.sweeps.objective import Objective
from engine.sweeps.sweep_folder import FAILED, FINISHED, OPEN, PAUSED, Proposal, Sweep, task


@dataclass(frozen=True)
class SweepRun:
    """A run of a sweep.

    Attributes:
      proposal: its name and bindings.
      folder: of the run.
      values: of the varied names, as Gin statements write them.
      state: 'finished', 'failed', 'paused' by halving, or 'open'.
      rung: the step of the rung where it has paused or failed; None at its end.
      value: the best one of the objective; None if it has none.
      message: the end of what a failed run said.
    """

    proposal: Proposal
    folder: Path
    values: Mapping[str, str]
    state: str
    rung: int | None
    value: float | None
    message: str

    @property
    def written(self) -> str:
        """The varied bindings, in one line."""
        return ', '.join(f'{name} = {value}' for name, value in self.values.items())

    def as_json(self) -> dict[str, Any]:
        """Returns the run for programs."""
        return {
            'run': self.proposal.name,
            'folder': self.folder,
            'origin': self.proposal.origin,
            'parameters': {name: _number(text) for name, text in self.values.items()},
            'state': self.state,
            'rung': self.rung,
            'value': self.value,
            'message': self.message or None,
        }


def runs(sweep: Sweep) -> list[SweepRun]:
    """Returns the runs of a sweep in the order of their proposals."""
    axes, objective = sweep.axes, sweep.objective
    return [_run(sweep, proposal, proposal.values(axes), objective) for proposal in sweep.proposals()]


def _run(
    sweep: Sweep, proposal: Proposal, values: Mapping[str, str], objective: Objective | None
) -> SweepRun:
    state, rung = sweep.state(proposal.name)
    message = sweep.ended(task(proposal.name, rung)).get('message', '') if state == FAILED else ''
    folder = sweep.run(proposal.name)
    value = objective.best(folder) if objective else None
    return SweepRun(proposal, folder, values, state, rung, value, message)


def best(found: Sequence[SweepRun], objective: Objective | None) -> SweepRun | None:
    """Returns the best finished run; of equal ones the first. None if there is none."""
    if not objective:
        return None
    losses = {
        run.proposal.name: objective.loss(run.value)
        for run in found
        if run.state == FINISHED and run.value is not None
    }
    first = min(losses, key=losses.__getitem__, default=None)
    return next((run for run in found if run.proposal.name == first), None)


def counts(found: Sequence[SweepRun]) -> dict[str, int]:
    """Returns how many runs are in each state that occurs."""
    known = Counter(run.state for run in found)
    return {state: known[state] for state in (FINISHED, PAUSED, FAILED, OPEN) if known[state]}


def failures(found: Sequence[SweepRun]) -> dict[str, list[SweepRun]]:
    """Returns the failed runs by the line that says why."""
    reasons: dict[str, list[SweepRun]] = {}
    for run in found:
        if run.state == FAILED:
            reasons.setdefault(_reason(run.message), []).append(run)
    return reasons


def _reason(message: str) -> str:
    """Returns the first line of an error, or the last line of another message."""
    _, marker, error = message.rpartition('error: ')
    lines = [line for line in (error if marker else message).splitlines() if line.strip()]
    if not lines:
        return 'the training was killed and said nothing'
    return (lines[0] if marker else lines[-1]).strip()


def _number(text: str) -> str | float:
    """Returns a number as a number, and any other value as a Gin statement writes it."""
    with contextlib.suppress(ValueError, SyntaxError):
        value = ast.literal_eval(text)
        if isinstance(value, int | float):
            return value
    return text
