"""Findings as people and as programs read them."""

import json

import pytest

from streamtui.cli.codes import ANSWERED, BUG, NETWORK, USAGE
from streamtui.cli.doctor.findings import lines_in, note, ok, problem, run
from streamtui.cli.doctor.report import JsonWriter, Report, TextWriter

LONG = "a sentence of some length that has to be broken at eighty columns, wherever that may be"


def text_report(columns: int = 80) -> Report:
    return Report(TextWriter(columns, colours=True))


def test_findings_stand_under_headings(capsys: pytest.CaptureFixture[str]) -> None:
    report = text_report()
    report.put("First", ok("good"))
    report.put("First", note("could be better", run("do this")))
    report.put("Second", problem("bad", lines_in("~/file", "one", "two")))
    assert report.end() == USAGE
    assert capsys.readouterr().out == (
        "First\n"
        "  ✓ ok       good\n"
        "  ! note     could be better\n"
        "             run:  do this\n"
        "\n"
        "Second\n"
        "  ✗ problem  bad\n"
        "             in ~/file:\n"
        "               one\n"
        "               two\n"
        "\n"
        "1 problem, 1 note.\n"
    )


@pytest.mark.parametrize("columns", [30, 80, 200])
def test_words_are_broken_and_lines_to_copy_are_not(
    columns: int, capsys: pytest.CaptureFixture[str]
) -> None:
    command = "command " * 15 + "end"
    report = text_report(columns)
    report.put("First", note(LONG, run(command)))
    lines = capsys.readouterr().out.splitlines()
    assert f"               {command}" in lines
    assert max(len(line) for line in lines if command not in line) <= max(40, min(columns, 80))
    assert " ".join(LONG.split()) in " ".join(" ".join(lines).split())


@pytest.mark.parametrize(
    ("states", "words"),
    [("", "No problems."), ("n", "No problems, 1 note."), ("ppnnn", "2 problems, 3 notes.")],
)
def test_the_last_line_counts(states: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = text_report()
    for state in states:
        report.put("First", problem("bad") if state == "p" else note("meh"))
    report.end()
    assert capsys.readouterr().out.splitlines()[-1] == words


@pytest.mark.parametrize(
    ("codes", "code"),
    [([], ANSWERED), ([NETWORK], NETWORK), ([NETWORK, USAGE], USAGE), ([USAGE, BUG], BUG)],
)
def test_the_worst_problem_decides_about_the_exit_code(codes: list[int], code: int) -> None:
    report = text_report()
    report.put("First", note("a note never does"))
    for each in codes:
        report.put("First", problem("bad", code=each))
    assert report.end() == code


def test_nothing_untrusted_reaches_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    report = text_report()
    report.put("First", problem("a\x1b[2Jb\nc", lines_in("x\x1by", "l\x1bm\nn")))
    report.end()
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "a␛[2Jb⏎c" in out
    assert "l␛m⏎n" in out


def test_programs_read_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(JsonWriter())
    report.put("First", ok("good\nso"))
    report.put("First", note("meh", run("do", "this")))
    report.put("Second", problem("bad", lines_in("~/file", "line"), code=NETWORK))
    assert report.end() == NETWORK
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"subject": "First", "state": "ok", "words": "good\nso", "fix": None, "where": None},
        {"subject": "First", "state": "note", "words": "meh", "fix": "do\nthis", "where": "shell"},
        {
            "subject": "Second",
            "state": "problem",
            "words": "bad",
            "fix": "line",
            "where": "~/file",
        },
    ]
