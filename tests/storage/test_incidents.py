"""Incidents over real databases and a real local workspace: one for an alert, whoever presses, however often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.announcing import Announcer
from bot.channels.rooms import Rooms
from bot.demo.workspace import LocalWorkspace
from bot.domain.incident import Incident, Note, NoteKind, Standing, Unchanged
from bot.domain.rule import RuleGroup
from bot.domain.severity import Severity
from bot.incident_steps import IncidentSteps
from bot.incidents import Entered, Incidents
from bot.silencing import UnknownAlert
from storage import alerts, incidents
from storage.database import Database
from storage.incidents import StepKind
from tests.databases import Opener
from tests.domain.findings import all_of, rule
from tests.storage.bot import HOT, Bot, running
from tests.storage.stored import MINUTE, NOON, Clock
from tests.workspace_client import client_of, without_proxies

RULES: tuple[RuleGroup, ...] = all_of(rule("cpu > 90", severity=Severity.HIGH))
ALEX, SAM, KIM = "U0ALEX", "U0SAM", "U0KIM"


def desk_of(database: Database, workspace: LocalWorkspace, clock: Clock) -> Incidents:
    """The use cases as one replica has them."""
    announcer = Announcer(database=database, channel="#alerts")
    rooms = Rooms(client_of(workspace))

    async def on_call(_names: Sequence[str]) -> list[str]:
        return [SAM]

    def wake() -> None:
        pass

    steps = IncidentSteps(
        database=database, announcer=announcer, rooms=rooms, clock=clock, wake=wake, prefix="tocsin"
    )
    return Incidents(
        database=database,
        announcer=announcer,
        rooms=rooms,
        steps=steps,
        on_call=on_call,
        clock=clock,
        wake=wake,
        zone=ZoneInfo("UTC"),
        prefix="tocsin",
    )


@asynccontextmanager
async def working(database: Database) -> AsyncIterator[tuple[Bot, LocalWorkspace, Incidents]]:
    """A bot, a workspace at the same time of day, and incidents between them; two alerts are open."""
    with without_proxies():
        async with running(database, RULES) as bot, LocalWorkspace(clock=bot.clock) as workspace:
            await bot.sees(HOT)
            await bot.sees(HOT, resource="web-2")
            yield bot, workspace, desk_of(database, workspace, bot.clock)


def made(workspace: LocalWorkspace) -> list[str]:
    """The names of the channels that were made."""
    return [each.name for each in workspace.core.state.channels.values() if each.name.startswith("inc-")]


async def test_of_ten_presses_at_once_one_opens_and_nine_enter(open_database: Opener) -> None:
    async with working(open_database()) as (bot, workspace, _desk):
        desks = [desk_of(open_database(), workspace, bot.clock) for _ in range(3)]
        users = [workspace.add_user(f"U0P{number}", f"p{number}") for number in range(10)]
        outcomes = await asyncio.gather(
            *(desks[number % 3].open(1, user, "C0ALERTS") for number, user in enumerate(users))
        )
        for _ in range(3):
            bot.clock.move(MINUTE)
            await desks[0].tick()
        entered = [each for each in outcomes if isinstance(each, Entered)]
        assert len(entered) == 10
        assert sum(each.is_new for each in entered) == 1
        assert len({each.incident.id for each in entered}) == 1
        (name,) = made(workspace)
        channel = workspace.core.state.channel_named(f"#{name}")
        assert channel is not None
        assert set(users) <= channel.members


async def test_an_alert_belongs_to_one_open_incident_and_may_come_into_another_after_it(
    database: Database,
) -> None:
    async with working(database) as (bot, _workspace, desk):
        first = await desk.open(1, ALEX, "C0ALERTS")
        second = await desk.open(2, KIM, "C0ALERTS")
        assert isinstance(first, Entered)
        assert isinstance(second, Entered)
        no = await desk.join(second.incident.id, 1, SAM)
        assert isinstance(no, Unchanged)
        assert no.reason == f"Alert #1 belongs to incident #{first.incident.id} already."

        bot.clock.move(MINUTE)
        assert isinstance(await desk.close(first.incident.id, ALEX, "x", "y"), Incident)
        joined = await desk.join(second.incident.id, 1, SAM)
        assert isinstance(joined, Entered)
        whole = await desk.whole(second.incident.id)
        assert whole is not None
        assert [alert.id for alert in whole.alerts] == [1, 2]
        assert (await desk.standing(1)).incident == whole.incident


async def test_the_report_is_kept_and_outlives_its_alerts(database: Database) -> None:
    async with working(database) as (bot, _workspace, desk):
        await desk.open(1, ALEX, "C0ALERTS")
        await bot.alerting.acknowledge(1, KIM)
        await bot.alerting.resolve(1, KIM, "restarted it")
        bot.clock.move(timedelta(minutes=5))
        await desk.close(1, ALEX, "No memory left", "More memory")
        kept = await desk.report(1) or ""
        assert "Kim Lindqvist resolved alert #1: restarted it" in kept
        assert "- Duration: 5 min" in kept
        async with database.transaction() as connection:
            await alerts.forget(connection, NOON + timedelta(days=400))
        assert await desk.report(1) == kept
        whole = await desk.whole(1)
        assert whole is not None
        assert whole.alerts == ()


async def test_closing_at_once_from_two_replicas_counts_once(open_database: Opener) -> None:
    async with working(open_database()) as (bot, workspace, desk):
        await desk.open(1, ALEX, "C0ALERTS")
        other = desk_of(open_database(), workspace, bot.clock)
        outcomes = await asyncio.gather(
            desk.close(1, ALEX, "by alex", "a"), other.close(1, KIM, "by kim", "b")
        )
        (won,) = [each for each in outcomes if isinstance(each, Incident)]
        (lost,) = [each for each in outcomes if isinstance(each, Unchanged)]
        assert lost.reason == f"Incident #1 is closed already by <@{won.closed_by}>."
        whole = await desk.whole(1)
        assert whole is not None
        assert whole.incident.root_cause == won.root_cause
        assert (await bot.owed()).count("view") >= 1


async def test_a_step_is_given_to_one_and_given_again_when_its_lease_ran_out(database: Database) -> None:
    clock = Clock()
    async with database.transaction() as connection:
        number = await incidents.add(connection, an_incident())
        assert await incidents.add_step(database, connection, number, "topic", StepKind.TOPIC, {}, NOON)
        assert not await incidents.add_step(database, connection, number, "topic", StepKind.TOPIC, {}, NOON)
    async with database.transaction() as connection:
        step = await incidents.claim_step(connection, NOON)
        assert step is not None
        assert await incidents.claim_step(connection, NOON) is None
    async with database.transaction() as connection:
        again = await incidents.claim_step(connection, clock.move(2 * MINUTE))
        assert again is not None
        assert (again.id, again.attempts) == (step.id, 2)
        await incidents.postpone_step(connection, again, clock.now + MINUTE, "later", counts=False)
        assert await incidents.claim_step(connection, clock.now) is None
    async with database.transaction() as connection:
        third = await incidents.claim_step(connection, clock.move(MINUTE))
        assert third is not None
        assert third.attempts == 2
        await incidents.end_step(connection, third)
        assert await incidents.claim_step(connection, clock.move(timedelta(days=1))) is None


def an_incident(title: str = "Backend is down") -> Incident:
    return Incident(
        title=title,
        severity=Severity.CRITICAL,
        opened_at=NOON,
        opened_by=ALEX,
        asked_in="C0ALERTS",
        channel_name="inc",
    )


async def test_incidents_are_listed_newest_first_by_state_and_by_page(database: Database) -> None:
    async with database.transaction() as connection:
        numbers = [await incidents.add(connection, an_incident(f"No. {number}")) for number in range(5)]
        over = await incidents.get(connection, numbers[1])
        assert over is not None
        assert await incidents.close(connection, replace(over, closed_at=NOON, closed_by=KIM), "# r")
        assert not await incidents.close(connection, replace(over, closed_at=NOON, closed_by=SAM), "# s")
        found, total = await incidents.page(connection, limit=2)
        assert ([each.id for each in found], total) == (numbers[:2:-1], 5)
        found, _ = await incidents.page(connection, before=found[-1].id, limit=2)
        assert [each.id for each in found] == [numbers[2], numbers[1]]
        found, total = await incidents.page(connection, is_open=False)
        assert ([each.closed_by for each in found], total) == ([KIM], 1)
        assert [each.id for each in await incidents.list_open(connection)] == [
            number for number in reversed(numbers) if number != numbers[1]
        ]
        assert await incidents.report(connection, numbers[1]) == "# r"


async def test_notes_and_a_removed_incident_leave_nothing_behind(database: Database) -> None:
    async with running(database, RULES) as bot:
        await bot.sees(HOT)
    async with database.transaction() as connection:
        number = await incidents.add(connection, an_incident())
        assert await incidents.add_alert(database, connection, number, 1, ALEX, NOON)
        assert not await incidents.add_alert(database, connection, number, 1, SAM, NOON)
        await incidents.add_note(connection, number, Note(kind=NoteKind.OPENED, at=NOON, text="", actor=ALEX))
        standing = await incidents.standing(connection, 1)
        assert standing.incident is not None
        assert not standing.others_open
        await incidents.remove(connection, number)
        assert await incidents.standing(connection, 1) == Standing()
        assert await incidents.history(connection, number, ()) == ([], {})


async def test_an_alert_nobody_knows_opens_nothing(database: Database) -> None:
    async with working(database) as (_bot, workspace, desk):
        with pytest.raises(UnknownAlert):
            await desk.open(99, ALEX, "C0ALERTS")
        assert await desk.open_ones() == []
        assert made(workspace) == []
        assert await desk.report(99) is None
        assert isinstance(await desk.enter(99, ALEX), Unchanged)
        assert isinstance(await desk.close(99, ALEX, "x", "y"), Unchanged)
