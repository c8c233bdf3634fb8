"""Where the engine runs, and how its faces reach it: in a thread, or in a process of its own.

Both ways lead to the same three doors, and a face cannot tell which it took.
"""

from streamtui.engine.host.thread import EngineThread

__all__ = ["EngineThread"]
