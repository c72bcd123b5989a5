"""Weights & Biases, offline: a folder per run that `wandb sync` uploads, if anybody wants that."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine import files, workspace
from engine.mirrors.destination import accepted, digest, package, program
from engine.mirrors.mark import Mark
from engine.mirrors.mirrored_run import MirroredRun, Tables, curves

MARK = 'mirror.json'


class WandbFolder:
    """A folder of offline runs. A run with new lines is rewritten as a whole, under the same id.

    Args:
      place: the folder.
    """

    def __init__(self, place: str):
        self.place = place
        self.look = f'{program("wandb")} sync {place}/<run>/wandb/offline-run-*'
        self._wandb = package('wandb')

    def mark(self, run: MirroredRun) -> Mark:
        """Returns what `mirror.json` in the folder of the run says."""
        return files.read_json(Path(self.place) / run.name / MARK)

    def write(self, run: MirroredRun, rows: Tables, mark: Mark, replace: bool) -> None:
        """Writes the whole run into a new folder, which replaces the old one when it is complete.

        Raises:
          UserError: the folder of the run holds other files than a copy.
        """
        folder = Path(self.place) / run.name
        files.check_replaceable(folder, MARK, overwrite=True)
        files.remove_leftovers(folder)
        with files.atomic_folder(folder) as temporary:
            session = self._session(run, temporary)
            for step, numbers in _steps(run):
                session.log(numbers, step=step)
            session.finish(exit_code=int(run.state == 'failed'))
            for link in filter(Path.is_symlink, (temporary / 'wandb').iterdir()):
                link.unlink()  # it leads to the folder by its temporary name
            files.write_json(temporary / MARK, mark)

    def _session(self, run: MirroredRun, folder: Path) -> Any:
        """Starts an offline run that records nothing of the process that copies."""
        return self._wandb.init(
            mode='offline',
            dir=folder,
            project=accepted(workspace.project(), r'[/\\#?%:]'),
            id=digest(run.name),
            name=run.name,
            config=dict(run.parameters),
            settings=self._wandb.Settings(
                console='off',
                silent=True,
                disable_git=True,
                save_code=False,
                x_disable_meta=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
            ),
        )


def _steps(run: MirroredRun) -> Iterator[tuple[int, dict[str, float]]]:
    """Yields the numbers of each step, training and evaluation together, as W&B wants them."""
    by_step: dict[int, dict[str, float]] = {}
    for curve in curves(run.tables):
        for step, number in zip(curve.steps.tolist(), curve.values.tolist(), strict=True):
            by_step.setdefault(step, {})[curve.name] = number
    yield from sorted(by_step.items())
