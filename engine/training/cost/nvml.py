"""How busy NVIDIA GPUs are, by NVML, where the package nvidia-ml-py is installed.

A thread of its own asks, because an answer takes up to some milliseconds. https://docs.nvidia.com/deploy/nvml-api
"""

import os
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from statistics import mean
from typing import Any

import jax

SECONDS = 1.0  # between samples


class GpuSampler:
    """Asks GPUs once a second.

    Args:
      library: the module `pynvml`.
      gpus: the handles of the GPUs.
    """

    def __init__(self, library: Any, gpus: Sequence[Any]):
        self._library, self._gpus = library, gpus
        self._samples: list[dict[str, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True, name='nvml')
        self._thread.start()

    def lap(self) -> dict[str, float]:
        """Returns means since the last lap, over time and GPUs; {} if there is no sample.

        `gpu_use` is the share of the time in which a kernel ran; `gpu_clock_mhz` is that of the streaming
        multiprocessors; `gpu_power_watts` and `gpu_memory_bytes` are per GPU.
        """
        samples, self._samples = self._samples, []
        names = samples[0] if samples else {}
        return {name: round(mean(sample[name] for sample in samples), 3) for name in names}

    def close(self) -> None:
        """Stops asking."""
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(SECONDS):
            try:
                self._samples.extend(map(self._ask, self._gpus))
            except self._library.NVMLError:  # such as a GPU that does not report its power
                return

    def _ask(self, gpu: Any) -> dict[str, float]:
        library = self._library
        return {
            'gpu_use': library.nvmlDeviceGetUtilizationRates(gpu).gpu / 100,
            'gpu_clock_mhz': library.nvmlDeviceGetClockInfo(gpu, library.NVML_CLOCK_SM),
            'gpu_power_watts': library.nvmlDeviceGetPowerUsage(gpu) / 1000,
            'gpu_memory_bytes': library.nvmlDeviceGetMemoryInfo(gpu).used,
        }


def sampler() -> GpuSampler | None:
    """Returns a sampler of this process's GPUs, None where there are none or NVML does not answer."""
    if jax.default_backend() != 'gpu':
        return None
    if not find_spec('pynvml'):
        return None
    return open_sampler(import_module('pynvml'), [device.local_hardware_id for device in jax.local_devices()])


def open_sampler(library: Any, hardware_ids: Sequence[int | None]) -> GpuSampler | None:
    """Returns a sampler of some GPUs, None if NVML does not answer.

    Args:
      library: the module `pynvml`.
      hardware_ids: of the devices, as JAX numbers those that CUDA_VISIBLE_DEVICES shows.
    """
    try:
        library.nvmlInit()
        gpus = [_handle(library, int(each or 0)) for each in hardware_ids]
    except library.NVMLError:
        return None
    return GpuSampler(library, gpus)


def _handle(library: Any, number: int) -> Any:
    """Returns the GPU with a number among the visible ones; NVML counts all."""
    visible = [each.strip() for each in os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',') if each.strip()]
    name = visible[number] if number < len(visible) else str(number)
    by: Callable[[Any], Any] = library.nvmlDeviceGetHandleByUUID
    return library.nvmlDeviceGetHandleByIndex(int(name)) if name.isdigit() else by(name)
