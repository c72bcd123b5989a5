"""The declaration of a kind of outputs: its arrays, and how a task's predictions become them.

A kind is a folder: `engine/kinds/<kind>/`, or `research/kinds/<kind>/` in a project. Its `__init__.py`
declares `KIND` and imports NumPy alone, because training and prediction load it. `evaluate.py` beside it
evaluates the kind, as `engine.evaluation.kind_evaluation` describes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Arrays = Mapping[str, np.ndarray]
Decode = Callable[[Sequence[int]], str | bytes]  # returns the text of token ids, as a vocabulary does


@dataclass(frozen=True)
class Field:
    """One array of a kind.

    Other dtypes are converted to the first of `dtypes` that holds all of their numbers exactly, such as int64
    to int32.

    Attributes:
      dtype: name of its NumPy dtype. An array of float32 may also be float64.
      axes: one word per axis. A number is the length of the axis. Axes of one name have one length in the
        whole folder: `n` is the number of examples, `classes` the number of classes.
      below: name of the axis whose indices the array holds; '' if it holds no indices.
      may_ignore: whether indices may also be the ignore label of the manifest.
      also: name of one more dtype that the array may have, or ''.
      padded: whether negative indices stand for padding.
      lengths_of: name of an axis, or ''. The array then holds how many entries of that axis belong to each of
        its numbers, in order, such as the bytes of each text.
      may_vary: whether pictures may vary in size, so that PNG files stand for the array: images
        [n, h, w, c], or masks [n, h, w].
    """

    dtype: str
    axes: str
    below: str = ''
    also: str = ''
    may_ignore: bool = False
    padded: bool = False
    lengths_of: str = ''
    may_vary: bool = False

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes that the array may have in memory, the usual one first."""
        wide = ('float64',) if self.dtype == 'float32' else ()
        return (self.dtype, *wide, self.also) if self.also else (self.dtype, *wide)

    @property
    def dtypes_in_words(self) -> str:
        """The dtypes from narrow to wide, such as 'float16, float32 or float64'."""
        *first, last = sorted(self.dtypes, key=lambda name: np.dtype(name).itemsize)
        return f'{", ".join(first)} or {last}' if first else last


# An additional array, which no kind declares: any numbers, one row per example.
ADDITIONAL = Field('', 'n')
# Thumbnails for people. Every kind whose models predict from images declares them.
INPUTS = {'inputs': Field('uint8', 'n ih iw ic', may_vary=True)}


def _unchanged(arrays: Arrays) -> dict[str, np.ndarray]:
    return dict(arrays)


def _untried(predicted: Arrays, truth: Arrays) -> dict[str, np.ndarray]:
    del truth
    return dict(predicted)


@dataclass(frozen=True)
class Kind:
    """The declaration of one kind of outputs.

    Attributes:
      arrays: the arrays of the kind by name. A folder may hold additional arrays of n rows, for metrics that
        a project adds.
      needs: groups of names. A folder needs exactly one array of each group; all other arrays are optional.
      from_data: names of the arrays that come from the dataset, such as labels. A comparison requires them
        to be equal.
      may_lack: names of arrays of `from_data` that are optional beside the others.
      of_inputs: names of further arrays that may be equal for all examples, such as the number of tokens of a
        text; also of arrays that `pack` and `pack_tokens` take.
      pack: converts a task's predictions and labels, each [n, ...], to the arrays of the kind.
      pack_tokens: converts a task's token ids to texts, before `pack`. Its second argument is the `decode` of
        the task's description; None if tokens are bytes.
      takes: what `pack` takes instead of the arrays of the kind, for messages.
      trial: makes predictions of zeros, with which a task is tried before training, to some that may occur.
        It gets them and the truth of the same examples.
      views: name of the array of the parts of the original images that the model sees, if the kind measures
        in pixels of the original images. A task must return it if images are resized when they are read.
      comparable_details: names of details of the manifest that must be equal in all outputs of a comparison.
      table: returns the columns of predictions.csv from arrays, ids and class names; None for no such file.
      ensemble: joins the arrays of several predictions of the same examples, in the same order, to the arrays
        of their joint prediction, with NumPy alone; `engine.outputs.joint.averages` helps. Each example is
        joined by itself. None if predictions cannot be joined.
      agreement: returns how well predictions agree with labels, for the checks of an experiment: 1 if they
        are equal, 0 or less if they are unrelated. None if the kind has no labels.
    """

    arrays: Mapping[str, Field]
    needs: tuple[tuple[str, ...], ...]
    from_data: tuple[str, ...] = ()
    may_lack: tuple[str, ...] = ()
    of_inputs: tuple[str, ...] = ()
    pack: Callable[[Arrays], dict[str, np.ndarray]] = _unchanged
    pack_tokens: Callable[[Arrays, Decode | None], dict[str, np.ndarray]] | None = None
    takes: str = ''
    trial: Callable[[Arrays, Arrays], dict[str, np.ndarray]] = _untried
    views: str = ''
    comparable_details: tuple[str, ...] = ()
    table: Callable[[Arrays, Sequence[str], Sequence[str]], dict[str, Sequence[str]]] | None = None
    ensemble: Callable[[Sequence[Arrays]], dict[str, np.ndarray]] | None = None
    agreement: Callable[[Arrays, Arrays], float] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The optional arrays with the ground truth of the examples; () if the kind has none."""
        needed = {name for group in self.needs for name in group}
        labels = tuple(name for name in self.from_data if name not in needed)
        return labels if any('n' in (self.rows(name), self.arrays[name].below) for name in labels) else ()

    @property
    def is_unpaired(self) -> bool:
        """Whether predictions belong to no examples, so that their number is free: samples of a generator."""
        return not self.labels and any(self.rows(name) != 'n' for name in self.from_data)

    @property
    def owners(self) -> tuple[str, ...]:
        """The arrays that hold the example of each row, such as of each box."""
        return tuple(name for name, field in self.arrays.items() if field.below == 'n')

    @property
    def lengths(self) -> dict[str, str]:
        """The array of lengths of each axis that has one, such as the bytes of texts."""
        return {field.lengths_of: name for name, field in self.arrays.items() if field.lengths_of}

    @property
    def varying(self) -> str:
        """The needed array whose pictures may vary in size, '' without."""
        needed = [name for group in self.needs for name in group if self.arrays[name].may_vary]
        return needed[0] if needed else ''

    def field(self, name: str) -> Field:
        """Returns the declaration of an array, `ADDITIONAL` if there is none."""
        return self.arrays.get(name, ADDITIONAL)

    def rows(self, name: str) -> str:
        """Returns the first axis of an array."""
        return self.field(name).axes.split()[0]


def explained_variance(predictions: np.ndarray, targets: np.ndarray) -> float:
    """Returns the share of the targets' variance that predictions explain; 1 if the two are equal.

    Args:
      predictions: predicted numbers [n, ...].
      targets: true numbers of the same shape.
    """
    errors = predictions.astype(np.float64) - targets
    return float(1 - np.mean(errors**2) / max(np.var(targets.astype(np.float64)), 1e-12))
