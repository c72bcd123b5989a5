"""Shardings on two simulated devices; a step on one device equals a step on two; what XLA is told."""

import subprocess
import sys
from functools import partial
from typing import Any

import jax
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec

from engine import sharding as parallelism
from engine.errors import UserError
from engine.sharding import Jit, Parallelism, PMap, batch_sharding, replicated
from engine.training.batches.on_device import OnDevice
from engine.training.batches.training import from_host
from engine.training.logs.packed import unpack
from engine.training.steps import StepFunctions, compiled, first_state
from engine.workspace import REPOSITORY
from tests.engine import tiny

MESH = Jit(data=2).mesh


def test_all_devices_by_default() -> None:
    assert Jit().mesh.size == Jit(data=2).mesh.size == 2
    assert list(Jit(data=1).mesh.devices.flat) == jax.devices()[:1]


@pytest.mark.parametrize('data', [3, -1])
def test_a_number_of_devices_that_cannot_be_is_refused(data: int) -> None:
    with pytest.raises(UserError, match=f'Jit.data = {data}'):
        _ = Jit(data=data).mesh


def test_a_batch_must_split_evenly() -> None:
    parallelism.check_batch_size(Jit(data=2).mesh, 6)
    parallelism.check_batch_size(Jit(data=1).mesh, 7)
    with pytest.raises(UserError, match=r'a batch of 7 .* over 2 devices.* such as 6'):
        parallelism.check_batch_size(Jit(data=2).mesh, 7)
    with pytest.raises(UserError, match='such as 2'):
        parallelism.check_batch_size(PMap().mesh, 1)


def placed(array: np.ndarray, sharding: Any) -> list[list[Any]]:
    """Returns what each device holds."""
    return [np.asarray(shard.data).tolist() for shard in jax.device_put(array, sharding).addressable_shards]


def test_split_and_replicated() -> None:
    array = np.arange(8).reshape(2, 4)
    assert placed(array, replicated(MESH)) == [array.tolist()] * 2
    assert placed(array, batch_sharding(MESH)) == [[[0, 1, 2, 3]], [[4, 5, 6, 7]]]
    assert placed(array, batch_sharding(MESH, axis=1)) == [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]


def test_shapes_of_a_tree() -> None:
    sharding = batch_sharding(MESH)
    shapes = parallelism.abstract_sharded({'a': (np.zeros((2, 3), np.uint8),)}, sharding)
    assert shapes == {'a': (jax.ShapeDtypeStruct((2, 3), np.uint8, sharding=sharding),)}


@pytest.mark.parametrize('kind', [OnDevice, from_host])
def test_each_device_gets_its_part_of_the_batch_and_the_whole_state(kind: Any) -> None:
    devices, bound = Jit(data=2), tiny.classification().bind(tiny.SPEC)
    programs = StepFunctions(bound, devices, seed=0)
    source = kind(tiny.examples(8), tiny.order(8, 4, seed=0), devices)
    update: Any = compiled(programs.trace(source, tiny.batch(4), [1]).train_steps[1])
    state, metrics = update(programs.init(), source.inputs(0, 1), np.int32(0))
    assert all(leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves((state, metrics)))
    _, payload, _ = update.input_shardings[0]
    rows = payload[1] if kind is OnDevice else payload['image']
    assert rows.is_equivalent_to(batch_sharding(MESH, axis=1), 2 if kind is OnDevice else 5)
    if kind is OnDevice:
        assert all(sharding.is_fully_replicated for sharding in payload[0].values())


def step_on(devices: Parallelism, bound: Any, state: Any) -> Any:
    """Returns state and values of metrics after one training step on some devices, on the host."""
    source = from_host(tiny.examples(16), tiny.order(16, 8, seed=0), devices)
    update = compiled(tiny.traced(bound, devices, source, 8, 1).train_steps[1])
    given = jax.device_put(state, jax.tree.map(lambda leaf: leaf.sharding, devices.state(state)))
    state, metrics = jax.device_get(update(given, source.inputs(0, 1), np.int32(0)))
    return state, {name: total / count for name, (total, count) in unpack([metrics]).items()}


@pytest.mark.parametrize('devices', [Jit(), Jit(fsdp=2), PMap()], ids=str)
@pytest.mark.parametrize('model', tiny.MODELS)
def test_a_step_on_two_devices_is_the_step_on_one(model: str, devices: Parallelism) -> None:
    task = tiny.classification(tiny.MODELS[model], optimizer=partial(optax.sgd, momentum=0.9))
    bound = task.bind(tiny.SPEC)
    first = jax.device_get(jax.jit(partial(first_state, bound))(jax.random.key(0)))
    one, two = step_on(Jit(data=1), bound, first), step_on(devices, bound, first)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=0, atol=1e-5), one, two)
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), first['params'], one[0]['params'])
    assert min(jax.tree.leaves(moved)) > 1e-4  # so that agreement says something


STATE = {
    'params': {'output': {'kernel': jax.ShapeDtypeStruct((6, 4), np.float32)}},
    'steps': jax.ShapeDtypeStruct((), np.int32),
}


def kernel_axes(devices: Jit) -> Any:
    """Returns the mesh axes that split the kernel of the state above."""
    return devices.state(STATE)['params']['output']['kernel'].sharding.spec


def test_fsdp_splits_the_longest_axis_unless_a_rule_matches() -> None:
    assert kernel_axes(Jit(fsdp=2)) == PartitionSpec('fsdp')
    assert kernel_axes(Jit(fsdp=2, rules=(('bias', ('fsdp',)),))) == PartitionSpec('fsdp')
    assert kernel_axes(Jit(fsdp=2, rules=(('output/kernel', (None, 'fsdp')),))) == PartitionSpec(None, 'fsdp')
    assert kernel_axes(Jit(fsdp=2, rules=(('kernel$', (None,)), ('kernel', ('fsdp',))))) == PartitionSpec(
        None
    )


@pytest.mark.parametrize(
    ('axes', 'reason'),
    [
        (('model',), "which .* does not fit: give 'data', 'fsdp' or None for each axis"),
        ((None, None, 'fsdp'), "which .* does not fit: give 'data', 'fsdp' or None for each axis"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused(axes: Any, reason: str) -> None:
    with pytest.raises(
        UserError, match=rf"Jit.rules: 'kernel' matches params/output/kernel \[6, 4\], {reason}"
    ):
        Jit(fsdp=2, rules=(('kernel', axes),)).state(STATE)


def test_a_rule_for_an_axis_that_does_not_split_is_refused() -> None:
    state = {'kernel': jax.ShapeDtypeStruct((5,), np.float32)}
    with pytest.raises(UserError, match="but 2 devices of 'fsdp' cannot split 5"):
        Jit(fsdp=2, rules=(('kernel', ('fsdp',)),)).state(state)


@pytest.mark.parametrize('deterministic', [True, False])
def test_deterministic_sets_the_flag_of_xla(deterministic: bool) -> None:
    """In a process of its own, because XLA reads its flags once."""
    program = (
        'import os\n'
        'from engine.training.trainer import Trainer\n'
        f'Trainer(dataset="", task=None, steps=1, batch_size=1, deterministic={deterministic})\n'
        'print("--xla_gpu_deterministic_ops=true" in os.environ.get("XLA_FLAGS", ""))'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.stdout == f'{deterministic}\n', done.stderr
