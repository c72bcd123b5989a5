"""Visdom: an environment per run and a window per metric, on a server that is running."""

import io
import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any
from urllib.parse import urlsplit

from engine.errors import UserError
from engine.mirrors.destination import accepted, package, program
from engine.mirrors.mark import Mark
from engine.mirrors.mirrored_run import Curve, MirroredRun, Tables, curves
from engine.render import markup

PORT = 8097
OLDEST_PYTHON = 3, 12  # its releases for older ones build with an old setuptools alone
SUMMARY, CURVE = 'run', 'metric:'  # ids of windows, and how they begin
REFUSED = r'[^\w.:-]'  # in the name of an environment, which becomes that of a file


class VisdomServer:
    """A Visdom server.

    Args:
      place: its address, such as `http://127.0.0.1:8097`.

    Raises:
      UserError: no server answers there.
    """

    def __init__(self, place: str):
        address = urlsplit(place)
        self.place = place
        self.look = f'open {place}'
        logging.getLogger('visdom').setLevel(logging.ERROR)  # it warns of what is wanted here
        try:
            with redirect_stdout(io.StringIO()):  # it greets
                self._client: Any = package('visdom', OLDEST_PYTHON).Visdom(
                    server=f'{address.scheme}://{address.hostname}',
                    port=address.port or PORT,
                    base_url=address.path or '/',
                    raise_exceptions=True,
                    use_incoming_socket=False,
                )
        except ConnectionError as error:
            raise UserError(
                f'no Visdom server answers at {place}. Start one: {program("visdom")} -bind_local; '
                'or name another: --at=http://<host>:<port>.'
            ) from error

    def mark(self, run: MirroredRun) -> Mark:
        """Returns an empty mark: windows are drawn as a whole, so that none is missing or doubled."""
        return {}

    def write(self, run: MirroredRun, rows: Tables, mark: Mark, replace: bool) -> None:
        """Draws all windows of a run, and has the server save them."""
        name = accepted(run.name, REFUSED)
        by_metric = _by_metric(rows)
        self._client.text(_summary(run), win=SUMMARY, env=name, opts={'title': run.name})
        for metric, lines in by_metric.items():
            self._draw(name, metric, lines)
        for window in self._windows(name) - {SUMMARY, *(CURVE + metric for metric in by_metric)}:
            if window.startswith(CURVE):  # of a metric that the run has no more; other windows are the user's
                self._client.close(window, env=name)
        self._client.save([name])

    def _draw(self, name: str, metric: str, lines: Sequence[Curve]) -> None:
        """Draws the window of a metric: the first line replaces its content, others join."""
        for index, line in enumerate(lines):
            self._client.line(
                Y=line.values,
                X=line.steps,
                win=CURVE + metric,
                env=name,
                name=line.kind,
                update='append' if index else None,
                opts={'title': metric, 'xlabel': 'step', 'showlegend': len(lines) > 1},
            )

    def _windows(self, name: str) -> set[str]:
        """Returns the ids of the windows of an environment."""
        return set(json.loads(self._client.get_window_data(win=None, env=name) or '{}'))


def _by_metric(rows: Tables) -> Mapping[str, Sequence[Curve]]:
    """Returns the curves of each metric: those of training and of validation share a window."""
    by_metric: dict[str, list[Curve]] = defaultdict(list)
    for curve in curves(rows):
        metric = curve.name if curve.kind == 'performance' else curve.name.partition('/')[2]
        by_metric[metric].append(curve)
    return by_metric


def _summary(run: MirroredRun) -> str:
    name, state, config = map(markup.escaped, (run.name, run.state, run.config))
    return f'<h4>{name}: {state}</h4><pre>{config}</pre>'
