import subprocess
import sys
from pathlib import Path

import pytest

from engine.workspace import REPOSITORY
from tests.engine.sample_runs import append, write_lines, write_run

# What runs the program and then tells which of these it has imported.
WATCHED = """
import runpy, sys
try:
    runpy.run_module('engine.commands.logs', run_name='__main__')
finally:
    frameworks = ('jax', 'jaxlib', 'flax', 'orbax', 'optax', 'gin', 'tensorflow', 'tensorflow_datasets')
    print('imported:', *(name for name in frameworks if name in sys.modules), file=sys.stderr)
"""


def contents(run: Path) -> dict[Path, tuple[bytes, int]]:
    """Returns the bytes and the time of each file of a run, but the figures."""
    files = [path for path in run.rglob('*') if path.is_file() and 'plots' not in path.parts]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_a_run_is_shown_without_jax_and_left_as_it_is(tmp_path: Path):
    run = write_run(tmp_path / 'run', state='running')
    append(run, 'train', '{"step": 21')
    before = contents(run)
    command = [sys.executable, '-W', 'error', '-c', WATCHED, str(run)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stderr.strip()) == (0, 'imported:')
    lines = ended.stdout.splitlines()
    assert lines[2].split()[:5] == ['run', 'running', '20', 'of', '20']
    assert '- run: train.jsonl: its last line is torn and left out' in lines
    assert lines[-1] == f'figures: {run / "logs" / "plots"}'
    figures = {path.name for path in (run / 'logs' / 'plots').iterdir()}
    assert figures >= {'summary.md', 'loss.png', 'loss.svg', 'loss.pdf', 'where_the_time_went.png'}
    assert (run / 'logs' / 'plots' / 'loss.png').read_bytes().startswith(b'\x89PNG')
    assert contents(run) == before


def test_several_go_into_the_workspace(program, tmp_path: Path, workspace: Path):
    for name, steps in {'long': 20, 'short': 8}.items():
        write_run(tmp_path / name, steps)
    code, out, err = program('logs', str(tmp_path))
    assert (code, err) == (0, '')
    target = Path(out.splitlines()[-1].removeprefix('figures: '))
    assert target.parent == workspace / 'logs'
    assert (target / 'loss.svg').is_file()
    assert not (tmp_path / 'long' / 'logs' / 'plots').exists()


def test_names_and_notes_are_shown_harmless(program, tmp_path: Path):
    odd = write_run(tmp_path / '*wide* <b>\x1b[31m')
    append(odd, 'train', '{"step": 21')
    write_run(tmp_path / 'narrow')
    code, out, _ = program('logs', str(tmp_path), f'--output={tmp_path / "plots"}')
    assert (code, '\x1b' in out) == (0, False)
    summary = (tmp_path / 'plots/summary.md').read_text()
    assert '\x1b' not in summary
    assert r'| \*wide\* \<b\>' in summary
    assert r'- \*wide\* \<b\>' in summary


def test_metrics_that_differ_in_a_sign_have_figures_of_their_own(program, tmp_path: Path):
    run = write_run(tmp_path / 'run')
    write_lines(run, 'val', [{'step': step, 'top/1': 1, 'top_1': 2, 'top.1': 3} for step in (1, 2)])
    assert program('logs', str(run))[0] == 0
    assert len(list((run / 'logs/plots').glob('top*1*.png'))) == 3


def test_nothing_is_overwritten_unasked(program, tmp_path: Path):
    run = write_run(tmp_path / 'run')
    assert program('logs', str(run))[0] == 0
    code, _, err = program('logs', str(run))
    assert (code, 'exists already. Pass --overwrite' in err) == (2, True)
    assert program('logs', str(run), '--overwrite')[0] == 0


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([], 'the following arguments are required: RUN'),
        (['{run}', '--overwrit'], "Did you mean '--overwrite'?"),
        (['{run}x'], "does not exist. Did you mean 'run'?"),
        (['{run}', '--output={run}'], 'contains other files: it has no summary.md'),
    ],
)
def test_mistakes(program, tmp_path: Path, arguments: list[str], message: str):
    run = write_run(tmp_path / 'run')
    code, out, err = program('logs', *(each.format(run=run) for each in arguments))
    assert (code, out) == (2, '')
    assert err.startswith('error: ')
    assert message in err
    assert 'Traceback' not in err
    assert not (run / 'logs' / 'plots').exists()
