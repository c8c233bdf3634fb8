"""One picture of each screen, small and large. `pytest --snapshot-update` accepts new ones."""

import itertools
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from math import sin

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from streamtui.config import Endpoint, Price, Proxy, Tls
from streamtui.config import managed as managed_module
from streamtui.config.managed import WrittenEndpoints
from streamtui.engine import doors as doors_module
from streamtui.engine.doors import FindRuns, ListModels, Probe
from streamtui.engine.reports import ModelList, NotFound, ProbeReport, Stage
from streamtui.events import (
    AttemptFailed,
    AttemptStarted,
    ErrorInfo,
    Metrics,
    ReasoningDelta,
    ResponseInfo,
    ResponseStarted,
    RetryScheduled,
    RunCompleted,
    RunCutOff,
    RunFailed,
    StreamStalled,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from streamtui.events import Chunk as ChunkBody
from streamtui.redact import Secret
from streamtui.ui import pane_actions as pane_actions_module
from streamtui.ui.app import StreamTUIApp
from streamtui.ui.clock import Clock
from tests.ui.harness import Console, configuration, endpoint
from tests.ui.past_runs import past_run, remember
from tests.ui.scripted_doors import MONO, WALL, ScriptedDoors

SIZES = [(80, 24), (200, 50)]
NAMES = ("openai", "claude", "local", "mirror", "office", "edge")
PROMPT = "Write me a 1 verse song about sparkling water."
VERSE = """**Verse**

Sparkling water, clear and bright,
you dance upon my tongue tonight,
a thousand tiny bubbles rise
like questions under summer skies.
"""
MARKDOWN = """## Two ways to count

| way | cost |
|-----|-----:|
| by hand | 3 |
| 用机器 | 1 |

```python
def count(glass: str) -> int:
    return len(glass)  # bubbles
```

1. fill the glass
2. wait, then *listen*
"""
OFFICE = Proxy("office", "http://proxy.example.com:3128")
CONFIGURED = {
    each.name: each
    for each in (
        Endpoint(
            "openai",
            "openai-chat",
            "https://api.openai.com/v1",
            "gpt-4o-mini",
            Secret("sk-of-nobody"),
            "environment variable OPENAI_API_KEY",
            OFFICE,
            fallbacks=(endpoint("mirror"),),
            price=Price(0.15, 0.6),
        ),
        Endpoint(
            "claude",
            "anthropic",
            "https://api.anthropic.com",
            "claude-sonnet-4-5",
            Secret("sk-of-nobody"),
            "command pass …",
        ),
        Endpoint(
            "lab",
            "openai-completions",
            "https://lab.example.com/v1",
            "qwen2.5-72b-instruct",
            key_source="environment variable LAB_KEY",
            tls=Tls(verify=False),
        ),
        Endpoint("mirror", "openai-chat", "https://api-proxy.example.com/v1", "gpt-4o-mini"),
        endpoint(),
    )
}
WRITTEN = WrittenEndpoints(
    own={
        "openai": {
            "base_url": "https://api.openai.com/v1",
            "model": "gpt-4o-mini",
            "api_key_env": "OPENAI_API_KEY",
            "proxy": "office",
        },
        "lab": {},
    },
    managed={"claude": {}, "mirror": {}},
)
WAY = (
    Stage("dns", 0.012, "proxy.example.com is 203.0.113.7"),
    Stage("tcp", 0.0083, "203.0.113.7:3128"),
    Stage("proxy", 0.031, "tunnel to api.openai.com:443"),
    Stage("tls", 0.041, "TLSv1.3"),
    Stage("first byte", 0.212, "HTTP 200, request req_7c1f0c"),
    Stage("first token", 0.098, "“OK”"),
)
ANSWERED = ProbeReport("openai", "gpt-4o-mini", "openai-chat", "", WAY, reply="OK", seconds=0.402)
REFUSED = ProbeReport(
    "claude",
    "claude-sonnet-4-5",
    "anthropic",
    "direct",
    (
        Stage("dns", 0.021, "api.anthropic.com is 203.0.113.9"),
        Stage("tcp", 0.0094, "203.0.113.9:443"),
        Stage("proxy", None, "not needed"),
        Stage("tls", 0.038, "TLSv1.3"),
        Stage("first byte", 0.184, "HTTP 401"),
        Stage("first token", None),
    ),
    ErrorInfo("auth", "HTTP 401, the key was rejected", "Check the key, and what pass shows"),
    seconds=0.2524,
    failed="first token",
)
DAY = 86_400.0
FRENCH = "Écris un couplet sur l'eau gazeuse, sans rime, en deux vers, et rien de plus."
LOST = ErrorInfo("connection-lost", "the connection was lost", "Ask again for the rest")
FAILED = RunFailed(ErrorInfo("server", "HTTP 500, a fault of the server", "Ask again"), Metrics())
CUT = RunCutOff(LOST, Metrics(0.3, 2.0, text_chars=45))
Script = Callable[[Console], Awaitable[None]]
Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times of day and identifiers that do not differ from run to run."""
    numbers = itertools.count(1)
    for module in (doors_module, pane_actions_module):
        monkeypatch.setattr(
            module, "new_id", lambda: f"00000000-0000-7000-8000-{next(numbers):012}"
        )
    monkeypatch.setattr(managed_module, "written_endpoints", lambda _config: WRITTEN)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Picture(StreamTUIApp):
    """The console with its scripted doors within reach."""

    def __init__(
        self,
        panes: int,
        *,
        theme: str = "night",
        opening: Sequence[Endpoint] = (),
        show_events: bool = True,
    ) -> None:
        self.script = ScriptedDoors()
        models = ["gpt-4o-mini", "sonnet", "deep-thinker", "tools", "flaky", "drop"]
        endpoints = [endpoint(name, model) for name, model in zip(NAMES, models, strict=True)]
        super().__init__(
            self.script,
            configuration(*(opening or endpoints)),
            opening=opening or endpoints[:panes],
            prompt=PROMPT if panes > 1 and not opening else "",
            show_events=show_events and panes > 1,
            clock=Clock(lambda: self.script.now, lambda: WALL + self.script.now - MONO),
            host="build-07",
        )
        self.theme = theme


async def all_states(c: Console) -> None:
    """Six panes, each in another state, 3.2 seconds after the prompt."""
    doors, sessions = c.doors, c.sessions
    doors.now += 0.31
    for session in sessions[:4]:
        doors.answer(session, "")
    for step in range(10):
        doors.now += 0.2
        doors.answer(sessions[0], VERSE[step * 12 : step * 12 + 12])
    doors.answer(sessions[1], MARKDOWN)
    usage = Usage(input=12, output=241)
    doors.end(sessions[1], RunCompleted("stop", Metrics(0.31, 2.3, text_chars=200, usage=usage)))
    doors.emit(sessions[2], ChunkBody((ReasoningDelta("First, restate it: a verse is wanted."),)))
    call = ToolCallDelta(0, '{"city": "Lisbon"}', id="call_1", name="get_weather")
    doors.emit(sessions[3], ChunkBody((call,)))
    doors.now += 0.8
    doors.emit(sessions[3], StreamStalled(5.0, 120.0))
    too_many = ErrorInfo("rate-limit", "HTTP 429, too many requests", "Wait", retryable=True)
    doors.emit(sessions[4], RetryScheduled(2, 3, 4.0, too_many))
    doors.answer(sessions[5], "Oh little bubbles rising")
    lost = ErrorInfo("connection-lost", "the connection was lost", "Ask again for the rest")
    doors.end(sessions[5], RunCutOff(lost, Metrics(0.31, 3.1, text_chars=24)))
    await c.settle()
    doors.now += 0.1
    c.app._notifications.clear()
    c.app._refresh_notifications()
    c.app.main.desk_changed()
    await c.until(lambda: c.toasts_on_screen() == 0, "no toast")


async def nothing(_c: Console) -> None:
    """As it starts."""


def pressing(*keys: str, then: str = "") -> Script:
    async def script(c: Console) -> None:
        await all_states(c)
        await c.press(*keys)
        if then:
            await c.until_shown(then)

    return script


async def marked_with_a_long_prompt(c: Console) -> None:
    await all_states(c)
    await c.press("tab", "space", "3", "space", "i")
    c.type("A question of several lines:\n\n- why bubbles?\n- why 气泡?")
    await c.until_shown("4 lines")


async def queued(c: Console) -> None:
    await all_states(c)
    for prompt in ("And now in French, please.", "And in Portuguese.", "One more.", "The last."):
        await c.ask(prompt)
    await c.until_shown("queued 4")


async def toasts(c: Console) -> None:
    await all_states(c)
    error = ErrorInfo("overloaded", "HTTP 529, the endpoint is overloaded", "Try again later")
    for session in c.sessions[2:5]:
        c.doors.end(session, RunCutOff(error, Metrics(text_chars=37)))
    await c.until(lambda: c.toasts_on_screen() == 3, "three toasts")


async def endpoints(c: Console) -> None:
    """One answered, one refused the key, one is not checked, one waits to be tested."""
    _configure_all(c)
    await c.press("f6")
    await c.until_shown("last test")
    c.doors.answers[Probe] = ANSWERED
    await c.press("t")
    await c.until_shown("1 ok")
    c.doors.answers[Probe] = REFUSED
    await c.press("down", "t")
    await c.until_shown("1 failed")


async def endpoint_answered(c: Console) -> None:
    await endpoints(c)
    await c.press("up")
    await c.until_shown("“OK”")


async def endpoint_unchecked(c: Console) -> None:
    await endpoints(c)
    await c.press("down")
    await c.until_shown("certificates are not checked")


async def models(c: Console) -> None:
    await endpoints(c)
    c.doors.answers[ListModels] = ModelList(
        ("claude-sonnet-4-5", "claude-opus-4-1", "claude-haiku")
    )
    await c.press("m")
    await c.until_shown("3 models of claude")


async def endpoint_form(c: Console) -> None:
    """A copy of an endpoint of the user's, with a key typed in the wrong place."""
    await endpoints(c)
    await c.press("up", "e")
    await c.until_shown("copy of openai")
    await c.press(*["tab"] * 5, "ctrl+u", *"sk-proj-0123456789abcdefABCD", "enter")
    await c.until_shown("this looks like a key itself")


async def pane_details(c: Console) -> None:
    """A run that was tried twice, and went through a proxy."""
    _configure_all(c)
    await c.app.panes.close()
    await c.app.panes.open(c.app.config.endpoints["openai"])
    session = c.sessions[0]
    c.doors.send(session, PROMPT)
    error = ErrorInfo("rate-limit", "HTTP 429, too many requests", "Wait", retryable=True)
    c.doors.emit(session, AttemptFailed(1, error))
    c.doors.now += 1.2
    route = "via proxy office (proxy.example.com:3128)"
    c.doors.emit(session, AttemptStarted(2, 3, route, "openai", "gpt-4o-mini"))
    limits = {"x-ratelimit-remaining-requests": "499", "x-ratelimit-reset-requests": "120ms"}
    c.doors.emit(session, ResponseStarted(200, "req_7c1f0c", limits))
    c.doors.now += 0.4
    named = ResponseInfo("chatcmpl-9xAb", "gpt-4o-mini-2024-07-18", "fp_44709d6fcb")
    c.doors.emit(session, ChunkBody((named, TextDelta(VERSE))))
    c.doors.now += 2.1
    usage = Usage(12, 241, cached=0, reasoning=0)
    c.doors.end(session, RunCompleted("stop", Metrics(1.6, 3.7, 60, 2, 130, usage=usage)))
    await c.settle()
    c.app._notifications.clear()
    c.app._refresh_notifications()
    await c.press("f7")
    await c.until_shown("base URL")


def _configure_all(c: Console) -> None:
    folder = "/home/me/.config/streamtui"
    c.app.config = replace(
        c.app.config,
        endpoints=CONFIGURED,
        path=f"{folder}/config.toml",
        managed_path=f"{folder}/managed.toml",
    )


PAST = (
    past_run("r0", VERSE, prompt="Write a sonnet about the sea.", key=1, ago=500 * DAY),
    past_run("r1", prompt="Why is the sky blue?", key=2, ago=9 * DAY, end=FAILED, state="failed"),
    past_run(
        "r2",
        "Bubbles rise because they weigh less than the",
        prompt="Why do bubbles rise?",
        endpoint="claude",
        model="claude-sonnet-4-5",
        key=3,
        ago=3 * DAY,
        end=CUT,
        state="cut off",
    ),
    past_run("r3", "Au fond du", prompt=FRENCH, key=4, ago=DAY, end=None, state="interrupted"),
    past_run("r4", MARKDOWN, prompt="两种数气泡的方法？", key=5, ago=4200),
    past_run("r5", "No.", prompt="Count the bubbles", key=6, ago=1200, state="cancelled"),
    past_run("r6", VERSE, prompt=PROMPT, endpoint="openai", model="gpt-4o-mini", key=7, ago=240),
    past_run("r7", prompt="And in Portuguese.", key=8, ago=8, end=None, state="streaming"),
)


async def history(c: Console) -> None:
    """Runs of all ages and ends, one of them still under way."""
    remember(c.doors, *PAST)
    await c.press("ctrl+r")
    await c.until_shown("8 runs")
    await c.press("down")
    await c.until_shown("144 characters")


async def history_found(c: Console) -> None:
    await history(c)
    await c.press(*"bubbles rise")
    await c.until_shown("3 runs")


async def history_off(c: Console) -> None:
    c.app.config = replace(c.app.config, history="off")
    error = ErrorInfo("usage", 'no history is kept: history.keep = "off"')
    c.doors.answers[FindRuns] = NotFound(error)
    await c.press("ctrl+r")
    await c.until_shown("nothing is kept")


async def delete_question(c: Console) -> None:
    await history(c)
    await c.press("ctrl+x")
    await c.until_shown("for good?")


async def replay(c: Console) -> None:
    """Beside a private pane; half of the run has been played, twice as fast as it came."""
    await c.app.panes.open(endpoint("local", "llama3"), private=True)
    await history(c)
    await c.press("ctrl+r")
    await c.until_shown("1× ")
    await c.press(">")
    c.doors.now += 1.2
    await c.until_shown("summer skies")
    await c.press("space")
    said = ("paused", "‖ 2×")  # In many words, or in few where there is little room.
    await c.until(lambda: any(words in c.screen_text() for words in said), "paused")


async def close_the_only_pane(c: Console) -> None:
    await c.press("alt+w")
    await c.until_shown("No pane is open.")
    c.app._notifications.clear()
    c.app._refresh_notifications()
    await c.until(lambda: c.toasts_on_screen() == 0, "no toast")


ASKED = {
    "Why do bubbles rise in a glass?": """Because a bubble **weighs less** than the water it pushes aside.

1. Gas leaves the water where the glass is rough.
2. The bubble grows until it lets go.
3. On its way up the pressure falls, and it grows on.

The law is Archimedes': `F = ρ · V · g`.
""",
    "Write a retry loop with backoff.": """## Backoff with jitter

```python
async def attempt(send, tries=5):
    for number in range(tries):
        try:
            return await send()
        except ConnectionError:
            pause = min(30, 2**number)
            await sleep(pause * random())
    raise GaveUp(tries)
```

Without the jitter all clients come back *at the same moment*.
""",
    "Compare three message queues.": """| queue | order | at rest |
|-------|-------|--------:|
| Kafka | per partition | 7 days |
| NATS | per subject | none |
| SQS | on request | 4 days |

Take the one that your team can run at night.
""",
    "Explain this to a French colleague.": """Une bulle est **plus légère** que l'eau qu'elle déplace : \
l'eau la pousse donc vers le haut.

Plus elle monte, plus elle grossit, et plus elle va vite.
""",
    "Summarise the incident of last night.": """At 02:14 the primary lost its disk. The replica took over after 41 s, and \
two writes were lost.

- **Found by:** the latency alarm, not the disk alarm
- **Mended by:** failing over by hand
- **Next:** test the automatic failover every month
""",
    "Write me a 1 verse song about sparkling water.": VERSE,
    "How many lakes does Finland have?": """About **188,000**, if everything larger than 500 m² counts, \
and some 57,000 that are larger than a hectare.
""",
    "Name the moons of Jupiter that Galileo saw.": """Io, Europa, Ganymede and Callisto, in the order \
of their distance. He saw them in January 1610 and took them for stars at first.
""",
}
"""Prompts and answers as people see them."""
MODELS = (
    ("openai", "gpt-4o-mini", Price(0.15, 0.6)),
    ("claude", "sonnet-4-5", Price(3.0, 15.0)),
    ("local", "llama3.2:3b", None),
    ("mirror", "gpt-4o", Price(2.5, 10.0)),
    ("gemini", "2.5-flash", Price(0.3, 2.5)),
    ("groq", "llama-3.3-70b", Price(0.59, 0.79)),
    ("office", "qwen2.5-72b", None),
    ("edge", "mistral-small", None),
)
FATES = (
    *("streaming", "streaming", "done", "streaming", "thinking", "streaming", "retry", "streaming"),
    *("done", "waiting", "streaming", "stalled", "streaming", "cut-off", "done", "streaming"),
    *("streaming", "failed", "streaming", "queued", "done", "streaming", "streaming", "idle"),
)
"""How far each pane has got, again and again."""


def opened(panes: int) -> list[Endpoint]:
    priced = [replace(endpoint(name, model), price=price) for name, model, price in MODELS]
    return [priced[place % len(priced)] for place in range(panes)]


async def many_states(c: Console) -> None:
    """Each pane is asked something, and has got on in its own way."""
    asked = list(ASKED.items())
    if len(c.sessions) == 1:
        _talk_before(c.doors, c.sessions[0])
    for place, session in enumerate(c.sessions):
        prompt, answer = asked[place % len(asked)]
        _live_through(c.doors, session, prompt, answer, place)
    await c.settle()
    c.app._notifications.clear()
    c.app._refresh_notifications()
    c.app.main.desk_changed()
    await c.until(lambda: c.toasts_on_screen() == 0, "no toast")


def _talk_before(doors: ScriptedDoors, session: str) -> None:
    """There is room for a conversation."""
    for prompt, answer in list(ASKED.items())[1:4]:
        doors.send(session, prompt)
        doors.complete(session, answer)


def _live_through(doors: ScriptedDoors, session: str, prompt: str, answer: str, place: int) -> None:
    fate = FATES[place % len(FATES)]
    if fate == "idle":
        return
    doors.now = MONO + place % 5
    doors.send(session, prompt)
    if fate == "queued":
        doors.send(session, "And now in one sentence.")
    if fate == "retry":
        error = ErrorInfo("rate-limit", "HTTP 429, too many requests", "Wait", retryable=True)
        doors.emit(session, RetryScheduled(2, 3, 14.0, error))
    elif fate == "thinking":
        thought = "They want the reason, not the formula. First, what pushes it up? The water does."
        doors.now += 1.9
        doors.emit(session, ChunkBody((ReasoningDelta(thought),)))
    elif fate == "failed":
        doors.end(session, FAILED)
    elif fate != "waiting":
        _answer(doors, session, fate, answer, place)
    doors.now = MONO + 14.0


def _answer(doors: ScriptedDoors, session: str, fate: str, answer: str, place: int) -> None:
    began = doors.now + 0.3 + place % 4 / 10
    share = 1.0 if fate == "done" else 0.45 + place * 7 % 40 / 100
    text = answer[: int(len(answer) * share)]
    steps = 200 + place * 37 % 11 * 60
    for step in range(steps):
        # Faster and slower, as answers come.
        share_of_time = (step + 9 * sin(step / 17 + place)) / (steps + 9)
        doors.now = began + (MONO + 13.9 - began) * max(share_of_time, 0)
        doors.answer(session, text[len(text) * step // steps : len(text) * (step + 1) // steps])
    usage = Usage(input=12 + place, output=steps)
    match fate:
        case "done":
            doors.end(session, RunCompleted("stop", Metrics(text_chars=len(text), usage=usage)))
        case "cut-off":
            doors.end(session, CUT)
        case "stalled":
            doors.emit(session, StreamStalled(5.0, 120.0))


SCREENS: dict[str, tuple[int, Script]] = {
    "console": (6, all_states),
    "first_start": (1, nothing),
    "zoomed": (6, pressing("alt+z", then="zoom")),
    "main_and_stack": (6, pressing("alt+l", "alt+l", "alt+l")),
    "command_state": (6, pressing("tab", then="i goes here")),
    "marked": (6, marked_with_a_long_prompt),
    "queued": (6, queued),
    "toasts": (6, toasts),
    "help": (6, pressing("f1", then="keys")),
    "palette": (6, pressing("ctrl+p", then="palette")),
    "new_pane": (6, pressing("ctrl+n", then="as this pane")),
    "errors": (6, pressing("f5", then="errors")),
    "event_detail": (6, pressing("f5", "enter", then="RunCutOff")),
    "endpoints": (1, endpoints),
    "endpoint_answered": (1, endpoint_answered),
    "endpoint_unchecked": (1, endpoint_unchecked),
    "endpoint_form": (1, endpoint_form),
    "models": (1, models),
    "pane_details": (1, pane_details),
    "history": (1, history),
    "history_found": (1, history_found),
    "history_off": (1, history_off),
    "delete_question": (1, delete_question),
    "replay": (1, replay),
    "quit_question": (6, pressing("ctrl+q", then="Quit and cancel them?")),
    "nothing_open": (1, close_the_only_pane),
}


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "200x50"])
@pytest.mark.parametrize("name", SCREENS)
def test_picture(snap_compare: Compare, name: str, size: tuple[int, int]) -> None:
    panes, script = SCREENS[name]
    assert snap_compare(Picture(panes), terminal_size=size, run_before=_run(script, panes))


@pytest.mark.parametrize("theme", ["ember", "paper", "terminal"])
def test_picture_in_theme(snap_compare: Compare, theme: str) -> None:
    app = Picture(6, theme=theme)
    assert snap_compare(app, terminal_size=(120, 36), run_before=_run(all_states, 6))


@pytest.mark.parametrize("theme", ["night", "paper"])
@pytest.mark.parametrize(
    ("panes", "size"),
    [
        *((panes, (200, 50)) for panes in (1, 4, 9, 16, 64)),
        *((panes, (80, 24)) for panes in (1, 4, 16, 64)),
    ],
    ids=lambda value: "x".join(map(str, value)) if isinstance(value, tuple) else str(value),
)
def test_picture_of_panes(
    snap_compare: Compare, panes: int, size: tuple[int, int], theme: str
) -> None:
    app = Picture(panes, theme=theme, opening=opened(panes), show_events=False)
    assert snap_compare(app, terminal_size=size, run_before=_run(many_states, panes))


def _run(script: Script, panes: int) -> Callable[[Pilot[None]], Awaitable[None]]:
    async def run(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, Picture)
        c = Console(app, app.script, pilot)
        await c.until(lambda: len(app.main.grid.panes) == panes, "all panes open")
        await c.settle()
        await script(c)
        await c.settle()

    return run
