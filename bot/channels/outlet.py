"""What a way out beside Slack promises: it tells and edits nothing. And what an HTTP answer there means."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Protocol

import httpx

from bot.blocks.plain import Letter
from bot.channels.delivery import DeliveryFailed, Failure
from bot.domain.clock import Clock
from bot.domain.news import NewsKind

_LONGEST_WAIT = timedelta(minutes=15)
_PATIENCE = 20.0  # seconds for a whole exchange
_REMEDIES = {
    HTTPStatus.UNAUTHORIZED: "its key or password is refused; write the right one into tocsin.yml",
    HTTPStatus.FORBIDDEN: "its key or password is refused; write the right one into tocsin.yml",
    HTTPStatus.NOT_FOUND: "nothing is at its address any more; write the right one into tocsin.yml",
    HTTPStatus.GONE: "its address was withdrawn; write the right one into tocsin.yml",
}
_WAITS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


class Outlet(Protocol):
    """A destination beside Slack. `understands`: the kinds of news worth sending there."""

    @property
    def understands(self) -> Collection[NewsKind]: ...

    async def tell(self, letter: Letter, key: str) -> None:
        """Send it once. A receiver that knows keys takes the same `key` once only. Raises DeliveryFailed.

        No failure names the address: it is a secret.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A POST of JSON."""

    url: str
    body: bytes
    headers: dict[str, str]


async def post(client: httpx.AsyncClient, request: Request, clock: Clock) -> None:
    """Send it; return when the answer is 2xx. Raises DeliveryFailed that says what else became of it."""
    try:
        async with (
            asyncio.timeout(_PATIENCE),
            client.stream("POST", request.url, content=request.body, headers=request.headers) as answer,
        ):
            status, wait = answer.status_code, answer.headers.get("retry-after")
    except (httpx.ConnectError, httpx.ConnectTimeout):
        raise DeliveryFailed(Failure.UNREACHABLE, "nobody answers at its address") from None
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError):
        raise for_good("its address or a header cannot be used", "write it anew in tocsin.yml") from None
    except (httpx.TimeoutException, TimeoutError):
        raise DeliveryFailed(Failure.AMBIGUOUS, "no answer in time") from None
    except (httpx.HTTPError, OSError):
        raise DeliveryFailed(Failure.AMBIGUOUS, "the connection broke before an answer") from None
    if not 200 <= status < 300:
        raise failure_of(status, retry_after(wait, clock()))


def failure_of(status: int, wait: timedelta | None = None) -> DeliveryFailed:
    """What an HTTP status that is no success means."""
    said = f"it answers HTTP {status}"
    if status in _WAITS:
        return DeliveryFailed(Failure.RATE_LIMITED, said, retry_after=wait or timedelta(seconds=30))
    if status >= 500:
        return DeliveryFailed(Failure.AMBIGUOUS, said, retry_after=wait)
    if status < 400:
        return for_good(f"{said}, a redirect", "write the address it leads to into tocsin.yml")
    remedy = _REMEDIES.get(HTTPStatus(status)) if status in HTTPStatus._value2member_map_ else None
    return for_good(said, remedy or "see in its documentation what it expects, and correct tocsin.yml")


def for_good(reason: str, remedy: str) -> DeliveryFailed:
    """A failure that no repetition mends."""
    return DeliveryFailed(Failure.FOR_GOOD, reason, remedy=remedy)


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """How long a Retry-After header asks to wait, in seconds or as a date; at most a quarter of an hour."""
    if not header:
        return None
    try:
        wait = (
            timedelta(seconds=int(header))
            if header.strip().isdigit()
            else parsedate_to_datetime(header) - now
        )
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, timedelta(0)), _LONGEST_WAIT)
