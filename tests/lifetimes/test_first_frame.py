"""The screen is drawn at once, whatever there is to be said of the engine behind it."""

import fcntl
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from streamtui.engine.host import wire
from tests.lifetimes.home import PROMPT, Home, assert_all_is_kept, until
from tests.lifetimes.terminal import STREAMTUI, panes, terminal

pytestmark = pytest.mark.timeout(120)


@contextmanager
def no_engine_yet(home: Home) -> Iterator[None]:
    """As long as this lasts no console finds or starts an engine."""
    folder = home.runtime / "streamtui"
    folder.mkdir(mode=0o700)
    descriptor = os.open(folder / "engine.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def test_one_can_type_before_the_engine_is_there_and_then_all_goes_on(home: Home) -> None:
    home.let_talk(rate=20)
    with ExitStack() as until_end:
        with no_engine_yet(home):
            shown = until_end.enter_context(terminal(home, *STREAMTUI, *panes(2), "-p", PROMPT))
            shown.wait_for_text("Starting …")
            shown.press(b"typed early")
            shown.wait_for_text("typed early")
            # An enter so soon after a letter would be taken for a pasted one.
            shown.wait_until_quiet(0.2)
            shown.press(b"\r")
            shown.wait_for_text("The prompt was not sent")
            assert not home.engines
        shown.wait_for_text("2 live")
        assert "typed early" in shown.text()
        assert_all_is_kept(home, 2)


HOLD_TEXTUAL = """
import os, sys
from importlib.abc import MetaPathFinder

class Hold(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "textual":
            sys.meta_path.remove(self)
            open(os.environ["HOLD_UNTIL_OPENED"]).close()

sys.meta_path.insert(0, Hold())
"""
"""Runs before the program: Textual cannot be imported until somebody writes to a named pipe."""


@pytest.fixture
def pipe(home: Home, tmp_path: Path) -> Path:
    """What Textual waits for."""
    (tmp_path / "sitecustomize.py").write_text(HOLD_TEXTUAL)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    home.environ["PYTHONPATH"] = f"{tmp_path}:{home.environ['PYTHONPATH']}"
    home.environ["HOLD_UNTIL_OPENED"] = str(pipe)
    return pipe


def test_the_first_prompt_is_sent_before_there_is_a_screen(home: Home, pipe: Path) -> None:
    home.let_talk(rate=50)
    with terminal(home, *STREAMTUI, *panes(2), "-p", PROMPT) as shown:
        until(lambda: len(home.said()) == 2 and all(home.said()), "both are answered")
        assert not shown.received
        pipe.write_bytes(b"")
        shown.wait_for_text("2 live")
        shown.wait_for_text("a00w0001")
        assert_all_is_kept(home, 2)


@pytest.mark.usefixtures("pipe")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_asked_is_cancelled_when_there_will_be_no_screen(
    home: Home, number: signal.Signals
) -> None:
    home.let_talk(rate=50)
    with terminal(home, *STREAMTUI, *panes(2), "-p", PROMPT) as shown:
        until(lambda: len(home.said()) == 2 and all(home.said()), "both are answered")
        shown.signal(number)
        assert shown.wait_for_exit() == 130
        assert home.until_all_ended(2) == ["cancelled"] * 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_console_can_be_ended_before_its_engine_is_there(
    home: Home, number: signal.Signals
) -> None:
    with no_engine_yet(home), terminal(home, *STREAMTUI) as shown:
        shown.wait_for_text("Starting …")
        shown.signal(number)
        shown.wait_for_exit()
        assert shown.modes() == shown.modes_before


def test_where_no_engine_can_be_had_the_console_says_so_and_works_with_its_own(home: Home) -> None:
    home.let_talk(rate=50)
    (home.runtime / "streamtui").mkdir(mode=0o755)
    with terminal(home, *STREAMTUI, *panes(2), "-p", PROMPT) as shown:
        text = shown.wait_for_text("What streams ends with this console")
        assert f"no engine of its own: {home.runtime}" in text
        shown.wait_for_text("2 live")
        home.let_end()
        shown.wait_for(lambda text: text.count("✓ talk") == 2, "both of them done")
        shown.press(b"\x11")
        assert shown.wait_for_exit() == 0
    assert not home.engines


@contextmanager
def engine_of_another_version(path: Path, live: int) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def greet() -> None:
            near, _ = listener.accept()
            with near:
                near.recv(65536)
                near.sendall(wire.packed(wire.Welcome(99, "9.9.9", os.getpid(), live)))
                near.recv(65536)

        greeter = threading.Thread(target=greet, daemon=True)
        greeter.start()
        yield
        greeter.join(10)


def test_an_engine_of_another_version_that_streams_is_left_alone_and_named(home: Home) -> None:
    folder = home.runtime / "streamtui"
    folder.mkdir(mode=0o700)
    with (
        engine_of_another_version(folder / "engine.sock", live=3),
        terminal(home, *STREAMTUI) as shown,
    ):
        assert shown.wait_for_exit() == 2
        shown.wait_for_bytes(b"the engine that runs is streamtui 9.9.9", b"3 sessions stream there")
        assert shown.modes() == shown.modes_before
        assert b"Traceback" not in shown.received
