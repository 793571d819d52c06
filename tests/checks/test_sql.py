"""The sql check against real SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import asyncio
import os
import secrets
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
import sqlalchemy
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import create_async_engine

from checks.options import CheckContext
from checks.result import CheckResult, State
from checks.sql import Options
from tests.checks.surroundings import (
    NOON,
    build,
    everything_said,
    found,
    require_service,
    surroundings,
    unused_port,
)

POSTGRESQL = "postgresql://postgres@127.0.0.1:5432/postgres"
MARIADB = "mysql://root@127.0.0.1:3306/mysql"
SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(30)",
    "mariadb": "SELECT SLEEP(30) FROM bookings",
}


@pytest.fixture
async def context() -> AsyncIterator[CheckContext]:
    async with surroundings() as context:
        yield context


@dataclass
class Server:
    name: str
    url: str

    async def execute(self, *statements: str) -> list[Any]:
        """Run statements by another connection; gives the last one's rows."""
        if self.name == "sqlite":
            with sqlite3.connect(self.url.removeprefix("sqlite:///")) as connection:
                return [connection.execute(statement).fetchall() for statement in statements][-1]
        engine = create_async_engine(
            self.url.replace("postgresql:", "postgresql+asyncpg:").replace("mysql:", "mysql+aiomysql:"),
            isolation_level="AUTOCOMMIT",
        )
        rows: list[Any] = []
        async with engine.connect() as connection:
            for statement in statements:
                result = await connection.exec_driver_sql(statement)
                rows = [tuple(row) for row in result.all()] if result.returns_rows else []
        await engine.dispose()
        return rows


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"], scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A database of the tests' own on each kind of server, with a thousand bookings in it."""
    name = f"tocsin_test_{secrets.token_hex(4)}"
    if request.param == "sqlite":
        server = Server("sqlite", f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/bookings.db")
    else:
        url = POSTGRESQL if request.param == "postgresql" else MARIADB
        admin = Server(request.param, require_service(url, request.param))
        asyncio.run(admin.execute(f"CREATE DATABASE {name}"))
        server = Server(request.param, url.rsplit("/", 1)[0] + f"/{name}")
    asyncio.run(
        server.execute(
            "CREATE TABLE bookings "
            "(id INTEGER PRIMARY KEY, customer_id INTEGER, price DECIMAL(10, 2), at TIMESTAMP NULL)",
            "INSERT INTO bookings VALUES "
            + ", ".join(f"({i}, {i % 50}, {i}.25, '2026-11-18 06:00:00')" for i in range(1000)),
        )
    )
    yield server
    if request.param != "sqlite":
        asyncio.run(admin.execute(f"DROP DATABASE {name}"))


async def test_columns_of_the_first_row_become_fields(server: Server, context: CheckContext) -> None:
    query = (
        "SELECT count(*) AS bookings, sum(price) AS total, max(at) AS latest, min(NULL) AS gap FROM bookings"
    )
    result = await found("sql", context, url=server.url, query=query)
    assert result.state is State.OK
    assert result.fields["bookings"] == 1000
    assert result.fields["total"] == pytest.approx(499750.0)
    assert result.fields["latest_age_hours"] == 6.0
    assert result.fields["gap"] is None
    assert result.fields["row_count"] == 1
    assert result.fields["up"] == 1
    assert 0 < float(str(result.fields["query_time_ms"])) < 5000
    assert result.summary.startswith("bookings 1,000, total 499,750")


async def test_signs_in_a_query_mean_what_the_database_says_they_mean(
    server: Server, context: CheckContext
) -> None:
    query = "SELECT count(*) AS hits, ' :name' AS colon FROM bookings WHERE '07:30' LIKE '07:%'"
    result = await found("sql", context, url=server.url, query=query)
    assert (result.fields["hits"], result.fields["colon"]) == (1000, " :name")


async def test_a_column_without_a_name_gets_one_that_conditions_can_use(
    server: Server, context: CheckContext
) -> None:
    result = await found("sql", context, url=server.url, query="SELECT count(*) FROM bookings")
    assert result.fields["count"] == 1000


async def test_no_rows_is_an_answer(server: Server, context: CheckContext) -> None:
    result = await found("sql", context, url=server.url, query="SELECT id FROM bookings WHERE id < 0")
    assert result.state is State.OK
    assert result.fields["row_count"] == 0
    assert result.fields["id"] is None
    assert result.summary.startswith("no rows")


async def test_rows_are_counted_up_to_a_bound(server: Server, context: CheckContext) -> None:
    query = "SELECT a.id FROM bookings a CROSS JOIN bookings b CROSS JOIN bookings c"
    result = await found("sql", context, url=server.url, query=query, statement_timeout="60s")
    assert result.fields["row_count"] == 10_000


async def test_a_query_past_its_time_is_stopped_and_critical(server: Server, context: CheckContext) -> None:
    began = perf_counter()
    result = await found("sql", context, url=server.url, query=SLOW[server.name], statement_timeout="300ms")
    assert perf_counter() - began < 3
    assert result.state is State.CRITICAL
    assert result.fields["up"] == 1
    assert "no answer within 0.3 s" in result.summary


async def test_a_cancelled_check_leaves_no_query_running(server: Server, context: CheckContext) -> None:
    check = build("sql", context, {"url": server.url, "query": SLOW[server.name], "statement_timeout": "1s"})
    task = asyncio.create_task(check.run())
    await asyncio.sleep(0.3)
    task.cancel()
    began = perf_counter()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert perf_counter() - began < 2
    running = {
        "sqlite": "SELECT 1 WHERE 0",
        "postgresql": "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sle%' AND state = 'active'",
        "mariadb": "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%%'",
    }[server.name]
    deadline = perf_counter() + 5
    while await server.execute(running) and perf_counter() < deadline:
        await asyncio.sleep(0.05)
    assert not await server.execute(running)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO bookings (id) VALUES (5000)",
        "DELETE FROM bookings",
        "DROP TABLE bookings",
        "CREATE TABLE x (a INT)",
    ],
)
async def test_nothing_can_be_written(server: Server, context: CheckContext, statement: str) -> None:
    result = await found("sql", context, url=server.url, query=statement)
    assert result.state is State.UNKNOWN
    assert result.summary.startswith("the query cannot run: ")
    assert await server.execute("SELECT count(*) FROM bookings") == [(1000,)]


async def test_a_wrong_query_is_unknown_and_says_what_is_wrong(server: Server, context: CheckContext) -> None:
    missing = await found("sql", context, url=server.url, query="SELECT count(*) FROM orders")
    assert missing.state is State.UNKNOWN
    assert missing.fields["up"] == 1
    assert missing.summary.startswith("the query cannot run: ")
    assert "orders" in missing.summary
    assert "class" not in missing.summary
    syntax = await found("sql", context, url=server.url, query="SELEC 1")
    assert syntax.state is State.UNKNOWN
    assert "SELEC" in syntax.diagnostics[0].text


async def test_the_plan_travels_with_the_result(server: Server, context: CheckContext) -> None:
    query = "SELECT count(*) AS mine FROM bookings WHERE customer_id = 42"
    result = await found("sql", context, url=server.url, query=query, explain=True)
    texts = {diagnostic.title: diagnostic.text for diagnostic in result.diagnostics}
    assert texts["Query"] == query
    assert "bookings" in texts["Query plan"]
    assert result.fields["mine"] == 20
    if server.name != "sqlite":
        assert 1000 <= float(str(result.fields["rows_scanned"])) <= 1010


async def test_a_query_that_tells_its_rows_scanned_is_believed(server: Server, context: CheckContext) -> None:
    query = "SELECT count(*) AS rows_scanned FROM bookings WHERE customer_id = 42"
    result = await found("sql", context, url=server.url, query=query, explain=True)
    assert result.fields["rows_scanned"] == 20


async def test_a_stopped_query_still_shows_its_plan(server: Server, context: CheckContext) -> None:
    query = SLOW[server.name]
    result = await found("sql", context, url=server.url, query=query, statement_timeout="300ms", explain=True)
    assert [diagnostic.title for diagnostic in result.diagnostics] == ["Query", "Query plan"]


async def test_table_sizes_are_attached(server: Server, context: CheckContext) -> None:
    result = await found("sql", context, url=server.url, query="SELECT 1 AS up", table_sizes=True)
    assert result.diagnostics[0].title == "Table sizes"
    assert "KB" in result.diagnostics[0].text
    named = "bookings" in result.diagnostics[0].text
    assert named or server.name == "sqlite"  # which weighs single tables only where it is built with dbstat


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_an_unreachable_server_is_critical_without_its_password(
    scheme: str, context: CheckContext
) -> None:
    url = f"{scheme}://etl:hunter2-secret@127.0.0.1:{unused_port()}/warehouse"
    result = await found("sql", context, url=url, query="SELECT 1")
    assert result.state is State.CRITICAL
    assert result.fields == {"up": 0}
    assert result.summary.startswith("warehouse at 127.0.0.1:")
    assert result.summary.endswith("is unreachable: Connection refused")
    assert "hunter2" not in everything_said(result)


@pytest.mark.parametrize("url", [POSTGRESQL, MARIADB])
async def test_a_refused_login_is_critical_without_its_password(url: str, context: CheckContext) -> None:
    require_service(url, "database")
    wrong = url.replace("postgres@", "nobody-here:hunter2-secret@").replace("root@", "nobody:hunter2-secret@")
    result = await found("sql", context, url=wrong, query="SELECT 1")
    assert result.state is State.CRITICAL
    assert result.fields["up"] == 0
    assert "nobody" in result.summary
    assert "hunter2" not in everything_said(result)


def test_a_password_is_in_no_text_of_the_settings() -> None:
    options = Options.model_validate(
        {"url": "mysql://etl:hunter2-secret@127.0.0.1/warehouse", "query": "SELECT 1"}
    )
    assert "hunter2" not in repr(options) + str(options) + options.model_dump_json()


def test_a_url_that_is_none_is_refused_without_being_repeated() -> None:
    with pytest.raises(ValidationError) as error:
        Options.model_validate({"url": "hunter2-secret", "query": "SELECT 1"})
    assert "this is not a database URL" in str(error.value)
    assert "hunter2" not in error.value.errors()[0]["msg"]


async def test_a_missing_sqlite_file_is_critical_and_stays_missing(
    tmp_path: Path, context: CheckContext
) -> None:
    result = await found("sql", context, url=f"sqlite:///{tmp_path}/gone.db", query="SELECT 1")
    assert result.state is State.CRITICAL
    assert result.summary == f"{tmp_path}/gone.db is unreachable: the file does not exist"
    assert os.listdir(tmp_path) == []


async def test_a_damaged_sqlite_file_is_critical(tmp_path: Path, context: CheckContext) -> None:
    (tmp_path / "broken.db").write_bytes(secrets.token_bytes(8192))
    result = await found(
        "sql", context, url=f"sqlite:///{tmp_path}/broken.db", query="SELECT 1 FROM sqlite_master"
    )
    assert result.state is State.CRITICAL
    assert "not a database" in result.summary


async def test_a_locked_sqlite_file_is_critical(tmp_path: Path, context: CheckContext) -> None:
    with locked(tmp_path / "busy.db") as path:
        result = await found(
            "sql", context, url=f"sqlite:///{path}", query="SELECT * FROM t", statement_timeout="200ms"
        )
    assert result.state is State.CRITICAL
    assert result.summary.endswith("fails: database is locked")


class locked:  # noqa: N801  (reads as a statement)
    def __init__(self, path: Path) -> None:
        self.path, self.connection = path, sqlite3.connect(path, isolation_level=None)

    def __enter__(self) -> Path:
        self.connection.execute("CREATE TABLE t (a)")
        self.connection.execute("BEGIN EXCLUSIVE")
        return self.path

    def __exit__(self, *_: object) -> None:
        self.connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "ATTACH 'other.db' AS o",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA query_only = OFF",
        "VACUUM INTO 'x.db'",
    ],
)
async def test_sqlite_statements_with_effects_are_refused(
    tmp_path: Path, context: CheckContext, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sqlite3.connect("app.db").execute("CREATE TABLE t (a)").connection.close()
    result = await found("sql", context, url="sqlite:///app.db", query=statement)
    assert result.state is State.UNKNOWN
    assert os.listdir(tmp_path) == ["app.db"]


async def test_a_sqlite_writer_is_neither_disturbed_nor_waited_for(
    tmp_path: Path, context: CheckContext
) -> None:
    writer = sqlite3.connect(tmp_path / "app.db", isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE t (a)")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO t VALUES (1)")
    result = await found(
        "sql", context, url=f"sqlite:///{tmp_path}/app.db", query="SELECT count(*) AS n FROM t"
    )
    assert result.fields["n"] == 0
    writer.execute("COMMIT")
    result = await found(
        "sql", context, url=f"sqlite:///{tmp_path}/app.db", query="SELECT count(*) AS n FROM t"
    )
    assert result.fields["n"] == 1
    writer.close()


async def test_the_team_s_queries_on_ages_give_hours(tmp_path: Path, context: CheckContext) -> None:
    with sqlite3.connect(tmp_path / "app.db") as connection:
        connection.execute("CREATE TABLE manual_resolution (created_at TEXT, resolved_at TEXT)")
        connection.execute("INSERT INTO manual_resolution VALUES (datetime('now', '-50 hours'), NULL)")
    query = """
        SELECT count(*) AS total_pending,
               avg(julianday('now') - julianday(created_at)) * 24 AS average_age_hours,
               sum(julianday('now') - julianday(created_at) > 1) AS items_exceeding_24h
        FROM manual_resolution WHERE resolved_at IS NULL
    """
    result = await found("sql", context, url=f"sqlite:///{tmp_path}/app.db", query=query)
    assert result.fields["total_pending"] == 1
    assert result.fields["average_age_hours"] == pytest.approx(50, abs=0.1)
    assert result.fields["items_exceeding_24h"] == 1


async def test_texts_that_are_times_have_an_age_in_sqlite(tmp_path: Path, context: CheckContext) -> None:
    before = (NOON - timedelta(hours=3)).isoformat()
    sqlite3.connect(tmp_path / "app.db").close()
    result = await found(
        "sql", context, url=f"sqlite:///{tmp_path}/app.db", query=f"SELECT '{before}' AS loaded_at"
    )
    assert result.fields["loaded_at_age_hours"] == 3.0


async def test_an_application_s_own_driver_need_not_be_installed(context: CheckContext) -> None:
    require_service(POSTGRESQL, "PostgreSQL")
    url = POSTGRESQL.replace("postgresql:", "postgresql+psycopg2:") + "?sslmode=prefer&application_name=app"
    result = await found("sql", context, url=url, query="SELECT current_setting('application_name') AS name")
    assert result.fields["name"] == "app"


async def test_a_driver_that_is_not_installed_is_named(context: CheckContext) -> None:
    result = await found("sql", context, url="mssql+pyodbc://sa:hunter2-secret@127.0.0.1/x", query="SELECT 1")
    assert result.state is State.UNKNOWN
    assert result.summary == "the check cannot run: the driver pyodbc is not installed"
    assert result.remedy == "install pyodbc"


async def test_wide_values_are_shortened_and_strange_ones_are_told(context: CheckContext) -> None:
    require_service(POSTGRESQL, "PostgreSQL")
    query = """SELECT repeat('x', 100000) AS wide, '\\xdeadbeef'::bytea AS raw, 'NaN'::float8 AS nan,
        interval '90 minutes' AS span, ARRAY[1, 2] AS list, 1e30::numeric AS large"""
    fields = (await found("sql", context, url=POSTGRESQL, query=query)).fields
    assert len(str(fields["wide"])) == 1000
    assert fields["raw"] == "0xdeadbeef"
    assert fields["nan"] is None
    assert fields["span"] == 5400.0
    assert fields["list"] == [1, 2]
    assert fields["large"] == 1e30


@pytest.fixture
def freezing_server() -> Iterator[str]:
    """Something that accepts connections and never says a word."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_a_silent_server_can_be_given_up_and_is_critical(
    freezing_server: str, context: CheckContext, scheme: str
) -> None:
    options = Options.model_validate({"url": f"{scheme}://u:p@{freezing_server}/x", "query": "SELECT 1"})
    check = options.build(context)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await check.run()
    result: CheckResult = check.timed_out(0.2)
    assert result.state is State.CRITICAL
    assert result.fields["up"] == 0


def test_building_a_check_touches_nothing(tmp_path: Path) -> None:
    options = Options.model_validate({"url": f"sqlite:///{tmp_path}/x.db", "query": "SELECT 1"})
    assert sqlalchemy.make_url(options.url.get_secret_value()).database == f"{tmp_path}/x.db"
    assert options.statement_timeout == timedelta(seconds=10)
    assert os.listdir(tmp_path) == []
    assert datetime.now(UTC) > NOON - timedelta(days=36500)
