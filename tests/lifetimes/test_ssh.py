"""Over a real ssh connection that is lost: nothing is missing when its user is back."""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lifetimes.home import PROMPT, Home, assert_all_is_kept
from tests.lifetimes.ssh import SshServer, Wire, ssh_server
from tests.lifetimes.terminal import STREAMTUI, panes, terminal

COUNT = 8

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    with ssh_server(tmp_path / "ssh") as server:
        yield server
        # Shown where the test fails.
        print(server.log.read_text(errors="replace"))


def words(home: Home, *args: str) -> str:
    """A command for the shell on the far side, in the home of the test.

    Nothing that the shell has from its own settings is passed on, but what it is told of us.
    """
    environ = [f"{name}={value}" for name, value in home.environ.items()]
    told = '"TERM=$TERM" "SSH_CONNECTION=$SSH_CONNECTION" "SSH_TTY=$SSH_TTY"'
    return f"exec env -i {told} {shlex.join([*environ, *STREAMTUI, *args])}"


@pytest.mark.parametrize("lose", [Wire.break_down, Wire.fall_silent])
def test_a_connection_is_lost_and_the_next_one_shows_all_of_it_live(
    home: Home, server: SshServer, lose: Callable[[Wire], None]
) -> None:
    """Of one that falls silent neither side hears for a while: the console of before is there."""
    home.let_talk(rate=10)
    with server.wire() as wire:
        first = server.command(wire.port, words(home, *panes(COUNT), "-p", PROMPT))
        with terminal(home, *first) as shown:
            shown.wait_for(lambda text: text.count("● talk") == COUNT, "all of them")
            engine = home.engine()
            lose(wire)
            with terminal(home, *server.command(server.port, words(home))) as again:
                again.wait_for(lambda text: text.count("● talk") == COUNT, "all of them, live")
                assert home.engines == [engine]
                before = again.text()
                again.wait_for(lambda text: text != before, "something new")
                assert_all_is_kept(home, COUNT)
                again.wait_for(lambda text: text.count("✓ talk") == COUNT, "all of them done")
