"""How an alert went from its beginning to its end, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.message import clock, person, when
from bot.domain.alert import Alert, Event, EventKind
from bot.domain.decision import spell

_MOST = 12
_SAID = {
    EventKind.ACKNOWLEDGED: "acknowledged by {who}",
    EventKind.UNACKNOWLEDGED: "given back by {who}",
    EventKind.ESCALATED: "escalated",
    EventKind.SILENCED: "silenced by {who}",
    EventKind.UNSILENCED: "heard again",
    EventKind.SEVERITY: "changed in severity",
    EventKind.REOPENED: "open again",
    EventKind.RESOLVED: "resolved by {who}",
    EventKind.RECOVERED: "recovered by itself",
    EventKind.EXPIRED: "expired",
}


def closing_story(alert: Alert, events: Sequence[Event], end: Event) -> str:
    """`fired 14:02, acknowledged by Alex after 3 min, resolved by Sam after 41 min`, up to `end`.

    Times count from when it began. Of a long story the first and the last parts are told.
    """
    parts = [
        f"{_SAID[event.kind].format(who=person(event.actor))} after {spell(event.at - alert.opened_at)}"
        for event in events
        if event.kind in _SAID and event.at <= end.at
    ]
    if len(parts) > _MOST:
        parts = [*parts[: _MOST // 2], f"… {len(parts) - _MOST} more …", *parts[-_MOST // 2 :]]
    same_day = alert.opened_at.date() == end.at.date()
    began = clock(alert.opened_at) if same_day else when(alert.opened_at)
    return ", ".join([f"fired {began}", *parts])
