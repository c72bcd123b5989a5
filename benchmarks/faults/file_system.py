"""Full disks and read-only folders."""

import contextlib
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.faults.case import Fault, FaultCase
from engine.errors import EXIT_FAILED, EXIT_FINISHED
from engine.workspace import REPOSITORY


@contextlib.contextmanager
def mount_namespace() -> Iterator[list[str]]:
    """Yields a prefix that runs a command in a new mount namespace. It ends with the context."""
    holder = subprocess.Popen(
        ['unshare', '--mount', '--propagation=private', 'sh', '-c', 'echo ready; exec sleep infinity'],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout
        holder.stdout.readline()
        yield ['nsenter', f'--target={holder.pid}', '--mount', f'--wd={REPOSITORY}']
    finally:
        holder.kill()
        holder.communicate()


def can_mount() -> bool:
    """Whether this process may mount file systems in a new mount namespace."""
    if shutil.which('unshare') is None or shutil.which('nsenter') is None:
        return False
    mount = ['unshare', '--mount', '--propagation=private', 'mount', '-t', 'tmpfs', 'none', '/mnt']
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


def fill_disk(kilobytes: int) -> Fault:
    """Trains on a disk of this size until it is full, then enlarges the disk and resumes."""

    def fault(case: FaultCase, generator: random.Random) -> None:
        disk, run = case.run.with_name(f'{case.run.name}-disk'), case.run
        disk.mkdir(exist_ok=True)
        with mount_namespace() as prefix:
            command = [*prefix, 'mount', '-t', 'tmpfs', '-o', f'size={kilobytes}k', 'none', str(disk)]
            subprocess.run(command, check=True)
            case.run = disk / 'run'
            case.train(EXIT_FAILED, message='No space left|RESOURCE_EXHAUSTED', prefix=prefix)
            subprocess.run([*prefix, 'mount', '-o', 'remount,size=100m', str(disk)], check=True)
            case.train(EXIT_FINISHED, prefix=prefix, is_fault=False)
            subprocess.run([*prefix, 'cp', '-a', str(case.run), str(run)], check=True)
        case.run = run
        case.compare()

    return fault


def make_read_only(base: Path, subfolder: str) -> Fault:
    """Resumes a copy of an unfinished run with a read-only folder, then with a writable one."""

    def fault(case: FaultCase, generator: random.Random) -> None:
        shutil.copytree(base, case.run)
        folder = str(case.run / subfolder)
        with mount_namespace() as prefix:
            subprocess.run([*prefix, 'mount', '--bind', folder, folder], check=True)
            subprocess.run([*prefix, 'mount', '-o', 'remount,ro,bind', folder], check=True)
            case.train(EXIT_FAILED, message='Read-only file system', prefix=prefix)
        case.finish()

    return fault
