"""What is written to standard output, and in what form."""

import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtui.cli.output import Output, Trouble, json_line
from streamtui.safe_text import safe_text
from tests.cli.conftest import Pipe

ANY_TEXT = st.text(st.characters(exclude_categories=()))


def written(*texts: str, is_terminal: bool) -> str:
    """What these texts become, up to the end of the line."""
    output = Output(-1, is_terminal=is_terminal)
    for text in texts:
        output.put(text)
    output.end_line()
    return bytes(output._pending).decode()


def test_all_that_came_leaves_at_once(pipe: Pipe) -> None:
    output = pipe.output()
    for text in ("a", "b", "水"):
        output.put(text)
    output.write()
    assert (pipe.read(), output.pending) == ("ab水".encode(), False)


def test_a_reader_who_does_not_read_is_not_waited_for(pipe: Pipe) -> None:
    output = pipe.output()
    filled = pipe.fill()
    output.put("later")
    output.write()
    assert output.pending
    assert pipe.read(filled) == b"x" * filled
    output.write()
    assert pipe.read() == b"later"


def test_a_reader_who_left_is_noticed(pipe: Pipe) -> None:
    output = pipe.output()
    pipe.leave()
    output.put("a")
    output.write()
    assert (output.reader_gone, output.pending) == (True, False)


def test_any_other_failure_is_told() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    output = Output(full, is_terminal=False)
    output.put("a")
    with pytest.raises(Trouble, match="No space left"):
        output.write()
    os.close(full)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], ""),
        (["a"], "a\n"),
        (["a\n"], "a\n"),
        (["a", ""], "a\n"),
        (["a\r", "\n"], "a\r\n"),
    ],
)
def test_a_line_is_ended_once(texts: list[str], expected: str) -> None:
    assert written(*texts, is_terminal=False) == expected


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["a\r", "\nb"], "a\nb\n"),
        (["a\r\n"], "a\n"),
        (["a\r"], "a␍\n"),
        (["a\r", "b"], "a␍b\n"),
        (["\x1b", "[2J"], "␛[2J\n"),
        (["a\r", "", "\n"], "a\n"),
    ],
)
def test_a_terminal_gets_safe_text(texts: list[str], expected: str) -> None:
    assert written(*texts, is_terminal=True) == expected


@given(st.lists(ANY_TEXT))
def test_a_terminal_gets_the_same_however_text_is_cut(texts: list[str]) -> None:
    whole = safe_text("".join(texts))
    seen = written(*texts, is_terminal=True)
    assert seen in {whole, whole + "\n"}


@given(st.lists(ANY_TEXT))
def test_anything_can_be_written_to_a_pipe(texts: list[str]) -> None:
    assert isinstance(written(*texts, is_terminal=False), str)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, st.booleans())
def test_json_means_the_same_in_both_forms(value: Any, is_terminal: bool) -> None:
    line = json_line(value, is_terminal=is_terminal)
    assert json.loads(line) == value
    assert line.count("\n") == 1


@given(ANY_TEXT)
def test_json_for_a_terminal_is_printable_and_means_the_same(text: str) -> None:
    line = json_line(text, is_terminal=True)
    assert line[:-1].isprintable()
    assert safe_text(line) == line
    assert json.loads(line) == json.loads(json.dumps(text))
