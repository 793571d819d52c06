"""Attempts of remedies on a real database: begun with the alert, claimed once, counted across restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.announcing import Announcer
from bot.domain.alert import Alert, Change, fire, recover, resolve, silence
from bot.domain.clock import Clock as Reads
from bot.domain.condition import compile_condition
from bot.domain.filling import Action, Command
from bot.domain.remedy import Attempt, AttemptState, Remedy, Rivals, following
from bot.domain.severity import Severity
from bot.performing import Performed, Performer
from bot.remedy_plan import RemedyPlan
from bot.remedying import Remedying
from storage import alerts, remedies
from storage.alerts import StaleAlert
from storage.database import Connection, Database, DatabaseError, is_about_content
from storage.remedies import Limit
from tests.databases import Opener
from tests.storage.stored import HOUR, MINUTE, NOON, Clock, firing, new_alert

SECOND = timedelta(seconds=1)
RESTART = Remedy(
    name="restart",
    when=compile_condition("check == 'host' && severity == 'high'"),
    action=Command(arguments=("restart", "{resource}")),
    attempts=2,
)


class Hand(Performer):
    """Does nothing but remember, as an action that always succeeds would be done."""

    def __init__(self, clock: Reads) -> None:
        super().__init__(clock=clock, mask=str, environ={})
        self.did: list[Action] = []
        self.during: Callable[[], Any] | None = None

    async def perform(self, action: Action, limit: timedelta) -> Performed:
        self.did.append(action)
        if self.during is not None:
            await self.during()
        return Performed(ok=True, summary="exit code 0", output="done")


@dataclass
class Replica:
    """Remedies on a database. `mends`: what its check finds when it is run."""

    database: Database
    clock: Clock
    known: dict[str, Remedy]
    owner: str = "one"
    mends: bool = False
    escalated: list[int] = field(default_factory=list)
    looked: int = 0

    def __post_init__(self) -> None:
        plan = RemedyPlan(database=self.database, remedies=self.known, mask=str)
        self.announcer = Announcer(database=self.database, channel="#alerts", follow=plan.follow)
        self.hand = Hand(self.clock)
        self.remedying = Remedying(
            database=self.database, announcer=self.announcer, remedies=self.known, performer=self.hand,
            run_check=self._look, clock=self.clock, wake=lambda: None, mask=str, owner=self.owner,
            escalate=self._escalate,
        )  # fmt: skip

    async def _look(self, _check: str) -> bool:
        """The check runs; when it finds its resource well, the open alerts of it recover."""
        self.looked += 1
        if self.mends:
            async with self.database.transaction() as connection:
                for alert in await alerts.list_open(connection):
                    await self.announcer.store(connection, recover(alert, "fine", self.clock()), self.clock())
        return True

    async def _escalate(self, _connection: Connection, alert: Alert, _now: datetime) -> None:
        self.escalated.append(alert.id)

    async def store(self, change: Change) -> Alert:
        async with self.database.transaction() as connection:
            return await self.announcer.store(connection, change, self.clock())

    async def fires(self, **parts: Any) -> Alert:
        return await self.store(fire(firing(**parts), self.clock()))

    async def now(self, alert: Alert) -> Alert:
        async with self.database.snapshot() as connection:
            found = await alerts.get(connection, alert.id)
        assert found is not None
        return found

    async def attempts(self, alert: Alert) -> list[Attempt]:
        async with self.database.snapshot() as connection:
            return await remedies.of_alert(connection, alert.id)

    async def said(self, alert: Alert) -> list[str]:
        async with self.database.snapshot() as connection:
            return [event.text for event in await alerts.history(connection, alert.id)]

    async def runs(self, until: timedelta = 10 * MINUTE) -> None:
        """Let everything happen that is due within a time."""
        end = self.clock() + until
        while (due := await self.remedying.drain()) is not None and due <= end:
            self.clock.now = max(self.clock.now, due)


Make = Callable[..., Replica]


@pytest.fixture
def make(open_database: Opener) -> Make:
    clock = Clock()

    def one(remedy: Remedy = RESTART, **parts: Any) -> Replica:
        return Replica(open_database(), clock, {remedy.name: remedy}, **parts)

    return one


async def test_an_alert_that_fires_leaves_an_attempt_with_it_or_nothing_at_all(make: Make) -> None:
    bot = make()

    async def fails() -> None:
        async with bot.database.transaction() as connection:
            await bot.announcer.store(connection, fire(firing(), NOON), NOON)
            raise RuntimeError("the transaction fails")

    with pytest.raises(RuntimeError):
        await fails()
    async with bot.database.snapshot() as connection:
        assert await remedies.next_due(connection) is None
    alert = await bot.fires()
    (attempt,) = await bot.attempts(alert)
    assert (attempt.state, attempt.due_at, attempt.remedy) == (AttemptState.DUE, NOON, "restart")
    assert await bot.attempts(await bot.fires(rule="x", resource="web-2", severity=Severity.LOW)) == []


async def test_an_attempt_runs_verifies_and_ends_recovered(make: Make) -> None:
    bot = make(mends=True)
    alert = await bot.fires()
    await bot.runs()
    (attempt,) = await bot.attempts(alert)
    assert (attempt.state, attempt.ordinal, attempt.outcome, attempt.output) == (
        AttemptState.RECOVERED, 1, "exit code 0", "done"
    )  # fmt: skip
    assert (attempt.started_at, attempt.ended_at) == (NOON, NOON + 30 * SECOND)
    assert (attempt.action, attempt.values) == ("restart web-1", {"resource": "web-1"})
    assert bot.hand.did == [Command(arguments=("restart", "web-1"))]
    assert (await bot.said(alert))[1:] == [
        "running restart (attempt 1 of 2 in 1 h): restart web-1",
        "restart is done: exit code 0; the check runs again in 30 s",
        "fine",
        "web-1 recovered by restart after 30 s (attempt 1 of 2 in 1 h)",
    ]
    assert bot.escalated == []


async def test_attempts_in_vain_end_in_one_escalation(make: Make) -> None:
    bot = make()
    alert = await bot.fires()
    await bot.runs()
    assert [each.state for each in await bot.attempts(alert)] == [AttemptState.FAILED] * 2
    assert len(bot.hand.did) == 2
    assert bot.escalated == [alert.id]
    assert (await bot.said(alert))[-1] == (
        "web-1 is still failing after restart, 2 of 2 attempts in 1 h: cpu 95. Somebody must look"
    )


async def test_attempts_are_counted_across_restarts_and_free_again_after_the_period(make: Make) -> None:
    alert = await make().fires()
    first = make()
    await first.runs()
    assert len(first.hand.did) == 2
    ended = await first.store(recover(await first.now(alert), "fine", first.clock()))
    second = make(owner="two")
    assert not ended.status.is_open
    another = await second.fires()
    await second.runs()
    assert second.hand.did == []
    assert second.escalated == [another.id]
    await second.store(recover(await second.now(another), "fine", second.clock()))
    second.clock.move(HOUR)
    await second.fires()
    await second.runs()
    assert len(second.hand.did) == 2


async def test_two_replicas_run_one_attempt_once(make: Make) -> None:
    bots = [make(owner=f"replica {number}") for number in range(4)]
    alert = await bots[0].fires()
    await asyncio.gather(*(bot.remedying.drain() for bot in bots))
    assert sum(len(bot.hand.did) for bot in bots) == 1
    assert sum("running restart" in line for line in await bots[0].said(alert)) == 1
    bots[0].clock.move(30 * SECOND)
    for bot in bots:
        bot.mends = True
    await asyncio.gather(*(bot.remedying.drain() for bot in bots))
    assert sum("recovered by restart" in line for line in await bots[0].said(alert)) == 1


async def test_two_alerts_at_one_resource_take_turns(make: Make) -> None:
    bot = make()
    first, second = await bot.fires(), await bot.fires(rule="host.memory")
    await bot.remedying.drain()
    assert len(bot.hand.did) == 1
    (waiting,) = await bot.attempts(second)
    assert (waiting.state, waiting.waited, waiting.outcome) == (
        AttemptState.DUE, True, "another attempt is under way"
    )  # fmt: skip
    bot.mends = True
    await bot.runs()
    assert len(bot.hand.did) == 1
    assert [each.state for each in await bot.attempts(first)] == [AttemptState.RECOVERED]
    assert [each.state for each in await bot.attempts(second)] == [AttemptState.EXPIRED]


async def test_no_two_attempts_under_way_can_be_stored_at_one_resource(make: Make) -> None:
    bot = make()
    first, second = await new_alert(bot.database), await new_alert(bot.database, rule="other")
    for alert in (first, second):
        mine = following(RESTART, alert, 1, NOON)
        async with bot.database.transaction() as connection:
            assert await remedies.add(bot.database, connection, mine)
            assert not await remedies.add(bot.database, connection, mine)

    async def begin(alert: Alert) -> None:
        async with bot.database.transaction() as connection:
            found = await remedies.newest(connection, alert.id, "restart")
            assert found is not None
            running = replace(found, state=AttemptState.RUNNING, owner="me", target=f"{alert.id}")
            assert await remedies.change(connection, found, running)

    await begin(first)
    with pytest.raises(DatabaseError) as refused:
        await begin(second)
    assert is_about_content(refused.value)


async def test_what_ran_when_its_process_died_is_not_run_again_but_verified(make: Make) -> None:
    dead = make(owner="dead")
    alert = await dead.fires()

    async def die() -> None:
        raise asyncio.CancelledError

    dead.hand.during = die
    with pytest.raises(asyncio.CancelledError):
        await dead.remedying.drain()
    (attempt,) = await dead.attempts(alert)
    assert attempt.state is AttemptState.RUNNING

    heir = make(owner="heir", mends=True)
    await heir.remedying.drain()
    assert (await heir.attempts(alert))[0].state is AttemptState.RUNNING, "its lease lasts"
    await heir.runs()
    (attempt,) = await heir.attempts(alert)
    assert (attempt.state, attempt.outcome) == (AttemptState.RECOVERED, "interrupted")
    assert heir.hand.did == []
    said = await heir.said(alert)
    assert any(
        "interrupted: Tocsin stopped while restart ran (attempt 1 of 2 in 1 h)" in line for line in said
    )


async def test_a_tocsin_alone_on_its_database_knows_at_once_that_what_ran_was_interrupted(make: Make) -> None:
    bot = make()
    alert = await bot.fires()
    async with bot.database.transaction() as connection:
        found = await remedies.newest(connection, alert.id, "restart")
        assert found is not None
        running = replace(
            found, state=AttemptState.RUNNING, owner="dead", started_at=NOON, ordinal=1, target="t",
            due_at=NOON + HOUR,
        )  # fmt: skip
        assert await remedies.change(connection, found, running)
        assert not await remedies.change(connection, found, running)
        await remedies.interrupt_all(connection, NOON)
    await bot.remedying.drain()
    (attempt,) = await bot.attempts(alert)
    assert attempt.state is AttemptState.VERIFYING
    await bot.runs()
    assert len(bot.hand.did) == 1, "the one that was interrupted counts"
    assert bot.escalated == [alert.id]


async def test_a_silenced_alert_is_not_touched_before_it_is_heard_again(make: Make) -> None:
    bot = make(mends=True)
    alert = await bot.fires()
    change = silence(alert, "U1", HOUR, "we work on it", NOON)
    assert isinstance(change, Change)
    await bot.store(change)
    await bot.runs(50 * MINUTE)
    assert (bot.hand.did, bot.looked) == ([], 0)
    bot.mends = False
    await bot.runs(20 * MINUTE)
    assert len(bot.hand.did) == 2
    assert bot.looked == 3, "before it ran, since it had waited, and after each attempt"


async def test_what_has_not_begun_ends_with_its_alert(make: Make) -> None:
    bot = make()
    alert = await bot.fires()
    change = resolve(alert, "U1", None, NOON)
    assert isinstance(change, Change)
    await bot.store(change)
    await bot.runs()
    (attempt,) = await bot.attempts(alert)
    assert (attempt.state, attempt.outcome) == (AttemptState.EXPIRED, "the alert ended")
    assert bot.hand.did == []


async def test_an_offer_is_taken_once_and_as_it_was_shown(make: Make) -> None:
    bot = make(replace(RESTART, approve=True), mends=True)
    alert = await bot.fires()
    await bot.remedying.drain()
    async with bot.database.snapshot() as connection:
        (offer,) = await remedies.offers(connection, alert.id)
    assert (offer.action, offer.due_at) == ("restart web-1", None)
    assert bot.hand.did == []
    changed = await bot.remedying.approve(offer.id, "another", "U1")
    assert changed == "What restart would run has changed meanwhile; look at the alert and press again."
    answers = await asyncio.gather(
        *(bot.remedying.approve(offer.id, offer.target, f"U{n}") for n in (1, 2, 3))
    )
    assert sorted(answer is None for answer in answers) == [False, False, True]
    assert sum("was approved by <@U" in (answer or "") for answer in answers) == 2
    await bot.runs()
    assert len(bot.hand.did) == 1
    (attempt,) = await bot.attempts(alert)
    assert (attempt.state, attempt.approved_by is not None) == (AttemptState.RECOVERED, True)
    assert await bot.remedying.approve(999, offer.target, "U1") == "Its alert is not known any more."


async def test_a_remedy_that_left_the_configuration_ends_quietly(make: Make) -> None:
    alert = await make().fires()
    other = make(replace(RESTART, name="another", when=compile_condition("false")))
    await other.runs()
    (attempt,) = await other.attempts(alert)
    assert (attempt.state, attempt.outcome) == (
        AttemptState.REFUSED, "it is not in the configuration any more"
    )  # fmt: skip


async def test_rivals_are_those_of_the_resource_and_those_that_do_the_same(make: Make) -> None:
    bot = make()
    for number, (resource, target, ago) in enumerate(
        [("web-1", "a", 10), ("web-1", "b", 20), ("web-2", "a", 30), ("web-1", "a", 70), ("web-3", "c", 5)]
    ):
        alert = await new_alert(bot.database, rule=f"rule {number}", resource=resource)
        began = NOON - ago * MINUTE
        ran = replace(
            following(RESTART, alert, 1, began), state=AttemptState.FAILED, target=target, started_at=began
        )
        async with bot.database.transaction() as connection:
            await remedies.add(bot.database, connection, ran)
    mine = following(RESTART, await new_alert(bot.database), 1, NOON)

    async def used(*, whole_resource: bool) -> Rivals:
        async with bot.database.snapshot() as connection:
            limit = Limit(since=NOON - HOUR, whole_resource=whole_resource)
            return await remedies.rivals(connection, mine, "a", limit)

    everything, same = await used(whole_resource=True), await used(whole_resource=False)
    assert [NOON - began for began in everything.used] == [30 * MINUTE, 20 * MINUTE, 10 * MINUTE]
    assert [NOON - began for began in same.used] == [30 * MINUTE, 10 * MINUTE]
    assert not everything.busy


async def test_an_alert_that_changes_while_its_attempt_takes_a_step_holds_up_neither(
    make: Make, log: list[MutableMapping[str, Any]]
) -> None:
    bot, other = make(), make(owner="other")

    async def resolved(alert: Alert) -> None:
        change = resolve(await other.now(alert), "U1", None, NOON)
        assert isinstance(change, Change)
        with suppress(StaleAlert):
            await other.store(change)

    for number in range(12):
        alert = await bot.fires(resource=f"web-{number}")
        async with asyncio.timeout(20):
            await asyncio.gather(bot.remedying.drain(), resolved(alert))
    assert not [entry for entry in log if entry["event"] in ("remedy_step_failed", "remedy_crashed")]


async def test_attempts_go_with_their_alert(make: Make) -> None:
    bot = make()
    alert = await bot.fires()
    await bot.store(recover(alert, "fine", NOON))
    async with bot.database.transaction() as connection:
        assert await alerts.forget(connection, NOON + HOUR) == 1
        assert await remedies.of_alert(connection, alert.id) == []
