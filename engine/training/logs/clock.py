"""Where the time of the loop goes, by kind of work, and whether the device is busy meanwhile.

All times are those of the loop's thread. No second counts twice: if a timed function calls another one, the
time of the inner one counts for the inner one alone. The kinds:

- `data`: waits for a batch, or prepares it;
- `dispatch`: calls the compiled training steps;
- `device`: waits until the device has finished steps, for their metrics or because too many are queued;
- `evaluation`, `pictures`, `checkpoint`, `profile`, `log`, and `observers/<class>`;
- `other`: runs the rest of the loop's Python.

`busy` is the time in which the device certainly had work. A device runs its calls in order. Before each call,
the loop asks whether the result of the previous call is ready. If it is not, the device has had work ever
since that call, and whatever the loop did meanwhile cost nothing. `busy` counts these intervals, and the
waiting for metrics outside of them. If the result is ready, the device may have idled, and the interval does
not count. A call that finds the device busy may wait for a place in its queue. Its time beyond that of the
shortest call so far counts as `device`.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import jax

Function = TypeVar('Function', bound=Callable[..., Any])

BUSY, DATA, DEVICE, DISPATCH, OTHER, TOTAL = 'busy', 'data', 'device', 'dispatch', 'other', 'total'
EVALUATION, PICTURES, CHECKPOINT, PROFILE = 'evaluation', 'pictures', 'checkpoint', 'profile'
LOG, OBSERVERS = 'log', 'observers'


class Clock:
    """Seconds spent by kind of work. Functions are wrapped once, so that the loop does not see the clock."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._inner = 0.0  # seconds of the functions that the present one has called
        self._busy = 0.0
        self._waited = 0.0  # for metrics, since the last call of the device
        self._since = self._called_at = time.monotonic()
        self._result: Any = None  # an array that the newest call makes

    def timed(self, kind: str, function: Function) -> Function:
        """Returns the function with its time counted under `kind`."""

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            outer, self._inner = self._inner, 0.0
            start = time.monotonic()
            try:
                return function(*args, **kwargs)
            finally:
                self._count(kind, time.monotonic() - start, outer)

        return wrapper  # type: ignore[return-value]

    def waiting(self, function: Function) -> Function:
        """Returns a function that waits for the device, with its time counted under `device`."""

        def wrapper(*args: Any) -> Any:
            outer, self._inner = self._inner, 0.0
            start = time.monotonic()
            try:
                return function(*args)
            finally:
                elapsed = time.monotonic() - start
                self._waited += elapsed
                self._count(DEVICE, elapsed, outer)

        return wrapper  # type: ignore[return-value]

    def calling(self, program: Callable[..., Any]) -> Callable[..., Any]:
        """Returns a program, (...) -> (state, metrics), with its time under `dispatch` and `device`."""
        shortest = float('inf')

        def wrapper(*args: Any) -> Any:
            nonlocal shortest
            outer, self._inner = self._inner, 0.0
            start = time.monotonic()
            is_busy = self._result is not None and not self._result.is_ready()
            state, metrics = program(*args)
            end = time.monotonic()
            self._result = jax.tree.leaves(metrics)[0]
            own = end - start - self._inner
            shortest = min(shortest, own)
            waited = own - shortest if is_busy else 0.0
            self._busy += end - self._called_at - self._inner if is_busy else self._waited
            self._called_at, self._waited = end, 0.0
            self._seconds[DISPATCH] = self._seconds.get(DISPATCH, 0.0) + own - waited
            self._seconds[DEVICE] = self._seconds.get(DEVICE, 0.0) + waited
            self._inner = outer + end - start
            return state, metrics

        return wrapper

    def lap(self) -> dict[str, float]:
        """Returns the seconds by kind since the last lap, `busy` among them, and all of them as `total`."""
        now = time.monotonic()
        seconds, self._seconds = self._seconds, {}
        total, self._since = now - self._since, now
        other = max(0.0, total - sum(seconds.values()))
        busy, self._busy = self._busy + self._waited, 0.0
        self._called_at, self._waited = now, 0.0
        whole = seconds | {OTHER: other, BUSY: busy, TOTAL: total}
        return {kind: round(value, 6) for kind, value in whole.items()}

    def _count(self, kind: str, elapsed: float, outer: float) -> None:
        """Counts a call that has ended; `outer` are the seconds of the calls before it in the calling one."""
        self._seconds[kind] = self._seconds.get(kind, 0.0) + elapsed - self._inner
        self._inner = outer + elapsed
