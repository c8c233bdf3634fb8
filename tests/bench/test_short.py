"""Each program that measures still works; what it prints, nobody judges here."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.bench.__main__ import PROGRAMS

pytestmark = pytest.mark.timeout(120)


def numbers(found: object) -> Iterator[float]:
    """All numbers of a piece of JSON."""
    match found:
        case bool():
            pass
        case int() | float():
            yield found
        case dict():
            for value in found.values():
                yield from numbers(value)
        case list():
            for value in found:
                yield from numbers(value)


@pytest.mark.parametrize("name", [name for name, short in PROGRAMS.items() if short])
def test_a_program_prints_figures(name: str) -> None:
    command = [sys.executable, "-m", f"tests.bench.{name}", *PROGRAMS[name], "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    figures = list(numbers(found))
    assert figures
    assert all(map(math.isfinite, figures))
    assert any(figures)
