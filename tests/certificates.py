"""Certificates made for a test, and servers on loopback that show them."""

import ssl
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import trustme

from tests.faultserver import ANSWER, FaultServer
from tests.loopback import listening


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server whose certificate is its own authority."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "self.pem")
    authority.private_key_pem.write_to_path(folder / "self.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "self.pem", folder / "self.key")
    return context


def trust(authority: trustme.CA, folder: Path) -> str:
    """The authority's certificate in a file."""
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def tls_server(context: ssl.SSLContext) -> AbstractAsyncContextManager[FaultServer]:
    """Answers each request over TLS with one token."""
    return listening(FaultServer(ANSWER), tls=context)
