"""Starts JAX on the devices that were asked for, and says which those are.

JAX itself falls back to the CPU if it finds no GPU or TPU, and trains there a hundred times slower.
"""

import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UserError, did_you_mean
from engine.processes import gpus

KINDS = {'cuda': 'gpu', 'rocm': 'gpu', 'gpu': 'gpu', 'tpu': 'tpu', 'cpu': 'cpu'}
GPU_PLUGINS = ('jax_cuda12_plugin', 'jax_cuda13_plugin', 'jax_rocm60_plugin', 'jax_rocm7_plugin')
# XLA ends the process at a flag that it does not know, so another process tries them.
_PROBE = 'from jaxlib import xla_client; xla_client.make_cpu_client()'
_XLA_COMPLAINT = re.compile(r'[EF]\d{4} [^]]*\] (?:Check failed.*?\) )?(.*)')


def import_jax() -> None:
    """Imports JAX, whose import reads its variables.

    Raises:
      UserError: a variable of JAX or XLA has a value that it does not accept.
    """
    check_xla_flags(os.environ)
    try:
        import jax  # noqa: F401
    except (ValueError, RuntimeError, TypeError) as error:
        raise UserError(f'JAX cannot be imported: {_first_line(error)}. {_variables(os.environ)}') from error


def check_xla_flags(environment: Mapping[str, str]) -> None:
    """Raises `UserError` if XLA does not accept its flags: it would end this process."""
    flags = environment.get('XLA_FLAGS', '').strip()
    if not flags:
        return
    command = [sys.executable, '-c', _PROBE]
    done = subprocess.run(
        command, capture_output=True, env=environment, text=True, errors='replace', check=False
    )
    if done.returncode:
        complaint = _XLA_COMPLAINT.search(done.stderr)
        reason = complaint[1] if complaint else 'XLA ends with them'
        raise UserError(
            f'XLA_FLAGS={flags} is not accepted: {reason.rstrip(".")}. Correct XLA_FLAGS or unset it.'
        )


def start() -> None:
    """Starts JAX's backend and runs a small program on it.

    Raises:
      UserError: JAX does not start, or not on the kind of device that was asked for.
    """
    import jax

    if os.environ.get('ACCELERATOR') == 'cpu' and not jax.config.jax_platforms:
        jax.config.update('jax_platforms', 'cpu')
    try:
        backend = jax.default_backend()
        jax.jit(lambda x: x).lower(np.zeros(1)).compile()(np.zeros(1))
    except Exception as error:  # whatever it is: the program has no fault
        reason = _first_line(error) or 'it has no such platform here'
        raise UserError(f'JAX does not start: {reason}. {_variables(os.environ)}') from error
    check_backend(backend, os.environ)


def check_backend(backend: str, environment: Mapping[str, str], root: Path = gpus.ROOT) -> None:
    """Raises `UserError` if JAX runs on another kind of device than was asked for, or than is there.

    Args:
      backend: of JAX: 'cpu', 'gpu' or 'tpu'.
      environment: the variables of the process.
      root: of the file system, in which device files are looked for.
    """
    kind, reason = _wanted(environment, root)
    if kind in ('', backend):
        return
    libraries = (
        '' if _plugin(kind) else f'Install its libraries: ACCELERATOR={kind} scripts/train.sh --help. '
    )
    look = 'Look at the output of nvidia-smi. ' if kind == 'gpu' else ''
    raise UserError(
        f'JAX would run on the {backend.upper()}, but {reason}. {_failures(kind)}{libraries}{look}'
        f'To run on the {backend.upper()}, set JAX_PLATFORMS={backend}.'
    )


def _wanted(environment: Mapping[str, str], root: Path) -> tuple[str, str]:
    """Returns the kind of device that was asked for or is visible, and how that is known; '' if neither."""
    platforms = environment.get('JAX_PLATFORMS', '')
    if platforms:
        return KINDS.get(platforms.split(',')[0], ''), f'JAX_PLATFORMS={platforms} asks for another device'
    if asked := environment.get('ACCELERATOR', ''):
        if asked not in ('gpu', 'tpu', 'cpu'):
            raise UserError(f'ACCELERATOR={asked} is unknown. {did_you_mean(asked, ("gpu", "tpu", "cpu"))}')
        return ('' if asked == 'cpu' else asked), f'ACCELERATOR={asked} asks for a {asked.upper()}'
    return _visible(environment, root)


def _visible(environment: Mapping[str, str], root: Path) -> tuple[str, str]:
    name = gpus.variable(environment)
    if name in environment:
        names = gpus.visible(environment, root)
        return ('gpu', f'{name}={environment[name]} names a GPU') if names else ('', '')
    if files := gpus.device_files(root):
        return 'gpu', f'this machine has a GPU ({files[0]})'
    if files := sorted(root.glob('dev/accel[0-9]*')):
        return 'tpu', f'this machine has a TPU ({files[0]})'
    kind = next((kind for kind in ('gpu', 'tpu') if _plugin(kind)), '')
    return kind, f'the libraries for a {kind.upper()} are installed ({_plugin(kind)})'


def _plugin(kind: str) -> str:
    """Returns the installed package that lets JAX use a kind of device, '' if there is none."""
    packages = {'gpu': GPU_PLUGINS, 'tpu': ('libtpu',)}.get(kind, ())
    return next((package for package in packages if find_spec(package)), '')


def _failures(kind: str) -> str:
    """Returns why JAX could not use a kind of device, as far as JAX says."""
    from jax._src import xla_bridge  # it has no public name

    errors: Mapping[str, str] = getattr(xla_bridge, '_backend_errors', {})
    reasons = {name: reason for name, reason in errors.items() if KINDS.get(name) == kind}
    return ''.join(f'{name}: {_first_line(reason)}. ' for name, reason in reasons.items())


def _first_line(error: object) -> str:
    """Returns the first line of a message of JAX, without its own advice."""
    line = next(iter(str(error).splitlines()), '')
    return re.sub(r' \((set|you may need).*', '', line).rstrip('.')


def _variables(environment: Mapping[str, str]) -> str:
    """Returns advice that lists the variables of JAX."""
    values = [f'{name}={value}' for name, value in sorted(environment.items()) if name.startswith('JAX_')]
    wrong = [name for name in environment.get('JAX_PLATFORMS', '').split(',') if name and name not in KINDS]
    hint = f' {did_you_mean(wrong[0], ("cpu", "cuda", "tpu"))}' if wrong else ''
    return f'Correct or unset its variables: {", ".join(values)}.{hint}' if values else ''


def record() -> dict[str, Any]:
    """Returns the kind, driver and number of all devices, and the number of processes."""
    import jax

    device = jax.devices()[0]
    return {
        'accelerator': device.device_kind,
        'driver': driver(device.client.platform_version),
        'devices': jax.device_count(),
        'processes': jax.process_count(),
    }


def line() -> str:
    """Returns one line about devices, driver and precision.

    For example:

    2 x NVIDIA H100 80GB HBM3, driver 580.65.06, CUDA 13.0 | jax 0.12.0 | float32, matmul precision default
    """
    import jax

    values = record()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    details = f'{cores} cores' if values['accelerator'] == 'cpu' else values['driver']
    processes = f', {values["processes"]} processes' if values['processes'] > 1 else ''
    precision = jax.config.jax_default_matmul_precision or 'default'
    width = 'float64 enabled' if jax.config.jax_enable_x64 else 'float32'
    count = f'{values["devices"]} x ' if values['devices'] > 1 else ''
    return (
        f'{count}{values["accelerator"]}, {details}{processes} | '
        f'jax {importlib.metadata.version("jax")} | {width}, matmul precision {precision}'
    )


def driver(platform_version: str, root: Path = gpus.ROOT) -> str:
    """Returns the versions of an accelerator's driver and libraries in one line.

    Args:
      platform_version: as JAX states it, such as 'cuda 13000'.
      root: of the file system, which says what NVIDIA's driver is.
    """
    cuda = re.search(r'cuda (\d+)(\d\d)\d\b', platform_version)
    if not cuda:
        return ' '.join(platform_version.split())
    file = root / 'proc/driver/nvidia/version'
    text = file.read_text(encoding='utf-8', errors='replace') if file.is_file() else ''
    version = re.search(r'Kernel Module.*?\s(\d+\.[\d.]+)', text)
    return f'driver {version[1] if version else "unknown"}, CUDA {int(cuda[1])}.{int(cuda[2])}'
