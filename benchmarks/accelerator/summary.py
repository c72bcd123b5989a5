"""What the figures of an accelerator amount to: rates, ratios and the limits that they must keep."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from statistics import median
from typing import Any

from benchmarks.accelerator.plan import PYTORCH
from benchmarks.accelerator.settings import MODELS, ModelSetting
from benchmarks.report import Bound
from engine.training.cost.peaks import peaks_of

HOPPER = ('H100', 'H200')
# Units per second on one Hopper GPU. ViT-B/16: T5X's on 8 H100, for each of them. ViT-S/16: those of a tuned
# model of its size in PyTorch. GPT-2: llm.c reaches 463,000.
RATES = {'vit_b': 1459, 'vit_s': 8000, 'gpt2': 400_000}
UTILISATION = {'vit_b': 0.4}
OF_BARE, OF_PYTORCH = 0.98, 1.0
LARGEST_DIFFERENCE = 1e-3  # relative, of the first losses of jit and PMap

Sections = Mapping[str, Mapping[str, Any]]


def rate(setting: ModelSetting, figures: Mapping[str, Any] | None) -> float | None:
    """Returns the units per second of a loop's figures, None if it was not measured."""
    return (figures or {}).get(f'{setting.unit}_per_second')


def utilisation(setting: ModelSetting, per_second: float, peak: float) -> float:
    """Returns the model FLOPs utilisation: the operations that the model needs, as a share of the peak.

    >>> round(utilisation(MODELS['vit_b'], 3750.0, 989e12), 2)
    0.4
    """
    units = setting.shape[0] if setting.is_text else 1
    return per_second / units * setting.step_flops / peak


def bounds(sections: Sections, device: str) -> dict[str, dict[str, Any]]:
    """Returns what was measured with its limits, by name, as `benchmarks.report.Bound` in JSON.

    Args:
      sections: the figures of each section.
      device: its name. Limits of rates are those of a Hopper GPU, and others have none.
    """
    with_limits = dict(_of_exactness(sections.get('exactness', {})))
    for setting in MODELS.values():
        with_limits |= _of_model(setting, sections, device)
    return {name: asdict(bound) for name, bound in (with_limits | _of_cifar10(sections)).items()}


def _of_exactness(figures: Mapping[str, Any]) -> Iterator[tuple[str, Bound]]:
    if 'differing_files' in figures:
        yield 'killed and resumed: differing files', Bound(len(figures['differing_files']), at_most=0)
    if 'verified' in figures:
        yield 'killed and resumed: verified', Bound(figures['verified'], at_least=1)
    if 'cpu_same_class' in figures:
        yield 'restored on the CPU: same class', Bound(figures['cpu_same_class'], at_least=0.99)
    name = 'pmap_largest_relative_difference'
    if name in figures:
        yield 'PMap and jit: difference of losses', Bound(figures[name], at_most=LARGEST_DIFFERENCE)


def _of_model(setting: ModelSetting, sections: Sections, device: str) -> dict[str, Bound]:
    ours = sections.get(setting.name, {})
    per_second, bare = (rate(setting, ours.get(name)) for name in ('template', 'bare'))
    theirs = rate(setting, sections.get(f'{setting.name}.{PYTORCH}', {}).get(PYTORCH))
    if per_second is None:
        return {}
    is_hopper, peaks = any(name in device for name in HOPPER), peaks_of(device)
    with_limits = {
        f'{setting.unit}/s': Bound(per_second, at_least=RATES.get(setting.name) if is_hopper else None),
        'step, ms': Bound(median(ours['template']['step_ms'])),
    }
    if peaks and peaks.bfloat16:
        share = utilisation(setting, per_second, peaks.bfloat16 * 1e12)
        limit = UTILISATION.get(setting.name) if is_hopper else None
        with_limits['model FLOPs utilisation'] = Bound(share, at_least=limit)
    if bare:
        with_limits['ratio to the bare step'] = Bound(per_second / bare, at_least=OF_BARE)
    if theirs:
        with_limits['ratio to PyTorch, compiled'] = Bound(per_second / theirs, at_least=OF_PYTORCH)
    return {f'{setting.title}: {name}': bound for name, bound in with_limits.items()}


def _of_cifar10(sections: Sections) -> dict[str, Bound]:
    figures = sections.get('cifar10', {})
    if 'accuracy' not in figures:
        return {}
    return {
        'ResNet-18 on CIFAR-10: accuracy': Bound(figures['accuracy']['value']),
        'ResNet-18 on CIFAR-10: seconds of training': Bound(figures['training_seconds']),
    }
