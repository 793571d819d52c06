"""The outbox relay: claim, render, deliver, record.

Each lane (a channel of a destination) is worked by one task at a time, in order of priority and at the pace
the destination allows; many alerts that wait for it become one message before. An entry says that a view is
stale, never what it shows, so retries and reordering converge. From the claim on an entry is in doubt: whoever
finds it so later looks for its key before posting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from bot import failpoint
from bot.channels.delivery import DeliveryFailed, Destination, Failure, Posted
from bot.domain.alert import Alert
from bot.domain.clock import Clock
from bot.domain.route import SLACK
from bot.gathering import Gathered, first_waits_since, gather, gather_lines
from bot.outward import Outward
from bot.pacing import TokenBucket
from bot.rendering import Card, Delivery, Mentioner, Rendering
from storage import groups, outbox
from storage.database import Database, DatabaseError
from storage.outbox import Entry, EntryKind, Lane, Sent

log = structlog.get_logger(__name__)

UTC = ZoneInfo("UTC")
POST_INTERVAL = timedelta(seconds=1)
EDIT_INTERVAL = timedelta(milliseconds=1200)
_EDIT_BURST = 10
_FIRST_RETRY = timedelta(seconds=2)
_SLOWEST_RETRY = timedelta(minutes=5)
_LONGEST_REST = timedelta(seconds=30)
_PATIENCE = 10  # how often an entry alone may hold up its lane


@dataclass(slots=True)
class _Pace:
    """How fast a lane may go, and until when it must rest.

    Mere refreshes of a count have an allowance of their own, so that they never hold up what is urgent;
    `reserved` are the instants that entries put off were promised. A `suspect` lane is tried with a ping
    before anything of it is claimed: after an outage the most urgent entry goes first.
    """

    posts: TokenBucket = field(default_factory=lambda: TokenBucket(POST_INTERVAL, 1))
    edits: TokenBucket = field(default_factory=lambda: TokenBucket(EDIT_INTERVAL, _EDIT_BURST))
    refreshes: TokenBucket = field(default_factory=lambda: TokenBucket(EDIT_INTERVAL * 2, 1))
    reserved: dict[int, datetime] = field(default_factory=dict)
    rest_until: datetime | None = None
    suspect: bool = False
    failures: int = 0

    def ready_at(self, now: datetime) -> datetime:
        return max(now, self.rest_until or now, self.posts.ready_at(now))

    def rest(self, now: datetime) -> datetime:
        """Stay away from a lane that failed, longer each time."""
        self.suspect = True
        self.rest_until = now + _backoff(self.failures, _LONGEST_REST)
        self.failures += 1
        return self.rest_until

    def edit_at(self, entry: Entry, now: datetime) -> datetime:
        """When this entry may edit its message; reserves the instant."""
        promised = self.reserved.pop(entry.id, None)
        if promised is not None and promised <= now:
            return now
        bucket = self.refreshes if entry.priority % 10 else self.edits
        ready = promised or bucket.ready_at(now)
        if promised is None:
            bucket.take(now)
        if ready > now:
            self.reserved[entry.id] = ready
        return ready


class Notifier:
    """Delivers what the outbox holds. `mention` turns names of the file into Slack's mentions."""

    def __init__(
        self,
        *,
        database: Database,
        destinations: Mapping[str, Destination],
        default_channel: str,
        clock: Clock,
        mention: Mentioner,
        owner: str,
        zone: ZoneInfo = UTC,
        outward: Outward | None = None,
        cards: Mapping[str, Card] | None = None,
        changed: Callable[[Alert], tuple[str, ...]] = lambda _alert: (),
        prefix: str = "tocsin",
        gathering: timedelta = timedelta(0),
    ) -> None:
        """`cards` render what is edited in place and is not an alert, by the kind in their keys."""
        self._database = database
        self._destinations = destinations
        self._default_channel = default_channel
        self._clock = clock
        self._rendering = Rendering(
            database=database,
            clock=clock,
            mention=mention,
            zone=zone,
            prefix=prefix,
            changed=changed,
            cards=cards if cards is not None else {},
        )
        self._gathering = gathering
        self._owner = owner
        self._paces: dict[Lane, _Pace] = {}
        self._working: dict[Lane, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self._outward = outward
        self._troubles: dict[str, str] = {}
        self._silent: dict[Lane, datetime] = {}

        self.on_wake: Callable[[], None] = lambda: None
        """Called whenever something was committed that may be seen."""

    @property
    def silent_since(self) -> datetime | None:
        """Since when a channel of Slack cannot be reached in which something waits, or None."""
        return min(self._silent.values(), default=None)

    @property
    def trouble(self) -> str | None:
        """Why something cannot be delivered at present, or None."""
        if (found := self._troubles.get(SLACK)) is not None:
            return found
        return next((f"{name}: {reason}" for name, reason in self._troubles.items()), None)

    def wake(self) -> None:
        """There may be something to deliver."""
        self._wake.set()
        self.on_wake()

    async def run(self) -> None:
        """Deliver until `stop`."""
        while not self._stopping:
            self._wake.clear()
            try:
                pause = await self._start_lanes()
            except (DatabaseError, OSError) as error:
                log.error("outbox_unreadable", reason=str(error))
                pause = timedelta(seconds=1)
            try:
                async with asyncio.timeout(pause.total_seconds()):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def stop(self) -> None:
        """Finish the deliveries under way and start no more."""
        self._stopping = True
        self._wake.set()
        if self._working:
            await asyncio.wait(self._working.values(), timeout=15)

    async def drain(self) -> datetime | None:
        """Deliver all that can be delivered at this instant; returns when to come again, None for never."""
        while True:
            await self._start_lanes()
            if not self._working:
                break
            await asyncio.gather(*self._working.values())
        now = self._clock()
        async with self._database.snapshot() as connection:
            lanes = await outbox.ready_lanes(connection, now)
            due = await outbox.next_due(connection, now)
        times = [self._pace(lane).ready_at(now) for lane in lanes]
        return min([*times, *([due] if due else [])], default=None)

    async def _start_lanes(self) -> timedelta:
        """Put a worker on every lane that is ready; returns how long nothing else will be."""
        now = self._clock()
        async with self._database.snapshot() as connection:
            lanes = await outbox.ready_lanes(connection, now)
            due = await outbox.next_due(connection, now)
        next_time = now + _LONGEST_REST if due is None else min(due, now + _LONGEST_REST)
        for lane in lanes:
            ready_at = self._pace(lane).ready_at(now)
            if lane in self._working:
                continue
            if ready_at > now:
                next_time = min(next_time, ready_at)
            elif not self._stopping:
                task = asyncio.create_task(self._work(lane), name=f"lane {lane.destination} {lane.channel}")
                self._working[lane] = task
        return max(next_time - now, timedelta(milliseconds=1))

    def _pace(self, lane: Lane) -> _Pace:
        return self._paces.setdefault(lane, _Pace())

    async def _work(self, lane: Lane) -> None:
        """Deliver entries of a lane until it is empty or must pause."""
        pace = self._pace(lane)
        try:
            while not self._stopping and pace.ready_at(now := self._clock()) <= now:
                if pace.suspect and lane.destination in self._destinations and not await self._answers(lane):
                    return
                found, entry = await self._claim(lane, now)
                if found is not Gathered.NOTHING:
                    failpoint.reach("after_gather")
                if found is Gathered.MORE:
                    continue
                if entry is None:
                    self._silent.pop(lane, None)
                    return
                failpoint.reach("after_claim")
                if lane.destination in self._destinations:
                    await self._deliver(entry)
                else:
                    await self._tell(entry)
        except (DatabaseError, OSError) as error:
            log.error("delivery_not_recorded", channel=lane.channel, reason=str(error))
            pace.rest_until = self._clock() + _FIRST_RETRY
        except Exception:
            log.exception("delivery_crashed", channel=lane.channel)
            pace.rest_until = self._clock() + _LONGEST_REST
        finally:
            self._working.pop(lane, None)
            self._wake.set()

    async def _claim(self, lane: Lane, now: datetime) -> tuple[Gathered, Entry | None]:
        """Gather the alerts that wait, and claim what goes next.

        A lane whose alerts have just begun rests for a moment, since more may begin with them.
        """
        found = Gathered.NOTHING
        async with self._database.transaction() as connection:
            since = await first_waits_since(connection, lane, now)
            if since is not None:
                if since <= now < since + self._gathering:
                    self._pace(lane).rest_until = since + self._gathering
                    return found, None
                found = await gather(self._database, connection, lane, now)
            if found is Gathered.MORE:
                return found, None
            await gather_lines(self._database, connection, lane, now)
            return found, await outbox.claim(connection, lane, self._owner, now)

    async def _answers(self, lane: Lane) -> bool:
        """Whether a destination that failed can be used again."""
        pace = self._pace(lane)
        try:
            await self._destinations[lane.destination].ping()
        except DeliveryFailed as failed:
            pace.rest(self._clock())
            self._report(f"ping {lane.destination}", lane, failed)
            return False
        pace.suspect = False
        return True

    async def _deliver(self, entry: Entry) -> None:
        delivery = await self._rendering.render(entry)
        if delivery is None:
            await self._settle(entry)
            return
        if delivery.is_shown():
            await self._record(entry, delivery.existing)
            return
        now = self._clock()
        if delivery.existing is not None and (at := self._pace(entry.lane).edit_at(entry, now)) > now:
            async with self._database.transaction() as connection:
                await outbox.postpone(connection, entry, at, "edits are paced", in_doubt=False)
            return
        try:
            if entry.in_doubt_since is not None and delivery.existing is None:
                delivery = await self._reconcile(entry, delivery)
                entry = replace(entry, in_doubt_since=None)
            posted = await self._send(entry, delivery)
        except DeliveryFailed as failed:
            await self._failed(entry, delivery, failed)
            return
        failpoint.reach("after_post")
        sent = Sent(
            key=delivery.key,
            alert_id=delivery.alert_id,
            destination=entry.lane.destination,
            channel=posted.channel,
            ts=posted.ts,
            shown=delivery.message.identity(),
        )
        await self._record(entry, sent)
        failpoint.reach("after_record")
        await self._lane_works(entry.lane)

    async def _tell(self, entry: Entry) -> None:
        """Deliver an entry to a destination beside Slack, which edits nothing and is asked for nothing."""
        assert self._outward is not None
        dispatch = await self._outward.dispatch(entry)
        if dispatch is None:
            await self._outward.nothing_to_say(entry)
            self._troubles.pop(entry.lane.destination, None)
            return
        self._pace(entry.lane).posts.take(self._clock())
        failpoint.reach("before_post")
        try:
            await self._outward.outlets[entry.lane.destination].tell(dispatch.letter, dispatch.key)
        except DeliveryFailed as failed:
            if failed.failure in (Failure.FOR_GOOD, Failure.CONTENT):
                self._report(entry.key, entry.lane, failed)
                await self._outward.refused(entry, dispatch, failed)
            else:
                await self._failed(entry, None, failed)
            return
        failpoint.reach("after_post")
        await self._outward.sent(entry, dispatch)
        failpoint.reach("after_record")
        await self._lane_works(entry.lane)

    async def _lane_works(self, lane: Lane) -> None:
        """Let what waited for this lane to work again wait no longer."""
        self._silent.pop(lane, None)
        if self._troubles.pop(lane.destination, None) is not None:
            log.info("delivery_works_again", destination=lane.destination)
        pace = self._pace(lane)
        pace.suspect = False
        if pace.failures:
            pace.failures = 0
            async with self._database.transaction() as connection:
                await outbox.hasten(connection, lane, self._clock())

    async def _record(self, entry: Entry, sent: Sent | None) -> None:
        async with self._database.transaction() as connection:
            await outbox.record(self._database, connection, entry, sent, self._clock())

    async def _settle(self, entry: Entry) -> None:
        """Nothing is to be said. The message of a group may stand for this one, which changed while it joined."""
        now = self._clock()
        async with self._database.transaction() as connection:
            await outbox.record(self._database, connection, entry, None, now)
            if entry.kind is not EntryKind.VIEW or entry.alert_id is None:
                return
            await outbox.settle_lines(connection, entry.alert_id, entry.key)
            if (member := await groups.member(connection, entry.key)) is not None:
                await outbox.stale_again(connection, member.key, due_at=now)

    async def _reconcile(self, entry: Entry, delivery: Delivery) -> Delivery:
        """An earlier attempt may have posted this: look for its key. Raises DeliveryFailed."""
        assert entry.in_doubt_since is not None
        try:
            found = await self._destinations[entry.lane.destination].find(
                delivery.channel,
                delivery.key,
                since=entry.in_doubt_since,
                thread_ts=delivery.thread_ts,
                filename=None if delivery.file is None else delivery.file.filename,
            )
        except DeliveryFailed as failed:
            if failed.failure is not Failure.UNREADABLE:
                raise
            # Perhaps twice is better than perhaps never.
            log.warning(
                "delivery_perhaps_repeated", key=delivery.key, reason=failed.reason, remedy=failed.remedy
            )
            return delivery
        if found is None:
            return delivery
        log.info("delivery_found_posted", key=delivery.key)
        standing = Sent(
            key=delivery.key,
            alert_id=delivery.alert_id,
            destination=entry.lane.destination,
            channel=found.channel,
            ts=found.ts,
            shown="",  # what it shows is from before; the edit that follows makes it true
        )
        return replace(delivery, existing=standing)

    async def _send(self, entry: Entry, delivery: Delivery) -> Posted:
        """Post or edit; plain text when the blocks are refused. Raises DeliveryFailed."""
        if delivery.existing is None:
            self._pace(entry.lane).posts.take(self._clock())
        failpoint.reach("before_post")
        try:
            return await self._send_content(entry, delivery, delivery.message.payload())
        except DeliveryFailed as failed:
            if failed.failure is not Failure.CONTENT:
                raise
            if delivery.message.has_chart:
                log.warning("chart_refused", key=delivery.key, reason=failed.reason)
                bare = replace(delivery, message=delivery.message.without_charts())
                return await self._send(entry, bare)
            if delivery.file is not None:
                raise
            log.error("blocks_refused", key=delivery.key, reason=failed.reason)
            return await self._send_content(entry, delivery, delivery.message.plain())

    async def _send_content(self, entry: Entry, delivery: Delivery, payload: dict[str, Any]) -> Posted:
        destination = self._destinations[entry.lane.destination]
        if delivery.existing is not None:
            posted = Posted(channel=delivery.existing.channel, ts=delivery.existing.ts)
            if delivery.file is None:
                await destination.update(posted, payload)
            return posted
        if delivery.file is not None:
            return await destination.upload(delivery.channel, delivery.file, thread_ts=delivery.thread_ts)
        return await destination.post(
            delivery.channel,
            payload,
            key=delivery.key,
            thread_ts=delivery.thread_ts,
            broadcast=delivery.broadcast,
        )

    async def _failed(self, entry: Entry, delivery: Delivery | None, failed: DeliveryFailed) -> None:
        """Decide what a failure means for the entry and for its lane."""
        now, pace = self._clock(), self._pace(entry.lane)
        wait = _backoff(entry.attempts - 1, _SLOWEST_RETRY)
        retry_at = now + max(wait, failed.retry_after or timedelta(0))
        match failed.failure:
            case Failure.CONTENT:
                log.error("delivery_impossible", key=entry.key, reason=failed.reason)
                async with self._database.transaction() as connection:
                    await outbox.bury(connection, entry, failed.reason)
                return
            case Failure.GONE if delivery is not None:
                await self._post_anew(entry, delivery)
                return
            case Failure.NO_CHANNEL if entry.payload.get("only_here"):
                log.warning("answer_impossible", channel=entry.lane.channel, reason=failed.reason)
                async with self._database.transaction() as connection:
                    await outbox.bury(connection, entry, failed.reason)
                return
            case Failure.NO_CHANNEL if delivery is not None and delivery.existing is not None:
                await self._post_anew(entry, delivery)  # its channel was archived, deleted or closed to us
                return
            case Failure.NO_CHANNEL if entry.lane.channel != self._default_channel:
                self._report(entry.key, entry.lane, failed)
                await self._move(entry, now)
                return
            case Failure.RATE_LIMITED:
                pace.rest_until = retry_at = now + (failed.retry_after or _FIRST_RETRY)
            case Failure.AMBIGUOUS if entry.attempts > _PATIENCE:
                pace.rest(now)  # perhaps it is this entry, not the lane: others may go before it
            case Failure.UNREACHABLE | Failure.AMBIGUOUS | Failure.UNUSABLE | Failure.NO_CHANNEL:
                retry_at = pace.rest(now)  # it is the lane's trouble, so the most urgent goes first after it
        if failed.failure is not Failure.RATE_LIMITED:
            self._report(entry.key, entry.lane, failed)
        in_doubt = failed.failure is Failure.AMBIGUOUS or entry.in_doubt_since is not None
        async with self._database.transaction() as connection:
            await outbox.postpone(connection, entry, retry_at, failed.reason, in_doubt=in_doubt)

    async def _move(self, entry: Entry, now: datetime) -> None:
        """Let an entry go to the default channel; what is said of an alert goes there with its message."""
        async with self._database.transaction() as connection:
            await outbox.move(connection, entry, self._default_channel)
            if entry.kind is EntryKind.VIEW:
                await outbox.move_thread(connection, entry.key, self._default_channel, now)
            elif entry.root_key is not None:
                await outbox.forget(connection, entry.root_key)
                await outbox.move_thread(connection, entry.root_key, self._default_channel, now)

    async def _post_anew(self, entry: Entry, delivery: Delivery) -> None:
        """The message was deleted: forget it, so that the next attempt posts another."""
        async with self._database.transaction() as connection:
            if delivery.existing is None:
                await outbox.bury(connection, entry, "the thread it belongs to was deleted")
                return
            await outbox.forget(connection, delivery.key)
            await outbox.postpone(connection, entry, self._clock(), "deleted in Slack", in_doubt=False)

    def _report(self, key: str, lane: Lane, failed: DeliveryFailed) -> None:
        log.warning(
            "delivery_failed",
            key=key,
            destination=lane.destination,
            channel=lane.channel,
            failure=failed.failure.value,
            reason=failed.reason,
            remedy=failed.remedy,
        )
        reason = f"{failed.reason}; {failed.remedy}" if failed.remedy else failed.reason
        self._troubles[lane.destination] = reason
        if lane.destination == SLACK:
            self._silent.setdefault(lane, self._clock())


def _backoff(failures: int, longest: timedelta) -> timedelta:
    return min(_FIRST_RETRY * (1 << min(failures, 10)), longest)
