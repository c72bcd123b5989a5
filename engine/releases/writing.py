"""Writes a release: all files into a temporary folder, which is then renamed."""

import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np

from engine import files
from engine.interfaces import INDEX
from engine.outputs.outputs import Outputs
from engine.releases import card, exported, variables
from engine.releases.new_folder import new_folder
from engine.releases.tolerance import Tolerance
from engine.releases.variables import Variables
from engine.runs.safety import trust
from engine.stored_trees.release_folder import CARD, CONFIG, DATASET, METRICS, PROGRAM, RECORD, VARIABLES
from engine.training.experiment import Experiment
from engine.workspace import REPOSITORY

FORMAT = 1
_CHANNELS = {1: 'grey', 3: 'RGB'}
COPIED = (CONFIG, DATASET, 'dataset.md')  # of a run
LICENCES = 'LICEN[SC]E*'  # of a project or of a dataset


def write(
    experiment: Experiment,
    run: Path,
    saved: Outputs,
    released: Variables,
    folder: Path,
    measured: tuple[Mapping[str, Any], str],
    cards: Iterable[Path],
    check: Callable[[bytes, list[str]], tuple[float, Tolerance]],
) -> None:
    """Exports the prediction, compares it with saved outputs, and writes the release.

    Args:
      experiment: of the run.
      run: its folder.
      saved: the outputs of the checkpoint to release.
      released: the variables.
      folder: as `release_folder.place` returns it.
      measured: the content of metrics.json, {} if nothing was measured, and the same as a table in Markdown.
      cards: README.md of each dataset of the repository that the model was trained on.
      check: compares the program, given its content and inputs, with the outputs; returns the largest
        difference, and how large it might be.

    Raises:
      UserError: the prediction cannot be exported or differs from the outputs, or the version exists by now.
      RunError: the folder cannot be written.
    """
    shapes, spec = experiment.step_functions.state_shapes, experiment.data.spec
    program = exported.exported(experiment.bound, shapes, spec, released)
    content = bytes(program.serialize())
    inputs = exported.read_fields(experiment.bound, shapes, spec)
    difference, tolerance = check(content, inputs)
    metrics, table = measured
    with new_folder(folder) as new:
        (new / PROGRAM).write_bytes(content)
        variables.write(released, new / VARIABLES)
        record = _record(experiment, saved, program, released, inputs) | {
            'name': folder.parent.name,
            'version': folder.name,
            'difference': difference,
            'tolerance': tolerance.floats,
            'precision': tolerance.precision,
            'variables': variables.layout(new / VARIABLES),
        }
        _write_texts(new, record, metrics, table)
        _copy(new, run, cards)
        trust.vouch(folder, {CONFIG: files.sha256(new / CONFIG)})  # before it exists: a kill parts them never


def _record(
    experiment: Experiment, saved: Outputs, program: Any, released: Variables, inputs: list[str]
) -> dict[str, Any]:
    """Returns what release.json says of origin, program and variables."""
    manifest, description = saved.manifest, experiment.description
    arrays = jax.tree.unflatten(program.out_tree, program.out_avals)
    fields = dict(zip(inputs, _inputs(program, inputs), strict=True))
    meanings = description.predictions
    return {
        'format': FORMAT,
        'created': datetime.now(UTC).isoformat(timespec='seconds'),
        'jax': jax.__version__,
        'platforms': list(program.platforms),
        'calling_convention_version': program.calling_convention_version,
        'project': manifest.project,
        'run': manifest.run,
        'checkpoint': manifest.checkpoint,
        'step': manifest.step,
        'checkpoint_sha256': manifest.details.get('checkpoint_sha256', ''),
        'commits': list(manifest.commits),
        'code': list(manifest.code),
        'dataset': manifest.dataset,
        'dataset_fingerprint': manifest.dataset_fingerprint,
        'kind': manifest.kind,
        'class_names': list(manifest.class_names),
        'inputs': {
            name: _field(aval) | {'meaning': _meaning(experiment, name, aval)}
            for name, aval in fields.items()
        },
        'predictions': {
            name: _field(aval) | {'meaning': meanings.get(name, '')} for name, aval in arrays.items()
        },
        'parameters': released.parameters,
        'places': {name: list(paths) for name, paths in released.places.items()},
    }


def _meaning(experiment: Experiment, name: str, aval: Any) -> str:
    """Returns how whoever runs a release makes one of its inputs."""
    if name == INDEX:
        return 'number of the example, from which its randomness comes'
    if aval.dtype != np.uint8 or aval.ndim != 4 or aval.shape[-1] not in _CHANNELS:
        return ''
    pixels = f'image of height, width and channels, upright, {_CHANNELS[aval.shape[-1]]}, 0 to 255'
    if name not in experiment.data.encoded:
        return pixels
    made_by = f'as {type(experiment.decode).__name__}.evaluate of config.gin makes it'
    return f'{pixels}: {getattr(experiment.decode, "in_words", "") or made_by}'


def _inputs(program: Any, inputs: list[str]) -> list[Any]:
    (_, batch), _ = jax.tree.unflatten(program.in_tree, program.in_avals)
    return [batch[name] for name in inputs]


def _field(aval: Any) -> dict[str, Any]:
    return {'dtype': np.dtype(aval.dtype).name, 'shape': [*map(_size, aval.shape[1:])]}


def _size(size: Any) -> int | str:
    return size if isinstance(size, int) else str(size)


def _write_texts(new: Path, record: Mapping[str, Any], metrics: Mapping[str, Any], table: str) -> None:
    (new / RECORD).write_text(json.dumps(record, indent=2) + '\n', encoding='utf-8')
    if metrics:
        (new / METRICS).write_text(json.dumps(metrics, indent=2) + '\n', encoding='utf-8')
    (new / CARD).write_text(card.text(record, metrics, table), encoding='utf-8')


def _copy(new: Path, run: Path, cards: Iterable[Path]) -> None:
    """Copies config and records of the run, and the licences of project and datasets."""
    for name in COPIED:
        if (run / name).is_file():
            shutil.copyfile(run / name, new / name)
    for licence in sorted(REPOSITORY.glob(LICENCES)):
        shutil.copyfile(licence, new / licence.name)
    for dataset in (readme.parent for readme in cards):
        for licence in sorted(dataset.glob(LICENCES)):
            name = re.sub(r'[^\w.-]', '-', f'{licence.stem}-{dataset.name}{licence.suffix}')
            shutil.copyfile(licence, new / name)
