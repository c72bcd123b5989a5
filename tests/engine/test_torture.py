"""A short fault campaign on a config with batch normalisation, dropout and augmentation."""

import random
import shutil
import signal
from pathlib import Path

import pytest

from benchmarks import torture
from benchmarks.faults import damage, signals, terminal
from benchmarks.faults.case import FaultCase
from benchmarks.faults.training_process import ProcessResult, differences
from benchmarks.torture import Campaign

TOY = (
    *("trainer.Trainer.dataset = 'digits/toy'", 'BATCH_SIZE = 8', 'STEPS = 40'),
    'trainer.Trainer.log_every = 3',  # most checkpoints lie inside a block, and the last block is short
)


@pytest.fixture(scope='module')
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Campaign, float]:
    """A campaign with a trained reference, and the seconds that the reference took."""
    campaign = Campaign(tmp_path_factory.mktemp('torture'), seed=0, bindings=TOY)
    return campaign, campaign.prepare()


def new_campaign(prepared: Campaign, folder: Path) -> Campaign:
    """Returns a campaign with the same reference and no faults yet."""
    campaign = Campaign(folder, seed=0, bindings=TOY)
    campaign.reference = prepared.reference
    return campaign


def newest_data_file(base: Path) -> str:
    """Returns a data file of a run's newest finished checkpoint, as a path in the run."""
    # On a busy machine, the checkpoint of step 26 may be unfinished.
    finished = [path for path in (base / 'checkpoints/latest').iterdir() if path.name.isdecimal()]
    newest = max(finished, key=lambda path: int(path.name))
    return min(newest.glob('default/*')).relative_to(base).as_posix()


def assert_promises_are_kept(campaign: Campaign) -> dict[str, torture.Row]:
    """Runs a campaign, asserts that no promise was broken, and returns the rows of the table."""
    cases = campaign.run()
    assert [problem for case in cases for problem in (*case.broken, *case.differing, *case.tracebacks)] == []
    rows = torture.rows_by_fault(cases)
    assert all(map(torture.holds, rows.values()))
    return rows


def test_a_kill_and_a_damaged_file(prepared: tuple[Campaign, float], tmp_path: Path) -> None:
    campaign = new_campaign(prepared[0], tmp_path)
    campaign.add('killed', signals.kill_at('checksums_written'))
    base = campaign.train_until('midway', 'step@30')
    campaign.add('damaged', damage.damage_file(base, [newest_data_file(base)], damage.flip_bit))
    rows = assert_promises_are_kept(campaign)
    assert [row['faults'] for row in rows.values()] == [1, 1]


@pytest.mark.slow
def test_five_kills_and_three_damaged_files(prepared: tuple[Campaign, float], tmp_path: Path) -> None:
    campaign, seconds = new_campaign(prepared[0], tmp_path), prepared[1]
    campaign.add('killed at random', signals.kill_at_random(2, seconds))
    campaign.add('killed at points', signals.kill_at('checksums_written', 'evaluation@3', 'outputs@2'))
    base = campaign.train_until('midway', 'step@30')
    for name, harm in {
        newest_data_file(base): damage.flip_bit,
        'logs/train.jsonl': damage.truncate,
        'logs/val.jsonl': damage.delete,
    }.items():
        campaign.add('damaged', damage.damage_file(base, [name], harm))
    rows = assert_promises_are_kept(campaign)
    assert rows['killed at points']['faults'] == rows['damaged']['faults'] == 3


@pytest.mark.parametrize('file', ['logs/train.jsonl', 'logs/val.jsonl', 'outputs/val/logits.npy'])
def test_one_flipped_bit_is_a_difference(file: str, prepared: tuple[Campaign, float], tmp_path: Path) -> None:
    reference = prepared[0].reference
    shutil.copytree(reference, tmp_path / 'run')
    assert differences(reference, tmp_path / 'run') == []
    content = bytearray((tmp_path / 'run' / file).read_bytes())
    content[-2] ^= 1
    (tmp_path / 'run' / file).write_bytes(bytes(content))
    assert differences(reference, tmp_path / 'run') == [file]


def test_other_arrays_are_a_difference(prepared: tuple[Campaign, float], tmp_path: Path) -> None:
    reference = prepared[0].reference
    shutil.copytree(reference, tmp_path / 'run')
    latest = tmp_path / 'run' / 'checkpoints' / 'latest'
    older, newer = sorted(latest.iterdir(), key=lambda path: int(path.name))
    shutil.rmtree(newer)
    older.rename(newer)
    assert differences(reference, tmp_path / 'run') == ['checkpoints/latest']


def test_a_campaign_continues_where_it_was_ended(tmp_path: Path) -> None:
    caused: list[str] = []

    def fault(case: FaultCase, generator: random.Random) -> None:
        caused.append(f'{case.name} {generator.random():.6f}')
        case.faults += 1
        case.broken += ['one'] if case.name == 'second' else []

    def campaign() -> Campaign:
        campaign = Campaign(tmp_path, seed=0)
        campaign.add('first', fault, 2)
        campaign.add('second', fault)
        return campaign

    ended = campaign()
    assert ended.missing('', ended.run(minutes=0)) == 3
    assert caused == []
    cases = ended.run(only='fir')
    assert (len(caused), ended.missing('fir', cases), ended.missing('', cases)) == (2, 0, 1)
    rows = torture.rows_by_fault(campaign().run())
    assert len(set(caused)) == len(caused) == 3
    assert (rows['first']['faults'], rows['second']['broken']) == (2, 1)
    assert [torture.holds(row) for row in rows.values()] == [True, False]
    campaign().run()
    assert len(caused) == 3


@pytest.mark.slow
def test_closed_terminals_and_sleep(prepared: tuple[Campaign, float], tmp_path: Path) -> None:
    campaign, seconds = new_campaign(prepared[0], tmp_path), prepared[1]
    campaign.add('closed', terminal.close_terminal(seconds, ignore_sighup=False))
    campaign.add('closed under nohup', terminal.close_terminal(seconds, ignore_sighup=True))
    campaign.add('asleep', terminal.sleep)
    campaign.add('SIGHUP', signals.stop_at_random(seconds, signal.SIGHUP))
    campaign.add('SIGUSR1', signals.stop_at_random(seconds, signal.SIGUSR1))
    assert assert_promises_are_kept(campaign)['asleep']['faults'] == 1


def test_a_broken_promise_counts(prepared: tuple[Campaign, float], tmp_path: Path) -> None:
    campaign = prepared[0]
    case = FaultCase('row', campaign.starter, campaign.reference, tmp_path / 'run')
    assert torture.holds(torture.rows_by_fault([case])['row'])
    case.check(ProcessResult(1, 0.0, 'Traceback (most recent call last)', False), 0)
    [row] = torture.rows_by_fault([case]).values()
    assert (row['broken'], row['tracebacks']) == (1, 1)
    assert not torture.holds(row)
