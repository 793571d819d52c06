"""Socket Mode: one-time addresses, connections, envelopes each to one of them, acknowledgements, ends."""

import asyncio
import contextlib
import json
import secrets
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import WSMsgType, web

from bot.demo.workspace.errors import NotDelivered
from bot.demo.workspace.state import APP_ID, Json

# docs.slack.dev, Socket Mode: up to ten connections at a time.
MOST_CONNECTIONS = 10
EnvelopeType = Literal["events_api", "interactive", "slash_commands"]
DisconnectKind = Literal["clean", "abrupt", "warning", "refresh_requested"]
# How often an event is sent when nobody acknowledges it.
MOST_ATTEMPTS = 4
HOST = "applink-local"


@dataclass(slots=True, kw_only=True, eq=False)
class Envelope:
    """One thing sent to the app until it is acknowledged; `acked` becomes the acknowledgement's payload."""

    id: str
    type: EnvelopeType
    payload: Json
    accepts_response_payload: bool
    acked: asyncio.Future[Json | None]
    attempt: int = 0
    connection: web.WebSocketResponse | None = None
    timer: asyncio.TimerHandle | None = None

    def frame(self) -> Json:
        body: Json = {
            "envelope_id": self.id,
            "type": self.type,
            "payload": self.payload,
            "accepts_response_payload": self.accepts_response_payload,
        }
        if self.type == "events_api":
            body |= {"retry_attempt": self.attempt, "retry_reason": "timeout" if self.attempt else ""}
        return body


@dataclass(slots=True)
class Doubling:
    """How many of the coming envelopes are sent twice; None is all of them."""

    times: int | None = 0

    def take(self) -> bool:
        if self.times is None:
            return True
        if self.times > 0:
            self.times -= 1
            return True
        return False


@dataclass(slots=True, kw_only=True)
class SocketHub:
    """The app's connections; `opened` counts them all, `sent` keeps the last frames.

    Envelopes go round the connections. Without any, events wait and interactions fail.
    """

    ack_timeout: float = 3.0
    on_status: Callable[[], None] = lambda: None
    doubling: Doubling = field(default_factory=Doubling)
    refusing: bool = False
    opened: int = 0
    sent: deque[Json] = field(default_factory=lambda: deque(maxlen=1000))
    _connections: list[web.WebSocketResponse] = field(default_factory=list)
    _leaving: set[web.WebSocketResponse] = field(default_factory=set)
    _tickets: set[str] = field(default_factory=set)
    _pending: dict[str, Envelope] = field(default_factory=dict)
    _waiting: deque[Envelope] = field(default_factory=lambda: deque(maxlen=1000))
    _sends: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def connections(self) -> int:
        """How many sockets the app holds open."""
        return len(self._connections)

    def ticket(self) -> str:
        """A new one-time key for a connection."""
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return ticket

    # Sending

    def send(self, kind: EnvelopeType, payload: Json) -> Envelope:
        """Send an envelope to one connection; raise NotDelivered for an interaction without any."""
        if not self._connections and kind != "events_api":
            raise NotDelivered("dispatch_failed")
        envelope = Envelope(
            id=str(uuid.uuid4()),
            type=kind,
            payload=payload,
            accepts_response_payload=kind != "events_api",
            acked=asyncio.get_running_loop().create_future(),
        )
        self._pending[envelope.id] = envelope
        self._transmit(envelope)
        if self.doubling.take():
            self._transmit(envelope)
        return envelope

    async def ask(self, kind: EnvelopeType, payload: Json) -> Json | None:
        """Send an interaction and wait for its acknowledgement; NotDelivered when none comes in time."""
        envelope = self.send(kind, payload)
        try:
            return await asyncio.wait_for(asyncio.shield(envelope.acked), self.ack_timeout)
        except TimeoutError:
            self._forget(envelope)
            raise NotDelivered("operation_timeout") from None

    def _transmit(self, envelope: Envelope) -> None:
        if not self._connections:
            if envelope not in self._waiting:
                self._waiting.append(envelope)
            return
        connection = self._next_connection()
        envelope.connection = connection
        frame = envelope.frame()
        self.sent.append(frame)
        self._start(self._write(connection, frame))
        if envelope.type == "events_api":
            if envelope.timer:
                envelope.timer.cancel()
            loop = asyncio.get_running_loop()
            envelope.timer = loop.call_later(self.ack_timeout, self._resend, envelope)

    def _next_connection(self) -> web.WebSocketResponse:
        """The connection whose turn it is; those asked to leave get something only when there is no other."""
        staying = [each for each in self._connections if each not in self._leaving]
        connection = (staying or self._connections)[0]
        self._connections.remove(connection)
        self._connections.append(connection)
        return connection

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    @staticmethod
    async def _write(connection: web.WebSocketResponse, frame: Json) -> None:
        # A connection that just went away loses the frame; its envelope is sent again when it is dropped.
        with contextlib.suppress(ConnectionError, RuntimeError):
            await connection.send_str(json.dumps(frame))

    def _resend(self, envelope: Envelope) -> None:
        if envelope.id not in self._pending:
            return
        envelope.attempt += 1
        if envelope.attempt >= MOST_ATTEMPTS:
            self._forget(envelope)
        else:
            self._transmit(envelope)

    def _forget(self, envelope: Envelope) -> None:
        self._pending.pop(envelope.id, None)
        if envelope.timer:
            envelope.timer.cancel()
        with contextlib.suppress(ValueError):
            self._waiting.remove(envelope)
        if not envelope.acked.done():
            envelope.acked.cancel()

    # Receiving

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection of the app, from its hello to its end."""
        ticket = request.match_info["ticket"]
        if ticket not in self._tickets or self.refusing:
            return web.json_response({"ok": False, "error": "invalid_ticket"}, status=404)
        self._tickets.discard(ticket)
        # aiohttp answers a PING with a PONG of the same data, by which slack_sdk knows that the link lives.
        connection = web.WebSocketResponse(autoping=True, heartbeat=20.0)
        await connection.prepare(request)
        if len(self._connections) >= MOST_CONNECTIONS:
            await self._write(connection, _disconnect("too_many_websockets"))
            await connection.close()
            return connection
        await self._write(connection, self._hello())
        self._connections.append(connection)
        self.opened += 1
        self.on_status()
        self._flush()
        try:
            await self._read(connection)
        finally:
            self._leave(connection)
        return connection

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._connections) + 1,
            "debug_info": {"host": HOST, "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": APP_ID},
        }

    def _flush(self) -> None:
        waiting = list(self._waiting)
        self._waiting.clear()
        for envelope in waiting:
            self._transmit(envelope)

    async def _read(self, connection: web.WebSocketResponse) -> None:
        async for message in connection:
            if message.type == WSMsgType.TEXT:
                self._acknowledge(message.data)

    def _acknowledge(self, text: str) -> None:
        with contextlib.suppress(ValueError):
            body = json.loads(text)
            if not isinstance(body, dict):
                return
            envelope = self._pending.pop(str(body.get("envelope_id")), None)
            if envelope is None:
                return
            if envelope.timer:
                envelope.timer.cancel()
            if not envelope.acked.done():
                payload = body.get("payload")
                envelope.acked.set_result(payload if isinstance(payload, dict) and payload else None)

    def _leave(self, connection: web.WebSocketResponse) -> None:
        self._leaving.discard(connection)
        if connection in self._connections:
            self._connections.remove(connection)
        self.on_status()
        for envelope in list(self._pending.values()):
            if envelope.connection is connection:
                self._transmit(envelope)

    # Ending

    async def disconnect(self, kind: DisconnectKind = "clean") -> None:
        """End every connection this way; `warning` and `refresh_requested` only ask the app to renew it."""
        for connection in list(self._connections):
            if kind == "clean":
                self._start(self._close(connection))
            elif kind == "abrupt":
                self._cut(connection)
            else:
                self._leaving.add(connection)
                await self._write(connection, _disconnect(kind))

    def cut_all(self) -> None:
        """End every connection at once and without a word."""
        for connection in list(self._connections):
            self._cut(connection)

    def _cut(self, connection: web.WebSocketResponse) -> None:
        # Gone at once, also for those who count connections right after.
        self._connections.remove(connection)
        self.on_status()
        transport = connection._req.transport if connection._req else None
        if transport:
            transport.abort()

    @staticmethod
    async def _close(connection: web.WebSocketResponse) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):
            await connection.close(code=1001)

    async def close(self) -> None:
        """End everything; nothing is sent or awaited afterwards."""
        for envelope in list(self._pending.values()):
            self._forget(envelope)
        await asyncio.gather(*(self._close(connection) for connection in list(self._connections)))
        for task in list(self._sends):
            task.cancel()
        await asyncio.gather(*self._sends, return_exceptions=True)


def _disconnect(reason: str) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": HOST}}
