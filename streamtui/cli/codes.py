"""The exit codes, in one place that costs nothing to import."""

ANSWERED = 0
BUG = 1
USAGE = 2
REFUSED = 3
OVERLOADED = 4
NETWORK = 5
BROKEN = 6
CANCELLED = 130

WORST_FIRST = (BUG, CANCELLED, USAGE, REFUSED, NETWORK, BROKEN, OVERLOADED, ANSWERED)
"""With several endpoints the first of these counts: the less a mere repetition would help, the
worse. An interrupted command says so, unless we have a bug."""
