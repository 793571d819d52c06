"""What every way out promises, and how it says that it failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Protocol

Payload = dict[str, Any]


class Failure(Enum):
    """What a failed delivery means for its entry."""

    RATE_LIMITED = "rate limited"  # nothing was posted; wait as told
    REFUSED = "refused"  # nothing was posted; trying this entry again later may help
    UNREACHABLE = "unreachable"  # nothing was posted; nobody answers there
    AMBIGUOUS = "ambiguous"  # it may have been posted; ask before trying again
    UNUSABLE = "unusable"  # the destination itself cannot be used: token, scope
    NO_CHANNEL = "no channel"  # this channel cannot be posted to; another may
    FOR_GOOD = (
        "for good"  # nothing was posted, nor will be before somebody changes the configuration there or here
    )
    CONTENT = "content"  # this content is never accepted
    UNREADABLE = "unreadable"  # nobody can find out whether it was posted
    GONE = "gone"  # the message to edit stands there no more


class DeliveryFailed(Exception):
    """A delivery did not certainly succeed. `remedy` is for the person who runs Tocsin."""

    def __init__(
        self,
        failure: Failure,
        reason: str,
        *,
        retry_after: timedelta | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.failure = failure
        self.reason = reason
        self.retry_after = retry_after
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """Where a message stands."""

    channel: str
    ts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A text file."""

    filename: str
    title: str
    content: str


class Destination(Protocol):
    """A kind of place that messages go to. Every method raises DeliveryFailed."""

    async def ping(self) -> None:
        """Return when deliveries can be expected to work."""
        ...

    async def post(
        self,
        channel: str,
        payload: Payload,
        *,
        key: str,
        thread_ts: str | None = None,
        broadcast: bool = False,
    ) -> Posted:
        """Post once, carrying `key` so that `find` can find it."""
        ...

    async def upload(self, channel: str, file: Upload, *, thread_ts: str | None = None) -> Posted:
        """Share a file once; nothing of it can be edited. `find` finds it by its name."""
        ...

    async def update(self, posted: Posted, payload: Payload) -> None:
        """Make a message show something else."""
        ...

    async def find(
        self,
        channel: str,
        key: str,
        *,
        since: datetime,
        thread_ts: str | None = None,
        filename: str | None = None,
    ) -> Posted | None:
        """The message that carries `key`, or a file of that name, if one was posted since an instant."""
        ...
