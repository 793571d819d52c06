"""Takes what waits in the spool to the bot, oldest first. A run is taken once, however often it is sent."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from datetime import datetime

from bot.execution.spool import ALERT, RUN, Entry, Spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

TIMEOUT = 2.0
"""Seconds that one request may take."""
_LARGEST_BODY = 512 * 1024
_MOST_RUNS = 200
_LONGEST_ANSWER = 1024 * 1024
_PATHS = {RUN: "/api/v1/runs", ALERT: "/api/v1/alerts"}


class Unreachable(Exception):
    """The bot cannot take anything now; the message says why. Try again later."""


class Endpoint:
    """The bot's API. Proxies that the environment names are not used.

    The request is written by hand, as HTTP/1.0, whose answer ends with the connection: importing http.client takes
    longer than the whole exchange, and its timeout is for each read, not for all of them.
    """

    def __init__(self, url: str, token: str, timeout: float = TIMEOUT) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._timeout = timeout

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer. Raises Unreachable."""
        try:
            return self._exchange(path, body, time.monotonic() + self._timeout)
        except TimeoutError:
            raise Unreachable(f"{self.url} does not answer within {self._timeout:g} s") from None
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            raise Unreachable(f"{self.url} cannot be reached ({reason})") from None
        except ValueError as error:  # an address or a token that no request can carry, an answer that is none
            raise Unreachable(f"{self.url} cannot be asked ({error})") from None

    def _exchange(self, path: str, body: bytes, end: float) -> tuple[int, bytes]:
        secure, host, port, prefix = _parts(self.url)
        name = f"[{host}]" if ":" in host else host
        lines = (
            f"POST {prefix}{path} HTTP/1.0",
            f"Host: {name}:{port}",
            f"Authorization: Bearer {self._token}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        if any(not line.isprintable() for line in lines):
            raise ValueError("the address or the token holds a control character")
        head = "\r\n".join((*lines, "", "")).encode("latin-1")
        with socket.create_connection((host, port), timeout=self._timeout) as plain:
            connection = _secured(plain, host) if secure else plain
            connection.settimeout(_left(end))
            connection.sendall(head + body)
            return _answer(connection, end)


def _parts(url: str) -> tuple[bool, str, int, str]:
    """Whether it is encrypted, the host, the port and the path of an address. Raises ValueError."""
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    host, _, port = place.rpartition(":") if place.rpartition(":")[2].isdigit() else (place, "", "")
    if scheme not in ("http", "https") or not host or "@" in host:
        raise ValueError("write an address such as http://127.0.0.1:8787")
    return scheme == "https", host.strip("[]"), int(port or (443 if scheme == "https" else 80)), slash + path


def _secured(plain: socket.socket, host: str) -> socket.socket:
    import ssl  # here, for most bots are on this machine

    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def _answer(connection: socket.socket, end: float) -> tuple[int, bytes]:
    """Read to the end of the connection. Raises TimeoutError, OSError, ValueError."""
    received = bytearray()
    while len(received) < _LONGEST_ANSWER:
        connection.settimeout(_left(end))
        piece = connection.recv(65536)
        if not piece:
            break
        received += piece
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    protocol, _, rest = head.partition(b" ")
    if not protocol.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise ValueError("what it answers is not HTTP")
    return int(rest[:3]), body


def _left(end: float) -> float:
    """The seconds until then. Raises TimeoutError when there are none."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class Delivery:
    """One walk through the spool, which may be given up at any instant."""

    def __init__(self, endpoint: Endpoint, spool: Spool, tell: Callable[[str], None]) -> None:
        self._endpoint = endpoint
        self._spool = spool
        self._tell = tell
        self.delivered = 0
        self.trouble: str | None = None
        """Why something still waits, or None."""

    def run(self, now: datetime, own: Iterable[Entry] = (), seconds: float = float("inf")) -> None:
        """Deliver all that waits, for at most so long. While somebody else does, only `own`."""
        try:
            with self._spool.delivering() as alone:
                if alone:
                    self._walk(now, time.monotonic() + seconds)
                self._send_all(entry for entry in own if not (alone and entry.path))
        except Unreachable as error:
            self.trouble = str(error)

    def run_within(self, patience: float, limit: float, now: datetime, own: Iterable[Entry] = ()) -> None:
        """The same in a thread, left alone when it makes no progress for `patience` seconds or is over `limit`.

        What goes on there then, a name that nobody resolves for instance, ends with the process.
        """
        worker = threading.Thread(target=self.run, args=(now, own, limit), daemon=True)
        worker.start()
        end = time.monotonic() + limit
        while worker.is_alive() and time.monotonic() < end:
            before = self.delivered
            worker.join(patience)
            if self.delivered == before:
                break
        if worker.is_alive():
            self.trouble = f"{self._endpoint.url} does not answer"

    def _walk(self, now: datetime, end: float) -> None:
        seen: set[str] = set()
        while names := [name for name in self._spool.names() if name not in seen]:
            found = set()
            for batch in _batches(self._spool.read(names)):
                if time.monotonic() > end:
                    raise Unreachable("there was no time for all")
                found |= {os.path.basename(entry.path) for entry in batch}
                self._send(batch)
            if cut := self._spool.drop_unfinished(set(names) - found, now):
                self._tell(f"{cut} runs in {self._spool.folder} had been cut off and were dropped")
            seen |= set(names)

    def _send_all(self, entries: Iterable[Entry]) -> None:
        for batch in _batches(entries):
            self._send(batch)

    def _send(self, batch: list[Entry]) -> None:
        """Send things of one kind. Raises Unreachable when they should wait."""
        kind = batch[0].kind
        lines = b",".join(entry.line.rstrip(b"\n") for entry in batch)
        status, answer = self._endpoint.post(_PATHS[kind], b"[" + lines + b"]" if kind == RUN else lines)
        if status == 413 and len(batch) > 1:
            self._send(batch[: len(batch) // 2])
            self._send(batch[len(batch) // 2 :])
        elif status in (200, 201, 202, 422) and kind == RUN:
            self._settle(batch, answer)
        elif 200 <= status < 300:
            self._done(batch[0])
        elif status in (400, 413, 422):
            self._refused(batch[0], _reason(answer)) if len(batch) == 1 else self._one_by_one(batch)
        elif status == 404 and kind == ALERT:
            self.trouble = f"{self._endpoint.url} takes no alerts"
        else:
            raise Unreachable(f"{self._endpoint.url} answers {status}: {_reason(answer)}")

    def _one_by_one(self, batch: list[Entry]) -> None:
        for entry in batch:
            self._send([entry])

    def _settle(self, batch: list[Entry], answer: bytes) -> None:
        """Each run is accepted, known already, or refused by itself."""
        try:
            outcomes: list[dict[str, Any]] = json.loads(answer)["items"]
            pairs = list(zip(batch, [each["outcome"] for each in outcomes], outcomes, strict=True))
        except (ValueError, KeyError, TypeError):
            raise Unreachable(f"{self._endpoint.url} does not answer as Tocsin does") from None
        for entry, outcome, whole in pairs:
            if outcome == "refused":
                self._refused(entry, json.dumps(whole.get("details"), ensure_ascii=False)[:500])
            else:
                self._done(entry)

    def _done(self, entry: Entry) -> None:
        self.delivered += 1
        if entry.path:
            self._spool.remove(entry.path)

    def _refused(self, entry: Entry, reason: str) -> None:
        self._tell(f"the bot refuses {entry.path or 'the run'}: {reason}")
        if entry.path:
            self._spool.set_aside(entry)


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Runs that follow each other together, within what the bot takes at once; an alert by itself."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        full = len(batch) >= _MOST_RUNS or size + len(entry.line) > _LARGEST_BODY
        if batch and (full or ALERT in (entry.kind, batch[0].kind)):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += len(entry.line)
    if batch:
        yield batch


def _reason(answer: bytes) -> str:
    """Why the bot refused, in its words."""
    text = answer.decode("utf-8", "replace")
    try:
        found = json.loads(text)
        text = f"{found['error']} {found.get('details', '')}".strip()
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return text[:500] or "nothing"
