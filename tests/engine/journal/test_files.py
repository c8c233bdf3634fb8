import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamtui.engine.journal import files
from streamtui.engine.journal.files import WriterLock, beside, is_on_network, set_aside
from streamtui.errors import JournalError

ROOT = Path(__file__).parents[3]


def test_a_file_is_put_aside_with_all_that_belongs_to_it(path: Path) -> None:
    path.parent.mkdir()
    ends = ["", "-journal", "-wal", "-shm"]
    for end in ends:
        beside(path, end).write_text(f"content{end}")
    kept = set_aside(path)
    assert kept.name.startswith("journal.db.corrupt-2")
    for end in ends:
        assert beside(kept, end).read_text() == f"content{end}"
        assert not beside(path, end).exists()


def test_what_was_put_aside_before_is_never_overwritten(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.strftime", lambda *_: "20260101-000000")
    path.parent.mkdir()
    names = []
    for number in range(3):
        path.write_text(str(number))
        names.append(set_aside(path))
    # Of the last there is a companion only.
    beside(path, ".corrupt-20260101-000000-4-wal").touch()
    path.write_text("3")
    names.append(set_aside(path))
    ends = ["", "-2", "-3", "-5"]
    assert [name.name for name in names] == [
        f"journal.db.corrupt-20260101-000000{end}" for end in ends
    ]
    assert [name.read_text() for name in names] == ["0", "1", "2", "3"]


MOUNTS = r"""
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/me/local\040disk xfs rw 0 0
tmpfs /covered tmpfs rw 0 0
//box/share /covered cifs rw 0 0
host:/ /mnt/über fuse.sshfs rw 0 0
/dev/sdc /mnt/stick fuseblk rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "on_network"),
    [
        ("/var/lib", False),
        ("/home/me", True),
        ("/home/me/local disk/state", False),
        ("/homely", False),
        ("/covered/state", True),
        ("/mnt/über", True),
        ("/mnt/stick/state", False),
    ],
)
def test_a_file_is_on_the_network_where_its_innermost_mount_is(
    tmp_path: Path, folder: str, on_network: bool
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS.lstrip())
    assert is_on_network(Path(folder) / "journal.db", mounts) is on_network


def test_a_link_to_the_network_is_followed(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to(tmp_path / "far")
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nbox:/ {tmp_path / 'far'} nfs rw 0 0\n")
    assert is_on_network(tmp_path / "near" / "journal.db", mounts)


def test_a_system_that_lists_no_mounts_has_no_network(tmp_path: Path) -> None:
    assert not is_on_network(tmp_path, tmp_path / "nowhere")


HOLD = """
import sys
from pathlib import Path
from streamtui.engine.journal.files import WriterLock
lock = WriterLock(Path(sys.argv[1]))
print(lock.take(), flush=True)
sys.stdin.read()
"""


def test_one_process_writes_until_it_ends_however_it_ends(path: Path) -> None:
    path.parent.mkdir()
    mine = WriterLock(path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert not mine.take()
        other.kill()
    assert mine.take()
    assert mine.take()
    second = WriterLock(path)
    assert not second.take()
    mine.free()
    mine.free()
    assert second.take()
    second.free()


def test_a_lock_knows_whether_the_machine_was_restarted(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    boot = tmp_path / "boot_id"
    monkeypatch.setattr(files, "_BOOT_ID", boot)
    known = []
    for content in ("one\n", "one\n", "two\n", None, "two\n"):
        boot.unlink(missing_ok=True)
        if content:
            boot.write_text(content)
        lock = WriterLock(path)
        assert lock.take()
        known.append(lock.same_boot)
        lock.free()
    assert known == [False, True, False, False, True]


def test_only_a_file_of_ones_own_is_taken(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.mkdir(parents=True)
    with pytest.raises(JournalError, match="no file"):
        files.prepare(path)
    path.rmdir()
    path.symlink_to("elsewhere")
    with pytest.raises(JournalError, match="symbolic link"):
        files.prepare(path)
    path.unlink()
    files.prepare(path)
    assert path.stat().st_mode & 0o777 == 0o600
    me = os.geteuid()
    monkeypatch.setattr("os.geteuid", lambda: me + 1)
    with pytest.raises(JournalError, match="another user"):
        files.prepare(path)
