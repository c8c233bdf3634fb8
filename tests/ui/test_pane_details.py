"""What the details of a pane say, made from the events of its session."""

from streamtui.config import Endpoint, Price, Timeouts
from streamtui.events import (
    AttemptFailed,
    AttemptStarted,
    ErrorInfo,
    Metrics,
    ResponseInfo,
    ResponseStarted,
    RetryScheduled,
    RunFailed,
    Usage,
)
from streamtui.redact import Secret
from streamtui.ui.pane_details import Kept, sections_of
from streamtui.ui.screens.pane_details import text_of
from tests.ui.script import LOST, OVERLOADED, Script

MIRROR = Endpoint("mirror", "openai-chat", "https://mirror.example/v1")
OPENAI = Endpoint(
    "openai",
    "openai-chat",
    "https://api.openai.com/v1",
    "gpt-4o-mini",
    Secret("sk-0123456789abcdef"),
    "environment variable OPENAI_API_KEY",
    timeouts=Timeouts(total=600),
    retries=1,
    max_concurrent=8,
    fallbacks=(MIRROR,),
    price=Price(0.15, 0.6),
)


def details(script: Script, endpoint: Endpoint = OPENAI, now: float | None = None) -> str:
    return text_of(sections_of(script.pane, endpoint, script.now if now is None else now))


def opened() -> Script:
    script = Script().open()
    script.pane.price = OPENAI.price
    return script


def test_a_pane_that_was_asked_nothing_has_its_endpoint_and_its_session() -> None:
    assert details(opened()) == (
        "endpoint\n"
        "name         openai\n"
        "dialect      openai-chat\n"
        "model        gpt-4o-mini\n"
        "base URL     https://api.openai.com/v1\n"
        "route        not taken yet\n"
        "key          environment variable OPENAI_API_KEY, there\n"
        "TLS          checked\n"
        "timeouts     connect 20 s · first token 300 s · silence 120 s · 600 s in all\n"
        "retries      1, before the first token only\n"
        "fallbacks    mirror\n"
        "at a time    8, of all panes together\n"
        "price        $0.15 in, $0.60 out, per million tokens\n"
        "\n"
        "session\n"
        "session id   s1\n"
        "turns        0\n"
        "cost         $0.0000\n"
    )


def test_the_last_run_has_its_attempts_identifiers_and_limits() -> None:
    script = opened().start()
    script.say(AttemptStarted(1, 2, "direct", "openai", "gpt-4o-mini"))
    script.say(ResponseStarted(529, "req_1"))
    script.say(AttemptFailed(1, OVERLOADED))
    script.say(RetryScheduled(2, 2, 0.0, OVERLOADED, "mirror"))
    script.say(AttemptStarted(2, 2, "via proxy office (p.example:3128)", "mirror", "m"))
    script.say(ResponseStarted(200, "req_2", {"x-ratelimit-remaining": "9", "x-other": "1"}))
    script.at(100.4).receive(ResponseInfo("chatcmpl-1", "gpt-4o-mini-2024", "fp_1"), "Hello")
    script.at(102.4).finish(Usage(12, 241, 3, 0))
    text = details(script)
    assert "route        via proxy office (p.example:3128)\n" in text
    assert (
        "attempts     1 of 2, openai gpt-4o-mini, direct: ✗ the server is overloaded\n"
        "             2 of 2, mirror m, via proxy office (p.example:3128): HTTP 200\n"
        "request id   req_2\n"
        "headers      x-ratelimit-remaining: 9\n"
        "             x-other: 1\n"
    ) in text
    assert (
        "response id  chatcmpl-1\n"
        "from model   gpt-4o-mini-2024\n"
        "fingerprint  fp_1\n"
        "finished     stop\n"
        "TTFT         0.40 s\n"
    ) in text
    assert "tokens       12 in, 241 out, 3 cached, 0 for reasoning\n" in text
    assert "run id       r1\n" in text
    assert "state        done 2.4s\n" in text


def test_a_run_that_failed_says_why_at_its_attempt_and_in_whole() -> None:
    script = opened().start().connect()
    script.say(RunFailed(LOST, Metrics()))
    text = details(script)
    assert "1 of 3, direct: ✗ connection lost\n" in text
    assert "error        connection lost. Press r to ask again.\n" in text


def test_figures_of_a_run_that_goes_on_are_estimates() -> None:
    script = opened().start().connect().at(101.0).receive("Hel").receive("lo")
    text = details(script, now=102.0)
    assert "state        streaming 2.0s\n" in text
    assert "tokens       2 out, estimated from chunks\n" in text
    assert "cost         about" in text


def test_nothing_secret_and_nothing_of_a_server_is_drawn_as_it_is() -> None:
    evil = "\x1b]52;c;aGk=\x07[red]x\n"
    script = opened().start(run_id=evil)
    script.say(AttemptStarted(1, 2, evil, evil, evil))
    script.say(ResponseStarted(200, evil, {evil: evil}))
    script.say(AttemptFailed(1, ErrorInfo("server", evil, evil)))
    script.receive(ResponseInfo(evil, evil, evil), "x")
    shown = details(script)
    assert all(character.isprintable() for character in shown.replace("\n", ""))
    assert "0123456789abcdef" not in shown
    assert "[red]x" in shown


def test_what_is_in_memory_is_told_of_the_pane_and_of_all() -> None:
    kept = [Kept(120, 4_000, 0), Kept(9_000, 1_200_000, 50_000)]
    text = text_of(sections_of(opened().pane, OPENAI, 100.0, kept))
    assert text.endswith(
        "in memory    120 rows, 4,000 characters\n"
        "of all panes 9,000 rows, 1,200,000 characters; 50,000 in the history only\n"
    )
