"""The user's configuration file while the console runs: taken into force again when it was saved.

Looking asks the file system for one stamp; the file is read only where that has changed.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from streamtui.config import Config, Price, changed_keys
from streamtui.errors import ConfigError
from streamtui.safe_text import safe_line

if TYPE_CHECKING:
    from streamtui.ui.app import StreamTUIApp

LOOK_SECONDS = 1.0


class ConfigWatch:
    """Remembers how the file looked last. A file that comes or goes has changed too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._stamp()

    def changed(self) -> bool:
        """Whether the file is another than at the last call."""
        seen, self._seen = self._seen, self._stamp()
        return seen != self._seen

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns


class ConfigKeeper:
    """Sees to it that the app's configuration is the one of its files. Without `load` it stays."""

    def __init__(self, app: "StreamTUIApp", load: Callable[[], Config] | None) -> None:
        self._app = app
        self._load = load

    def begin(self) -> None:
        """Look for a change from now on."""
        if self._load is None or not self._app.config.path:
            return
        watch = ConfigWatch(Path(self._app.config.path))

        def look() -> None:
            if watch.changed():
                self._app.run_worker(self.read_again(), group="config", exclusive=True)

        self._app.set_interval(LOOK_SECONDS, look)

    async def read_again(self) -> None:
        """Take the files as they are now into force, and say what changed."""
        if self._load is None:
            return
        app = self._app
        try:
            config = await asyncio.to_thread(self._load)
        except ConfigError as error:
            words = f"{safe_line(str(error))}. What was in force stays in force."
            app.notice(words, title="Configuration not read", severity="error")
            return
        before, app.config = app.config, config
        app.state.prices = prices_of(config)
        if config.theme != before.theme and config.theme in app.theme_names:
            app.theme = config.theme
        if changes := changed_keys(before, config):
            words = f"{safe_line(', '.join(changes), limit=300)}. New panes use it."
            app.notice(words, title="Configuration read again")
        app.attachment.config_changed()
        self.warn([each for each in config.warnings if each not in before.warnings])

    def warn(self, warnings: Sequence[str]) -> None:
        """Say what works but should not stay so."""
        for warning in warnings:
            self._app.notice(f"{safe_line(warning)}.", title="Configuration", severity="warning")


def prices_of(config: Config) -> dict[str, Price]:
    """By endpoint, what it takes."""
    return {name: endpoint.price for name, endpoint in config.endpoints.items() if endpoint.price}
