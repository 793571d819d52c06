"""Troubles made on purpose: what the next calls will suffer, and when the storing happens relative to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, get_args

from bot.demo.workspace.errors import ConnectionDropped, Refusal
from bot.demo.workspace.rates import ratelimited

FaultKind = Literal["error", "ratelimited", "http_error", "stall", "drop_before", "drop_after"]
KINDS = get_args(FaultKind)


@dataclass(slots=True, kw_only=True)
class Fault:
    """What the next `times` calls of `method` (in `channel`, when given) suffer; None is until cleared."""

    kind: FaultKind
    method: str = "*"
    channel: str = ""
    times: int | None = 1
    code: str = "internal_error"
    retry_after: int = 1
    status: int = 500
    seconds: float = 0.0

    def meets(self, method: str, channel: str) -> bool:
        return self.method in ("*", method) and self.channel in ("", channel)


class Faults:
    """The troubles waiting for calls, taken in the order they were asked for."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []
        self.outage: Literal["", "error", "drop"] = ""

    def add(self, fault: Fault) -> None:
        self.waiting.append(fault)

    def fail(self, method: str, code: str, *, times: int | None = 1, channel: str = "") -> None:
        """The next calls are refused with this error code."""
        self.add(Fault(kind="error", method=method, code=code, times=times, channel=channel))

    def rate_limit(
        self, method: str, retry_after: int = 1, *, times: int | None = 1, channel: str = ""
    ) -> None:
        """The next calls get HTTP 429 and Retry-After."""
        self.add(
            Fault(kind="ratelimited", method=method, retry_after=retry_after, times=times, channel=channel)
        )

    def http_error(self, method: str, status: int = 500, *, times: int | None = 1, channel: str = "") -> None:
        """The next calls get this HTTP status and a body that is not JSON."""
        self.add(Fault(kind="http_error", method=method, status=status, times=times, channel=channel))

    def stall(self, method: str, seconds: float, *, times: int | None = 1, channel: str = "") -> None:
        """The next calls wait so long before they are carried out."""
        self.add(Fault(kind="stall", method=method, seconds=seconds, times=times, channel=channel))

    def drop_before(self, method: str, *, times: int | None = 1, channel: str = "") -> None:
        """The next calls lose their connection and nothing is stored."""
        self.add(Fault(kind="drop_before", method=method, times=times, channel=channel))

    def drop_after(self, method: str, *, times: int | None = 1, channel: str = "") -> None:
        """The next calls are carried out, then lose their connection before the answer."""
        self.add(Fault(kind="drop_after", method=method, times=times, channel=channel))

    def clear(self) -> None:
        """Nothing fails any more; an outage ends."""
        self.waiting.clear()
        self.outage = ""

    @asynccontextmanager
    async def around(self, method: str, channel: str) -> AsyncIterator[None]:
        """Let one call suffer what waits for it; the body is the call itself."""
        fault = self._take(method, channel)
        if fault is not None:
            await self._before(fault)
        yield
        if fault is not None and fault.kind == "drop_after":
            raise ConnectionDropped

    def _take(self, method: str, channel: str) -> Fault | None:
        if self.outage == "drop":
            return Fault(kind="drop_before")
        if self.outage:
            return Fault(kind="http_error", status=503)
        fault = next((each for each in self.waiting if each.meets(method, channel)), None)
        if fault is not None and fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.waiting.remove(fault)
        return fault

    async def _before(self, fault: Fault) -> None:
        match fault.kind:
            case "error":
                raise Refusal(fault.code)
            case "ratelimited":
                raise ratelimited(fault.retry_after)
            case "http_error":
                raise HttpFailure(fault.status)
            case "stall":
                await asyncio.sleep(fault.seconds)
            case "drop_before":
                raise ConnectionDropped
            case "drop_after":
                pass


class HttpFailure(Exception):
    """Answer with this HTTP status and a page that is not JSON."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status
