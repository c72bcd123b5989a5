"""What a training imports before its first step and before its end, and what the bare script imports."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import bare
from engine.workspace import REPOSITORY

OBSERVER = '''
import sys

from engine.training.observers.observer import Observer


class Imports(Observer):
    """Writes the names of the imported modules at the start of the loop and at its end."""

    def on_start(self, run):
        self._file = (run.folder / 'modules.txt').open('w')
        print(*sys.modules, file=self._file)

    def on_end(self, status):
        print(*sys.modules, file=self._file)
        self._file.close()
'''
SLOW = {
    *('tensorflow', 'sklearn', 'pandas', 'matplotlib', 'scipy', 'skimage', 'grain', 'orbax', 'tensorstore'),
    *('tensorboardX', 'pycocotools', 'sentencepiece'),
}


def test_training_imports_no_slow_library_before_it_ends(
    config_file: Callable[..., Path], tmp_path: Path
) -> None:
    """With the default observers. All that the bare script imports is imported before the first step."""
    (tmp_path / 'imports_observer.py').write_text(OBSERVER)
    modules = ('first_batch', 'performance', 'progress', 'tensorboard')
    config = config_file(
        *(f'from engine.training.observers import {name}' for name in modules),
        'import imports_observer',
        'trainer.Trainer.observers = [@progress.Progress(), @tensorboard.TensorBoard(), '
        '@first_batch.FirstBatch(), @performance.Performance(), @imports_observer.Imports()]',
    )
    command = [
        sys.executable,
        '-m',
        'engine.commands.train',
        f'--gin_file={config}',
        f'--run={tmp_path / "run"}',
    ]
    environment = os.environ | {'PYTHONPATH': f'{tmp_path}{os.pathsep}{REPOSITORY}'}
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.DEVNULL)
    before, after = (set(line.split()) for line in (tmp_path / 'run/modules.txt').read_text().splitlines())
    assert SLOW & after == set()
    assert set(bare.OTHERS) <= before
    assert {'jax', 'flax', 'optax', 'numpy'} <= before
