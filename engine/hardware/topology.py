"""TPUs that are not there: their names, their memory, and their devices, as libtpu describes them to XLA."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import UserError, did_you_mean, reason

GIB = 2**30
_NAME = re.compile(r'(\w+):(\d+(?:x\d+)+)')


@dataclass(frozen=True)
class Tpu:
    """A kind of TPU.

    Attributes:
      hbm: memory of a chip, GB, as Google publishes it.
      usable: memory of a device that a program can use, GiB, as libtpu 0.0.50 reports it when a program is
        too large. A chip of v2, v3, v4 and 7x counts as two devices.
      axes: the numbers of axes that its topologies may have.
      chips: in the largest topology.
      example: a topology of 8 chips.
      source: of `hbm` and `chips`.
    """

    hbm: int
    usable: float
    axes: tuple[int, ...]
    chips: int
    example: str
    source: str


_DOCS = 'https://cloud.google.com/tpu/docs/'
KINDS = {
    'v2': Tpu(16, 7.48, (2,), 256, '2x4', _DOCS + 'v2'),
    'v3': Tpu(32, 15.48, (2,), 1024, '2x4', _DOCS + 'v3'),
    'v4': Tpu(32, 15.25, (2, 3), 4096, '2x2x2', _DOCS + 'v4'),
    'v5e': Tpu(16, 15.75, (2,), 256, '2x4', _DOCS + 'v5e'),
    'v5p': Tpu(95, 95.73, (2, 3), 8960, '2x2x2', _DOCS + 'v5p'),
    'v6e': Tpu(32, 31.24, (2,), 256, '2x4', _DOCS + 'v6e'),
    'tpu7x': Tpu(192, 94.74, (2, 3), 9216, '2x2x2', _DOCS + 'tpu7x'),
}


@dataclass(frozen=True)
class Topology:
    """TPUs that a program can be compiled for.

    Attributes:
      name: such as 'v5e:2x4'.
      tpu: their kind.
      chips: their number.
      devices: of JAX; one or two for each chip.
    """

    name: str
    tpu: Tpu
    chips: int
    devices: Sequence[Any]

    @property
    def limit(self) -> str:
        """What limits the memory of a device, in words."""
        return f'that a program can use; a chip has {self.tpu.hbm} GB ({self.tpu.source})'

    @property
    def memory(self) -> int:
        """The bytes of a device that a program can use."""
        return int(self.tpu.usable * GIB)


def find(name: str) -> Topology:
    """Returns the topology of a name.

    Args:
      name: kind and shape, such as 'v5e:2x4'.

    Raises:
      UserError: there is no such topology.
    """
    kind, shape = _parsed(name)
    from jax.experimental import topologies

    try:
        devices = topologies.get_topology_desc(platform='tpu', topology_name=name).devices
    except Exception as error:  # whatever libtpu says
        raise _refused(name, f'libtpu says: {reason(error)}') from None
    return Topology(name, KINDS[kind], math.prod(shape), devices)


def _parsed(name: str) -> tuple[str, list[int]]:
    """Returns kind and shape. libtpu itself ends the process at some wrong names."""
    match = _NAME.fullmatch(name)
    if not match:
        raise _refused(name, 'kind and shape are needed')
    kind, shape = match[1], [int(size) for size in match[2].split('x')]
    if kind not in KINDS:
        raise _refused(name, did_you_mean(kind, KINDS).rstrip('.'))
    tpu = KINDS[kind]
    if len(shape) not in tpu.axes:
        raise _refused(name, f'{kind} has {" or ".join(map(str, tpu.axes))} numbers')
    if not 0 < math.prod(shape) <= tpu.chips:
        raise _refused(name, f'{kind} has 1 to {tpu.chips:,} chips')
    return kind, shape


def _refused(name: str, why: str) -> UserError:
    forms = ', '.join(f'{kind}:{tpu.example}' for kind, tpu in KINDS.items())
    return UserError(
        f'--topology={name}: there is no such topology ({why}). Give kind and shape, such as '
        f'{forms} (8 chips each).'
    )
