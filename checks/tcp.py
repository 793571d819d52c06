"""A TCP port: whether it accepts a connection, and says what it should."""

from __future__ import annotations

import asyncio
import json
from time import perf_counter
from typing import Annotated

from pydantic import Field

from checks._connection import explain_connection, is_local_limit, place
from checks._secrets import masked
from checks.options import CheckContext, CheckOptions
from checks.result import CheckResult, Diagnostic, State, Value

_MOST_READ = 65_536


class Options(CheckOptions):
    """`host` and `port`; optionally a text to `send` and a text to `expect` in what comes back."""

    host: Annotated[str, Field(min_length=1)] = Field(description="The name or address to connect to")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(description="The port")
    send: str | None = Field(default=None, repr=False, description="A text to send once connected")
    expect: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="A text that must come back"
    )

    def field_names(self) -> frozenset[str]:
        """`response_ms` is the time from connected to the expected text."""
        answered = {"response_ms"} if self.expect else set()
        return frozenset({"up", "connect_ms"} | answered)

    def build(self, context: CheckContext) -> TcpCheck:
        """The probe."""
        return TcpCheck(self)


class TcpCheck:
    """One connection a run, closed at its end."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._where = place(options.host, options.port)
        self._fields: dict[str, Value] = {}
        self._received = bytearray()

    async def run(self) -> CheckResult:
        """Connect, send, wait for the expected text."""
        self._fields, self._received = {}, bytearray()
        began = perf_counter()
        try:
            reader, writer = await asyncio.open_connection(self._options.host, self._options.port)
        except OSError as error:
            return self._failed(self._explain(error), is_local=is_local_limit(error))
        try:
            self._fields["connect_ms"] = _since(began)
            return await self._converse(reader, writer)
        except OSError as error:
            return self._failed(f"connected in {self._connect_time}, then {self._explain(error)}")
        finally:
            writer.transport.abort()

    def timed_out(self, seconds: float) -> CheckResult:
        """The result of a run cut off after `seconds`."""
        if "connect_ms" not in self._fields:
            return self._failed(f"no connection to {self._where} within {seconds:g} s")
        return self._failed(f"{self._connected}, but {self._expected} did not come within {seconds:g} s")

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> CheckResult:
        began = perf_counter()
        if self._options.send is not None:
            writer.write(self._options.send.encode())
            await writer.drain()
        if self._options.expect is not None:
            if not await self._hears(reader, self._options.expect.encode()):
                return self._failed(f"{self._connected}, but it did not send {self._expected}")
            self._fields["response_ms"] = _since(began)
        self._fields["up"] = 1
        return CheckResult(state=State.OK, summary=self._connected, fields=self._fields)

    async def _hears(self, reader: asyncio.StreamReader, wanted: bytes) -> bool:
        while wanted not in self._received and len(self._received) < _MOST_READ:
            chunk = await reader.read(4096)
            if not chunk:
                return False
            self._received += chunk
        return wanted in self._received

    @property
    def _connect_time(self) -> str:
        return f"{self._fields['connect_ms']} ms"

    @property
    def _connected(self) -> str:
        return f"connected to {self._where} in {self._connect_time}"

    @property
    def _expected(self) -> str:
        text = json.dumps(self._options.expect or "", ensure_ascii=False)
        return text if len(text) <= 80 else text[:79] + "…"

    def _explain(self, error: OSError) -> str:
        return explain_connection(error, self._options.host, self._options.port)

    def _failed(self, summary: str, *, is_local: bool = False) -> CheckResult:
        received = self._received[:2000].decode("utf-8", "backslashreplace")
        shown = received if self._received else "nothing"
        diagnostics = (Diagnostic(title="Received", text=masked(shown)[:500]),) if self._fields else ()
        return CheckResult(
            state=State.UNKNOWN if is_local else State.CRITICAL,
            summary=masked(summary),
            fields=self._fields if is_local else self._fields | {"up": 0},
            diagnostics=diagnostics,
        )


def _since(began: float) -> float:
    return round((perf_counter() - began) * 1000, 1)
