"""streamtui: many LLM streams at once; the console, the command line and this library.

`LLM` and the exceptions are imported on first use, so that `import streamtui` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamtui.errors import (
        ConfigError,
        DeadlineError,
        ProtocolError,
        ProviderError,
        RunError,
        StatusError,
        StreamTUIError,
        TransportError,
    )
    from streamtui.llm import LLM

__version__ = "0.1.0"

_ERRORS = (
    "ConfigError",
    "DeadlineError",
    "ProtocolError",
    "ProviderError",
    "RunError",
    "StatusError",
    "StreamTUIError",
    "TransportError",
)
_HOMES = {"LLM": "streamtui.llm"} | dict.fromkeys(_ERRORS, "streamtui.errors")

__all__ = [
    "LLM",
    "ConfigError",
    "DeadlineError",
    "ProtocolError",
    "ProviderError",
    "RunError",
    "StatusError",
    "StreamTUIError",
    "TransportError",
    "__version__",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(home), name)
