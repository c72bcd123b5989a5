"""Programs in random environments: variables, limits, closed or unread streams, terminals.

No program hangs or shows a traceback. A mistake is one message. A training finishes whatever its outputs are.
`FUZZ=100` tries a hundred cases, about four seconds each.
"""

import os
import pty
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.workspace import REPOSITORY
from tests.conftest import write_config
from tests.engine.random_cases import random_cases

# With these, every program does what it does without them.
HARMLESS = [
    *(('COLUMNS', value) for value in ('0', '1', '-5', 'wide')),
    *(('TERM', value) for value in ('dumb', '', 'unknown', 'xterm-256color')),
    *(('PYTHONIOENCODING', value) for value in ('ascii', 'latin-1', 'cp1252')),
    *(('LC_ALL', value) for value in ('C', 'xx_YY.UTF-8', 'POSIX')),
    *(
        (name, value)
        for name in ('HOME', 'TMPDIR', 'XDG_CACHE_HOME')
        for value in ('', '/nowhere', '/dev/null')
    ),
    *(('SLURM_NTASKS', value) for value in ('8', 'x', '')),
    *(('CUDA_VISIBLE_DEVICES', value) for value in ('', '-1', 'NoDevFiles')),
    *(('MPLBACKEND', value) for value in ('module://matplotlib_inline.backend_inline', 'TkAgg', 'Agg')),
    *(
        (name, '1')
        for name in ('NO_COLOR', 'FORCE_COLOR', 'PYTHONOPTIMIZE', 'PYTHONUNBUFFERED', 'PYTHONDEVMODE')
    ),
    ('PYTHONUTF8', '0'),
    ('LINES', '0'),
    ('TZ', 'Nowhere/Land'),
    ('SLURM_JOB_ID', 'x'),
    ('SLURM_PROCID', '3'),
    ('JAX_PLATFORMS', 'cpu'),
    ('JAX_NUM_CPU_DEVICES', '2'),
    ('JAX_LOG_COMPILES', '1'),
    ('XLA_FLAGS', '--xla_force_host_platform_device_count=2'),
    ('ACCELERATOR', 'cpu'),
    ('PATH', '/nowhere'),
    ('GIT_DIR', '/nowhere'),
    ('WORKSPACE', ''),
]
# With these, programs may refuse to work.
WRONG = [
    *(('JAX_PLATFORMS', value) for value in ('cuda', 'tpu', 'CPU', 'cuda,cpu', ',', 'nothing')),
    *(
        ('WORKSPACE', value)
        for value in ('/dev/null', '/dev/null/a', '~nobody-here', '/proc/a', 'x' * 300, '\n')
    ),
    *(
        (name, 'maybe')
        for name in ('JAX_ENABLE_X64', 'JAX_NUM_CPU_DEVICES', 'JAX_DISABLE_JIT', 'ACCELERATOR')
    ),
    *(('XLA_FLAGS', value) for value in ('--xla_nonsense=1', 'nonsense', '--xla_dump_to', '=')),
    ('JAX_DISABLE_JIT', '1'),
    ('JAX_DEFAULT_MATMUL_PRECISION', 'much'),
    ('JAX_TRANSFER_GUARD', 'disallow'),
    ('SLURM_STEP_ID', '0'),
    ('SLURM_STEP_NUM_TASKS', '2'),
]
STREAMS = ('pipe', 'file', 'closed', 'full', 'unread', 'terminal', 'closed terminal')
LIMITS = ('', 'ulimit -f 0', 'ulimit -f 16', 'ulimit -n 24', 'ulimit -n 64', 'ulimit -s 256', 'ulimit -c 0')
SILENT = {'unread', 'full', 'closed terminal'}  # outputs that cannot be written
PROGRAMS: dict[str, list[str]] = {
    'help': ['train', '--help'],
    'dry run': ['train', '--gin_file={config}', '--dry_run'],
    'nothing left': ['train', '--resume={run}'],
    'list': ['dataset', 'list'],
    'check outputs': ['check_outputs', '{run}/outputs/test'],
    'compare': ['compare', '{run}'],
    'evaluate': ['evaluate', '{run}/outputs/test', '--output={new}', '--overwrite'],
    'logs': ['logs', '{run}', '--output={new}', '--overwrite'],
    'mistake': ['predict', '{run}', '--splti=val'],
    'train': ['train', '--gin_file={config}', '--run={new}'],
}


class Streams:
    """Opens the outputs of a process, and reads those that can be read."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.texts, self._threads = folder, {}, []

    def redirection(self, descriptor: int, kind: str) -> str:
        if kind == 'closed':
            return f'{descriptor}>&-'
        if kind == 'full':
            return f'{descriptor}>/dev/full'
        return f'{descriptor}>{self._folder / f"stream-{descriptor}"}' if kind == 'file' else ''

    def open(self, descriptor: int, kind: str) -> int:
        """Returns what the process gets."""
        ours, theirs = pty.openpty() if 'terminal' in kind else os.pipe()
        if kind in ('unread', 'closed terminal'):
            os.close(ours)
        else:
            thread = threading.Thread(target=self._read, args=(descriptor, ours))
            thread.start()
            self._threads.append(thread)
        return theirs

    def _read(self, descriptor: int, source: int) -> None:
        chunks = []
        with (
            suppress(OSError),
            os.fdopen(source, 'rb', buffering=0) as file,
        ):  # a terminal raises it at its end
            while chunk := file.read(65536):
                chunks.append(chunk)
        self.texts[descriptor] = b''.join(chunks).decode(errors='replace')

    def text(self) -> str:
        for thread in self._threads:
            thread.join()
        files = (path.read_text(errors='replace') for path in self._folder.glob('stream-*'))
        return '\n'.join([*self.texts.values(), *files]).replace('\r\n', '\n')


def run(
    arguments: list[str], variables: dict[str, str], kinds: dict[int, str], limit: str, folder: Path
) -> Any:
    """Returns exit code and readable output of a program."""
    streams = Streams(folder)
    redirections = ' '.join(streams.redirection(descriptor, kind) for descriptor, kind in kinds.items())
    theirs = {descriptor: streams.open(descriptor, kind) for descriptor, kind in kinds.items()}
    line = f'{limit or ":"}; exec "$@" {redirections}'
    with subprocess.Popen(
        [
            '/bin/bash',
            '-c',
            line,
            'bash',
            sys.executable,
            '-m',
            f'engine.commands.{arguments[0]}',
            *arguments[1:],
        ],
        cwd=REPOSITORY,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        stdout=theirs[1],
        stderr=theirs[2],
        start_new_session=True,
    ) as process:
        for descriptor in theirs.values():
            os.close(descriptor)
        try:
            code = process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return code, streams.text()


@pytest.fixture(scope='module')
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_config(tmp_path_factory.mktemp('config'), STEPS='STEPS = 4')


@random_cases(2)
@example(
    program='train',
    harmless=[('TERM', 'dumb'), ('COLUMNS', '0')],
    wrong=[],
    limit='',
    out='unread',
    err='closed terminal',
)
@given(
    program=st.sampled_from(sorted(PROGRAMS)),
    harmless=st.lists(st.sampled_from(HARMLESS), max_size=4),
    wrong=st.lists(st.sampled_from(WRONG), max_size=2) | st.just([]),
    limit=st.sampled_from(LIMITS) | st.just(''),
    out=st.sampled_from(STREAMS),
    err=st.sampled_from(STREAMS),
)
def test_programs_in_random_environments(
    program: str,
    harmless: list[tuple[str, str]],
    wrong: list[tuple[str, str]],
    limit: str,
    out: str,
    err: str,
    trained: Path,
    config: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp('case')
    places = {'run': trained, 'config': config, 'new': folder / 'new'}
    arguments = [argument.format(**places) for argument in PROGRAMS[program]]
    code, text = run(arguments, dict(harmless + wrong), {1: out, 2: err}, limit, folder)
    assert 'Traceback' not in text and 'Exception ignored' not in text, text
    assert text.count('error: ') <= 1, text
    assert code in (0, 1, 2, -signal.SIGPIPE), text
    if (
        code in (1, 2)
        and err in ('pipe', 'file', 'terminal')
        and (limit, out) not in [('ulimit -f 0', 'file')]
    ):
        assert 'error: ' in text or err == 'file', text
    if not wrong and not limit:
        expected = 2 if program == 'mistake' else 0
        assert code == expected or (program != 'train' and SILENT & {out, err}), text
    if program == 'train' and code == 0 and not limit:
        assert 'step 4/4' in (folder / 'new/logs/train.log').read_text(encoding='utf-8')
