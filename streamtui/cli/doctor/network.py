"""The way to each endpoint: one short question, and what helps where it gets no answer."""

import asyncio
import os
import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from msgspec import structs

from streamtui.cli.codes import BUG, NETWORK, REFUSED, USAGE
from streamtui.cli.doctor.config_lines import ConfigLines, key_variable, toml_text
from streamtui.cli.doctor.configuration import ANY_CA_FILE
from streamtui.cli.doctor.findings import Finding, Fix, note, ok, problem, quoted, run
from streamtui.cli.outcome import EXIT_CODES
from streamtui.cli.tables import label_of
from streamtui.config import Endpoint
from streamtui.config.env_proxy import proxy_variable
from streamtui.config.values import is_loopback, nearest
from streamtui.engine.doors import Doors
from streamtui.engine.reports import ProbeReport
from streamtui.errors import RunError
from streamtui.events import ErrorInfo, ErrorKind
from streamtui.logs import default_log_path

CONNECT_SECONDS = 10.0
"""Nobody waits for a diagnosis as long as for an answer. The engine bounds the rest itself."""

_WITHOUT_MODEL = frozenset({"langserve", "langgraph", "sse"})
_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""Variables in which other programs are told of a company's authority."""

_UNREACHABLE: frozenset[ErrorKind] = frozenset({"connect", "dns", "timeout-connect"})
_SCHEME = re.compile(r"\b(https?)://")
_HTTPS_PORT = 443


async def ask_endpoints(
    doors: Doors,
    endpoints: Sequence[Endpoint],
    lines: ConfigLines,
    tell: Callable[[Finding], None],
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Ask all at once, and tell in their order. Costs a few tokens at each.

    Raises what `tell` raises, such as the error of a pipe that was closed.
    """
    visit = _Visit(doors, lines, environ)
    try:
        async with asyncio.TaskGroup() as tasks:
            asked = [
                tasks.create_task(visit.finding(endpoint), name=f"ask {endpoint.name}")
                for endpoint in endpoints
            ]
            for task in asked:
                tell(await task)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def can_be_asked(endpoint: Endpoint) -> bool:
    """Whether it has the key that it needs."""
    return endpoint.api_key is not None or not endpoint.key_source


def patient(endpoint: Endpoint) -> Endpoint:
    """The same endpoint, waited for no longer than a person waits for a diagnosis."""
    limits = endpoint.timeouts
    shorter = structs.replace(limits, connect=min(limits.connect, CONNECT_SECONDS))
    return structs.replace(endpoint, timeouts=shorter)


class _Visit:
    """Questions through one engine."""

    def __init__(self, doors: Doors, lines: ConfigLines, environ: Mapping[str, str]) -> None:
        self._doors = doors
        self._lines = lines
        self._environ = environ

    async def finding(self, endpoint: Endpoint) -> Finding:
        """What came of one question."""
        asked = patient(endpoint)
        try:
            if not endpoint.model and endpoint.dialect not in _WITHOUT_MODEL:
                return await self._without_model(asked)
            report = await self._doors.probe(asked)
            if report.error is not None:
                return await self._failed(asked, report.error, report.route)
            return _answered(_label(endpoint), report)
        except RunError as error:
            log = run(f"tail {quoted(default_log_path())}")
            return problem(f"{_label(endpoint)}: {error.message}", log, code=BUG)

    async def _without_model(self, endpoint: Endpoint) -> Finding:
        """Nothing can be asked yet; the endpoint itself may say of what it could be."""
        listing = await self._doors.models(endpoint)
        if listing.error is not None and listing.error.kind in _UNREACHABLE:
            return await self._failed(endpoint, listing.error, "")
        model = toml_text(listing.models[0]) if listing.models else '"…"'
        words = f"{_label(endpoint)}: no model is named, so that nothing can be asked"
        return problem(words, self._lines.for_endpoint(endpoint, "model", model))

    async def _failed(self, endpoint: Endpoint, error: ErrorInfo, route: str) -> Finding:
        is_told = route.removeprefix("via ") in error.message
        way = f" ({route})" if route.startswith("via ") and not is_told else ""
        hint = f". {error.hint}" if error.hint else ""
        words = f"{_label(endpoint)}: {error.message}{way}{hint}"
        if error.kind == "rate-limit":
            return note(words)
        fix = fix_for(endpoint, error, self._lines, self._environ)
        if fix is None and error.kind in {"not-found", "bad-request"}:
            fix = await self._other_model(endpoint)
        return problem(words, fix, code=_code(error.kind))

    async def _other_model(self, endpoint: Endpoint) -> Fix | None:
        """A model that the endpoint has, where it has not the one that was asked."""
        models = (await self._doors.models(endpoint)).models
        if not models or endpoint.model in models:
            return None
        close = nearest(endpoint.model, models).removeprefix("; did you mean ").removesuffix("?")
        return self._lines.for_endpoint(endpoint, "model", toml_text(close or models[0]))


def _label(endpoint: Endpoint) -> str:
    return label_of(endpoint.name, endpoint.model)


def fix_for(
    endpoint: Endpoint, error: ErrorInfo, lines: ConfigLines, environ: Mapping[str, str]
) -> Fix | None:
    """The lines that help against an error; None where only the hint can."""
    match error.kind:
        case "auth" | "forbidden" | "no-key":
            return _key_fix(endpoint, lines)
        case "tls":
            return _tls_fix(endpoint, error, lines, environ)
        case "proxy":
            return _direct_fix(endpoint, lines)
        case "proxy-auth":
            return _login_fix(endpoint, lines)
        case "not-found":
            return _path_fix(endpoint, lines)
        case "connection-lost" | "protocol-error" | "redirect-refused":
            return _scheme_fix(endpoint, error, lines)
        case kind if kind in _UNREACHABLE:
            return _reach_fix(endpoint, lines, environ) or _scheme_fix(endpoint, error, lines)
        case _:
            return None


def _key_fix(endpoint: Endpoint, lines: ConfigLines) -> Fix | None:
    if variable := key_variable(endpoint):
        return run(f"export {variable}=…")
    if endpoint.key_source.startswith("file "):
        return run(f"${{EDITOR:-vi}} {quoted(endpoint.key_source.removeprefix('file '))}")
    if endpoint.key_source:
        return None
    variable = re.sub(r"\W", "_", endpoint.name).upper()
    return lines.for_endpoint(endpoint, "api_key_env", toml_text(f"{variable}_API_KEY"))


def _tls_fix(
    endpoint: Endpoint, error: ErrorInfo, lines: ConfigLines, environ: Mapping[str, str]
) -> Fix | None:
    """What the hint of the error names, as a line."""
    if _SCHEME.search(error.hint):
        return _scheme_fix(endpoint, error, lines)
    if "tls.client_cert" in error.hint:
        value = '{ client_cert = "/path/to/client.pem", client_key = "/path/to/client.key" }'
        return lines.for_endpoint(endpoint, "tls", value)
    if "clock of this machine" in error.hint:
        return run("sudo timedatectl set-ntp true")
    if "in tls.ca_file" not in error.hint:
        return None
    bundles = (environ.get(name, "") for name in _BUNDLES)
    found = next(filter(os.path.isfile, bundles), ANY_CA_FILE)
    return lines.for_endpoint(endpoint, "tls", f"{{ ca_file = {toml_text(found)} }}")


def _direct_fix(endpoint: Endpoint, lines: ConfigLines) -> Fix | None:
    if endpoint.proxy is None:
        return None
    return lines.for_endpoint(endpoint, "proxy", toml_text("direct"))


def _login_fix(endpoint: Endpoint, lines: ConfigLines) -> Fix | None:
    proxy = endpoint.proxy
    if proxy is None:
        return None
    if lines.is_named(proxy):
        return lines.for_proxy(
            proxy.name, {"username": proxy.username or "…", "password_env": "PROXY_PASSWORD"}
        )
    if proxy.name.startswith("env "):
        scheme, _, address = proxy.url.partition("://")
        return run(f"export {proxy.name.removeprefix('env ')}={scheme}://USER:PASSWORD@{address}")
    return None


def _path_fix(endpoint: Endpoint, lines: ConfigLines) -> Fix | None:
    """OpenAI's API lives below /v1, also with those who imitate it."""
    has_path = bool(urlsplit(endpoint.base_url).path)
    if has_path or endpoint.api_version or not endpoint.dialect.startswith("openai-"):
        return None
    return lines.for_endpoint(endpoint, "base_url", toml_text(f"{endpoint.base_url}/v1"))


def _scheme_fix(endpoint: Endpoint, error: ErrorInfo, lines: ConfigLines) -> Fix | None:
    """The other scheme, where the error is one that the wrong scheme makes."""
    scheme, _, address = endpoint.base_url.partition("://")
    other = "http" if scheme == "https" else "https"
    if not _speaks_of(other, endpoint, error):
        return None
    return lines.for_endpoint(endpoint, "base_url", toml_text(f"{other}://{address}"))


def _speaks_of(scheme: str, endpoint: Endpoint, error: ErrorInfo) -> bool:
    """Whether an error says that another scheme is right."""
    target = urlsplit(endpoint.base_url)
    if scheme == "http" and (target.port or _HTTPS_PORT) == _HTTPS_PORT:
        # Whoever breaks TLS on the way must not be handed the key in clear text.
        return False
    if error.kind == "redirect-refused":
        return scheme == "https" and error.message.endswith(f" to {target.netloc}")
    if said := _SCHEME.search(error.hint):
        return said[1] == scheme
    return "scheme in base_url" in error.hint


def _reach_fix(endpoint: Endpoint, lines: ConfigLines, environ: Mapping[str, str]) -> Fix | None:
    target = urlsplit(endpoint.base_url)
    if is_loopback(target.hostname or ""):
        return run("ollama serve") if endpoint.dialect == "ollama" else None
    if endpoint.proxy is None and proxy_variable(environ, target.scheme):
        return lines.for_endpoint(endpoint, "proxy", toml_text("env"))
    return None


def _code(kind: ErrorKind) -> int:
    """What has to be mended in the configuration is no fault of the network."""
    code = EXIT_CODES[kind]
    if code == BUG:
        return BUG
    return USAGE if code in {USAGE, REFUSED} else NETWORK


def _answered(label: str, report: ProbeReport) -> Finding:
    way = f"{report.seconds * 1000:,.0f} ms, {report.route}"
    last = report.stages[-1]
    if last.seconds is None:
        return note(f"{label}: answered after {way}, without a word: {last.words}")
    return ok(f"{label}: first token after {way}")
