"""MLflow: an experiment per project and a run per run, in a database file or on a tracking server."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from engine import workspace
from engine.errors import RunError
from engine.mirrors.destination import accepted, digest, package, program
from engine.mirrors.mark import Mark
from engine.mirrors.mirrored_run import MirroredRun, Tables, curves

ID, MARK = 'mirror.run', 'mirror.mark'  # tags of a copy
REFUSED = r'[^\w.\- :/]|^[/.]|/$|/(?=[/.])'  # of names: MLflow takes them for paths
MAX_VALUE, MAX_PARAMETERS, MAX_METRICS = 6000, 100, 1000  # characters of a parameter; entries of a call
STATUS = {'running': 'RUNNING', 'finished': 'FINISHED', 'failed': 'FAILED'}
ENDED = 'KILLED'  # the status of any other state


class MLflowStore:
    """A database `mlflow.db` in a folder, or a tracking server.

    Args:
      place: the folder, or the address of a server or database.
    """

    def __init__(self, place: str):
        os.environ.setdefault('MLFLOW_DISABLE_TELEMETRY', 'true')  # nothing leaves this machine unasked
        os.environ.setdefault('MLFLOW_LOGGING_LEVEL', 'WARNING')
        os.environ.setdefault('MLFLOW_HTTP_REQUEST_MAX_RETRIES', '2')
        self.place = place
        uri, artifacts = place, None
        if '://' not in place:
            folder = Path(place).absolute()
            folder.mkdir(parents=True, exist_ok=True)
            uri, artifacts = f'sqlite:///{folder / "mlflow.db"}', (folder / 'artifacts').as_uri()
        self.look = f'{program("mlflow")} ui --backend-store-uri {uri}' if artifacts else f'open {place}'
        self._entities = package('mlflow.entities')
        self._client = package('mlflow.tracking').MlflowClient(tracking_uri=uri)
        with self._failures():
            self._experiment = self._find_experiment(workspace.project(), artifacts)

    def mark(self, run: MirroredRun) -> Mark:
        """Returns what a tag of the copy says."""
        copy = self._copy(run)
        return json.loads(copy.data.tags.get(MARK, '{}')) if copy else {}

    def write(self, run: MirroredRun, rows: Tables, mark: Mark, replace: bool) -> None:
        """Logs rows. A copy to replace is deleted, as MLflow deletes: it can be restored for a while."""
        copy, metrics = self._copy(run), list(self._metrics(run, rows))
        with self._failures():
            if replace and copy:
                self._client.delete_run(copy.info.run_id)
            run_id = self._new(run) if replace or not copy else copy.info.run_id
            self._client.set_tag(run_id, MARK, '{}')  # unfinished until the last line
            for start in range(0, len(metrics), MAX_METRICS):
                self._client.log_batch(run_id, metrics=metrics[start : start + MAX_METRICS])
            self._set_status(run_id, run)
            self._client.set_tag(run_id, MARK, json.dumps(mark))

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turns a failure of MLflow into one line."""
        try:
            yield
        except package('mlflow.exceptions').MlflowException as error:
            reason = str(error).partition('\n')[0][:300]
            raise RunError(
                f'MLflow failed at {self.place}: {reason}. Repeat the command when it works.'
            ) from error

    def _find_experiment(self, name: str, artifacts: str | None) -> str:
        known = self._client.get_experiment_by_name(name)
        return known.experiment_id if known else self._client.create_experiment(name, artifacts)

    def _copy(self, run: MirroredRun) -> Any:
        """Returns the copy of a run that MLflow holds, or None."""
        return next(
            iter(self._client.search_runs([self._experiment], f"tags.`{ID}` = '{digest(run.name)}'")), None
        )

    def _new(self, run: MirroredRun) -> str:
        """Creates a run with its parameters and its config; returns its id."""
        tags = {ID: digest(run.name), MARK: '{}'}
        created = self._client.create_run(
            self._experiment, start_time=round(1000 * run.started), run_name=run.name, tags=tags
        )
        run_id = created.info.run_id
        parameters = [
            self._entities.Param(accepted(name, REFUSED), value[:MAX_VALUE])
            for name, value in run.parameters.items()
        ]
        for start in range(0, len(parameters), MAX_PARAMETERS):
            self._client.log_batch(run_id, params=parameters[start : start + MAX_PARAMETERS])
        self._client.log_text(run_id, run.config, 'config.gin')
        return run_id

    def _metrics(self, run: MirroredRun, rows: Tables) -> Iterator[Any]:
        for curve in curves(rows):
            times = (1000 * run.times(curve.steps)).round().astype(int)
            entries = zip(curve.values.tolist(), times.tolist(), curve.steps.tolist(), strict=True)
            key = accepted(curve.name, REFUSED)
            yield from (self._entities.Metric(key, *entry) for entry in entries)

    def _set_status(self, run_id: str, run: MirroredRun) -> None:
        """Gives a copy the state of its run, and the time of its last step."""
        status = STATUS.get(run.state, ENDED)
        if status == 'RUNNING':
            self._client.update_run(run_id, status=status)
            return
        last = max((curve.steps[-1] for curve in curves(run.tables)), default=0)
        end = float(run.times(np.array([last]))[0])
        self._client.set_terminated(run_id, status, round(1000 * end))
