"""One HTTP request and what came back, however hostile: bounded, and told in plain words when nothing did."""

from __future__ import annotations

import codecs
import json
import re
import ssl
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any

import aiohttp
import httpx

from checks._connection import explain_connection, is_local_limit, place
from checks._tls import explain_refusal, fetch_certificate
from checks.client import MAX_REDIRECTS, ProbeClient, Progress, TrustError

BODY_LIMIT = 1_048_576
_CHUNK = 16_384
# Codecs that are encodings of text and take time in proportion to it, unlike punycode and the like.
_CHARSETS = re.compile(r"utf|iso8859|latin|cp\d|ascii|koi8|gb|big5|shift_jis|euc", re.IGNORECASE)


class NoAnswerError(Exception):
    """No answer came; the message says why. `local` when this host, not the target, is to blame."""

    def __init__(self, why: str, *, local: bool = False) -> None:
        super().__init__(why)
        self.local = local


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A response: read to its end, to the limit (`truncated`), or to where it broke (`flaw` says how)."""

    status: int
    headers: httpx.Headers
    body: bytes
    truncated: bool = False
    flaw: str | None = None
    redirects: tuple[str, ...] = ()
    time_ms: float = field(default=0.0)

    @property
    def status_line(self) -> str:
        """`HTTP 503 Service Unavailable`, by the registered phrase: the server's own is not to be trusted."""
        try:
            return f"HTTP {self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return f"HTTP {self.status}"

    @cached_property
    def text(self) -> str:
        """The body as text; bytes that are none become the replacement character."""
        charset = re.search(
            r"charset=[\"']?([\w.:-]{1,40})", self.headers.get("content-type", ""), re.IGNORECASE
        )
        try:
            name = codecs.lookup(charset[1]).name if charset else "utf-8"
        except LookupError:
            name = "utf-8"
        return self.body.decode(name if _CHARSETS.match(name) else "utf-8", "replace")

    @cached_property
    def document(self) -> Any:
        """The body as JSON. Raises ValueError saying what it is instead."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise ValueError(f"the answer is not JSON ({self._kind})") from None

    @property
    def _kind(self) -> str:
        kind = self.headers.get("content-type", "").partition(";")[0].strip()[:60] or "no content type"
        encoding = self.headers.get("content-encoding", "")[:20]
        cut = ", cut at the limit" if self.truncated else ""
        return f"{kind}, {len(self.body)} bytes{cut}" + (f", encoded as {encoding}" if encoding else "")


async def exchange(
    client: ProbeClient, request: httpx.Request, progress: Progress, *, follow: bool, now: datetime
) -> Answer:
    """Send the request, follow its redirects, read the body to its limit. Raises NoAnswerError."""
    redirects: list[str] = []
    try:
        while True:
            response = await client.ask(request)
            try:
                following = await client.after(request, response) if follow else None
                if following is None:
                    return await _read(response, tuple(redirects), progress)
            finally:
                response.close()
            request = following
            redirects.append(f"{response.status} to {request.url}")
            if len(redirects) > MAX_REDIRECTS:
                raise NoAnswerError(f"more than {MAX_REDIRECTS} redirects, the last to {request.url}")
    except TrustError as error:
        raise NoAnswerError(str(error), local=True) from error
    except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, ValueError) as error:
        raise await _explain(error, request, redirects, progress, now) from error


async def _read(response: aiohttp.ClientResponse, redirects: tuple[str, ...], progress: Progress) -> Answer:
    headers = httpx.Headers(response.raw_headers)  # which knows what to do with bytes that are no ASCII
    body, flaw = _Body(headers.get("content-encoding", "")), None
    try:
        async for chunk in response.content.iter_chunked(_CHUNK):
            if not body.take(chunk):
                break
    except (aiohttp.ClientError, OSError) as error:
        flaw = _explain_break(error, body.received, headers)
    except zlib.error:
        flaw = "the body is not compressed as its headers say"
    progress.enter("")
    return Answer(
        status=response.status,
        headers=headers,
        body=bytes(body.content),
        truncated=body.is_full,
        flaw=flaw,
        redirects=redirects,
        time_ms=progress.elapsed_ms,
    )


class _Body:
    """A body up to its limit, decompressed on the way so that a small bomb cannot grow past it."""

    def __init__(self, encoding: str) -> None:
        self.content = bytearray()
        self.received = 0
        self.is_full = False
        # 32 + 15 bits: zlib finds out itself whether it is gzip or deflate.
        compressed = encoding.strip().lower() in ("gzip", "x-gzip", "deflate")
        self._unpack = zlib.decompressobj(wbits=47) if compressed else None

    def take(self, chunk: bytes) -> bool:
        """Add a chunk; False when the limit is reached."""
        self.received += len(chunk)
        room = BODY_LIMIT - len(self.content)
        self.content += self._unpack.decompress(chunk, room + 1)[: room + 1] if self._unpack else chunk
        self.is_full = len(self.content) > BODY_LIMIT
        del self.content[BODY_LIMIT:]
        return not self.is_full


async def _explain(
    error: Exception, request: httpx.Request, redirects: list[str], progress: Progress, now: datetime
) -> NoAnswerError:
    cause = error.__cause__ if isinstance(error, httpx.HTTPError) and error.__cause__ else error
    host, port = request.url.host, request.url.port or (443 if request.url.scheme == "https" else 80)
    after = f", after the redirect {redirects[-1]}" if redirects else ""
    if isinstance(cause, aiohttp.ClientConnectorError):
        cause = cause.os_error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return NoAnswerError(await _explain_certificate(cause, host, port, now) + after)
    if isinstance(cause, aiohttp.ServerDisconnectedError):
        return NoAnswerError(f"{place(host, port)} closed the connection without an answer{after}")
    if isinstance(cause, aiohttp.NonHttpUrlClientError):
        return NoAnswerError(f"{request.url.scheme}:// is not HTTP{after}")
    if isinstance(cause, aiohttp.InvalidURL):
        return NoAnswerError(f"nothing can be asked of such an address{after}")
    if isinstance(cause, aiohttp.ClientResponseError):
        return NoAnswerError(
            f"{place(host, port)} does not answer in HTTP: {_one_line(cause.message)}{after}"
        )
    if isinstance(cause, OSError):
        during = "the TLS handshake" if progress.stage == "tls" else ""
        why = explain_connection(cause, host, port, during=during)
        return NoAnswerError(why + after, local=is_local_limit(cause))
    said = _one_line(str(error)) or type(error).__name__
    return NoAnswerError(f"no answer from {place(host, port)}: {said}{after}")


async def _explain_certificate(
    error: ssl.SSLCertVerificationError, host: str, port: int, now: datetime
) -> str:
    try:
        certificate = await fetch_certificate(host, port)
    except (OSError, ValueError):
        certificate = None
    return explain_refusal(error, host, certificate, now)


def _explain_break(error: Exception, received: int, headers: httpx.Headers) -> str:
    promised = headers.get("content-length", "")
    if promised.isdecimal() and int(promised[:18]) > received:
        return f"the answer broke off after {received} of {promised[:18]} bytes"
    if isinstance(error, aiohttp.ClientPayloadError) and "chunked" in headers.get("transfer-encoding", ""):
        return f"the answer broke off after {received} bytes (its chunks did not end properly)"
    return f"the answer broke off after {received} bytes"


def _one_line(text: str) -> str:
    return " ".join(text.split()).removesuffix(" ^")[:160]  # aiohttp points below the place
