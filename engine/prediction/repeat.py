"""Saved outputs of a run, predicted once more: they must be the same files, to the byte."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine import outputs
from engine.errors import UserError
from engine.outputs.equality.first_value import difference
from engine.outputs.manifest import Manifest, read_manifest
from engine.prediction import augmented, other_data, predictions
from engine.prediction.predicted_data import OwnData, PredictedData
from engine.runs.text_log import logger
from engine.training.experiment import Experiment


def differences(experiment: Experiment, run: Path) -> Iterator[tuple[str, str]]:
    """Predicts the outputs of a run once more, each from the checkpoint that made it.

    Outputs whose checkpoint is lost are reported and left out.

    Args:
      experiment: of the run.
      run: its folder.

    Yields:
      The name of an outputs folder, and its first difference, '' if it is equal.
    """
    for folder in sorted(path.parent for path in (run / 'outputs').glob(f'*/{outputs.MANIFEST}')):
        manifest = read_manifest(folder)
        with tempfile.TemporaryDirectory() as temporary:
            origin, which = {'commits': manifest.commits, 'code': manifest.code}, str(manifest.step)
            try:
                data = _data(experiment, manifest)
                if augmented.DETAIL in manifest.details:
                    data = augmented.AugmentedData(data, experiment, int(manifest.details[augmented.DETAIL]))
                [repeated] = predictions.save(
                    experiment, run, data, [manifest.split], which, False, origin, Path(temporary)
                )
            except UserError as error:
                logger.warning('%s cannot be compared: %s', folder, error)
                continue
            yield folder.name, difference(folder, repeated)


def _data(experiment: Experiment, manifest: Manifest) -> PredictedData:
    """Returns the dataset that was predicted.

    Raises:
      UserError: it is gone, or it is not the same any more.
    """
    own = OwnData(experiment)
    if manifest.dataset == own.name:
        return own
    how: Any = manifest.details.get('resize', 'crop')
    data = other_data.load(manifest.dataset, experiment, how)
    if data.fingerprint != manifest.dataset_fingerprint:
        raise UserError(f'{manifest.dataset} has changed since: its fingerprint is another.')
    return data
