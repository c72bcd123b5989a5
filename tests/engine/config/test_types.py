"""Whether a value fits a parameter, and the message if it does not."""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol, TypedDict

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest
from flax import nnx

from engine.config import bindable, types
from engine.parts.linen import Linen
from engine.parts.optimizers.learning_rate import LearningRate
from research.models.mlp import MLP


class Runs(Protocol):
    """A protocol of a method: instances have it, and so do classes."""

    def run(self) -> int: ...


class Maps(Protocol):
    """A protocol of a call."""

    def __call__(self, x: int) -> int: ...


class Runner:
    def run(self) -> int:
        return 1


class Meta(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **kwargs)


class Odd(metaclass=Meta):
    def __init__(self, size: int):
        self.size = size


@dataclass
class Later:
    known: 'int'
    unknown: 'Nowhere'  # type: ignore[name-defined]  # noqa: F821


def function(a: int, b: 'float' = 1.0, c=None) -> 'int':
    return a


def test_parameters_of_a_class_are_those_of_its_init() -> None:
    assert list(bindable.signature(Odd).parameters) == ['size']
    assert list(bindable.signature(MLP).parameters)[:2] == ['input_shape', 'outputs']
    assert bindable.signature(function) == inspect.signature(function)


ANNOTATIONS = [
    (function, 'a', int),
    (function, 'b', float),
    (function, 'c', Any),
    (function, 'no such', Any),
    (Odd, 'size', int),
    (Later, 'known', int),
    (Later, 'unknown', Any),
    (MLP, 'width', int),
    (partial(function, b=2.0), 'a', int),
]


@pytest.mark.parametrize(('target', 'parameter', 'expected'), ANNOTATIONS)
def test_the_annotation_of_a_parameter(target: Any, parameter: str, expected: Any) -> None:
    assert types.annotation(target, parameter) == expected


def test_annotations_of_a_library_can_be_read() -> None:
    assert types.annotation(optax.adamw, 'b1') is not inspect.Parameter.empty
    assert types.misfit(0.9, types.annotation(optax.adamw, 'b1')) == ''
    assert types.misfit('0.9', types.annotation(optax.sgd, 'momentum')) != ''


FITTING = [
    (1, int),
    (1, float),  # as everywhere in Python
    (1.5, float),
    (True, bool),
    (None, int | None),
    (3, int | None),
    ('min', Literal['min', 'max']),
    (('loss', 'min'), tuple[str, Literal['min', 'max']]),
    ((1, 2, 3), tuple[int, ...]),
    ([1, 2], Sequence[int]),
    (0.1, LearningRate),
    (lambda step: step, LearningRate),
    (Runner(), Runs),
    ('anything', Any),
]


@pytest.mark.parametrize(('value', 'annotation'), FITTING)
def test_fitting_values(value: Any, annotation: Any) -> None:
    assert types.misfit(value, annotation) == ''


UNFIT = [
    (1e3, int, 'write 1000'),
    (1e3, int | None, 'write 1000'),
    (1.5, int, 'float'),
    ('0.1', float, 'write 0.1'),
    ('1e3', int, 'str'),
    ('val', tuple[str, ...], "write ('val',)"),
    (['val', 'test'], tuple[str, ...], "write ('val', 'test')"),
    (0.1, list[float], 'list'),
    ('(1, 2)', tuple[int, ...], 'write (1, 2)'),
    ('adam', float, 'str'),
    (float('inf'), int, 'float'),
    (None, int, 'None'),
    ('medium', Literal['min', 'max'], "'min'"),
    ((1, 2, 'three'), tuple[int, ...], '2'),
    ([1, 2, 'three'], list[int], '2'),
    ({'a': 'b'}, dict[str, int], "'a'"),
    ((1,), tuple[int, int], '2'),
    (3, Callable[..., Any], 'callable'),
    (3, Runs, 'Runs'),
]


@pytest.mark.parametrize(('value', 'annotation', 'part'), UNFIT)
def test_misfits_are_explained(value: Any, annotation: Any, part: str) -> None:
    reason = types.misfit(value, annotation)
    assert part in reason
    assert '\n' not in reason


def test_no_advice_where_the_meaning_is_unclear() -> None:
    assert [';' in types.misfit(value, int) for value in (1.5, '1.5', 'x', None, [1])] == [False] * 5


@pytest.mark.parametrize(
    'annotation',
    [int, float, int | None, float | None, int | float, LearningRate],
    ids=str,
)
def test_a_bool_is_not_a_number(annotation: Any) -> None:
    assert types.misfit(True, annotation) != ''


@pytest.mark.parametrize('annotation', [bool, bool | None, bool | int, Any, object], ids=str)
def test_a_bool_is_a_bool(annotation: Any) -> None:
    assert types.misfit(True, annotation) == ''


@pytest.mark.parametrize(
    ('value', 'annotation'), [(1e3, int | None), ('x', LearningRate), ('x', int | float | None)]
)
def test_a_union_is_explained_in_a_whole_sentence(value: Any, annotation: Any) -> None:
    reason = types.misfit(value, annotation).split(';')[0]
    assert not reason.endswith(':')


def test_a_factory_where_its_product_is_wanted() -> None:
    """`@Runner` for `@Runner()`: a class has the methods that the protocol asks for."""
    assert types.misfit_of_factory(Runner, Runs) == 'it is not called'
    assert types.misfit_of_factory(Runner, Runs | None) == 'it is not called'
    assert types.misfit_of_factory(Runner, Runner) == 'it is not called'
    assert types.misfit_of_factory(function, int) == 'it is not called'


def test_a_factory_where_a_factory_is_wanted() -> None:
    assert types.misfit_of_factory(Runner, Callable[..., Runner]) == ''
    assert types.misfit_of_factory(function, Maps) == ''
    assert types.misfit_of_factory(function, LearningRate) == ''
    assert types.misfit_of_factory(Runner, Any) == ''


def test_the_product_of_a_factory() -> None:
    assert types.misfit_of_product(Runner, Runner) == ''
    assert types.misfit_of_product(Runner, Odd) == 'it makes Runner'
    assert types.misfit_of_product(function, int) == ''
    assert types.misfit_of_product(function, str) == 'it makes int'


def test_unknown_products_pass() -> None:
    def unannotated(a):
        return a

    for annotation in (str, Runs, int | None, Any):
        assert types.misfit_of_product(unannotated, annotation) == ''
    assert types.misfit_of_product(Runner, Maps) == ''


def test_a_factory_of_integers_serves_where_numbers_are_wanted() -> None:
    assert types.misfit_of_product(function, float) == ''


class Maker:
    """Makes a runner when it is called."""

    def __call__(self, size: int) -> Runner:
        return Runner()


class LikeRunner(NamedTuple):
    run: Any


def loose(size: int) -> object:
    return Runner()


def makes_maker() -> Callable[[int], Runner]:
    return Maker()


def makes_numbers() -> Callable[[int], float | int]:
    return float


WANTED: Any = Callable[..., Runner]
# A reference, whether it is called, the annotation, and the misfit.
FACTORIES = [
    (Runner, False, WANTED, ''),
    (Runner, True, WANTED, 'it is called where a factory is wanted: leave out ()'),
    (Maker, True, WANTED, ''),
    (Maker, False, WANTED, 'it is not called'),
    (Maker, True, WANTED | None, ''),
    (Maker, False, WANTED | None, 'it is not called'),
    (makes_maker, True, WANTED, ''),
    (makes_maker, False, WANTED, 'it is not called'),
    (loose, False, WANTED, ''),
    (loose, True, Runner | None, 'it makes object'),
    (Odd, False, WANTED, 'it makes Odd'),
    (Odd, True, WANTED, 'it makes Odd'),
    (Maker, True, Callable[..., Odd], 'it makes Maker, which makes Runner'),
    (Odd, False, Callable[..., Any], ''),
    (Runner, False, Callable[..., LikeRunner], ''),
    (Runner, True, Callable[..., LikeRunner], 'it is called where a factory is wanted: leave out ()'),
    (function, False, Callable[..., float], ''),
    (function, False, WANTED, 'it makes int'),
    (Runner, False, Callable[..., Runs], ''),
    (Odd, True, int | str, 'it makes Odd'),
    (makes_numbers, False, WANTED, 'it makes Callable[[int], float | int]'),
    (makes_numbers, True, WANTED, 'it makes Callable[[int], float | int], which makes float | int'),
    (makes_numbers, True, Callable[[Any], Any], ''),
]


@pytest.mark.parametrize('index', range(len(FACTORIES)))
def test_factories_and_their_products(index: int) -> None:
    factory, is_called, annotation, expected = FACTORIES[index]
    misfit = types.misfit_of_product if is_called else types.misfit_of_factory
    assert misfit(factory, annotation) == expected


class Options(TypedDict, total=False):
    rate: float
    runner: Runner


CONTAINERS = [
    ((1, 2), tuple[int, int], ''),
    ((1,), tuple[int, int], 'it has 1 items, not 2'),
    ([1], tuple[int, ...], 'list is not tuple[int, ...]'),
    ([1], Sequence[int], ''),
    ({'rate': 1}, Options, ''),
    ({'rats': 1}, Options | None, "it has no 'rats'. Did you mean 'rate'?"),
    ((1,), Options, 'tuple is not Options'),
    ((1,), Any, ''),
    ((1,), Runs, ''),
]


@pytest.mark.parametrize('index', range(len(CONTAINERS)))
def test_containers_of_references(index: int) -> None:
    value, annotation, expected = CONTAINERS[index]
    assert types.misfit_of_container(value, annotation) == expected


def test_a_bool_within_a_container_is_not_a_number() -> None:
    assert types.misfit((1.0, True), tuple[float, ...]) == 'it is a bool'
    assert types.misfit({'rate': True}, Options) == 'it is a bool'
    assert types.misfit((True, 1), tuple[bool, int]) == ''


SHOWN = {
    'int': int,
    'Runner': Runner,
    'tuple[str, ...]': tuple[str, ...],
    'Callable[..., Module]': MLP.__mro__[1] and Callable[..., MLP.__mro__[1]],
    'int | None': int | None,
}


@pytest.mark.parametrize('text', SHOWN)
def test_annotations_are_displayed_as_a_person_writes_them(text: str) -> None:
    assert types.display(SHOWN[text]) == text


class LinenModel(nn.Module):
    """A model of another library than the one that is wanted."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return x


@pytest.mark.parametrize('misfit', [types.misfit_of_factory, types.misfit_of_product])
def test_a_linen_module_where_an_nnx_model_is_wanted(misfit: Any) -> None:
    assert re.match(
        'it makes LinenModel.*; a Linen module comes in by engine.parts.linen',
        misfit(LinenModel, Callable[..., nnx.Module]),
    )
    assert misfit(Linen, Callable[..., nnx.Module]) in ('', 'it is not called')
    assert types.misfit_of_product(LinenModel, Callable[[jax.Array], jax.Array]) == ''


Number = jax.Array | np.ndarray | int | float


def test_functions_that_return_unions_are_compared_by_their_members() -> None:
    """As Optax annotates schedules."""

    def schedule(rate: float) -> Callable[[Number], Number]:
        del rate
        return lambda step: step

    def names() -> Callable[[Number], str | bytes]:
        return lambda _: ''

    wanted = Callable[[Number], Number]
    assert types.misfit_of_product(schedule, wanted) == ''
    assert types.misfit_of_product(schedule, Callable[[Number], jax.Array]) == ''
    assert types.misfit_of_product(names, Callable[[Number], bytes | None]) == ''
    assert 'which makes str | bytes' in types.misfit_of_product(names, Callable[[Number], MLP | Runner])
    for optax_schedule in (optax.linear_schedule, optax.piecewise_constant_schedule):
        annotation = types.annotation(optax.join_schedules, 'schedules')
        [(_, item)] = types.items([optax_schedule], annotation)
        assert types.misfit_of_product(optax_schedule, item) == ''
