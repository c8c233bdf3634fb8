"""A process is killed while it streams a hundred answers.

STREAMTUI_KILLS says how often; `python -m tests.bench.journal` prints what is lost.
"""

import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.engine.journal.kills import losses

KILLS = int(os.environ.get("STREAMTUI_KILLS", "2"))
MOST_LOST_MS = 250


@pytest.mark.timeout(60 + 10 * KILLS)
async def test_of_what_was_published_before_a_kill_a_quarter_of_a_second_is_lost_at_most(
    tmp_path: Path,
) -> None:
    rng = random.Random()
    for number in range(KILLS):
        lost = await losses(tmp_path, f"kill{number}", rng)
        assert max(lost) <= MOST_LOST_MS
        # Moments are rounded where they are published.
        assert min(lost) > -1
    with closing(sqlite3.connect(tmp_path / "state" / "journal.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
