"""Outputs of kind `language`: the log-probability and length of each text."""

from engine.outputs.kind import Field, Kind

KIND = Kind(
    arrays={'log_probs': Field('float32', 'n'), 'lengths': Field('int32', 'n')},
    needs=(('log_probs',), ('lengths',)),
    from_data=('lengths',),
)
