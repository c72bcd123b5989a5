"""Trainings in which everything is due at some step, and which are killed at any point."""

from pathlib import Path

import pytest

from engine.runs import faults
from tests.conftest import run_program, write_config

EVERYTHING = (
    'from tests.engine.training import eventful',
    'from engine.parts import stopping',
    'from engine.training.validation import evaluation_set',
    'trainer.Trainer.task = @eventful.Pictured()',
    'trainer.Trainer.init_from = @eventful.Source()',
    'trainer.Trainer.evaluate_every = 3',
    "trainer.Trainer.validate = ('val', @whole/evaluation_set.EvaluationSet())",
    "whole/evaluation_set.EvaluationSet.dataset = 'digits'",
    'trainer.Trainer.validation_batches = 2',
    'trainer.Trainer.keep_every = 6',
    'trainer.Trainer.pictures_every = 4',
    'trainer.Trainer.log_every = 2',
    'trainer.Trainer.steps_per_dispatch = 2',
    'trainer.Trainer.stop = @stopping.Patience()',
    'stopping.Patience.evaluations = 2',
)
# Points that a thread of its own passes are left out: there an exception is no kill.
POINTS = ('start', 'config', 'evaluation', 'pictures', 'step', 'log', 'save', 'outputs', 'finish')


def config(folder: Path, *lines: str, **replaced: str) -> Path:
    """Writes a config of a task that makes pictures."""
    path = write_config(folder, **replaced)
    text = path.read_text().replace('  task = @classification.Classification()\n', '')
    text = text.replace('classification.Classification:', 'eventful.Pictured:')
    if not any('Trainer.task' in line for line in lines):
        lines = (
            'from tests.engine.training import eventful',
            'trainer.Trainer.task = @eventful.Pictured()',
            *lines,
        )
    imports = [line for line in lines if line.startswith(('import ', 'from '))]
    others = [line for line in lines if line not in imports]
    head, mark, tail = text.partition('import optax\n')
    path.write_text('\n'.join([head + mark + '\n'.join(imports) + tail, *others, '']))
    return path


def train(path: Path, run: Path, *arguments: str, ends_at: int | None = None) -> int:
    """Trains, and returns the exit code.

    Args:
      path: the config.
      run: the run folder.
      arguments: more of the command line.
      ends_at: the number of points after which the process ends, nothing more of the run being saved.
    """
    passed = 0

    def point(name: str) -> None:
        nonlocal passed
        passed += name in POINTS
        if ends_at is not None and name in POINTS and passed == ends_at:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faults, 'point', point)
        return run_program('train', f'--gin_file={path}', f'--run={run}', *arguments)


def files(run: Path) -> dict[str, bytes]:
    """Returns what two equal runs have in common: logs, pictures, predictions, and which steps are saved."""
    kept = [
        *(run / 'logs').glob('[tv][ra]*.jsonl'),
        *(run / 'debug/pictures').glob('*/*.png'),
        *(run / 'outputs').glob('*/*.npy'),
    ]
    saved = {path.relative_to(run).as_posix(): b'' for path in (run / 'checkpoints').glob('*/*')}
    return saved | {path.relative_to(run).as_posix(): path.read_bytes() for path in kept}


def assert_equal_files(one: Path, other: Path) -> None:
    """Asserts that two runs have the same files."""
    expected, actual = files(one), files(other)
    assert actual.keys() == expected.keys()
    assert [name for name in expected if actual[name] != expected[name]] == []


def steps(run: Path, kind: str) -> list[int]:
    """Returns the saved steps of a kind."""
    return sorted(int(path.name) for path in (run / 'checkpoints' / kind).iterdir())
