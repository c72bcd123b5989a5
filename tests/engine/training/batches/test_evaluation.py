"""Tests of the batches that are evaluated."""

import pytest

from engine.training.batches.evaluation import fewest_rows


@pytest.mark.parametrize(
    ('counts', 'batch_size', 'devices', 'rows'),
    [
        ([180], 128, 1, 96),
        ([128], 128, 1, 128),
        ([129], 128, 1, 72),
        ([1], 128, 1, 8),
        ([0], 128, 1, 8),
        ([50_000], 1024, 8, 1024),
        ([180, 297], 128, 1, 104),
        ([10], 6, 2, 6),
        ([10], 4, 4, 4),
    ],
)
def test_fewest_rows(counts: list[int], batch_size: int, devices: int, rows: int) -> None:
    """The rows split evenly over the devices, and no fewer take as few batches."""
    assert fewest_rows(counts, batch_size, devices) == rows
