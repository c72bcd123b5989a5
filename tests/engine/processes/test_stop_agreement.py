"""All processes stop at the same question, whichever of them receives a signal, and however far each is."""

import threading

import pytest

from engine.processes.kv_store import KeyValueStore
from engine.processes.stop_agreement import StopAgreement


class Client:
    """The client of `jax.distributed`, in memory."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def key_value_set(self, name: str, value: str, allow_overwrite: bool) -> None:
        assert allow_overwrite
        self.values[name] = value

    def key_value_dir_get(self, prefix: str) -> list[tuple[str, str]]:
        return [(name, value) for name, value in self.values.items() if name.startswith(prefix)]


def agreements(count: int) -> tuple[list[KeyValueStore], list[StopAgreement]]:
    client = Client()
    stores = [KeyValueStore(client, index, count) for index in range(count)]
    return stores, [StopAgreement(store) for store in stores]


@pytest.mark.parametrize('signalled', [0, 1, 2])
@pytest.mark.parametrize('questions', [(1, 1, 1), (5, 3, 4), (2, 9, 0)])
def test_all_stop_at_the_question_after_the_largest(signalled: int, questions: tuple[int, ...]) -> None:
    stores, processes = agreements(3)
    for process, asked in zip(processes, questions, strict=True):
        assert not any(process.should_stop() for _ in range(asked))
    for index in (signalled, *(set(range(3)) - {signalled})):
        processes[index].update(stores[index].messages(), signal_received=index == signalled)
    for index in range(3):
        processes[index].update(stores[index].messages(), signal_received=False)
    for process, asked in zip(processes, questions, strict=True):
        answers = [process.should_stop() for _ in range(max(questions) - asked + 1)]
        assert answers == [False] * (max(questions) - asked) + [True]


def test_a_process_waits_for_the_agreement() -> None:
    stores, (first, second) = agreements(2)
    first.update({}, signal_received=True)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(first.should_stop()))
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    second.update(stores[1].messages(), signal_received=False)
    first.update(stores[0].messages(), signal_received=False)
    thread.join(10)
    assert answers == [True]


def test_a_barrier_opens_when_all_have_come() -> None:
    stores, _ = agreements(2)
    thread = threading.Thread(target=stores[0].barrier, args=('end',))
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    stores[1].barrier('end')
    thread.join(10)
    assert not thread.is_alive()
