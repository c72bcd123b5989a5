"""One run of the table, read from its plain files."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.run_reader import plain_files, settings
from engine.run_reader.catalogue import folders, liveness
from engine.run_reader.catalogue.liveness import Liveness
from engine.run_reader.settings import Settings
from engine.runs.run_state import undamaged

MAX_TAIL_BYTES = 1 << 14  # of a log, to find its last line


@dataclass(frozen=True)
class RunEntry:
    """A run.

    Attributes:
      folder: the run folder.
      name: what the table calls it.
      status: the undamaged values of status.json.
      liveness: what it is doing.
      settings: its config; None if it has none.
      step: the last step that it logged or recorded.
      steps: of the whole training; None if no config says.
      best_metric: the metric that chooses the best checkpoint, and its direction; ('', '') if no config says.
      evaluations: the metrics of each evaluation, by step.
      seconds: of training, over all its sessions; None if unknown.
      started: when it began; None if unknown.
      notes: what is missing, damaged or odd, a sentence each.
    """

    folder: Path
    name: str
    status: Mapping[str, Any]
    liveness: Liveness
    settings: Settings | None
    step: int
    steps: int | None
    best_metric: tuple[str, str]
    evaluations: Mapping[int, Mapping[str, Any]]
    seconds: float | None
    started: datetime | None
    notes: tuple[str, ...]

    @cached_property
    def best(self) -> tuple[int, float] | None:
        """Step and value of the best evaluation; None if there is none."""
        name, mode = self.best_metric
        values = {step: value for step in self.evaluations if (value := self.metric(name, step)) is not None}
        if not values:
            return None
        step = (min if mode == 'min' else max)(values, key=values.__getitem__)  # the first of equal ones
        return step, values[step]

    def metric(self, name: str, step: int) -> float | None:
        """Returns a metric of the evaluation after a step; None if it is not a finite number."""
        return plain_files.finite(self.evaluations[step].get(name))

    @cached_property
    def metrics(self) -> dict[str, float | None]:
        """Each metric at the best evaluation, or at the last one if there is no best."""
        if not self.evaluations:
            return {}
        step = self.best[0] if self.best else max(self.evaluations)
        return {
            name: self.metric(name, step) for name in self.evaluations[step] if name not in ('step', 'epoch')
        }


def read(folder: Path) -> RunEntry:
    """Reads a run, as far as it goes. Nothing is written."""
    notes: list[str] = []
    status = _status(folder, notes)
    config = plain_files.text(folder / 'config.gin', notes)
    parsed = settings.parse(config) if config else None
    evaluations = {line['step']: line for line in _lines(folder / 'logs' / 'val.jsonl', notes)}
    state = liveness.of(folder, status)
    return RunEntry(
        folder=folder,
        name=folders.name(folder),
        status=status,
        liveness=state,
        settings=parsed,
        step=max([0, *evaluations, _last_step(folder / 'logs' / 'train.jsonl', status)]),
        steps=parsed.trainer_count('steps') if parsed else None,
        best_metric=parsed.best if parsed else ('', ''),
        evaluations=evaluations,
        seconds=_seconds(folder / 'logs' / 'performance.jsonl', status),
        started=_time(status.get('started')),
        notes=tuple(notes),
    )


def _status(folder: Path, notes: list[str]) -> dict[str, Any]:
    text = plain_files.text(folder / 'status.json', notes)
    status = plain_files.parsed(text)
    if text and not status:
        notes.append('status.json is damaged')
    return undamaged(status)


def _lines(path: Path, notes: list[str]) -> list[dict[str, Any]]:
    """Returns the lines of a log; none and no note if it does not exist yet."""
    return plain_files.lines(path, notes) if path.exists() and not _is_empty(path) else []


def _is_empty(path: Path) -> bool:
    return path.is_file() and path.stat().st_size == 0


def _last_step(path: Path, status: Mapping[str, Any]) -> int:
    """Returns the step of the last complete line of a long log, or that of status.json."""
    for line in reversed(plain_files.tail(path, MAX_TAIL_BYTES).split(b'\n')[:-1]):
        step = plain_files.parsed(line).get('step')
        if plain_files.is_step(step):
            return step
    recorded = status.get('step')
    return recorded if plain_files.is_step(recorded) else 0


def _seconds(path: Path, status: Mapping[str, Any]) -> float | None:
    """Returns the time of training: what the log of performance sums up to, or until the last heartbeat."""
    by_step = {line['step']: line.get('seconds') for line in _lines(path, [])}
    totals = [plain_files.finite(part.get('total')) for part in by_step.values() if isinstance(part, dict)]
    if known := [total for total in totals if total is not None and total >= 0]:
        return sum(known)
    began, ended = (_time(status.get(name)) for name in ('started', 'heartbeat'))
    return (ended - began).total_seconds() if began and ended and ended >= began else None


def _time(text: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None
