"""Copying: every way is tried, none can hold anything up, and the words say which."""

import asyncio
import os
import stat
import time
from pathlib import Path

import pytest

from streamtui.ui import clipboard


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def put_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, script: str) -> None:
    """Have a program of this name found before all others."""
    programs = tmp_path / "bin"
    programs.mkdir()
    path = programs / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_file_is_always_written_for_its_owner_only(folder: Path) -> None:
    sent: list[str] = []
    tried = await clipboard.copy("text\x1b[2J", sent.append, environment={}, folder=folder)
    path = folder / clipboard.FILE_NAME
    assert sent == ["text\x1b[2J"]
    assert path.read_text() == "text\x1b[2J"
    assert mode_of(path) == 0o600
    assert mode_of(folder) == 0o700
    assert tried == f"OSC 52, {path}"


async def test_inside_tmux_its_buffer_is_loaded_too(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_program(tmp_path, monkeypatch, "tmux", f'echo "$@" > {tmp_path}/args; cat > {tmp_path}/in')
    tried = await clipboard.copy("text", lambda _: None, environment={"TMUX": "x"}, folder=folder)
    assert (tmp_path / "args").read_text() == "load-buffer -w -\n"
    assert (tmp_path / "in").read_text() == "text"
    assert tried.startswith("OSC 52, tmux, ")


async def test_a_native_tool_is_used_where_there_is_a_display(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_program(tmp_path, monkeypatch, "xclip", "exit 1")
    tried = await clipboard.copy(
        "text", lambda _: None, environment={"DISPLAY": ":0"}, folder=folder
    )
    assert "xclip (failed)" in tried


async def test_a_tool_that_hangs_is_ended(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clipboard, "TOOL_DEADLINE", 0.2)
    put_program(tmp_path, monkeypatch, "tmux", "exec sleep 60")
    started = time.monotonic()
    tried = await clipboard.copy("text", lambda _: None, environment={"TMUX": "x"}, folder=folder)
    assert "tmux (failed)" in tried
    assert time.monotonic() - started < 10


async def test_a_tool_does_not_outlive_a_copy_that_is_given_up(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "started")
    put_program(
        tmp_path, monkeypatch, "tmux", f"read _; echo $$ > {tmp_path}/started; exec sleep 60"
    )
    copying = clipboard.copy("text\n", lambda _: None, environment={"TMUX": "x"}, folder=folder)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(copying, name="copy")
        pid = int(await asyncio.to_thread((tmp_path / "started").read_text))
        task.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("character", ["x", "水"])
async def test_what_terminals_refuse_is_not_sent_to_them(folder: Path, character: str) -> None:
    sent: list[str] = []
    text = character * (clipboard.MOST_OSC_52 // len(character.encode()) + 1)
    tried = await clipboard.copy(text, sent.append, environment={}, folder=folder)
    assert sent == []
    assert tried == str(folder / clipboard.FILE_NAME)


def link(folder: Path, target: Path) -> None:
    target.write_text("precious")
    folder.mkdir()
    (folder / clipboard.FILE_NAME).symlink_to(target)


async def test_a_link_in_the_file_s_place_is_replaced_not_followed(
    folder: Path, tmp_path: Path
) -> None:
    target = tmp_path / "precious"
    link(folder, target)
    await clipboard.copy("text", lambda _: None, environment={}, folder=folder)
    assert target.read_text() == "precious"
    assert (folder / clipboard.FILE_NAME).read_text() == "text"


async def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    tried = await clipboard.copy(
        "text", lambda _: None, environment={}, folder=tmp_path / "file" / "folder"
    )
    assert tried == "OSC 52, no file could be written"
