"""Notices on screen: equal ones become one with a count, and there are never more than five.

Only text that has been made safe comes here, and none of it is read as markup.
"""

from textual.notifications import Notification, Notifications, SeverityLevel

from streamtui.ui.state import Toast

MOST_TOASTS = 5
SECONDS: dict[SeverityLevel, float] = {"information": 4.0, "warning": 7.0, "error": 12.0}


class Toasts:
    """Which notices stand on screen, and how often each was raised."""

    def __init__(self, notifications: Notifications) -> None:
        self._notifications = notifications
        self._counts: dict[Toast, int] = {}
        self._shown: dict[Toast, Notification] = {}

    def add(self, toast: Toast) -> None:
        """Show a notice, or count it on the one that says the same."""
        self._forget_expired()
        count = self._counts.get(toast, 0) + 1
        if earlier := self._shown.pop(toast, None):
            self._take_down(earlier)
        while len(self._shown) >= MOST_TOASTS:
            self._drop_oldest()
        self._counts[toast] = count
        self._shown[toast] = self._put_up(toast, count)

    def _put_up(self, toast: Toast, count: int) -> Notification:
        title = f"{toast.title} ×{count}" if count > 1 else toast.title
        notification = Notification(
            toast.message, title, toast.severity, SECONDS[toast.severity], markup=False
        )
        self._notifications.add(notification)
        return notification

    def _drop_oldest(self) -> None:
        toast = next(iter(self._shown))
        self._take_down(self._shown.pop(toast))
        self._counts.pop(toast)

    def _take_down(self, notification: Notification) -> None:
        if notification in self._notifications:
            del self._notifications[notification]

    def _forget_expired(self) -> None:
        for toast in [
            toast for toast, shown in self._shown.items() if shown not in self._notifications
        ]:
            del self._shown[toast]
            del self._counts[toast]
