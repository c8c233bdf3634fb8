"""How often a long-lived process looks for objects that only hold each other.

A stream makes many small objects that are gone at once, and hardly any cycles; looking for those
as often as Python does of itself takes a fifth of the console's time.
"""

import gc

_NEW_OBJECTS = 20_000
_ROUNDS = (20, 100)


def look_rarely() -> None:
    """From now on; what was imported so far is there to stay and is never looked at again."""
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, *_ROUNDS)
