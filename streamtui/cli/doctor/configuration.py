"""The configuration: whether it can be used, and what in it works but should not stay so."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from streamtui.cli.doctor.config_lines import ConfigLines, key_variable, toml_text
from streamtui.cli.doctor.files import exists
from streamtui.cli.doctor.findings import Finding, Findings, Fix, note, ok, problem, quoted, run
from streamtui.config import Config, Endpoint
from streamtui.config.types import listed
from streamtui.config.values import is_loopback
from streamtui.errors import ConfigError

ANY_CA_FILE = "/path/to/authority.pem"
_ADVICE = re.compile(r"; run: (.+)")
_VARIABLE = re.compile(r"environment variable (\w+)(:?)")


def check_configuration(config: Config, lines: ConfigLines) -> Findings:
    """What is there, what lacks its key, and the warnings, each with its line."""
    names = listed(config.endpoints)
    yield ok(f"endpoints: {names}; {config.default_endpoint} is the default")
    for endpoint in config.endpoints.values():
        if endpoint.key_source and endpoint.api_key is None:
            yield _missing_key(endpoint)
    remedies = list(_remedies(config, lines))
    left_out = tuple(f"the endpoint {name} is left out" for name in config.left_out)
    for warning in config.warnings:
        fix = next((fix for beginning, fix in remedies if warning.startswith(beginning)), None)
        tell = problem if warning.startswith(left_out) else note
        yield tell(_ADVICE.sub("", warning), fix or _advice(warning))


def check_error(error: ConfigError, path: Path) -> Finding:
    """The mistake that stands in the way; `path` is the user's file."""
    fix = _advice(error.reason) or _export(error.reason) or _place(error, path)
    return problem(_ADVICE.sub("", str(error)), fix)


def _missing_key(endpoint: Endpoint) -> Finding:
    words = f"the endpoint {endpoint.name} has no key: the {endpoint.key_source} is not set"
    return problem(words, run(f"export {key_variable(endpoint)}=…"))


def _advice(words: str) -> Fix | None:
    """The command that an error or a warning of the configuration ends with."""
    found = _ADVICE.search(words)
    return run(found[1]) if found else None


def _export(reason: str) -> Fix | None:
    """The command for a variable that is not set, or holds something else."""
    found = _VARIABLE.search(reason)
    return run(f"export {found[1]}=…") if found else None


def _place(error: ConfigError, path: Path) -> Fix:
    """The command that opens a file at the mistake, or makes one that is missing."""
    if error.file == str(path) and not exists(path):
        return run(f"streamtui config init --config {quoted(path)}")
    at_line = f"+{error.line} " if error.line else ""
    return run(f"${{EDITOR:-vi}} {at_line}{quoted(error.file or path)}")


def _remedies(config: Config, lines: ConfigLines) -> Iterator[tuple[str, Fix | None]]:
    """Beginnings of warnings, each with what helps."""
    for name, reason in config.left_out.items():
        yield f"the endpoint {name} is left out", _left_out_fix(reason)
    if config.env_proxy:
        yield f"{config.env_proxy} is set and not used", _proxy_fix(config, lines)
    yield "NO_PROXY has entries", run("export NO_PROXY=localhost,.example.com")
    for name, endpoint in config.endpoints.items():
        address = endpoint.base_url.partition("://")[2]
        secure = lines.for_endpoint(endpoint, "base_url", toml_text(f"https://{address}"))
        yield f"the endpoint {name} sends its key over http://", secure
        trusted = lines.for_endpoint(endpoint, "tls", f'{{ ca_file = "{ANY_CA_FILE}" }}')
        yield f"the endpoint {name} has tls.verify = false", trusted


def _left_out_fix(reason: str) -> Fix | None:
    """A key can only be given again; without a variable for its URL an endpoint has its own."""
    found = _VARIABLE.search(reason)
    if found is None:
        return None
    return run(f"unset {found[1]}") if found[2] else run(f"export {found[1]}=…")


def _proxy_fix(config: Config, lines: ConfigLines) -> Fix | None:
    """The line for the first endpoint that goes past the proxy; the others take the same."""
    for endpoint in config.endpoints.values():
        target = urlsplit(endpoint.base_url)
        is_meant = config.env_proxy.lower() in {f"{target.scheme}_proxy", "all_proxy"}
        is_past = is_meant and not is_loopback(target.hostname or "")
        if is_past and not lines.says(endpoint, "proxy"):
            fix = lines.for_endpoint(endpoint, "proxy", toml_text("env"))
            if fix is not None:
                return fix
    return None
