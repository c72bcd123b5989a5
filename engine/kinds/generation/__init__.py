"""Outputs of kind `generation`: generated images, with features of them and of real ones."""

from engine.outputs.kind import Field, Kind

KIND = Kind(
    arrays={
        'samples': Field('uint8', 'n h w c'),
        'features': Field('float32', 'n d'),
        'reference_features': Field('float32', 'r d'),
    },
    needs=(('samples',), ('features',)),
    from_data=('reference_features',),
)
