"""Outputs of kind `generation`: generated images, and features of generated and real images."""

from engine.outputs.kind import Field, Kind

KIND = Kind(
    arrays={
        'samples': Field('uint8', 'n h w c'),
        'features': Field('float32', 'n d'),
        'reference_features': Field('float32', 'r d'),
    },
    needs=(('samples',), ('features',)),
    from_data=('reference_features',),
    comparable_details=('extractor_sha256',),  # distances depend on the network that computed the features
)
