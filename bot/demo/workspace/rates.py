"""How often Slack lets a method be called, counted in the workspace's own time."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.demo.workspace.errors import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """`burst` calls at once, then one every `every`."""

    every: timedelta
    burst: int


def _a_minute(calls: int, burst: int) -> Allowance:
    return Allowance(every=timedelta(minutes=1) / calls, burst=burst)


# docs.slack.dev, rate limits: one post a second a channel with short bursts; tiers 2, 3 and 4 are 20, 50 and
# 100 calls a minute.
POST = Allowance(every=timedelta(seconds=1), burst=3)
BY_CHANNEL = {"chat.postMessage"}
ALLOWANCES = {
    "chat.postMessage": POST,
    "chat.update": _a_minute(50, burst=10),
    "chat.delete": _a_minute(50, burst=10),
    "chat.postEphemeral": _a_minute(100, burst=10),
    "conversations.history": _a_minute(50, burst=10),
    "conversations.replies": _a_minute(50, burst=10),
    "conversations.list": _a_minute(20, burst=5),
    "conversations.create": _a_minute(20, burst=5),
    "conversations.invite": _a_minute(50, burst=10),
    "conversations.setTopic": _a_minute(20, burst=5),
    "pins.add": _a_minute(20, burst=5),
    "users.list": _a_minute(20, burst=5),
    "usergroups.list": _a_minute(20, burst=5),
}


class RateLimits:
    """Counts calls a method, and posts a channel; switched off it lets everything through."""

    def __init__(self, *, enabled: bool) -> None:
        self.enabled = enabled
        # When each allowance is whole again: the generic cell rate algorithm's theoretical arrival time.
        self._full_at: dict[tuple[str, str], datetime] = {}

    def admit(self, method: str, channel: str, now: datetime) -> None:
        """Count one call, or raise `ratelimited` with the whole seconds until the next is let through."""
        allowance = ALLOWANCES.get(method)
        if not self.enabled or allowance is None:
            return
        key = (method, channel if method in BY_CHANNEL else "")
        full_at = max(self._full_at.get(key, now), now)
        wait = full_at - now - allowance.every * (allowance.burst - 1)
        if wait > timedelta(0):
            raise ratelimited(max(1, math.ceil(wait.total_seconds())))
        self._full_at[key] = full_at + allowance.every


def ratelimited(retry_after: int) -> Refusal:
    """HTTP 429 with Retry-After, as Slack sends it."""
    return Refusal("ratelimited", status=429, retry_after=retry_after)
