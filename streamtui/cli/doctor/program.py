"""The program itself: its version, its libraries, and what about them is known to go wrong."""

import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path

from streamtui.cli.doctor.findings import (
    Finding,
    Findings,
    note,
    ok,
    problem,
    quoted,
    run,
    shown_path,
)

_NAME = "streamtui"
_SHOWN = ("aiohttp", "textual")
_COMPILED = "aiohttp._http_parser"
_NO_EXTENSIONS = "AIOHTTP_NO_EXTENSIONS"
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)\s*(?P<limits>[^;]*)")
_LIMIT = re.compile(r"(>=|<)\s*([0-9.]+)")

_WAL_BUG_SINCE = (3, 7, 0)
_WAL_BUG_FIXED = (3, 51, 3)
_WAL_BUG_FIXED_BEFORE: dict[tuple[int, ...], int] = {(3, 44): 6, (3, 50): 7}
"""Older series that got the correction too. https://www.sqlite.org/wal.html#walresetbug"""


@dataclass(frozen=True, slots=True)
class ProgramFacts:
    """Versions, and where everything is."""

    version: str
    python: str
    executable: str
    folder: str
    requirements: tuple[str, ...]
    """What the installation asks for, each as `name>=1.2,<2`; none when it is not installed."""
    versions: Mapping[str, str]
    """Of the libraries that are there."""
    http_parser: str
    """The module of the parser that aiohttp uses."""
    sqlite: str


def read_program() -> ProgramFacts:
    """The facts of this process."""
    import sqlite3
    import sys

    import streamtui

    requirements = _requirements()
    return ProgramFacts(
        version=streamtui.__version__,
        python=platform.python_version(),
        executable=sys.executable,
        folder=str(Path(streamtui.__file__).parent),
        requirements=requirements,
        versions=dict(_versions({*_SHOWN, *map(_name_of, requirements)})),
        http_parser=_http_parser(),
        sqlite=sqlite3.sqlite_version,
    )


def check_program(facts: ProgramFacts, environ: Mapping[str, str] = os.environ) -> Findings:
    """Versions, libraries, parser, SQLite."""
    folder = shown_path(facts.folder, environ.get("HOME", ""))
    yield ok(f"streamtui {facts.version}, Python {facts.python}, in {folder}")
    yield from _check_libraries(facts)
    yield _check_parser(facts, environ)
    yield _check_sqlite(facts.sqlite)


def _check_libraries(facts: ProgramFacts) -> Iterator[Finding]:
    if not facts.requirements:
        yield note(
            "this is not an installation: versions of libraries are not checked",
            run(f"{quoted(facts.executable)} -m pip install -e ."),
        )
    wrong = [text for text in facts.requirements if not _is_met(text, facts.versions)]
    for text in wrong:
        found = facts.versions.get(_name_of(text), "not installed")
        yield problem(
            f"{text} is needed, and here it is {found}",
            run(f"{quoted(facts.executable)} -m pip install -U {quoted(text)}"),
        )
    if not wrong:
        shown = (f"{name} {facts.versions.get(name, 'missing')}" for name in _SHOWN)
        yield ok(", ".join(shown))


def _check_parser(facts: ProgramFacts, environ: Mapping[str, str]) -> Finding:
    if facts.http_parser == _COMPILED:
        return ok("aiohttp reads answers with its parser in C")
    # The one in Python also takes two lengths for one body, and no more than 126 headers.
    words = "aiohttp reads answers with its parser in Python: slower, and less strict"
    if environ.get(_NO_EXTENSIONS):
        return note(f"{words} ({_NO_EXTENSIONS} is set)", run(f"unset {_NO_EXTENSIONS}"))
    python = quoted(facts.executable)
    return note(words, run(f"{python} -m pip install --force-reinstall --no-cache-dir aiohttp"))


def _check_sqlite(version: str) -> Finding:
    numbers = _numbers(version)
    repaired = _WAL_BUG_FIXED_BEFORE.get(numbers[:2])
    is_repaired = repaired is not None and numbers[2:] >= (repaired,)
    if _WAL_BUG_SINCE <= numbers < _WAL_BUG_FIXED and not is_repaired:
        return note(
            f"SQLite {version} can damage a file that several programs write at once; 3.51.3 cannot"
        )
    return ok(f"SQLite {version}")


def _requirements() -> tuple[str, ...]:
    """Those of the program itself, without the extras."""
    try:
        found = metadata.requires(_NAME) or []
    except metadata.PackageNotFoundError:
        return ()
    return tuple(text.strip() for text in found if ";" not in text)


def _versions(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def _http_parser() -> str:
    # By its name: nothing here opens a connection, and only the transport imports aiohttp.
    try:
        return str(import_module("aiohttp.http_parser").HttpResponseParser.__module__)
    except ImportError:
        return ""


def _name_of(requirement: str) -> str:
    match = _REQUIREMENT.match(requirement)
    return match["name"] if match else requirement


def _is_met(requirement: str, versions: Mapping[str, str]) -> bool:
    match = _REQUIREMENT.match(requirement)
    if match is None or match["name"] not in versions:
        return False
    found = _numbers(versions[match["name"]])
    return all(
        found >= _numbers(limit) if sign == ">=" else found < _numbers(limit)
        for sign, limit in _LIMIT.findall(match["limits"])
    )


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers at the beginning of a version; what comes after them is left out."""
    leading = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, leading[0].split("."))) if leading else ()
