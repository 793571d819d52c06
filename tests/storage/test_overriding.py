"""Settings changed at run time over a real database: set, taken back, seen by other replicas, restarts included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.announcing import Announcer
from bot.domain.alert import Alert, EventKind, Status
from bot.domain.observation import Observation, Source, SourceKind
from bot.monitoring import Monitoring
from bot.overriding import OverrideRefused, Overriding
from bot.present import Present
from checks.result import State
from storage import alerts
from storage.database import Database
from storage.tables import alerts as alerts_table
from storage.tables import outbox, overrides
from tests.config.reading import read
from tests.databases import only_postgres
from tests.storage.stored import Clock

FILE = """\
checks:
  host: {type: system, thresholds: {cpu_percent: 80, memory_percent: 80}}
  other: {type: system}
alerts:
  - {name: Too hot, condition: temperature > 90}
"""
HOST = Source(kind=SourceKind.CHECK, name="host")


class Replica:
    """One Tocsin's part that judges and changes settings."""

    def __init__(self, database: Database, file: str = FILE) -> None:
        self.clock = Clock()
        self.database = database
        self.present = Present.of(read(file))
        announcer = Announcer(database=database, channel="#alerts")
        self.monitoring = Monitoring(
            database=database, rulebook=self.present, announcer=announcer, clock=self.clock, wake=lambda: None
        )
        self.overriding = Overriding(
            database=database, present=self.present, announcer=announcer, clock=self.clock, wake=lambda: None
        )

    def limit(self, field: str = "cpu_percent") -> float | None:
        found = self.present.settings.checks["host"].thresholds.get(field)
        return found[0].limit if found else None

    async def sees(self, source: Source = HOST, **fields: Any) -> None:
        self.clock.now += timedelta(seconds=1)
        seen = Observation(
            source=source,
            resource="web-1",
            state=State.OK,
            at=self.clock(),
            summary="measured",
            fields=fields,
        )
        await self.monitoring.record(seen)

    async def alerts(self) -> list[Alert]:
        async with self.database.snapshot() as connection:
            rows = await connection.execute(sa.select(alerts_table).order_by(alerts_table.c.id))
            return [alerts.alert_of(row) for row in rows]

    async def alert(self) -> Alert:
        (found,) = await self.alerts()
        return found


@asynccontextmanager
async def replica(database: Database, file: str = FILE) -> AsyncIterator[Replica]:
    one = Replica(database, file)
    await one.overriding.load()
    one.monitoring.start()
    try:
        yield one
    finally:
        await one.monitoring.stop()


@pytest.fixture
async def bot(database: Database) -> AsyncIterator[Replica]:
    async with replica(database) as one:
        yield one


async def posts(bot: Replica) -> list[str]:
    async with bot.database.snapshot() as connection:
        rows = await connection.execute(
            sa.select(outbox.c.payload).where(outbox.c.key.like("override:%")).order_by(outbox.c.id)
        )
        return [row.payload["text"] for row in rows]


async def test_a_raised_threshold_holds_for_the_next_look(bot: Replica) -> None:
    await bot.sees(cpu_percent=85)
    outcome = await bot.overriding.set("host.cpu_percent", 90, "U1", "busy week")
    assert outcome.before == (True, 80)
    assert bot.limit() == 90
    await bot.sees(cpu_percent=85)
    assert (await bot.alert()).status is Status.RESOLVED
    await bot.sees(cpu_percent=95)
    assert "threshold of 90" in (await bot.alert()).firing.reason


async def test_what_was_set_is_kept_with_who_when_why_and_the_file(bot: Replica) -> None:
    await bot.overriding.set("host.cpu_percent", {"P2": 90}, "U1", "busy week")
    (kept,) = await bot.overriding.history()
    assert (kept.path, kept.value) == ("checks.host.thresholds.cpu_percent", {"P2": 90})
    assert (kept.by, kept.at, kept.reason) == ("U1", bot.clock(), "busy week")
    assert (kept.in_file, kept.file_value) == (True, 80)
    (told,) = await posts(bot)
    assert told == (
        ":wrench: <@U1> set `checks.host.thresholds.cpu_percent` to `{P2: 90}` (the file says `80`), "
        "because busy week."
    )


async def test_a_second_value_replaces_the_first_and_both_stay_in_the_history(bot: Replica) -> None:
    await bot.overriding.set("host.cpu_percent", 90, "U1")
    second = await bot.overriding.set("host.cpu_percent", 95, "U2")
    assert second.before == (True, 90)
    new, old = await bot.overriding.history()
    assert (new.value, new.reverted_at) == (95, None)
    assert (old.value, old.reverted_by, old.replaced) == (90, "U2", True)
    assert [each.value for each in bot.present.overrides] == [95]


async def test_the_same_value_again_changes_nothing(bot: Replica) -> None:
    await bot.overriding.set("host.cpu_percent", 90, "U1")
    for path, value in (("host.cpu_percent", 90), ("host.memory_percent", 80), ("host.mention", None)):
        with pytest.raises(OverrideRefused, match="is that already"):
            await bot.overriding.set(path, value, "U2")
    assert len(await bot.overriding.history()) == 1


async def test_what_is_taken_back_is_as_the_file_says(bot: Replica) -> None:
    made = (await bot.overriding.set("host.cpu_percent", 90, "U1")).override
    over = await bot.overriding.revert(made.id, "U2")
    assert over is not None
    assert over.reverted_by == "U2"
    assert bot.limit() == 80
    assert await bot.overriding.revert(made.id, "U2") is None
    assert "the file says `80` again" in (await posts(bot))[-1]


async def test_it_is_taken_back_by_its_path_too(bot: Replica) -> None:
    await bot.overriding.set("host.cpu_percent", 90, "U1")
    with pytest.raises(OverrideRefused, match=r"changed are checks\.host\.thresholds\.cpu_percent"):
        await bot.overriding.revert_path("host.memory_percent", "U1")
    await bot.overriding.revert_path("host.cpu_percent", "U1")
    assert bot.limit() == 80
    with pytest.raises(OverrideRefused, match="nothing is changed at all"):
        await bot.overriding.revert_path("host.cpu_percent", "U1")


async def test_nonsense_changes_nothing(bot: Replica) -> None:
    for path, value in (("host.cpu_percent", "lots"), ("hots.cpu_percent", 1), ("host.every", "1s")):
        with pytest.raises(OverrideRefused):
            await bot.overriding.set(path, value, "U1")
    assert await bot.overriding.history() == []
    assert bot.limit() == 80
    assert await posts(bot) == []


@pytest.mark.parametrize("value", [float("nan"), "\ud800", "a\0b", "x" * 30_000, {1, 2}])
async def test_what_no_database_keeps_is_refused(bot: Replica, value: Any) -> None:
    with pytest.raises(OverrideRefused, match="the value is"):
        await bot.overriding.set("host.title", value, "U1")
    assert await bot.overriding.history() == []


async def test_a_new_rule_takes_along_what_was_changed_of_it(bot: Replica) -> None:
    made = (await bot.overriding.set("rule.New", {"condition": "cpu_percent > 99"}, "U1")).override
    await bot.overriding.set("rule.New.severity", "P1", "U1")
    await bot.overriding.revert(made.id, "U2")
    assert bot.present.overrides == ()
    assert [each.reverted_by for each in await bot.overriding.history()] == ["U2", "U2"]


async def test_a_rule_as_a_whole_replaces_what_was_changed_of_it(bot: Replica) -> None:
    await bot.overriding.set("rule.Too hot.severity", "P1", "U1")
    await bot.overriding.set("rule.Too hot", {"condition": "temperature > 99"}, "U2")
    assert [each.path for each in bot.present.overrides] == ['alerts."Too hot"']


async def test_it_holds_after_a_restart(database: Database) -> None:
    async with replica(database) as before:
        await before.overriding.set("host.cpu_percent", 90, "U1")
    async with replica(database) as after:
        assert after.limit() == 90


async def test_what_the_changed_file_has_no_place_for_has_no_effect_and_is_said(
    database: Database, log: list[dict[str, Any]]
) -> None:
    async with replica(database) as before:
        await before.overriding.set("other.severity", "P1", "U1")
        await before.overriding.set("host.cpu_percent", 90, "U1")
        await before.overriding.set("rule.Too hot.severity", "P1", "U1")
    file = "checks:\n  host: {type: system, thresholds: {cpu_percent: 70}}\n"
    async with replica(database, file) as after:
        assert after.limit() == 90
        assert after.present.refused.keys() == {"checks.other.severity", 'alerts."Too hot".severity'}
        assert [each.path for _, each in after.present.in_force()] == ["checks.host.thresholds.cpu_percent"]
        assert after.overriding.file_says(after.present.in_force()[0][1]) == (True, 70)
        told = [entry for entry in log if entry["event"] == "override_without_effect"]
        assert len(told) == 2
        await after.overriding.set("host.cpu_percent", 95, "U1")
        assert after.limit() == 95
        await after.overriding.revert_path("checks.other.severity", "U1")
        assert after.present.refused.keys() == {'alerts."Too hot".severity'}


async def test_a_row_that_nobody_understands_stops_nothing(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            sa.insert(overrides).values(
                path="..", value={"value": [1]}, file_value={}, set_by="U1", set_at=Clock().now
            )
        )
    async with replica(database) as bot:
        assert bot.limit() == 80
        assert ".." in bot.present.refused


async def test_another_replica_sees_it_at_its_next_tick(database: Database) -> None:
    async with replica(database) as one, replica(database) as other:
        made = (await one.overriding.set("host.cpu_percent", 90, "U1")).override
        assert other.limit() == 80
        await other.overriding.tick()
        assert other.limit() == 90
        await other.overriding.revert(made.id, "U2")
        await one.overriding.tick()
        assert one.limit() == 80


async def test_a_replica_that_did_not_look_yet_builds_on_what_another_set(database: Database) -> None:
    async with replica(database) as one, replica(database) as other:
        await one.overriding.set("rule.New", {"condition": "cpu_percent > 99"}, "U1")
        await other.overriding.set("rule.New.severity", "P1", "U2")
        assert [rule.name for rule in other.present.settings.alerts] == ["Too hot", "New"]
        assert other.present.settings.alerts[1].severity is not None


@only_postgres
async def test_two_replicas_at_the_same_moment_keep_one_value_a_path(database: Database) -> None:
    async with replica(database) as one, replica(database) as other:
        await asyncio.gather(
            *(each.overriding.set("host.cpu_percent", 81 + number, f"U{number}")
              for number, each in enumerate((one, other, one, other)))
        )  # fmt: skip
        await one.overriding.tick()
        await other.overriding.tick()
        assert len(one.present.overrides) == 1
        assert one.limit() == other.limit()
        assert len(await one.overriding.history()) == 4


async def test_an_alert_of_a_threshold_that_is_switched_off_is_closed_at_once(bot: Replica) -> None:
    await bot.sees(cpu_percent=85, memory_percent=85)
    await bot.overriding.set("host.cpu_percent", None, "U1", "not useful")
    cpu, memory = await bot.alerts()
    assert (cpu.status, cpu.closed_by) == (Status.WITHDRAWN, "U1")
    assert cpu.note == "nothing asks for it any more since checks.host.thresholds.cpu_percent was changed"
    assert memory.status is Status.ACTIVE
    async with bot.database.snapshot() as connection:
        events = await alerts.history(connection, cpu.id)
    assert events[-1].kind is EventKind.WITHDRAWN
    await bot.sees(cpu_percent=85, memory_percent=85)
    assert (await bot.alerts())[0].status is Status.WITHDRAWN


async def test_an_alert_of_a_rule_that_is_switched_off_is_closed_and_comes_back_with_it(bot: Replica) -> None:
    await bot.sees(temperature=95)
    made = (await bot.overriding.set("rule.Too hot", None, "U1")).override
    assert (await bot.alert()).status is Status.WITHDRAWN
    await bot.overriding.revert(made.id, "U1")
    await bot.sees(temperature=95)
    assert (await bot.alert()).status is Status.ACTIVE


async def test_what_an_observation_under_way_opens_again_is_closed_by_the_tick(bot: Replica) -> None:
    await bot.sees(temperature=95)
    made = (await bot.overriding.set("rule.Too hot", None, "U1")).override
    bot.present.hold([])  # another replica, which has not looked yet
    await bot.sees(temperature=95)
    assert (await bot.alert()).status is Status.ACTIVE
    bot.present.hold([made])
    await bot.overriding.tick()
    assert (await bot.alert()).status is Status.WITHDRAWN


async def test_alerts_of_checks_that_left_the_file_are_closed_at_the_start(database: Database) -> None:
    async with replica(database) as before:
        await before.sees(cpu_percent=85)
        await before.sees(Source(kind=SourceKind.CHECK, name="other"), temperature=95)
        await before.sees(Source(kind=SourceKind.JOB, name="unheard of"), status="ERROR")
        raised = Observation(
            source=Source(kind=SourceKind.ALERT, name="checkout"),
            resource="web-1",
            state=State.CRITICAL,
            at=before.clock(),
            summary="slow",
        )
        await before.monitoring.record(raised, before.present.groups_for(HOST))
    file = "checks:\n  host: {type: system, thresholds: {memory_percent: 80}}\n"
    async with replica(database, file) as after:
        found = {alert.firing.rule: alert for alert in await after.alerts()}
        assert found["host.cpu_percent"].status is Status.WITHDRAWN
        assert found["host.cpu_percent"].note == "its check or its rule is no longer in the configuration"
        assert found["Too hot"].status is Status.WITHDRAWN
        others = [alert for alert in found.values() if alert.firing.source.kind is not SourceKind.CHECK]
        assert {alert.firing.source.kind for alert in others} == {SourceKind.JOB, SourceKind.ALERT}
        assert all(alert.status is Status.ACTIVE for alert in others)
