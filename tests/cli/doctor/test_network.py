"""Every endpoint is asked at once; what goes wrong has the line that helps, if there is one."""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path

import pytest
import trustme

from streamtui.cli.codes import BUG, NETWORK, USAGE
from streamtui.cli.doctor.findings import Finding
from streamtui.cli.doctor.network import ask_endpoints, can_be_asked, fix_for, patient
from streamtui.config import Endpoint, Timeouts
from streamtui.demo import start_demo
from streamtui.demo.server import DemoServer
from streamtui.engine.doors import Doors, ListModels, Probe, Query
from streamtui.engine.host import EngineThread
from streamtui.engine.reports import Answer, ModelList, ProbeReport, Stage, Unanswered
from streamtui.engine.tls import tls_error
from streamtui.errors import RunError
from streamtui.events import ErrorInfo, ErrorKind
from streamtui.redact import Secret
from tests.certificates import server_context, tls_server
from tests.cli.doctor.conftest import Configure, Configured
from tests.cli.doctor.reading import fix_lines
from tests.cli.scripted_doors import ScriptedDoors

FAR = '[endpoints.far]\ndialect = "openai-chat"\nbase_url = "{url}"\nmodel = "m"\n'
TOKEN = Stage("first token", 0.2, "“Hi”")


class ProbedDoors(ScriptedDoors):
    """Answers from two tables; those of endpoints in `held` only after `release`."""

    def __init__(self, reports: Mapping[str, Answer], models: Mapping[str, ModelList]) -> None:
        super().__init__({})
        self.reports = reports
        self.models_of = models
        self.asked: list[str] = []
        self.held: set[str] = set()
        self.release = asyncio.Event()

    async def ask(self, query: Query) -> Answer:
        assert isinstance(query, ListModels | Probe)
        name = query.endpoint.name
        self.asked.append(name)
        if name in self.held:
            await self.release.wait()
        if isinstance(query, ListModels):
            return self.models_of.get(name, ModelList())
        return self.reports[name]


def good(name: str, *, last: Stage = TOKEN) -> ProbeReport:
    return ProbeReport(name, "m", "openai-chat", "direct", (last,), seconds=0.3124)


def bad(kind: ErrorKind, words: str = "it failed", hint: str = "", route: str = "direct") -> Answer:
    error = ErrorInfo(kind, words, hint)
    return ProbeReport("far", "m", "openai-chat", route, (Stage("first token", None),), error)


async def told(doors: Doors, configured: Configured, *names: str) -> list[Finding]:
    """The findings about these endpoints, or about all that are written in the file."""
    config, lines, _ = configured
    chosen = [config.endpoints[name] for name in names or ("far",)]
    findings: list[Finding] = []
    await ask_endpoints(doors, chosen, lines, findings.append, {})
    return findings


def far(configure: Configure, more: str = "", url: str = "https://host.example/v1") -> Configured:
    return configure(FAR.format(url=url) + more)


async def test_an_answer_is_told_with_its_time_and_its_way(configure: Configure) -> None:
    (finding,) = await told(ProbedDoors({"far": good("far")}, {}), far(configure))
    assert finding.state == "ok"
    assert finding.words == "far/m: first token after 312 ms, direct"


async def test_an_answer_without_a_word_is_a_note(configure: Configure) -> None:
    empty = good("far", last=Stage("first token", None, "the answer is empty (stop)"))
    (finding,) = await told(ProbedDoors({"far": empty}, {}), far(configure))
    assert finding.state == "note"
    assert "the answer is empty (stop)" in finding.words


async def test_all_are_asked_at_once_and_told_in_their_order(configure: Configure) -> None:
    text = FAR.format(url="https://host.example") + FAR.format(url="https://h2.example").replace(
        "far", "two"
    )
    doors = ProbedDoors({"far": good("far"), "two": good("two")}, {})
    doors.held = {"far"}
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(told(doors, configure(text), "far", "two"))
        while doors.asked != ["far", "two"]:  # noqa: ASYNC110 - each turn of the loop goes on
            await asyncio.sleep(0)
        doors.release.set()
    assert [finding.words.partition("/")[0] for finding in asking.result()] == ["far", "two"]


async def test_a_reader_that_has_gone_is_told_as_such(configure: Configure) -> None:
    def go_away(_: Finding) -> None:
        raise BrokenPipeError

    config, lines, _ = far(configure)
    doors = ProbedDoors({"far": good("far")}, {})
    with pytest.raises(BrokenPipeError):
        await ask_endpoints(doors, [config.endpoints["far"]], lines, go_away, {})


@pytest.mark.parametrize(
    ("kind", "state", "code"),
    [
        ("dns", "problem", NETWORK),
        ("timeout-first-token", "problem", NETWORK),
        ("overloaded", "problem", NETWORK),
        ("truncated", "problem", NETWORK),
        ("auth", "problem", USAGE),
        ("not-found", "problem", USAGE),
        ("bug", "problem", BUG),
        ("rate-limit", "note", USAGE),
    ],
)
async def test_what_kind_of_failure_it_is_decides_about_the_code(
    kind: ErrorKind, state: str, code: int, configure: Configure
) -> None:
    doors = ProbedDoors({"far": bad(kind, hint="Do something")}, {})
    (finding,) = await told(doors, far(configure))
    assert (finding.state, finding.code) == (state, code)
    assert finding.words == "far/m: it failed. Do something"


async def test_the_way_is_told_where_the_error_does_not(configure: Configure) -> None:
    doors = ProbedDoors({"far": bad("server", route="via proxy p (h:1)")}, {})
    (finding,) = await told(doors, far(configure))
    assert finding.words == "far/m: it failed (via proxy p (h:1))"
    doors = ProbedDoors({"far": bad("proxy", "no proxy p (h:1)", route="via proxy p (h:1)")}, {})
    (finding,) = await told(doors, far(configure))
    assert finding.words == "far/m: no proxy p (h:1)"


async def test_an_engine_that_cannot_answer_is_a_bug(configure: Configure) -> None:
    gone = Unanswered(RunError("the engine has ended", kind="bug").info())
    (finding,) = await told(ProbedDoors({"far": gone}, {}), far(configure))
    assert (finding.state, finding.code) == ("problem", BUG)
    assert fix_lines(finding)[0].startswith("tail ")


async def test_a_model_that_is_not_there_has_the_nearest_one(configure: Configure) -> None:
    models = {"far": ModelList(("llama3", "gpt-4o-mini", "gpt-4o"))}
    doors = ProbedDoors({"far": bad("not-found")}, models)
    text = FAR.format(url="https://host.example/v1").replace('"m"', '"gpt-4-mini"')
    (finding,) = await told(doors, configure(text))
    assert fix_lines(finding) == ('model = "gpt-4o-mini"',)


async def test_a_model_that_is_listed_is_not_to_blame(configure: Configure) -> None:
    doors = ProbedDoors({"far": bad("bad-request")}, {"far": ModelList(("m", "n"))})
    (finding,) = await told(doors, far(configure))
    assert finding.fix is None


async def test_without_a_model_one_of_the_list_is_offered(configure: Configure) -> None:
    text = FAR.format(url="https://host.example/v1").replace('model = "m"\n', "")
    doors = ProbedDoors({}, {"far": ModelList(("llama3", "gpt"))})
    (finding,) = await told(doors, configure(text))
    assert (finding.state, finding.code) == ("problem", USAGE)
    assert fix_lines(finding) == ('model = "llama3"',)


async def test_without_a_model_an_endpoint_that_is_not_reached_is_told_so(
    configure: Configure,
) -> None:
    text = FAR.format(url="https://host.example/v1").replace('model = "m"\n', "")
    nobody = ModelList((), ErrorInfo("connect", "nothing listens on host.example"))
    (finding,) = await told(ProbedDoors({}, {"far": nobody}), configure(text))
    assert "nothing listens" in finding.words
    assert finding.code == NETWORK


def fix_of(
    configured: Configured, kind: ErrorKind, hint: str = "", words: str = "", **env: str
) -> tuple[str, ...]:
    config, lines, _ = configured
    fix = fix_for(config.endpoints["far"], ErrorInfo(kind, words, hint), lines, env)
    return fix.lines if fix else ()


def certificate_hint(code: int) -> str:
    error = ssl.SSLCertVerificationError()
    error.verify_code = code
    return tls_error(error, "host.example:443").hint


def protocol_hint(reason: str) -> str:
    error = ssl.SSLError()
    error.reason = reason
    return tls_error(error, "host.example:443").hint


@pytest.mark.parametrize("code", [18, 19, 20, 21])
def test_an_authority_that_is_unknown_can_be_named(code: int, configure: Configure) -> None:
    found = fix_of(far(configure), "tls", certificate_hint(code))
    assert found == ('tls = { ca_file = "/path/to/authority.pem" }',)


def test_the_authority_that_other_programs_use_is_found(
    configure: Configure, tmp_path: Path
) -> None:
    (tmp_path / "corp.pem").touch()
    env = {
        "SSL_CERT_FILE": "/nowhere",
        "REQUESTS_CA_BUNDLE": "x" * 300,
        "CURL_CA_BUNDLE": str(tmp_path / "corp.pem"),
    }
    found = fix_of(far(configure), "tls", certificate_hint(20), **env)
    assert found == (f'tls = {{ ca_file = "{tmp_path}/corp.pem" }}',)


@pytest.mark.parametrize("code", [10, 62])
def test_no_line_excuses_a_certificate_that_is_wrong(code: int, configure: Configure) -> None:
    assert fix_of(far(configure), "tls", certificate_hint(code)) == ()


def test_a_clock_that_is_wrong_can_be_set(configure: Configure) -> None:
    assert fix_of(far(configure), "tls", certificate_hint(9)) == ("sudo timedatectl set-ntp true",)


def test_a_certificate_that_is_asked_for_can_be_named(configure: Configure) -> None:
    (line,) = fix_of(far(configure), "tls", protocol_hint("TLSV13_ALERT_CERTIFICATE_REQUIRED"))
    assert line.startswith("tls = { client_cert = ")


def test_a_port_without_tls_has_the_other_scheme(configure: Configure) -> None:
    found = far(configure, url="https://host.example:8080/v1")
    line = 'base_url = "http://host.example:8080/v1"'
    assert fix_of(found, "tls", protocol_hint("WRONG_VERSION_NUMBER")) == (line,)


def test_the_port_of_https_never_gets_a_key_in_clear_text(configure: Configure) -> None:
    assert fix_of(far(configure), "tls", protocol_hint("WRONG_VERSION_NUMBER")) == ()


def test_a_redirect_to_the_same_host_is_one_to_https(configure: Configure) -> None:
    found = far(configure, url="http://host.example/v1")
    words = "HTTP 301, the endpoint redirects to host.example"
    assert fix_of(found, "redirect-refused", words=words) == (
        'base_url = "https://host.example/v1"',
    )
    assert fix_of(found, "redirect-refused", words=f"{words}.evil") == ()


@pytest.mark.parametrize("kind", ["dns", "connect", "timeout-connect"])
def test_a_proxy_of_the_environment_may_be_the_way(kind: ErrorKind, configure: Configure) -> None:
    env = {"HTTPS_PROXY": "http://proxy.example:3128"}
    found = configure(FAR.format(url="https://host.example/v1"), env=env)
    assert fix_of(found, kind, **env) == ('proxy = "env"',)
    assert fix_of(found, kind) == ()
    assert fix_of(far(configure, url="http://host.example/v1"), kind, **env) == ()


def test_ollama_on_this_machine_can_be_started(configure: Configure) -> None:
    text = FAR.format(url="http://127.0.0.1:11434").replace("openai-chat", "ollama")
    assert fix_of(configure(text), "connect") == ("ollama serve",)


PROXY = '[proxies.office]\nurl = "http://proxy.example:3128"\n'


def test_a_proxy_that_fails_can_be_left_out(configure: Configure) -> None:
    found = far(configure, f'proxy = "office"\n{PROXY}')
    assert fix_of(found, "proxy") == ('proxy = "direct"',)


def test_a_proxy_that_wants_a_login_gets_one(configure: Configure) -> None:
    named = far(configure, f'proxy = "office"\n{PROXY}')
    assert fix_of(named, "proxy-auth") == ('username = "…"', 'password_env = "PROXY_PASSWORD"')
    env = {"HTTPS_PROXY": "http://me:secret@proxy.example:3128"}
    text = FAR.format(url="https://host.example/v1") + 'proxy = "env"\n'
    assert fix_of(configure(text, env=env), "proxy-auth") == (
        "export HTTPS_PROXY=http://USER:PASSWORD@proxy.example:3128",
    )


def test_a_path_that_is_missing_is_added(configure: Configure) -> None:
    bare = far(configure, url="https://host.example")
    assert fix_of(bare, "not-found") == ('base_url = "https://host.example/v1"',)
    assert fix_of(far(configure), "not-found") == ()


def test_a_key_that_is_refused_is_looked_for_where_it_comes_from(
    configure: Configure, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("abcdefgh")
    (tmp_path / "key").chmod(0o600)
    assert fix_of(far(configure, 'api_key_env = "K"\n'), "auth") == ("export K=…",)
    (line,) = fix_of(far(configure, 'api_key_file = "key"\n'), "auth")
    assert line == f"${{EDITOR:-vi}} {tmp_path}/key"
    assert fix_of(far(configure), "auth") == ('api_key_env = "FAR_API_KEY"',)


def test_an_endpoint_without_its_key_is_not_asked() -> None:
    endpoint = Endpoint("far", "openai-chat", "https://host.example", key_source="x")
    assert not can_be_asked(endpoint)
    assert can_be_asked(Endpoint("near", "openai-chat", "https://host.example"))
    keyed = Endpoint("far", "openai-chat", "x", api_key=Secret("k"), key_source="x")
    assert can_be_asked(keyed)


def test_a_connection_is_not_waited_for_as_long_as_in_a_run() -> None:
    slow = Endpoint("far", "sse", "x", timeouts=Timeouts(connect=60, first_token=77))
    assert patient(slow).timeouts == Timeouts(connect=10, first_token=77)
    quick = Endpoint("far", "sse", "x", timeouts=Timeouts(connect=2))
    assert patient(quick).timeouts.connect == 2


@pytest.fixture
def engine() -> EngineThread:
    return EngineThread(start_demo)


async def test_the_real_engine_reaches_the_demo(engine: EngineThread, configure: Configure) -> None:
    (finding,) = await told(engine, configure(), "demo")
    engine.close()
    assert finding.state == "ok"
    assert finding.words.startswith("demo/verse: first token after ")
    assert finding.words.endswith(" ms, direct")


async def test_the_real_engine_meets_a_closed_port_and_a_wrong_scheme(
    engine: EngineThread, server: DemoServer, configure: Configure
) -> None:
    wrong = server.base_url.replace("http:", "https:")
    text = FAR.format(url="http://127.0.0.1:9/v1") + FAR.format(url=wrong).replace("far", "wrong")
    closed, scheme = await told(engine, configure(text), "far", "wrong")
    engine.close()
    assert (closed.state, closed.code) == ("problem", NETWORK)
    assert "nothing listens on 127.0.0.1:9" in closed.words
    assert fix_lines(scheme) == (f'base_url = "{server.base_url}"',)


async def test_the_real_engine_meets_an_authority_that_is_unknown(
    engine: EngineThread, configure: Configure
) -> None:
    certificate = trustme.CA().issue_cert("localhost", "127.0.0.1")
    async with tls_server(server_context(certificate)) as player:
        url = f"https://localhost:{player.port}/v1"
        (finding,) = await told(engine, far(configure, url=url))
    engine.close()
    assert finding.code == NETWORK
    assert fix_lines(finding) == ('tls = { ca_file = "/path/to/authority.pem" }',)
