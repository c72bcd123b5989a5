"""The flags of JAX that change numbers, for the environment record."""

import re
from enum import Enum
from typing import Any

import jax

# Flags that change no number: they log, check, cache, choose devices or wait. All others count, also flags
# that later versions of JAX add.
_NOT_NUMERIC = re.compile(
    r'(mock_|jax2tf_|check_vma'
    r'|jax_(array_garbage|backend_target|captured|check|compil|cpu_get|cross_host|cuda_visible|debug|default_device'
    r'|disallow|distributed|dump|enable_(checks|compilation|preemption|recoverability)|explain|export|force_dcn'
    r'|hlo_source|include|legacy_prng|log|mock|mosaic_unzip|mtls|mutable_array_checks|no_|num_cpu|numpy_(dtype|rank)'
    r'|oneapi_visible|pallas_(enable_debug|verbose)|persistent|platform|pprint|raise|remove_custom|rocm_visible'
    r'|send_traceback|serialization|share_binary|source_url|thread_guard|trace|transfer_guard|xla_backend'
    r'|xla_profile|error_checking)).*'
)


def numeric() -> dict[str, Any]:
    """Returns the flags of JAX that change numbers, such as jax_enable_x64, as JSON can hold them."""
    values = sorted(jax.config.values.items())
    return {name: _plain(value) for name, value in values if not _NOT_NUMERIC.fullmatch(name)}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.name.lower()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
