"""The engine's side of its socket: serves the three doors to every console that attaches.

Runs on the engine's own loop. A console that does not read is served fewer, merged events and
slows nobody.
"""

import asyncio
import logging
import os
from contextlib import suppress
from pathlib import Path

from streamtui import __version__
from streamtui.engine.bus import Bus, Subscriber
from streamtui.engine.doors import Query
from streamtui.engine.engine import Engine, GiveUp
from streamtui.engine.host import wire
from streamtui.engine.host.private import make_private, private_socket
from streamtui.engine.recall import Recall
from streamtui.engine.reports import Answer
from streamtui.errors import RunError
from streamtui.events import Event

TICK_SECONDS = 0.04
"""Between two messages with events: each costs the console a wake-up, and people see no faster."""
MERGE_AFTER = 256
"""Events that wait for a console before the chunks of a run are merged."""
LAST_WORDS_SECONDS = 1.0
"""How long an engine that ends waits for a console to hear how its runs ended."""
BUFFER_BYTES = 256 * 1024
"""What may lie in the socket of a console that does not read."""

_Identity = tuple[int, int, int]

logger = logging.getLogger(__name__)


class HostServer:
    """Accepts consoles from `start` to `aclose`."""

    def __init__(self, engine: Engine, bus: Bus, recall: Recall) -> None:
        self.engine = engine
        self.bus = bus
        self.recall = recall
        self._consoles: set[_Console] = set()
        self._server: asyncio.Server | None = None
        self._path = Path()
        self._made: _Identity | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def consoles(self) -> int:
        """How many are attached."""
        return len(self._consoles)

    async def start(self, path: Path) -> None:
        """Listen on a socket that only the user can reach. Raises OSError."""
        self._path = path
        await self._listen()

    async def listen_again(self) -> None:
        """Where the socket was taken away, make another: else no console finds this engine.

        The end of a login may remove the folder of the socket, whoever cleans up old files it too.
        """
        if self._server is None or self._is_taken():
            return
        self._server.close()
        with suppress(OSError, RunError):
            make_private(self._path.parent)
            await self._listen()

    def _is_taken(self) -> bool:
        """By us, or by another engine that was started meanwhile."""
        return os.path.lexists(self._path)

    async def _listen(self) -> None:
        listening = private_socket(self._path)
        self._made = _identity(self._path)
        self._server = await asyncio.start_unix_server(self._serve, sock=listening)

    async def aclose(self) -> None:
        """Stop listening and leave all consoles; they see that the engine has ended."""
        if self._server is not None:
            self._server.close()
            self._remove_socket()
        await asyncio.gather(*(console.say_the_rest() for console in self._consoles))
        for writer in list(self._open):
            writer.close()

    def _remove_socket(self) -> None:
        # Another engine may have taken the place meanwhile.
        with suppress(OSError):
            if _identity(self._path) == self._made:
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=BUFFER_BYTES)
        self._open.add(writer)
        try:
            await self._greet(reader, writer)
        except (OSError, EOFError):
            pass  # the console is gone, in whatever way
        except ValueError:
            logger.exception("something else than a console spoke to the engine")
        finally:
            self._open.discard(writer)
            writer.close()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = await read_message(reader)
        if self.engine.is_stopping:
            return  # whoever comes now needs another engine
        live = self.engine.live
        writer.write(wire.packed(wire.Welcome(wire.PROTOCOL, __version__, os.getpid(), live)))
        if not isinstance(hello, wire.Hello):
            return
        if hello.protocol != wire.PROTOCOL:
            await self._heed_stranger(reader, writer)
            return
        console = _Console(self, reader, writer)
        self._consoles.add(console)
        try:
            await console.serve()
        finally:
            console.close()
            self._consoles.discard(console)

    async def _heed_stranger(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """A console of another version can only ask us to end."""
        message = await read_message(reader)
        if isinstance(message, wire.Stop):
            writer.write(wire.packed(self.stop(even_live=message.even_live)))
            await writer.drain()

    def stop(self, *, even_live: bool) -> wire.Stopped:
        """End the engine, if nothing runs or that does not matter."""
        live = self.engine.live
        ends = even_live or not live
        if ends:
            self.engine.stop()
        return wire.Stopped(ends, live)


def _identity(path: Path) -> _Identity:
    found = path.lstat()
    # The number alone may be given to the next file at once.
    return found.st_dev, found.st_ino, found.st_ctime_ns


async def read_message(reader: asyncio.StreamReader) -> wire.FromConsole:
    """The next message of a console. Raises EOFError, OSError, ValueError."""
    head = await reader.readexactly(wire.HEAD_BYTES)
    return wire.from_console(await reader.readexactly(wire.length_of(head)))


class _Console:
    """One console that is attached."""

    def __init__(
        self, host: HostServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._host = host
        self._reader = reader
        self._writer = writer
        self._listening: dict[int, Subscriber] = {}
        self._first: dict[int, list[Event]] = {}
        self._answers: list[wire.Answered] = []
        self._asking: dict[int, GiveUp] = {}
        self._woken = asyncio.Event()
        self._keep_runs = True

    async def serve(self) -> None:
        """Until the console leaves or is gone."""
        async with asyncio.TaskGroup() as tasks:
            speaking = tasks.create_task(self._speak(), name="speak to a console")
            try:
                await self._listen()
            except (OSError, EOFError):
                pass  # a console that was killed; its runs go on
            finally:
                speaking.cancel()

    def close(self) -> None:
        """Stop listening and asking, and end the runs if the console wished it."""
        for subscriber in self._listening.values():
            subscriber.close()
        for give_up in self._asking.values():
            give_up()
        if not self._keep_runs and self._host.consoles == 1:
            self._host.engine.close_sessions()

    async def say_the_rest(self) -> None:
        """Everything that waits, if the console takes it soon."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                await self._say()

    async def _listen(self) -> None:
        while True:
            match await read_message(self._reader):
                case wire.Execute(command=command):
                    self._host.engine.execute(command)
                case wire.Ask(number=number, query=query):
                    self._ask(number, query)
                case wire.StopAsking(number=number):
                    if number in self._asking:
                        self._asking.pop(number)()
                case wire.Listen() as listen:
                    self._subscribe(listen)
                case wire.StopListening(number=number):
                    if number in self._listening:
                        self._listening.pop(number).close()
                case wire.Leave(keep_runs=keep_runs):
                    self._keep_runs = keep_runs
                    return
                case wire.Stop(even_live=even_live):
                    self._writer.write(wire.packed(self._host.stop(even_live=even_live)))
                case wire.Hello():
                    raise ValueError("Hello twice")

    def _ask(self, number: int, query: Query) -> None:
        def give(answer: Answer) -> None:
            self._asking.pop(number, None)
            self._answers.append(wire.Answered(number, answer))
            self._woken.set()

        self._asking[number] = self._host.engine.answer(query, give)

    def _subscribe(self, listen: wire.Listen) -> None:
        # Nothing happens between these two: both are on the engine's loop.
        if listen.from_start:
            self._first[listen.number] = self._host.recall.events(listen.session_ids)
        self._listening[listen.number] = self._host.bus.subscribe(
            self._woken.set, listen.session_ids, MERGE_AFTER
        )
        self._woken.set()

    async def _speak(self) -> None:
        """Say what there is, and wait while the console does not read."""
        with suppress(OSError):
            while True:
                await self._woken.wait()
                self._woken.clear()
                await self._say()
                await asyncio.sleep(TICK_SECONDS)

    async def _say(self) -> None:
        for message in self._messages():
            self._writer.write(wire.packed(message))
            await self._writer.drain()

    def _messages(self) -> list[wire.FromEngine]:
        """Events first: whoever has an answer has heard what was before it."""
        answers, self._answers = self._answers, []
        heard = []
        for number, subscriber in self._listening.items():
            events = [*self._first.pop(number, ()), *subscriber.drain()]
            if events:
                heard.append(wire.Heard(number, tuple(events), subscriber.merged))
        return [*heard, *answers]
