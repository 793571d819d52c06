"""Why a connection failed, in words for somebody just woken."""

from __future__ import annotations

import errno
import re
import socket
import ssl

_BY_ERRNO = {
    errno.ECONNREFUSED: "connection refused by {where}",
    errno.ECONNRESET: "connection reset by {where}",
    errno.EPIPE: "connection closed by {where}",
    errno.EHOSTUNREACH: "no route to {where}",
    errno.ENETUNREACH: "no network reaches {where}",
    errno.ETIMEDOUT: "{where} does not answer (the connection timed out)",
    errno.EACCES: "connecting to {where} is not permitted",
    errno.EPERM: "connecting to {where} is not permitted",
    errno.EMFILE: "too many open files here to connect to {where}",
    errno.ENFILE: "too many open files on this host to connect to {where}",
    errno.EADDRNOTAVAIL: "no local port or address left to connect to {where} from",
}
_BY_TLS_REASON = {
    "WRONG_VERSION_NUMBER": "{where} does not speak TLS (is it plain text on this port?)",
    "HTTP_REQUEST": "{where} does not speak TLS (is it plain text on this port?)",
    "RECORD_LAYER_FAILURE": "{where} does not speak TLS (is it plain text on this port?)",
    "UNSUPPORTED_PROTOCOL": "{where} offers no TLS version from 1.2 on",
    "TLSV1_ALERT_PROTOCOL_VERSION": "{where} refuses the TLS versions offered (1.2 and 1.3)",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "{where} asks for a client certificate",
    "TLSV1_UNRECOGNIZED_NAME": "{where} does not serve this name",
    "TLSV1_ALERT_UNRECOGNIZED_NAME": "{where} does not serve this name",
    "UNEXPECTED_EOF_WHILE_READING": "{where} closed the connection during the TLS handshake",
}


def explain_connection(error: OSError, host: str, port: int | None, *, during: str = "") -> str:
    """One clause about an error met while connecting, sending or receiving.

    `during` names the step, for the errors that do not tell it themselves.
    """
    ended = isinstance(error, ConnectionResetError | BrokenPipeError | ConnectionAbortedError)
    return _explain(error, host, port) + (f" during {during}" if during and ended else "")


def _explain(error: OSError, host: str, port: int | None) -> str:
    where = place(host, port)
    if isinstance(error, socket.gaierror):
        return _explain_name(error, host)
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        words = _BY_TLS_REASON.get(reason, "the TLS handshake with {where} failed")
        known = reason in _BY_TLS_REASON or not reason
        return words.format(where=where) + ("" if known else f" ({reason.replace('_', ' ').lower()})")
    number = _number(error)
    if number in _BY_ERRNO:
        return _BY_ERRNO[number].format(where=where)
    if isinstance(error, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
        return f"connection closed by {where}"
    said = str(error) or type(error).__name__
    return f"no connection to {where}: {said[:200]}"


def place(host: str, port: int | None) -> str:
    """`host:port`, with an IPv6 address in brackets."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def is_local_limit(error: OSError) -> bool:
    """Whether this host's own limits or permissions failed, so that nothing is known of the target."""
    return _number(error) in (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOMEM, errno.ENOBUFS)


def _explain_name(error: socket.gaierror, host: str) -> str:
    if error.errno == socket.EAI_AGAIN:
        return f"the name {host} cannot be looked up: the name server does not answer"
    return f"the name {host} does not resolve"


def _number(error: OSError) -> int | None:
    if error.errno is not None:
        return error.errno
    numbers = set(re.findall(r"\[Errno (\d+)\]", str(error)))  # several addresses were tried
    return int(numbers.pop()) if len(numbers) == 1 else None
