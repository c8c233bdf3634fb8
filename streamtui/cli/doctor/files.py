"""Files and folders: readable, private, with room, on a file system that keeps promises.

Makes nothing and changes nothing.
"""

import os
import shutil
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streamtui.cli.doctor.facts import Facts
from streamtui.cli.doctor.findings import (
    Finding,
    Findings,
    Fix,
    note,
    ok,
    problem,
    quoted,
    run,
    shown_path,
)

MIN_FREE_BYTES = 100 * 1024**2
_MIB = 1024**2
MOUNTS = Path("/proc/self/mounts")
_UNSET_RUNTIME = "unset XDG_RUNTIME_DIR"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the program keeps its things."""

    config: Path
    log: Path
    journal: Path
    runtime: Path | None = None
    """The folder for sockets; None where none is safe."""
    runtime_complaint: str = ""
    """Why it is not the one that the environment names."""

    @property
    def managed(self) -> Path:
        return self.config.with_name("managed.toml")


def read_places(config: Path) -> Places:
    """The places of this user; `config` is the file that is read."""
    from streamtui.engine.journal.files import default_journal_path
    from streamtui.logs import default_log_path

    return Places(
        config,
        default_log_path(),
        default_journal_path(),
        *_runtime_folder(),
    )


def _runtime_folder() -> tuple[Path | None, str]:
    """The folder that platformdirs finds safe, and what it says against the one it was given."""
    from platformdirs import user_runtime_path

    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        try:
            path = user_runtime_path("streamtui")
        except OSError as error:
            return None, str(error)
    return path, str(complaints[0].message) if complaints else ""


def check_files(places: Places, facts: Facts, mounts: Path = MOUNTS) -> Findings:
    """`mounts` is the table of file systems, which need not be there."""
    yield from _check_config(places.config, facts.home)
    for path in (places.managed, places.log.parent, places.log, places.journal):
        if exists(path):
            yield _check_private(path, facts.home)
    yield from _check_folders(places)
    yield from _check_disk(places.journal.parent, facts.home, mounts)
    yield _check_runtime(places, facts)


def check_writable(folder: Path, variable: str) -> Finding | None:
    """The problem with a folder that is needed, or nothing; `variable` names another place."""
    there = _nearest(folder)
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return None
    words = f"nothing can be written below {there}"
    if not there.is_dir():
        away = run(f"mv {quoted(there)} {quoted(f'{there}.old')}")
        return problem(f"{words}, which is no folder", away)
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        other = run(f'export {variable}="$(mktemp -d)"')
        return problem(f"{words}, which is on a read-only file system", other)
    if there.stat().st_uid != os.geteuid():
        own = run(f'sudo chown -R "$(id -un)" {quoted(there)}')
        return problem(f"{words}, which belongs to another user", own)
    return problem(words, run(f"chmod u+rwx {quoted(there)}"))


def _check_config(path: Path, home: str) -> Iterator[Finding]:
    shown = shown_path(path, home)
    try:
        status = path.stat()
    except FileNotFoundError:
        yield ok(f"no {shown} so far: `streamtui config init` writes one to begin with")
        return
    except OSError as error:
        yield problem(f"{shown} cannot be read: {error.strerror}")
        return
    if not os.access(path, os.R_OK):
        yield problem(f"{shown} cannot be read", run(f"chmod u+r {quoted(path)}"))
    elif status.st_mode & 0o022:
        words = f"others can write {shown}, and send your keys elsewhere"
        yield problem(words, run(f"chmod go-w {quoted(path)}"))
    else:
        yield ok(f"{shown}, {_mode_words(status)}")


def _check_private(path: Path, home: str) -> Finding:
    status = path.stat()
    shown = shown_path(path, home)
    if not status.st_mode & 0o077:
        return ok(f"{shown}, {_mode_words(status)}")
    mode = "700" if path.is_dir() else "600"
    which = "write" if status.st_mode & 0o022 else "read"
    return problem(f"others can {which} {shown}", run(f"chmod {mode} {quoted(path)}"))


def _mode_words(status: os.stat_result) -> str:
    who = "for others to read too" if status.st_mode & 0o044 else "yours only"
    return f"{who} ({stat.S_IMODE(status.st_mode):04o})"


def _check_folders(places: Places) -> Iterator[Finding]:
    needed = {"XDG_STATE_HOME": places.log.parent, "XDG_CONFIG_HOME": places.config.parent}
    for variable, folder in needed.items():
        if found := check_writable(folder, variable):
            yield found


def _check_disk(folder: Path, home: str, mounts: Path) -> Iterator[Finding]:
    from streamtui.engine.journal.files import is_on_network

    there = _nearest(folder)
    shown = shown_path(there, home)
    free = shutil.disk_usage(there).free
    if free < MIN_FREE_BYTES:
        words = f"{free // _MIB} MiB are free at {shown}; this shows what fills it"
        yield problem(words, run(f"du -xh -d 1 {quoted(home or there)} | sort -h | tail"))
    else:
        yield ok(f"{free // _MIB:,} MiB are free at {shown}")
    if is_on_network(there.resolve(), mounts):
        yield note(f"{shown} is on a network file system, where locks may not hold")


def _check_runtime(places: Places, facts: Facts) -> Finding:
    said = facts.environ.get("XDG_RUNTIME_DIR", "")
    if places.runtime is not None and not (said and places.runtime_complaint):
        return ok(f"the folder for sockets is {shown_path(places.runtime, facts.home)}")
    words = places.runtime_complaint
    if not said:
        return problem(words, run('export XDG_RUNTIME_DIR="$(mktemp -d)"'))
    return note(words, _runtime_fix(Path(said)))


def _runtime_fix(said: Path) -> Fix:
    usual = Path(f"/run/user/{os.geteuid()}")
    if _is_own_folder(said):
        return run(f"chmod 700 {quoted(said)}")
    return run(f"export XDG_RUNTIME_DIR={usual}" if _is_own_folder(usual) else _UNSET_RUNTIME)


def _is_own_folder(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _nearest(path: Path) -> Path:
    """The path, or the nearest one above it that is there."""
    return next((p for p in (path, *path.parents) if exists(p)), Path("/"))


def exists(path: Path) -> bool:
    """Unlike `Path.exists` this does not fail where a folder above cannot be entered, or for a name
    that is too long."""
    try:
        path.stat()
    except OSError:
        return False
    return True
