"""What differs between two records."""

from typing import Any

from engine.runs.environment import differences


def record(jax: str, **flags: Any) -> dict[str, Any]:
    return {'python': '3.13.0', 'packages': {'jax': jax}, 'flags': flags, 'code': {'files': {}}}


def lines(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return differences.between(one, other, {}, {}).lines()


def test_flags_that_only_one_version_of_jax_has_follow_from_the_version() -> None:
    old = record('0.10.2', jax_enable_x64=False, jax_old=False, XLA_FLAGS='--a')
    new = record('0.12.0', jax_enable_x64=True, jax_new=1)
    assert lines(old, new) == [
        'packages: jax: 0.10.2 -> 0.12.0',
        'flags: XLA_FLAGS: --a -> none',
        'flags: jax_enable_x64: False -> True',
    ]


def test_a_flag_that_one_record_lacks_differs_with_the_same_jax() -> None:
    old, new = record('0.12.0'), record('0.12.0', jax_enable_x64=True)
    assert lines(old, new) == ['flags: jax_enable_x64: none -> True']


def test_a_flag_without_a_value_differs_from_one_with_a_value() -> None:
    old = record('0.10.2', jax_default_matmul_precision=None)
    new = record('0.12.0', jax_default_matmul_precision='highest')
    assert 'flags: jax_default_matmul_precision: none -> highest' in lines(old, new)
