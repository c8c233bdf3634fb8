"""Documents of stored runs, and the files that they go into."""

import json
import os
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from streamtui.events import (
    Body,
    Chunk,
    Message,
    ReasoningDelta,
    RefusalDelta,
    RunQueued,
    ToolCallDelta,
)
from streamtui.export import (
    FORMATS,
    MAX_NAME_BYTES,
    ExportError,
    TakenError,
    ended,
    file_name,
    read_jsonl,
    to_json,
    to_jsonl,
    to_markdown,
    turns_of,
    write_new,
)
from tests.stored_runs import (
    COMPLETED,
    cancelled,
    conversation,
    cut_off,
    failed,
    run,
    stored,
    text,
)

TOOL = Chunk((ToolCallDelta(0, '{"ci', "c1", "weather"), ToolCallDelta(0, 'ty": 1}')))
ENDS = {
    "cut off": cut_off(),
    "interrupted": cut_off("interrupted: streamtui ended", "interrupted"),
    "failed": failed(),
    "cancelled": cancelled(),
}


def headings(markdown: str) -> list[str]:
    """The headings that a reader of Markdown sees at the top level."""
    tokens = MarkdownIt("commonmark").parse(markdown)
    return [
        after.content
        for token, after in pairwise(tokens)
        if token.type == "heading_open" and token.level == 0
    ]


# --- Markdown --------------------------------------------------------------------------------


def test_a_conversation_reads_from_top_to_bottom() -> None:
    first = run(*text("Hel", "lo"), COMPLETED, prompt="Say hello")
    second = run(*text("Bye"), COMPLETED, prompt="And bye?\nPlease", run_id="r2")
    assert to_markdown(conversation(first, second)).split("\n\n") == [
        "# Say hello",
        "## User",
        "> Say hello",
        "## mirror m",
        "*2023-11-14 22:13:20 UTC*",
        "Hello",
        "## User",
        "> And bye?\n> Please",
        "## mirror m",
        "*2023-11-14 22:13:20 UTC*",
        "Bye\n",
    ]


def test_what_precedes_a_conversation_stands_before_it() -> None:
    preface = (Message("system", "Be brief"), Message("assistant", "- yes"))
    markdown = to_markdown(conversation(run(COMPLETED), preface=preface))
    assert "## System\n\n> Be brief\n\n## Assistant\n\n- yes\n\n## User" in markdown


@pytest.mark.parametrize("state", ENDS)
def test_markdown_says_how_an_answer_ended_that_is_not_whole(state: str) -> None:
    markdown = to_markdown(stored(run(*text("half"), ENDS[state])))
    *_, answer, mark = markdown.rstrip("\n").split("\n\n")
    assert answer == "half"
    assert mark.startswith(f"**{state.capitalize()}: ")
    assert mark.endswith(".** What is above is all that came.")


def test_an_answer_that_streams_says_so() -> None:
    markdown = to_markdown(stored(run(*text("half")), "streaming"))
    assert markdown.endswith("half\n\n**Still streaming.** What is above is all that came.\n")


def test_a_prompt_that_waits_its_turn_is_shown() -> None:
    (started, *_) = run(COMPLETED)
    waiting = run(COMPLETED, run_id="r2")[0]
    queued = [type(waiting)(9, 1.0, 1.0, "s", "r2", RunQueued("later", 1))]
    markdown = to_markdown(conversation([started], queued))
    assert "> later\n\n## Answer" in markdown
    assert "**Queued.**" in markdown


def test_an_answer_that_was_asked_again_says_so() -> None:
    first = run(*text("one"), COMPLETED)
    again = run(*text("two"), COMPLETED, run_id="r2", replaces="r")
    found = headings(to_markdown(conversation(first, again)))
    assert found == ["hi", "User", "mirror m (asked again later)", "User", "mirror m"]


def test_reasoning_and_tool_calls_are_shown() -> None:
    thought = Chunk((ReasoningDelta("think\nhard"),))
    markdown = to_markdown(stored(run(thought, TOOL, COMPLETED)))
    assert "*Reasoning:*\n\n> think\n> hard" in markdown
    assert 'Tool call `weather`:\n\n```json\n{"city": 1}\n```' in markdown


def test_a_refusal_is_an_answer() -> None:
    refusal = Chunk((RefusalDelta("I cannot"),))
    assert "I cannot" in to_markdown(stored(run(refusal, COMPLETED)))
    assert json.loads(to_json(stored(run(refusal, COMPLETED))))["turns"][0]["text"] == "I cannot"


OPEN_ENDED = [
    "```python\nprint(1)",
    "~~~~\n```\nx",
    "text\n\n`````",
    "<!-- a comment",
    "<pre>\nx\n\ny",
    "<script>\nalert(1)",
    "<?php",
    "<!DOCTYPE",
    "<![CDATA[ x",
    "- a\n  ```\n  b",
    "> ```\n> b",
    "    indented",
    "a\r```\rb",
    "[link]: <",
    "```\n" * 3,
]


@pytest.mark.parametrize("answer", OPEN_ENDED)
def test_nothing_that_an_answer_leaves_open_swallows_what_follows(answer: str) -> None:
    events = run(*text(answer), cut_off()), run(*text("b"), COMPLETED, prompt="next", run_id="r2")
    markdown = to_markdown(conversation(*events))
    assert headings(markdown)[-2:] == ["User", "mirror m"]
    assert answer in markdown
    assert "<strong>Cut off" in MarkdownIt("commonmark").render(markdown)


@pytest.mark.parametrize("words", [*OPEN_ENDED, "# heading", "a\r# heading", "x\n---", "a\n==="])
def test_prompts_and_reasoning_stay_within_their_quotes(words: str) -> None:
    thought = Chunk((ReasoningDelta(words),))
    markdown = to_markdown(stored(run(thought, *text("fine"), COMPLETED, prompt=words)))
    assert headings(markdown)[1:] == ["User", "mirror m"]


def test_arguments_with_fences_stay_within_theirs() -> None:
    call = Chunk((ToolCallDelta(0, "```\n# x\n````", "c", "a`b\nc"),))
    assert headings(to_markdown(stored(run(call, COMPLETED)))) == ["hi", "User", "mirror m"]


@given(st.text(st.sampled_from("`~<>-!?# \n\rax[]"), max_size=60))
def test_any_answer_leaves_a_document_whole(answer: str) -> None:
    markdown = to_markdown(conversation(run(*text(answer), cut_off()), run(COMPLETED, run_id="r2")))
    assert headings(markdown)[-2:] == ["User", "mirror m"]


# --- JSON ------------------------------------------------------------------------------------


def test_json_has_the_keys_of_run_and_some_besides() -> None:
    thought = Chunk((ReasoningDelta("hm"),))
    document = json.loads(to_json(conversation(run(thought, *text("Hel", "lo"), TOOL, COMPLETED))))
    assert (document["session_id"], document["preface"]) == ("s", [])
    assert document["turns"] == [
        {
            "run_id": "r",
            "prompt": "hi",
            "started": 1_700_000_000.0,
            "endpoint": "mirror",
            "model": "m",
            "dialect": "openai-chat",
            "state": "done",
            "replaced": False,
            "text": "Hello",
            "reasoning": "hm",
            "tool_calls": [{"id": "c1", "name": "weather", "arguments": '{"city": 1}'}],
            "finish_reason": "stop",
            "usage": {"input": 3, "output": 5, "cached": None, "reasoning": None},
            "ttft_ms": 200.0,
            "duration_ms": 1500.0,
            "chunks": 2,
            "attempts": 1,
            "error": None,
        }
    ]


@pytest.mark.parametrize("state", ENDS)
def test_json_says_how_an_answer_ended_that_is_not_whole(state: str) -> None:
    (turn,) = json.loads(to_json(stored(run(*text("half"), ENDS[state]))))["turns"]
    assert (turn["state"], turn["text"]) == (state.replace(" ", "_"), "half")
    assert (turn["error"] is None) == (state == "cancelled")


def test_json_says_that_an_answer_streams() -> None:
    (turn,) = json.loads(to_json(stored(run(*text("half")))))["turns"]
    assert (turn["state"], turn["chunks"]) == ("streaming", None)


# --- JSON Lines ------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [COMPLETED, *ENDS.values()])
def test_lines_are_read_back_as_the_events_that_they_were(end: Body) -> None:
    record = conversation(run(*text("水", "\x1b[31m"), TOOL, end))
    assert read_jsonl(to_jsonl(record).encode()) == list(record.events)


def test_a_run_that_streams_gets_an_end_that_says_so() -> None:
    record = stored(run(*text("half")), "streaming")
    *events, end = read_jsonl(to_jsonl(record).encode())
    assert events == list(record.events)
    assert end.seq > events[-1].seq
    (turn,) = turns_of([*events, end])
    assert (turn.state, turn.text) == ("interrupted", "half")
    assert turn.error == "it still streamed when this was written, 4 characters kept"


def test_what_has_its_end_is_left_alone() -> None:
    events = run(*text("a"), COMPLETED)
    assert ended(events) == events


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"seq": 1}', b"\xff", b"hello"])
def test_a_line_that_is_no_event_is_named(line: bytes) -> None:
    good = to_jsonl(stored(run(COMPLETED))).encode()
    with pytest.raises(ValueError, match="line 3 is no event of streamtui"):
        read_jsonl(good + line)


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("What is water?", "what-is-water"),
        ("../../etc/passwd", "etc-passwd"),
        ("水是什么？", "水是什么"),
        ("a\x1b[31m\n\u202eb\0", "a-31m-b"),
        ("", "conversation"),
        (" ./.. ", "conversation"),
        ("-rf *", "rf"),
    ],
)
def test_a_name_is_made_of_letters_and_digits(title: str, words: str) -> None:
    assert file_name(title, 1_700_000_000.0, "md") == f"20231114-221320-{words}.md"


@given(st.text(max_size=400))
def test_no_title_makes_a_name_that_means_something_else(title: str) -> None:
    name = file_name(title, 0.0, "json")
    assert Path(name).name == name
    assert len(name.encode()) <= MAX_NAME_BYTES + len("19700101-000000-.json")
    assert all(char.isalnum() or char in "-." for char in name)


# --- files -----------------------------------------------------------------------------------


def test_a_file_is_for_its_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_new(tmp_path / "a", "words")
        (tmp_path / "b").touch(mode=0o666)
        write_new(tmp_path / "b", "words", overwrite=True)
    finally:
        os.umask(before)
    for name in ("a", "b"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        assert (tmp_path / name).read_text() == "words"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_file_that_is_there_stays_unless_it_may_go(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("before")
    with pytest.raises(TakenError, match="is there already"):
        write_new(path, "after")
    assert path.read_text() == "before"
    write_new(path, "after", overwrite=True)
    assert path.read_text() == "after"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("target", ["there", "absent"])
def test_nothing_is_written_through_a_symbolic_link(
    tmp_path: Path, target: str, *, overwrite: bool
) -> None:
    (tmp_path / "there").write_text("before")
    (tmp_path / "link").symlink_to(tmp_path / target)
    with pytest.raises(ExportError, match="is a symbolic link"):
        write_new(tmp_path / "link", "after", overwrite=overwrite)
    assert (tmp_path / "there").read_text() == "before"
    assert not (tmp_path / "absent").exists()
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_file_is_left_alone(tmp_path: Path, *, overwrite: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(ExportError, match="is no ordinary file"):
            write_new(tmp_path / name, "words", overwrite=overwrite)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="cannot be written: No such file"):
        write_new(tmp_path / "no" / "a", "words")


FULL_DISK = """\
import resource, signal, sys
from pathlib import Path
from streamtui.export import ExportError, write_new
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for name, overwrite in (("new", False), ("old", True)):
    try:
        write_new(Path(sys.argv[1], name), "x" * 5000, overwrite=overwrite)
    except ExportError as error:
        print(error)
"""


def test_a_disk_without_room_leaves_all_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("before")
    ran = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines() == [
        f"{tmp_path / name} cannot be written: File too large" for name in ("new", "old")
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "before"


def test_every_format_has_a_name() -> None:
    documents: dict[str, Any] = {
        name: write(stored(run(COMPLETED))) for name, write in FORMATS.items()
    }
    assert all(document.endswith("\n") for document in documents.values())
