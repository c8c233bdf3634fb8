"""The configuration as values: endpoints, proxies and how they are looked up.

Complete when they are made: nothing here reads a file or the environment.
"""

from collections.abc import Iterable

from msgspec import Struct, field, structs

from streamtui.config import values
from streamtui.config.known import (
    DEMO_ENDPOINT,
    DEMO_OPENAI_MODELS,
    EMBEDDED_DEMO_URL,
    KNOWN_ENDPOINTS,
)
from streamtui.config.tables import DEFAULT_RESPONSE_BYTES, Price, Timeouts, Tls
from streamtui.config.toml_lines import shortened
from streamtui.errors import ConfigError
from streamtui.redact import Secret

_LISTED = 20


class Proxy(Struct, frozen=True):
    """A way to an endpoint. `url` carries no user and no password."""

    name: str
    """The name in `[proxies]`, or `host:port` of a URL that was given in its place."""
    url: str
    username: str = ""
    password: Secret | None = None
    no_proxy: tuple[str, ...] = ()
    """Hosts that are reached directly: names, `*.suffix`; loopback is too, see `loopback`."""
    loopback: bool = False
    """Also used for loopback targets, which are reached directly otherwise."""

    @property
    def host_port(self) -> str:
        """Where the proxy is, for messages: `proxy.example.com:3128`."""
        return values.host_port(self.url)

    @property
    def scheme(self) -> str:
        """`http`, `https`, `socks5` (names are looked up here) or `socks5h` (by the proxy)."""
        return self.url.partition(":")[0]

    @property
    def is_socks(self) -> bool:
        """It passes bytes on and reads none of them."""
        return self.scheme in values.SOCKS_SCHEMES


class Endpoint(Struct, frozen=True):
    """A configured target, complete: nothing has to be looked up to use it."""

    name: str
    dialect: str
    base_url: str
    """Without a slash at its end, or EMBEDDED_DEMO_URL."""
    model: str = ""
    api_key: Secret | None = None
    key_source: str = ""
    """Where the key comes from, for messages: `environment variable OPENAI_API_KEY`, `file PATH`.

    With a source and no key the key was not found there; with neither, none is needed.
    """
    proxy: Proxy | None = None
    """None: direct."""
    tls: Tls | None = None
    """None: the authorities of the system, and no certificate of one's own."""
    api_version: str = ""
    """With it an OpenAI dialect is Azure's; for Anthropic and Gemini in place of their default."""
    auth: str = ""
    """How the key is sent, one of `values.AUTHS`; empty for the way of the dialect."""
    params: dict[str, object] = {}
    """Sent with each request as they are: `temperature`, `max_tokens`, ..."""
    headers: dict[str, str] = {}
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: int = 2
    max_concurrent: int | None = None
    """So many runs at a time, of all sessions together; None for no limit."""
    max_response_bytes: int = DEFAULT_RESPONSE_BYTES
    fallbacks: tuple["Endpoint", ...] = ()
    """Asked in turn when this one fails before anything arrived; their own are not followed."""
    price: Price | None = None

    @property
    def insecure(self) -> bool:
        """Whoever answers at its address is believed to be it."""
        return self.tls is not None and not self.tls.verify


class Config(Struct, frozen=True):
    """All that is configured, from the user's file, the managed file and the environment."""

    endpoints: dict[str, Endpoint] = {}
    """The user's own first, in their order, then the known ones, then the demo."""
    default_endpoint: str = "demo"
    theme: str = "night"
    path: str = ""
    """The user's file; empty when there is none."""
    managed_path: str = ""
    """The file that the program writes; it need not be there yet."""
    proxies: dict[str, Proxy] = {}
    history: str = "disk"
    env_proxy: str = ""
    """The variable that names a proxy in the environment, for endpoints with `proxy = "env"`."""
    left_out: dict[str, str] = {}
    """Known endpoints that the environment describes wrongly, each with the reason."""
    warnings: list[str] = []
    """What works but should not stay so, as sentences without a final full stop."""

    def endpoint(self, spec: str) -> Endpoint:
        """The endpoint of `NAME` or `NAME/MODEL`. Raises ConfigError for an unknown name."""
        name, slash, model = spec.partition("/")
        endpoint = self.endpoints.get(name) or self._keyless(name)
        if endpoint is None:
            reason = self.left_out.get(name) or unknown_endpoint(name, self.endpoints)
            raise ConfigError(reason)
        if not slash:
            return endpoint
        if not model:
            raise ConfigError(f"expected NAME/MODEL, found no model after {name}/")
        is_built_in = name == DEMO_ENDPOINT and endpoint.base_url == EMBEDDED_DEMO_URL
        if is_built_in and not model.startswith("demo/") and model not in DEMO_OPENAI_MODELS:
            model = f"demo/{model}"
        return structs.replace(endpoint, model=model)

    def _keyless(self, name: str) -> Endpoint | None:
        """A known endpoint that needs no key, and so is there as soon as it is named."""
        if name in self.left_out:
            return None
        rows = (row for row in KNOWN_ENDPOINTS if row.name == name and not row.key_env)
        row = next(rows, None)
        return Endpoint(row.name, row.dialect, row.base_url, row.model) if row else None


def proxy_from_url(url: str) -> Proxy:
    """A proxy that has a URL and no table. Raises ValueError, without the URL's password."""
    address = values.check_proxy_url(url)
    name = values.host_port(address.url)
    return check_login(Proxy(name, address.url, address.username, address.password))


def check_login(proxy: Proxy) -> Proxy:
    """The same proxy. Raises ValueError for user and password that its protocol cannot carry."""
    if proxy.is_socks:
        values.check_socks_login(proxy.username, proxy.password)
    return proxy


def bypasses_proxy(proxy: Proxy, host: str, port: int) -> bool:
    """Whether a target is reached directly although its endpoint has this proxy."""
    if values.is_loopback(host) and not proxy.loopback:
        return True
    return any(values.matches_no_proxy(pattern, host, port) for pattern in proxy.no_proxy)


def unknown_endpoint(name: str, names: Iterable[str]) -> str:
    """Why there is no endpoint of this name, as the reason of an error."""
    for row in KNOWN_ENDPOINTS:
        if row.name == name:
            return f"the endpoint {name} needs its key in the environment variable {row.key_env}"
    names = list(names)
    shown = shortened(name)
    return f"unknown endpoint {shown!r}{values.nearest(name, names)}; there are {listed(names)}"


def listed(names: Iterable[str]) -> str:
    """Names for a message, not more than people read."""
    first = list(names)
    more = f" and {len(first) - _LISTED} more" if len(first) > _LISTED else ""
    return ", ".join(first[:_LISTED]) + more
