"""What is asked before there is a screen to show it: a request leaves while Textual is imported."""

from collections.abc import Callable, Iterable

from streamtui.config import Endpoint
from streamtui.engine.doors import Doors, Subscription


class Asked:
    """A session for each endpoint, all of them sent the same prompt; no event of theirs is missed.

    `sessions` are their endpoints, by session id.
    """

    def __init__(self, doors: Doors, endpoints: Iterable[Endpoint], prompt: str) -> None:
        self._doors = doors
        self._wake: Callable[[], object] = lambda: None
        self._subscription = doors.subscribe(self._events_wait, from_start=True)
        self.sessions = {doors.open_session(endpoint): endpoint for endpoint in endpoints}
        for session_id in self.sessions:
            doors.send(session_id, prompt)

    def take_over(self, wake: Callable[[], object]) -> Subscription:
        """The subscription from the beginning on; `wake` is called from now on, and once now."""
        self._wake = wake
        wake()
        return self._subscription

    def take_back(self) -> None:
        """There will be no screen: nobody meant the answers."""
        for session_id in self.sessions:
            self._doors.close_session(session_id)

    def _events_wait(self) -> None:
        self._wake()
