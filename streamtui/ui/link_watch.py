"""Knows by which link the terminal is attached; inside tmux that may be another one any time."""

import asyncio
import os
from typing import TYPE_CHECKING

from streamtui.ui.ssh_link import LINK_SECONDS, SshLink, connection_of, link_of

if TYPE_CHECKING:
    from streamtui.ui.app import StreamTUIApp


class LinkWatch:
    """Has no link until `begin`, or where there is none that can be looked at."""

    def __init__(self, app: "StreamTUIApp") -> None:
        self._app = app
        self._link: SshLink | None = None
        self._connection = ""

    def begin(self) -> None:
        """Find out who is attached."""
        self._find_again()
        if "TMUX" in os.environ:
            self._app.set_interval(LINK_SECONDS, self._find_again)

    def look(self) -> None:
        """See how far what was drawn has come."""
        if self._link is not None:
            self._link.look()

    def close(self) -> None:
        """Look no more."""
        if self._link is not None:
            self._link.close()

    def _find_again(self) -> None:
        self._app.run_worker(self._find(), group="link", exclusive=True)

    async def _find(self) -> None:
        connection = await asyncio.to_thread(connection_of, os.environ)
        if connection != self._connection:
            self._connection = connection
            self.close()
            self._link = link_of(self._app.main.line, connection)
