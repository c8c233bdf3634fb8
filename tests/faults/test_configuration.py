"""Configuration files that are broken or meant to hurt: refused at once, with line and key."""

import time
import tracemalloc
from pathlib import Path

import pytest

from streamtui.config import load_config
from streamtui.errors import ConfigError
from tests.cli.conftest import Program

OWN = b'[endpoints.own]\ndialect = "openai-chat"\nbase_url = "https://host.example/v1"\n'
MOST_SECONDS = 0.2
MOST_BYTES = 100_000_000

HOSTILE = [
    pytest.param(b"\n" + b".".join([b"a"] * 20_000) + b" = 1", 2, "a.a.a", id="40-KB-dotted-key"),
    pytest.param(OWN + b"model = " + b"[" * 100_000, 4, "endpoints.own.model", id="100-k-brackets"),
    pytest.param(OWN + b"#" * 10_000_000, None, "", id="10-MB"),
    pytest.param(OWN + b'model = "\xff"', 4, "", id="bad-UTF-8"),
    pytest.param(b"\xef\xbb\xbf" + OWN, 1, "", id="byte-order-mark"),
    pytest.param(
        b'\n[endpoints."\\u001b]0;pwn"]\n', 2, "endpoints.'\\x1b]0;pwn'", id="escape-in-a-name"
    ),
]


def refused(path: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ={})
    return caught.value


def seconds_to_refuse(path: Path) -> float:
    before = time.process_time()
    refused(path)
    return time.process_time() - before


def bytes_to_refuse(path: Path) -> int:
    tracemalloc.start()
    try:
        refused(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("content", "line", "key"), HOSTILE)
def test_a_hostile_file_is_refused_at_once_and_in_little_memory(
    tmp_path: Path, content: bytes, line: int | None, key: str
) -> None:
    """Time is that of the processor, the best of three: what else the machine does is no matter."""
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    error = refused(path)
    assert error.line == line
    assert error.key.startswith(key)
    assert str(error).startswith(str(path) if line is None else f"{path}:{line}: ")
    assert error.reason
    assert "\x1b" not in str(error)
    assert min(seconds_to_refuse(path) for _ in range(3)) <= MOST_SECONDS
    assert bytes_to_refuse(path) <= MOST_BYTES


async def test_a_hostile_file_is_told_in_one_line_by_the_program(program: Program) -> None:
    program.config.parent.mkdir(parents=True)
    program.config.write_bytes(OWN + b"model = " + b"[" * 100_000)
    ended = await program.run("run", "hi")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"{program.config}:4: endpoints.own.model")
    assert ended.err.count("\n") == 1
    assert len(ended.err) < 500
