"""Text that nobody vouches for, in every place of the screen, down to the bytes of the terminal."""

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest

from streamtui.engine.doors import Command, ListModels, Query, Send
from streamtui.engine.reports import Answer, ModelList, ProbeReport, Stage, StageName
from streamtui.events import (
    Chunk,
    ErrorInfo,
    KeepAliveReceived,
    Metrics,
    ReasoningDelta,
    RetryScheduled,
    RunFailed,
    ToolCallDelta,
)
from streamtui.safe_text import safe_line
from tests.ui.harness import configuration, console, endpoint
from tests.ui.pty_driver import PtyProgram, program_in_pty
from tests.ui.scripted_doors import ScriptedDoors

CASES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "cases" / "security_cases.json").read_text()
)
PAYLOADS: list[str] = [case["text"] for case in CASES["escape_payloads"]]
STAGES: tuple[StageName, ...] = get_args(StageName)
MARKUP: dict[str, str] = {
    case["id"]: case["text"] for case in CASES["markup"] if case["text"].strip()
}

_SEQUENCE = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])"
)
_COLOUR = re.compile(rb"\x1b\[[0-9;:]*m")
_CURSOR = re.compile(rb"\x1b\[[0-9;]*H")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]|\xc2[\x80-\x9f]|\r(?!\n)")


class HostileDoors(ScriptedDoors):
    """Answers a prompt with every payload, in every kind of text; tests and lists with some."""

    async def ask(self, query: Query) -> Answer:
        error = ErrorInfo("server", "".join(PAYLOADS), PAYLOADS[0])
        if isinstance(query, ListModels):
            return ModelList(tuple(PAYLOADS))
        stages = tuple(
            Stage(name, 0.1, payload) for name, payload in zip(STAGES, PAYLOADS, strict=False)
        )
        return ProbeReport(PAYLOADS[0], PAYLOADS[0], PAYLOADS[0], PAYLOADS[0], stages, error)

    def execute(self, command: Command) -> None:
        super().execute(command)
        if isinstance(command, Send):
            self._attack(command.session_id)

    def _attack(self, session_id: str) -> None:
        for number, payload in enumerate(PAYLOADS):
            self.emit(session_id, KeepAliveReceived(payload))
            error = ErrorInfo("server", f"boom {payload}", f"hint {payload}", excerpt=payload)
            self.emit(session_id, RetryScheduled(2, 3, 1.0, error))
            self.emit(session_id, Chunk((ReasoningDelta(f"{payload}\n"),)))
            half = len(payload) // 2
            self.answer(session_id, f"\n\n{payload[:half]}", f"{payload[half:]} `{payload}`\n\n")
            self.answer(session_id, f"# {payload}\n\n[{payload}](http://x/{payload})\n\n")
            self.answer(session_id, f"```{payload}\n{payload}\n```\n\n| {payload} |\n|---|\n\n")
            call = ToolCallDelta(number, payload, id=payload, name=payload)
            self.emit(session_id, Chunk((call,)))
        error = ErrorInfo("server", "".join(PAYLOADS), PAYLOADS[0])
        self.end(session_id, RunFailed(error, Metrics()))


def hostile_console() -> None:
    """The program of the child: endpoints, models, prompt and host name are hostile too."""
    from streamtui.ui.app import StreamTUIApp

    doors = HostileDoors()
    joined = "".join(PAYLOADS)
    endpoints = [endpoint(payload, f"m{payload}") for payload in PAYLOADS[:4]]
    endpoints.append(endpoint(joined, joined))
    app = StreamTUIApp(
        doors,
        configuration(*endpoints),
        opening=endpoints[-2:],
        show_events=True,
        host=joined,
    )
    app.run()


@pytest.fixture(autouse=True)
def no_clipboard_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("TMUX", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def hostile_program() -> Iterator[PtyProgram]:
    with program_in_pty(hostile_console, columns=120, rows=40) as program:
        program.wait_for_text("Type a prompt")
        yield program


def test_no_payload_reaches_the_terminal() -> None:
    with hostile_program() as program:
        before = len(program.received)
        known = {match[0] for match in _SEQUENCE.finditer(bytes(program.received))}
        # Terminals take ESC and its kind out of a paste; what they let through is tried here.
        pasted = "".join(payload for payload in PAYLOADS if min(payload.replace("\r", "r")) >= " ")
        program.press(b"\x1b[200~" + pasted.encode() + b"\x1b[201~")
        program.wait_for_text("curl evil")
        program.press(b"\x14")
        program.wait_for_text("to: all")
        program.press(b"\r")
        program.wait_for_text("2 failed")
        _visit_every_screen(program)
        written = bytes(program.received[before:])
    strange = {
        match[0]
        for match in _SEQUENCE.finditer(written)
        if not _COLOUR.fullmatch(match[0])
        and not _CURSOR.fullmatch(match[0])
        and match[0] not in known
    }
    assert strange == set()
    assert set(_CONTROL.findall(_SEQUENCE.sub(b"", written))) == set()
    # What is left of each is there to be seen.
    assert "␛]52;c;".encode() in written


def _visit_every_screen(program: PtyProgram) -> None:
    program.press(b"\x1bOR\x1bOR")
    program.press(b"\x10")
    program.wait_for_text("palette")
    program.press(b"go to pane")
    program.wait_for_text("Go to pane 2")
    _close(program, "palette ─")
    program.press(b"\x0e")
    program.wait_for_text("new pane")
    _close(program, "new pane ─")
    program.press(b"\x1b[15~")
    program.wait_for_text("errors ─")
    program.press(b"\r")
    program.wait_for_text('"error": {')
    _close(program, '"error": {')
    program.press(b"\x1b[17~")
    program.wait_for_text("last test")
    program.press(b"T")
    program.wait_for_text("5 failed")
    program.press(b"m")
    program.wait_for_text("choose a model")
    _close(program, "choose a model")
    _close(program, "last test")
    program.press(b"\x1b[18~")
    program.wait_for_text("base URL")
    _close(program, "base URL")
    program.press(b"\x1bz")
    program.wait_for_text("zoom")
    program.press(b"\x1b[5~\x1b[5~")
    program.wait_until_quiet(0.3)


def _ask(program: PtyProgram) -> None:
    program.press(b"attack!")
    program.wait_for_text("attack!")
    # An enter too soon after typed text is a line break.
    program.wait_until_quiet(0.1)
    program.press(b"\r")
    program.wait_for_text("1 failed")


def _close(program: PtyProgram, words: str) -> None:
    """Close a dialog. Half a frame may lack its words too, so a whole one is waited for."""
    program.wait_until_quiet(0.3)
    program.press(b"\x1b")
    program.wait_for(lambda text: words not in text, f"no {words}")
    program.wait_until_quiet(0.3)


def test_copying_is_the_only_way_to_the_clipboard(tmp_path: Path) -> None:
    with hostile_program() as program:
        _ask(program)
        assert b"\x1b]52;" not in program.received
        program.press(b"\x1by")
        program.wait_for(lambda _text: b"\x1b]52;c;" in program.received, "OSC 52, asked for")
        program.wait_for_text("clipboard.txt")
        assert (tmp_path / "streamtui" / "clipboard.txt").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", MARKUP.values(), ids=MARKUP)
async def test_markup_is_shown_as_it_is(text: str) -> None:
    given = configuration(endpoint("demo", text))
    async with console(2, opening=[endpoint("demo", text)] * 2, config=given) as c:
        await c.press("f3")
        await c.ask(text)
        c.doors.end(c.sessions[0], RunFailed(ErrorInfo("server", text, text), Metrics()))
        await c.until(lambda: c.toasts_on_screen() == 1, "a toast")
        start = safe_line(text)[:14].rstrip()
        assert c.screen_text().count(start) >= 4
        await c.press("ctrl+p", *"go to pane 1")
        await c.until_shown("Go to pane 1")
        assert start in c.screen_text()
        await c.press("escape", "ctrl+n")
        await c.until_shown("as this pane")
        await c.press("escape", "f5")
        await c.until_shown("errors")
        await c.press("enter")
        await c.until_shown('"RunFailed"')


def test_a_paste_without_brackets_is_one_prompt() -> None:
    with hostile_program() as program:
        program.press(b"first line\rsecond line\rthird line\r")
        program.wait_for_text("4 lines")
        program.wait_for_text("first line")
        assert "failed" not in program.text()


def test_nothing_is_written_while_nothing_happens() -> None:
    with hostile_program() as program:
        _ask(program)
        program.wait_for_text("Run failed")
        program.press(b"\x1b")
        program.wait_for(lambda text: "Run failed" not in text, "no toast")
        count = program.wait_until_quiet(0.5)
        # The time of day may move once.
        assert program.wait_until_quiet(2.0) - count <= 1_000


def test_the_screen_is_drawn_again_after_a_suspension() -> None:
    with hostile_program() as program:
        before = len(program.received)
        # No shell could have it go on, so it is not stopped; the terminal is given back all the same.
        program.press(b"\t\x1a")
        program.wait_for(lambda _text: b"all sessions" in program.received[before:], "drawn again")


def test_the_prompt_can_be_written_in_an_editor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "editor"
    script.write_text("#!/bin/sh\nprintf 'and more\\n' >> \"$1\"\n")
    script.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(script))
    with hostile_program() as program:
        program.press(b"typed ")
        program.wait_for_text("typed")
        program.press(b"\x07")
        program.wait_for_text("typed and more")


@pytest.mark.parametrize("editor", ["false", "/nowhere/vi", "vi '"])
def test_an_editor_that_fails_changes_nothing(editor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", editor)
    with hostile_program() as program:
        program.press(b"typed")
        program.wait_for_text("typed")
        program.press(b"\x07")
        program.wait_for_text("The editor")
        assert "typed" in program.text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_console_and_restores_the_terminal(number: signal.Signals) -> None:
    with hostile_program() as program:
        os.kill(program.pid, number)
        assert program.wait_for_exit() == 0
        program.wait_for(lambda _text: b"\x1b[?1049l" in program.received, "the screen of before")
        program.wait_for(lambda _text: b"\x1b[?25h" in program.received, "the cursor")
