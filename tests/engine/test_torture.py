"""The short form of the fault campaign, with batch normalisation, dropout and augmentation."""

import shutil
from pathlib import Path

import pytest

from benchmarks import faults, torture, trainings
from benchmarks.torture import Campaign

TOY = ("trainer.Trainer.dataset = 'digits/toy'", 'BATCH_SIZE = 8', 'STEPS = 40')


@pytest.fixture(scope='module')
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Campaign, float]:
    """A campaign with its reference, and the seconds that one run takes."""
    campaign = Campaign(tmp_path_factory.mktemp('torture'), seed=0, bindings=TOY)
    return campaign, campaign.prepare()


def another(prepared: Campaign, folder: Path) -> Campaign:
    """Returns a campaign with the same reference and no faults yet."""
    campaign = Campaign(folder, seed=0, bindings=TOY)
    campaign.reference = prepared.reference
    return campaign


def newest_digest(base: Path) -> str:
    """Returns a data file of a run's newest finished checkpoint, as a path in the run."""
    # On a busy machine the checkpoint of step 26 may still be on its way.
    finished = [path for path in (base / 'checkpoints/latest').iterdir() if path.name.isdecimal()]
    newest = max(finished, key=lambda path: int(path.name))
    return min(newest.glob('default/d/*')).relative_to(base).as_posix()


def assert_promises_are_kept(campaign: Campaign) -> dict[str, torture.Row]:
    """Runs a campaign, asserts that nothing broke, and returns its table."""
    cases = campaign.run()
    assert [problem for case in cases for problem in (*case.broken, *case.differing, *case.tracebacks)] == []
    rows = torture.table(cases)
    assert all(map(torture.held, rows.values()))
    return rows


def test_a_kill_and_a_damage(prepared: tuple[Campaign, float], tmp_path: Path) -> None:
    campaign = another(prepared[0], tmp_path)
    campaign.add('killed', faults.killed_at('checksums_written'))
    base = campaign.unfinished('midway', 'step@30')
    campaign.add('damaged', faults.damaged(base, [newest_digest(base)], faults.flip))
    rows = assert_promises_are_kept(campaign)
    assert [row['faults'] for row in rows.values()] == [1, 1]


@pytest.mark.slow
def test_five_kills_and_three_damages(prepared: tuple[Campaign, float], tmp_path: Path) -> None:
    campaign, seconds = another(prepared[0], tmp_path), prepared[1]
    campaign.add('killed at random', faults.killed_at_random(2, seconds))
    campaign.add('killed at points', faults.killed_at('checksums_written', 'evaluation@3', 'outputs@2'))
    base = campaign.unfinished('midway', 'step@30')
    for name, damage in {
        newest_digest(base): faults.flip,
        'logs/train.jsonl': faults.cut,
        'logs/val.jsonl': faults.delete,
    }.items():
        campaign.add('damaged', faults.damaged(base, [name], damage))
    rows = assert_promises_are_kept(campaign)
    assert rows['killed at points']['faults'] == rows['damaged']['faults'] == 3


@pytest.mark.parametrize('file', ['logs/train.jsonl', 'logs/val.jsonl', 'outputs/val/logits.npy'])
def test_one_bit_is_seen(file: str, prepared: tuple[Campaign, float], tmp_path: Path) -> None:
    reference = prepared[0].reference
    shutil.copytree(reference, tmp_path / 'run')
    assert trainings.differing(reference, tmp_path / 'run') == []
    content = bytearray((tmp_path / 'run' / file).read_bytes())
    content[-2] ^= 1
    (tmp_path / 'run' / file).write_bytes(bytes(content))
    assert trainings.differing(reference, tmp_path / 'run') == [file]


def test_other_arrays_are_seen(prepared: tuple[Campaign, float], tmp_path: Path) -> None:
    reference = prepared[0].reference
    shutil.copytree(reference, tmp_path / 'run')
    latest = tmp_path / 'run' / 'checkpoints' / 'latest'
    older, newer = sorted(latest.iterdir(), key=lambda path: int(path.name))
    shutil.rmtree(newer)
    older.rename(newer)
    assert trainings.differing(reference, tmp_path / 'run') == ['checkpoints/latest']


def test_a_broken_promise_counts(prepared: tuple[Campaign, float], tmp_path: Path) -> None:
    campaign = prepared[0]
    case = faults.Case('row', campaign.laboratory, campaign.reference, tmp_path / 'run')
    assert torture.held(torture.table([case])['row'])
    case.judge(trainings.Ending(1, 0.0, 'Traceback (most recent call last)', False), 0)
    [row] = torture.table([case]).values()
    assert (row['broken'], row['tracebacks']) == (1, 1)
    assert not torture.held(row)
