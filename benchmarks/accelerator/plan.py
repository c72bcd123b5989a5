"""What is measured, in which order, and how long each part may take. The most important parts come first.

This module needs the standard library alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.accelerator.settings import MODELS

PYTORCH = 'pytorch'
# Flags of XLA that its users recommend, tried one by one, on one model. None of them is ever set by default.
# Sources: https://docs.jax.dev/en/latest/gpu_performance_tips.html (the first two) and
# https://docs.nvidia.com/jax-toolbox/performance-profiling/gpu-performance
FLAGS = {
    'none': '',
    'triton_gemm_any': '--xla_gpu_triton_gemm_any=true',
    'latency_hiding': '--xla_gpu_enable_latency_hiding_scheduler=true',
    'no_triton_gemm': '--xla_gpu_enable_triton_gemm=false',
    'no_command_buffer': '--xla_gpu_enable_command_buffer=',
}


@dataclass(frozen=True)
class Section:
    """A part of the measurements, in a process of its own.

    Attributes:
      name: of the section; figures of one model share the first part, before the dot.
      module: the program, in this package.
      arguments: of the program.
      expected: seconds that it takes on a GPU with 16 cores. It is skipped if less time is left.
      limit: seconds after which it is killed.
      environment: further variables.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    expected: float = 60
    limit: float = 150
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_peer(self) -> bool:
        """Whether it measures PyTorch, which may have an environment of its own."""
        return self.module == 'peer'


def sections(has_cifar10: bool) -> list[Section]:
    """Returns all sections, the most important first."""
    planned = [Section('device', 'device', expected=15, limit=60)]
    planned.append(Section('exactness', 'exactness', expected=100, limit=240))
    for name in MODELS:
        planned.append(Section(name, 'throughput', (name,), expected=70))
        planned.append(Section(f'{name}.{PYTORCH}', 'peer', (name,), expected=30, limit=120))
    if has_cifar10:
        planned.append(Section('cifar10', 'train_cifar10', expected=75, limit=200))
    planned += [_variant(name, 'attention', 40) for name, model in MODELS.items() if model.attention]
    planned += [_variant('vit_s', variant, 50) for variant in ('arrays', 'groups', 'pmap')]
    planned += [_variant(name, 'sizes', 30 * len(model.other_sizes)) for name, model in MODELS.items()]
    for flag, value in FLAGS.items():
        planned.append(_variant('vit_b', 'flags', 40, f'.{flag}', {'XLA_FLAGS': value}))
    return planned


def _variant(
    model: str, variant: str, expected: float, suffix: str = '', environment: Mapping[str, str] | None = None
) -> Section:
    arguments = (model, f'--variant={variant}')
    return Section(
        f'{model}.{variant}{suffix}', 'throughput', arguments, expected, environment=environment or {}
    )


def chosen(all_sections: Sequence[Section], only: str, without: str) -> list[Section]:
    """Returns the sections that the command line chooses.

    A name chooses its section, and with a dot at its end all sections that begin so: 'vit_b.' is all of ViT-B
    but its first section.

    Args:
      all_sections: to choose from.
      only: names, separated by commas; '' chooses all.
      without: names that are left out.

    Raises:
      ValueError: a name chooses nothing.
    """
    for name in filter(None, [*only.split(','), *without.split(',')]):
        if not any(_names(name, section) for section in all_sections):
            known = ', '.join(section.name for section in all_sections)
            hint = ' It needs --cifar10=<archive>.' if name == 'cifar10' else ''
            raise ValueError(f'no section is called {name!r}.{hint} There are {known}.')
    return [
        section
        for section in all_sections
        if (not only or any(_names(name, section) for name in only.split(',')))
        and not any(_names(name, section) for name in filter(None, without.split(',')))
    ]


def _names(name: str, section: Section) -> bool:
    return section.name == name or (name.endswith('.') and section.name.startswith(name))
