"""Manifolds against the definition, feature by feature."""

import numpy as np
import pytest

from engine.kinds.generation import manifold
from engine.kinds.generation.manifold import Manifold

RANDOM = np.random.default_rng(0)
REAL, SAMPLES = RANDOM.normal(size=(50, 4)), RANDOM.normal(size=(70, 4)) * 1.5
# Few values: many features are equal, and many distances.
COARSE, MORE = RANDOM.integers(0, 3, (40, 3)).astype(float), RANDOM.integers(0, 4, (30, 3)).astype(float)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5


def slow_share(queries: np.ndarray, features: np.ndarray) -> float:
    """Kynkäänniemi et al. 2019, equations 1 and 2, as they stand there."""
    inside = 0
    for query in queries:
        for place, feature in enumerate(features):
            others = sorted(distance(feature, each) for i, each in enumerate(features) if i != place)
            if distance(query, feature) <= others[2]:
                inside += 1
                break
    return inside / len(queries)


@pytest.mark.parametrize(
    ('queries', 'features'),
    [
        (SAMPLES, REAL),
        (REAL, SAMPLES),
        (COARSE, MORE),
        (MORE, COARSE),
        (SAMPLES[:1], REAL),
        (SAMPLES, REAL[:4]),
    ],
    ids=['random', 'the other way round', 'ties', 'more ties', 'one', 'the fewest'],
)
def test_shares_by_the_definition(queries: np.ndarray, features: np.ndarray) -> None:
    inside, nearest = Manifold.of(features).place(queries)
    assert inside.mean() == pytest.approx(slow_share(queries, features), abs=1e-12)
    assert nearest == pytest.approx([min(distance(q, each) for each in features) for q in queries])


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Manifold.of(REAL)
    monkeypatch.setattr(manifold, '_BLOCK_DISTANCES', 123)
    blocks = Manifold.of(REAL)
    np.testing.assert_allclose(blocks.radii, whole.radii, rtol=1e-9)
    np.testing.assert_allclose(blocks.place(SAMPLES), whole.place(SAMPLES), rtol=1e-9)


def test_equal_features_are_no_way_apart() -> None:
    """Far from the origin too, where a distance made of products would be rounded."""
    far = np.full((4, 3), 1e6) + 0.1
    inside, nearest = Manifold.of(far).place(far[:1])
    assert (inside.tolist(), nearest.tolist()) == ([True], [0.0])
    assert not Manifold.of(far).place(far[:1] + 1e-6)[0].any()


def test_a_set_lies_on_its_own_manifold_and_nothing_far_away() -> None:
    assert Manifold.of(REAL).place(REAL)[0].all()
    assert not Manifold.of(REAL).place(REAL + 100)[0].any()
