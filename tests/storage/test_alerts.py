"""Alerts as they are kept: whole, once a fingerprint, changed by one at a time, with history and silences."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.alert import (
    Alert,
    Change,
    Event,
    EventKind,
    acknowledge,
    fingerprint,
    fire,
    recover,
    resolve,
    silence,
)
from bot.domain.observation import Source, SourceKind
from bot.domain.severity import Severity
from checks.result import Diagnostic
from storage import alerts
from storage.alerts import StaleAlert
from storage.database import Connection, Database, DatabaseError, is_about_content
from tests.databases import Opener
from tests.storage.stored import HOUR, MINUTE, NOON, firing, new_alert, save


async def read(
    database: Database, query: Callable[..., Awaitable[Any]], *arguments: Any, **named: Any
) -> Any:
    async with database.snapshot() as connection:
        return await query(connection, *arguments, **named)


async def write(database: Database, query: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    async with database.transaction() as connection:
        return await query(connection, *arguments)


async def stored(database: Database, number: int) -> Alert:
    found: Alert = await read(database, alerts.get, number)
    return found


async def test_an_alert_comes_back_as_it_was_kept(database: Database) -> None:
    rich = firing(
        source=Source(kind=SourceKind.JOB, name="päyroll"),
        severity=Severity.CRITICAL,
        category="a category that somebody wrote out at length",
        message="<!channel> & “quotes”\nsecond line",
        fields={
            "rows": 3,
            "share": 0.5,
            "codes": ["A", None, True],
            "nested": {"ß": {"deep": []}},
            "big": 2**62,
        },
        diagnostics=(Diagnostic(title="Stack trace", text="Traceback\n  File …" * 400),),
        recommendations=("Look", "Act"),
        runbook="https://runbooks/x?a=1&b=2",
        mention="@oncall @ethan",
        channel="#payroll",
        expire_after=timedelta(hours=3, seconds=1),
    )
    kept = await save(database, fire(rich, NOON + timedelta(microseconds=123456)).alert)
    assert (kept.id > 0, kept.version) == (True, 1)
    assert await stored(database, kept.id) == kept
    changed = acknowledge(kept, "U1", "on it", NOON + MINUTE)
    assert isinstance(changed, Change)
    quiet = silence(changed.alert, "U2", HOUR, "deploy", NOON + 2 * MINUTE)
    assert isinstance(quiet, Change)
    again = await save(database, quiet.alert)
    assert again == replace(quiet.alert, version=2)
    assert await stored(database, kept.id) == again


async def test_a_number_nobody_gave_is_no_alert(database: Database) -> None:
    assert await read(database, alerts.get, 404) is None


async def test_of_two_who_decided_on_the_same_alert_the_second_must_decide_again(database: Database) -> None:
    seen = await new_alert(database)
    first, second = acknowledge(seen, "U1", None, NOON), resolve(seen, "U2", None, NOON)
    assert isinstance(first, Change)
    assert isinstance(second, Change)
    await save(database, first.alert)
    with pytest.raises(StaleAlert):
        await save(database, second.alert)
    kept = await stored(database, seen.id)
    assert (kept.acknowledged_by, kept.closed_by) == ("U1", None)


async def test_of_many_who_change_an_alert_at_once_exactly_one_succeeds(open_database: Opener) -> None:
    databases = [open_database(), open_database()]
    seen = await new_alert(databases[0])

    async def take(who: int) -> bool:
        change = acknowledge(seen, f"U{who}", None, NOON)
        assert isinstance(change, Change)
        try:
            await save(databases[who % 2], change.alert)
        except StaleAlert:
            return False
        return True

    assert sum(await asyncio.gather(*map(take, range(12)))) == 1
    assert (await stored(databases[0], seen.id)).version == 2


async def test_there_is_at_most_one_open_alert_a_fingerprint(database: Database) -> None:
    first = await new_alert(database)
    with pytest.raises(DatabaseError) as caught:
        await new_alert(database)
    assert is_about_content(caught.value)
    await save(database, recover(first, "fine", NOON + MINUTE).alert)
    second = await new_alert(database)
    assert second.id != first.id
    with pytest.raises(DatabaseError):
        await save(database, replace(await stored(database, first.id), closed_at=None))


async def test_open_alerts_are_found_by_fingerprint_whoever_raised_them(database: Database) -> None:
    one = await new_alert(database)
    other = await new_alert(database, rule="other", source=Source(kind=SourceKind.JOB, name="parse"))
    over = await new_alert(database, rule="over")
    await save(database, recover(over, "fine", NOON).alert)
    keys = [one.fingerprint, other.fingerprint, over.fingerprint, fingerprint("none", "such")]
    assert await read(database, alerts.open_ones, keys) == {one.fingerprint: one, other.fingerprint: other}
    assert await read(database, alerts.open_ones, []) == {}


async def test_the_alert_that_ended_last_is_found_for_each_fingerprint(database: Database) -> None:
    for minute in (1, 3, 2):
        one = await new_alert(database)
        last = await save(database, recover(one, "fine", NOON + minute * MINUTE).alert)
        if minute == 3:
            newest = last
    await new_alert(database, rule="open")
    keys = [newest.fingerprint, fingerprint("open", "web-1")]
    assert await read(database, alerts.latest_closed, keys) == {newest.fingerprint: newest}


async def test_open_alerts_are_listed_most_severe_and_newest_first(database: Database) -> None:
    numbers = {}
    for name, level, minute in [("a", 3, 0), ("b", 1, 0), ("c", 3, 5), ("d", 2, 9)]:
        kept = fire(firing(rule=name, severity=Severity(level)), NOON + minute * MINUTE).alert
        numbers[(await save(database, kept)).id] = name
    found = await read(database, alerts.list_open)
    assert [numbers[each.id] for each in found] == ["b", "d", "c", "a"]
    assert [numbers[each.id] for each in await read(database, alerts.list_open, 2)] == ["b", "d"]
    assert await read(database, alerts.count_open) == 4


async def test_alerts_of_a_day_are_those_that_began_in_it(database: Database) -> None:
    for name, minute in [("before", -1), ("first", 0), ("last", 59), ("after", 60)]:
        await save(database, fire(firing(rule=name), NOON + minute * MINUTE).alert)
    found = await read(database, alerts.opened_between, NOON, NOON + HOUR)
    assert [each.firing.rule for each in found] == ["first", "last"]


async def test_history_is_told_in_the_order_it_happened(database: Database) -> None:
    kept = await new_alert(database)
    events = [
        Event(kind=EventKind.FIRED, at=NOON, text="why"),
        Event(kind=EventKind.ACKNOWLEDGED, at=NOON, text="", actor="U1"),
        Event(kind=EventKind.RESOLVED, at=NOON - MINUTE, text="“done”", actor="U1"),
    ]
    await write(database, alerts.add_events, kept.id, events[:2])
    await write(database, alerts.add_events, kept.id, events[2:])
    await write(database, alerts.add_events, kept.id, [])
    assert await read(database, alerts.history, kept.id) == events


async def test_alerts_unheard_of_fall_due(database: Database) -> None:
    mortal = await new_alert(database, rule="mortal", expire_after=HOUR)
    gone = await new_alert(database, rule="gone", expire_after=HOUR)
    await save(database, recover(gone, "fine", NOON).alert)
    before, due = NOON + 59 * MINUTE, NOON + HOUR
    assert await read(database, alerts.expired, before) == []
    assert await read(database, alerts.expired, due) == [mortal]


async def test_alerts_that_ended_long_ago_are_forgotten_with_all_about_them(database: Database) -> None:
    old = await new_alert(database)
    await write(database, alerts.add_events, old.id, [Event(kind=EventKind.FIRED, at=NOON, text="why")])
    await save(database, recover(old, "fine", NOON + MINUTE).alert)
    standing = await new_alert(database)

    async def forget(connection: Connection) -> int:
        return await alerts.forget(connection, NOON + HOUR)

    assert await write(database, forget) == 1
    assert await read(database, alerts.get, old.id) is None
    assert await read(database, alerts.history, old.id) == []
    assert await stored(database, standing.id) == standing
