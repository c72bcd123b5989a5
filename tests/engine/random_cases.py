"""How many random cases the fuzzing tests try, and which.

By default a test tries a few cases, the same ones each time. Two variables ask for more:

    FUZZ=3000 scripts/test.sh tests/engine/evaluation/test_fuzz.py                3,000 cases of each test
    FUZZ=3000 FUZZ_SEED=1 scripts/test.sh tests/engine/evaluation/test_fuzz.py    3,000 others

`scripts/benchmark.sh random_cases` tries all of them in blocks, and continues after an interruption.
"""

import os
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase

CASES = int(os.environ.get('FUZZ', 0))
SEED = int(os.environ.get('FUZZ_SEED', 0))


def random_cases(cases: int) -> Callable[[Any], Any]:
    """Decorates a test that hypothesis's `given` feeds: tries `cases` cases by default."""
    chosen = hypothesis.settings(
        max_examples=CASES or cases,
        derandomize=not CASES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.function_scoped_fixture,
            HealthCheck.filter_too_much,
        ],
    )
    return lambda test: pytest.mark.random_cases(chosen(hypothesis.seed(SEED)(test) if CASES else test))
