"""Outputs of kind `image`: an image for each example, such as a restored image."""

from engine.outputs.kind import INPUTS, Arrays, Field, Kind, explained_variance


def agreement(predictions: Arrays, labels: Arrays) -> float:
    """Returns the share of the targets' variance that the images explain."""
    return explained_variance(predictions['images'], labels['targets'])


KIND = Kind(
    arrays={'images': Field('uint8', 'n h w c'), 'targets': Field('uint8', 'n h w c'), **INPUTS},
    needs=(('images',),),
    from_data=('targets',),
    agreement=agreement,
)
