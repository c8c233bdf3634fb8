"""Signals and waiting."""

import os
import signal

import pytest

from streamtui.cli.codes import CANCELLED
from streamtui.cli.interrupts import Interrupts, interrupts
from tests.cli.conftest import Pipe


def test_the_usual_meaning_of_signals_comes_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with interrupts() as asked:
        assert signal.getsignal(signal.SIGINT) == asked.ask
    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert before == after


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_second_signal_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    asked = Interrupts()
    asked.ask(signal.SIGINT, None)
    assert (asked.asked, codes) == (True, [])
    asked.ask(signal.SIGTERM, None)
    asked.close()
    assert codes == [CANCELLED]


def test_waking_never_blocks() -> None:
    asked = Interrupts()
    for _ in range(100_000):
        asked.wake()
    asked.close()


def test_all_of_a_file_is_read(pipe: Pipe) -> None:
    with interrupts() as asked:
        os.write(pipe.writing, b"abc")
        pipe.stop_writing()
        asked.wake()
        assert asked.read_all(pipe.reading) == b"abc"


def test_a_signal_before_the_wait_ends_it(pipe: Pipe) -> None:
    with interrupts() as asked:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            asked.read_all(pipe.reading)
