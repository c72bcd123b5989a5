"""Outputs of kind `language`: the log-probability and length of each text."""

from collections.abc import Sequence

import numpy as np

from engine.outputs.joint.averages import log_mean_exp
from engine.outputs.kind import Arrays, Field, Kind


def ensemble(members: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Returns the logarithm of the mean probability of each text, in float64."""
    return {'log_probs': log_mean_exp([arrays['log_probs'] for arrays in members])}


KIND = Kind(
    arrays={
        'log_probs': Field('float32', 'n'),
        'lengths': Field('int32', 'n'),
        'tokens': Field('int32', 'n'),  # those of another vocabulary differ, so `from_data` leaves them out
    },
    needs=(('log_probs',), ('lengths',)),
    from_data=('lengths',),
    of_inputs=('tokens',),
    ensemble=ensemble,
)
