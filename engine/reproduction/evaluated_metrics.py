"""The metrics that `scripts/eval.sh` has written beside the outputs of a run, and those of its repetition."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine import files
from engine.outputs.contents import MANIFEST
from engine.reproduction.training import Recipe

METRICS = Path('evaluation', 'metrics.json')  # of an outputs folder
PROGRAM = 'engine.commands.evaluate'
_PARTS = {'value': '', 'interval': ', its interval,'}  # of a metric that are compared

Metrics = Mapping[str, Mapping[str, Any]]


def metrics(outputs: Path) -> Metrics:
    """Returns the metrics of an outputs folder, each with value and interval; {} if it is not evaluated."""
    stated = files.read_json(outputs / METRICS).get('metrics')
    known = stated if isinstance(stated, dict) else {}
    return {name: metric for name, metric in known.items() if isinstance(metric, dict)}


def repeat(recipe: Recipe, original: Path, repeated: Path) -> list[str]:
    """Evaluates the outputs of a repetition where those of the original have been evaluated.

    Args:
      recipe: with which code and packages.
      original: a run folder.
      repeated: the run folder of its repetition.

    Returns:
      A sentence on each evaluation that is not compared.
    """
    evaluated = [folder for folder in _outputs(original, repeated) if metrics(folder)]
    reasons = {folder: _reason(folder) for folder in evaluated}
    folders = [repeated / 'outputs' / folder.name for folder in evaluated if not reasons[folder]]
    notes = [f'the metrics of outputs/{folder.name}, {why}' for folder, why in reasons.items() if why]
    return [*notes, *filter(None, [_evaluate(recipe, folders) if folders else ''])]


def _outputs(original: Path, repeated: Path) -> Iterator[Path]:
    """Yields the outputs folders of a run that its repetition has too."""
    for manifest in sorted((original / 'outputs').glob(f'*/{MANIFEST}')):
        if (repeated / 'outputs' / manifest.parent.name / MANIFEST).is_file():
            yield manifest.parent


def _reason(outputs: Path) -> str:
    """Returns why an evaluation cannot be repeated from its record; '' if it can."""
    record = files.read_json(outputs / METRICS)
    if record.get('config'):  # it would be executed, and nobody has been asked to trust it
        return 'evaluated with a config of their own, are not compared'
    return 'evaluated with labels from a file, are not compared' if record.get('external_labels') else ''


def _evaluate(recipe: Recipe, folders: list[Path]) -> str:
    """Evaluates outputs; returns a sentence that says why if that fails."""
    print('evaluating the outputs ...', file=sys.stderr, flush=True)
    command, variables = recipe.interpreter.command(recipe.root, PROGRAM, *map(str, folders), '--overwrite')
    done = subprocess.run(
        command, env=variables, capture_output=True, text=True, errors='replace', check=False
    )
    last = next(iter(done.stderr.strip().splitlines()[-1:]), f'exit code {done.returncode}')
    return f'the repeated outputs cannot be evaluated: {last.removeprefix("error: ").rstrip(".")}' * bool(
        done.returncode
    )


def difference(original: Path, repeated: Path) -> str:
    """Returns the first metric that differs between two evaluated outputs folders; '' if none does.

    Metrics that only one of them has are left out: other versions of the template have others.
    """
    old, new = metrics(original), metrics(repeated)
    for name in (name for name in old if name in new):
        for part, words in _PARTS.items():
            one, other = (stated[name].get(part) for stated in (old, new))
            if one != other:
                return f'{name}{words} was {_shown(one)}, is {_shown(other)}'
    return ''


def _shown(value: Any) -> str:
    return 'not defined' if value is None else repr(value)
