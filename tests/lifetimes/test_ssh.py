"""Over a real ssh connection that is lost: nothing is missing when its user is back."""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lifetimes.home import PROMPT, Home
from tests.lifetimes.ssh import SshServer, Wire, ssh_server
from tests.lifetimes.terminal import STREAMTUI, panes, terminal

COUNT = 8

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    with ssh_server(tmp_path / "ssh") as server:
        yield server


def words(home: Home, *args: str) -> str:
    """A command for the shell on the far side, in the home of the test."""
    environ = [f"{name}={value}" for name, value in home.environ.items()]
    return "exec " + shlex.join(["env", *environ, *STREAMTUI, *args])


@pytest.mark.parametrize("lose", [Wire.break_down, Wire.fall_silent])
def test_a_connection_is_lost_and_the_next_one_shows_all_of_it_live(
    home: Home, server: SshServer, lose: Callable[[Wire], None]
) -> None:
    """Of one that falls silent neither side hears for a while: the console of before is there."""
    home.let_talk(rate=10, tokens=120)
    with server.wire() as wire:
        first = server.command(wire.port, words(home, *panes(COUNT), "-p", PROMPT))
        with terminal(home, *first) as shown:
            shown.wait_for(lambda text: text.count("● talk") == COUNT, "all of them")
            engine = home.engine()
            lose(wire)
            with terminal(home, *server.command(server.port, words(home))) as again:
                again.wait_for(lambda text: text.count("● talk") == COUNT, "all of them, live")
                assert home.engines == [engine]
                again.wait_for(lambda text: text.count("✓ talk") == COUNT, "all of them done")
    assert home.states() == ["done"] * COUNT
    assert home.answers() == [home.answer()] * COUNT
