from typing import Any
from urllib.parse import parse_qs

import pytest

from streamtui.config import Endpoint
from streamtui.engine.dialects import DIALECTS
from streamtui.engine.framing import Position
from streamtui.errors import ProviderError, RunError
from streamtui.events import Delta, Message, ServerEvent, TextDelta, UnknownFrame
from tests.engine.dialects.speaking import ask, whole_answer
from tests.engine.test_reader import read_deltas

SILENT = (Message("user", ""),)


def read(body: bytes) -> tuple[list[Delta], RunError | None]:
    return read_deltas(DIALECTS["sse"], [body])


def listen(**settings: Any) -> dict[str, Any]:
    params = {"http_method": "GET", **settings.pop("params", {})}
    return ask("sse", settings.pop("messages", SILENT), params=params, **settings)


def query(request: dict[str, Any]) -> dict[str, list[str]]:
    return parse_qs(request["path"].removeprefix("?"))


# Streams


def test_events_are_told_and_are_lines_after_their_type() -> None:
    deltas, error = read(
        b'id: 7\ndata: a\ndata: b\n\nevent: tick\ndata: {"n": 1}\n\nevent: bye\n\n'
    )
    assert error is None
    assert deltas == [
        ServerEvent("message", "a\nb", "7"),
        TextDelta("a\nb\n"),
        ServerEvent("tick", '{"n": 1}', "7"),
        TextDelta('tick: {"n": 1}\n'),
        UnknownFrame("bye", ""),
    ]


def test_errors_are_events_like_others() -> None:
    deltas, error = read(b'event: error\ndata: {"error": "boom"}\n\ndata: [DONE]\n\n{"error":1}\n')
    assert error is None
    assert [delta for delta in deltas if isinstance(delta, TextDelta)] == [
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


# Asking


@pytest.mark.parametrize(("url", "path"), [("https://h/events", ""), ("https://h/events/", "/")])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_url_is_asked_as_it_is(url: str, path: str, method: str) -> None:
    request = ask("sse", SILENT, base_url=url, params={"http_method": method})
    assert (request["path"], request["method"]) == (path, method)


def test_params_stand_beside_the_prompt() -> None:
    params = {"topic": "cats", "http_method": "POST"}
    request = ask("sse", params=params)
    assert request["body"] == {"input": "again", "topic": "cats"}
    assert request["method"] == ask("sse")["method"] == "POST"


@pytest.mark.parametrize(("name", "body"), [("q", {"q": "again"}), ("", {})])
def test_prompt_has_another_name_in_the_body_or_none(name: str, body: dict[str, str]) -> None:
    assert ask("sse", params={"prompt_param": name})["body"] == body


def test_only_get_and_post_are_known() -> None:
    with pytest.raises(RunError, match="http_method"):
        ask("sse", params={"http_method": "PUT"})


# Listening


def test_listening_sends_no_body_and_asks_for_nothing_that_was_stored() -> None:
    request = listen()
    assert request["method"] == "GET"
    assert request["body"] is None
    headers = request["headers"]
    assert headers["accept"] == "text/event-stream"
    assert headers["cache-control"] == "no-store"
    assert headers["authorization"] == "Bearer KEY"
    assert "content-type" not in headers
    assert "last-event-id" not in headers


def test_params_are_the_query() -> None:
    params = {"topic": "cats & dogs", "n": 5, "deep": True, "tag": ["a", "b"], "at": {"x": 1}}
    assert query(listen(params=params)) == {
        "topic": ["cats & dogs"],
        "n": ["5"],
        "deep": ["true"],
        "tag": ["a", "b"],
        "at": ['{"x":1}'],
    }


def test_params_follow_a_query_that_the_url_has() -> None:
    assert listen(base_url="https://h/e?a=1", params={"b": 2})["path"] == "&b=2"
    assert listen(base_url="https://h/e/", params={"b": 2})["path"] == "/?b=2"


def test_prompt_is_in_the_query_only_under_a_name_and_if_there_is_one() -> None:
    prompt = (Message("user", "cats?"),)
    assert query(listen(messages=prompt)) == {}
    assert query(listen(messages=prompt, params={"prompt_param": "q"})) == {"q": ["cats?"]}
    assert query(listen(params={"prompt_param": "q"})) == {}


# Going on

LISTENING = Endpoint("e", "sse", "https://h/events", params={"http_method": "GET", "topic": "cats"})


@pytest.mark.parametrize(("retry_ms", "delay"), [(None, 3.0), (20, 0.02), (0, 0.0)])
def test_stream_goes_on_after_its_last_event_when_the_server_wants(
    retry_ms: int | None, delay: float
) -> None:
    first = DIALECTS["sse"].build_request(LISTENING, SILENT)
    position = Position("é 7", retry_ms)
    following = DIALECTS["sse"].resumption(LISTENING, first, {}, position)
    assert following is not None
    assert (following.delay, following.most_tries) == (delay, None)
    assert following.request.path == first.path == "?topic=cats"
    assert following.request.headers == first.headers | {"Last-Event-ID": "é 7"}
    assert following.request.subscribes


def test_stream_that_forgot_its_last_event_says_so_by_its_absence() -> None:
    first = DIALECTS["sse"].build_request(LISTENING, SILENT)
    following = DIALECTS["sse"].resumption(LISTENING, first, {}, Position("7"))
    assert following is not None
    again = DIALECTS["sse"].resumption(LISTENING, following.request, {}, Position(""))
    assert again is not None
    assert again.request == first


def test_answer_to_a_post_is_never_gone_on_with() -> None:
    endpoint = Endpoint("e", "sse", "https://h/events")
    asked = DIALECTS["sse"].build_request(endpoint, SILENT)
    assert DIALECTS["sse"].resumption(endpoint, asked, {}, Position("7")) is None
