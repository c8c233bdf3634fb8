"""A home for each test, on systems where processes are found through /proc."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lifetimes.home import Home, home_in

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not sys.platform.startswith("linux"):
        for item in items:
            if item.path.is_relative_to(HERE):
                item.add_marker(pytest.mark.skip(reason="engines are found through /proc"))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with home_in(tmp_path) as home:
        yield home
