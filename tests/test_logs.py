import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamtui.logs import log_to_file


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def test_the_log_is_private_and_hides_keys(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "streamtui.log"
    log_to_file(path)
    logging.getLogger("streamtui.test").error("sent Authorization: Bearer sk-proj-0123456789abcdef")
    assert "sent Authorization: ***" in path.read_text()
    assert "sk-proj" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_tracebacks_are_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "streamtui.log"
    log_to_file(path)
    try:
        raise KeyError("lost")
    except KeyError:
        logging.getLogger("streamtui.test").exception("a bug")
    assert "KeyError: 'lost'" in path.read_text()


def test_a_symlink_in_its_place_is_not_followed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    path = tmp_path / "streamtui.log"
    path.symlink_to(target)
    log_to_file(path)
    logging.getLogger("streamtui.test").error("x")
    assert target.read_text() == "mine"
    assert capfd.readouterr().err == ""


def test_a_folder_that_cannot_be_made_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log_to_file(tmp_path / "file" / "streamtui.log")
    logging.getLogger("streamtui.test").error("x")
