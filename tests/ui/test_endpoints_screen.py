"""The screens of endpoints by their keys: the table and its tests, models, the form, removal."""

import asyncio
import stat
from pathlib import Path

import pytest
from textual.binding import BindingsMap
from textual.dom import DOMNode
from textual.widgets import OptionList

from streamtui.config import Config, load_config
from streamtui.engine.doors import ListModels, Probe, Query
from streamtui.engine.reports import Answer, ModelList, ProbeReport, Stage, Unanswered
from streamtui.events import ErrorInfo
from streamtui.ui.commands import NEVER_BOUND
from streamtui.ui.line_input import LineInput
from streamtui.ui.screens.endpoint_form import EndpointForm, Picker
from streamtui.ui.screens.endpoints import EndpointList, RemoveQuestion
from streamtui.ui.screens.models import Models
from streamtui.ui.screens.new_pane import NewPane
from streamtui.ui.screens.pane_details import PaneDetails
from tests.ui.harness import Console, console
from tests.ui.scripted_doors import ScriptedDoors

CONFIG = """
[proxies.office]
url = "http://proxy.example.com:3128"

[endpoints.own]
dialect = "openai-chat"
base_url = "https://own.example/v1"
model = "gpt-4o-mini"
proxy = "office"
retries = 0

[endpoints.lab]
dialect = "anthropic"
base_url = "https://lab.example"
tls = { verify = false }
"""
MANAGED = """
[endpoints.mirror]
dialect = "openai-chat"
base_url = "https://mirror.example/v1"
model = "m"
retries = 5
"""
REFUSED = ErrorInfo("auth", "HTTP 401, the key was rejected", "Check the key")
KEY = "sk-proj-0123456789abcdefABCDEF"


class Files:
    """Both files, and how the console loads them."""

    def __init__(self, folder: Path) -> None:
        self.user = folder / "config.toml"
        self.managed = folder / "managed.toml"
        self.user.write_text(CONFIG)
        self.managed.write_text(MANAGED)

    def load(self) -> Config:
        return load_config(self.user, environ={})


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def report(name: str, error: ErrorInfo | None = None) -> ProbeReport:
    stages = (Stage("dns", 0.002, "203.0.113.7"), Stage("first byte", 0.4), Stage("tls", None))
    return ProbeReport(name, "m", "openai-chat", "direct", stages, error, seconds=0.402)


class GatedDoors(ScriptedDoors):
    """Answers a test when the test of that name may end; `lab` is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.gates: dict[str, asyncio.Event] = {}

    async def ask(self, query: Query) -> Answer:
        if not isinstance(query, Probe):
            return await super().ask(query)
        self.queries.append(query)
        name = query.endpoint.name
        await self.gates.setdefault(name, asyncio.Event()).wait()
        return report(name, REFUSED if name == "lab" else None)

    @property
    def tested(self) -> list[str]:
        return [query.endpoint.name for query in self.queries if isinstance(query, Probe)]


def row(c: Console, name: str) -> str:
    """The line of the table that begins with a name."""
    lines = (line.strip("│ ") for line in c.screen_text().split("\n"))
    return next(line for line in lines if line.startswith(f"{name} "))


async def show(c: Console) -> EndpointList:
    await c.press("f6")
    await c.until(lambda: isinstance(c.app.screen, EndpointList), "the table")
    await c.until_shown("last test")
    screen = c.app.screen
    assert isinstance(screen, EndpointList)
    return screen


async def mark(c: Console, name: str) -> None:
    options = c.app.screen.query_one(OptionList)
    while not str(options.get_option_at_index(options.highlighted or 0).prompt).startswith(name):
        await c.press("down")


async def fill(c: Console, name: str, text: str) -> None:
    """Type into a field of the form, over what is there."""
    field = c.app.screen.query_one(f"#{name}", LineInput)
    field.focus()
    await c.press("end", "ctrl+u")
    field.insert_text_at_cursor(text)


async def form(c: Console, *keys: str) -> EndpointForm:
    await c.press(*keys)
    await c.until(lambda: isinstance(c.app.screen, EndpointForm), "the form")
    screen = c.app.screen
    assert isinstance(screen, EndpointForm)
    return screen


# The table


async def test_all_endpoints_stand_in_the_table(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        await show(c)
        assert row(c, "own").split()[:5] == ["own", "openai-chat", "gpt-4o-mini", "via", "office"]
        assert "TLS unchecked" in row(c, "lab")
        assert "mirror" in c.screen_text()
        assert row(c, "demo").endswith("–")
        assert f"{files.user}, your own file" in c.screen_text()


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_every_row_is_on_screen_with_all_that_belongs_to_it(
    files: Files, size: tuple[int, int]
) -> None:
    async with console(1, size=size, config=files.load(), load=files.load) as c:
        c.doors.answers[Probe] = report("own")
        await show(c)
        await c.press("t")
        await c.until_shown("✓ ok, 402 ms to the first token")
        for words in ("https://own.example/v1", "203.0.113.7", "first byte", "esc"):
            assert words in c.screen_text()


async def test_enter_opens_a_pane_on_the_marked_endpoint(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        await show(c)
        await c.press("down", "enter")
        await c.until(lambda: len(c.sessions) == 2, "another pane")
        assert c.doors.endpoints[c.sessions[1]].name == "lab"


async def test_the_letter_o_shows_the_table_from_a_pane() -> None:
    async with console(1) as c:
        await c.press("tab", "o")
        await c.until(lambda: isinstance(c.app.screen, EndpointList), "the table")
        await c.press("escape")
        await c.until(lambda: not isinstance(c.app.screen, EndpointList), "the console")


async def test_a_table_longer_than_the_screen_scrolls_with_its_mark(tmp_path: Path) -> None:
    table = '[endpoints.e{n:02}]\ndialect = "sse"\nbase_url = "https://h{n}.example"\n'
    (tmp_path / "config.toml").write_text("".join(table.format(n=n) for n in range(40)))
    config = load_config(tmp_path / "config.toml", environ={})
    async with console(1, size=(80, 24), config=config) as c:
        await show(c)
        assert "https://h0.example" in c.screen_text()
        await c.press("up")
        await c.until_shown("nowhere, it is a part of the program")
        await c.press("up")
        await c.until_shown("https://h39.example")
        assert row(c, "e39")


# Tests


async def test_a_test_is_seen_while_it_goes_on_and_when_it_has_ended(files: Files) -> None:
    doors = GatedDoors()
    async with console(1, config=files.load(), load=files.load, doors=doors) as c:
        await show(c)
        await c.press("t")
        await c.until_shown("1 being tested")
        assert "◌ testing 0s" in row(c, "own")
        doors.now += 3.4
        await c.until(lambda: "◌ testing 3s" in row(c, "own"), "the time moves")
        doors.gates["own"].set()
        await c.until_shown("4 · 1 ok")
        assert "✓ ok 402 ms" in row(c, "own")
        for words in ("dns", "2.0 ms", "203.0.113.7", "first byte", "400 ms"):
            assert words in c.screen_text()


async def test_a_test_that_goes_on_is_not_begun_again(files: Files) -> None:
    doors = GatedDoors()
    async with console(1, config=files.load(), load=files.load, doors=doors) as c:
        await show(c)
        await c.press("t", "t", "T")
        await c.until_shown("4 being tested")
        assert sorted(doors.tested) == ["demo", "lab", "mirror", "own"]


async def test_all_are_tested_side_by_side_and_each_says_how_it_went(files: Files) -> None:
    doors = GatedDoors()
    async with console(1, config=files.load(), load=files.load, doors=doors) as c:
        await show(c)
        await c.press("T")
        await c.until(lambda: len(doors.gates) == 4, "all at once")
        for gate in doors.gates.values():
            gate.set()
        await c.until_shown("4 · 3 ok · 1 failed")
        assert "✗ HTTP 401" in row(c, "lab")
        await c.press("down")
        await c.until_shown("✗ HTTP 401, the key was rejected. Check the key.")


async def test_results_stay_when_the_table_is_closed_and_half_ones_go(files: Files) -> None:
    doors = GatedDoors()
    async with console(1, config=files.load(), load=files.load, doors=doors) as c:
        await show(c)
        await c.press("T")
        await c.until(lambda: len(doors.gates) == 4, "all under way")
        doors.gates["own"].set()
        await c.until_shown("1 ok")
        await c.press("escape")
        await c.until(lambda: not isinstance(c.app.screen, EndpointList), "closed")
        for gate in doors.gates.values():
            gate.set()
        await show(c)
        await c.until_shown("4 · 1 ok ─")
        assert row(c, "mirror").endswith("–")


async def test_an_engine_that_cannot_answer_is_a_result_too(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        c.doors.answers[Probe] = Unanswered(ErrorInfo("bug", "the engine has ended"))
        await show(c)
        await c.press("t")
        await c.until_shown("✗ the engine has ended.")


async def test_a_result_says_nothing_of_an_endpoint_that_was_edited(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        c.doors.answers[Probe] = report("mirror")
        await show(c)
        await mark(c, "mirror")
        await c.press("t")
        await c.until_shown("1 ok")
        await form(c, "e")
        await fill(c, "model", "another")
        await c.press("enter")
        await c.until(lambda: isinstance(c.app.screen, EndpointList), "saved")
        await c.until(lambda: row(c, "mirror").endswith("–"), "no result")


# Models


async def test_models_are_asked_of_the_endpoint_and_one_is_opened(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        c.doors.answers[ListModels] = ModelList(("gpt-4o", "gpt-4o-mini", "org/o3"))
        await show(c)
        await c.press("m")
        await c.until_shown("3 models of own")
        await c.press(*"o3", "enter")
        await c.until(lambda: len(c.sessions) == 2, "another pane")
        opened = c.doors.endpoints[c.sessions[1]]
        assert (opened.name, opened.model) == ("own", "org/o3")


async def test_a_list_that_does_not_come_is_said_and_a_model_can_be_typed(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        c.doors.answers[ListModels] = ModelList(error=REFUSED)
        await show(c)
        await c.press("m")
        await c.until_shown("✗ HTTP 401, the key was rejected. Check the key.")
        assert isinstance(c.app.screen, Models)
        await c.press(*"mine")
        await c.until_shown("as typed")
        await c.press("enter")
        await c.until(lambda: len(c.sessions) == 2, "another pane")
        assert c.doors.endpoints[c.sessions[1]].model == "mine"


async def test_names_of_models_are_drawn_as_they_are_and_never_obeyed(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        c.doors.answers[ListModels] = ModelList(("[red]x[/red]", "\x1b]52;c;aGk=\x07\u202ey"))
        await show(c)
        await c.press("m")
        await c.until_shown("[red]x[/red]")
        assert all(ch.isprintable() or ch == "\n" for ch in c.screen_text())


async def test_a_new_pane_finds_the_models_of_the_marked_endpoint(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        c.doors.answers[ListModels] = ModelList(("gpt-4o", "o3", "gpt-4o-mini"))
        await c.press("ctrl+n")
        await c.until(lambda: isinstance(c.app.screen, NewPane), "the list")
        await c.press(*"own", "ctrl+o")
        await c.until_shown("3 models of own")
        screen = c.app.screen
        assert isinstance(screen, NewPane)
        assert [choice.value for choice in screen.matching("own/")] == [
            *("own/gpt-4o-mini", "own/gpt-4o", "own/o3"),
        ]
        assert screen.marked in screen.matching("own/")
        [query] = c.doors.queries
        assert isinstance(query, ListModels)
        assert query.endpoint.name == "own"
        await c.press(*"o3", "enter")
        await c.until(lambda: len(c.sessions) == 2, "another pane")
        assert c.doors.endpoints[c.sessions[1]].model == "o3"


async def test_a_model_of_the_demo_is_asked_by_the_name_that_the_demo_gave_it() -> None:
    async with console(1) as c:
        c.doors.answers[ListModels] = ModelList(("demo/verse", "gpt-4o-mini"))
        await c.press("ctrl+n")
        await c.until(lambda: isinstance(c.app.screen, NewPane), "the list")
        await c.press("ctrl+o")
        await c.until_shown("2 models of demo")
        await c.press(*"gpt-4o", "enter")
        await c.until(lambda: len(c.sessions) == 2, "another pane")
        assert c.doors.endpoints[c.sessions[1]].model == "gpt-4o-mini"


async def test_a_new_pane_says_why_there_is_no_list_and_keeps_its_rows(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        c.doors.answers[ListModels] = ModelList(error=REFUSED)
        await c.press("ctrl+n")
        await c.until(lambda: isinstance(c.app.screen, NewPane), "the list")
        await c.press("ctrl+o")
        await c.until_shown("─ HTTP 401, the key was rejected ─")
        assert "gpt-4o-mini" in c.screen_text()


# The form


async def test_an_endpoint_is_added_and_in_force_at_once(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        await show(c)
        screen = await form(c, "a")
        await fill(c, "name", "new")
        await c.press("tab", "right")
        await fill(c, "base_url", "https://new.example/v1")
        await fill(c, "model", "m-1")
        await fill(c, "key", "NEW_KEY")
        await fill(c, "proxy", "office")
        assert screen.draft().dialect == "openai-completions"
        await c.press("enter")
        await c.until_shown("environment variable NEW_KEY: not set")
        added = c.app.config.endpoints["new"]
        assert (added.model, added.dialect) == ("m-1", "openai-completions")
        assert added.proxy is not None
        assert "endpoint new: added" in str(c.toasts())
        assert stat.S_IMODE(files.managed.stat().st_mode) == 0o600
        assert files.user.read_text() == CONFIG


async def test_a_mistake_keeps_the_form_and_writes_nothing(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        await show(c)
        screen = await form(c, "a")
        await fill(c, "name", "new")
        await fill(c, "base_url", "ftp://new.example")
        await fill(c, "key", "NEW_KEY")
        before = screen.draft()
        await c.press("enter")
        await c.until_shown("✗ base_url: expected a URL such as https://host/v1.")
        assert screen.draft() == before
        assert screen.focused is screen.query_one("#base_url")
        assert files.managed.read_text() == MANAGED
        await fill(c, "base_url", "https://new.example")
        await c.press("enter")
        await c.until(lambda: "new" in c.app.config.endpoints, "saved at last")


async def test_a_key_is_refused_with_the_place_where_it_belongs(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        await show(c)
        await form(c, "a")
        await fill(c, "name", "new")
        await fill(c, "base_url", "https://new.example")
        await fill(c, "key", KEY)
        await c.press("enter")
        await c.until_shown("this looks like a key itself")
        assert c.screen_text().count(KEY) == 1  # Where it was typed.
        assert files.managed.read_text() == MANAGED


async def test_an_endpoint_of_ours_is_changed_and_keeps_what_the_form_does_not_show(
    files: Files,
) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        await show(c)
        await mark(c, "mirror")
        await form(c, "e")
        await fill(c, "name", "glass")
        verify = c.app.screen.query_one("#verify", Picker)
        verify.focus()
        await c.press("space", "enter")
        await c.until_shown("── glass")
        changed = c.app.config.endpoints["glass"]
        assert (changed.retries, changed.insecure) == (5, True)
        assert "mirror" not in c.app.config.endpoints
        assert "tls.verify = false" in str(c.toasts())


async def test_an_endpoint_of_the_users_file_is_copied_under_another_name(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        await show(c)
        await form(c, "e")
        await c.until_shown("This is a copy under another name")
        assert str(files.user) in c.screen_text().replace("│\n", "")
        await c.press("enter")
        await c.until(lambda: "own-2" in c.app.config.endpoints, "the copy")
        copy = c.app.config.endpoints["own-2"]
        assert (copy.retries, copy.model) == (0, "gpt-4o-mini")
        assert files.user.read_text() == CONFIG


async def test_a_name_of_the_users_file_is_refused(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        await show(c)
        screen = await form(c, "e")
        await fill(c, "name", "own")
        await c.press("enter")
        await c.until_shown("✗ there is an endpoint of this name already; choose another.")
        assert screen.focused is screen.query_one("#name")


async def test_a_form_that_is_left_changes_nothing(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        await show(c)
        await form(c, "a")
        await fill(c, "name", "new")
        await c.press("escape")
        await c.until(lambda: isinstance(c.app.screen, EndpointList), "the table")
        assert files.managed.read_text() == MANAGED


async def test_the_fields_are_walked_with_tab_and_arrows(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        await show(c)
        screen = await form(c, "a")
        visited = []
        for key in ("tab", "down", "tab", "down", "tab", "tab", "down", "tab", "up"):
            visited.append(screen.focused.id if screen.focused else "")
            await c.press(key)
        fields = ["name", "dialect", "base_url", "model", "key_from", "key", "proxy", "verify"]
        assert visited == [*fields, "name"]
        assert screen.focused is screen.query_one("#verify")
        screen.query_one("#key_from").focus()
        await c.press("left")
        assert screen.draft().key_from == "none"
        assert screen.query_one("#key").disabled


# Removal


async def test_an_endpoint_of_ours_is_removed_when_that_was_meant(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        await show(c)
        await mark(c, "mirror")
        await c.press("delete")
        await c.until_shown("Remove the endpoint mirror from managed.toml?")
        await c.press("n")
        await c.until(lambda: isinstance(c.app.screen, EndpointList), "kept")
        assert "mirror" in c.app.config.endpoints
        await c.press("delete")
        await c.until(lambda: isinstance(c.app.screen, RemoveQuestion), "asked again")
        await c.press("y")
        await c.until(lambda: "mirror" not in c.app.config.endpoints, "gone")
        assert "endpoint mirror: removed" in str(c.toasts())
        await c.until_shown("── demo")


async def test_an_endpoint_that_is_not_ours_is_not_removed(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        await show(c)
        await c.press("delete")
        await c.until(lambda: "not written by the console" in str(c.toasts()), "a word")
        assert isinstance(c.app.screen, EndpointList)


async def test_an_endpoint_that_others_need_is_not_removed(files: Files) -> None:
    files.user.write_text(CONFIG.replace("retries = 0", 'fallbacks = ["mirror"]'))
    async with console(1, config=files.load(), load=files.load) as c:
        await show(c)
        await mark(c, "mirror")
        await c.press("delete", "y")
        await c.until(lambda: "mirror is not removed" in str(c.toasts()), "a word")
        assert "fallbacks[0]" in str(c.toasts())
        assert "mirror" in c.app.config.endpoints


async def test_a_file_that_was_broken_meanwhile_is_said(files: Files) -> None:
    async with console(1, config=files.load(), load=files.load) as c:
        files.user.write_text("a = ")
        await show(c)
        assert "not valid TOML" in str(c.toasts())
        assert "own" in c.screen_text()


# Details of a pane


async def test_the_details_of_a_pane_follow_its_run(files: Files) -> None:
    config = files.load()
    async with console(1, config=config, opening=[config.endpoint("own")]) as c:
        await c.press("f7")
        await c.until_shown("not taken yet")
        c.doors.send(c.sessions[0], "hello")
        await c.until_shown("attempts     1 of 3, direct")
        await c.press("escape")
        await c.until(lambda: not isinstance(c.app.screen, PaneDetails), "closed")


async def test_details_are_copied_as_text(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    config = files.load()
    async with console(1, config=config, opening=[config.endpoint("lab")]) as c:
        monkeypatch.setattr(c.app, "copy_everywhere", lambda text, what: copied.append(text))
        await c.press("tab", "d")
        await c.until_shown("certificates are not checked")
        await c.press("y")
        await c.until(lambda: copied, "copied")
        assert "base URL     https://lab.example\n" in copied[0]
        assert "verify = false" in copied[0]


async def test_without_a_pane_there_are_no_details() -> None:
    async with console(1) as c:
        await c.press("alt+w", "f7")
        await c.until(lambda: "No pane is open." in str(c.toasts()), "a word")


@pytest.mark.parametrize(
    "bound",
    [EndpointList, EndpointForm, Picker, Models, NewPane, RemoveQuestion, PaneDetails],
    ids=lambda bound: bound.__name__,
)
def test_keys_of_tmux_and_the_terminal_are_left_alone(bound: type[DOMNode]) -> None:
    merged = bound._merge_bindings()
    assert isinstance(merged, BindingsMap)
    assert set(merged.key_to_bindings) & NEVER_BOUND == set()
