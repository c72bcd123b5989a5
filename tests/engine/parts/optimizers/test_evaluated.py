"""What is evaluated of schedule-free optimizers, against Optax's own function."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest
from optax import contrib

from engine import variables
from engine.config.config import Config
from engine.errors import UserError
from engine.parts.optimizers import Groups
from engine.parts.optimizers.evaluated import evaluation_params
from engine.training.checkpointing import best_state
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.steps import first_state
from engine.training.trainer import Trainer
from tests.engine import tiny

BATCH = tiny.batch(12)
GROUPS = (
    ('bias$', {'weight_decay': 0.0}),
    ('^output/', {'optimizer': optax.sgd, 'learning_rate': 0.1}),
)
TASKS: dict[str, dict[str, Any]] = {
    'adamw': {'optimizer': contrib.schedule_free_adamw},
    'sgd': {'optimizer': contrib.schedule_free_sgd},
    'frozen': {'optimizer': contrib.schedule_free_adamw, 'frozen': ('^hidden/0/', 'output/bias')},
    'groups': {'optimizer': Groups(contrib.schedule_free_adamw, GROUPS)},
    'groups, frozen': {'optimizer': Groups(contrib.schedule_free_adamw, GROUPS), 'frozen': ('^hidden/0/',)},
}


def by_optax(state: Any) -> dict[str, Any]:
    """Returns the parameters to evaluate: those of each schedule-free state, and the others as they are."""
    params = variables.by_path(state['params'])
    nodes = jax.tree.leaves(state['opt_state'], is_leaf=lambda x: isinstance(x, contrib.ScheduleFreeState))
    for node in nodes:
        if isinstance(node, contrib.ScheduleFreeState):
            z = variables.by_path(node.z)
            own = {path: params[path] for path in z}
            params |= contrib.schedule_free_eval_params(node._replace(z=z), own)  # type: ignore[operator]
    return params


@pytest.mark.parametrize('arguments', TASKS.values(), ids=TASKS)
def test_evaluation_and_predictions_use_the_average(arguments: dict[str, Any]) -> None:
    bound = tiny.classification(**{'learning_rate': 0.05} | arguments).bind(tiny.SPEC)
    state, update = first_state(bound, jax.random.key(0)), jax.jit(bound.update)
    for path, leaf in variables.by_path(evaluation_params(state)).items():  # at step 0, to the bit
        np.testing.assert_array_equal(leaf, variables.by_path(state['params'])[path])
    for step in range(5):
        state, _ = update(state, BATCH, jax.random.key(step))
    expected = by_optax(state)
    moved = [k for k, v in expected.items() if not np.allclose(v, variables.by_path(state['params'])[k])]
    assert moved
    leaves = [expected[path] for path in variables.by_path(state['params'])]
    params = jax.tree.unflatten(jax.tree.structure(state['params']), leaves)
    logits, _ = bound.network(params, {}, bound.task.inputs(BATCH))
    np.testing.assert_allclose(bound.predict(state, BATCH)['logits'], logits, rtol=1e-4, atol=1e-6)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, BATCH['label']).sum()
    assert float(bound.evaluate(state, BATCH)['loss'].total) == pytest.approx(float(loss), rel=1e-5)


def test_a_run_chooses_and_predicts_by_the_average(
    config_file: Callable[..., Path], tmp_path: Path, program: Callable[..., tuple[int, str, str]]
) -> None:
    config = config_file(
        'optimizers.Groups.optimizer = @optax.contrib.schedule_free_adamw',
        "optimizers.Groups.rules = (('bias$', {'weight_decay': 0.0}),)",
        "classification.Classification.frozen = ('^hidden/0/',)",
        STEPS='from engine.parts import optimizers\nSTEPS = 14',
        optimizer='  optimizer = @optimizers.Groups()',
    )
    run = tmp_path / 'run'
    code, _, err = program('train', f'--gin_file={config}', f'--run={run}')
    assert code == 0, err
    trainer = Config([config]).build(Trainer)
    rows = map(json.loads, (run / 'logs/val.jsonl').read_text().splitlines())
    best = min(rows, key=lambda row: row['loss'])
    with Checkpoints(run / 'checkpoints') as checkpoints:
        shapes = trainer.step_functions.state_shapes
        state = best_state.restored(checkpoints, 'best', best['step'], [trainer.traced.predict], shapes)
    leaves = [by_optax(state)[path] for path in variables.by_path(state['params'])]
    params = jax.tree.unflatten(jax.tree.structure(state['params']), leaves)
    examples: Any = trainer.data.split('val').arrays
    logits, _ = trainer.bound.network(params, {}, trainer.task.inputs(examples))  # type: ignore[attr-defined]
    np.testing.assert_allclose(np.load(run / 'outputs/val/logits.npy'), logits, rtol=1e-3, atol=1e-4)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, examples['label'])
    assert best['loss'] == pytest.approx(float(losses.mean()), rel=1e-4)


def test_two_averages_are_refused() -> None:
    bound = tiny.classification(optimizer=contrib.schedule_free_sgd, ema_decay=0.9).bind(tiny.SPEC)
    with pytest.raises(UserError, match='the optimizer averages the parameters already'):
        first_state(bound, jax.random.key(0))
