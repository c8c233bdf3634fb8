"""Configuration: TOML files into typed, checked values. An error names file, line and key.

Nothing here opens a connection, and no value is a module global: a Config is passed on.
"""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from msgspec import structs

from streamtui.config import keys, values
from streamtui.config.env_proxy import env_proxy, proxy_variable, unread_exceptions
from streamtui.config.known import (
    DEMO_ENDPOINT,
    DEMO_MODEL,
    DIALECTS,
    EMBEDDED_DEMO_URL,
    KNOWN_ENDPOINTS,
    KnownEndpoint,
)
from streamtui.config.tables import (
    EndpointTable,
    Place,
    Price,
    ProxyTable,
    Timeouts,
    Tls,
    read_tables,
)
from streamtui.config.toml_lines import TomlFile, read_toml, shortened
from streamtui.config.types import (
    Config,
    Endpoint,
    Proxy,
    bypasses_proxy,
    check_login,
    listed,
    proxy_from_url,
    unknown_endpoint,
)
from streamtui.config.words import changed_keys, show_config
from streamtui.redact import Secret

__all__ = [
    "DIALECTS",
    "EMBEDDED_DEMO_URL",
    "Config",
    "Endpoint",
    "Price",
    "Proxy",
    "Timeouts",
    "Tls",
    "bypasses_proxy",
    "changed_keys",
    "config_of",
    "default_config_path",
    "load_config",
    "proxy_from_url",
    "show_config",
]


def default_config_path() -> Path:
    """Where the user's file is when nothing else is said."""
    from platformdirs import user_config_path

    return user_config_path("streamtui") / "config.toml"


def load_config(
    path: Path | None = None,
    *,
    managed_path: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    run_commands: bool = True,
) -> Config:
    """Read the user's file and, under it, the managed one.

    A `path` that is given must exist. Without `run_commands` the keys that commands print are
    missing. Raises ConfigError for the first mistake.
    """
    user_path = path or default_config_path()
    managed_path = managed_path or user_path.with_name("managed.toml")
    user = read_toml(user_path, missing_ok=path is None)
    managed = read_toml(managed_path, missing_ok=True)
    config = config_of(user, managed, environ, run_commands=run_commands)
    return structs.replace(config, path=user.name, managed_path=str(managed_path))


def config_of(
    user: TomlFile, managed: TomlFile, environ: Mapping[str, str], *, run_commands: bool = True
) -> Config:
    """What two files say that have been read, the first of which wins. Raises ConfigError."""
    return _Loading(Place((user, managed)), environ, run_commands=run_commands).config()


class _Loading:
    """One pass from checked tables and the environment to a Config."""

    def __init__(self, root: Place, environ: Mapping[str, str], *, run_commands: bool) -> None:
        self._root = root
        self._environ = environ
        self._run_commands = run_commands
        self._tables = read_tables(root)
        self._proxies: dict[str, Proxy] = {}
        self._left_out: dict[str, str] = {}
        self._warnings: list[str] = []

    def config(self) -> Config:
        for name, proxy in self._tables.proxies.items():
            self._proxies[name] = self._proxy(name, proxy)
        endpoints = {n: self._endpoint(n, table) for n, table in self._tables.endpoints.items()}
        for row in KNOWN_ENDPOINTS:
            if row.name not in endpoints and (known := self._known(row)):
                endpoints[row.name] = known
        endpoints.setdefault(DEMO_ENDPOINT, _demo_endpoint())
        endpoints = self._with_fallbacks(endpoints)
        self._warn_of_plain_http(endpoints)
        self._warn_of_insecure(endpoints)
        env_proxy = self._env_proxy(endpoints)
        return Config(
            endpoints=endpoints,
            default_endpoint=self._default(endpoints),
            theme=self._tables.defaults.theme,
            proxies=self._proxies,
            history=self._tables.history.keep,
            env_proxy=env_proxy,
            left_out=self._left_out,
            warnings=self._warnings,
        )

    def _proxy(self, name: str, table: ProxyTable) -> Proxy:
        place = self._root.inside("proxies", name)
        address = values.check_proxy_url(table.url)
        if address.username and table.username:
            raise place.inside("username").error("stands in the URL too; write it once")
        if address.password and table.password_env:
            raise place.inside("password_env").error("the URL has a password too; write it once")
        if table.password_env and not (address.username or table.username):
            raise place.inside("password_env").error("needs a username beside it")
        if address.password:
            self._warn_of_readable_password(place.inside("url"))
        proxy = Proxy(
            name=name,
            url=address.url,
            username=address.username or table.username,
            password=address.password or self._password(place, table.password_env),
            no_proxy=table.no_proxy,
            loopback=table.loopback,
        )
        return place.inside("username" if table.username else "url").check(check_login, proxy)

    def _password(self, place: Place, variable: str) -> Secret | None:
        if not variable:
            return None
        text = self._environ.get(variable, "").rstrip("\r\n")
        if not text:
            # Going on would send the request to the proxy without the password.
            raise place.inside("password_env").error(
                f"the environment variable {variable} is not set"
            )
        return place.inside("password_env").check(Secret, text)

    def _endpoint(self, name: str, table: EndpointTable) -> Endpoint:
        place = self._root.inside("endpoints", name)
        api_key, key_source = self._key_of(place, table)
        return Endpoint(
            name=name,
            dialect=table.dialect,
            base_url=values.check_base_url(table.base_url),
            model=table.model,
            api_key=api_key,
            key_source=key_source,
            proxy=self._proxy_of(place.inside("proxy"), table),
            tls=_tls_of(place.inside("tls"), table.tls) if table.tls else None,
            api_version=table.api_version,
            auth=table.auth,
            params=table.params,
            headers={name: str(value) for name, value in table.headers.items()},
            timeouts=table.timeouts,
            retries=table.retries,
            max_concurrent=table.max_concurrent,
            max_response_bytes=table.max_response_bytes,
            price=table.price,
        )

    def _with_fallbacks(self, endpoints: Mapping[str, Endpoint]) -> dict[str, Endpoint]:
        """The same, those that name others to stand in for them with these others."""
        tables = self._tables.endpoints
        return {
            name: structs.replace(endpoint, fallbacks=self._fallbacks(name, endpoints))
            if name in tables and tables[name].fallbacks
            else endpoint
            for name, endpoint in endpoints.items()
        }

    def _fallbacks(self, name: str, endpoints: Mapping[str, Endpoint]) -> tuple[Endpoint, ...]:
        names = self._tables.endpoints[name].fallbacks
        for index, fallback in enumerate(names):
            place = self._root.inside("endpoints", name, "fallbacks", index)
            if fallback == name:
                raise place.error("an endpoint cannot stand in for itself")
            if fallback in names[:index]:
                raise place.error(f"{shortened(fallback)} stands here twice")
            if fallback not in endpoints:
                raise place.error(
                    self._left_out.get(fallback) or unknown_endpoint(fallback, endpoints)
                )
        return tuple(endpoints[fallback] for fallback in names)

    def _key_of(self, place: Place, table: EndpointTable) -> tuple[Secret | None, str]:
        """The key of an endpoint, and where it comes from."""
        if table.api_key:
            place = place.inside("api_key")
            read = partial(keys.literal_key, path=Path(place.file().name))
            return place.check(read, table.api_key), "the configuration file"
        if table.api_key_file:
            place = place.inside("api_key_file")
            path = _path_of(place, table.api_key_file)
            return place.check(keys.key_from_file, path), f"file {path}"
        if command := table.api_key_command:
            place = place.inside("api_key_command")
            words = keys.command_words(command)
            run = self._run_commands
            return (place.check(keys.KEY_COMMANDS.key, command) if run else None), words
        variable = table.api_key_env
        return place.inside("api_key_env").check(self._key, variable), _key_source(variable)

    def _key(self, variable: str) -> Secret | None:
        """The key in a variable. Raises ValueError for something that is none."""
        try:
            return values.check_key(self._environ.get(variable, ""))
        except ValueError as error:
            raise ValueError(f"the environment variable {variable} {error}") from None

    def _proxy_of(self, place: Place, table: EndpointTable) -> Proxy | None:
        """What `proxy` of an endpoint means."""
        text = table.proxy
        if text in {"", "direct"}:
            return None
        if text == "env":
            self._warn_of_exceptions()
            return place.check(partial(env_proxy, self._environ), table.base_url)
        if "://" in text:
            return self._proxy_from_url(place, text)
        return self._proxies.get(text) or self._unknown_proxy(place, text)

    def _unknown_proxy(self, place: Place, text: str) -> NoReturn:
        names = [*self._proxies, "env", "direct"]
        try:
            shown = repr(values.check_name(text))
        except ValueError:
            # Not repeated: `user:password@host`, a URL without its beginning, comes here too.
            reason = 'expected a name in [proxies], a URL such as http://host:port, "env"'
            raise place.error(f'{reason} or "direct"') from None
        hint = values.nearest(text, names)
        raise place.error(f"unknown proxy {shown}{hint}; there are {listed(names)}")

    def _proxy_from_url(self, place: Place, url: str) -> Proxy:
        proxy = place.check(proxy_from_url, url)
        if proxy.password:
            self._warn_of_readable_password(place)
        return proxy

    def _known(self, row: KnownEndpoint) -> Endpoint | None:
        """A row of the table as an endpoint, if its key is there or the user asks for it."""
        try:
            key = self._key(row.key_env) if row.key_env else None
            if key is None and not self._is_wanted(row):
                return None
            base_url = self._known_base_url(row)
        except ValueError as error:
            # Not the default URL instead: the key would go to a host that nobody meant.
            self._left_out[row.name] = str(error)
            self._warnings.append(f"the endpoint {row.name} is left out: {error}")
            return None
        return Endpoint(row.name, row.dialect, base_url, row.model, key, _key_source(row.key_env))

    def _is_wanted(self, row: KnownEndpoint) -> bool:
        """An endpoint without a key is there if someone speaks of it; nobody looks for it."""
        named = self._tables.defaults.endpoint == row.name
        said = bool(self._environ.get(row.base_url_env, "").strip())
        return named or (said and not row.key_env)

    def _known_base_url(self, row: KnownEndpoint) -> str:
        url = self._environ.get(row.base_url_env, "").strip() if row.base_url_env else ""
        if url and row.base_url_env == "OLLAMA_HOST":
            url = values.ollama_url(url)
        try:
            return values.check_base_url(url or row.base_url)
        except ValueError as error:
            raise ValueError(f"the environment variable {row.base_url_env}: {error}") from None

    def _default(self, endpoints: Mapping[str, Endpoint]) -> str:
        name = self._tables.defaults.endpoint
        if not name:
            # A known endpoint without a model of its own cannot be asked anything yet.
            own = self._tables.endpoints
            return next(name for name, e in endpoints.items() if name in own or e.model)
        if name not in endpoints:
            place = self._root.inside("defaults", "endpoint")
            raise place.error(self._left_out.get(name) or unknown_endpoint(name, endpoints))
        return name

    def _env_proxy(self, endpoints: Mapping[str, Endpoint]) -> str:
        """The proxy variable that is set; a warning for endpoints that go past it unsaid."""
        found = {scheme: proxy_variable(self._environ, scheme) for scheme in ("https", "http")}
        said = {name for name, table in self._tables.endpoints.items() if table.proxy}
        past: dict[str, list[str]] = {}
        for name, endpoint in endpoints.items():
            variable = found.get(urlsplit(endpoint.base_url).scheme, "")
            if variable and name not in said and not _is_local(endpoint.base_url):
                past.setdefault(variable, []).append(name)
        for variable, names in past.items():
            self._warnings.append(
                f"{variable} is set and not used: {listed(names)} will be reached directly;"
                ' give each proxy = "env", or proxy = "direct"'
            )
        return found["https"] or found["http"]

    def _warn_of_plain_http(self, endpoints: Mapping[str, Endpoint]) -> None:
        for name, endpoint in endpoints.items():
            plain = endpoint.base_url.lower().startswith("http://")
            if plain and endpoint.api_key and not _is_local(endpoint.base_url):
                self._warnings.append(
                    f"the endpoint {name} sends its key over http://, readable on the way;"
                    " use https:// if the host has it"
                )

    def _warn_of_insecure(self, endpoints: Mapping[str, Endpoint]) -> None:
        for name, endpoint in endpoints.items():
            if endpoint.insecure:
                self._warnings.append(
                    f"the endpoint {name} has tls.verify = false: whoever sits on the way can read"
                    " its key and answer in its place; name the authority in tls.ca_file"
                )

    def _warn_of_exceptions(self) -> None:
        if unread := unread_exceptions(self._environ):
            words = ", ".join(map(shortened, unread[:3]))
            warning = f"NO_PROXY has entries that mean nothing and are passed over: {words}"
            if warning not in self._warnings:
                self._warnings.append(warning)

    def _warn_of_readable_password(self, place: Place) -> None:
        name = place.file().name
        warning = (
            f"{name} holds the password of a proxy and others can read it; run: chmod 600 {name}"
        )
        if Path(name).stat().st_mode & 0o077 and warning not in self._warnings:
            self._warnings.append(warning)


def _demo_endpoint() -> Endpoint:
    return Endpoint(DEMO_ENDPOINT, "openai-chat", EMBEDDED_DEMO_URL, DEMO_MODEL)


def _path_of(place: Place, text: str) -> Path:
    """A path as it stands in a file: relative to the folder of that file."""
    # Unlike Path.expanduser this leaves `~nobody` as it is: a file that is not there.
    expanded = os.path.expanduser(text)  # noqa: PTH111
    return Path(place.file().name).absolute().parent / expanded


def _tls_of(place: Place, tls: Tls) -> Tls:
    """The same with absolute paths. Raises ConfigError for a file that cannot be used."""
    found = {
        name: str(place.inside(name).check(check, _path_of(place.inside(name), text)))
        for name, check in _TLS_FILES.items()
        if (text := getattr(tls, name))
    }
    return structs.replace(tls, **found)


_TLS_FILES = {
    "ca_file": partial(values.check_pem, "CERTIFICATE"),
    "client_cert": partial(values.check_pem, "CERTIFICATE"),
    "client_key": partial(values.check_pem, "PRIVATE KEY"),
}


def _key_source(variable: str) -> str:
    return f"environment variable {variable}" if variable else ""


def _is_local(base_url: str) -> bool:
    return base_url == EMBEDDED_DEMO_URL or values.is_loopback(urlsplit(base_url).hostname or "")
