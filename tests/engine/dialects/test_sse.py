import pytest

from streamtui.engine.dialects import DIALECTS
from streamtui.errors import ProviderError, RunError
from streamtui.events import Delta, TextDelta, UnknownFrame
from tests.engine.dialects.speaking import ask, whole_answer
from tests.engine.test_reader import read_deltas


def read(body: bytes) -> tuple[list[Delta], RunError | None]:
    return read_deltas(DIALECTS["sse"], [body])


def test_events_are_lines_after_their_type() -> None:
    deltas, error = read(b'data: a\ndata: b\n\nevent: tick\ndata: {"n": 1}\n\nevent: bye\n\n')
    assert error is None
    assert deltas == [
        TextDelta("a\nb\n"),
        TextDelta('tick: {"n": 1}\n'),
        UnknownFrame("bye", ""),
    ]


def test_errors_are_events_like_others() -> None:
    deltas, error = read(b'event: error\ndata: {"error": "boom"}\n\ndata: [DONE]\n\n{"error":1}\n')
    assert error is None
    assert deltas == [
        TextDelta('error: {"error": "boom"}\n'),
        TextDelta("[DONE]\n"),
        TextDelta('{"error":1}\n'),
    ]


@pytest.mark.parametrize(
    ("body", "kind"), [(b"", "empty-body"), (b": ping\n\n", "empty-body"), (b"no!", "not-a-stream")]
)
def test_body_without_an_event_is_no_answer(body: bytes, kind: str) -> None:
    _, error = read(body)
    assert error is not None
    assert error.kind == kind


def test_document_is_text_unless_it_is_an_error() -> None:
    assert whole_answer("sse", {"a": [1]}) == [TextDelta('{"a":[1]}\n')]
    with pytest.raises(ProviderError, match="boom"):
        whole_answer("sse", {"error": "boom"})


@pytest.mark.parametrize(("url", "path"), [("https://h/events", ""), ("https://h/events/", "/")])
def test_url_is_asked_as_it_is(url: str, path: str) -> None:
    assert ask("sse", base_url=url)["path"] == path


def test_params_stand_beside_the_prompt() -> None:
    params = {"topic": "cats", "http_method": "POST"}
    assert ask("sse", params=params)["body"] == {"input": "again", "topic": "cats"}


def test_other_methods_are_refused_as_long_as_they_are_not_spoken() -> None:
    with pytest.raises(RunError, match="POST"):
        ask("sse", params={"http_method": "GET"})
