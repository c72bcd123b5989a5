"""A page follows trainings: it shows what the logs hold, and says so when it no longer does."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.run_reader.watching import watch
from engine.run_reader.watching.watch import WatchedPage
from engine.workspace import REPOSITORY
from tests.conftest import Program
from tests.engine.sample_runs import append, write_lines, write_run


def steps(file: Path) -> list[str]:
    """Returns the cells of the table of progress that hold steps."""
    return re.findall(r'<td[^>]*>([\d,]+ of [\d,]+)</td>', file.read_text())


def test_the_page_is_rewritten_when_logs_grow_and_only_then(tmp_path: Path) -> None:
    run, file = write_run(tmp_path / 'run', 8, state='running'), tmp_path / 'watch.html'
    watched = WatchedPage([str(run)], file)
    assert [watched.refresh(), watched.refresh()] == [True, False]
    assert steps(file) == ['8 of 20']
    append(run, 'train', '{"step": 9, "loss": 0.1}\n{"step": 10, "lo')
    assert [watched.refresh(), watched.refresh()] == [True, False]
    assert steps(file) == ['9 of 20']
    (run / 'status.json').write_text(json.dumps({'state': 'failed', 'error': 'loss is NaN <here>'}))
    assert watched.refresh()
    assert 'loss is NaN &lt;here&gt;' in file.read_text()


def test_curves_are_drawn_only_when_a_log_has_grown(tmp_path: Path) -> None:
    run, file = write_run(tmp_path / 'run', 8, state='running'), tmp_path / 'watch.html'
    watched = WatchedPage([str(run)], file)
    watched.refresh()
    figures = watched._figures
    (run / 'status.json').write_text(json.dumps({'state': 'running', 'heartbeat': 'later'}))
    assert watched.refresh()
    assert watched._figures is figures
    append(run, 'val', '{"step": 8, "loss": 0.1}\n')
    assert watched.refresh()
    assert watched._figures is not figures


def test_an_old_page_is_rewritten_although_nothing_has_changed(tmp_path: Path, clock, monkeypatch) -> None:
    """It shows that it is kept true, and whether the heart-beat of a run has stopped."""
    watched = WatchedPage([str(write_run(tmp_path / 'run'))], tmp_path / 'watch.html')
    watched.refresh()
    clock.now += watch.MAX_AGE / 2
    assert not watched.refresh()
    clock.now += watch.MAX_AGE
    assert watched.refresh()


def test_runs_that_begin_later_join(tmp_path: Path) -> None:
    write_run(tmp_path / 'runs/a')
    file = tmp_path / 'watch.html'
    watched = WatchedPage([str(tmp_path / 'runs')], file)
    watched.refresh()
    write_run(tmp_path / 'runs/b', 12)
    assert watched.refresh()
    assert steps(file) == ['20 of 20', '12 of 20']


@pytest.mark.parametrize('lines', [[], [{'step': 1, 'loss': None}], [{'step': 1, 'loss': 1e38, 'a/b': 2}]])
def test_a_run_that_has_hardly_begun_has_a_page(tmp_path: Path, lines: list[dict]) -> None:
    run = write_run(tmp_path / 'run', state='running')
    for name in ('train', 'val', 'performance'):
        write_lines(run, name, lines if name == 'train' else [])
    assert WatchedPage([str(run)], tmp_path / 'watch.html').refresh()


def test_other_pages_are_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / 'watch.html'
    file.write_text('<p>mine</p>')
    with pytest.raises(UserError, match='is another page'):
        WatchedPage([str(write_run(tmp_path / 'run'))], file)
    assert file.read_text() == '<p>mine</p>'


def test_a_page_of_before_is_replaced(tmp_path: Path) -> None:
    run, file = write_run(tmp_path / 'run'), tmp_path / 'watch.html'
    WatchedPage([str(run)], file).end()
    assert WatchedPage([str(run)], file).refresh()


def test_the_page_reloads_itself_in_a_browser(tmp_path: Path, show) -> None:
    run, file = write_run(tmp_path / 'run', 8, state='running'), tmp_path / 'watch.html'
    watched = WatchedPage([str(run)], file)
    watched.refresh()
    opened = show(file)
    opened.check()
    opened.check_on_phone()
    assert opened.page.locator('[data-stale]').is_hidden()
    append(run, 'train', '{"step": 9, "loss": 0.1}\n')
    watched.refresh()
    opened.page.get_by_text('9 of 20').wait_for(timeout=15_000)
    watched.end()
    opened.page.get_by_text('the page stays as it is').wait_for(timeout=15_000)
    assert opened.complaints == []


def test_a_page_that_nobody_keeps_true_says_so(tmp_path: Path, show) -> None:
    run, file = write_run(tmp_path / 'run', 8, state='running'), tmp_path / 'watch.html'
    WatchedPage([str(run)], file).refresh()
    file.write_text(re.sub(r'datetime="\d{4}', 'datetime="2020', file.read_text()))
    assert show(file).page.locator('[data-stale]').is_visible()


def test_the_program_follows_until_ctrl_c(tmp_path: Path) -> None:
    run = write_run(tmp_path / 'run', 8, state='running')
    command = [sys.executable, '-m', 'engine.commands.logs', str(run), '--watch']
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdout and process.stderr
        file = Path(process.stdout.readline().strip().removeprefix('page: '))
        assert file == run / 'logs/watch.html'
        assert steps(file) == ['8 of 20']
        append(run, 'train', '{"step": 9, "loss": 0.1}\n')
        deadline = time.monotonic() + 60
        while steps(file) != ['9 of 20']:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert (process.wait(60), process.stderr.read()) == (-signal.SIGINT, '')
    assert 'the page stays as it is' in file.read_text()


@pytest.mark.parametrize('flag', ['--json', '--overwrite'])
def test_what_does_not_go_with_it(program: Program, tmp_path: Path, flag: str) -> None:
    code, _, err = program('logs', str(write_run(tmp_path / 'run')), '--watch', flag)
    assert (code, f'--watch goes without {flag}' in err) == (2, True)
