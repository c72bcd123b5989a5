"""The devices that a run uses, for its environment record."""

from typing import Any

import jax


def record() -> dict[str, Any]:
    """Returns the kind, driver and number of all devices, and the number of processes."""
    device = jax.devices()[0]
    return {
        'accelerator': device.device_kind,
        'driver': device.client.platform_version,
        'devices': jax.device_count(),
        'processes': jax.process_count(),
    }
