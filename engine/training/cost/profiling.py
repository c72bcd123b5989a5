"""Traces a range of training steps, for TensorBoard and Perfetto, and lists the longest operations.

The compiled steps are wrapped, so the loop does not see the trace. A trace changes no result.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax

from engine.errors import UserError
from engine.runs.text_log import logger
from engine.training.cost import operations
from engine.training.events import Events
from engine.training.logs.clock import PROFILE, Clock

Range = tuple[int, int]


def check(steps: Range | None, events: Events) -> None:
    """Raises `UserError` if a range of steps is not in the training, or cuts a call of the device in two.

    Args:
      steps: the steps after which the trace begins and ends; None for no trace.
      events: of the training.
    """
    if steps is None:
        return
    start, end = steps
    if not 0 <= start < end <= events.steps:
        raise UserError(
            f'Trainer.profile = {steps}, but the training has the steps 0 to {events.steps:,}. Give the '
            f'steps after which the trace begins and ends, such as {_example(events)}.'
        )
    for step in steps:
        if group := _group_around(step, events):
            raise UserError(
                f'Trainer.profile: step {step} is inside a group of Trainer.steps_per_dispatch = '
                f'{events.steps_per_dispatch}, which runs as a whole. Give {group[0]} or {group[1]} instead.'
            )


def _group_around(step: int, events: Events) -> Range | None:
    """Returns the steps before and after a call of the device that a step would cut in two."""
    for start in range(max(0, step - events.steps_per_dispatch + 1), step):
        if start + events.group(start) > step:
            return start, start + events.group(start)
    return None


def _example(events: Events) -> Range:
    group = events.steps_per_dispatch
    end = max(group, min(events.steps, 110) // group * group)
    return max(0, end - max(10, group)) // group * group, end


@dataclass
class Profiler:
    """Traces the steps of a range. Leaving the context ends a trace that is still open.

    Attributes:
      steps: the steps after which the trace begins and ends; None for no trace.
      run: its folder. The trace is in `debug/profile/`; an earlier one is deleted.
      clock: counts the time that starting and ending the trace takes.
    """

    steps: Range | None
    run: Path
    clock: Clock
    _is_open: bool = field(default=False, init=False)

    @property
    def folder(self) -> Path:
        """The folder of the trace."""
        return self.run / 'debug' / 'profile'

    def wrapped(self, programs: Mapping[int, Callable[..., Any]]) -> dict[int, Callable[..., Any]]:
        """Returns programs (state, payload, step) -> (state, metrics), by number of steps, with the trace."""
        if self.steps is None or jax.process_index() != 0:
            return dict(programs)
        return {count: self._wrapped(count, program, *self.steps) for count, program in programs.items()}

    def _wrapped(self, count: int, program: Callable[..., Any], start: int, end: int) -> Callable[..., Any]:
        begin, finish = (self.clock.timed(PROFILE, each) for each in (self._begin, self._finish))

        def run(state: Any, payload: Any, step: Any) -> Any:
            if step == start:
                begin(state)
            if not self._is_open:
                return program(state, payload, step)
            with jax.profiler.StepTraceAnnotation('train', step_num=int(step)):
                result = program(state, payload, step)
            if step + count >= end:
                finish(result)
            return result

        return run

    def _begin(self, state: Any) -> None:
        jax.block_until_ready(state)  # earlier steps are not part of the trace
        shutil.rmtree(self.folder, ignore_errors=True)
        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0
        jax.profiler.start_trace(self.folder, create_perfetto_trace=True, profiler_options=options)
        self._is_open = True

    def _finish(self, result: Any) -> None:
        jax.block_until_ready(result)
        self._close()

    def _close(self) -> None:
        self._is_open = False
        jax.profiler.stop_trace()
        operations.write(self.folder)
        logger.info('The trace of the steps %s and its longest operations: %s', self.steps, self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_open:
            self._close()
