"""The console as a Textual app: the one subscriber to the engine, and its frames.

Draws nothing and decides nothing itself: events go to `state`, keys to the `*_actions` modules.
"""

import asyncio
import contextlib
import contextvars
import logging
import os
import socket
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from inspect import isawaitable
from pathlib import Path
from typing import ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual import events, on, work
from textual.app import App
from textual.binding import BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import LineFilter
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.theme import Theme

from streamtui.config import Config, Endpoint
from streamtui.engine.doors import Doors, Subscription
from streamtui.errors import RunError
from streamtui.events import Event, StreamStalled
from streamtui.redact import Redactor
from streamtui.safe_text import safe_line, safe_text
from streamtui.ui import clipboard
from streamtui.ui.asked import Asked
from streamtui.ui.attachment import Attachment
from streamtui.ui.changed_cells import shadow_for
from streamtui.ui.clock import SLOW_SECONDS, Beat, Clock
from streamtui.ui.commands import COMMANDS, Where, bindings_for
from streamtui.ui.config_watch import ConfigKeeper, prices_of
from streamtui.ui.desk import Desk
from streamtui.ui.endpoint_actions import EndpointActions
from streamtui.ui.event_log import EventLog
from streamtui.ui.history_actions import HistoryActions
from streamtui.ui.keeper import SAVE_SECONDS
from streamtui.ui.let_go import LOOK_AT_TEXTS_SECONDS, TextKeeper
from streamtui.ui.line_driver import LineDriver
from streamtui.ui.link_watch import LinkWatch
from streamtui.ui.no_colors import NoColors
from streamtui.ui.outside import Outside
from streamtui.ui.pane_actions import PaneActions
from streamtui.ui.run_actions import RunActions
from streamtui.ui.screens.console import Console
from streamtui.ui.screens.quit import Choice, QuitQuestion
from streamtui.ui.shortcut import shortcut_for
from streamtui.ui.state import AppState, Toast, apply, toast_for
from streamtui.ui.themes import FEW_COLORS, MANY_COLORS, load_themes
from streamtui.ui.toasts import Toasts
from streamtui.ui.transcript import Transcript
from streamtui.ui.view_actions import LogActions, ProgramActions, ReadingActions

MOST_ERRORS = 1_000

logger = logging.getLogger(__name__)


class StreamTUIApp(App[None], inherit_bindings=False):
    """One pane per endpoint in `opening`; `prompt`, if there is one, is sent to all at once.

    `asked` is what was sent the prompt before there was an app. `restore` brings back what was open
    when a console was here last; `fallback` opens where nothing else does. `reattach` is another
    way to an engine, for one that ended; with it, what runs can go on without the console.
    `on_mounted` is called once the app can be told what becomes of it. `load_config` reads the
    configuration again, when its file was saved.
    """

    TITLE = "streamtui"
    CSS_PATH = Path(__file__).parent / "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Where.APP)]
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        doors: Doors,
        config: Config,
        *,
        opening: Sequence[Endpoint],
        asked: Asked | None = None,
        prompt: str = "",
        show_events: bool = False,
        restore: bool = False,
        fallback: Endpoint | None = None,
        reattach: Callable[[], Doors] | None = None,
        on_mounted: Callable[["StreamTUIApp"], object] | None = None,
        load_config: Callable[[], Config] | None = None,
        clock: Clock | None = None,
        host: str | None = None,
    ) -> None:
        # Without colours means none: Textual would draw in greys, on a background of its own.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.doors = doors
        self.config = config
        self.state = AppState(prices=prices_of(config))
        self.desk = Desk()
        self.errors: deque[Event] = deque(maxlen=MOST_ERRORS)
        self._opening = list(opening)
        self._asked = asked
        self._first_prompt = prompt
        self._show_events = show_events
        self._restore = restore
        self._fallback = fallback
        self.keep_runs = False
        """Whether what runs goes on when the console ends."""
        host = socket.gethostname().partition(".")[0] if host is None else host
        self.main = Console(self.state, self.desk, clock or Clock(), host=safe_line(host, limit=24))
        self._subscription: Subscription | None = None
        self._shadow = shadow_for(self)
        self.shortcut = shortcut_for(self, self.main) if self._shadow else None
        self._beat: Beat | None = None
        self._no_colors = NoColors()
        self._link = LinkWatch(self)
        self._wake: Callable[[Callable[[], object]], object] = lambda _work: None
        self._toasts = Toasts(self._notifications)
        self.panes = PaneActions(self)
        self.runs = RunActions(self)
        self.program = ProgramActions(self)
        self.endpoints = EndpointActions(self)
        self.history = HistoryActions(self)
        self.configuration = ConfigKeeper(self, load_config)
        self.attachment = Attachment(self, reattach)
        self.texts = TextKeeper(self)
        self._reading = ReadingActions(self)
        self._on_mounted = on_mounted
        self._outside = Outside(self, self._call_soon, self._hang_up)
        self._owners: dict[str, object] = {
            "panes": self.panes,
            "runs": self.runs,
            "reading": self._reading,
            "log": LogActions(self),
            "program": self.program,
            "endpoints": self.endpoints,
            "history": self.history,
            "attachment": self.attachment,
            "prompt": self.main.prompt,
        }
        self.theme_names = self._take_themes(load_themes())

    def get_driver_class(self) -> type[Driver]:
        """Textual's choice, in the kind that knows how fast the terminal is."""
        chosen = super().get_driver_class()
        return LineDriver if chosen is LinuxDriver else chosen

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's, and what makes up for colours where there are none."""
        filters = super().get_line_filters()
        return [self._no_colors, *filters] if self.no_color else filters

    def get_default_screen(self) -> Console:
        """The console; dialogs lie over it."""
        return self.main

    async def on_mount(self) -> None:
        """Listen first, then open panes: no event is missed."""
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        self._wake = partial(loop.call_soon_threadsafe, context=context)
        self._beat = Beat(loop, self._queue_frame)
        if self._asked is not None:
            self._subscription = self._asked.take_over(self._wake_for_events)
        else:
            self._listen()
        self._outside.listen()
        if isinstance(self._driver, LineDriver):
            self._watch_line(self._driver)
        # After ctrl+z and fg the terminal is empty, and Textual would only draw what changes.
        self.app_resume_signal.subscribe(self, lambda _app: self.program.redraw())
        self.main.log_box.display = self._show_events
        self._next_minute()
        self.configuration.begin()
        # Not among the keys: what is typed while the engine starts is seen at once.
        self.call_after_refresh(lambda: self.run_worker(self._open_first(), group="engine"))
        if self._on_mounted is not None:
            self._on_mounted(self)

    async def on_unmount(self) -> None:
        """Stop listening, then let the engine end its runs."""
        if self._beat is not None:
            self._beat.stop()
        self._link.close()
        if self._subscription is not None:
            self._subscription.close()
        await self.attachment.keeper.save_at_last()
        await asyncio.to_thread(partial(self.doors.leave, keep_runs=self.keep_runs))

    def engine_lost(self) -> None:
        """The engine is gone; called from any thread."""
        self._call_soon(lambda: self.run_worker(self.attachment.lost(), group="engine"))

    def engine_is_ours(self, reason: RunError) -> None:
        """There can be no engine that outlives this console; called from any thread."""
        self._call_soon(partial(self._stand_alone, reason))

    def engine_refused(self) -> None:
        """There is an engine that cannot be spoken to; called from any thread."""
        self._call_soon(self.exit)

    def _stand_alone(self, reason: RunError) -> None:
        self.attachment.stand_alone()
        self.notice(
            f"{safe_line(reason.message)}.",
            title="What streams ends with this console",
            severity="warning",
        )

    def use_doors(self, doors: Doors) -> None:
        """Speak to another engine from now on."""
        self.doors = doors
        # What the one before could not save is lost; this one tells of its own troubles.
        self.state.not_saved_since = None
        self._listen()

    def take_events(self) -> None:
        """Everything that came so far, at once."""
        self._frame()

    def action_suspend_process(self) -> None:
        """Back to the shell, with whatever else belongs to our job."""
        if self._driver is not None and self._driver.can_suspend:
            self._suspend_signal()
            self._outside.stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Some keys mean something else while words are looked for."""
        if action == "command" and parameters:
            row = COMMANDS.get(str(parameters[0]))
            if row is not None and row.where is Where.SEARCH:
                return self._reading.is_searching
        return super().check_action(action, parameters)

    async def action_command(self, name: str, key: str = "") -> None:
        """Carry out a row of the table of commands."""
        row = COMMANDS[name]
        owner, _, method = row.method.partition(".")
        function = getattr(self._owners[owner], method)
        outcome = function(key) if row.argument else function()
        if isawaitable(outcome):
            await outcome

    def notice(
        self, message: str, *, title: str = "", severity: SeverityLevel = "information"
    ) -> None:
        """Say something in a toast; the text must be safe to draw."""
        self._toasts.add(Toast(severity, title, message))
        self._refresh_notifications()

    def ask_to_quit(self) -> None:
        """Quit as the answer says."""
        question = QuitQuestion(self.main.live, can_detach=self.attachment.outlives_us)
        self.push_screen(question, self._quit_as_chosen)

    def _quit_as_chosen(self, choice: Choice | None) -> None:
        if choice is not None:
            self.keep_runs = choice == "detach"
            self.exit()

    def copy_everywhere(self, text: str, what: str) -> None:
        """Copy a text by every way there is, and say which were tried."""

        async def copy() -> None:
            tried = await clipboard.copy(text, self.copy_to_clipboard)
            self.notice(f"{len(text):,} characters: {tried}.", title=f"Copied this {what}")

        self.run_worker(copy(), group="clipboard", exclusive=True)

    @on(Transcript.TextWanted)
    def bring_text_back(self, message: Transcript.TextWanted) -> None:
        """An old answer is looked at."""
        self.texts.bring_back(message.pane, message.turn)

    @on(EventLog.Opened)
    def open_event(self, message: EventLog.Opened) -> None:
        """An event of the log, as JSON."""
        self.program.open_event(message.event)

    def on_resize(self, event: events.Resize) -> None:
        """A terminal that becomes smaller forgets what is beyond its edge."""
        self.forget_terminal()
        if self._shadow is None or self._shadow.size == event.size:
            # It had another size for too short a time for anything to be drawn.
            self.screen.refresh()

    def forget_terminal(self) -> None:
        """Somebody else may have written to the terminal: what is drawn next is written whole."""
        if self._shadow is not None:
            self._shadow.forget()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Textual's way to the terminal, through the shadow of what is there already."""
        if self._shadow is not None and renderable is not None:
            renderable = self._shadow.through(renderable)
        super()._display(screen, renderable)

    def _fatal_error(self) -> None:
        """Textual would print all local variables, keys and escape sequences among them."""
        logger.error("a bug ended the console", exc_info=True)  # noqa: LOG014
        words = safe_text(Redactor().redact(traceback.format_exc()))
        self._exit_renderables.append(Text(words))
        self._close_messages_no_wait()

    def _listen(self) -> None:
        self._subscription = self.doors.subscribe(self._wake_for_events, from_start=True)

    def _wake_for_events(self) -> None:
        self._call_soon(self._request_frame)

    def _call_soon(self, work: Callable[[], object]) -> None:
        """Do something on the app's loop, asked from another thread."""
        # The app may be ending, and its loop with it.
        with contextlib.suppress(RuntimeError):
            self._wake(work)

    def _request_frame(self) -> None:
        if self._beat is not None:
            self._beat.request()

    def _queue_frame(self) -> None:
        # In the app's own queue, so that a frame takes its turn among keys, and a bug in it is
        # shown like any other.
        self.call_later(self._frame)

    def _frame(self) -> None:
        """Everything that came since the last frame, at once."""
        if self._subscription is None or self._beat is None:
            return
        started = asyncio.get_running_loop().time()
        self._link.look()
        new = self.attachment.fresh(self._subscription.drain())
        for event in new:
            apply(self.state, event)
            self._give_notice(event)
            self.attachment.heed(event)
        with self.shortcut.frame() if self.shortcut else contextlib.nullcontext():
            self.main.show_events(new, {event.session_id for event in new})
        self._beat.done(started)
        if self.main.is_behind:
            self._beat.request()
        elif self.main.live:
            self._beat.request(SLOW_SECONDS)

    def _give_notice(self, event: Event) -> None:
        toast = toast_for(event, self.state.panes.get(event.session_id))
        if toast is not None:
            self.errors.append(event)
            self.notice(toast.message, title=toast.title, severity=toast.severity)
        elif isinstance(event.body, StreamStalled):
            self.errors.append(event)

    async def _open_first(self) -> None:
        to_ask = await self.attachment.begin(
            self._opening,
            asked=self._asked.sessions if self._asked else {},
            restore=self._restore,
            fallback=self._fallback,
        )
        self.main.grid.begin()
        self.set_interval(SAVE_SECONDS, self._save)
        self.set_interval(LOOK_AT_TEXTS_SECONDS, self.texts.tidy)
        if self._first_prompt:
            targets = [each for each in to_ask if each not in self.desk.silent]
            self.runs.send_to(targets, self._first_prompt)
        # Not only after a second, which nobody promised us.
        self._save()
        self.configuration.warn(self.config.warnings)

    # A worker: keys must not wait for the answer.
    @work(group="save")
    async def _save(self) -> None:
        await self.attachment.keeper.save()

    def _take_themes(self, themes: Sequence[Theme]) -> list[str]:
        for theme in themes:
            self.register_theme(theme)
        names = [theme.name for theme in themes]
        if self.no_color and FEW_COLORS in names:
            names = [FEW_COLORS]
        # A theme that is gone must not keep anybody from working.
        self.theme = self.config.theme if self.config.theme in names else names[0]
        return names

    def _watch_line(self, driver: LineDriver) -> None:
        self.main.line = driver.line
        self._link.begin()
        if self.console.color_system not in MANY_COLORS and FEW_COLORS in self.theme_names:
            self.theme = FEW_COLORS

    def _next_minute(self) -> None:
        """Keep the time in the top line right, at the cost of one row a minute."""
        self.main.update_status()
        self.set_timer(60.0 - self.main.clock.wall() % 60.0, self._next_minute)

    def _hang_up(self) -> None:
        """The terminal is gone, or somebody wants the console to go; nobody meant the answers."""
        self.keep_runs = self.attachment.outlives_us
        self.exit()
