"""Reading lists of models: what all dialects share but the shape of a row."""

from collections.abc import Iterable
from typing import Any

from streamtui.engine.dialects.base import (
    as_dict,
    as_list,
    as_words,
    first_object,
    json_text,
    page_title,
    parse_json,
    read_error_object,
)
from streamtui.engine.dialects.provider_errors import provider_error
from streamtui.errors import EXCERPT_CHARS, ProtocolError


def read_rows(body: bytes, member: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A document and the rows of its list.

    Raises ProviderError when it is an error, ProtocolError when it is no list.
    """
    text = body.decode("utf-8-sig", "replace").strip()
    try:
        document = parse_json(text)
    except ValueError:
        raise _no_list(_kind_of(text), page_title(text) or text) from None
    if error := first_object(document).get("error"):
        raise provider_error(read_error_object(error))
    fields = as_dict(document)
    # Together sends the bare list; Ollama, written in Go, says null for one without rows.
    rows = document if isinstance(document, list) else fields.get(member, document)
    if not isinstance(rows, list | None):
        raise _no_list("JSON that is none", json_text(document))
    return fields, list(map(as_dict, as_list(rows)))


def names_in(rows: Iterable[dict[str, Any]], *members: str) -> tuple[str, ...]:
    """The name in each row, in the first of these members that holds one."""
    found = (next(filter(None, (as_words(row.get(m)) for m in members)), "") for row in rows)
    return tuple(filter(None, found))


def _kind_of(text: str) -> str:
    if text.startswith("<"):
        title = page_title(text)
        return f"a web page (text/html) “{title}”" if title else "a web page (text/html)"
    if text.startswith(("{", "[")):
        return "JSON that breaks off or nests too deep"
    return "something else" if text else "nothing"


def _no_list(what: str, excerpt: str) -> ProtocolError:
    return ProtocolError(
        f"got {what} instead of a list of models",
        kind="not-a-stream" if excerpt else "empty-body",
        hint="Check base_url and dialect, and whether the network asks to sign in",
        excerpt=excerpt[: 4 * EXCERPT_CHARS],
    )
