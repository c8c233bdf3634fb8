"""The journal: everything that was asked and answered, on disk within a moment.

What is published is taken in `intake`, made into what is to be written by `ledger`, waits in
`backlog` while the disk refuses, is written by `store` as one log for all runs, and shared out to
these by `packing`; `history` finds it again. `writer` is the thread on which all of it happens, but
for the first and the last: what streams never waits for it, but for the moment in which a prompt is
made safe before it leaves.
"""

from streamtui.engine.journal.files import default_journal_path
from streamtui.engine.journal.journal import Journal

__all__ = ["Journal", "default_journal_path"]
