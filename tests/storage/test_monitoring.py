"""Recording observations: together, durably, once; whatever one of them holds, whatever the database does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.domain.alert import Status
from bot.domain.observation import Observation, SourceKind
from bot.domain.rule import Rule, Verdict
from bot.domain.run import Run, RunStatus
from bot.domain.run_filter import RunFilter
from checks.result import Diagnostic, State
from storage import outbox, runs, sources
from storage.database import Database, DatabaseError
from storage.tables import results
from tests.databases import Opener, only_postgres, sqlite_database
from tests.domain.findings import all_of, first_of, rule
from tests.storage.bot import COLD, HOT, Bot, running
from tests.storage.stored import HOUR, MINUTE, NOON


def run(**parts: Any) -> Run:
    return Run(**{"job": "parse", "status": RunStatus.ERROR, "finished_at": NOON, "exit_code": 1, **parts})


async def count_results(database: Database) -> int:
    async with database.snapshot() as connection:
        return int(await connection.scalar(sa.select(sa.func.count()).select_from(results)) or 0)


async def until(condition: Any) -> None:
    """Wait until something holds; gives up after a few seconds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def unwritable(database: Database) -> AsyncIterator[None]:
    """While this lasts, what checks find cannot be stored."""
    await _rename(database, "results", "results_away")
    try:
        yield
    finally:
        await _rename(database, "results_away", "results")


async def _rename(database: Database, old: str, new: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(sa.text(f"ALTER TABLE {old} RENAME TO {new}"))


# --- together and durably ---------------------------------------------------------------------------------


async def test_whoever_is_answered_finds_the_observation_stored(open_database: Opener) -> None:
    reader = open_database()
    async with running(open_database()) as bot:
        await bot.sees(HOT)
        elsewhere = Bot(reader)
        found = await elsewhere.alert()
        assert (found.count, found.firing.resource, found.status) == (1, "web-1", Status.ACTIVE)
        assert await elsewhere.owed() == ["view"]
        assert bot.woken == 1


async def test_what_comes_together_is_committed_together(database: Database) -> None:
    commits = []
    sa.event.listen(database.engine.sync_engine, "commit", lambda _: commits.append(1))
    async with running(database) as bot:
        await asyncio.gather(*(bot.sees(COLD, resource=f"web-{number}") for number in range(200)))
        assert len(commits) <= 3
        assert await count_results(database) == 200


async def test_what_is_observed_is_stored_soon_and_in_order(database: Database) -> None:
    async with running(database) as bot:
        for minute, fields in enumerate([COLD, HOT, HOT, COLD, HOT]):
            bot.monitoring.observe(bot.seen(fields, at=NOON + minute * MINUTE))
        await bot.monitoring.settle()
        found = await bot.alert()
        assert (found.count, found.reopened, found.last_seen) == (3, 1, NOON + 4 * MINUTE)
        assert [event.kind.value for event in await bot.history()] == ["fired", "recovered", "reopened"]


async def test_what_was_observed_before_a_stop_is_written_by_it(database: Database) -> None:
    async with running(database) as bot:
        for number in range(50):
            bot.monitoring.observe(bot.seen(COLD, resource=f"web-{number}"))
    assert await count_results(database) == 50


async def test_an_observation_stands_as_badly_as_the_rules_say(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        async with database.snapshot() as connection:
            standing = await sources.get(connection, bot.seen(HOT).source, "web-1")
            assert standing is not None
            assert (standing.state, standing.fields) == (State.WARNING, HOT)
            (found,) = await sources.latest(connection, "host", 9)
            assert found.state is State.WARNING


async def test_a_streak_outlives_a_restart(open_database: Opener) -> None:
    patient = all_of(rule("cpu > 90", failures=3, hold=2 * MINUTE))
    for minute in range(3):
        async with running(open_database(), patient) as bot:
            assert await bot.alerts() == []
            await bot.sees(HOT, at=NOON + minute * MINUTE)
    assert (await bot.alert()).opened_at == NOON + 2 * MINUTE


async def test_the_observation_before_is_known_to_rules_after_a_restart(open_database: Opener) -> None:
    falling = all_of(rule("rows < 0.5 * previous.rows"))
    async with running(open_database(), falling) as bot:
        await bot.sees({"rows": 1000})
    async with running(open_database(), falling) as bot:
        await bot.sees({"rows": 400}, at=NOON + MINUTE)
        assert (await bot.alert()).firing.reason == "rows < 0.5 * previous.rows: rows = 400"


async def test_sixty_bad_results_in_an_hour_are_one_alert_with_a_count_of_sixty(database: Database) -> None:
    async with running(database) as bot:
        for minute in range(60):
            bot.monitoring.observe(bot.seen(HOT, at=NOON + minute * MINUTE))
        await bot.monitoring.settle()
        assert (await bot.alert()).count == 60
        assert await bot.owed() == ["view"]


# --- runs -------------------------------------------------------------------------------------------------

JOBS = first_of(rule("exit_code != 0", "Job failed", title="{job_name} failed"))


async def test_a_run_that_comes_twice_changes_nothing_the_second_time(database: Database) -> None:
    async with running(database, JOBS) as bot:
        assert await bot.monitoring.record_run(run(run_id="1"))
        assert not await bot.monitoring.record_run(run(run_id="1"))
        assert (await bot.alert()).count == 1
        both = await asyncio.gather(*(bot.monitoring.record_run(run(run_id="2")) for _ in range(2)))
        assert sorted(both) == [False, True]
        assert (await bot.alert()).count == 2


async def test_a_run_that_succeeds_ends_what_the_failed_one_began(database: Database) -> None:
    async with running(database, JOBS) as bot:
        await bot.monitoring.record_run(run())
        bot.clock.move(MINUTE)
        await bot.monitoring.record_run(
            run(status=RunStatus.SUCCESS, exit_code=0, finished_at=NOON + MINUTE, duration_seconds=2.5)
        )
        found = await bot.alert()
        assert (found.status, found.firing.title) == (Status.RESOLVED, "parse failed")
        assert (await bot.history())[-1].text == "SUCCESS in 2.5 s"
        assert await count_results(database) == 0  # runs have a table of their own


async def test_a_run_that_comes_late_is_kept_but_does_not_change_the_last_word(database: Database) -> None:
    async with running(database, JOBS) as bot:
        await bot.monitoring.record_run(run(status=RunStatus.SUCCESS, exit_code=0))
        assert await bot.monitoring.record_run(run(finished_at=NOON - HOUR, run_id="late"))
        assert await bot.alerts() == []
        async with database.snapshot() as connection:
            assert len((await runs.page(connection, RunFilter())).runs) == 2
            (standing,) = await sources.list_all(connection)
            assert (standing.state, standing.at) == (State.OK, NOON)


async def test_a_result_that_comes_late_is_kept_but_ends_nothing(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        await bot.sees(COLD, at=NOON - MINUTE)
        assert (await bot.alert()).status is Status.ACTIVE
        assert await count_results(database) == 2


# --- whatever it holds ------------------------------------------------------------------------------------


async def test_any_text_and_any_number_can_be_stored(database: Database) -> None:
    deep: Any = "end"
    for _ in range(500):
        deep = [deep]
    odd = {
        "cpu": 95,
        "nan": float("nan"),
        "infinite": float("-inf"),
        "huge": 10**400,
        "large": 2**70,
        "n\0ul": "a\0b",
        "surrogate": "\ud800",
        "deep": deep,
        "long": "x" * 100_000,
        "emoji": "🙂" * 500,
    }
    odd_rule = rule("cpu > 90", title="{surrogate} {huge:c} {large:c} {long}", resource="{long}{emoji}")
    async with running(database, all_of(odd_rule)) as bot:
        seen = bot.seen(odd, resource="r\0" * 400, name="na\0me" * 100)
        seen = Observation(
            source=seen.source,
            resource=seen.resource,
            state=seen.state,
            at=seen.at,
            summary="\ud800\0" * 9000,
            fields=seen.fields,
            diagnostics=(Diagnostic(title="\0" * 500, text="\ud800" * 50_000),),
        )
        await bot.monitoring.record(seen)
        found = await bot.alert()
        assert len(found.firing.resource) == 300
        assert found.fingerprint == found.firing.fingerprint
        assert found.firing.fields["nan"] is None


async def test_a_run_with_any_text_can_be_stored(database: Database) -> None:
    async with running(database, JOBS) as bot:
        odd = run(
            job="pa\0rse",
            run_id="1\0",
            level="ERROR" * 9,
            duration_seconds=float("inf"),
            fields={"x\0": float("nan"), "error": "\ud800"},
        )
        assert await bot.monitoring.record_run(odd)
        assert (await bot.alert()).firing.resource == "parse"


class Poisoned:
    """A question with a defect, for one resource."""

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        if observation.resource == "poison":
            raise ZeroDivisionError("a defect")
        return rule("cpu > 90").question.ask(observation, names)


async def test_one_observation_that_cannot_be_judged_harms_no_other(
    database: Database, log: list[MutableMapping[str, Any]]
) -> None:
    async with running(database, all_of(Rule(name="hot", question=Poisoned(), title="hot"))) as bot:
        for resource in ("web-1", "poison", "web-2"):
            bot.monitoring.observe(bot.seen(HOT, resource=resource))
        answers = await asyncio.gather(
            *(bot.sees(HOT, resource=resource) for resource in ("web-3", "poison", "web-4")),
            return_exceptions=True,
        )
        await bot.monitoring.settle()
        assert [type(answer) for answer in answers] == [type(None), ZeroDivisionError, type(None)]
        found = sorted(each.firing.resource for each in await bot.alerts())
        assert found == ["web-1", "web-2", "web-3", "web-4"]
        assert [entry["event"] for entry in log] == ["observation_not_recorded"] * 2
        assert bot.monitoring.trouble is None


@only_postgres
async def test_one_observation_that_the_database_refuses_harms_no_other(database: Database) -> None:
    too_long = rule("cpu > 90", "x" * 400)
    async with running(database, all_of(too_long)) as bot:
        for number in range(5):
            bot.monitoring.observe(bot.seen(HOT if number == 2 else COLD, resource=f"web-{number}"))
        with pytest.raises(DatabaseError):
            await bot.sees(HOT, resource="web-9")
        async with asyncio.timeout(2):
            await bot.monitoring.settle()
        assert await count_results(database) == 4
        assert bot.monitoring.trouble is None


async def test_two_rules_of_one_name_make_one_alert(database: Database) -> None:
    async with running(
        database, (*all_of(rule("cpu > 80", "host")), *first_of(rule("cpu > 90", "host")))
    ) as bot:
        await bot.sees(HOT)
        await bot.sees(HOT)
        assert (await bot.alert()).count == 2


async def test_two_jobs_whose_trouble_is_one_share_its_alert(database: Database) -> None:
    shared = first_of(rule("exit_code != 0", "Pipeline broken", resource="pipeline"))
    async with running(database, shared) as bot:
        await bot.monitoring.record_run(run(job="extract"))
        await bot.monitoring.record_run(run(job="load"))
        assert (await bot.alert()).count == 2
        await bot.monitoring.record_run(run(job="extract", status=RunStatus.SUCCESS, exit_code=0))
        assert (await bot.alert()).status is Status.ACTIVE
        await bot.monitoring.record_run(run(job="load", status=RunStatus.SUCCESS, exit_code=0))
        assert (await bot.alert()).status is Status.RESOLVED


# --- whatever the database does ---------------------------------------------------------------------------


async def test_what_checks_find_is_kept_while_the_database_cannot_be_written(database: Database) -> None:
    async with running(database) as bot:
        async with unwritable(database):
            for minute in range(3):
                bot.monitoring.observe(bot.seen(HOT, at=NOON + minute * MINUTE))
            await until(lambda: bot.monitoring.trouble)
            assert "results" in str(bot.monitoring.trouble)
        await bot.sees(COLD, resource="web-2")  # whoever asks finds out that it can be written again
        assert bot.monitoring.trouble is None
        async with asyncio.timeout(0.9):
            await bot.monitoring.settle()
        assert (await bot.alert()).count == 3


async def test_who_waits_for_an_answer_is_told_at_once_that_nothing_can_be_written(
    database: Database,
) -> None:
    async with running(database) as bot, unwritable(database):
        for number in range(300):
            bot.monitoring.observe(bot.seen(COLD, resource=f"web-{number}"))
        await until(lambda: bot.monitoring.trouble)
        async with asyncio.timeout(3):
            for _ in range(3):
                with pytest.raises(DatabaseError):
                    await bot.sees(HOT)
    assert await count_results(database) == 300
    assert await bot.alerts() == []


async def test_observations_that_were_kept_are_written_by_a_stop_once_there_is_room(
    database: Database,
) -> None:
    async with running(database) as bot, unwritable(database):
        bot.monitoring.observe(bot.seen(HOT))
        await until(lambda: bot.monitoring.trouble)
    assert (await bot.alert()).count == 1


async def test_a_full_disk_loses_nothing_that_was_observed(tmp_path: Any) -> None:
    async with sqlite_database(tmp_path / "tocsin.db") as database:
        limit = 0

        def restrict(connection: Any, *_: Any) -> None:
            connection.cursor().execute(f"PRAGMA max_page_count={limit or 4294967294}")

        sa.event.listen(database.engine.sync_engine, "checkout", restrict)
        async with running(database) as bot:
            limit = 1  # as small as the file is already
            for number in range(40):
                bot.monitoring.observe(bot.seen({"text": "x" * 4000}, resource=f"web-{number}"))
            await until(lambda: bot.monitoring.trouble)
            assert "full" in str(bot.monitoring.trouble)
            with pytest.raises(DatabaseError, match="full"):
                await bot.monitoring.record(bot.seen({"text": "x" * 8000}, resource="asked"))
            limit = 0
            await bot.sees(COLD, resource="asked again")
            await bot.monitoring.settle()
            assert await count_results(database) == 41
            assert bot.monitoring.trouble is None


async def test_what_is_observed_is_kept_in_memory_only_so_far(database: Database, monkeypatch: Any) -> None:
    monkeypatch.setattr("bot.monitoring._MOST_KEPT", 10)
    bot = Bot(database)
    for number in range(15):
        bot.monitoring.observe(bot.seen(COLD, resource=f"web-{number:02}"))
    bot.monitoring.start()
    await bot.monitoring.stop()
    async with database.snapshot() as connection:
        found = [each.resource for each in await sources.list_all(connection)]
    assert found == [f"web-{number:02}" for number in range(5, 15)]  # the newest


@only_postgres
async def test_replicas_that_see_one_problem_at_once_make_one_alert(open_database: Opener) -> None:
    databases = [open_database(), open_database()]
    async with running(databases[0]) as one, running(databases[1]) as two:
        for _ in range(5):
            await asyncio.gather(*(bot.sees(HOT) for bot in (one, two) for _ in range(4)))
        found = await one.alert()
        assert (found.count, found.status) == (40, Status.ACTIVE)
        assert [event.kind.value for event in await one.history()] == ["fired"]


async def test_an_observation_and_a_person_at_once_lose_neither(open_database: Opener) -> None:
    databases = [open_database(), open_database()]
    async with running(databases[0]) as bot:
        await bot.sees(HOT)
        other = Bot(databases[1])
        await asyncio.gather(
            *(bot.sees(HOT) for _ in range(10)),
            other.alerting.acknowledge(1, "U1"),
            other.alerting.silence(1, "U2", timedelta(hours=1)),
        )
        found = await bot.alert()
        assert (found.count, found.acknowledged_by, found.silenced_by) == (11, "U1", "U2")


async def test_a_job_and_a_check_of_one_name_stand_apart(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(COLD, name="parse", resource="parse")
        await bot.sees(COLD, name="parse", resource="parse", kind=SourceKind.JOB, state=State.CRITICAL)
        async with database.snapshot() as connection:
            found = await sources.list_all(connection)
    assert [(str(each.source), each.state) for each in found] == [
        ("check:parse", State.OK), ("job:parse", State.CRITICAL),
    ]  # fmt: skip


async def test_nothing_is_owed_about_what_was_not_committed(database: Database) -> None:
    async with running(database) as bot:
        async with unwritable(database):
            with pytest.raises(DatabaseError):
                await bot.sees(HOT)
        async with database.snapshot() as connection:
            assert await outbox.counts(connection) == {}
        assert await bot.alerts() == []
