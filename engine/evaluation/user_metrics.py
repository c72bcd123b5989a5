"""Metrics that users add: plain functions that do not import this evaluator.

A function's parameters name the arrays that it takes; `ids` and `class_names` may be among them. Its other
parameters are its settings. It returns a score for each example, [n], whose mean is the metric, or one number
for all examples. docs/metrics.md has examples.
"""

import inspect
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from engine.errors import UserError
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Definition
from engine.evaluation.results.report import Report
from engine.outputs import kind_folders, subset
from engine.outputs.contents import fingerprint
from engine.outputs.outputs import Outputs
from engine.outputs.pictures.sequence import Pictures

Function = Callable[..., Any]


def add(report: Report, functions: Sequence[Function]) -> Report:
    """Adds metrics, and scores of the examples, to a report.

    Raises:
      UserError: a function has the name of another metric, fails, or returns something that is not a score.
    """
    for function in functions:
        report = _add(report, function)
    return report


def _add(report: Report, function: Function) -> Report:
    name = _name(function)
    if name in report.metrics or name in report.tables['per_example'].columns:
        raise UserError(
            f'{place(function)}: there is a metric or column {name!r} already. Rename the function.'
        )
    scores = _scores(function, report.outputs)
    if scores.ndim:
        resamples = _means(scores, report.bootstrap)
        report = replace(report, tables={**report.tables, 'per_example': _join(report, name, scores)})
    else:
        resamples = _resampled(function, report.outputs, report.bootstrap)
    metric = report.bootstrap.metric(float(scores.mean()), resamples, definition(function))
    return replace(
        report,
        metrics={**report.metrics, name: metric},
        headline=(*report.headline, name),
        resamples={**report.resamples, name: resamples},
        right={**report.right, name: scores} if scores.ndim and scores.dtype == bool else report.right,
    )


def definition(function: Function) -> Definition:
    """Reads the definition from the docstring: first paragraph, `Unit: ...`, and whether lower is better.

    The source is the function's name and the sha256 of its file.
    """
    text = inspect.getdoc(_plain(function)) or ''
    unit = re.search(r'\bUnit: ([^.\n]+)', text)
    direction = re.search(r'\b(higher|lower) is better', text, re.IGNORECASE)
    return Definition(
        title=_name(function).replace('_', ' '),
        unit=unit[1].strip() if unit else 'score',
        direction=direction[1].lower() if direction else '',
        definition=' '.join(text.partition('\n\n')[0].split()) or 'Its function has no docstring.',
        source=_source(function),
    )


def place(function: Function) -> str:
    """Returns the file and line of a function."""
    code = _plain(function).__code__
    return f'{code.co_filename}:{code.co_firstlineno}'


def check(functions: Sequence[Any]) -> None:
    """Raises `UserError` unless all are plain functions."""
    for function in functions:
        if not inspect.isfunction(_plain(function)):
            raise UserError(
                f'Evaluator.metrics holds {function!r}, which is not a plain function. Write one, and name '
                'it without calling it: Evaluator.metrics = [@module.function].'
            )


def _plain(function: Any) -> Any:
    """Returns the function itself, without Gin's wrapper."""
    return inspect.unwrap(function) if callable(function) else function


def _name(function: Function) -> str:
    return _plain(function).__name__


def _source(function: Function) -> str:
    plain = _plain(function)
    path = Path(plain.__code__.co_filename)
    name = f'{plain.__module__}.{plain.__qualname__}'
    return f'{name}, sha256 {fingerprint(path).sha256}' if path.is_file() else name


# Scores.


def _scores(function: Function, outputs: Outputs) -> np.ndarray:
    """Returns the scores of a function: one per example, [n], or one number, []."""
    where, n = f'{place(function)}: {_name(function)}', len(outputs.ids)
    scores = _call(function, outputs)
    if scores.dtype.kind not in 'biuf' or scores.shape not in ((n,), ()):
        raise UserError(
            f'{where} returned {scores.dtype} {list(scores.shape)}, but a number for each of the {n} '
            f'examples, [{n}], or one for all of them is needed.'
        )
    bad = np.flatnonzero(~np.isfinite(scores))
    if bad.size:
        of = f' for {bad.size} of {n} examples, the first of them {outputs.ids[bad[0]]!r}' * scores.ndim
        raise UserError(f'{where} returned {scores.ravel()[bad[0]]}{of}.')
    return scores


def _call(function: Function, outputs: Outputs) -> np.ndarray:
    arguments = _arguments(function, outputs)
    try:
        return np.asarray(function(**arguments))
    except (Exception, SystemExit) as error:
        # Gin appends lines that say where the function was called.
        what = f'{_name(function)} failed: {type(error).__name__}: {error}'.partition('\n')[0]
        file = _plain(function).__code__.co_filename
        lines = [
            frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file
        ]
        if not lines:  # the call itself failed
            what += f'. It gets {", ".join(arguments)}; bind the others, or give them defaults.'
        raise UserError(f'{file}:{lines[-1]}: {what}' if lines else f'{place(function)}: {what}') from error


def _arguments(function: Function, outputs: Outputs) -> Mapping[str, Any]:
    """Returns the function's parameters that the outputs hold."""
    known: Mapping[str, Any] = {
        **{name: _loaded(array) for name, array in outputs.arrays.items()},
        'ids': outputs.ids,
        'class_names': outputs.class_names,
    }
    parameters = inspect.signature(_plain(function)).parameters
    for name, parameter in parameters.items():
        if name in _declared() - known.keys() and parameter.default is parameter.empty:
            raise UserError(
                f'{place(function)}: {_name(function)} takes {name}, and {outputs.folder} holds only '
                f'{", ".join(outputs.arrays)}. If these are labels, give them by --labels.'
            )
    return {name: known[name] for name in parameters if name in known}


def _loaded(array: Any) -> Any:
    """Returns an array in memory. Pictures of varying size stay a sequence."""
    return array if isinstance(array, Pictures) else np.asarray(array)


@cache
def _declared() -> frozenset[str]:
    """Returns the names of all arrays that some kind declares."""
    kinds = map(kind_folders.declaration, kind_folders.names())
    return frozenset(name for kind in kinds for name in kind.arrays)


# Intervals.


def _means(scores: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Returns the mean over each resample, f64 [resamples], of scores [n]."""
    features = {'scores': sparse.csr_array(scores[:, np.newaxis], dtype=np.float64)}
    return bootstrap.sums(features, len(scores))['scores'][:, 0] / len(scores)


def _resampled(function: Function, outputs: Outputs, bootstrap: Bootstrap) -> np.ndarray:
    """Returns the number of a function on each resample, f64 [resamples]; it can be NaN."""
    needed = _needed(function, outputs)
    numbers = np.array([float(_call(function, resample)) for resample in _resamples(needed, bootstrap)])
    if not np.isfinite(numbers).any():
        raise UserError(f'{place(function)}: {_name(function)} is finite for none of the resamples.')
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _needed(function: Function, outputs: Outputs) -> Outputs:
    """Returns the outputs with the arrays that a function takes, so that fewer are resampled."""
    names = {*inspect.signature(_plain(function)).parameters, *kind_folders.declaration(outputs.kind).owners}
    taken = {name: _loaded(array) for name, array in outputs.arrays.items() if name in names}
    return replace(outputs, arrays=taken)


def _resamples(outputs: Outputs, bootstrap: Bootstrap) -> Iterator[Outputs]:
    """Yields resamples. Outputs with the same number of examples get the same resamples."""
    random, n = np.random.default_rng(bootstrap.seed), len(outputs.ids)
    for _ in range(bootstrap.resamples):
        yield subset.take(outputs, random.integers(n, size=n))


# The table.


def _join(report: Report, name: str, scores: np.ndarray) -> pd.DataFrame:
    """Returns the table of examples with a column of scores."""
    return report.tables['per_example'].join(
        pd.Series(scores, pd.Index(report.outputs.ids, name='id'), name=name)
    )
