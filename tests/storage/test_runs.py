"""Pages of runs: every filter, both ways, from indexes alone; what runs print is kept apart."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa

from bot.domain.run import Run, RunStatus, cleaned_run
from bot.domain.run_filter import RunFilter
from storage import runs
from storage.database import Database
from storage.tables import run_outputs

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


async def stored(database: Database, count: int, **more: Any) -> None:
    """Runs of three jobs, two each minute, the first the oldest; every seventh failed, each says its number."""
    async with database.transaction() as connection:
        for number in range(count):
            run = Run(
                job=f"job-{number % 3}",
                status=RunStatus.ERROR if number % 7 == 0 else RunStatus.SUCCESS,
                finished_at=NOON + timedelta(minutes=number // 2),
                fields={"number": number, "text": "even" if number % 2 == 0 else "Odd", **more},
            )
            assert await runs.add(database, connection, cleaned_run(run), NOON) is not None


async def numbers(database: Database, wanted: RunFilter) -> list[Any]:
    async with database.snapshot() as connection:
        return [run.fields["number"] for run in (await runs.page(connection, wanted)).runs]


def fitting(count: int, wanted: RunFilter) -> list[int]:
    """The numbers of the runs that fit, newest first, found without a database."""
    return [
        number
        for number in reversed(range(count))
        if wanted.job in (None, f"job-{number % 3}")
        and (wanted.status is None or (number % 7 == 0) == (wanted.status is RunStatus.ERROR))
        and (wanted.since is None or NOON + timedelta(minutes=number // 2) >= wanted.since)
        and (wanted.until is None or NOON + timedelta(minutes=number // 2) < wanted.until)
        and all(text.lower() in ("even" if number % 2 == 0 else "odd") for text in wanted.texts)
    ]


def filters() -> Iterator[RunFilter]:
    """Every combination that a question can make."""
    parts = product(
        (None, "job-1"),
        (None, RunStatus.ERROR),
        (None, NOON + timedelta(minutes=10)),
        (None, NOON + timedelta(minutes=50)),
        ((), ("ODD",)),
    )
    for job, status, since, until, texts in parts:
        yield RunFilter(job=job, status=status, since=since, until=until, texts=texts, limit=4)


async def test_every_filter_is_paged_to_its_end_and_back(database: Database) -> None:
    await stored(database, 120)
    for wanted in filters():
        found: list[list[Any]] = []
        ask: RunFilter | None = wanted
        async with database.snapshot() as connection:
            while ask is not None:
                page = await runs.page(connection, ask)
                assert (page.newer is None) == (not found), "a way back on every page but the first"
                found.append([run.fields["number"] for run in page.runs])
                ask = wanted.older(page.older) if page.older is not None else None
            assert [number for part in found for number in part] == fitting(120, wanted)
            for expected in reversed(found[:-1]):
                assert page.newer is not None
                page = await runs.page(connection, wanted.newer(page.newer))
                assert [run.fields["number"] for run in page.runs] == expected
                assert page.older is not None
            assert page.newer is None


async def test_a_search_reads_its_share_and_can_go_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "SEARCHED", 50)
    await stored(database, 120)
    async with database.transaction() as connection:
        early = Run(
            job="job-0", status=RunStatus.SUCCESS, finished_at=NOON - timedelta(days=1),
            fields={"number": -1, "text": "needle"},
        )  # fmt: skip
        await runs.add(database, connection, early, NOON)
    wanted = RunFilter(texts=("needle",), limit=4)
    async with database.snapshot() as connection:
        first = await runs.page(connection, wanted)
        assert (list(first.runs), first.older, first.newer) == ([], first.searched_to, None)
        assert first.older is not None
        second = await runs.page(connection, wanted.older(first.older))
        assert second.older is not None
        third = await runs.page(connection, wanted.older(second.older))
        assert [run.fields["number"] for run in third.runs] == [-1]
        assert (third.older, third.searched_to) == (None, None)
        assert third.newer is not None
        back = await runs.page(connection, wanted.newer(third.newer))
        assert (list(back.runs), back.newer) == ([], back.searched_to)
        assert back.older is not None, "from a page without any one can turn back again"
        assert [r.number for r in (await runs.page(connection, wanted.older(back.older))).runs] == [121]


async def test_signs_of_patterns_are_searched_for_as_they_are(database: Database) -> None:
    await stored(database, 4, note="50%_done/\\")
    assert await numbers(database, RunFilter(texts=("%_DONE/\\",))) == [3, 2, 1, 0]
    assert await numbers(database, RunFilter(texts=("50__",))) == []


async def test_what_a_run_printed_comes_only_with_the_run_itself(database: Database) -> None:
    run = Run(job="a", status=RunStatus.SUCCESS, finished_at=NOON, fields={"stdout": "much"})
    async with database.transaction() as connection:
        number = await runs.add(database, connection, cleaned_run(run), NOON)
        assert number is not None
        (listed,) = (await runs.page(connection, RunFilter())).runs
        assert (listed.output, listed.fields) == ("", {})
        opened = await runs.get(connection, number)
        assert opened is not None
        assert opened.output == "much"
        assert await runs.get(connection, number + 1) is None
        assert await runs.forget_outputs(connection, NOON + timedelta(days=1), 10) == 1
        kept = await runs.get(connection, number)
        assert kept is not None
        assert kept.output == ""


async def test_what_a_run_printed_goes_with_it(database: Database) -> None:
    run = Run(job="a", status=RunStatus.SUCCESS, finished_at=NOON, output="much")
    async with database.transaction() as connection:
        await runs.add(database, connection, run, NOON)
        assert await runs.forget(connection, NOON + timedelta(days=1), 10) == 1
        assert await connection.scalar(sa.select(sa.func.count()).select_from(run_outputs)) == 0


async def test_every_page_is_read_from_an_index_in_its_order(database: Database) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL chooses by the number of rows; benchmarks/logs.py measures it")
    await stored(database, 30)
    place = (NOON + timedelta(minutes=12), 20)
    plans: list[tuple[RunFilter, str, str]] = []
    async with database.transaction() as connection:
        seen: list[tuple[str, Any]] = []

        def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
            seen.append((statement, parameters))

        engine = database.engine.sync_engine
        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            for wanted in filters():
                for ask in (wanted, wanted.older(place), wanted.newer(place)):
                    seen.clear()
                    await runs.page(connection, ask)
                    for statement, parameters in list(seen):
                        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                        plans += [(ask, statement, str(tuple(row)[-1])) for row in rows]
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
    assert len(plans) > 96
    for ask, statement, plan in plans:
        context = f"{plan}\n{statement}\n{ask}"
        assert "TEMP B-TREE" not in plan, context
        assert "INDEX ix_runs_" in plan, context
        is_narrowed = any(sign in statement for sign in ("=", "<", ">"))  # else its LIMIT ends the reading
        assert plan.startswith("SEARCH") or not is_narrowed, context
        for column, chosen in (("job", ask.job), ("status", ask.status)):
            assert chosen is None or f"{column}=?" in plan, context
