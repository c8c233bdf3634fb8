"""What is installed from a wheel is whole, and importing it costs no more than it must."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [built] = folder.glob("*.whl")
    return built


def test_the_wheel_holds_themes_and_the_example_configuration(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for theme in (ROOT / "themes").glob("*.toml"):
        assert f"streamtui/themes/{theme.name}" in names
    assert "streamtui/config.example.toml" in names
    assert "streamtui/ui/app.tcss" in names
    assert "streamtui/py.typed" in names


def test_themes_are_found_in_an_unpacked_wheel(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    script = (
        "from streamtui.ui.themes import load_themes, themes_dir;"
        "print(themes_dir()); print(len(load_themes()))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout.split()
    assert shown == [
        str(tmp_path / "streamtui" / "themes"),
        str(len(list((ROOT / "themes").glob("*.toml")))),
    ]


def modules_after(statement: str) -> set[str]:
    """The top-level packages loaded by a statement in a fresh interpreter."""
    script = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    shown = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout
    return set(shown.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import streamtui",
        "from streamtui import LLM",
        "import streamtui.engine.host, streamtui.engine.engine",
        "import streamtui.langchain",
        "import streamtui.demo.server",
        "import streamtui.cli.run",
    ],
)
def test_nothing_but_the_console_imports_textual(statement: str) -> None:
    assert not {"textual", "rich"} & modules_after(statement)


def test_the_package_alone_imports_nothing_heavy() -> None:
    loaded = modules_after("import streamtui")
    assert not {"aiohttp", "msgspec", "click", "asyncio"} & loaded


def test_the_console_imports_no_web_server_and_no_client_before_it_is_used() -> None:
    loaded = modules_after("import streamtui.ui.app")
    assert "aiohttp" not in loaded
    assert "aiohttp.web" not in loaded


def test_the_engine_imports_no_web_server() -> None:
    assert "aiohttp.web" not in modules_after("import streamtui.engine.engine, streamtui.demo")
