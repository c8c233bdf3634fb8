"""Text that looks like markup, and text that is none: shown as it is, in every place, kept whole."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets._toast import Toast as ToastWidget

from streamtui.events import ErrorInfo, Event, Metrics, RetryScheduled, RunFailed
from streamtui.safe_text import safe_line
from streamtui.ui.screens.event_detail import event_json, json_paragraphs
from tests.faults.outcome import END, LAST_CHUNK, play
from tests.raw_http import chunk
from tests.ui.harness import Console, console, endpoint

CASES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "cases" / "security_cases.json").read_text()
)
MARKUP: list[str] = [case["text"] for case in CASES["markup"]]

# What a place has room for; the rest of a longer text is left out.
TOAST_CHARS = 80
TAB_CHARS = 10
ROW_CHARS = 40


def squeezed(text: str) -> str:
    """Without blanks: places wrap and pad as they need."""
    return "".join(text.split())


def missing_from(shown: str, chars: int, before: str = "") -> list[str]:
    """The texts that do not stand there as they are."""
    wanted = [squeezed(before + safe_line(text)[:chars]) for text in MARKUP]
    return [text for text in wanted if text not in squeezed(shown)]


def drawn_in(c: Console, widget: Widget) -> str:
    """What is drawn where a widget is, row by row."""
    x, y, width, height = widget.region
    rows = c.screen_text().split("\n")[y : y + height]
    return "".join(row[x : x + width].strip("│┃█▌▐▎ ") for row in rows)


@pytest.fixture
async def marked() -> AsyncIterator[Console]:
    """A console with a pane for each text, which is the model's name there."""
    endpoints = [endpoint("demo", text) for text in MARKUP]
    async with console(opening=endpoints, size=(400, 120)) as c:
        yield c


def fail_with(c: Console, number: int) -> str:
    """Let a session's run fail with its own text; returns the text."""
    text = MARKUP[number]
    c.doors.end(c.sessions[number], RunFailed(ErrorInfo("server", text, text), Metrics()))
    return text


def in_toasts(c: Console) -> str:
    return "\n".join(drawn_in(c, toast) for toast in c.app.screen.query(ToastWidget))


async def test_text_that_looks_like_markup_is_verbatim_in_notices(marked: Console) -> None:
    c = marked
    await c.press("ctrl+t")
    await c.ask("hi")
    for number in range(len(MARKUP)):
        text = fail_with(c, number)
        await toast_shows(c, squeezed(f"Run failed demo: {safe_line(text)[:TOAST_CHARS]}"))
        c.app.clear_notifications()
        await c.until(lambda: not c.toasts_on_screen(), "no toast")


async def toast_shows(c: Console, words: str) -> None:
    await c.until(lambda: words in squeezed(in_toasts(c)), words)


async def test_text_that_looks_like_markup_is_verbatim_in_titles_and_tabs(marked: Console) -> None:
    c = marked
    assert missing_from(c.screen_text(), ROW_CHARS, "○ demo ") == []
    await c.press("alt+z")
    await c.until(lambda: c.app.main.grid.tabs.display, "tabs")
    assert missing_from(drawn_in(c, c.app.main.grid.tabs), TAB_CHARS, "○ demo ") == []


async def test_text_that_looks_like_markup_is_verbatim_in_lists_and_logs(marked: Console) -> None:
    c = marked
    await c.press("f3", "ctrl+t")
    await c.until_shown("session opened on demo")
    logged = drawn_in(c, c.app.main.log_box)
    c.app.main.log_box.log_view.focus()
    await c.press("pageup")
    logged += drawn_in(c, c.app.main.log_box)
    assert missing_from(logged, ROW_CHARS, "opened on demo ") == []
    await c.press("f2", *"go to")
    await c.until_shown("Go to pane 16")
    assert missing_from(_list(c), ROW_CHARS, ": demo ") == []
    await c.press("escape", "ctrl+n")
    await c.until_shown("as this pane")
    assert missing_from(_list(c), ROW_CHARS, "demo ") == []
    await c.press("escape")
    for session, text in zip(c.sessions, MARKUP, strict=True):
        c.doors.emit(session, RetryScheduled(2, 3, 1.0, ErrorInfo("server", f"<{text}")))
    await c.settle()
    await c.press("f5")
    await c.until_shown("errors ─")
    assert missing_from(_list(c), ROW_CHARS, "<") == []


def _list(c: Console) -> str:
    return drawn_in(c, c.app.screen.query_one(OptionList))


@pytest.mark.parametrize("text", MARKUP, ids=[case["id"] for case in CASES["markup"]])
def test_text_that_looks_like_markup_is_verbatim_in_an_event_s_detail(text: str) -> None:
    event = Event(1, 0.0, 0.0, "s", "r", RunFailed(ErrorInfo("server", text, text), Metrics()))
    drawn = "".join(
        span.text
        for paragraph in json_paragraphs(event_json(event))
        for span in (*paragraph.first, *paragraph.spans)
    )
    quoted = json.dumps(text, ensure_ascii=False)
    assert f'"message": {quoted}' in drawn


def token(content: bytes) -> list[Any]:
    body = b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % content
    return ["sendbytes", chunk(body)]


BROKEN = [
    pytest.param(b"a\xffb", "a\ufffdb", "a\ufffdb", id="invalid-utf-8"),
    pytest.param(b"a\xe6\xb0", "a\ufffd", "a\ufffd", id="half-a-character"),
    pytest.param(b"a\\ud800b", "a\ufffdb", "a\ufffdb", id="lone-surrogate"),
    pytest.param(b"a\\u0000b", "a\0b", "a␀b", id="nul"),
    pytest.param(b"a\\u001b[2Jb", "a\x1b[2Jb", "a␛[2Jb", id="escape"),
]


@pytest.mark.parametrize(("content", "kept", "drawn"), BROKEN)
async def test_a_token_that_is_no_good_text_is_shown_and_those_after_it_too(
    content: bytes, kept: str, drawn: str
) -> None:
    steps = [["head"], token(content), token(b" next"), END, LAST_CHUNK]
    outcome = await play(steps)
    assert outcome.pane.phase == "done"
    assert outcome.turn.text == f"{kept} next"
    assert f"{drawn} next" in outcome.rows()
    assert not outcome.toasts
    for event in outcome.events:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=Event) == event
