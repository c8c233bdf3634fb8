"""What each demo model says: our own words, the same for the same question, and open about it.

Never random and never clever: an answer depends on the question alone.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from itertools import count, islice

from msgspec import Struct

from streamtui.demo.question import Question
from streamtui.demo.tokens import graphemes, split_tokens

LONG_ANSWER = 400_000
"""Characters of Markdown in `demo/long`, at least."""
FAST_TOKENS = 20_000
STALL_TOKENS = 12

_ECHO_WORDS = 6
_ECHO_CHARACTERS = 40


class ToolCall(Struct, frozen=True):
    """A call that the answer ends with; the fragments joined are one JSON object."""

    call_id: str
    name: str
    argument_fragments: tuple[str, ...]


class Draft(Struct, frozen=True, kw_only=True):
    """Everything that a model has to say, in pieces of about a token, before any limit."""

    thoughts: tuple[str, ...] = ()
    answer: tuple[str, ...]
    call: ToolCall | None = None


def verse(question: Question) -> Draft:
    """One verse, about what was asked for if we have one on it."""
    prompt = question.prompt.lower()
    if "sparkling water" in prompt:
        lines = _SPARKLING_WATER
    elif "goldfish" in prompt and "moon" in prompt:
        lines = _GOLDFISH
    else:
        lines = _ANY_VERSE[int(_fingerprint(question), 16) % len(_ANY_VERSE)]
    return _draft(f"{lines}\n\n({_disclaimer(question)})")


def markdown(question: Question) -> Draft:
    """One of everything that a Markdown view must draw."""
    return _draft(_MARKDOWN_PAGE.format(disclaimer=_disclaimer(question)))


def thinker(question: Question) -> Draft:
    """Reasoning first, then an answer."""
    return Draft(
        thoughts=split_tokens(_THOUGHTS.format(asked=_echo(question) or "nothing")),
        answer=split_tokens(f"{_CONCLUSION}\n\n{_disclaimer(question)}"),
    )


def slow(question: Question) -> Draft:
    """A short answer; the waiting is in the model's rate."""
    return _draft(f"One word, then another, and no hurry at all. {_disclaimer(question)}")


def plain(question: Question) -> Draft:
    """A paragraph, for the models that are about what happens to the stream."""
    return _draft(f"{_disclaimer(question)} {_PLAIN}")


def half(question: Question) -> Draft:
    """The first half of a paragraph; the model loses the rest."""
    tokens = plain(question).answer
    return Draft(answer=tokens[: len(tokens) // 2])


def a_dozen_tokens(question: Question) -> Draft:
    """Enough to be seen, and then no more."""
    return Draft(answer=plain(question).answer[:STALL_TOKENS])


def fast(question: Question) -> Draft:
    """Exactly `FAST_TOKENS` tokens."""
    opening = split_tokens(f"{_disclaimer(question)}\n\n")
    return Draft(answer=(opening + _prose_tokens())[:FAST_TOKENS])


def long(question: Question) -> Draft:
    """Some `LONG_ANSWER` characters of paragraphs and one long block of code."""
    return Draft(answer=split_tokens(f"{_disclaimer(question)}\n\n") + _prose_tokens())


def tools(question: Question) -> Draft:
    """A sentence and a tool call; once the tool has answered, a sentence about that."""
    if question.tool_result is not None:
        return _draft(f"The tool says: {_shortened(question.tool_result)} {_disclaimer(question)}")
    if not question.can_call_tools:
        return _draft(
            "A bare prompt leaves no place for tools, so nothing is called here; "
            f"in a chat I would call get_weather. {_disclaimer(question)}"
        )
    return Draft(
        answer=split_tokens(f"I will look that up with a tool. {_disclaimer(question)}"),
        call=ToolCall(
            call_id=f"call_demo_{_fingerprint(question)}",
            name="get_weather",
            argument_fragments=split_tokens('{"city": "Lisbon", "unit": "celsius"}'),
        ),
    )


def _draft(text: str) -> Draft:
    return Draft(answer=split_tokens(text))


def _disclaimer(question: Question) -> str:
    """Says that nobody thought about this, which model it is, and what it was asked."""
    asked = _echo(question)
    words = f"Scripted by {question.model}"
    if asked:
        words += f"; you asked: “{asked}”"
    if question.turn_number > 1:
        words += f", turn {question.turn_number} of this conversation"
    return f"{words}."


def _echo(question: Question) -> str:
    return _shortened(question.prompt)


def _shortened(text: str) -> str:
    """The first few words, on one line, never cut inside a character."""
    # A prompt can be megabytes; what lies beyond this never reaches the echo.
    words = text[: _ECHO_CHARACTERS * 20].split()
    characters = graphemes(" ".join(words[:_ECHO_WORDS]))
    if len(words) <= _ECHO_WORDS and len(characters) <= _ECHO_CHARACTERS:
        return "".join(characters)
    return "".join(characters[:_ECHO_CHARACTERS]) + "…"


def _fingerprint(question: Question) -> str:
    return sha256("\0".join(question.identity()).encode()).hexdigest()[:12]


@cache
def _prose_tokens() -> tuple[str, ...]:
    """Split once and shared: some ninety thousand pieces."""
    return split_tokens("".join(_prose()))


def _prose() -> Iterator[str]:
    """Whole parts until there are `LONG_ANSWER` characters, with the code after the second."""
    written = 0
    sentences = _sentences()
    for number in count(1):
        if written >= LONG_ANSWER:
            return
        part = _part(number, sentences) + (_code_fence() if number == 2 else "")
        written += len(part)
        yield part


def _part(number: int, sentences: Iterator[str]) -> str:
    paragraphs = (" ".join(islice(sentences, 5)) for _ in range(8))
    return f"## Part {number}\n\n" + "".join(f"{paragraph}\n\n" for paragraph in paragraphs)


def _code_fence() -> str:
    functions = "".join(
        f"def step_{number:03}(stream: Stream) -> Chunk:\n"
        f'    """Step {number} of a very long recipe."""\n'
        f"    return stream.read(after={number - 1})\n\n\n"
        for number in range(1, 201)
    )
    return f"```python\n{functions.rstrip()}\n```\n\n"


def _sentences() -> Iterator[str]:
    """Lists of coprime lengths, so that the first 5,005 sentences all differ."""
    for number in count():
        phrases: Sequence[Sequence[str]] = (_SUBJECTS, _VERBS, _OBJECTS, _ENDINGS)
        yield " ".join(choices[number % len(choices)] for choices in phrases)


_SUBJECTS = (
    "The first token",
    "A patient reader",
    "Every frame",
    "The last paragraph",
    "A quiet socket",
    "This script",
    "The next chunk",
)
_VERBS = (
    "waits for",
    "carries",
    "counts",
    "remembers",
    "outruns",
    "hands over",
    "looks back at",
    "makes room for",
    "arrives with",
    "folds away",
    "repeats",
)
_OBJECTS = (
    "the line above",
    "a handful of bytes",
    "the scroll bar",
    "somebody's question",
    "a blank page",
    "the rest of the answer",
    "an older sentence",
    "one more comma",
    "the width of the window",
    "a cursor that blinks",
    "the sound of the fan",
    "half of a word",
    "the way home",
)
_ENDINGS = (
    "before the screen is drawn.",
    "while nobody looks.",
    "and is in no hurry.",
    "on the far side of the wire.",
    "exactly as planned.",
)

_SPARKLING_WATER = """\
A thousand tiny lanterns climb the cold walls of my glass,
they burst to tell me, one by one, how bright the moments pass.
Oh sparkling water, restless thing, you hum before you go,
a pocketful of summer rain that someone taught to glow."""

_GOLDFISH = """\
A goldfish packed her bowl one night and sailed beyond the blue,
she landed where the dust is white and nothing ever grew.
She circles round the silent moon, three flips to every mile,
and Earth hangs in her little sea and shimmers like a smile."""

_ANY_VERSE = (
    """\
The cursor blinks, a patient heart, upon a field of night,
and word by word the quiet lines come stepping into light.
No mind is here, no oracle, just clockwork set to rhyme,
a song that somebody wrote down and plays you out in time.""",
    """\
The packets leave the loopback shore and never see the sea,
they cross no wire, they climb no hill, to bring their words to me.
They knock, they bow, they take their turn, each token in its place,
and fill the window, left to right, at one unhurried pace.""",
    """\
I asked the empty room to sing, the empty room agreed,
it had a verse behind the door for anyone in need.
It sang of nothing you had said, yet sang it all for you,
and bowed, and hung its hat again, as empty rooms will do.""",
)

_MARKDOWN_PAGE = """\
# A page with one of everything

This comes from a **script**, not from a model. {disclaimer}

## What a console has to draw

1. Lists inside lists
   - with *emphasis* and `inline code`
   - 还有中文，每个字占两格
2. Emoji that join: 👩‍💻 👨‍👩‍👧 🏳️‍🌈 🇵🇹 👍🏽
3. An accent of two parts: cafe\u0301

| 语言 | drink | columns |
|:-----|:-----:|--------:|
| 中文 | 气泡水 | 6 |
| 日本語 | 炭酸水 | 6 |
| English | fizz | 4 |

### Some code

```python
def bubbles(glass: str, rising: int = 3) -> str:
    \"\"\"Count them while they last.\"\"\"
    return " ".join(f"{{glass}} {{number}}°" for number in range(rising))
```

> A stream is only water that has made up its mind.

流式输出让文字一个接一个地到达，读者不必等到最后。

Read on in [the chapter on streams](https://html.spec.whatwg.org/#server-sent-events). ✅
"""

_THOUGHTS = """\
The question is “{asked}”. I cannot think, but I can show what thinking looks like. \
First, restate it: somebody wants to see reasoning arrive before the answer. \
Second, check: is this pane dimmed, and does it fold away when the answer starts? \
Third, decide: keep the answer short, and stop."""

_CONCLUSION = """\
The reasoning above came first, as its own kind of text; this is the answer. \
A console should fold the one and keep the other."""

_PLAIN = """\
This paragraph goes on for a while, so that something can happen to it on the way: \
it may arrive late, stop in the middle, or end with an error, and what was received \
before that should stay on the screen. Nothing in it matters, and every word of it \
was written beforehand; if you can read this sentence to its end, all of it arrived."""
