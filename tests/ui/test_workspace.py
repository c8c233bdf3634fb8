"""What is kept of a desk: as bytes and back, and what of the prompts fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtui.ui.document import Bookmark
from streamtui.ui.turn_view import Spot
from streamtui.ui.workspace import (
    MOST_PROMPT_CHARS,
    KeptPane,
    Workspace,
    from_bytes,
    newest_prompts,
    to_bytes,
)

PANE = KeptPane(
    "s1",
    "openai",
    "gpt-4o-mini",
    marked=True,
    draft="half a thought",
    scroll=Bookmark(2, Spot("answer", 14, 80), 1),
    last_run="r7",
)
WORKSPACE = Workspace(
    panes=(PANE, KeptPane("s2", "demo", "")),
    current="s2",
    layout="rows",
    zoomed=True,
    target="all",
    draft="气泡 🫧",
    prompts=("first", "second"),
    show_events=True,
)


def test_a_workspace_comes_back_as_it_was() -> None:
    assert from_bytes(to_bytes(WORKSPACE)) == WORKSPACE


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    workspace = Workspace(draft=text, prompts=(text, "x"))
    assert from_bytes(to_bytes(workspace)) == workspace


def test_half_a_character_costs_nothing_but_itself() -> None:
    kept = from_bytes(to_bytes(Workspace(panes=(PANE,), draft="a\ud83dz", prompts=("\udc00",))))
    assert kept == Workspace(panes=(PANE,), draft="a\ufffdz", prompts=("\ufffd",))


def test_fields_of_another_version_are_passed_over() -> None:
    kept = from_bytes(b'{"panes": [{"session_id": "a", "endpoint": "e", "model": "", "x": 1}]}')
    assert kept == Workspace(panes=(KeptPane("a", "e", ""),))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage",
        b"\xff\x00\x01",
        b"[]",
        b"null",
        b'{"panes": 3}',
        b'{"panes": [{"session_id": "a"}]}',
        b'{"draft": "\xff"}',
        b'{"panes": [{"session_id":"a","endpoint":"e","model":"","scroll":[1,["?",1,2],3]}]}',
        b'{"x":' * 100_000,
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_read_is_no_workspace(data: bytes) -> None:
    assert from_bytes(data) is None


@given(st.binary())
def test_no_bytes_do_any_harm(data: bytes) -> None:
    assert from_bytes(data) is None or isinstance(from_bytes(data), Workspace)


def test_the_newest_prompts_are_kept() -> None:
    long = "x" * (MOST_PROMPT_CHARS // 2)
    assert newest_prompts(("old", long, "y", long)) == ("y", long)
    assert newest_prompts(("a", "b")) == ("a", "b")
    assert newest_prompts(()) == ()


def test_the_last_prompt_is_kept_however_long_it_is() -> None:
    longest = "x" * (MOST_PROMPT_CHARS + 1)
    assert newest_prompts(("old", longest)) == (longest,)
