"""Submissions: predictions as a table, as arrays or as COCO's results, for those who keep the truth."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

from engine import files
from engine.errors import UserError
from engine.evaluation.labels import label_arrays
from engine.kinds.detection import coco
from engine.outputs.outputs import Outputs
from engine.render.escape import formula

Column = np.ndarray | Sequence[str]  # numbers or text
ENDINGS = {'csv': '.csv', 'npz': '.npz', 'coco': '.json'}


def check(found: Outputs, form: str) -> None:
    """Raises `UserError` if outputs cannot be exported so, or hold NaN or infinity.

    Args:
      found: outputs; no truth is needed.
      form: a key of `ENDINGS`.
    """
    kinds = _FORMS[form]
    if found.kind not in kinds:
        others = ' and '.join(f'--export={each}' for each, known in _FORMS.items() if found.kind in known)
        raise UserError(f'{found.folder}: {found.kind} has no --export={form}; it has {others}.')
    for name, array in found.arrays.items():
        if name not in label_arrays.names(found.kind) and not np.isfinite(array).all():
            raise UserError(
                f'{found.folder}: {name}.npy holds NaN or infinity. Look for where the model diverged.'
            )


def write(found: Outputs, form: str, file: Path) -> None:
    """Writes a submission, whole or not at all; what stands there is replaced.

    Args:
      found: outputs for which `check` raises nothing.
      form: a key of `ENDINGS`.
      file: where to; what contains it is created.

    Raises:
      UserError: there can be no such file.
    """
    files.user_file(file, _FORMS[form][found.kind](found))


# Tables.


def _classes(found: Outputs) -> bytes:
    """Writes id, class and the probability of each class."""
    given = found.arrays.get('probabilities')
    scores = special.softmax(found.arrays['logits'].astype(np.float64), axis=1) if given is None else given
    names = _class_names(found, scores.shape[1])
    probabilities = {f'probability_{name}': scores[:, index] for index, name in enumerate(names)}
    return _table(
        {'id': found.ids, 'prediction': [names[index] for index in scores.argmax(1)], **probabilities}
    )


def _numbers(found: Outputs) -> bytes:
    """Writes id and numbers, in columns called as `--labels` calls them."""
    values = found.arrays['values']
    names = ['target'] if values.shape[1] == 1 else [f'target_{index}' for index in range(values.shape[1])]
    return _table({'id': found.ids, **dict(zip(names, values.T, strict=True))})


def _texts(found: Outputs) -> bytes:
    """Writes id, bits and bytes."""
    bits = -found.arrays['log_probs'].astype(np.float64) / np.log(2)
    return _table({'id': found.ids, 'bits': bits, 'bytes': found.arrays['lengths']})


def _boxes(found: Outputs) -> bytes:
    """Writes id, class, score and corners of each box."""
    classes = found.arrays['classes']
    names = _class_names(found, int(classes.max(initial=0)) + 1)
    corners = dict(zip(('x0', 'y0', 'x1', 'y1'), found.arrays['boxes'].T, strict=True))
    return _table(
        {
            'id': [found.ids[index] for index in found.arrays['example']],
            'class': [names[index] for index in classes],
            'score': found.arrays['scores'],
            **corners,
        }
    )


def _class_names(found: Outputs, classes: int) -> tuple[str, ...]:
    return found.class_names or tuple(map(str, range(classes)))


def _table(columns: Mapping[str, Column]) -> bytes:
    """Returns a table as CSV in UTF-8, in which a spreadsheet finds no formula; single precision is kept."""
    cells = {
        name: column if isinstance(column, np.ndarray) else [formula(cell) for cell in column]
        for name, column in columns.items()
    }
    table = pd.DataFrame(cells)
    return table.to_csv(index=False, float_format='%.9g', lineterminator='\n').encode()


# Other forms.


def _arrays(found: Outputs) -> bytes:
    """Writes all arrays, `ids` and `class_names`."""
    written = io.BytesIO()
    names = {'ids': np.array(found.ids), 'class_names': np.array(found.class_names, str)}
    np.savez_compressed(written, allow_pickle=False, **found.arrays, **names)
    return written.getvalue()


def _results(found: Outputs) -> bytes:
    return json.dumps(coco.results(found)).encode()


_TABLES = {'classification': _classes, 'detection': _boxes, 'language': _texts, 'regression': _numbers}
_FORMS: Mapping[str, Mapping[str, Callable[[Outputs], bytes]]] = {
    'csv': _TABLES,
    'npz': dict.fromkeys([*_TABLES, 'generation', 'image', 'segmentation'], _arrays),
    'coco': {'detection': _results, 'segmentation': _results},
}
