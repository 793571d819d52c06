"""From the file's destinations to the channels that reach them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor

import httpx

from bot.channels.google_chat import GoogleChat
from bot.channels.outlet import Outlet
from bot.channels.pagerduty import PagerDuty
from bot.channels.sentry import Dsn, Sentry
from bot.channels.webhook import Webhook
from bot.config.acting import Destination
from bot.config.addresses import Service
from bot.domain.clock import Clock
from checks.threads import Threads

_THREADS = 16
_TIMEOUT = 10.0


class Outlets:
    """Every destination that is switched on, by name. Close it at the end."""

    def __init__(self, destinations: Mapping[str, Destination], *, clock: Clock, system: str) -> None:
        self._threads = Threads(_THREADS)
        self._client: httpx.AsyncClient | None = None
        self.by_name: dict[str, Outlet] = {}
        for name, each in destinations.items():
            if each.enabled:
                self._client = self._client or httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False)
                threads = self._threads.lane(name)
                self.by_name[name] = _outlet(each, self._client, threads, clock, system)

    async def close(self) -> None:
        """Begin nothing more and close every connection."""
        self._threads.close()
        if self._client is not None:
            await self._client.aclose()


def critical_only(destinations: Mapping[str, Destination]) -> frozenset[str]:
    """Those that send text messages: a route that takes every alert means them for critical ones only."""
    return frozenset(
        name for name, each in destinations.items() if each.enabled and each.way.service is Service.SMS
    )


def _outlet(
    each: Destination, client: httpx.AsyncClient, threads: Executor, clock: Clock, system: str
) -> Outlet:
    way = each.way
    match way.service:
        case Service.SENTRY:
            return Sentry(client, Dsn.read(way.url), clock=clock, system=system)
        case Service.PAGERDUTY:
            return PagerDuty(client, way.url, way.key, clock=clock, system=system)
        case Service.GOOGLE_CHAT:
            return GoogleChat(client, way.url, clock=clock)
        case Service.WEBHOOK:
            return Webhook(
                client,
                way.url,
                clock=clock,
                system=system,
                headers={name: value.get_secret_value() for name, value in each.headers.items()},
                secret=None if each.secret is None else each.secret.get_secret_value(),
            )
        case _:
            from bot.channels.apprise import AppriseOutlet

            return AppriseOutlet(way.url, threads, system=system)
