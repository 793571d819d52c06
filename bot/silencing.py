"""Use cases on silences: made, extended, ended, warned of and told of afterwards; all of it by the database's word.

`tick` makes every open alert stand as the active silences have it, so that a kill in between loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.announcing import Announcer
from bot.auditing import ENDED, EXTENDED, MADE, note_silence
from bot.blocks.message import Message
from bot.blocks.silences import render_after, render_made, render_warning
from bot.domain import alert as lifecycle
from bot.domain.alert import Alert, Change, Refusal
from bot.domain.audit import Via
from bot.domain.clock import Clock
from bot.domain.coverage import Coverage, covered
from bot.domain.silence import Origin, Silence, Timetable, Window, covering, hush, settle, speak
from bot.occasions import post_payload
from bot.silence_book import SilenceBook
from storage import alerts, outbox, silences
from storage.alerts import StaleAlert
from storage.database import Connection, Database
from storage.outbox import Lane

LONGEST = timedelta(days=366)
_PORTION = 100
_MOST_TRIED = 20_000
_PRIORITY = 16  # after P1 itself, before P2
_TRIES = 5


class UnknownAlert(LookupError):
    """The database knows no alert of that number (any more)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDone:
    """Why a silence was left as it is, in words for who asked; `silence` is None when there is none."""

    reason: str
    silence: Silence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The silences that hold, and the next window of each silence of the file."""

    active: tuple[Silence, ...]
    upcoming: tuple[tuple[Timetable, Window], ...]


class Silencing:
    """What people and time do to silences. Every method raises DatabaseError; `wake` is called after commits.

    `samples` are alerts that the rules could raise, to say what a condition would cover.
    """

    def __init__(
        self,
        *,
        database: Database,
        announcer: Announcer,
        book: SilenceBook,
        clock: Clock,
        wake: Callable[[], None],
        samples: Sequence[Alert] = (),
    ) -> None:
        self._database = database
        self._announcer = announcer
        self._book = book
        self._clock = clock
        self._wake = wake
        self._samples = samples
        self._settled_for: frozenset[Silence] | None = None
        self._settled: dict[int, int] = {}

    # What people do ---------------------------------------------------------------------------------------

    async def create(
        self, *, match: str, until: datetime, who: str, reason: str | None, origin: Origin
    ) -> tuple[Silence, Coverage]:
        """Silence from now on what a condition matches; the condition was tried before."""
        now = self._clock()
        new = Silence(origin=origin, match=match, starts_at=now, ends_at=until, created_by=who, reason=reason)
        async with self._database.transaction() as connection:
            made = replace(new, id=await silences.add(connection, new))
            coverage = covered(made, self._samples, await alerts.list_open(connection, _MOST_TRIED))
            via = Via.API if origin is Origin.API else Via.SLACK
            await note_silence(connection, made, MADE, who, via, now, after=until, note=reason)
            await self._post(connection, f"silence:{made.id}:made", render_made(made, coverage))
        await self._settle_alerts()
        self._wake()
        return made, coverage

    async def extend(
        self, silence_id: int, seen: datetime, by: timedelta, who: str, via: Via = Via.SLACK
    ) -> Silence | NotDone:
        """Let a silence that is known to end at `seen` last longer; a second time changes nothing."""
        now = self._clock()
        async with self._database.transaction() as connection:
            silence = await silences.get(connection, silence_id)
            if silence is None:
                return NotDone(reason=f"There is no silence #{silence_id} (any more).")
            if not silence.is_active(now):
                return NotDone(
                    reason=f"Silence #{silence_id} is over, so it cannot be extended. Make a new one.",
                    silence=silence,
                )
            until = seen + by
            if until > now + LONGEST:
                return NotDone(reason="A silence lasts 366 days at most.", silence=silence)
            if not await silences.extend(connection, silence_id, seen, until, who):
                return NotDone(reason=f"Silence #{silence_id} has another end already.", silence=silence)
            await note_silence(connection, silence, EXTENDED, who, via, now, before=seen, after=until)
        await self._settle_alerts()
        self._wake()
        return replace(silence, ends_at=until, extended_by=who)

    async def end(self, silence_id: int, who: str, via: Via = Via.SLACK) -> Silence | NotDone:
        """End a silence now: what it covers and still fails is told again."""
        now = self._clock()
        async with self._database.transaction() as connection:
            done = await silences.end(connection, silence_id, who, now)
            silence = await silences.get(connection, silence_id)
            if done and silence is not None:
                await note_silence(connection, silence, ENDED, who, via, now, before=silence.ends_at)
        if silence is None:
            return NotDone(reason=f"There is no silence #{silence_id} (any more).")
        if not done:
            return NotDone(reason=f"Silence #{silence_id} is over already.", silence=silence)
        await self._settle_alerts()
        await self._tell_afterwards()
        self._wake()
        return silence

    async def silence_alert(
        self, alert_id: int, who: str, length: timedelta, reason: str | None = None, via: Via = Via.SLACK
    ) -> Change | Refusal:
        """Keep one problem quiet, also if it ends and begins again meanwhile. Raises UnknownAlert."""
        for _ in range(_TRIES):
            with suppress(StaleAlert):
                return await self._silence_alert(alert_id, who, length, reason, via)
        raise StaleAlert(f"alert {alert_id} keeps changing")

    async def _silence_alert(
        self, alert_id: int, who: str, length: timedelta, reason: str | None, via: Via
    ) -> Change | Refusal:
        now = self._clock()
        async with self._database.transaction() as connection:
            alert = await self._known(connection, alert_id)
            if not alert.status.is_open:
                return Refusal(alert=alert, reason=f"already {alert.status.value}")
            active = await self._book.active(connection, now)
            for earlier in active:
                if earlier.fingerprint == alert.fingerprint:
                    await silences.end(connection, earlier.id, who, now)
                    await silences.take_telling(connection, earlier.id, now)
            new = Silence(
                fingerprint=alert.fingerprint,
                starts_at=now,
                ends_at=now + length,
                created_by=who,
                reason=reason,
            )
            new = replace(new, id=await silences.add(connection, new))
            others = [each for each in active if each.fingerprint is None]
            change = hush(alert, covering([*others, new], alert) or new, now)
            stored = await self._announcer.store(connection, change, now)
            await silences.note_hidden(self._database, connection, new.id, alert.id, now)
            await note_silence(
                connection, new, MADE, who, via, now,
                about=alert, before=alert.silenced_until, after=new.ends_at, note=reason,
            )  # fmt: skip
        self._wake()
        return replace(change, alert=stored)

    async def unsilence_alert(self, alert_id: int, who: str, via: Via = Via.SLACK) -> Change | Refusal:
        """Let one problem be heard again: a silence of more than this goes on for the rest. Raises UnknownAlert."""
        for _ in range(_TRIES):
            with suppress(StaleAlert):
                return await self._unsilence_alert(alert_id, who, via)
        raise StaleAlert(f"alert {alert_id} keeps changing")

    async def _unsilence_alert(self, alert_id: int, who: str, via: Via) -> Change | Refusal:
        now = self._clock()
        async with self._database.transaction() as connection:
            alert = await self._known(connection, alert_id)
            if alert.silenced_until is None:
                return Refusal(alert=alert, reason="not silenced")
            for each in await self._book.active(connection, now):
                if each.fingerprint == alert.fingerprint:
                    await silences.end(connection, each.id, who, now)
                elif each.covers(alert):
                    await silences.lift(self._database, connection, each.id, alert_id, who, now)
            before = None if alert.silence_id is None else await silences.get(connection, alert.silence_id)
            if alert.status.is_open:
                change = speak(alert, before, now)
                change = replace(change, events=tuple(replace(event, actor=who) for event in change.events))
            else:
                change = lifecycle.spoken(alert, who, now, "")
            stored = await self._announcer.store(connection, change, now)
            until = alert.silenced_until
            await note_silence(connection, before, ENDED, who, via, now, about=alert, before=until)
        self._wake()
        return replace(change, alert=stored)

    async def _known(self, connection: Connection, alert_id: int) -> Alert:
        alert = await alerts.get(connection, alert_id)
        if alert is None:
            raise UnknownAlert(f"there is no alert {alert_id}")
        return alert

    # What people ask --------------------------------------------------------------------------------------

    async def listing(self) -> Listing:
        """What holds now and what comes, by when it ends or begins."""
        now = self._clock()
        async with self._database.transaction() as connection:
            active = await self._book.active(connection, now)
        coming = [
            (timetable, window)
            for timetable in self._book.timetables
            if (window := timetable.next_window(now)) is not None
        ]
        return Listing(
            active=tuple(sorted(active, key=lambda each: each.ends_at)),
            upcoming=tuple(sorted(coming, key=lambda each: each[1].starts_at)),
        )

    async def would_cover(self, match: str) -> Coverage:
        """What a condition would keep quiet now."""
        now = self._clock()
        trial = Silence(match=match, starts_at=now, ends_at=now)
        async with self._database.snapshot() as connection:
            return covered(trial, self._samples, await alerts.list_open(connection, _MOST_TRIED))

    @property
    def samples(self) -> Sequence[Alert]:
        """Alerts that the rules could raise."""
        return self._samples

    # What time does ---------------------------------------------------------------------------------------

    async def tick(self) -> None:
        """Settle every alert, warn of what ends soon, tell of what has ended."""
        active = await self._settle_alerts()
        await self._warn(active)
        await self._tell_afterwards()

    async def _settle_alerts(self) -> tuple[Silence, ...]:
        """Let every open alert stand as the active silences have it; those that nobody changed are known."""
        now = self._clock()
        async with self._database.transaction() as connection:
            active = await self._book.active(connection, now)
            await self._end_removed(connection, active, now)
            versions = await alerts.open_versions(connection)
        if self._settled_for != frozenset(active):
            self._settled_for, self._settled = frozenset(active), {}
        todo = [
            number
            for number, (version, silenced) in versions.items()
            if (active or silenced) and self._settled.get(number) != version
        ]
        for portion in _portions(todo):
            async with self._database.transaction() as connection:
                await self._settle_portion(connection, portion, active, now)
        self._settled = {number: known for number, known in self._settled.items() if number in versions}
        if todo:
            self._wake()
        return active

    async def _settle_portion(
        self, connection: Connection, ids: Sequence[int], active: Sequence[Silence], now: datetime
    ) -> None:
        found = await alerts.open_of(connection, ids)
        befores = await silences.some(connection, {each.silence_id for each in found if each.silence_id})
        for alert in found:
            change = settle(alert, active, befores.get(alert.silence_id or 0), now)
            if change is not None:
                try:
                    alert = await self._announcer.store(connection, change, now)
                except StaleAlert:
                    continue  # somebody else changed it meanwhile: the next tick sees
            self._settled[alert.id] = alert.version

    async def _end_removed(self, connection: Connection, active: Sequence[Silence], now: datetime) -> None:
        """End windows that the file does not know any more."""
        known = {each.id for each in active}
        for each in await silences.running(connection, now):
            if each.origin is Origin.FILE and each.id not in known:
                await silences.end(connection, each.id, None, now)

    async def _warn(self, active: Sequence[Silence]) -> None:
        """Say once of each silence that it ends soon while something it covers is still broken."""
        now = self._clock()
        due = {each.id: each for each in active if each.warn_at <= now < each.ends_at}
        if not due:
            return
        async with self._database.transaction() as connection:
            for row in await silences.unwarned(connection, due):
                silence = due[row.id]
                broken = [
                    each
                    for each in await silences.hidden(connection, silence.id)
                    if each.status.is_open and each.silence_id == silence.id
                ]
                if broken and await silences.take_warning(connection, silence.id, now):
                    key = f"silence:{silence.id}:warning:{silence.ends_at.isoformat()}"
                    message = render_warning(silence, broken, now)
                    await self._post(connection, key, message, broken, in_thread=True)
        self._wake()

    async def _tell_afterwards(self) -> None:
        """Say once of each silence that is over what it hid; nothing where that was nothing."""
        now = self._clock()
        async with self._database.transaction() as connection:
            for silence in await silences.untold(connection, now):
                hidden = await silences.hidden(connection, silence.id)
                shown = await silences.threads(connection, [each.id for each in hidden])
                said = silence.fingerprint is not None and all(each.id in shown for each in hidden)
                taken = await silences.take_telling(connection, silence.id, now)
                if taken and hidden and not said:
                    await self._post(
                        connection, f"silence:{silence.id}:after", render_after(silence, hidden, now), hidden
                    )
        self._wake()

    async def _post(
        self,
        connection: Connection,
        key: str,
        message: Message,
        about: Sequence[Alert] = (),
        *,
        in_thread: bool = False,
    ) -> None:
        """Queue a message where the alerts it is about are shown; in the thread of the only one, when wanted."""
        channels = {each.firing.channel or self._announcer.channel for each in about}
        channel = channels.pop() if len(channels) == 1 else self._announcer.channel
        thread = None
        if in_thread and len(about) == 1:
            standing = await silences.threads(connection, [about[0].id])
            channel, thread = standing.get(about[0].id, (channel, None))
        await outbox.add_post(
            self._database,
            connection,
            key=key,
            lane=Lane(destination="slack", channel=channel),
            payload=post_payload(message, channel, thread),
            priority=_PRIORITY,
            now=self._clock(),
        )


def _portions(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + _PORTION] for start in range(0, len(ids), _PORTION))
