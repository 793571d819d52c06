"""Trust and certificates: contexts to connect with, what a certificate says, and why one was refused."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

import certifi
from cryptography import x509
from cryptography.x509.oid import NameOID

_LOOK = 3.0  # seconds for a second look at a certificate, well within a check's own deadline
# X509_V_ERR_*, from OpenSSL's x509_vfy.h.
EXPIRED, NOT_YET_VALID = 10, 9
NAME_MISMATCH = frozenset({62, 64})
_UNTRUSTED = {
    18: "it is self-signed",
    19: "a certificate in its chain is self-signed and not trusted here",
    20: "its issuer is not trusted here",
    21: "the server does not send its intermediate certificates",
    23: "it is revoked",
}


def trusting(ca_file: str | None = None) -> ssl.SSLContext:
    """A context that verifies, against a file of CAs or else those the system (or SSL_CERT_FILE) trusts.

    Raises OSError or ssl.SSLError when the file cannot be read.
    """
    context = ssl.create_default_context(cafile=ca_file)
    if ca_file is None and not context.cert_store_stats()["x509_ca"]:
        context.load_verify_locations(cafile=certifi.where())  # slim images carry no store of their own
    return context


def unverifying() -> ssl.SSLContext:
    """A context that accepts any certificate: for looking at one, or where the configuration says so."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a server's certificate says of itself."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime

    def days_left(self, now: datetime) -> float:
        """Days until it expires, negative afterwards."""
        return (self.not_after - now) / timedelta(days=1)

    def is_for(self, host: str) -> bool:
        """Whether it names this host or address; a wildcard stands for one label (RFC 6125)."""
        wanted = _canonical(host)
        parent = wanted.partition(".")[2]
        return any(name == wanted or (name.startswith("*.") and name[2:] == parent) for name in self.names)


def parse_certificate(der: bytes) -> Certificate:
    """Raises ValueError for what is no certificate."""
    certificate = x509.load_der_x509_certificate(der)
    return Certificate(
        subject=_common_name(certificate.subject),
        issuer=_common_name(certificate.issuer),
        names=_names(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


async def fetch_certificate(host: str, port: int, server_name: str | None = None) -> Certificate:
    """The certificate a server shows, whatever it is worth.

    Raises OSError (SSLError and TimeoutError, after three seconds, are ones) or ValueError.
    """
    async with asyncio.timeout(_LOOK):
        _, writer = await asyncio.open_connection(
            host, port, ssl=unverifying(), server_hostname=server_name or host
        )
    try:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.transport.abort()
    return parse_certificate(der or b"")


def explain_refusal(
    error: ssl.SSLCertVerificationError, host: str, certificate: Certificate | None, now: datetime
) -> str:
    """Why OpenSSL refused a certificate, with what can be told of it."""
    if error.verify_code in NAME_MISMATCH:
        return wrong_name(host, certificate)
    if error.verify_code in (EXPIRED, NOT_YET_VALID):
        own = wrong_time(host, certificate, now) if certificate else None
        when = "has expired" if error.verify_code == EXPIRED else "is not valid yet"
        return own or f"a certificate in the chain of {host} {when}"
    why = _UNTRUSTED.get(error.verify_code, error.verify_message)
    issuer = f" (issued by {certificate.issuer})" if certificate and error.verify_code in (19, 20) else ""
    return f"the certificate of {host} is not trusted: {why}{issuer}"


def wrong_name(host: str, certificate: Certificate | None) -> str:
    """That a certificate is for other names, and for which."""
    shown = f" (it is for {short_list(certificate.names)})" if certificate else ""
    return f"the certificate of {host} is not for this name{shown}"


def wrong_time(host: str, certificate: Certificate, now: datetime) -> str | None:
    """That a certificate expired or has not begun, and since or until when; None when its time is now."""
    if certificate.not_after < now:
        return f"the certificate of {host} expired {_span(now - certificate.not_after)} ago"
    if certificate.not_before > now:
        return f"the certificate of {host} is not valid for another {_span(certificate.not_before - now)}"
    return None


def short_list(names: tuple[str, ...], most: int = 4) -> str:
    """The first names, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "") if names else "no name at all"


def _span(length: timedelta) -> str:
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(length.total_seconds() // seconds)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"


def _common_name(name: x509.Name) -> str:
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(kind):
            return str(attribute.value)[:200]
    return name.rfc4514_string()[:200] or "(empty)"


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    hosts = [name.rstrip(".").lower() for name in names.get_values_for_type(x509.DNSName)]
    return (*hosts, *(str(address) for address in names.get_values_for_type(x509.IPAddress)))


def _canonical(host: str) -> str:
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        return (
            host.rstrip(".").encode("idna").decode().lower()
            if not host.isascii()
            else host.rstrip(".").lower()
        )
