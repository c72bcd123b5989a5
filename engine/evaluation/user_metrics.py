"""Metrics that users add: plain functions in files of their own, which know nothing of this evaluator.

A function is given the arrays that its parameters are named after, `ids` and `class_names` too; its other
parameters are its settings. It returns a score for each example, [n], whose mean is the metric, or one number
for all of them. docs/metrics.md has examples.
"""

import inspect
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from engine.errors import UserError
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Definition, Metric
from engine.evaluation.results.report import Report
from engine.outputs import kind as kinds
from engine.outputs import outputs, subset
from engine.outputs.outputs import Outputs

Function = Callable[..., Any]
ARRAYS = {name for kind in kinds.KINDS.values() for name in kind.arrays}


def add(report: Report, functions: Sequence[Function]) -> Report:
    """Returns a report that tells these metrics too, and of each example its score.

    Raises:
      UserError: a function cannot be told from another metric, fails, or returns what is no score.
    """
    for function in functions:
        report = _added(report, function)
    return report


def _added(report: Report, function: Function) -> Report:
    name = _name(function)
    if name in report.metrics or name in report.tables['per_example'].columns:
        raise UserError(
            f'{place(function)}: there is a metric or column {name!r} already. Rename the function.'
        )
    scores = _scores(function, report.outputs)
    if scores.ndim:
        resamples = _means(scores, report.bootstrap)
        report = replace(report, tables={**report.tables, 'per_example': _with(report, name, scores)})
    else:
        resamples = _resampled(function, report.outputs, report.bootstrap)
    interval = report.bootstrap.interval(resamples).tolist()
    metric = Metric(float(scores.mean()), interval, definition(function))
    return replace(
        report,
        metrics={**report.metrics, name: metric},
        headline=(*report.headline, name),
        resamples={**report.resamples, name: resamples},
        right={**report.right, name: scores} if scores.ndim and scores.dtype == bool else report.right,
    )


def definition(function: Function) -> Definition:
    """Returns what the docstring says: its first paragraph, `Unit: ...`, and whether lower is better.

    Its source is the function's name and the sha256 of its file.
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
    for each in functions:
        if not inspect.isfunction(_plain(each)):
            raise UserError(
                f'Evaluator.metrics holds {each!r}, which is no plain function. Write one, and name it '
                'without calling it: Evaluator.metrics = [@module.function].'
            )


def _plain(function: Any) -> Any:
    """Returns the function itself, without what Gin wraps around it."""
    return inspect.unwrap(function) if callable(function) else function


def _name(function: Function) -> str:
    return _plain(function).__name__


def _source(function: Function) -> str:
    plain = _plain(function)
    path = Path(plain.__code__.co_filename)
    named = f'{plain.__module__}.{plain.__qualname__}'
    return f'{named}, sha256 {outputs.fingerprint(path)["sha256"]}' if path.is_file() else named


# Scores.


def _scores(function: Function, found: Outputs) -> np.ndarray:
    """Returns what a function says: a score for each example, [n], or one number, []."""
    where, n = f'{place(function)}: {_name(function)}', len(found.ids)
    scores = _called(function, found)
    if scores.dtype.kind not in 'biuf' or scores.shape not in ((n,), ()):
        raise UserError(
            f'{where} returned {scores.dtype} {list(scores.shape)}, where a number for each of the {n} '
            f'examples, [{n}], is needed, or one for all of them.'
        )
    bad = np.flatnonzero(~np.isfinite(scores))
    if bad.size:
        of = f' for {bad.size} of {n} examples, the first of them {found.ids[bad[0]]!r}' * scores.ndim
        raise UserError(f'{where} returned {scores.ravel()[bad[0]]}{of}.')
    return scores


def _called(function: Function, found: Outputs) -> np.ndarray:
    arguments = _arguments(function, found)
    try:
        return np.asarray(function(**arguments))
    except (Exception, SystemExit) as error:
        # Gin adds where it was called from, in further lines.
        what = f'{_name(function)} failed: {type(error).__name__}: {error}'.partition('\n')[0]
        file = _plain(function).__code__.co_filename
        lines = [each.lineno for each in traceback.extract_tb(error.__traceback__) if each.filename == file]
        if not lines:  # it was not even begun
            what += f'. It is given {", ".join(arguments)}; bind the others, or give them defaults.'
        raise UserError(f'{file}:{lines[-1]}: {what}' if lines else f'{place(function)}: {what}') from error


def _arguments(function: Function, found: Outputs) -> Mapping[str, Any]:
    """Returns what the outputs have of a function's parameters."""
    there: Mapping[str, Any] = {**found.arrays, 'ids': found.ids, 'class_names': found.class_names}
    parameters = inspect.signature(_plain(function)).parameters
    for name, parameter in parameters.items():
        if name in ARRAYS - there.keys() and parameter.default is parameter.empty:
            raise UserError(
                f'{place(function)}: {_name(function)} takes {name}, and {found.folder} holds only '
                f'{", ".join(found.arrays)}. If it is a truth, give it by --labels.'
            )
    return {
        name: np.asarray(there[name]) if name in ARRAYS else there[name]
        for name in parameters
        if name in there
    }


# Intervals.


def _means(scores: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Returns the mean over each resample, f64 [resamples], of scores [n]."""
    features = {'scores': sparse.csr_array(scores[:, np.newaxis], dtype=np.float64)}
    return bootstrap.sums(features, len(scores))['scores'][:, 0] / len(scores)


def _resampled(function: Function, found: Outputs, bootstrap: Bootstrap) -> np.ndarray:
    """Returns what a function says of each resample, f64 [resamples]; it may be NaN for some."""
    needed = _needed(function, found)
    resamples = np.array([float(_called(function, each)) for each in _resamples(needed, bootstrap)])
    if not np.isfinite(resamples).any():
        raise UserError(f'{place(function)}: {_name(function)} is finite for none of the resamples.')
    return np.where(np.isfinite(resamples), resamples, np.nan)


def _needed(function: Function, found: Outputs) -> Outputs:
    """Returns the outputs without arrays that a function does not take, so that these are not resampled."""
    parameters, fields = inspect.signature(_plain(function)).parameters, kinds.KINDS[found.kind].arrays
    taken = {name for name in found.arrays if name in parameters or fields[name].below == 'n'}
    return replace(found, arrays={name: np.asarray(found.arrays[name]) for name in taken})


def _resamples(found: Outputs, bootstrap: Bootstrap) -> Iterator[Outputs]:
    """Yields examples drawn with replacement: the same of all outputs with as many, so that they compare."""
    random, n = np.random.default_rng(bootstrap.seed), len(found.ids)
    for _ in range(bootstrap.resamples):
        yield subset.take(found, random.integers(n, size=n))


# The table.


def _with(report: Report, name: str, scores: np.ndarray) -> pd.DataFrame:
    """Returns the scores of each example with one more."""
    return report.tables['per_example'].join(
        pd.Series(scores, pd.Index(report.outputs.ids, name='id'), name=name)
    )
