"""Checks that predictions have the form of their kind of outputs, and differ between examples."""

from pathlib import Path

import numpy as np

from engine.checks.experiment_under_test import Arrays, ExperimentUnderTest
from engine.checks.finding import Finding, judged
from engine.errors import UserError
from engine.outputs import kind_folders
from engine.outputs.check_arrays import checked, packed
from engine.outputs.manifest import Manifest
from engine.outputs.pictures.cropping import SIZES


def outputs(experiment: ExperimentUnderTest) -> Finding:
    """Predictions have the arrays of their kind of outputs, are finite, and differ between examples."""
    known, description = experiment.memorisation, experiment.description
    predictions = experiment.predict(known.state, known.batch)
    truth = {name: np.asarray(known.batch[field]) for name, field in description.truth.items()}
    problems = _misfits(experiment, predictions | truth)
    for name, array in predictions.items():
        if not np.all(np.isfinite(array)):
            problems.append(f'{name} is not finite')
        elif len(array) > 1 and np.all(array == array[:1]) and not _may_be_equal(experiment, name, array):
            problems.append(f'{name} is the same for all examples')
    shapes = ', '.join(f'{name} {array.dtype} {list(array.shape)}' for name, array in predictions.items())
    return judged(
        not problems,
        '; '.join(problems) or f'{description.kind}: {shapes}',
        'If predictions are the same for all examples, the inputs get lost: look for a dead ReLU, weights '
        'that are zero, or a mean over the wrong axis. engine/kinds/<kind>/__init__.py states the arrays.',
    )


def _may_be_equal(experiment: ExperimentUnderTest, name: str, array: np.ndarray) -> bool:
    """Whether an array may be the same for all examples, as lengths and sizes may."""
    declared = kind_folders.declaration(experiment.description.kind)
    of_inputs = (declared.views, SIZES, *declared.from_data, *declared.of_inputs)
    return name in of_inputs or _is_field(experiment, array)


def _is_field(experiment: ExperimentUnderTest, array: np.ndarray) -> bool:
    """Whether an array is an unchanged field of the batch."""
    batch = experiment.memorisation.batch
    return any(np.array_equal(array, batch[field]) for field in experiment.experiment.data.spec.example)


def _misfits(experiment: ExperimentUnderTest, arrays: Arrays) -> list[str]:
    """Returns how arrays differ from what their kind of outputs states."""
    count, description = experiment.experiment.batch_size, experiment.description
    names, ignored = experiment.experiment.class_names, description.ignore_label
    manifest = Manifest(description.kind, class_names=names, ignore_label=ignored)
    declared = kind_folders.declaration(manifest.kind)
    try:
        rows = packed(declared, arrays, list(map(str, range(count))), description.decode)
        checked(Path('outputs'), manifest, rows, count)
    except UserError as misfit:
        return [str(misfit)]
    return []
