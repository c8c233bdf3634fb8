"""The terminal: what it is, its colours, its size, its locale. It is never asked anything."""

from collections.abc import Iterator, Mapping

from streamtui.cli.doctor.facts import Facts
from streamtui.cli.doctor.findings import Finding, Findings, Fix, lines_in, note, ok, problem, run

MIN_COLUMNS, MIN_ROWS = 80, 24
_LOCALE_VARIABLES = ("LC_ALL", "LC_CTYPE", "LANG")
_UTF_8 = ("utf-8", "utf8")


def check_terminal(facts: Facts) -> Findings:
    """Streams, TERM, colours, size and locale."""
    if not facts.is_terminal:
        yield note("no terminal here: the console cannot open, `streamtui run` can be used")
    elif facts.term == "dumb":
        yield problem("TERM=dumb: the console cannot draw here", _better_term(facts))
    else:
        yield _check_term(facts)
        yield from _check_colours(facts)
        yield from _check_size(facts)
    yield _check_locale(facts)


def _check_term(facts: Facts) -> Finding:
    if not facts.term:
        return note("TERM is not set: nobody knows what the terminal can", _better_term(facts))
    ways = [f"TERM={facts.term}"]
    if facts.over_ssh:
        ways.append("over SSH")
    if facts.in_tmux or facts.in_screen:
        ways.append("inside tmux" if facts.in_tmux else "inside screen")
    if facts.redirected:
        ways.append(f"{' and '.join(facts.redirected)} redirected")
    return ok(", ".join(ways))


def _check_colours(facts: Facts) -> Iterator[Finding]:
    if "NO_COLOR" in facts.environ:
        yield note("NO_COLOR is set: the console draws without colours", run("unset NO_COLOR"))
        return
    match _colours(facts.environ):
        case "truecolor":
            yield ok("16 million colours")
        case "256":
            why = ", the rule over SSH: COLORTERM is not forwarded" if facts.over_ssh else ""
            yield ok(f"256 colours{why}")
        case "standard":
            words = f"16 colours: TERM={facts.term} does not say that there are more"
            yield note(words, _better_term(facts))
        case _:
            yield note(f"no colours: TERM={facts.term} has none", _better_term(facts))


def _colours(environ: Mapping[str, str]) -> str | None:
    """What Textual will think, by the same means."""
    from rich.console import Console

    relevant = {name: environ.get(name, "") for name in ("TERM", "COLORTERM")}
    return Console(force_terminal=True, _environ=relevant).color_system


def _better_term(facts: Facts) -> Fix:
    if facts.in_tmux:
        return lines_in("~/.tmux.conf", 'set -g default-terminal "tmux-256color"')
    if facts.in_screen:
        return lines_in("~/.screenrc", "term screen-256color")
    return run("export TERM=xterm-256color")


def _check_size(facts: Facts) -> Iterator[Finding]:
    if facts.size is None:
        return
    columns, rows = facts.size
    exported = {"COLUMNS": columns, "LINES": rows}
    wrong = [n for n, real in exported.items() if facts.environ.get(n, str(real)) != str(real)]
    if wrong:
        words = f"{' and '.join(wrong)} in the environment hides the size of the terminal"
        yield note(f"{words}, also when it changes", run(f"unset {' '.join(wrong)}"))
    if columns >= MIN_COLUMNS and rows >= MIN_ROWS:
        yield ok(f"{columns}×{rows}")
        return
    words = f"{columns}×{rows}: below {MIN_COLUMNS}×{MIN_ROWS} several panes are shown as tabs"
    yield note(words, run("tmux resize-pane -Z") if facts.in_tmux else None)


def _check_locale(facts: Facts) -> Finding:
    variable = next((n for n in _LOCALE_VARIABLES if facts.environ.get(n)), "")
    value = facts.environ.get(variable, "")
    if facts.encoding.lower() in _UTF_8:
        said = f" ({variable}={value})" if variable else ""
        return ok(f"the locale is UTF-8{said}")
    fix = run(f"export {variable or 'LANG'}=C.UTF-8")
    if any(name in value.lower() for name in _UTF_8):
        return problem(f"{variable}={value} is a locale that is not installed here", fix)
    if not variable:
        return problem("the locale (no LANG) is not said: whatever is no ASCII may be rubbish", fix)
    words = f"the locale ({variable}={value}) is not UTF-8: all is drawn in ASCII"
    return problem(words, fix)
