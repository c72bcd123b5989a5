"""TensorBoard: a folder of events per run. A later copy adds a file, which an open TensorBoard notices."""

from pathlib import Path

from engine import files
from engine.mirrors.destination import program
from engine.mirrors.mark import Mark
from engine.mirrors.mirrored_run import MirroredRun, Tables, curves
from engine.tensorboard.event_file import EventFile

MARK = 'mirror.json'


class TensorBoardFolder:
    """A folder for `tensorboard --logdir`.

    Args:
      place: the folder.
    """

    def __init__(self, place: str):
        self.place = place
        self.look = f'{program("tensorboard")} --logdir {place}'

    def mark(self, run: MirroredRun) -> Mark:
        """Returns what `mirror.json` beside the events says."""
        return files.read_json(self._folder(run) / MARK)

    def write(self, run: MirroredRun, rows: Tables, mark: Mark, replace: bool) -> None:
        """Writes rows as a new file of events.

        Raises:
          UserError: the folder of the run holds other files than a copy.
        """
        folder = self._folder(run)
        if replace:
            files.check_replaceable(folder, MARK, overwrite=True)
            files.remove_leftovers(folder)
            files.remove_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(folder / MARK, {})  # unfinished until the last line
        if any(map(len, rows.values())):
            first = min(int(table.index[0]) for table in rows.values() if len(table))
            _write_events(folder, run, rows, first if replace else 0)
        files.write_json(folder / MARK, mark)

    def _folder(self, run: MirroredRun) -> Path:
        return Path(self.place) / run.name


def _write_events(folder: Path, run: MirroredRun, rows: Tables, first: int) -> None:
    """Writes a file of events. If `first` is not 0, TensorBoard drops what it has read from that step on."""
    events = EventFile(folder, first)
    for curve in curves(rows):
        events.add_scalars(curve.steps, {curve.name: curve.values}, run.times(curve.steps))
    events.close()
