"""Endpoints in rows and facts, whatever their length and whoever chose the words."""

from msgspec.structs import replace
from rich.cells import cell_len

from streamtui.config import Endpoint, Proxy, Tls
from streamtui.engine.reports import ProbeReport, Stage
from streamtui.events import ErrorInfo
from streamtui.redact import Secret
from streamtui.ui.endpoint_words import (
    Trial,
    cells_of,
    column_widths,
    facts_of,
    head_of,
    key_words,
    length,
    outcome_words,
    rule_of,
    stage_rows,
    tls_words,
    trial_words,
)
from streamtui.ui.words import GAP, Words, row_of

OFFICE = Proxy("office", "http://proxy.example.com:3128", "me", Secret("secret-7"))
OPENAI = Endpoint(
    "openai",
    "openai-chat",
    "https://api.openai.com/v1",
    "gpt-4o-mini",
    Secret("sk-0123456789"),
    "environment variable OPENAI_API_KEY",
    OFFICE,
)
LOCAL = Endpoint("local", "ollama", "http://127.0.0.1:11434", proxy=OFFICE)
LAB = Endpoint("lab", "openai-completions", "https://lab.example/v1", tls=Tls(verify=False))
STAGES = (
    Stage("dns", 0.1, "203.0.113.7"),
    Stage("tcp", 0.1),
    Stage("proxy", None, "not needed"),
    Stage("tls", 0.2, "TLS 1.3"),
    Stage("first byte", 0.4),
    Stage("first token", None),
)
REFUSED = ErrorInfo("auth", "HTTP 401, the key was rejected", "Check OPENAI_API_KEY")


def text(words: Words) -> str:
    return "".join(part for part, _role in words)


def report(error: ErrorInfo | None = None) -> ProbeReport:
    way = ProbeReport("openai", "m", "openai-chat", "direct", STAGES, seconds=0.8)
    return replace(way, error=error, failed="first token") if error else way


def table(width: int, *endpoints: Endpoint) -> list[str]:
    cells = [cells_of(each, None, 0.0) for each in endpoints]
    widths = column_widths(cells, width)
    return [text(head_of(widths)), *(text(row_of(row, widths)) for row in cells)]


def test_a_row_says_what_an_endpoint_is_and_nothing_secret() -> None:
    _head, row = table(120, OPENAI)
    assert row.split() == [
        *("openai", "openai-chat", "gpt-4o-mini", "via", "office", "✓", "OPENAI_API_KEY", "–")
    ]
    assert "secret" not in row + str(facts_of(OPENAI, ""))
    assert "sk-" not in row + str(facts_of(OPENAI, ""))


def test_a_proxy_that_is_passed_by_is_not_the_route() -> None:
    assert "direct" in table(120, LOCAL)[1]
    assert ("route", "direct") in [(fact.label, text(fact.words)) for fact in facts_of(LOCAL, "")]


def test_a_key_that_is_not_there_is_said() -> None:
    keyless = replace(OPENAI, api_key=None)
    assert "✗ OPENAI_API_KEY" in table(120, keyless)[1]
    assert key_words(keyless) == [("environment variable OPENAI_API_KEY: not set", "state-failed")]
    assert text(key_words(OPENAI)) == "environment variable OPENAI_API_KEY, there"
    assert text(key_words(LAB)) == "none is needed"


def test_unchecked_certificates_are_said_in_words_in_the_narrowest_row_too() -> None:
    assert "TLS unchecked" in table(74, OPENAI, LAB)[2]
    cells = cells_of(LAB, None, 0.0)
    assert [role for _text, role in (*cells[0], *cells[3])][:2] == ["state-failed bold"] * 2
    [fact] = [fact for fact in facts_of(LAB, "") if fact.label == "TLS"]
    assert "not checked (verify = false)" in text(fact.words)


def test_tls_is_what_the_address_and_the_table_make_it() -> None:
    assert text(tls_words(OPENAI)) == "checked"
    own = replace(OPENAI, tls=Tls("/ca.pem", "/me.pem"))
    assert text(tls_words(own)) == "checked · own authority /ca.pem · client certificate /me.pem"
    assert "readable on the way" in text(tls_words(LOCAL))


def test_every_row_is_as_wide_as_its_place() -> None:
    wide = replace(OPENAI, model="模型" * 30, name="n" * 60)
    for width in range(74, 200):
        lines = table(width, OPENAI, LAB, LOCAL, wide)
        assert {cell_len(line) for line in lines} == {width}


def test_columns_stand_under_one_another() -> None:
    head, *rows = table(74, OPENAI, LAB, LOCAL)
    place = head.index("route")
    assert all(row[place - GAP : place].isspace() for row in rows)
    assert rows[0][place:].startswith("via office")


def test_a_rule_fills_its_line() -> None:
    line = text(rule_of(OPENAI, 60))
    assert line.startswith("── openai openai-chat gpt-4o-mini ──")
    assert cell_len(line) == 60


def test_a_test_is_said_in_a_few_words() -> None:
    assert trial_words(None, 0.0) == [("–", "muted")]
    assert text(trial_words(Trial(OPENAI, 10.0), 13.4)) == "◌ testing 3s"
    assert text(trial_words(Trial(OPENAI, 0.0, report()), 9.0)) == "✓ ok 800 ms"
    failed = trial_words(Trial(OPENAI, 0.0, report(REFUSED)), 9.0)
    assert failed == [("✗ HTTP 401, the key was rejected", "state-failed")]


def test_an_outcome_is_said_with_what_to_do() -> None:
    assert text(outcome_words(report())) == "✓ ok, 800 ms to the first token"
    words = text(outcome_words(report(REFUSED)))
    assert words == "✗ HTTP 401, the key was rejected. Check OPENAI_API_KEY."


def test_stages_have_their_times_and_their_places_in_the_whole() -> None:
    rows = [text(row) for row in stage_rows(report(), 76)]
    assert [row.split()[0] for row in rows] == ["dns", "tcp", "proxy", "tls", "first", "first"]
    assert "100 ms" in rows[0]
    assert rows[0].rstrip().endswith("203.0.113.7")
    assert rows[2].split() == ["proxy", "–", "not", "needed"]
    starts = [row.index("━") for row in (rows[0], rows[1], rows[3], rows[4])]
    assert starts == sorted(starts)
    lengths = [row.count("━") for row in rows]
    assert 0 == lengths[2] == lengths[5] < lengths[0] < lengths[3] < lengths[4]
    assert {cell_len(row) for row in rows} == {76}


def test_the_stage_at_which_the_way_ended_is_marked_and_those_behind_it_are_left_out() -> None:
    stages = (
        *(Stage("dns", 0.1), Stage("tcp", None), Stage("proxy", None, "not needed")),
        Stage("tls", None),
    )
    lost = ProbeReport("e", "m", "d", "direct", stages, REFUSED, seconds=5.0, failed="tcp")
    rows = [text(row).split(maxsplit=2) for row in stage_rows(lost, 76)]
    assert [row[-1].rstrip() for row in rows[1:]] == ["✗ ended here", "not needed", "not reached"]
    assert "ended here" not in str(stage_rows(report(), 76))


def test_the_whole_way_may_take_longer_than_its_stages() -> None:
    slow = replace(report(), seconds=2.0)
    assert text(outcome_words(slow)) == "✓ ok, 2.00 s to the first token"


def test_lengths_have_the_unit_that_reads_best() -> None:
    assert [length(seconds) for seconds in (0.00042, 0.0083, 0.031, 0.4021, 1.236, 31.0)] == [
        *("0.4 ms", "8.3 ms", "31 ms", "402 ms", "1.24 s", "31.00 s"),
    ]


def test_nothing_of_a_server_reaches_the_terminal_as_it_is() -> None:
    evil = "\x1b]52;c;aGk=\x07[red]x\x9b2J\n"
    error = ErrorInfo("server", evil, evil)
    stages = tuple(replace(stage, words=evil) for stage in STAGES)
    bad = ProbeReport("e", evil, "d", evil, stages, error, evil)
    endpoint = replace(OPENAI, model=evil, key_source=evil)
    shown = [
        *cells_of(endpoint, Trial(endpoint, 0.0, bad), 0.0),
        *stage_rows(bad, 76),
        outcome_words(bad),
        rule_of(endpoint, 60),
        *(fact.words for fact in facts_of(endpoint, evil)),
    ]
    for words in shown:
        assert all(character.isprintable() for character in text(words))
