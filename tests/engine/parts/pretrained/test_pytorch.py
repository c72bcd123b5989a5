"""Variables of PyTorch: each module computes what PyTorch defines, written here as slow loops."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from engine.errors import UserError
from engine.network import Network
from engine.parts.pretrained import Pretrained, PyTorch
from engine.sharding import Jit

Weights = dict[str, np.ndarray]
RANDOM = np.random.default_rng(0)


def drawn(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


class Wrapped(nnx.Module):
    """One module, named `part`."""

    def __init__(self, part: nnx.Module):
        self.part = part

    def __call__(self, x: jax.Array) -> Any:
        return self.part(x)  # type: ignore[operator]


def output(tmp_path: Path, module: Any, weights: Weights, x: np.ndarray, **transform: Any) -> np.ndarray:
    """Returns what a module of Flax computes with the variables of PyTorch."""
    np.savez(tmp_path / 'a.npz', **{f'part.{name}': array for name, array in weights.items()})  # type: ignore[arg-type]
    network = Network(lambda rngs: Wrapped(module(rngs)))
    params, model_state = network.init(jax.random.key(0))
    shapes = Jit(data=1).state({'params': params, 'model_state': model_state})
    source = Pretrained(source=str(tmp_path / 'a.npz'), transform=PyTorch(**transform))
    source.check(shapes)
    loaded = source.load(shapes)
    assert jax.tree.structure(loaded) == jax.tree.structure(shapes)
    return np.asarray(network(loaded['params'], loaded['model_state'], jnp.asarray(x))[0])


def channels_last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, 1, -1)


def conv(x: np.ndarray, weight: np.ndarray, groups: int = 1) -> np.ndarray:
    """torch.nn.functional.conv1d, conv2d, conv3d: x [B, I, ...], weight [O, I / groups, ...]."""
    kernel, size = weight.shape[2:], tuple(np.subtract(x.shape[2:], weight.shape[2:]) + 1)
    result = np.zeros((len(x), len(weight), *size))
    outputs, inputs = len(weight) // groups, weight.shape[1]
    for out, position, tap in product(range(len(weight)), np.ndindex(size), np.ndindex(kernel)):
        first = out // outputs * inputs
        seen = x[:, first : first + inputs][(..., *np.add(position, tap))]
        result[:, out][(..., *position)] += seen @ weight[out][(..., *tap)]
    return result


def conv_transpose(x: np.ndarray, weight: np.ndarray, stride: int) -> np.ndarray:
    """torch.nn.functional.conv_transpose2d: x [B, I, H, W], weight [I, O, h, w]."""
    (batch, _, height, width), (_, outputs, *kernel) = x.shape, weight.shape
    size = [(edge - 1) * stride + tap for edge, tap in zip((height, width), kernel, strict=True)]
    result = np.zeros((batch, outputs, *size))
    for y, left, h, w in product(range(height), range(width), range(kernel[0]), range(kernel[1])):
        result[:, :, y * stride + h, left * stride + w] += x[:, :, y, left] @ weight[:, :, h, w]
    return result


@pytest.mark.parametrize(('dimensions', 'groups'), [(1, 1), (2, 1), (3, 1), (2, 2), (2, 4)])
def test_convolutions(dimensions: int, groups: int, tmp_path: Path) -> None:
    x, weight, bias = drawn(2, 4, *[5] * dimensions), drawn(8, 4 // groups, *[3, 2, 2][:dimensions]), drawn(8)

    def module(rngs: nnx.Rngs) -> nnx.Module:
        size = weight.shape[2:]
        return nnx.Conv(4, 8, size, padding='VALID', feature_group_count=groups, rngs=rngs)

    got = output(tmp_path, module, {'weight': weight, 'bias': bias}, channels_last(x))
    np.testing.assert_allclose(got, channels_last(conv(x, weight, groups)) + bias, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('turned_by_flax', [False, True])
@pytest.mark.parametrize(('inputs', 'outputs'), [(3, 5), (4, 4)])
def test_transposed_convolutions(turned_by_flax: bool, inputs: int, outputs: int, tmp_path: Path) -> None:
    x, weight, bias = drawn(2, inputs, 4, 5), drawn(inputs, outputs, 3, 2), drawn(outputs)

    def module(rngs: nnx.Rngs) -> nnx.Module:
        return nnx.ConvTranspose(
            inputs,
            outputs,
            (3, 2),
            strides=2,
            padding='VALID',
            transpose_kernel=turned_by_flax,
            rngs=rngs,
        )

    settings: Any = {} if turned_by_flax else {'conv_transpose': ('^part/kernel',)}
    got = output(tmp_path, module, {'weight': weight, 'bias': bias}, channels_last(x), **settings)
    expected = channels_last(conv_transpose(x, weight, 2)) + bias
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_linear_layers_and_those_split_into_heads(tmp_path: Path) -> None:
    x, weight, bias = drawn(2, 6), drawn(8, 6), drawn(8)
    weights = {'weight': weight, 'bias': bias}
    plain = output(tmp_path, lambda rngs: nnx.Linear(6, 8, rngs=rngs), weights, x)
    np.testing.assert_allclose(plain, x @ weight.T + bias, rtol=1e-5, atol=1e-5)
    heads = output(tmp_path, lambda rngs: nnx.LinearGeneral(6, (2, 4), rngs=rngs), weights, x)
    np.testing.assert_allclose(heads.reshape(2, 8), plain, rtol=1e-5, atol=1e-5)

    def joining(rngs: nnx.Rngs) -> nnx.Module:
        return nnx.LinearGeneral((2, 3), 8, axis=(-2, -1), rngs=rngs)

    joined = output(tmp_path, joining, weights, x.reshape(2, 2, 3))
    np.testing.assert_allclose(joined, plain, rtol=1e-5, atol=1e-5)


def test_normalisations_and_embeddings(tmp_path: Path) -> None:
    x, weight, bias, mean, variance = drawn(3, 4), drawn(4), drawn(4), drawn(4), drawn(4) ** 2
    statistics = {'running_mean': mean, 'running_var': variance, 'num_batches_tracked': np.int64(7)}
    got = output(
        tmp_path,
        lambda rngs: nnx.BatchNorm(4, rngs=rngs),
        {'weight': weight, 'bias': bias, **statistics},  # type: ignore[dict-item]
        x,
    )
    expected = (x - mean) / np.sqrt(variance + 1e-5) * weight + bias
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    got = output(
        tmp_path, lambda rngs: nnx.LayerNorm(4, epsilon=1e-5, rngs=rngs), {'weight': weight, 'bias': bias}, x
    )
    centred = x - x.mean(1, keepdims=True)
    expected = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5) * weight + bias
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    table, tokens = drawn(7, 4), np.array([[3, 0, 6]], np.int32)
    got = output(tmp_path, lambda rngs: nnx.Embed(7, 4, rngs=rngs), {'weight': table}, tokens)
    assert got.tolist() == table[tokens].tolist()


def made(tmp_path: Path, module: Callable[[nnx.Rngs], nnx.Module], weights: Weights, **settings: Any) -> str:
    with pytest.raises(UserError) as error:
        output(tmp_path, module, weights, drawn(1, 4), **settings)
    return str(error.value)


def test_mistakes_are_named(tmp_path: Path) -> None:
    def up(rngs: nnx.Rngs) -> nnx.Module:
        return nnx.ConvTranspose(3, 5, (2, 2), rngs=rngs)

    weights = {'weight': drawn(3, 5, 2, 2), 'bias': drawn(5)}
    text = made(tmp_path, up, weights)
    assert "PyTorch.conv_transpose = ('^part/kernel$',)" in text
    text = made(tmp_path, up, weights | {'weight': drawn(3, 6, 2, 2)})
    assert 'part/kernel: float32 [2, 2, 6, 3] in the source, float32 [2, 2, 3, 5] in the model' in text
    assert "'^part/krenel' matches no variable. Did you mean 'part/kernel'" in made(
        tmp_path, up, weights, conv_transpose=('^part/krenel',)
    )


def test_the_table_names_the_variables_of_pytorch_and_the_advice_is_to_convert(tmp_path: Path) -> None:
    np.savez(tmp_path / 'a.npz', **{'part.weight': drawn(3, 4), 'part.bias': drawn(3)})  # type: ignore[arg-type]
    shapes: Any = Jit(data=1).state(
        {
            'params': {'part': {'kernel': jnp.zeros((4, 3)), 'bias': jnp.zeros(3)}},
            'model_state': {},
        }
    )
    table = Pretrained(source=str(tmp_path / 'a.npz'), transform=PyTorch()).check(shapes)
    assert [line.split() for line in table.splitlines() if 'part/kernel' in line] == [
        ['part/kernel', 'float32', '[4,', '3]', 'part.weight']
    ]
    with pytest.raises(UserError, match=r'Pretrained\.transform = @pretrained\.PyTorch\(\)'):
        Pretrained(source=str(tmp_path / 'a.npz')).check(shapes)
