"""Outputs of kind `regression`: one or more numbers for each example."""

from engine.outputs.kind import INPUTS, Arrays, Field, Kind, explained_variance


def agreement(predictions: Arrays, labels: Arrays) -> float:
    """Returns the share of the targets' variance that the predicted values explain."""
    return explained_variance(predictions['values'], labels['targets'])


KIND = Kind(
    arrays={'values': Field('float32', 'n d'), 'targets': Field('float32', 'n d'), **INPUTS},
    needs=(('values',),),
    from_data=('targets',),
    agreement=agreement,
)
