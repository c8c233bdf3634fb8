"""What is known of each attempt of a run: by which way, what was answered, why it failed."""

from dataclasses import dataclass, field

from streamtui.events import AttemptFailed, AttemptStarted, ErrorInfo, ResponseStarted


@dataclass
class Attempt:
    """One try on the wire. Text of the endpoint is raw: it is made safe where it is drawn."""

    number: int
    of: int
    """How many there will be at the most."""
    route: str
    endpoint: str = ""
    """Who was asked; empty where nobody said."""
    model: str = ""
    status: int | None = None
    """None until the endpoint answered."""
    request_id: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    """Those about rate limits and requests."""
    error: ErrorInfo | None = None


def note(attempts: list[Attempt], body: AttemptStarted | ResponseStarted | AttemptFailed) -> None:
    """Add what an event says to the attempts of its run."""
    if isinstance(body, AttemptStarted):
        attempts.append(Attempt(body.attempt, body.of, body.route, body.endpoint, body.model))
    elif attempts and isinstance(body, ResponseStarted):
        attempts[-1].status = body.status
        attempts[-1].request_id, attempts[-1].headers = body.request_id, body.headers
    elif attempts and isinstance(body, AttemptFailed):
        attempts[-1].error = body.error
