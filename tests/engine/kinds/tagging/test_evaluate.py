"""Reports on tags: what counts, what is refused, labels from a list, exports, and a task of tags."""

import csv
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from engine import outputs
from engine.datasets.reading.dataset import Examples
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.labels import external_labels
from engine.interfaces import Batch, Description, Spec
from engine.kinds.tagging import KIND, ensemble, pack_tokens, tokens
from engine.kinds.tagging.evaluate import TaggingEvaluation
from engine.outputs import subset
from engine.outputs.check_arrays import packed
from engine.parts.supervised import Supervised
from engine.prediction.predictions import predict
from engine.sharding import Jit
from engine.training.batches.evaluation import evaluation_batches

NAMES = ('O', 'B-PER', 'I-PER')
TARGETS = np.array([[1, 2, 0, -1], [0, 1, -1, -1]], np.int32)
PREDICTED = np.array([[1, 0, 0, -1], [0, 1, 2, 0]], np.int32)
WORDS = ('Ada', 'Lovelace', 'writes', '<b>\x1b')


def save(folder: Path, **arrays: np.ndarray | None) -> Path:
    given = {'predicted': PREDICTED, 'targets': TARGETS} | arrays
    known = {name: array for name, array in given.items() if array is not None}
    manifest = outputs.Manifest('tagging', class_names=NAMES)
    outputs.write(folder, manifest, known, ['a', 'b'], dict.fromkeys(known, 'of the test'))
    return folder


def values(folder: Path) -> dict[str, float]:
    metrics = Evaluator(resamples=100).report(folder).metrics
    return {name: metric.value for name, metric in metrics.items()}


def test_padding_counts_in_nothing(tmp_path: Path) -> None:
    metrics = values(save(tmp_path / 'it'))
    assert metrics['token_accuracy'] == pytest.approx(4 / 5)
    assert metrics['exact_match'] == 0.5
    assert metrics['span_recall'] == metrics['span_precision'] == 0.5
    longer = save(tmp_path / 'lengths', lengths=np.array([2, 1], np.int32))
    assert values(longer)['token_accuracy'] == pytest.approx(2 / 3)


@pytest.mark.parametrize('ignored', [-100, 255])
def test_labels_to_ignore(tmp_path: Path, ignored: int) -> None:
    """Those of PyTorch, and of bytes."""
    targets = np.where(TARGETS < 0, ignored, TARGETS).astype(np.int32)
    assert values(save(tmp_path / 'it', targets=targets)) == values(save(tmp_path / 'same'))


def test_scores_are_as_good_as_tags(tmp_path: Path) -> None:
    logits = np.eye(3, dtype=np.float32)[np.maximum(PREDICTED, 0)]
    first = values(save(tmp_path / 'it', predicted=None, logits=logits))
    assert first['token_accuracy'] == values(save(tmp_path / 'same'))['token_accuracy']
    joint = ensemble([{'logits': logits}, {'logits': logits}])['probabilities']
    powers = np.exp(logits.astype(np.float64))
    np.testing.assert_allclose(joint, powers / powers.sum(-1, keepdims=True), atol=1e-15)
    assert ensemble([{'predicted': PREDICTED}] * 2)['predicted'].tolist() == PREDICTED.tolist()
    with pytest.raises(UserError, match='Pass members of one form'):
        ensemble([{'logits': logits}, {'predicted': PREDICTED}])


BAD = np.array([[np.nan, 0, 0]] * 8, np.float32).reshape(2, 4, 3)


@pytest.mark.parametrize(
    ('arrays', 'words'),
    [
        ({'targets': np.full((2, 4), -1, np.int32)}, 'no token has a target'),
        ({'targets': None}, r'no targets\.npy'),
        ({'lengths': np.array([5, 1], np.int32)}, r'lengths\.npy holds 1 to 5, but a sequence has 0 to 4'),
        ({'predicted': -np.ones((2, 4), np.int32)}, "holds -1 for a token of 'a'"),
        ({'predicted': None, 'logits': BAD}, r"logits\.npy is not finite for 'a'"),
    ],
)
def test_what_cannot_be_evaluated(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        values(save(tmp_path / 'it', **arrays))


def test_tags_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'targets\.npy holds 3, but only 0 to 2'):
        save(tmp_path / 'it', targets=np.full((2, 4), 3, np.int32))


def with_tokens(folder: Path) -> outputs.Outputs:
    ids = np.array([[0, 1, 2, 0], [3, 0, 0, 0]])
    arrays = pack_tokens({'token_ids': ids, 'lengths': np.array([3, 2], np.int32)}, lambda ids: WORDS[ids[0]])
    return outputs.read(save(folder, **arrays))


def test_tokens_are_shown_and_follow_their_sequence(tmp_path: Path) -> None:
    known = with_tokens(tmp_path / 'it')
    assert tokens(known.arrays, 0) == ['Ada', 'Lovelace', 'writes', '']
    assert tokens(subset.take(known, np.array([1, 1, 0])).arrays, 1) == ['<b>\x1b', 'Ada', '', '']
    (target, prediction) = TaggingEvaluation().lines(known, 0)
    assert target.markup.count('class="tag"') == 3
    assert prediction.markup.count('wrong') == 1
    assert '&lt;b&gt;' in TaggingEvaluation().lines(known, 1)[1].markup
    with (tmp_path / 'it/predictions.csv').open(encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        'id': 'a',
        'tokens': 'Ada Lovelace writes',
        'prediction': 'B-PER O O',
        'target': 'B-PER I-PER O',
    }
    table = TaggingEvaluation().exports()['csv'].content(known).decode().splitlines()
    assert table[:2] == ['id,position,token,tag', 'a,0,Ada,B-PER']
    assert len(table) == 6


def test_tags_from_a_list(tmp_path: Path) -> None:
    known = with_tokens(tmp_path / 'it')
    (tmp_path / 'tags.csv').write_text('id,tags\nb,O B-PER\na,B-PER I-PER O\n')
    added = external_labels.add(known, tmp_path / 'tags.csv')
    np.testing.assert_array_equal(added.arrays['targets'], TARGETS)
    assert added.external_labels is not None
    assert added.external_labels['differing'] == 0


@pytest.mark.parametrize(
    ('row', 'words'),
    [('b,O B-PEN', "tags.csv:2: 'B-PEN' is not a tag"), ('b,O O O', 'there are 3 tags for 2 tokens')],
)
def test_lists_that_do_not_fit(tmp_path: Path, row: str, words: str) -> None:
    (tmp_path / 'tags.csv').write_text(f'id,tags\n{row}\na,O O O\n')
    with pytest.raises(UserError, match=words):
        external_labels.add(with_tokens(tmp_path / 'it'), tmp_path / 'tags.csv')


class TokenModel(nnx.Module):
    """Logits of the tags of each token, from itself."""

    def __init__(self, outputs: int, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(len(WORDS), 8, rngs=rngs)
        self.logits = nnx.Linear(8, outputs, rngs=rngs)

    def __call__(self, ids: jax.Array) -> jax.Array:
        return self.logits(self.embed(ids))


@dataclass(frozen=True, kw_only=True)
class Tagger(Supervised):
    """Tags of tokens, each by itself."""

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        return self.model(outputs=len(spec.class_names['tags']), rngs=rngs)

    def inputs(self, batch: Batch) -> jax.Array:
        return batch['text']

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, Any]:
        tags = batch['tags']
        nats = optax.softmax_cross_entropy_with_integer_labels(output, jnp.maximum(tags, 0))
        counted = tags >= 0
        return {'loss': jnp.where(counted, nats, 0).sum(1) / jnp.maximum(counted.sum(1, dtype=float), 1)}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        return {'logits': output, 'token_ids': batch['text'], 'lengths': batch['length']}

    def describe(self) -> Description:
        return Description(
            kind='tagging',
            predictions=dict.fromkeys(('logits', 'token_ids', 'lengths'), 'of the test'),
            truth={'targets': 'tags'},
            decode=lambda ids: WORDS[ids[0]],
        )


def test_a_task_that_predicts_tags(tmp_path: Path) -> None:
    fields = {'text': (4,), 'tags': (4,), 'length': ()}
    spec = Spec(
        {name: jax.ShapeDtypeStruct(shape, np.int32) for name, shape in fields.items()}, {'tags': NAMES}
    )
    random = np.random.default_rng(0)
    lengths = random.integers(1, 5, 8, dtype=np.int32)
    text = random.integers(0, len(WORDS), (8, 4), np.int32)
    tags = np.where(np.arange(4) < lengths[:, np.newaxis], np.minimum(text, 2), -1).astype(np.int32)
    examples = Examples([f'row {i}' for i in range(8)], {'text': text, 'tags': tags, 'length': lengths})
    bound = Tagger(model=TokenModel, optimizer=partial(optax.sgd), learning_rate=0.5).bind(spec)
    batch = next(evaluation_batches(examples, 4))
    state = bound.init_training(*bound.init_model(jax.random.key(0)))
    for step in range(3):
        state, _ = bound.update(state, batch, jax.random.key(step))
    predicted = predict(bound.predict, state, examples, 4, Jit().mesh)  # type: ignore[arg-type]
    description = bound.describe()
    arrays = packed(KIND, predicted | {'targets': tags}, examples.ids, description.decode)
    manifest = outputs.Manifest('tagging', class_names=NAMES)
    outputs.write(tmp_path / 'it', manifest, arrays, examples.ids, dict.fromkeys(arrays, 'of the test'))
    Evaluator(resamples=100).evaluate(tmp_path / 'it')
    assert 0 <= values(tmp_path / 'it')['token_accuracy'] <= 1
    assert tokens(arrays, 0) == [
        WORDS[word] if place < lengths[0] else '' for place, word in enumerate(text[0])
    ]
