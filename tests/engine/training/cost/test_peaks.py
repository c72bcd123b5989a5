"""Peaks of devices, and utilisation by them."""

import pytest

from engine.training.cost.flops import Flops
from engine.training.cost.peaks import PEAKS, ideal_seconds, peaks_of


@pytest.mark.parametrize(
    ('kind', 'bfloat16', 'tensorfloat32', 'float32'),
    [
        ('NVIDIA H100 80GB HBM3', 989.5, 494.5, 67),
        ('NVIDIA H100 PCIe', 756, 378, 51),
        ('NVIDIA H200', 989.5, 494.5, 67),
        ('NVIDIA A100-SXM4-80GB', 312, 156, 19.5),
        ('A100-SXM4-40GB', 312, 156, 19.5),
        ('NVIDIA L4', 121, 60, 30.3),
        ('NVIDIA GeForce RTX 4090', 165.2, 82.6, 82.6),
        ('Tesla V100-SXM2-16GB', None, 15.7, 15.7),
        ('TPU v3', 61.5, 61.5, 61.5),
        ('TPU v5 lite', 197, 197, 197),
        ('TPU v5', 459, 459, 459),
    ],
)
def test_dense_peaks(kind: str, bfloat16: float | None, tensorfloat32: float, float32: float) -> None:
    peaks = peaks_of(kind)
    assert peaks is not None
    assert (peaks.bfloat16, peaks.tensorfloat32, peaks.float32) == (bfloat16, tensorfloat32, float32)


def test_every_peak_has_a_source_and_an_order() -> None:
    for peaks in PEAKS.values():
        assert peaks.source.startswith('https://')
        assert (peaks.float16 or 0) >= (peaks.tensorfloat32 or 0) >= (peaks.float32 or 0) > 0


@pytest.mark.parametrize(
    'kind', ['cpu', '', 'NVIDIA A10G', 'NVIDIA H100 80GB HBM3 MIG 1g.10gb', 'TPU v99', 'L4']
)
def test_unknown_devices_have_none(kind: str) -> None:
    assert peaks_of(kind) is None
    assert ideal_seconds(Flops(1e12, 0, {'bfloat16': 1e12}), kind) is None


def test_each_type_has_its_own_peak() -> None:
    kind = 'NVIDIA A100-SXM4-80GB'
    assert ideal_seconds(Flops(312e12, 0, {'bfloat16': 300e12}), kind) == pytest.approx(1)
    assert ideal_seconds(Flops(156e12, 0, {'tensorfloat32': 150e12}), kind) == pytest.approx(1)
    assert ideal_seconds(Flops(19.5e12, 0, {'float32': 19.5e12}), kind) == pytest.approx(1)
    assert ideal_seconds(Flops(19.5e12, 0), kind) == pytest.approx(1)  # no product at all
    both = Flops(312e12, 156e12, {'bfloat16': 312e12, 'tensorfloat32': 156e12})
    assert ideal_seconds(both, kind) == pytest.approx(2)


def test_a_type_without_a_peak_has_no_utilisation() -> None:
    assert ideal_seconds(Flops(1, 0, {'bfloat16': 1}), 'Tesla V100-SXM2-16GB') is None
    assert ideal_seconds(Flops(2, 0, {'float64': 1, 'bfloat16': 1}), 'NVIDIA H100 80GB HBM3') is None
