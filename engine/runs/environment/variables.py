"""The environment variables that change numbers, number the threads or choose libraries."""

import os
import re

# Variables of XLA, cuDNN, cuBLAS, NCCL and the libraries for CPUs. JAX reports its own as flags.
_NUMERIC = re.compile(
    r'(XLA|TF_XLA|LIBTPU|CUDNN|CUBLAS|CUBLASLT|NVIDIA_TF32|TF_CUDNN|TF_ENABLE_ONEDNN|TF_DETERMINISTIC|MKL|DNNL|ONEDNN'
    r'|OPENBLAS|ROCBLAS|MIOPEN|HIPBLASLT)_.*|NCCL_(ALGO|PROTO)|NVIDIA_TF32_OVERRIDE'
)
_NOT_NUMERIC = re.compile(
    r'XLA_PYTHON_CLIENT_.*|XLA_CLIENT_MEM_.*|MKL_VERBOSE|.*_(LOG|CACHE|DEBUG|VERBOSE)\w*'
)
# Options of XLA that only write files or make devices.
_OTHER_OPTIONS = re.compile(
    r'--xla_(dump_\w+|force_host_platform_device_count|hlo_profile|gpu_cuda_data_dir)(=.*)?'
)
_LISTS = ('XLA_FLAGS', 'LIBTPU_INIT_ARGS', 'TF_XLA_FLAGS')
_THREADS = ('NPROC', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS')
_LIBRARY_PATHS = ('LD_LIBRARY_PATH', 'LD_PRELOAD', 'DYLD_LIBRARY_PATH')


def numeric() -> dict[str, str]:
    """Returns the variables that change numbers. Lists of options are sorted; the last of equal ones wins."""
    chosen = {name: value for name, value in sorted(os.environ.items()) if _is_numeric(name)}
    return {name: text for name, value in chosen.items() if (text := _normalised(name, value))}


def library_paths() -> dict[str, str]:
    """Returns the variables that choose libraries.

    OpenCV adds a path of its own when it is imported, which only subprocesses would see. It does not count.
    """
    paths = {name: os.environ.get(name, '').split(':') for name in _LIBRARY_PATHS}
    chosen = {name: ':'.join(path for path in parts if '/cv2/' not in path) for name, parts in paths.items()}
    return {name: value for name, value in chosen.items() if value.strip(':')}


def threads() -> dict[str, str]:
    """Returns the variables that set the number of threads on a CPU."""
    return {name: os.environ[name] for name in _THREADS if os.environ.get(name)}


def _is_numeric(name: str) -> bool:
    is_other = name in _THREADS or _NOT_NUMERIC.fullmatch(name)
    return bool(_NUMERIC.fullmatch(name)) and not is_other


def _normalised(name: str, value: str) -> str:
    if name not in _LISTS:
        return value
    options = {
        option.partition('=')[0]: option for option in value.split() if not _OTHER_OPTIONS.fullmatch(option)
    }
    return ' '.join(sorted(options.values()))
