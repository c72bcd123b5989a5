"""Outputs of kind `language`: the log-probability of each text, and its length."""

from engine.outputs.kind import Field, Kind

KIND = Kind(
    arrays={'log_probs': Field('float32', 'n'), 'lengths': Field('int32', 'n')},
    needs=(('log_probs',), ('lengths',)),
    from_data=('lengths',),
)
