"""Certificates, good and bad, in front of the real transport; made by the test, on loopback."""

import asyncio
import contextlib
import datetime as dt
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from streamtui.config import Tls
from streamtui.engine.doors import Send
from streamtui.engine.tls import client_context, proxy_context, tls_error
from streamtui.engine.transport import AiohttpTransport
from streamtui.errors import TransportError
from streamtui.event_words import describe
from streamtui.events import ErrorInfo, RunCompleted
from tests.certificates import self_signed, server_context, tls_server, trust
from tests.engine.test_transport import ask, endpoint_at, error_of, kept_text
from tests.faultserver import ANSWER, fault_server
from tests.scripted import EngineUnderTest

YESTERDAY = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)


async def ask_at(context: ssl.SSLContext, tls: Tls | None, host: str = "127.0.0.1") -> Any:
    """The end of a run at a server with this certificate, and the server's count of requests."""
    async with tls_server(context) as server, EngineUnderTest(AiohttpTransport()) as test:
        url = f"https://{host}:{server.port}/v1"
        end = await ask(test, endpoint_at(url, tls=tls, retries=2))
        return end, server.hits


async def failure_at(
    context: ssl.SSLContext, tls: Tls | None, host: str = "127.0.0.1"
) -> tuple[ErrorInfo, str]:
    """Why a server with this certificate was refused, and in words; it never saw a request."""
    end, hits = await ask_at(context, tls, host)
    assert hits == 0
    return error_of(end), describe(end).words


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


async def test_an_authority_in_ca_file_is_trusted(authority: trustme.CA, tmp_path: Path) -> None:
    context = server_context(authority.issue_cert("127.0.0.1"))
    end, hits = await ask_at(context, Tls(ca_file=trust(authority, tmp_path)))
    assert isinstance(end, RunCompleted)
    assert hits == 1


async def test_a_file_that_was_put_right_is_read_again(
    authority: trustme.CA, tmp_path: Path
) -> None:
    tls = Tls(ca_file=trust(trustme.CA(), tmp_path))
    context = server_context(authority.issue_cert("127.0.0.1"))
    async with tls_server(context) as server, EngineUnderTest(AiohttpTransport()) as test:
        endpoint = endpoint_at(f"https://127.0.0.1:{server.port}/v1", tls=tls)
        assert error_of(await ask(test, endpoint)).kind == "tls"
        trust(authority, tmp_path)
        test.engine.execute(Send("s", "again", "hi"))
        events = await test.listener.run_ends(2)
        assert isinstance(events[-1].body, RunCompleted)


async def test_an_unknown_authority_is_refused(authority: trustme.CA) -> None:
    error, words = await failure_at(server_context(authority.issue_cert("127.0.0.1")), None)
    assert (error.kind, error.retryable) == ("tls", False)
    assert "127.0.0.1:" in words
    assert "comes from an authority that is unknown here" in words
    assert "tls.ca_file" in words


async def test_another_authority_than_that_in_ca_file_is_refused(
    authority: trustme.CA, tmp_path: Path
) -> None:
    context = server_context(authority.issue_cert("127.0.0.1"))
    error, _ = await failure_at(context, Tls(ca_file=trust(trustme.CA(), tmp_path)))
    assert error.kind == "tls"


async def test_a_certificate_that_signed_itself_is_refused(tmp_path: Path) -> None:
    error, words = await failure_at(self_signed(tmp_path), None)
    assert (error.kind, error.retryable) == ("tls", False)
    assert "127.0.0.1:" in words
    assert "signed by nobody but itself" in words
    assert "tls.ca_file" in words


async def test_a_certificate_for_another_host_is_refused(
    authority: trustme.CA, tmp_path: Path
) -> None:
    context = server_context(authority.issue_cert("other.example"))
    tls = Tls(ca_file=trust(authority, tmp_path))
    for host in ("127.0.0.1", "localhost"):
        error, words = await failure_at(context, tls, host)
        assert (error.kind, error.retryable) == ("tls", False)
        assert f"the certificate of {host}:" in words
        assert "is for another host" in words
        assert "tls.ca_file" in words


async def test_a_certificate_that_has_expired_is_refused(
    authority: trustme.CA, tmp_path: Path
) -> None:
    context = server_context(authority.issue_cert("127.0.0.1", not_after=YESTERDAY))
    error, words = await failure_at(context, Tls(ca_file=trust(authority, tmp_path)))
    assert (error.kind, error.retryable) == ("tls", False)
    assert "127.0.0.1:" in words
    assert "has expired" in words
    assert "tls.ca_file" in words


async def test_without_verification_everyone_is_believed(tmp_path: Path) -> None:
    end, hits = await ask_at(self_signed(tmp_path), Tls(verify=False))
    assert isinstance(end, RunCompleted)
    assert hits == 1


async def test_one_endpoint_without_verification_loosens_no_other(tmp_path: Path) -> None:
    async with (
        tls_server(self_signed(tmp_path)) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        url = f"https://127.0.0.1:{server.port}/v1"
        assert isinstance(await ask(test, endpoint_at(url, tls=Tls(verify=False))), RunCompleted)
    async with (
        tls_server(self_signed(tmp_path)) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        url = f"https://127.0.0.1:{server.port}/v1"
        await ask(test, endpoint_at(url, tls=Tls(verify=False)))
        test.listener.events.clear()
        assert error_of(await ask(test, endpoint_at(url), "other")).kind == "tls"


@pytest.mark.parametrize("in_one_file", [False, True])
async def test_a_client_certificate_is_shown(
    authority: trustme.CA, tmp_path: Path, *, in_one_file: bool
) -> None:
    context = server_context(authority.issue_cert("127.0.0.1"))
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    mine = authority.issue_cert("me@example.com")
    both, certificate, key = tmp_path / "both", tmp_path / "cert", tmp_path / "key"
    mine.private_key_and_cert_chain_pem.write_to_path(both)
    mine.cert_chain_pems[0].write_to_path(certificate)
    mine.private_key_pem.write_to_path(key)
    ca_file = trust(authority, tmp_path)
    tls = (
        Tls(ca_file, client_cert=str(both))
        if in_one_file
        else Tls(ca_file, client_cert=str(certificate), client_key=str(key))
    )
    end, hits = await ask_at(context, tls)
    assert isinstance(end, RunCompleted)
    assert hits == 1


def test_a_server_that_wants_a_client_certificate_says_so(authority: trustme.CA) -> None:
    """In memory: over a socket the server's alert may be lost with the connection."""
    theirs = server_context(authority.issue_cert("127.0.0.1"))
    theirs.verify_mode = ssl.CERT_REQUIRED
    ours = client_context(None)
    authority.configure_trust(ours)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ours.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    server = theirs.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        with contextlib.suppress(ssl.SSLError):
            side.do_handshake()
    with pytest.raises(ssl.SSLError) as caught:
        client.read()
    error = tls_error(caught.value, "host:443")
    assert error.kind == "tls"
    assert "host:443 refuses the connection" in error.message
    assert "tls.client_cert" in error.hint


async def test_a_port_that_speaks_plain_http_suggests_the_other_scheme() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at(f"https://127.0.0.1:{port}/v1", retries=2))
        words = describe(end).words
        assert error_of(end).kind == "tls"
        assert f"127.0.0.1:{port} does not speak TLS" in words
        assert "http://" in words


async def test_the_connection_is_http_1_1(authority: trustme.CA, tmp_path: Path) -> None:
    context = server_context(authority.issue_cert("127.0.0.1"))
    # A server that would rather speak HTTP/2 is asked for what is understood.
    context.set_alpn_protocols(["h2", "http/1.1"])
    end, _ = await ask_at(context, Tls(ca_file=trust(authority, tmp_path)))
    assert isinstance(end, RunCompleted)


def test_a_file_is_trusted_beside_the_systems_authorities(
    authority: trustme.CA, tmp_path: Path
) -> None:
    usual = len(ssl.create_default_context().get_ca_certs())
    context = client_context(Tls(ca_file=trust(authority, tmp_path)))
    assert len(context.get_ca_certs()) == usual + 1
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_proxy_is_verified_also_when_the_endpoint_is_not() -> None:
    context = proxy_context(Tls(verify=False))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    with pytest.raises(TransportError, match=r"tls\.ca_file cannot be used"):
        client_context(Tls(ca_file=str(path)))
    with pytest.raises(TransportError, match=r"tls\.client_cert cannot be used"):
        client_context(Tls(client_cert=str(path)))


async def test_a_bad_file_ends_the_run_in_words(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\n")
    async with fault_server(ANSWER) as server, EngineUnderTest(AiohttpTransport()) as test:
        url = f"https://127.0.0.1:{server.port}/v1"
        end = await ask(test, endpoint_at(url, tls=Tls(ca_file=str(path)), retries=2))
        assert error_of(end).kind == "tls"
        assert str(path) in describe(end).words
        assert kept_text(test) == ""
