"""Sampled texts: with a cache, without one, and by a loop that calls the model for each token."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine import outputs
from engine.errors import UserError
from engine.kinds.texts import stored
from engine.parts.language import Sampling
from engine.training.steps import first_state
from engine.workspace import REPOSITORY
from tests.engine.parts.language import texts

CONTEXT = texts.LENGTH - 1
TOKENS = 40  # more than the context


def predicted(
    sampling: Sampling, skipped: int = 1, rows: slice = slice(None), kind: str = 'bytes', **more: Any
) -> dict[str, np.ndarray]:
    """Returns the predictions of some rows of `texts.batch`."""
    bound = texts.bound(texts.spec(kind, skipped, field='given' in more), sampling)
    state = first_state(bound, jax.random.key(3))
    batch = {name: array[rows] for name, array in texts.batch(texts.KNOWN[kind], **more).items()}
    return {name: np.asarray(array) for name, array in jax.jit(bound.predict)(state, batch).items()}


def greedy(prompt: list[int], context: int, start: list[int], given: int) -> list[int]:
    """Returns the most probable tokens, a call of the model for each. A full context loses its first half."""
    bound = texts.bound(texts.spec('bytes', given))
    state = first_state(bound, jax.random.key(3))
    tokens, begin = [*start, *prompt], 0
    call = jax.jit(lambda x: bound.network(state['params'], state['model_state'], x)[0])
    for _ in range(TOKENS):
        while len(tokens) - begin > context:
            begin += context - context // 2
        window = tokens[begin:]
        fed = np.array([[*window, *[0] * (context - len(window))]], np.int32)
        tokens.append(int(call(fed)[0, len(window) - 1].argmax()))
    return tokens[-TOKENS:]


@pytest.mark.parametrize(('given', 'start', 'context'), [(1, [], CONTEXT), (0, [0], CONTEXT + 1)])
def test_the_most_probable_tokens_against_a_loop(given: int, start: list[int], context: int) -> None:
    result = predicted(Sampling(tokens=TOKENS, temperature=0.0, prompt=5), given)
    for row, sentence in enumerate(texts.SENTENCES):
        prompt = list(sentence.encode()[:5])
        assert result['source_counts'][row] == len(prompt)
        assert result['text_tokens'][row].tolist() == greedy(prompt, context, start, given)


def test_a_cache_changes_nothing() -> None:
    settings: dict[str, Any] = {'tokens': TOKENS, 'top_k': 5, 'temperature': 0.7, 'prompt': 30, 'seed': 4}
    one, two = (predicted(Sampling(cache=cache, **settings)) for cache in (True, False))
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name])


def test_a_row_depends_on_its_index_alone() -> None:
    whole, part = (
        predicted(Sampling(tokens=8, prompt='a'), rows=rows) for rows in (slice(None), slice(2, 3))
    )
    np.testing.assert_array_equal(whole['text_tokens'][2:3], part['text_tokens'])
    assert len({tuple(row) for row in whole['text_tokens'].tolist()}) == 4  # one prompt, four texts
    other = predicted(Sampling(tokens=8, prompt='a', seed=1))
    assert not np.array_equal(whole['text_tokens'], other['text_tokens'])


def test_tokens_are_drawn_by_their_probability() -> None:
    logits = jnp.log(jnp.tile(jnp.array([[0.1, 0.6, 0.3, 0.0]]), (4000, 1)))
    keys = jax.random.split(jax.random.key(0), 4000)

    def shares(**settings: Any) -> np.ndarray:
        return np.bincount(np.asarray(Sampling(**settings).choose(logits, keys)), minlength=4) / 4000

    np.testing.assert_allclose(shares(), [0.1, 0.6, 0.3, 0], atol=0.03)
    np.testing.assert_allclose(shares(top_k=2), [0, 2 / 3, 1 / 3, 0], atol=0.03)
    np.testing.assert_allclose(shares(top_k=99), [0.1, 0.6, 0.3, 0], atol=0.03)
    np.testing.assert_allclose(shares(temperature=0.5), [1 / 46, 36 / 46, 9 / 46, 0], atol=0.03)
    assert shares(temperature=0.0).tolist() == [0, 1, 0, 0]
    assert shares(top_k=1).tolist() == [0, 1, 0, 0]


def test_a_sample_ends_before_the_token_that_ends_it() -> None:
    free = predicted(Sampling(tokens=TOKENS, temperature=0.0))
    first = free['text_tokens'][0].tolist()
    end = next(chr(token) for token in first[3:] if token < 128)
    counts = predicted(Sampling(tokens=TOKENS, temperature=0.0, end=end))['text_counts']
    assert free['text_counts'].tolist() == [TOKENS] * 4
    assert counts[0] == first.index(ord(end))


def test_texts_with_a_question_are_answered_and_their_answers_are_references() -> None:
    given = np.array([4, 1, 2, 0], np.int32)
    result = predicted(Sampling(tokens=6, temperature=0.0), 0, kind='bpe', given=given)
    known = texts.batch(texts.KNOWN['bpe'])
    assert result['source_counts'].tolist() == [
        min(pair) for pair in zip(given, known['length'], strict=True)
    ]
    for row, count in enumerate(given.tolist()):
        length = known['length'][row]
        answer = result['reference_tokens'][row, : result['reference_counts'][row]]
        assert answer.tolist() == known['text'][row, count:length].tolist()


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'tokens': 0}, r'Sampling\.tokens = 0: it must be at least 1'),
        ({'temperature': -1.0}, 'temperature = -1.0: it must be at least 0'),
        ({'temperature': float('nan')}, 'temperature = nan'),
        ({'top_k': -1}, 'top_k = -1'),
        ({'prompt': -3}, 'prompt = -3'),
        ({'prompt': 0}, 'to predict from at least one token'),
        ({'prompt': ''}, 'to predict from at least one token'),
        ({'end': 'abc'}, r"end = 'abc' is 3 tokens of this vocabulary"),
    ],
)
def test_mistakes_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        predicted(Sampling(**settings))


def test_sampled_texts_are_outputs_that_people_can_read(program: Any, tmp_path: Path) -> None:
    config = tmp_path / 'sampled.gin'
    config.write_text(f"""
include '{REPOSITORY}/configs/base.gin'
from __gin__ import dynamic_registration
from engine.training import trainer
from research.models import transformer
from engine.parts import language
import optax
STEPS = 2
BATCH_SIZE = 4
trainer.Trainer.dataset = 'text:README.md?length=24'
trainer.Trainer.task = @language.Language()
trainer.Trainer.predict = ('test',)
language.Language:
  model = @transformer.Transformer
  optimizer = @optax.adam
  learning_rate = 0.001
  sampling = @language.Sampling()
language.Sampling:
  tokens = 9
  prompt = 6
transformer.Transformer.width = 16
transformer.Transformer.depth = 1
""")
    code, _, err = program('train', f'--gin_file={config}', f'--run={tmp_path / "run"}')
    assert code == 0, err
    saved = outputs.read(tmp_path / 'run' / 'outputs' / 'test')
    assert saved.kind == 'texts'
    prompts = stored.restore(saved.arrays['sources'], saved.arrays['source_lengths'])
    text = (REPOSITORY / 'README.md').read_bytes()
    for identity, prompt in zip(saved.ids, prompts, strict=True):
        assert text[int(identity.partition(':')[2]) :].decode().startswith(prompt)
    lines = (saved.folder / 'predictions.csv').read_text(encoding='utf-8')
    assert lines.startswith('id,source,prediction\n')
    assert saved.manifest.details['vocabulary'].startswith('characters ')
