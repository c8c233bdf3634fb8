"""Endpoints and how their tests went, as lines for people and as objects for programs.

Pure: nothing here asks or prints. Whoever prints makes the text safe.
"""

from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import Any

from msgspec import structs

from streamtui.cli.tables import GAP, aligned
from streamtui.config import Config, Endpoint
from streamtui.engine.reports import ModelList, ProbeReport, Stage
from streamtui.engine.routes import address_words, route_words
from streamtui.events import ErrorInfo
from streamtui.redact import mask_url
from streamtui.safe_text import safe_line

_DEFAULTS = Endpoint("", "", "")
_COLUMNS = ("ENDPOINT", "DIALECT", "MODEL", "KEY")
_LABEL_WIDTH = 11
_TIME_WIDTH = 9
_NARROWEST = 20
_SHOWN_MODELS = 5


# The list


def list_lines(config: Config, width: int | None) -> list[str]:
    """All endpoints as a table; what has no column stands below its row.

    `width` is that of the terminal in cells, None where lines may have any length.
    """
    rows = [_COLUMNS, *map(_row, config.endpoints.values())]
    table = iter(aligned(rows))
    lines = [next(table)]
    for endpoint, row in zip(config.endpoints.values(), table, strict=True):
        lines += [row, *_joined(_details(endpoint, config), width)]
    return lines


def list_object(endpoint: Endpoint, config: Config) -> dict[str, Any]:
    """An endpoint as an object, without its key."""
    return {
        "endpoint": endpoint.name,
        "model": endpoint.model,
        "dialect": endpoint.dialect,
        "base_url": mask_url(endpoint.base_url),
        "default": endpoint.name == config.default_endpoint,
        "route": route_words(endpoint),
        "key_source": endpoint.key_source or None,
        "key_found": endpoint.api_key is not None,
        "fallbacks": [fallback.name for fallback in endpoint.fallbacks],
        "insecure": endpoint.insecure,
        "retries": endpoint.retries,
        "max_concurrent": endpoint.max_concurrent,
        "max_response_bytes": endpoint.max_response_bytes,
        "timeouts": structs.asdict(endpoint.timeouts),
    }


def _row(endpoint: Endpoint) -> tuple[str, ...]:
    if endpoint.key_source and endpoint.api_key is None:
        key = "missing"
    else:
        key = "there" if endpoint.api_key else "none"
    return (endpoint.name, endpoint.dialect, endpoint.model or "-", key)


def _details(endpoint: Endpoint, config: Config) -> Iterator[str]:
    yield address_words(endpoint)
    yield route_words(endpoint)
    if endpoint.key_source:
        yield f"key from {endpoint.key_source}"
    if endpoint.name == config.default_endpoint:
        yield "the default"
    if endpoint.fallbacks:
        yield f"falls back to {', '.join(fallback.name for fallback in endpoint.fallbacks)}"
    if endpoint.insecure:
        yield "certificates are not checked"
    yield from _limits(endpoint)


def _limits(endpoint: Endpoint) -> Iterator[str]:
    """Those that are not the usual ones."""
    usual = structs.asdict(_DEFAULTS.timeouts)
    for name, seconds in structs.asdict(endpoint.timeouts).items():
        if seconds != usual[name]:
            yield f"{name.replace('_', ' ')} {seconds:g} s"
    if endpoint.max_concurrent is not None:
        yield f"{endpoint.max_concurrent} at a time"
    if endpoint.retries != _DEFAULTS.retries:
        yield f"retries {endpoint.retries}"
    if endpoint.max_response_bytes != _DEFAULTS.max_response_bytes:
        yield f"answers up to {endpoint.max_response_bytes:,} bytes"


def _joined(items: Iterable[str], width: int | None) -> list[str]:
    """Items on as few lines as they need; none of them is broken."""
    lines: list[str] = []
    for item in map(safe_line, items):
        longer = f"{lines[-1]} · {item}" if lines else ""
        if lines and (width is None or len(longer) <= width):
            lines[-1] = longer
        else:
            lines.append(GAP + item)
    return lines


# Tests


def heading(endpoint: Endpoint) -> str:
    """What is tested."""
    parts = (endpoint.name, endpoint.model, endpoint.dialect, address_words(endpoint))
    return safe_line(GAP.join(filter(None, parts)))


def report_lines(
    report: ProbeReport, models: ModelList | None, *, width: int | None, all_models: bool
) -> list[str]:
    """How a test went, line by line. `models` is None when they were not asked for."""
    lines = _line("route", report.route, width)
    for stage in report.stages:
        lines += _stage_lines(stage, report, width)
    if report.error:
        lines += _line("error", report.error.words, width)
    else:
        lines += _timed_line("in all", _milliseconds(report.seconds), "", width)
    if models is not None:
        lines += _model_lines(models, width, all_models=all_models)
    return lines


def report_object(
    endpoint: Endpoint, report: ProbeReport, models: ModelList | None
) -> dict[str, Any]:
    """How a test went, as an object."""
    return {
        "endpoint": report.endpoint,
        "model": report.model,
        "dialect": report.dialect,
        "base_url": mask_url(endpoint.base_url),
        "route": report.route,
        "stages": [
            {"name": stage.name, "ms": _rounded(stage.seconds), "words": stage.words}
            for stage in report.stages
        ],
        "failed": report.failed,
        "total_ms": _rounded(report.seconds),
        "reply": report.reply,
        "error": _error_object(report.error),
        "models": list(models.models) if models and not models.error else None,
        "models_error": _error_object(models.error) if models else None,
    }


def _stage_lines(stage: Stage, report: ProbeReport, width: int | None) -> list[str]:
    if stage.seconds is not None:
        return _timed_line(stage.name, _milliseconds(stage.seconds), stage.words, width)
    if stage.name == report.failed:
        return _timed_line(stage.name, "-", "failed", width)
    return _timed_line(stage.name, "-", stage.words or "not reached", width)


def _timed_line(label: str, time: str, words: str, width: int | None) -> list[str]:
    return _hanging(f"{GAP}{label:<{_LABEL_WIDTH}}{GAP}{time:>{_TIME_WIDTH}}   ", words, width)


def _line(label: str, words: str, width: int | None) -> list[str]:
    return _hanging(f"{GAP}{label:<{_LABEL_WIDTH}}{GAP}", words, width)


def _hanging(start: str, words: str, width: int | None) -> list[str]:
    """A line; words that are too long for it go on below themselves."""
    words = safe_line(words)
    if width is None or len(start) + len(words) <= width:
        return [(start + words).rstrip()]
    first, *others = wrap(words, max(width - len(start), _NARROWEST)) or [""]
    return [start + first, *(" " * len(start) + piece for piece in others)]


def _model_lines(models: ModelList, width: int | None, *, all_models: bool) -> list[str]:
    if models.error:
        return _line("models", models.error.words, width)
    count = len(models.models)
    if all_models:
        indent = GAP * 2
        return [
            *_line("models", f"{count}", width),
            *(f"{indent}{safe_line(m)}" for m in models.models),
        ]
    shown = ", ".join(models.models[:_SHOWN_MODELS])
    more = ", …" if count > _SHOWN_MODELS else ""
    return _line("models", f"{count}: {shown}{more}" if count else "none", width)


def _milliseconds(seconds: float) -> str:
    ms = seconds * 1000
    return f"{ms:,.0f} ms" if ms >= 10 else f"{ms:.1f} ms"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _error_object(error: ErrorInfo | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        "kind": error.kind,
        "message": error.message,
        "hint": error.hint,
        "status": error.status,
    }
