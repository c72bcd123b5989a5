"""What the features of a TFDS builder mean for batches: shapes, dtypes, class names, encoded images."""

from typing import Any

import jax
import numpy as np

from engine.errors import UserError
from engine.interfaces import Spec

# TensorFlow Datasets takes a second to import, so only the functions that need it import it.


def spec(builder: Any) -> Spec:
    """Returns shape and dtype of each field of fixed shape, names of classes, and the notes of the builder.

    Raises:
      UserError: a field that is not an encoded image has no fixed shape.
    """
    import tensorflow_datasets as tfds

    encoded = encoded_channels(builder)
    features = {
        name: feature
        for name, feature in builder.info.features.items()
        if not isinstance(feature, tfds.features.Text) and name not in encoded
    }
    example = {name: field_shape(builder.name, name, feature) for name, feature in features.items()}
    names = {name: _class_names(feature) for name, feature in features.items()}
    notes = builder.notes() if hasattr(builder, 'notes') else {}
    return Spec(example, {field: classes for field, classes in names.items() if classes}, notes)


def unused_fields(builder: Any) -> dict[str, str]:
    """Returns the fields that batches cannot hold, each with the reason. `id` is not one of them."""
    features = getattr(builder, 'all_features', builder.info.features)
    reasons = {name: unusable(feature) for name, feature in features.items() if name != 'id'}
    return {name: reason for name, reason in reasons.items() if reason}


def unusable(feature: Any) -> str:
    """Returns why batches cannot hold a field, '' if they can: images, or numbers of fixed shape."""
    import tensorflow_datasets as tfds

    kind = type(feature).__name__
    if _is_encoded(feature):
        return ''
    if isinstance(feature, tfds.features.Text):
        return 'Text, and batches hold numbers, such as the bytes of a text in a Tensor'
    if not isinstance(feature.shape, tuple) or isinstance(feature.np_dtype, dict):
        inside = f' ({", ".join(feature.shape)})' if isinstance(feature.shape, dict) else ''
        return f'{kind} of several fields{inside}, and batches hold arrays'
    is_mask = isinstance(feature, tfds.features.LabeledImage)
    if None in feature.shape:
        reason = 'resizing a mask would invent classes' if is_mask else 'batches need a fixed one'
        return f'{kind} of the shape {feature.shape}, and {reason}'
    if np.dtype(feature.np_dtype).kind not in 'biuf':
        return f'{kind} of {np.dtype(feature.np_dtype)}, and batches hold numbers'
    return ''


def _class_names(feature: Any) -> tuple[str, ...]:
    """Returns the names of the classes that a feature holds, () if it holds none."""
    import tensorflow_datasets as tfds

    feature = _element(feature)
    classes = tfds.features.ClassLabel, tfds.features.LabeledImage
    return tuple(feature.names) if isinstance(feature, classes) and feature.num_classes else ()


def _element(feature: Any) -> Any:
    """Returns the feature of the items of a sequence. Other features come back unchanged."""
    import tensorflow_datasets as tfds

    return feature.feature if isinstance(feature, tfds.features.Sequence) else feature


def encoded_channels(builder: Any) -> dict[str, int]:
    """Returns the number of channels of each field whose images vary in size. They are stored encoded."""
    features = builder.info.features.items()
    return {name: feature.shape[-1] or 3 for name, feature in features if _is_encoded(feature)}


def _is_encoded(feature: Any) -> bool:
    """Whether a feature holds uint8 images of any height or width."""
    import tensorflow_datasets as tfds

    shape: Any = feature.shape
    # A LabeledImage does not count: resizing it would invent classes between two classes.
    return type(feature) is tfds.features.Image and None in shape and feature.np_dtype == np.uint8


def field_shape(dataset: str, name: str, feature: Any) -> jax.ShapeDtypeStruct:
    """Returns shape and dtype of a field. Class labels are int32, and masks lose TFDS's channel axis.

    Raises:
      UserError: the field has no fixed shape.
    """
    import tensorflow_datasets as tfds

    if feature.shape is None or None in feature.shape:
        raise UserError(
            f'The field {name!r} of {dataset} has the shape {feature.shape}, but batches need a fixed one. '
            f'State it in data/{dataset}/{dataset}_dataset_builder.py and bring all examples to it there.'
        )
    is_label = isinstance(_element(feature), tfds.features.ClassLabel)
    dtype = np.dtype(np.int32) if is_label else np.dtype(feature.np_dtype)
    is_mask = isinstance(feature, tfds.features.LabeledImage)
    shape = tuple(feature.shape)
    return jax.ShapeDtypeStruct(shape[:-1] if is_mask else shape, dtype)
