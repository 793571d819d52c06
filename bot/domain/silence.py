"""Silences: when they hold, which alerts they cover, and what becomes of an alert when one begins or ends.

A silence stops telling, never checking, counting or resolving.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.domain import alert as lifecycle
from bot.domain.alert import Alert, Change
from bot.domain.alert_names import names_of
from bot.domain.condition import ConditionError, Outcome, compile_condition
from bot.domain.schedule import Schedule

_WARN_BEFORE = timedelta(minutes=15)
_MOST_JOINED = 400
_INSTANT = timedelta(microseconds=1)


class Origin(StrEnum):
    """Where a silence comes from."""

    FILE = "file"
    SLACK = "slack"
    API = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `starts_at` until just before `ends_at` (aware UTC)."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """A silence of the file: a window once, or one that begins again and again and lasts `length`.

    Begins follow the clock of their zone; the length is time that passes, so that a window across a clock
    change is neither longer nor shorter. Windows that touch or overlap are one.
    """

    name: str
    match: str
    reason: str | None = None
    begins: tuple[Schedule, ...] = ()
    length: timedelta = timedelta(0)
    once: Window | None = None

    def window_at(self, now: datetime) -> Window | None:
        """The window that holds at an instant."""
        if self.once is not None:
            return self.once if self.once.starts_at <= now < self.once.ends_at else None
        start = self._last(now)
        return self._joined(start) if now < start + self.length else None

    def next_window(self, now: datetime) -> Window | None:
        """The first window that begins after an instant and after the one that holds then."""
        if self.once is not None:
            return self.once if now < self.once.starts_at else None
        holding = self.window_at(now)
        return self._joined(self._next(holding.ends_at if holding else now))

    def unchanged_until(self, now: datetime) -> datetime | None:
        """Until when `window_at` answers as it does now; None for ever."""
        holding = self.window_at(now)
        if holding is not None:
            return holding.ends_at
        coming = self.next_window(now)
        return coming.starts_at if coming else None

    def _joined(self, start: datetime) -> Window:
        first = last = start
        for _ in range(_MOST_JOINED):
            before = self._last(first - _INSTANT)
            if before + self.length < first:
                break
            first = before
        for _ in range(_MOST_JOINED):
            after = self._next(last)
            if after > last + self.length:
                break
            last = after
        return Window(starts_at=first, ends_at=last + self.length)

    def _last(self, instant: datetime) -> datetime:
        return max(schedule.last_until(instant) for schedule in self.begins)

    def _next(self, instant: datetime) -> datetime:
        return min(schedule.next_after(instant) for schedule in self.begins)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A time in which what it covers notifies nobody: what a condition matches, or one problem.

    `id` 0 means not stored yet. `lifted` are alerts (by number) that somebody wanted to hear all the same.
    """

    id: int = 0
    origin: Origin = Origin.SLACK
    name: str | None = None
    match: str | None = None
    fingerprint: str | None = None
    starts_at: datetime
    ends_at: datetime
    created_by: str | None = None
    reason: str | None = None
    extended_by: str | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None
    lifted: frozenset[int] = frozenset()

    def is_active(self, now: datetime) -> bool:
        return self.ended_at is None and self.starts_at <= now < self.ends_at

    @property
    def over_at(self) -> datetime:
        """When it ended or will end."""
        return self.ends_at if self.ended_at is None else min(self.ended_at, self.ends_at)

    @property
    def warn_at(self) -> datetime:
        """From when on to say that it ends soon: a quarter of an hour before, or of its length if that is less."""
        return self.ends_at - min(_WARN_BEFORE, (self.ends_at - self.starts_at) / 4)

    @property
    def label(self) -> str:
        """`silence #12 "Nightly maintenance"`."""
        return f"silence #{self.id}" + (f' "{self.name}"' if self.name else "")

    def covers(self, alert: Alert, names: Mapping[str, Any] | None = None) -> bool:
        """Whether it is about this alert; a condition that cannot be calculated for an alert is not."""
        if alert.id and alert.id in self.lifted:
            return False
        if self.match is None:
            return self.fingerprint == alert.fingerprint
        try:
            outcome = compile_condition(self.match).evaluate(names_of(alert) if names is None else names)
        except ConditionError:
            return False
        return outcome is Outcome.TRUE


def window_of(timetable: Timetable, window: Window) -> Silence:
    """The silence that a window of the file is, not stored yet."""
    return Silence(
        origin=Origin.FILE,
        name=timetable.name,
        match=timetable.match,
        reason=timetable.reason,
        starts_at=window.starts_at,
        ends_at=window.ends_at,
    )


def covering(silences: Iterable[Silence], alert: Alert) -> Silence | None:
    """Of the active silences the one that keeps this alert quiet longest; the one it has already when equal."""
    known = tuple(silences)
    if not known:
        return None
    names = names_of(alert)
    found = [silence for silence in known if silence.covers(alert, names)]
    return max(found, key=lambda each: (each.ends_at, each.id == alert.silence_id, -each.id), default=None)


def hush(alert: Alert, silence: Silence, now: datetime) -> Change:
    """The alert under a silence; its history says which one, until when and why."""
    extends = alert.silence_id == silence.id and alert.silenced_until is not None
    moved = "extended " if extends and silence.ends_at > (alert.silenced_until or now) else ""
    why = f": {silence.reason}" if silence.reason else ""
    return lifecycle.silenced(
        alert,
        until=silence.ends_at,
        who=silence.created_by,
        reason=silence.reason,
        number=silence.id,
        name=silence.name,
        now=now,
        actor=(silence.extended_by or silence.created_by) if moved else silence.created_by,
        text=f"{moved}until {_utc(silence.ends_at)} by {silence.label}{why}",
    )


def speak(alert: Alert, before: Silence | None, now: datetime) -> Change:
    """The alert heard again; its history says why. `before`: the silence it was under, as far as known."""
    text, who = f"still failing since {_utc(alert.opened_at)}", None
    if before is not None and now < before.over_at:
        lifted = alert.id in before.lifted
        reason = "goes on without this alert" if lifted else "does not match any more"
        text = f"{before.label} {reason}; {text}"
    elif before is not None:
        text, who = f"{before.label} ended; {text}", before.ended_by
    return lifecycle.spoken(alert, who, now, text)


def settle(alert: Alert, active: Iterable[Silence], before: Silence | None, now: datetime) -> Change | None:
    """What the silences active now make of an open alert; None when it stands as it must."""
    cover = covering(active, alert)
    if cover is None:
        return None if alert.silenced_until is None else speak(alert, before, now)
    if (alert.silence_id, alert.silenced_until) == (cover.id, cover.ends_at):
        return None
    return hush(alert, cover, now)


def _utc(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
