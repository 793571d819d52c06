"""Every row that a query with a cursor gives is heard once."""

import json
import secrets
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator, MutableMapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from bot.following.rows import CHUNK
from storage.database import Database
from tests.checks.surroundings import require_service
from tests.following.reading import reading
from tests.jobs.hearing import START

Log = list[MutableMapping[str, Any]]

TABLE = """
CREATE TABLE audit_log (
    id INTEGER PRIMARY KEY, actor TEXT, action TEXT, resource_type TEXT, timestamp TEXT, metadata TEXT
)
"""
KETO = """
run_logs:
  - sql: sqlite:///{path}
    every: 15m
    query: >
      SELECT id AS cursor, action, resource_type, timestamp, metadata
      FROM audit_log WHERE id > :cursor AND action LIKE 'CLEANUP_%' ORDER BY id
    job: "resource_type == 'blacklist' ? 'cleanup_blacklist' : 'cleanup_' + resource_type + 's'"
    status: "action == 'CLEANUP_COMPLETED' ? 'SUCCESS' : 'ERROR'"
    fields: metadata
"""
PLAIN = """
run_logs:
  - sql: {url}
    query: "SELECT {cursor} AS cursor, 'sync' AS job_name, 'SUCCESS' AS status, n FROM log WHERE {cursor} > :cursor
      ORDER BY {cursor}"
"""


class App:
    """An application's database."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = sqlite3.connect(path, isolation_level=None)

    def execute(self, sql: str, *values: Any) -> None:
        self._connection.execute(sql, values)

    def audit(self, action: str, resource: str, seconds: int = 0, **metadata: Any) -> None:
        at = (START + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")
        row = ("cron", action, resource, at, json.dumps(metadata))
        self.execute(
            "INSERT INTO audit_log (actor, action, resource_type, timestamp, metadata) VALUES (?, ?, ?, ?, ?)",
            *row,
        )

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    found = App(tmp_path / "app.db")
    yield found
    found.close()


async def test_outcomes_of_an_audit_log_become_runs(database: Database, app: App) -> None:
    app.execute(TABLE)
    app.audit("CLEANUP_COMPLETED", "blacklist", 1, duration_seconds=12.5, records_processed=400)
    app.audit("USER_LOGIN", "session", 2)
    app.audit("CLEANUP_FAILED", "pdf", 3, error="disk full")
    async with reading(database, KETO.replace("{path}", str(app.path))) as told:
        await told.read()
        first, second = await told.runs()
        assert (first.job, first.status, first.duration_seconds) == ("cleanup_blacklist", "SUCCESS", 12.5)
        assert first.finished_at == START + timedelta(seconds=1)
        assert first.fields["records_processed"] == 400
        assert first.fields["action"] == "CLEANUP_COMPLETED"
        assert (second.job, second.status, second.fields["error"]) == ("cleanup_pdfs", "ERROR", "disk full")
        assert await told.ear.titles() == ["cleanup_pdfs failed"]
        app.audit("CLEANUP_COMPLETED", "quiz_response", 4)
        await told.read()
        await told.read()
        assert [run.job for run in await told.runs()][2:] == ["cleanup_quiz_responses"]


async def test_a_restart_goes_on_after_the_last_row(database: Database, app: App) -> None:
    app.execute(TABLE)
    app.audit("CLEANUP_COMPLETED", "pdf", 1)
    config = KETO.replace("{path}", str(app.path))
    async with reading(database, config) as told:
        await told.read()
    app.audit("CLEANUP_COMPLETED", "pdf", 2)
    changed = config.replace("SELECT id AS cursor,", "SELECT id AS cursor, actor,")
    async with reading(database, changed) as told:
        await told.read()
        assert [run.fields.get("actor") for run in await told.runs()] == [None, "cron"]


def numbered(app: App, kind: str, *rows: tuple[Any, int]) -> str:
    app.execute(f"CREATE TABLE log (id {kind}, n INTEGER)")
    for row in rows:
        app.execute("INSERT INTO log VALUES (?, ?)", *row)
    return PLAIN.replace("{url}", f"sqlite:///{app.path}").replace("{cursor}", "id")


async def test_more_rows_than_are_asked_for_at_once_come_in_order(database: Database, app: App) -> None:
    config = numbered(app, "INTEGER", *((n, n) for n in range(1, CHUNK + 100)))
    async with reading(database, config) as told:
        await told.read()
        assert await told.numbers() == list(range(1, CHUNK + 100))


async def test_rows_of_one_instant_are_not_torn_apart(database: Database, app: App) -> None:
    config = numbered(app, "TEXT", *((f"2026-01-01 00:00:{n // 800:02}", n) for n in range(2000)))
    async with reading(database, config) as told:
        await told.read()
        assert sorted(await told.numbers()) == list(range(2000))


async def test_more_rows_of_one_instant_than_a_chunk_are_read(database: Database, app: App) -> None:
    config = numbered(app, "TEXT", *(("2026-01-01", n) for n in range(CHUNK + 10)))
    async with reading(database, config) as told:
        await told.read()
        assert sorted(await told.numbers()) == list(range(CHUNK + 10))


async def test_a_query_may_look_back_for_rows_that_were_committed_late(database: Database, app: App) -> None:
    config = numbered(app, "INTEGER", (1, 1), (3, 3)).replace("id > :cursor", "id > :cursor - 10")
    async with reading(database, config) as told:
        await told.read()
        app.execute("INSERT INTO log VALUES (2, 2)")
        await told.read()
        app.execute("INSERT INTO log VALUES (4, 4)")
        await told.read()
        assert await told.numbers() == [1, 3, 2, 4]


async def test_other_colons_of_a_query_stand(database: Database, app: App) -> None:
    config = numbered(app, "INTEGER", (1, 1)).replace("'sync'", "'a:cursors :b %s'")
    async with reading(database, config) as told:
        await told.read()
        assert [run.job for run in await told.runs()] == ["a:cursors :b %s"]


async def test_a_missing_table_is_trouble_until_it_is_there(database: Database, app: App, log: Log) -> None:
    async with reading(database, KETO.replace("{path}", str(app.path))) as told:
        await told.read()
        assert told.following.trouble == f"{app.path}: no such table: audit_log"
        assert told.follower.pause == timedelta(minutes=1)
        await told.after(minutes=11)
        assert "no such table" in (await told.ear.said())[0]
        app.execute(TABLE)
        app.audit("CLEANUP_COMPLETED", "pdf", 1)
        await told.read()
        assert told.following.trouble is None
        assert told.follower.pause == timedelta(minutes=15)
        assert len(await told.runs()) == 1
    assert [entry["event"] for entry in log if entry["event"].startswith("run_log")] == [
        "run_log_unreadable",
        "run_log_readable_again",
    ]


async def test_a_missing_database_is_trouble(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    async with reading(database, KETO.replace("{path}", str(path))) as told:
        await told.read()
        assert told.following.trouble == f"{path}: the file does not exist"
        assert not path.exists()


async def test_a_row_among_good_ones_is_passed_over_and_told(database: Database, app: App, log: Log) -> None:
    app.execute(TABLE)
    app.audit("CLEANUP_COMPLETED", "pdf", 1)
    app.execute("INSERT INTO audit_log (action, timestamp) VALUES ('CLEANUP_FAILED', '2025-03-03 00:00:02')")
    app.audit("CLEANUP_COMPLETED", "pdf", 3)
    async with reading(database, KETO.replace("{path}", str(app.path))) as told:
        await told.read()
        assert len(await told.runs()) == 2
        (said,) = [text for text in await told.ear.said() if "passed over" in text]
        assert f"{app.path}, row 2" in said
    (entry,) = [entry for entry in log if entry["event"] == "run_log_entry_refused"]
    assert entry["reason"] == "`job` cannot be calculated: resource_type missing or null"


async def test_when_no_row_can_be_read_none_is_passed_over(database: Database, app: App) -> None:
    app.execute(TABLE)
    app.audit("CLEANUP_COMPLETED", "pdf", 1)
    config = KETO.replace("{path}", str(app.path))
    async with reading(database, config.replace("resource_type +", "resource_kind +")) as told:
        await told.read()
        assert "`job` cannot be calculated: resource_kind missing or null" in str(told.following.trouble)
        assert await told.runs() == []
    async with reading(database, config) as told:
        await told.read()
        assert len(await told.runs()) == 1


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("AS cursor", "AS place", "the query gives no column named cursor; write SELECT id AS cursor, …"),
        ("ORDER BY id", "ORDER BY id DESC", "the rows do not come in the order of their cursor"),
        (
            "SELECT id",
            "SELECT x'00'",
            "the column cursor is of the kind bytes; use a number, a text or a time",
        ),
    ],
)
async def test_a_query_that_gives_no_order_is_refused(
    database: Database, app: App, old: str, new: str, reason: str
) -> None:
    config = numbered(app, "INTEGER", (1, 1), (2, 2)).replace(old, new)
    async with reading(database, config) as told:
        await told.read()
        assert reason in str(told.following.trouble)
        assert await told.runs() == []


async def test_nothing_is_written_to_the_database_that_is_read(database: Database, app: App) -> None:
    numbered(app, "INTEGER", (1, 1))
    query = "DELETE FROM log WHERE id > :cursor RETURNING id AS cursor"
    config = f"run_logs: [{{sql: 'sqlite:///{app.path}', query: '{query}'}}]\n"
    async with reading(database, config) as told:
        await told.read()
        assert told.following.trouble is not None
        assert await told.runs() == []


@pytest.fixture
async def audit(new_postgres: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(new_postgres)
    yield connection
    await connection.close()


CURSORS = {
    "bigint": ["1", "5000000000", "5000000001"],
    "timestamptz": ["'2026-01-01 00:00Z'", "'2026-01-02 00:00:00.000001Z'", "'2026-01-03 00:00Z'"],
    "timestamp": ["'2026-01-01'", "'2026-01-02 00:00:00.000001'", "'2026-01-03'"],
    "date": ["'2026-01-01'", "'2026-01-02'", "'2026-01-03'"],
    "text": ["'a'", "'b'", "'c'"],
    "numeric": ["0.5", "1.25", "2"],
    "float8": ["0.5", "1.25", "2"],
    "uuid": [f"'00000000-0000-0000-0000-00000000000{n}'" for n in (1, 2, 3)],
}


@pytest.fixture
async def own(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """Tocsin's own database, where that is not what a test is about."""
    shutil.copy(sqlite_template, tmp_path / "own.db")
    found = Database(f"sqlite:///{tmp_path}/own.db")
    yield found
    await found.close()


@pytest.mark.parametrize("kind", CURSORS)
async def test_any_kind_of_cursor_goes_on_in_postgresql(
    own: Database, audit: asyncpg.Connection, new_postgres: str, kind: str
) -> None:
    await audit.execute(f"CREATE TABLE log (id {kind}, n int, extra jsonb)")
    config = PLAIN.replace("{url}", new_postgres).replace("{cursor}", "id") + "    fields: extra\n"
    config = config.replace(", n FROM", ", n, extra, now()::date - 1 AS day FROM")
    for n, value in enumerate(CURSORS[kind]):
        async with reading(own, config) as told:
            await told.read()
            await audit.execute(f"INSERT INTO log VALUES ({value}, {n}, '{{\"rows\": {n}}}')")
            await told.read()
            await told.read()
            assert told.following.trouble is None
            assert [run.fields["n"] for run in await told.runs()] == list(range(n + 1))
            assert (await told.runs())[-1].fields["rows"] == n


MARIADB = {"bigint": CURSORS["bigint"], "datetime(6)": CURSORS["timestamp"], "varchar(20)": CURSORS["text"]}


@pytest.mark.parametrize("kind", MARIADB)
async def test_any_kind_of_cursor_goes_on_in_mariadb(own: Database, kind: str) -> None:
    admin = require_service("mysql://root@127.0.0.1:3306/mysql", "mariadb")
    name = f"tocsin_test_{secrets.token_hex(4)}"
    engine = create_async_engine(
        admin.replace("mysql:", "mysql+aiomysql:"), isolation_level="AUTOCOMMIT", poolclass=NullPool
    )

    async def execute(statement: str) -> None:
        async with engine.connect() as connection:
            await connection.exec_driver_sql(statement)

    await execute(f"CREATE DATABASE {name}")
    try:
        await execute(f"CREATE TABLE {name}.log (id {kind}, n int, extra json)")
        url = admin.removesuffix("/mysql") + f"/{name}"
        config = PLAIN.replace("{url}", url).replace("{cursor}", "id") + "    fields: extra\n"
        config = config.replace(", n FROM", ", n, extra, 'a%b' AS percent FROM")
        async with reading(own, config) as told:
            await told.read()
            assert str(told.following.trouble).endswith("cursor is a reserved word here; write AS `cursor`")
        config = config.replace("AS cursor", "AS `cursor`")
        for n, value in enumerate(MARIADB[kind]):
            async with reading(own, config) as told:
                await told.read()
                await execute(f"INSERT INTO {name}.log VALUES ({value}, {n}, JSON_OBJECT('rows', {n}))")
                await told.read()
                await told.read()
                assert told.following.trouble is None
                assert [run.fields["rows"] for run in await told.runs()] == list(range(n + 1))
                assert (await told.runs())[-1].fields["percent"] == "a%b"
    finally:
        await execute(f"DROP DATABASE {name}")
        await engine.dispose()
