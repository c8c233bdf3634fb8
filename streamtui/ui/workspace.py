"""What a console shows, as it is kept: panes, layout, marks, drafts. Pure.

Only ids and names are kept, no keys: an endpoint is looked up again by its name.
"""

import msgspec
from msgspec import Struct


class KeptPane(Struct, frozen=True):
    """One pane of a workspace."""

    session_id: str
    endpoint: str
    model: str
    marked: bool = False
    draft: str = ""
    """What was typed to this pane and not sent."""
    scroll: int | None = None
    """The first row that was shown; None where the end was followed."""
    private: bool = False


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


def to_bytes(workspace: Workspace) -> bytes:
    """A workspace as it is stored."""
    return msgspec.json.encode(workspace)


def from_bytes(data: bytes) -> Workspace | None:
    """What `to_bytes` made, also in another version; None for what cannot be read."""
    try:
        return msgspec.json.decode(data, type=Workspace)
    except msgspec.DecodeError:
        return None
