"""What a console shows, as it is kept: panes, layout, marks, drafts. Pure.

Only ids and names are kept, no keys: an endpoint is looked up again by its name. Nothing of a
private session is kept at all.
"""

import msgspec
from msgspec import Struct

from streamtui.safe_text import join_surrogates
from streamtui.ui.document import Bookmark

MOST_PROMPT_CHARS = 200_000
"""About how much of the prompts of before is kept, so that a save stays cheap."""


class KeptPane(Struct, frozen=True):
    """One pane of a workspace."""

    session_id: str
    endpoint: str
    model: str
    marked: bool = False
    draft: str = ""
    """What was typed to this pane and not sent."""
    scroll: Bookmark | None = None
    """What stood in the first row; None where the end was followed."""
    last_run: str = ""
    """The last run of the conversation, which may be one of the session that it came from."""


class Workspace(Struct, frozen=True):
    """Everything that a console needs to look as it did."""

    panes: tuple[KeptPane, ...] = ()
    current: str = ""
    """The session of the pane that was the current one."""
    layout: str = "grid"
    zoomed: bool = False
    target: str = "this"
    draft: str = ""
    """What was typed and not sent, to whomever the prompt spoke."""
    prompts: tuple[str, ...] = ()
    """The prompts of before, oldest first."""
    show_events: bool = False


def newest_prompts(prompts: tuple[str, ...]) -> tuple[str, ...]:
    """As many of the latest prompts as are kept; the last one always."""
    room = MOST_PROMPT_CHARS
    for count, prompt in enumerate(reversed(prompts)):
        room -= len(prompt)
        if room < 0 and count:
            return prompts[-count:]
    return prompts


def to_bytes(workspace: Workspace) -> bytes:
    """A workspace as it is stored."""
    try:
        return msgspec.json.encode(workspace)
    except UnicodeEncodeError:
        # Half a character came from somewhere; it must not cost the rest.
        return msgspec.json.encode(_mended(msgspec.to_builtins(workspace)))


def from_bytes(data: bytes) -> Workspace | None:
    """What `to_bytes` made, also in another version; None for what cannot be read."""
    try:
        return msgspec.json.decode(data, type=Workspace)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _mended(value: object) -> object:
    match value:
        case str():
            return join_surrogates(value)
        case list() | tuple():
            return [_mended(each) for each in value]
        case dict():
            return {key: _mended(each) for key, each in value.items()}
        case _:
            return value
