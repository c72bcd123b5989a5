"""Runs on images of varying size: in real processes, stopped and continued, with a damaged image."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine import files, outputs
from engine.datasets.reading import integrity
from engine.runs import json_lines
from engine.workspace import REPOSITORY
from tests.engine import photos

CONFIG = """
from __gin__ import dynamic_registration
from engine.parts import crops
from engine.training import trainer
from research.models import mlp
from engine.parts import classification
import optax

trainer.Trainer:
  dataset = 'photos'
  task = @classification.Classification()
  steps = 7
  batch_size = 8
  save_every = 2
  decode = @crops.Crops()

crops.Crops.size = 12

classification.Classification:
  model = @mlp.MLP
  optimizer = @optax.sgd
  learning_rate = 0.01
"""

# The program, with the tests' own datasets.
START = """
import runpy, sys
from pathlib import Path
from engine import workspace
workspace.REPOSITORY = Path({repository!r})
sys.path.insert(0, {repository!r})
sys.argv = {arguments!r}
if {ahead!r}:
    from engine.training.batches import copied_ahead
    copied_ahead.has_own_memory = lambda mesh: True
runpy.run_module('engine.commands.train', run_name='__main__')
"""

Train = Callable[..., list[tuple[int, str]]]


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a dataset of photos, and its workspace."""
    folder = tmp_path_factory.mktemp('photos')
    with pytest.MonkeyPatch.context() as patch:
        photos.dataset(folder, patch)
    shutil.copy(REPOSITORY / 'pyproject.toml', folder)
    (folder / 'engine').symlink_to(REPOSITORY / 'engine')
    (folder / 'photos.gin').write_text(CONFIG)
    return folder


@pytest.fixture(scope='module')
def train(folder: Path) -> Train:
    """Trains in so many processes, which may meet a fault; returns exit code and words of each.

    With `ahead`, batches are copied to the devices before they are asked for, as on accelerators.
    """

    def run(run: Path, count: int = 1, fault: str = '', ahead: bool = False) -> list[tuple[int, str]]:
        with socket.socket() as server:
            server.bind(('localhost', 0))
            port = server.getsockname()[1]
        arguments = ['train', f'--gin_file={folder / "photos.gin"}', f'--run={run}']
        places = [
            [f'--processes={count}', f'--process={index}', f'--coordinator=localhost:{port}']
            for index in range(count)
            if count > 1
        ]
        processes = [
            subprocess.Popen(
                [
                    sys.executable,
                    '-c',
                    START.format(repository=str(folder), arguments=arguments + place, ahead=ahead),
                ],
                cwd=REPOSITORY,
                env=os.environ | {'WORKSPACE': str(folder / 'workspace'), 'FAULT': fault},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for place in places or [[]]
        ]
        words = [process.communicate(timeout=240)[0] for process in processes]
        return [(process.returncode, said) for process, said in zip(processes, words, strict=True)]

    return run


@pytest.fixture(scope='module')
def alone(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run by one process, that nothing happened to."""
    run = tmp_path_factory.mktemp('alone') / 'run'
    [(code, said)] = train(run)
    assert code == 0, said
    return run


def losses(run: Path) -> list[float]:
    lines = json_lines.read(run / 'logs' / 'train.jsonl')
    assert [line['step'] for line in lines] == list(range(1, 8))
    return [line['loss'] for line in lines]


@pytest.mark.parametrize('ahead', [False, pytest.param(True, marks=pytest.mark.slow)])
def test_two_processes_see_what_one_sees(train: Train, alone: Path, tmp_path: Path, ahead: bool) -> None:
    ends = train(tmp_path / 'run', 2, ahead=ahead)
    assert [code for code, _ in ends] == [0, 0], ends
    np.testing.assert_allclose(losses(tmp_path / 'run'), losses(alone), rtol=1e-4)
    for split in ('val', 'test'):
        result, expected = (outputs.read(run / 'outputs' / split) for run in (tmp_path / 'run', alone))
        assert result.ids == expected.ids
        np.testing.assert_allclose(result.arrays['logits'], expected.arrays['logits'], rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize('ahead', [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_run_goes_on_with_the_same_images(train: Train, alone: Path, tmp_path: Path, ahead: bool) -> None:
    [(code, said)] = train(tmp_path / 'run', fault='step@5', ahead=ahead)
    assert code == -9, said
    [(code, said)] = train(tmp_path / 'run', ahead=ahead)
    assert code == 0, said
    for log in ('train.jsonl', 'val.jsonl'):
        assert (tmp_path / 'run/logs' / log).read_text() == (alone / 'logs' / log).read_text()


def test_a_damaged_image_ends_the_run_in_one_message(
    train: Train, alone: Path, folder: Path, tmp_path: Path
) -> None:
    assert alone.is_dir()  # so the dataset is built
    photos_of = folder / 'workspace/data/photos'
    path = next(photos_of.glob('records/**/train/image.bin'))
    whole = path.read_bytes()
    offsets = np.load(path.with_name('image.offsets.npy'))
    path.write_bytes(whole[: offsets[6]] + bytes(offsets[7] - offsets[6]) + whole[offsets[7] :])
    [(code, said)] = train(tmp_path / 'changed')
    assert (code, 'image.bin has changed' in said) == (2, True)
    integrity.write(path.parent.parent)  # as if it had been built so
    [(code, said)] = train(tmp_path / 'run', ahead=True)
    path.write_bytes(whole)
    integrity.write(path.parent.parent)
    message = f"error: example 'train-06' ({photos_of / 'raw/train/train-06.jpg'}) cannot be decoded: "
    assert code == 1
    assert next(line for line in said.splitlines() if line.startswith('error')).startswith(message)
    assert 'Traceback' not in said
    status = files.read_json(tmp_path / 'run/status.json')
    assert status['state'] == 'failed' and 'train-06' in status['error']
