"""Augmentations make the same images on 2 devices as on 1, to the bit, in a process of its own."""

import json

from tests.engine.eight_devices import printed_lines
from tests.engine.parts.augmentation import on_devices


def test_devices_do_not_change_images() -> None:
    results = json.loads(printed_lines('tests.engine.parts.augmentation.on_devices')[-1])
    assert results == {name: [2, True] for name in on_devices.AUGMENTATIONS}
