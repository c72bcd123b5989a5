"""Outputs of kind `detection`: boxes with classes and scores, any number per example.

Boxes, predicted and true, are measured in pixels of the upright original image. `views` holds the part of it
that the model sees and that `inputs` show: x0, y0, x1, y1 for each example, in the same pixels. Where the
image was padded, this part reaches beyond it.
"""

from engine.kinds.detection.packing import pack
from engine.outputs.kind import INPUTS, Field, Kind

KIND = Kind(
    arrays={
        'boxes': Field('float32', 'm 4'),
        'scores': Field('float32', 'm'),
        'classes': Field('int32', 'm', below='classes'),
        'example': Field('int32', 'm', below='n'),
        'sides': Field('float64', 'm 2'),
        'target_boxes': Field('float32', 't 4'),
        'target_classes': Field('int32', 't', below='classes'),
        'target_example': Field('int32', 't', below='n'),
        'target_sides': Field('float64', 't 2'),
        'target_areas': Field('float64', 't'),
        'target_crowd': Field('bool', 't'),
        'image_ids': Field('int64', 'n'),
        'views': Field('float32', 'n 4'),
        **INPUTS,
    },
    needs=(('boxes',), ('scores',), ('classes',), ('example',)),
    from_data=(
        'target_boxes',
        'target_classes',
        'target_example',
        'target_sides',
        'target_areas',
        'target_crowd',
    ),
    may_lack=('target_sides', 'target_areas', 'target_crowd'),
    pack=pack,
    takes='boxes [n, k, 4], scores [n, k] and classes [n, k], which are -1 for padding',
    views='views',
)
