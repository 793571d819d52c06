"""Where alerts are told, what falls due by time, and why: in rows that outlive everything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from bot.domain.condition import compile_condition
from bot.domain.escalation import CountsFrom, Policy, Step
from bot.domain.plan import Plan
from bot.domain.quiet import QuietHours
from bot.domain.route import Route
from bot.domain.rule import Rule, RuleGroup, Threshold
from bot.domain.severity import Severity
from storage import decisions, escalations
from storage.database import Database
from storage.outbox import EntryKind
from storage.tables import outbox
from tests.databases import Opener
from tests.domain.findings import first_of, rule
from tests.storage.bot import COLD, HOT, Bot, running
from tests.storage.stored import HOUR, MINUTE, NOON

WARM = {"cpu": 92}
RULES: tuple[RuleGroup, ...] = first_of(
    rule("cpu > 93", name="hot", severity=Severity.CRITICAL, mention="@oncall"),
    rule("cpu > 90", name="warm", severity=Severity.MEDIUM, mention="@oncall"),
)
PAGE = Policy(
    name="page",
    respond_within=5 * MINUTE,
    steps=(
        Step(after=5 * MINUTE, mention=("oncall",)),
        Step(after=15 * MINUTE, to=("#leads",), mention=("lead",), note="Call somebody"),
    ),
)
PERSISTS = Policy(
    name="persists", counts_from=CountsFrom.FIRST_SEEN, steps=(Step(after=HOUR, to=("slack", "email")),)
)
NIGHT = QuietHours(start=time(22), end=time(7), zone=ZoneInfo("UTC"), below=Severity.HIGH)
HELD_NIGHT = QuietHours(start=time(22), end=time(7), zone=ZoneInfo("UTC"), below=Severity.HIGH, hold=True)


def route(*to: str, match: str | None = None, **parts: Any) -> Route:
    return Route(to=to, condition=None if match is None else compile_condition(match), **parts)


def plan(*routes: Route, policies: Sequence[Policy] = (PAGE, PERSISTS), **parts: Any) -> Plan:
    return Plan(
        channel="#alerts", routes=routes, policies={policy.name: policy for policy in policies}, **parts
    )


TWO_CHANNELS = plan(route("slack", "#ops", match="severity == 'critical'", escalation="page"), route("slack"))


async def entries(bot: Bot) -> list[tuple[str, str]]:
    """What waits to be delivered and where, oldest first: `view`, `message`, or the event a line is about."""
    async with bot.database.snapshot() as connection:
        rows = await connection.execute(
            sa.select(outbox).where(outbox.c.state == "pending").order_by(outbox.c.id)
        )
        return [(_what(row), row.channel) for row in rows]


def _what(row: Any) -> str:
    if row.kind == EntryKind.VIEW:
        return "view"
    event = row.payload.get("event")
    return event["kind"] if event else "message"


async def lines(bot: Bot) -> list[tuple[str, str, list[str], bool]]:
    """The escalation lines there are: channel, text, names, whether they show in the channel too."""
    async with bot.database.snapshot() as connection:
        rows = await connection.execute(sa.select(outbox).order_by(outbox.c.id))
        return [
            (row.channel, row.payload["event"]["text"], row.payload["mentions"], row.payload["broadcast"])
            for row in rows
            if _what(row) == "escalated"
        ]


async def reasons(bot: Bot, alert_id: int = 1) -> list[tuple[str, str]]:
    async with bot.database.snapshot() as connection:
        found = await decisions.of_alert(connection, alert_id)
    return [(decision.kind, reason) for decision in found for reason in decision.reasons]


async def later(bot: Bot, by: timedelta) -> None:
    bot.clock.move(by)
    await bot.escalating.tick()


# --- routes -----------------------------------------------------------------------------------------------


async def test_an_alert_in_two_channels_owes_each_its_message_and_every_line(database: Database) -> None:
    async with running(database, RULES, plan=TWO_CHANNELS) as bot:
        await bot.sees(HOT)
        assert await entries(bot) == [("view", "#alerts"), ("view", "#ops")]
        await bot.alerting.acknowledge(1, "U1")
        assert (await entries(bot))[2:] == [("acknowledged", "#alerts"), ("acknowledged", "#ops")]
        await bot.sees(COLD)
        assert (await entries(bot))[4:] == [("recovered", "#alerts"), ("recovered", "#ops")]


async def test_the_reasons_are_kept_with_the_alert(database: Database) -> None:
    async with running(database, RULES, plan=TWO_CHANNELS) as bot:
        await bot.sees(HOT)
        await bot.alerting.acknowledge(1, "U1")
        assert await reasons(bot) == [
            ("routing", "route 1 matched (severity == 'critical') → slack, #ops"),
            ("routing", "told in #alerts (naming oncall), #ops"),
            ("escalation", "page begins"),
            ("escalation", "stopped: acknowledged"),
        ]


async def test_a_severity_that_rises_adds_places_and_one_that_falls_takes_none_away(
    database: Database,
) -> None:
    growing = Rule(
        name="cpu",
        title="cpu",
        question=Threshold(field="cpu", steps=((Severity.CRITICAL, 93), (Severity.MEDIUM, 90))),
    )
    async with running(database, (RuleGroup(rules=(growing,)),), plan=TWO_CHANNELS) as bot:
        await bot.sees(WARM)
        assert await entries(bot) == [("view", "#alerts")]
        await bot.sees(HOT)
        assert (await entries(bot))[1:] == [("view", "#ops"), ("severity", "#alerts"), ("severity", "#ops")]
        await later(bot, 5 * MINUTE)
        assert len(await lines(bot)) == 1
        await bot.sees(WARM)
        assert (await entries(bot))[-2:] == [("severity", "#alerts"), ("severity", "#ops")]
        await later(bot, HOUR)
        assert len(await lines(bot)) == 1, "the lesser severity has no escalation"


async def test_an_alert_for_the_digest_alone_owes_no_message(database: Database) -> None:
    async with running(database, RULES, plan=plan(route("digest"))) as bot:
        await bot.sees(HOT)
        await bot.alerting.acknowledge(1, "U1")
        await bot.sees(COLD)
        assert await entries(bot) == []
        assert ("routing", "it is told in the digest only") in await reasons(bot)
        async with database.snapshot() as connection:
            assert await decisions.told_nowhere(connection, [1, 2]) == {1}
            assert await decisions.told_nowhere(connection, []) == frozenset()


async def test_what_was_told_somewhere_goes_on_being_told_there_after_the_routes_changed(
    database: Database,
) -> None:
    async with running(database, RULES, plan=plan(route("#old"))) as bot:
        await bot.sees(HOT)
    async with running(database, RULES, plan=plan(route("#new"))) as bot:
        await bot.alerting.acknowledge(1, "U1")
        assert await entries(bot) == [("view", "#old"), ("acknowledged", "#old")]
        await bot.alerting.resolve(1, "U1")
        bot.clock.move(10 * MINUTE)
        await bot.sees(COLD)
        bot.clock.move(MINUTE)
        await bot.sees(HOT)
        assert (await entries(bot))[-3:] == [("view", "#new"), ("reopened", "#old"), ("reopened", "#new")]


async def test_show_again_makes_every_message_true(database: Database) -> None:
    async with running(database, RULES, plan=TWO_CHANNELS) as bot:
        await bot.sees(HOT)
        async with database.transaction() as connection:
            await connection.execute(sa.update(outbox).values(state="done"))
        await bot.alerting.show_again(1)
        assert await entries(bot) == [("view", "#alerts"), ("view", "#ops")]


# --- escalation -------------------------------------------------------------------------------------------


async def test_each_step_is_said_once_whoever_asks_and_however_often(open_database: Opener) -> None:
    async with running(open_database(), RULES, plan=TWO_CHANNELS) as bot:
        await bot.sees(HOT)
        others = [Bot(open_database(), RULES, plan=TWO_CHANNELS) for _ in range(3)]
        for each in [bot, *others]:
            each.clock.now = NOON + 5 * MINUTE
        await asyncio.gather(*(each.escalating.tick() for each in [bot, *others] * 2))
        assert await lines(bot) == [
            (
                "#alerts",
                "Nobody has acknowledged this for 5 min; it was to be answered within 5 min",
                ["oncall"],
                True,
            )
        ]
        assert [event.kind.value for event in await bot.history()] == ["fired", "escalated"]


async def test_a_step_for_another_channel_shows_the_alert_there_first(database: Database) -> None:
    async with running(database, RULES, plan=TWO_CHANNELS) as bot:
        await bot.sees(HOT)
        await later(bot, 5 * MINUTE)
        await later(bot, 10 * MINUTE)
        assert (await lines(bot))[1] == (
            "#leads", "Nobody has acknowledged this for 15 min. Call somebody", ["lead"], True,
        )  # fmt: skip
        assert (await entries(bot))[-2:] == [("view", "#leads"), ("escalated", "#leads")]
        await later(bot, 100 * HOUR)
        assert len(await lines(bot)) == 2
        await bot.alerting.resolve(1, "U1")
        assert (await entries(bot))[-3:] == [
            ("resolved", "#alerts"), ("resolved", "#ops"), ("resolved", "#leads"),
        ]  # fmt: skip


async def test_acknowledging_stops_it_and_taking_it_back_begins_it_again(database: Database) -> None:
    async with running(database, RULES, plan=TWO_CHANNELS) as bot:
        await bot.sees(HOT)
        bot.clock.move(4 * MINUTE)
        await bot.alerting.acknowledge(1, "U1")
        await later(bot, 10 * HOUR)
        assert await lines(bot) == []
        await bot.alerting.unacknowledge(1, "U1")
        await later(bot, 4 * MINUTE)
        assert await lines(bot) == []
        await later(bot, MINUTE)
        assert len(await lines(bot)) == 1


async def test_a_problem_that_returns_escalates_again_from_its_first_step(database: Database) -> None:
    async with running(database, RULES, plan=TWO_CHANNELS) as bot:
        await bot.sees(HOT)
        await later(bot, 5 * MINUTE)
        await bot.sees(COLD)
        await later(bot, 20 * MINUTE)
        await bot.sees(HOT)
        assert (await bot.alert()).reopened == 1
        await later(bot, 5 * MINUTE)
        assert [names for _, _, names, _ in await lines(bot)] == [["oncall"], ["oncall"]]


async def test_a_silence_pauses_it_and_its_end_lets_it_go_on(database: Database) -> None:
    async with running(database, RULES, plan=TWO_CHANNELS) as bot:
        await bot.sees(HOT)
        bot.clock.move(3 * MINUTE)
        await bot.alerting.silence(1, "U1", HOUR)
        await later(bot, 30 * MINUTE)
        assert await lines(bot) == []
        bot.clock.move(30 * MINUTE)
        await bot.alerting.tick()
        await later(bot, MINUTE)
        assert await lines(bot) == []
        await later(bot, MINUTE)
        assert len(await lines(bot)) == 1
        assert ("escalation", "paused: kept quiet") in await reasons(bot)


async def test_after_an_outage_one_line_says_all_that_was_missed(database: Database) -> None:
    async with running(database, RULES, plan=TWO_CHANNELS) as bot:
        await bot.sees(HOT)
        await later(bot, 3 * HOUR)
        ((channel, text, names, _), (other, _, none, _)) = await lines(bot)
        assert (channel, names, other, none) == ("#alerts", ["oncall", "lead"], "#leads", [])
        assert "Nobody has acknowledged this for 3 h" in text
        assert "2 steps of page fell due together" in text


async def test_first_seen_goes_on_after_an_acknowledgement_and_says_what_cannot_be_reached(
    database: Database,
) -> None:
    async with running(database, RULES, plan=plan(route("slack", escalation="persists"))) as bot:
        await bot.sees(HOT)
        await bot.alerting.acknowledge(1, "U1")
        await later(bot, HOUR)
        ((channel, text, _, _),) = await lines(bot)
        assert channel == "#alerts"
        assert text == "Not over after 1 h. Meant for email as well, which nothing can be sent to"


async def test_an_escalation_that_the_file_no_longer_has_ends(database: Database) -> None:
    async with running(database, RULES, plan=TWO_CHANNELS) as bot:
        await bot.sees(HOT)
    async with running(database, RULES, plan=plan(policies=())) as bot:
        await later(bot, HOUR)
        assert await lines(bot) == []
        async with database.snapshot() as connection:
            assert await escalations.find(connection, 1) is None
        assert (await reasons(bot))[-1] == ("escalation", "no route leads to an escalation any more")


# --- quiet hours ------------------------------------------------------------------------------------------


async def test_held_alerts_are_told_in_the_morning_in_one_message(database: Database) -> None:
    night = plan(route("slack", mention=("ethan",)), quiet_hours=(HELD_NIGHT,))
    async with running(database, RULES, plan=night) as bot:
        bot.clock.now = NOON.replace(hour=23)
        await bot.sees(WARM, resource="a")
        await bot.sees(WARM, resource="b")
        await bot.sees(HOT, resource="c")
        assert await entries(bot) == [("view", "#alerts")], "only the critical one"
        bot.clock.move(HOUR)
        await bot.sees(COLD, resource="a")
        await bot.alerting.acknowledge(2, "U1")
        assert await entries(bot) == [("view", "#alerts")]
        await later(bot, 7 * HOUR - MINUTE)
        assert await entries(bot) == [("view", "#alerts")]
        await later(bot, MINUTE)
        assert (await entries(bot))[1:] == [("view", "#alerts"), ("message", "#alerts")]
        await later(bot, MINUTE)
        assert len(await entries(bot)) == 3
        async with database.snapshot() as connection:
            payload = await connection.scalar(sa.select(outbox.c.payload).where(outbox.c.alert_id.is_(None)))
        assert payload is not None
        assert payload["text"].startswith(":sunrise: 2 alerts in quiet hours: 1 still open")
        assert payload["mentions"] == ["oncall", "ethan"]
        assert ("routing", "quiet hours are over") in await reasons(bot, 2)


async def test_an_alert_that_stands_already_is_not_held_back_and_names_nobody(database: Database) -> None:
    night = plan(route("slack", mention=("ethan",)), quiet_hours=(HELD_NIGHT,))
    async with running(database, RULES, plan=night) as bot:
        bot.clock.now = NOON.replace(hour=21, minute=50)
        await bot.sees(WARM)
        await bot.sees(COLD)
        bot.clock.move(20 * MINUTE)
        await bot.sees(WARM)
        assert (await entries(bot))[-1] == ("reopened", "#alerts")
        async with database.snapshot() as connection:
            rows = (await connection.execute(sa.select(outbox.c.payload).order_by(outbox.c.id))).all()
            assert (await decisions.told(connection, 1)).places[0].mentions == ()
        assert rows[-1].payload["mentions"] == []


async def test_in_quiet_hours_a_lesser_alert_is_told_at_once_and_names_nobody(database: Database) -> None:
    async with running(database, RULES, plan=plan(route("slack"), quiet_hours=(NIGHT,))) as bot:
        bot.clock.now = NOON.replace(hour=23)
        await bot.sees(WARM)
        assert await entries(bot) == [("view", "#alerts")]
        async with database.snapshot() as connection:
            assert (await decisions.told(connection, 1)).places[0].mentions == ()
