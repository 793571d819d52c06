"""Roll-ups are made once an hour, again when something comes late, and outlive what they were made from."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.config.telling import Retention
from bot.domain.observation import Observation, Source, SourceKind
from bot.domain.rollup import HOUR, UP, together
from bot.domain.run import Run, RunStatus
from bot.upkeep import Upkeep
from checks.result import State
from storage import baselines, rollups, runs, sources, tally
from storage.database import Database
from storage.tables import results
from storage.tables import rollup_marks as marks_table
from storage.tables import rollups as table

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SHOP = Source(kind=SourceKind.CHECK, name="shop")
NIGHTLY = Source(kind=SourceKind.JOB, name="nightly")
Rows = list[tuple[Any, ...]]


class Keeper:
    """Something to roll up, somebody to do it, and a clock to shift."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOON
        self.upkeep = self.again()

    def again(self) -> Upkeep:
        """Upkeep as after a restart."""
        return Upkeep(database=self.database, clock=lambda: self.now, retention=Retention())

    async def found(
        self,
        at: datetime,
        ms: float,
        *,
        state: State = State.OK,
        resource: str = "shop",
        **fields: Any,
    ) -> None:
        """A check's result, written now."""
        observation = Observation(
            source=SHOP, resource=resource, state=state, at=at, fields={"ms": ms, **fields}
        )
        async with self.database.transaction() as connection:
            await sources.add_result(connection, observation)
            await rollups.mark_late(self.database, connection, [(SHOP, at)], self.now)
            await sources.put(self.database, connection, observation, {}, None)

    async def ran(
        self, at: datetime, status: RunStatus = RunStatus.SUCCESS, seconds: float | None = 10.0
    ) -> None:
        """A run, written now."""
        run = Run(job="nightly", status=status, finished_at=at, duration_seconds=seconds, fields={"rows": 5})
        async with self.database.transaction() as connection:
            await runs.add(self.database, connection, run, self.now)
            await rollups.mark_late(self.database, connection, [(NIGHTLY, at)], self.now)
            last = Observation(source=NIGHTLY, resource="nightly", state=State.OK, at=at)
            await sources.put(self.database, connection, last, {}, None)

    async def work(self) -> None:
        """Roll up all there is."""
        for _ in range(1000):
            if not await self.upkeep.roll_up():
                return
        raise AssertionError("it never comes to an end")

    async def rows(self, query: Any = None) -> Rows:
        """All roll-ups, or what a query finds."""
        if query is None:
            query = sa.select(table).order_by(*table.primary_key.columns)
        async with self.database.snapshot() as connection:
            return [tuple(row) for row in await connection.execute(query)]

    async def count(self, which: sa.Table) -> int:
        return int((await self.rows(sa.select(sa.func.count()).select_from(which)))[0][0])

    async def hours(self, source: Source, field: str) -> Mapping[datetime, tuple[int, float]]:
        async with self.database.snapshot() as connection:
            found = await rollups.hours(
                connection, source, field, NOON - timedelta(days=999), NOON + timedelta(days=999)
            )
        return {hour: (rollup.count, rollup.mean) for hour, rollup in found}


@pytest.fixture
def keeper(database: Database) -> Keeper:
    return Keeper(database)


async def test_an_hour_is_rolled_up_when_it_has_ended(keeper: Keeper) -> None:
    for minute in range(60):
        await keeper.found(NOON + timedelta(minutes=minute), minute)
    keeper.now = NOON + HOUR + timedelta(minutes=4)
    await keeper.work()
    assert await keeper.rows() == []

    keeper.now += timedelta(minutes=1)
    await keeper.work()

    assert await keeper.hours(SHOP, "ms") == {NOON: (60, 29.5)}
    async with keeper.database.snapshot() as connection:
        ((_, rollup),) = await rollups.hours(connection, SHOP, "ms", NOON, NOON + HOUR)
    assert rollup.quantile(0.95) == pytest.approx(56, rel=0.01)
    assert (rollup.minimum, rollup.maximum) == (0, 59)


async def test_redoing_an_hour_gives_the_same_rows(keeper: Keeper) -> None:
    for minute in range(30):
        await keeper.found(NOON + timedelta(minutes=minute), minute * 0.1, resource=f"r{minute % 3}")
        await keeper.ran(NOON + timedelta(minutes=minute), seconds=minute / 7)
    keeper.now = NOON + 2 * HOUR
    await keeper.work()
    before = await keeper.rows()
    assert len(before) == 3 * 2 + 3

    async with keeper.database.transaction() as connection:
        await rollups.mark_late(keeper.database, connection, [(SHOP, NOON)], keeper.now)
        await rollups.mark_late(keeper.database, connection, [(NIGHTLY, NOON)], keeper.now)
    await keeper.work()

    assert await keeper.rows() == before
    assert await keeper.count(marks_table) == 0


async def test_a_result_that_comes_late_is_counted_in_its_hour(keeper: Keeper) -> None:
    await keeper.found(NOON, 10)
    keeper.now = NOON + 3 * HOUR
    await keeper.found(keeper.now, 0)
    await keeper.work()
    assert await keeper.hours(SHOP, "ms") == {NOON: (1, 10)}

    await keeper.found(NOON + timedelta(minutes=59), 30)
    await keeper.found(NOON + timedelta(minutes=58), 50)
    assert await keeper.count(marks_table) == 1
    await keeper.work()

    assert await keeper.hours(SHOP, "ms") == {NOON: (3, 30)}


async def test_something_late_while_its_hour_is_redone_is_not_lost(keeper: Keeper) -> None:
    await keeper.found(NOON, 10)
    keeper.now = NOON + 3 * HOUR
    await keeper.work()
    await keeper.found(NOON + timedelta(minutes=1), 20)
    async with keeper.database.snapshot() as connection:
        (mark,) = await rollups.marks(connection, SourceKind.CHECK, keeper.now, 10)
    await keeper.found(NOON + timedelta(minutes=2), 30)

    async with keeper.database.transaction() as connection:
        await rollups.unmark(connection, mark)  # as one does who read before the last result came
    await keeper.work()

    assert await keeper.hours(SHOP, "ms") == {NOON: (3, 20)}


async def test_a_bot_that_was_down_catches_up(keeper: Keeper) -> None:
    for day in range(5):
        await keeper.found(NOON + timedelta(days=day), day)
        await keeper.ran(NOON + timedelta(days=day, hours=1))
    keeper.now = NOON + timedelta(days=5)

    await keeper.work()

    assert len(await keeper.hours(SHOP, "ms")) == 5
    assert len(await keeper.hours(NIGHTLY, UP)) == 5
    async with keeper.database.snapshot() as connection:
        assert await rollups.rolled_until(connection, SourceKind.CHECK) == NOON + timedelta(days=4, hours=1)


async def test_a_restart_in_the_middle_of_an_hour_loses_nothing(keeper: Keeper) -> None:
    names = [f"check-{number:03}" for number in range(100)]
    async with keeper.database.transaction() as connection:
        for name in names:
            source = Source(kind=SourceKind.CHECK, name=name)
            found = Observation(source=source, resource=name, state=State.OK, at=NOON, fields={"ms": 1})
            await sources.add_result(connection, found)
            await sources.put(keeper.database, connection, found, {}, None)
    keeper.now = NOON + 2 * HOUR

    assert await keeper.upkeep._roll(SourceKind.CHECK)  # one portion only
    assert 0 < await keeper.count(table) < 200
    keeper.upkeep = keeper.again()
    await keeper.work()

    assert await keeper.count(table) == 200


async def test_only_results_that_say_something_count_for_uptime(keeper: Keeper) -> None:
    for minute, state in enumerate([*State] * 2):
        await keeper.found(NOON + timedelta(minutes=minute), 1, state=state)
    end = NOON + 2 * HOUR
    keeper.now = end
    async with keeper.database.snapshot() as connection:
        raw = await tally.of_check(connection, "shop", NOON, end)
    await keeper.work()
    async with keeper.database.snapshot() as connection:
        rolled = await tally.of_check(connection, "shop", NOON, end)
    assert raw == rolled
    assert (rolled.count, rolled.good) == (6, 4)


async def test_figures_over_parts_of_hours_are_exact(keeper: Keeper) -> None:
    for number in range(200):
        status = RunStatus.ERROR if number % 7 == 0 else RunStatus.SUCCESS
        seconds = None if number % 5 == 0 else float(number)
        await keeper.ran(NOON + timedelta(minutes=3 * number), status, seconds)
    start, end = NOON + timedelta(minutes=29), NOON + timedelta(hours=8, minutes=1)
    wanted = [n for n in range(200) if 29 <= 3 * n < 481]
    keeper.now = NOON + timedelta(hours=6, minutes=30)

    for _ in range(2):  # with nothing rolled up, then with a part
        async with keeper.database.snapshot() as connection:
            found = await tally.of_job(connection, "nightly", start, end)
        assert found.count == len(wanted)
        assert found.good == sum(n % 7 != 0 for n in wanted)
        assert found.mean_seconds == pytest.approx(
            sum(n for n in wanted if n % 5) / sum(n % 5 != 0 for n in wanted)
        )
        await keeper.work()


async def test_raw_results_go_after_a_week_and_their_hours_stay(keeper: Keeper) -> None:
    for day in range(10):
        await keeper.found(NOON + timedelta(days=day), day)
    keeper.now = NOON + timedelta(days=10)

    await keeper.upkeep.sweep()
    assert await keeper.count(results) == 10, "nothing goes before it is rolled up"
    await keeper.work()
    await keeper.upkeep.sweep()

    assert await keeper.count(results) == 7
    assert len(await keeper.hours(SHOP, "ms")) == 10


async def test_a_late_word_about_a_dropped_hour_does_not_spoil_its_figures(keeper: Keeper) -> None:
    for minute in range(10):
        await keeper.found(NOON + timedelta(minutes=minute), 5)
    keeper.now = NOON + timedelta(days=9)
    await keeper.work()
    await keeper.upkeep.sweep()

    await keeper.found(NOON + timedelta(minutes=30), 999)
    await keeper.work()

    assert await keeper.hours(SHOP, "ms") == {NOON: (10, 5)}
    assert await keeper.count(marks_table) == 0


async def test_rollups_outlive_raw_data_by_a_year(keeper: Keeper) -> None:
    await keeper.found(NOON, 1)
    keeper.now = NOON + timedelta(days=399)
    await keeper.work()
    await keeper.upkeep.sweep()
    assert await keeper.count(table) == 2
    keeper.now = NOON + timedelta(days=401)
    await keeper.upkeep.sweep()
    assert await keeper.count(table) == 0


async def test_much_is_dropped_in_portions(keeper: Keeper) -> None:
    row = {"name": "shop", "resource": "shop", "state": "ok", "at": NOON, "summary": "", "fields": {}}
    async with keeper.database.transaction() as connection:
        await connection.execute(sa.insert(results), [row] * 2500)
    keeper.now = NOON + timedelta(days=8)
    await keeper.work()
    async with keeper.database.transaction() as connection:
        assert await sources.forget_results(connection, keeper.now, 700) == 700
    await keeper.upkeep.sweep()
    assert await keeper.count(results) == 0


async def test_a_sources_many_rows_are_read_in_parts(keeper: Keeper) -> None:
    row = {"name": "shop", "resource": "shop", "state": "ok", "summary": ""}
    async with keeper.database.transaction() as connection:
        await connection.execute(
            sa.insert(results),
            [{**row, "at": NOON + timedelta(seconds=n // 2), "fields": {"ms": n}} for n in range(3001)],
        )
        found = await rollups.gather(connection, SHOP, NOON)
    assert found["shop", "ms"].count == 3001
    assert found["shop", "ms"].total == sum(range(3001))


class TestBaselines:
    async def test_the_mean_is_of_the_hours_like_this_one(self, keeper: Keeper) -> None:
        for day in range(7):
            for hour in range(24):
                await keeper.found(NOON + timedelta(days=day, hours=hour), 100.0 if hour == 3 else 10.0)
        keeper.now = NOON + timedelta(days=7, hours=3, minutes=20)
        await keeper.work()
        async with keeper.database.snapshot() as connection:
            same = await baselines.mean(keeper.database, connection, SHOP, "ms", keeper.now)
            other = await baselines.mean(keeper.database, connection, SHOP, "ms", keeper.now + HOUR)
            never = await baselines.mean(keeper.database, connection, SHOP, "absent", keeper.now)
        assert (same, other, never) == (100.0, 10.0, None)

    async def test_with_few_days_it_is_the_mean_of_all(self, keeper: Keeper) -> None:
        for hour in range(30):
            await keeper.found(NOON + timedelta(hours=hour), hour)
        keeper.now = NOON + timedelta(hours=32)
        await keeper.work()
        async with keeper.database.snapshot() as connection:
            found = await baselines.mean(keeper.database, connection, SHOP, "ms", keeper.now)
        assert found == pytest.approx(14.5)

    async def test_before_the_first_rollup_it_is_read_from_what_was_reported(self, keeper: Keeper) -> None:
        for minute in range(10):
            await keeper.found(NOON + timedelta(minutes=minute), minute, text="x")
        async with keeper.database.snapshot() as connection:
            now = NOON + timedelta(minutes=30)
            found = await baselines.mean(keeper.database, connection, SHOP, "ms", now)
            text = await baselines.mean(keeper.database, connection, SHOP, "text", now)
        assert (found, text) == (4.5, None)

    async def test_a_jobs_duration_has_a_baseline_too(self, keeper: Keeper) -> None:
        await keeper.ran(NOON, seconds=30)
        keeper.now = NOON + 3 * HOUR
        await keeper.work()
        async with keeper.database.snapshot() as connection:
            found = await baselines.mean(keeper.database, connection, NIGHTLY, "duration_seconds", keeper.now)
        assert found == 30


async def test_resources_of_a_check_come_together(keeper: Keeper) -> None:
    await keeper.found(NOON, 10, resource="/")
    await keeper.found(NOON, 90, resource="/data")
    keeper.now = NOON + 2 * HOUR
    await keeper.work()
    async with keeper.database.snapshot() as connection:
        found = await rollups.hours(connection, SHOP, "ms", NOON, NOON + HOUR)
    whole = together(rollup for _, rollup in found)
    assert len(found) == 2
    assert whole is not None
    assert (whole.minimum, whole.maximum, whole.mean) == (10, 90, 50)
