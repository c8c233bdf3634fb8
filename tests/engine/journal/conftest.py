"""What the tests of the journal share."""

import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused is tried again at once."""
    monkeypatch.setattr("streamtui.engine.journal.writer.RETRY_SECONDS", 0.02)
    monkeypatch.setattr("streamtui.engine.journal.writer.SLOW_TICK_SECONDS", 0.02)


@pytest.fixture(scope="session")
def faulty_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that makes a write of the process it is loaded into fail."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler to make a faulty disk with")
    source = Path(__file__).with_name("faulty_disk.c")
    library = tmp_path_factory.mktemp("faulty") / "faulty_disk.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode:
        pytest.skip(f"no faulty disk could be made: {built.stderr.strip()[:200]}")
    return library
