"""Optuna, without its database: a study is made from the folder of a sweep whenever it is needed.

Optuna is an optional package. Only TPE, the plots and journal.log need it.
"""

import importlib
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from engine import files
from engine.errors import UserError
from engine.sweeps.axes import Axis
from engine.sweeps.objective import MIN, Objective
from engine.sweeps.sweep_folder import FAILED, FINISHED, OPEN, PAUSED, Sweep

JOURNAL = 'journal.log'


@dataclass(frozen=True)
class Trial:
    """A run as Optuna sees it.

    Attributes:
      values: of the varied names, as Gin statements write them.
      state: how the run has ended; 'open' if it has not.
      value: of the objective; None if the run has none.
      evaluations: the value of each evaluation, by its step.
    """

    values: Mapping[str, str]
    state: str
    value: float | None
    evaluations: Mapping[int, float] = field(default_factory=dict)


def optuna(module: str = '') -> Any:
    """Imports Optuna, or a module of it, and silences its log.

    Raises:
      UserError: it is not installed.
    """
    try:
        package = importlib.import_module('optuna')
        package.logging.set_verbosity(logging.WARNING)
        return importlib.import_module(f'optuna.{module}') if module else package
    except ModuleNotFoundError as error:
        raise UserError(
            f'{sys.executable} lacks the package {error.name}. scripts/sweep.sh without ENV=existing '
            'installs it; or install what requirements-sweeps.txt lists.'
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Ignores the warnings of Optuna inside that a function is experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', optuna('exceptions').ExperimentalWarning)
        yield


def suggestion(axes: Sequence[Axis], objective: Objective, trials: Sequence[Trial], seed: int) -> list[str]:
    """Returns the bindings that TPE proposes. The same trials and seed give the same bindings.

    Trials that have not ended count as bad ones, so that workers do not all try the same.

    Source: Bergstra, Bardenet, Bengio, Kégl: "Algorithms for hyper-parameter optimization", 2011.

    Args:
      axes: what varies.
      objective: what is to be optimized.
      trials: all earlier trials, in their order.
      seed: of this proposal.
    """
    with quiet():
        sampler = optuna('samplers').TPESampler(seed=seed, constant_liar=True)
        study = _filled(optuna().create_study(sampler=sampler, direction=_direction(objective)), axes, trials)
        asked = study.ask({axis.name: _distribution(axis) for axis in axes})
    return [f'{axis.name} = {_written(axis, asked.params[axis.name])}' for axis in axes]


def of_sweep(sweep: Sweep, objective: Objective, storage: Any = None) -> Any:
    """Returns the study of a sweep: a trial per run, in the order of the proposals.

    Args:
      sweep: the sweep.
      objective: what its runs are compared by.
      storage: where Optuna keeps the study; in memory by default.
    """
    with quiet():
        name, direction = sweep.folder.name, _direction(objective)
        study = optuna().create_study(study_name=name, direction=direction, storage=storage)
        study.set_metric_names([objective.metric])
        return _filled(study, sweep.axes, trials(sweep, objective))


def trials(sweep: Sweep, objective: Objective) -> list[Trial]:
    """Returns the runs of a sweep as trials."""
    axes, found = sweep.axes, []
    for run in sweep.proposals():
        folder = sweep.run(run.name)
        evaluations = {step: value for step, value in objective.values(folder).items() if value == value}
        found.append(Trial(run.values(axes), sweep.state(run.name)[0], objective.best(folder), evaluations))
    return found


def write_journal(sweep: Sweep, objective: Objective) -> None:
    """Writes the study for Optuna's own tools, such as optuna-dashboard."""
    journal = optuna('storages.journal')
    with files.atomic_file(sweep.folder / JOURNAL) as temporary:
        backend = journal.JournalFileBackend(str(temporary))
        of_sweep(sweep, objective, optuna('storages').JournalStorage(backend))


def _direction(objective: Objective) -> str:
    return 'minimize' if objective.mode == MIN else 'maximize'


def _filled(study: Any, axes: Sequence[Axis], trials: Sequence[Trial]) -> Any:
    create_trial, states = optuna('trial').create_trial, _states()
    for trial in trials:
        is_complete = trial.state == FINISHED and trial.value is not None
        state = states[trial.state] if is_complete or trial.state != FINISHED else states[FAILED]
        study.add_trial(
            create_trial(
                state=state,
                value=trial.value if is_complete else None,
                params={axis.name: _value(axis, trial.values[axis.name]) for axis in axes},
                distributions={axis.name: _distribution(axis) for axis in axes},
                intermediate_values=dict(trial.evaluations),
            )
        )
    return study


def _states() -> Mapping[str, Any]:
    state = optuna('trial').TrialState
    return {FINISHED: state.COMPLETE, PAUSED: state.PRUNED, FAILED: state.FAIL, OPEN: state.RUNNING}


def _distribution(axis: Axis) -> Any:
    distributions = optuna('distributions')
    if axis.bounds:
        return distributions.FloatDistribution(*axis.bounds, log=axis.is_log)
    if axis.is_whole:
        return distributions.IntDistribution(int(axis.values[0]), int(axis.values[-1]))
    return distributions.CategoricalDistribution(tuple(_choices(axis)))


def _value(axis: Axis, text: str) -> Any:
    """Returns a value as Optuna knows it."""
    if axis.bounds:
        return float(text)
    return (
        int(text) if axis.is_whole else next(value for value, each in _choices(axis).items() if each == text)
    )


def _written(axis: Axis, value: Any) -> str:
    """Returns a value of Optuna as a Gin statement writes it."""
    return axis.written(value) if axis.bounds or axis.is_whole else _choices(axis)[value]


def _choices(axis: Axis) -> dict[Any, str]:
    """Returns the values of a list as Optuna knows them: numbers, if all are numbers and different."""
    try:
        numbers = {float(text) if '.' in text or 'e' in text else int(text): text for text in axis.values}
    except ValueError:
        numbers = {}
    return numbers if len(numbers) == len(axis.values) else dict(zip(axis.values, axis.values, strict=True))
