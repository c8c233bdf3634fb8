"""The journal: everything that was asked and answered, on disk within a moment.

Two threads at the most: one that writes and one that reads. Neither is ever waited for by what
streams, but for the moment in which a prompt is made safe before it leaves.
"""

from streamtui.engine.journal.files import default_journal_path
from streamtui.engine.journal.journal import Journal

__all__ = ["Journal", "default_journal_path"]
