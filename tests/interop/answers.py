"""What two clients that read the same answer must agree on, and our side of the reading."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, NamedTuple

from streamtui import LLM


class Said(NamedTuple):
    """An answer without its cutting into pieces."""

    text: str
    reasoning: str
    calls: list[tuple[str, str, Any]]
    """Id, name and arguments."""
    usage: tuple[int, int, int] | None
    """Tokens in, tokens out, and how many of those were reasoning."""


def said(message: Any) -> Said:
    """What a message says, LangChain's or ours."""
    return Said(
        message.text,
        message.additional_kwargs.get("reasoning_content", "") or _thoughts(message.content),
        [(call["id"], call["name"], call["args"]) for call in message.tool_calls],
        _counts(message.usage_metadata),
    )


def _thoughts(content: Any) -> str:
    parts = [part for part in content if isinstance(part, dict)]
    return "".join(part.get("thinking", "") for part in parts)


def _counts(usage: Any) -> tuple[int, int, int] | None:
    if usage is None:
        return None
    reasoning = usage.get("output_token_details", {}).get("reasoning", 0)
    return usage["input_tokens"], usage["output_tokens"], reasoning


def joined(answers: Iterable[Said]) -> Said:
    """Those of one run as one: texts are paragraphs, counts are summed up."""
    texts, reasoning, calls, usages = zip(*answers, strict=True)
    counts = [usage for usage in usages if usage is not None]
    summed = tuple(map(sum, zip(*counts, strict=True)))
    return Said(
        "\n\n".join(filter(None, texts)),
        "\n\n".join(filter(None, reasoning)),
        [call for some in calls for call in some],
        summed or None,  # type: ignore[arg-type]  # three, as each of them has
    )


async def our_message(llm: LLM, prompt: Any = "hi") -> Any:
    """The whole answer; raises what the run raises."""
    *_, end = [event async for event in llm.astream_events(prompt)]
    return end["data"]["output"]


async def received(stream: AsyncIterator[Any]) -> tuple[list[Any], Exception | None]:
    """All that comes, and the error that ends it."""
    items: list[Any] = []
    try:
        async for item in stream:
            items.append(item)  # noqa: PERF401 - what came before the error is to be seen
    except Exception as error:
        return items, error
    return items, None
