"""The tokens that count, with target and predicted tag, one sequence after another."""

from dataclasses import dataclass

import numpy as np

from engine.errors import UserError
from engine.evaluation.kind_evaluation import require
from engine.kinds.tagging import is_token, predicted_tags
from engine.outputs.outputs import Outputs


@dataclass(frozen=True)
class Tagged:
    """The tokens of n sequences that have a target.

    Attributes:
      rows: sequence of each token, int [t], ascending.
      targets: true tag of each token, int [t].
      predicted: predicted tag of each token, int [t].
      sequences: n.
      class_names: one per tag.
    """

    rows: np.ndarray
    targets: np.ndarray
    predicted: np.ndarray
    sequences: int
    class_names: tuple[str, ...]


def read_tagged(outputs: Outputs) -> Tagged:
    """Returns the tokens that count.

    Raises:
      UserError: the targets are missing, no token has one, lengths are out of range, or a token has no
        predicted tag or scores that are not finite.
    """
    require(outputs, 'targets')
    _check_lengths(outputs)
    targets, counted = np.asarray(outputs.arrays['targets']), counted_tokens(outputs)
    if not counted.any():
        raise UserError(f'{outputs.folder}: no token has a target, so there is nothing to evaluate.')
    _check_scores(outputs, counted)
    rows, _ = np.nonzero(counted)
    predicted = predicted_tags(outputs.arrays)[counted]
    if (predicted < 0).any():
        raise UserError(
            f'{outputs.folder}: predicted.npy holds {predicted.min()} for a token of '
            f'{outputs.ids[rows[predicted.argmin()]]!r} that has a target. Only padding may be negative.'
        )
    tags = outputs.classes or 1 + int(max(targets[counted].max(), predicted.max()))
    names = outputs.class_names or tuple(map(str, range(tags)))
    return Tagged(rows, targets[counted].astype(int), predicted.astype(int), len(targets), names)


def counted_tokens(outputs: Outputs) -> np.ndarray:
    """Returns which tokens have a target that counts, bool [n, l]."""
    targets = np.asarray(outputs.arrays['targets'])
    ignored = outputs.manifest.is_ignored(targets, outputs.classes)
    return (targets >= 0) & ~ignored & is_token({**outputs.arrays})


def _check_lengths(outputs: Outputs) -> None:
    lengths, most = outputs.arrays.get('lengths', np.zeros(1)), outputs.arrays['targets'].shape[1]
    if lengths.min() < 0 or lengths.max() > most:
        raise UserError(
            f'{outputs.folder}: lengths.npy holds {lengths.min()} to {lengths.max()}, but a sequence has 0 '
            f'to {most} tokens.'
        )


def _check_scores(outputs: Outputs, counted: np.ndarray) -> None:
    """Raises `UserError` if scores of tokens that count are not finite, or scores of no tag."""
    for name in ('logits', 'probabilities'):
        for row, here in enumerate(counted if name in outputs.arrays else ()):
            if not np.isfinite(outputs.arrays[name][row][here]).all():
                raise UserError(
                    f'{outputs.folder}: {name}.npy is not finite for {outputs.ids[row]!r}, the first such '
                    'sequence. Look for where the model diverged.'
                )
