"""The sql_schema check against real SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import create_async_engine

from checks.options import CheckContext
from checks.result import State
from checks.sql_schema import Options
from tests.checks.surroundings import found, require_service, surroundings

TABLES = [
    "CREATE TABLE audit_log (actor VARCHAR(50), action VARCHAR(50), resource_type VARCHAR(50), meta TEXT)",
    "CREATE TABLE quiz_responses (id INTEGER, created_at TIMESTAMP NULL)",
    "CREATE INDEX idx_quiz_responses_created_at ON quiz_responses (created_at)",
]


@pytest.fixture
async def context() -> AsyncIterator[CheckContext]:
    async with surroundings() as context:
        yield context


async def execute(url: str, *statements: str) -> None:
    driver = {"postgresql": "postgresql+asyncpg", "mysql": "mysql+aiomysql"}[url.split(":")[0]]
    engine = create_async_engine(url.replace(url.split(":")[0], driver, 1), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)
    await engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql", "mysql"], scope="module")
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with an audit log, and quiz responses with an index."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("schema") / "app.db"
        with sqlite3.connect(path) as connection:
            connection.executescript(";".join(TABLES))
        yield f"sqlite:///{path}"
        return
    admin = {
        "postgresql": "postgresql://postgres@127.0.0.1:5432/postgres",
        "mysql": "mysql://root@127.0.0.1:3306/mysql",
    }
    name = f"tocsin_test_{secrets.token_hex(4)}"
    require_service(admin[request.param], request.param)
    asyncio.run(execute(admin[request.param], f"CREATE DATABASE {name}"))
    url = admin[request.param].rsplit("/", 1)[0] + f"/{name}"
    asyncio.run(execute(url, *TABLES))
    yield url
    asyncio.run(execute(admin[request.param], f"DROP DATABASE {name}"))


async def test_what_is_there_is_ok(url: str, context: CheckContext) -> None:
    tables = {"audit_log": ["actor", "Action", "resource_type"], "quiz_responses": []}
    result = await found(
        "sql_schema", context, url=url, tables=tables, indexes=["idx_quiz_responses_created_at"]
    )
    assert result.state is State.OK
    assert result.summary == "all 2 tables, 3 columns, 1 index are there"
    assert result.fields["missing_count"] == 0
    assert result.fields["up"] == 1


async def test_what_is_missing_is_listed(url: str, context: CheckContext) -> None:
    tables = {"audit_log": ["actor", "timestamp"], "meal_plans": ["id"]}
    indexes = ["idx_quiz_responses_created_at", "idx_meal_plans_pdf_generated_at"]
    result = await found("sql_schema", context, url=url, tables=tables, indexes=indexes)
    assert result.state is State.CRITICAL
    assert result.summary == (
        "3 missing: table meal_plans, column audit_log.timestamp, index idx_meal_plans_pdf_generated_at"
    )
    assert result.diagnostics[0].text.count("\n") == 2
    assert [result.fields[f"{noun}_missing"] for noun in ("tables", "columns", "indexes")] == [1, 1, 1]


async def test_an_index_whose_building_failed_is_missing(context: CheckContext) -> None:
    admin = require_service("postgresql://postgres@127.0.0.1:5432/postgres", "PostgreSQL")
    name = f"tocsin_test_{secrets.token_hex(4)}"
    await execute(admin, f"CREATE DATABASE {name}")
    url = admin.rsplit("/", 1)[0] + f"/{name}"
    try:
        await execute(url, "CREATE TABLE t (a INTEGER)", "INSERT INTO t VALUES (1), (1)")
        connection = await asyncpg.connect(url)
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("CREATE UNIQUE INDEX CONCURRENTLY idx_t_a ON t (a)")
        await connection.close()
        result = await found("sql_schema", context, url=url, indexes=["idx_t_a"])
        assert result.state is State.CRITICAL
        assert result.summary == "1 missing: index idx_t_a (invalid)"
        assert result.remedy == "REINDEX INDEX CONCURRENTLY idx_t_a"
    finally:
        await execute(admin, f"DROP DATABASE {name}")


async def test_a_missing_database_is_critical(tmp_path: Path, context: CheckContext) -> None:
    result = await found("sql_schema", context, url=f"sqlite:///{tmp_path}/gone.db", indexes=["a"])
    assert result.state is State.CRITICAL
    assert result.fields == {"up": 0}


def test_an_empty_name_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="a name is empty"):
        Options.model_validate({"url": "sqlite:///a.db", "indexes": [""]})


def test_asking_for_nothing_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="name the tables or the indexes"):
        Options.model_validate({"url": "sqlite:///a.db"})
