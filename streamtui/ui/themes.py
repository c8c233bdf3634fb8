"""Colour themes: TOML files, checked, as Textual themes. A new theme is a new file, no code.

Beside Textual's own variables a theme has those of the console, under the name that they have in
the file: `state-streaming` there is `$state-streaming` in app.tcss. A mistake is a ConfigError
with file, line and key; no value is guessed or filled in.
"""

from pathlib import Path
from typing import NoReturn

import msgspec
from msgspec import Struct
from textual.color import Color, ColorParseError
from textual.css.constants import VALID_STYLE_FLAGS
from textual.design import ColorSystem
from textual.theme import Theme

from streamtui.config.toml_lines import KeyPath, TomlFile, dotted, read_toml, shortened
from streamtui.config.values import nearest
from streamtui.errors import ConfigError

FEW_COLORS = "terminal"
"""The theme for sixteen colours and less: it has no background of its own."""
MANY_COLORS = frozenset(("256", "truecolor"))
"""Rich's names for terminals on which every theme looks as it is meant to."""


class Palette(Struct, frozen=True):
    """The colours from which Textual derives those of its widgets."""

    primary: str
    secondary: str
    accent: str
    foreground: str
    background: str
    surface: str
    panel: str
    success: str
    warning: str
    error: str
    boost: str


class ConsoleColors(Struct, frozen=True, rename="kebab"):
    """What the console draws itself: states, targets, texts, panes."""

    state_idle: str
    state_queued: str
    state_connecting: str
    state_waiting: str
    state_thinking: str
    state_streaming: str
    state_stalled: str
    state_retry: str
    state_done: str
    state_cut_off: str
    state_failed: str
    state_cancelled: str

    target_this: str
    target_marked: str
    target_all: str

    prompt_text: str
    """What the user asked, above the answer."""
    reasoning: str
    muted: str
    """Figures and hints that are looked up, not read."""
    log_time: str
    log_event: str

    code_background: str
    pane_border: str
    pane_border_focus: str


class ThemeFile(Struct, frozen=True):
    """One file, whole. Colours are written as in Textual's CSS."""

    name: str
    """The same as that of the file, without `.toml`."""
    dark: bool
    palette: Palette
    console: ConsoleColors
    ansi: bool = False
    """Colours named `ansi_*` are left to the terminal instead of being turned into RGB."""
    widgets: dict[str, str] = {}
    """Variables that Textual would derive, by their names in Textual."""


def themes_dir() -> Path:
    """The folder of the themes that come with the program, in a wheel or in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "themes"
    return installed if installed.is_dir() else package.parent / "themes"


def load_themes() -> list[Theme]:
    """All themes, by name. Raises ConfigError at the first mistake."""
    return [load_theme(path) for path in sorted(themes_dir().glob("*.toml"))]


def load_theme(path: Path) -> Theme:
    """The theme of one file, or ConfigError."""
    file = read_toml(path)
    for keys, kind in ((), ThemeFile), (("palette",), Palette), (("console",), ConsoleColors):
        _check_keys(file, keys, kind)
    theme = _convert(file)
    if theme.name != path.stem:
        _refuse(file, ("name",), f"must be {path.stem!r}, as the file is called")
    _check_colors(file, "palette", msgspec.to_builtins(theme.palette))
    _check_colors(file, "console", msgspec.to_builtins(theme.console))
    _check_widgets(file, theme)
    return _as_textual(theme)


def _as_textual(theme: ThemeFile) -> Theme:
    colors = theme.palette
    return Theme(
        name=theme.name,
        primary=colors.primary,
        secondary=colors.secondary,
        warning=colors.warning,
        error=colors.error,
        success=colors.success,
        accent=colors.accent,
        foreground=colors.foreground,
        background=colors.background,
        surface=colors.surface,
        panel=colors.panel,
        boost=colors.boost,
        dark=theme.dark,
        variables=msgspec.to_builtins(theme.console) | theme.widgets,
        ansi=theme.ansi,
    )


def _refuse(file: TomlFile, path: KeyPath, reason: str) -> NoReturn:
    _, line = file.find(path)
    raise ConfigError(reason, file=file.name, line=line, key=dotted(path))


def _check_keys(file: TomlFile, path: KeyPath, kind: type[Struct]) -> None:
    table = file.table[str(path[0])] if path else file.table
    if not isinstance(table, dict):
        _refuse(file, path, f"must be a table: [{dotted(path)}]")
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key in table:
        if key not in fields:
            _refuse(file, (*path, key), f"unknown key{nearest(key, fields)}")
    for key, field in fields.items():
        if field.required and key not in table:
            _refuse(file, (*path, key), "this key is missing")


def _convert(file: TomlFile) -> ThemeFile:
    try:
        return msgspec.convert(file.table, ThemeFile)
    except msgspec.ValidationError as error:
        # "Expected `str`, got `int` - at `$.palette.primary`"; in a table of free names `[...]`.
        reason, _, place = str(error).replace("`", "").partition(" - at $.")
        path = tuple(place.removesuffix("[...]").split("."))
        _refuse(file, path, reason[0].lower() + reason[1:])


def _check_colors(file: TomlFile, table: str, colors: dict[str, str]) -> None:
    for key, value in colors.items():
        try:
            Color.parse(value)
        except ColorParseError as error:
            near = error.suggested_color
            hint = f"; did you mean {near}?" if near else ""
            _refuse(file, (table, key), f"{shortened(value)!r} is not a colour{hint}")


def _check_widgets(file: TomlFile, theme: ThemeFile) -> None:
    names = ColorSystem("#000000").generate().keys() - set(Palette.__struct_fields__)
    for key, value in theme.widgets.items():
        if key not in names:
            _refuse(file, ("widgets", key), f"unknown key{nearest(key, names)}")
        if "-style" in key:
            _check_style(file, key, value)
        else:
            _check_colors(file, "widgets", {key: value})
    if theme.ansi:
        _check_ansi_variables(file, theme)


def _check_style(file: TomlFile, key: str, value: str) -> None:
    for word in value.split():
        if word not in VALID_STYLE_FLAGS:
            hint = nearest(word, VALID_STYLE_FLAGS)
            _refuse(file, ("widgets", key), f"{shortened(word)!r} is not a text style{hint}")


def _check_ansi_variables(file: TomlFile, theme: ThemeFile) -> None:
    """Textual's own stylesheets ask for these, and derive them in RGB themes only."""
    for key in ("ansi-background", "ansi-foreground"):
        if key not in theme.widgets:
            _refuse(file, ("widgets", key), "this key is missing; ansi = true needs it")
