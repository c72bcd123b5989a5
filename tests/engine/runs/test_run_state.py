"""What status.json holds is used only where it has its type."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.runs.run_state import seal, seconds_since, undamaged


def test_a_heartbeat_tells_how_long_ago_it_was() -> None:
    now = datetime.now(UTC)
    for days in (-1, 0, 365):
        seconds = seconds_since((now + timedelta(days=days)).isoformat())
        assert seconds == pytest.approx(-86400 * days, abs=5)


@pytest.mark.parametrize(
    'heartbeat',
    [None, '', 'soon', 5, 1.5, True, [], {}, '2026-13-45', '2026-11-26T14:00:00', '\x00', '9' * 400],
)
def test_what_is_not_a_time_is_none(heartbeat: Any) -> None:
    """A time without its zone could be any of 26 hours."""
    assert seconds_since(heartbeat) is None


DAMAGED = (None, [], {}, 1.5, True)


@pytest.mark.parametrize('value', [*DAMAGED, 'text'])
@pytest.mark.parametrize('name', ['format', 'step', 'pid'])
def test_numbers_of_another_type_are_left_out(name: str, value: Any) -> None:
    assert undamaged({name: value, 'error': 'x'}) == {'error': 'x'}
    assert undamaged({name: 7}) == {name: 7}


@pytest.mark.parametrize('value', [*DAMAGED, 7])
@pytest.mark.parametrize('name', ['state', 'host', 'heartbeat', 'config_sha256', 'dataset_fingerprint'])
def test_texts_of_another_type_are_left_out(name: str, value: Any) -> None:
    assert undamaged({name: value}) == {}
    assert undamaged({name: 'text'}) == {name: 'text'}


@pytest.mark.parametrize('name', ['config_sha256', 'next_config_sha256', 'dataset_fingerprint', 'seal'])
def test_a_flipped_character_of_a_fingerprint_refuses_nothing(name: str) -> None:
    fingerprints = {'config_sha256': 'aa', 'next_config_sha256': 'bb', 'dataset_fingerprint': 'cc'}
    status = {'state': 'running', **fingerprints, 'seal': seal(fingerprints)}
    assert undamaged(status) == status
    damaged = status | {name: f'x{status[name][1:]}'}
    assert not fingerprints.keys() & undamaged(damaged).keys()
    assert undamaged(damaged)['state'] == 'running'
