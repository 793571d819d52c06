"""Receivers on loopback that fail, stall and recover: an HTTP server and a real SMTP server."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Taken:
    """A request that arrived."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Answers with `status`; `stalls` never answers, `drops` hangs up after it has read the request.

    `seen` are all requests, `taken` those that were answered with success.
    """

    status: int = 202
    stalls: bool = False
    drops: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[Taken] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    url: str = ""
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        found = Taken(
            path=request.path,
            query=dict(request.query),
            headers=dict(request.headers),
            body=await request.read(),
        )
        self.seen.append(found)
        if self.stalls:
            await self._released.wait()
        if self.drops:
            assert request.transport is not None
            request.transport.close()
        if self.status < 300:
            self.taken.append(found)
        return web.json_response({"status": "success"}, status=self.status, headers=self.headers)

    def at(self, path: str) -> list[Taken]:
        """The requests taken whose path begins so."""
        return [each for each in self.taken if each.path.startswith(path)]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """An HTTP server that takes anything."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        receiver._released.set()
        await runner.cleanup()


@dataclass
class MailServer:
    """Takes mail; with `refusal` answers each recipient with that instead."""

    refusal: str | None = None
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Its address as Apprise takes it."""
        return f"mailto://127.0.0.1:{self.port}?from=tocsin@example.org&to=ops@example.com"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.refusal is not None:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        found = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        self.recipients += envelope.rcpt_tos
        self.mails.append(found)
        return "250 OK"

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]


@asynccontextmanager
async def mailing(port: int = 0) -> AsyncIterator[MailServer]:
    """An SMTP server in a thread of its own."""
    server = MailServer()
    controller = Controller(server, hostname="127.0.0.1", port=port or free_port())
    controller.start()
    server.port = controller.port
    try:
        yield server
    finally:
        await asyncio.to_thread(controller.stop)


def free_port() -> int:
    """A port that nobody listens on."""
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def part(mail: EmailMessage, kind: str) -> str:
    """A mail's text or HTML."""
    found = mail.get_body((kind,))
    assert found is not None, f"there is no part of kind {kind}"
    return str(found.get_content())
