"""Theme files: what they must say, what a mistake in them says, and whether one can read in them."""

import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import get_args

import pytest
from rich.color import Color as RichColor
from rich.color import ColorSystem
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from textual.app import App, ComposeResult
from textual.color import Color
from textual.theme import Theme
from textual.widgets import Button, Checkbox, Footer, Input, OptionList, Static, Tree

from streamtui.errors import ConfigError
from streamtui.ui import themes
from streamtui.ui.pane_state import Phase
from streamtui.ui.themes import load_theme, load_themes, themes_dir

RGB = tuple[int, int, int]
Render = Callable[[str], RGB]

THEMES = {theme.name: theme for theme in load_themes()}
PAINTED = ("night", "ember", "paper")
NIGHT = (themes_dir() / "night.toml").read_text(encoding="utf-8")
STATES = [phase.replace(" ", "-") for phase in get_args(Phase)]
READ_IN_PASSING = (
    "target-this",
    "target-marked",
    "target-all",
    "prompt-text",
    "reasoning",
    "muted",
)


def true_color(value: str) -> RGB:
    return Color.parse(value).rgb


def color_of_256(value: str) -> RGB:
    """What Rich, and so Textual, sends to a terminal without true colour."""
    color = RichColor.from_rgb(*true_color(value)).downgrade(ColorSystem.EIGHT_BIT)
    red, green, blue = color.get_truecolor(DEFAULT_TERMINAL_THEME)
    return red, green, blue


def linear(channel: float) -> float:
    channel /= 255
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def contrast(one: RGB, other: RGB) -> float:
    """WCAG 2.2, "contrast ratio"."""
    dark, light = sorted(
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) for r, g, b in (one, other)
    )
    return (light + 0.05) / (dark + 0.05)


def distance(one: RGB, other: RGB) -> float:
    """CIE 1976 colour difference; about 2 can just be seen."""
    (l1, a1, b1), (l2, a2, b2) = lab(one), lab(other)
    return float(((l1 - l2) ** 2 + (a1 - a2) ** 2 + (b1 - b2) ** 2) ** 0.5)


def lab(color: RGB) -> tuple[float, float, float]:
    r, g, b = map(linear, color)
    x, y, z = (
        value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116
        for value in (
            (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047,
            0.2126 * r + 0.7152 * g + 0.0722 * b,
            (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883,
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def grounds(theme: Theme) -> list[str]:
    assert theme.background
    assert theme.surface
    return [theme.background, theme.surface]


def write(folder: Path, text: str, name: str = "night.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def mistake(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_theme(write(folder, text))
    assert caught.value.file == str(folder / "night.toml")
    return caught.value


# --- loading --------------------------------------------------------------------------------


def test_four_themes_come_with_the_program() -> None:
    assert {name: theme.dark for name, theme in THEMES.items()} == {
        "ember": True,
        "night": True,
        "paper": False,
        "terminal": True,
    }


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES.keys())
def test_every_state_has_a_color_under_the_name_of_its_variable(theme: Theme) -> None:
    named = {name for name in theme.variables if name.startswith("state-")}
    assert named == {f"state-{state}" for state in STATES}


def test_themes_are_found_in_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "streamtui" / "ui").mkdir(parents=True)
    monkeypatch.setattr(themes, "__file__", str(tmp_path / "streamtui" / "ui" / "themes.py"))
    assert themes_dir() == tmp_path / "themes"
    (tmp_path / "streamtui" / "themes").mkdir()
    assert themes_dir() == tmp_path / "streamtui" / "themes"


def test_a_new_file_is_a_new_theme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, NIGHT)
    write(tmp_path, NIGHT.replace('"night"', '"dusk"'), "dusk.toml")
    write(tmp_path, "no theme", "notes.txt")
    monkeypatch.setattr(themes, "themes_dir", lambda: tmp_path)
    assert [theme.name for theme in load_themes()] == ["dusk", "night"]


def test_variables_of_textual_can_be_set(tmp_path: Path) -> None:
    widgets = '\n[widgets]\nscrollbar = "#123456"\nlink-style-hover = "bold not underline"\n'
    theme = load_theme(write(tmp_path, NIGHT + widgets))
    generated = theme.to_color_system().generate() | theme.variables
    assert generated["scrollbar"] == "#123456"
    assert generated["link-style-hover"] == "bold not underline"


# --- mistakes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ("state-done", "state-dun", "console.state-dun", "did you mean state-done"),
        ("panel =", "pannel =", "palette.pannel", "did you mean panel"),
        ("dark = true", "dark = true\nlight = 1", "light", "unknown key"),
        ("dark = true", 'dark = "yes"', "dark", "expected bool, got str"),
        ('muted = "#8b93a1"', "muted = 7", "console.muted", "expected str, got int"),
        ('muted = "#8b93a1"', 'muted = "#8b93a"', "console.muted", "'#8b93a' is not a colour"),
        ('muted = "#8b93a1"', 'muted = "bleu"', "console.muted", "did you mean blue"),
        ('name = "night"', 'name = "day"', "name", "must be 'night'"),
        ("[palette]", "[palette]\n[colors]", "colors", "unknown key"),
    ],
)
def test_a_mistake_names_file_line_and_key(
    tmp_path: Path, old: str, new: str, key: str, words: str
) -> None:
    text = re.sub(rf"(?m)^{re.escape(old)}", new, NIGHT)
    assert text != NIGHT
    error = mistake(tmp_path, text)
    assert error.key == key
    assert words in error.reason
    assert error.line
    assert text.split("\n")[error.line - 1].strip(" []").startswith(key.rpartition(".")[2])


def test_a_missing_key_is_reported_at_its_table(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^state-done.*\n", "", NIGHT)
    error = mistake(tmp_path, text)
    assert (error.key, error.reason) == ("console.state-done", "this key is missing")
    assert error.line
    assert text.split("\n")[error.line - 1] == "[console]"


def test_a_missing_table_is_reported(tmp_path: Path) -> None:
    error = mistake(tmp_path, NIGHT[: NIGHT.index("[console]")])
    assert (error.key, error.reason) == ("console", "this key is missing")


def test_a_table_must_be_a_table(tmp_path: Path) -> None:
    error = mistake(tmp_path, 'name = "night"\ndark = true\nconsole = {}\npalette = 7\n')
    assert (error.key, error.line, error.reason) == ("palette", 4, "must be a table: [palette]")


@pytest.mark.parametrize(
    ("line", "key", "words"),
    [
        ('scrolbar = "#fff"', "widgets.scrolbar", "did you mean scrollbar"),
        ('primary = "#fff"', "widgets.primary", "unknown key"),
        ('scrollbar = "bold"', "widgets.scrollbar", "'bold' is not a colour"),
        (
            'link-style = "bald"',
            "widgets.link-style",
            "'bald' is not a text style; did you mean bold",
        ),
        ("scrollbar = 1", "widgets", "expected str, got int"),
    ],
)
def test_a_mistake_in_a_variable_of_textual_is_found(
    tmp_path: Path, line: str, key: str, words: str
) -> None:
    error = mistake(tmp_path, f"{NIGHT}\n[widgets]\n{line}\n")
    assert error.key == key
    assert words in error.reason


def test_an_ansi_theme_without_its_ground_colors_is_refused(tmp_path: Path) -> None:
    error = mistake(tmp_path, NIGHT.replace("dark = true", "dark = true\nansi = true"))
    assert error.key == "widgets.ansi-background"


@pytest.mark.parametrize("text", ["[palette", "name = ", "\x00", "a = " + "[" * 5000])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, text: str) -> None:
    assert mistake(tmp_path, text).reason


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "night.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load_theme(tmp_path / "night.toml")


# --- colours --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAINTED)
@pytest.mark.parametrize("render", [true_color, color_of_256])
def test_body_text_can_be_read_for_hours(name: str, render: Render) -> None:
    theme = THEMES[name]
    assert theme.foreground
    for ground in (*grounds(theme), theme.variables["code-background"]):
        assert contrast(render(theme.foreground), render(ground)) >= 7


@pytest.mark.parametrize("name", PAINTED)
@pytest.mark.parametrize(("render", "enough"), [(true_color, 4.5), (color_of_256, 4.0)])
def test_states_and_small_print_can_be_read(name: str, render: Render, enough: float) -> None:
    theme = THEMES[name]
    words = [f"state-{state}" for state in STATES] + [*READ_IN_PASSING, "log-time", "log-event"]
    poor = {
        (word, ground): ratio
        for word in words
        for ground in grounds(theme)
        if (ratio := contrast(render(theme.variables[word]), render(ground))) < enough
    }
    assert not poor


@pytest.mark.parametrize("name", PAINTED)
@pytest.mark.parametrize("render", [true_color, color_of_256])
def test_ends_of_a_run_cannot_be_mistaken_for_each_other(name: str, render: Render) -> None:
    colors = {
        state: render(THEMES[name].variables[f"state-{state}"])
        for state in ("streaming", "failed", "cut-off", "retry", "done")
    }
    near = {
        (one, other): distance(colors[one], colors[other])
        for one, other in combinations(colors, 2)
        if distance(colors[one], colors[other]) < 30
    }
    assert not near


@pytest.mark.parametrize("name", PAINTED)
@pytest.mark.parametrize("render", [true_color, color_of_256])
def test_the_focused_pane_stands_out(name: str, render: Render) -> None:
    theme = THEMES[name]
    focused, quiet = (render(theme.variables[f"pane-border{end}"]) for end in ("-focus", ""))
    for ground in map(render, grounds(theme)):
        assert contrast(focused, ground) >= 3
        assert 1.5 <= contrast(quiet, ground) < contrast(focused, ground) / 2


@pytest.mark.parametrize("name", PAINTED)
def test_grounds_stay_apart_and_grey_with_256_colors(name: str) -> None:
    theme = THEMES[name]
    assert theme.panel
    shown = [color_of_256(color) for color in (*grounds(theme), theme.panel)]
    assert len(set(shown)) == 3
    assert all(len(set(color)) == 1 for color in shown)


def test_the_terminal_theme_leaves_every_color_to_the_terminal() -> None:
    theme = THEMES["terminal"]
    own = [value for name, value in theme.variables.items() if "-style" not in name]
    palette = [theme.primary, theme.foreground, theme.background, theme.error, theme.boost]
    assert theme.ansi
    assert all(value and Color.parse(value).ansi is not None for value in (*own, *palette))


def test_the_terminal_theme_tells_the_ends_of_a_run_apart() -> None:
    states = ("streaming", "failed", "cut-off", "retry", "done")
    assert len({THEMES["terminal"].variables[f"state-{state}"] for state in states}) == 5


# --- inside Textual -------------------------------------------------------------------------


class Gallery(App[None]):
    CSS = """
    #pane { border: round $pane-border-focus; color: $state-streaming; }
    #code { background: $code-background; color: $reasoning; }
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.register_theme(theme)
        self.theme = theme.name

    def compose(self) -> ComposeResult:
        yield Static("pane", id="pane")
        yield Static("code", id="code")
        yield Input("text")
        yield OptionList("one", "two")
        yield Tree[None]("root")
        yield Checkbox("check")
        yield Button("press")
        yield Footer()


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES.keys())
async def test_textual_draws_in_every_theme(theme: Theme) -> None:
    app = Gallery(theme)
    async with app.run_test():
        styles = app.query_one("#pane").styles
        assert styles.color == Color.parse(theme.variables["state-streaming"])
        assert styles.border_top[1] == Color.parse(theme.variables["pane-border-focus"])
        assert app.native_ansi_color is theme.ansi


@pytest.mark.parametrize("name", PAINTED)
@pytest.mark.parametrize(("render", "enough"), [(true_color, 4.5), (color_of_256, 3.0)])
def test_states_can_be_read_on_the_bars_of_small_panes(
    name: str, render: Render, enough: float
) -> None:
    theme = THEMES[name]
    assert theme.panel
    assert theme.foreground
    assert contrast(render(theme.foreground), render(theme.panel)) >= 7
    poor = {
        state: ratio
        for state in STATES
        if (ratio := contrast(render(theme.variables[f"state-{state}"]), render(theme.panel)))
        < enough
    }
    assert not poor
