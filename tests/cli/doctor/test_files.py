"""Modes, room, file systems and folders, on real files."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from streamtui.cli.doctor import files
from streamtui.cli.doctor.facts import Facts
from streamtui.cli.doctor.files import Places, check_files, check_writable, read_places
from streamtui.cli.doctor.findings import Finding
from tests.cli.doctor.reading import about, fix_lines, states


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Everything there, and private."""
    found = Places(
        config=tmp_path / "config" / "config.toml",
        log=tmp_path / "state" / "log" / "streamtui.log",
        journal=tmp_path / "state" / "journal.db",
        runtime=tmp_path / "run",
    )
    for path in (found.config, found.managed, found.log, found.journal):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch()
        path.chmod(0o600)
    return found


def findings(places: Places, mounts: Path | None = None, **environ: str) -> list[Finding]:
    none = places.config.parent / "no mounts"
    return list(check_files(places, Facts(environ), mounts or none))


def test_private_files_have_nothing_against_them(places: Places) -> None:
    found = findings(places)
    assert set(states(found)) == {"ok"}
    assert "yours only (0600)" in about(found, "config.toml").words


def test_a_configuration_that_others_read_is_no_fault(places: Places) -> None:
    places.config.chmod(0o644)
    finding = about(findings(places), "config.toml")
    assert finding.state == "ok"
    assert "for others to read too" in finding.words


def test_a_configuration_that_others_write_is_a_problem(places: Places) -> None:
    places.config.chmod(0o666)
    finding = about(findings(places), "others can write")
    assert finding.state == "problem"
    assert fix_lines(finding) == (f"chmod go-w {places.config}",)


@pytest.mark.parametrize(
    ("name", "mode", "word", "right"),
    [
        ("managed", 0o644, "read", "600"),
        ("managed", 0o620, "write", "600"),
        ("log", 0o640, "read", "600"),
        ("journal", 0o604, "read", "600"),
    ],
)
def test_a_private_file_that_others_reach_has_its_command(
    places: Places, name: str, mode: int, word: str, right: str
) -> None:
    path: Path = getattr(places, name)
    path.chmod(mode)
    finding = about(findings(places), f"others can {word}")
    assert finding.state == "problem"
    assert fix_lines(finding) == (f"chmod {right} {path}",)


def test_the_folder_of_the_log_is_private_too(places: Places) -> None:
    places.log.parent.chmod(0o755)
    finding = about(findings(places), "others can read")
    assert fix_lines(finding) == (f"chmod 700 {places.log.parent}",)


def test_commands_quote_what_a_shell_would_split(places: Places, tmp_path: Path) -> None:
    odd = tmp_path / "my $(folder)" / "config.toml"
    odd.parent.mkdir()
    odd.touch()
    odd.chmod(0o666)
    finding = about(findings(replace(places, config=odd)), "others can write")
    assert fix_lines(finding) == (f"chmod go-w '{odd}'",)


def test_nothing_at_all_is_no_fault(tmp_path: Path) -> None:
    nowhere = tmp_path / "a" / "b"
    found = findings(Places(nowhere / "c.toml", nowhere / "l", nowhere / "j", tmp_path))
    assert set(states(found)) == {"ok"}
    assert "config init" in found[0].words
    assert list(tmp_path.iterdir()) == []


class _Usage(NamedTuple):
    free: int


def test_a_full_disk_is_a_problem(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(files.MIN_FREE_BYTES - 1))
    finding = about(findings(places, HOME="/home/me"), "99 MiB are free")
    assert finding.state == "problem"
    assert fix_lines(finding) == ("du -xh -d 1 /home/me | sort -h | tail",)


def test_a_network_file_system_is_a_note(places: Places, tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nhost:/x {tmp_path} nfs4 rw 0 0\n")
    assert about(findings(places, mounts), "network file system").state == "note"
    mounts.write_text(f"host:/x / nfs4 rw 0 0\n/dev/sda {tmp_path} ext4 rw 0 0\n")
    assert "note" not in states(findings(places, mounts))


def test_a_folder_that_belongs_to_another_user_has_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    mine = check_writable(tmp_path / "new", "XDG_STATE_HOME")
    assert mine is not None
    assert fix_lines(mine) == (f"chmod u+rwx {tmp_path}",)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    theirs = check_writable(tmp_path / "new", "XDG_STATE_HOME")
    assert theirs is not None
    assert fix_lines(theirs) == (f'sudo chown -R "$(id -un)" {tmp_path}',)


def test_a_runtime_folder_that_is_refused_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(shared))
    found = read_places(tmp_path / "c.toml")
    assert found.runtime is not None
    if not found.runtime_complaint:
        pytest.skip("this version of platformdirs takes any folder")
    finding = findings(found, XDG_RUNTIME_DIR=str(shared))[-1]
    assert finding.state == "note"
    assert fix_lines(finding) == (f"chmod 700 {shared}",)


def test_without_a_safe_runtime_folder_there_is_a_problem(places: Places) -> None:
    unsafe = replace(places, runtime=None, runtime_complaint="/tmp/runtime-1 is a symlink")
    finding = findings(unsafe)[-1]
    assert finding.state == "problem"
    assert fix_lines(finding) == ('export XDG_RUNTIME_DIR="$(mktemp -d)"',)
