"""Batches of several parts: sizes and rows of their own, on 8 simulated devices, wherever the data lie."""

import json

from tests.engine.eight_devices import printed_lines


def test_every_part_has_its_own_rows() -> None:
    results = json.loads(printed_lines('tests.engine.training.batches.several_parts')[-1])
    assert len(results) == 9
    assert [name for name, is_right in results.items() if not is_right] == []
