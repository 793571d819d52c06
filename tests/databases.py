"""Real databases for tests: SQLite in a file, PostgreSQL in a database of its own that is dropped afterwards.

A test that asks for `database` runs on both, where its conftest.py says
`from tests.databases import *`; `sqlite_database` and `postgres_database` serve where no fixture does.
"""

import asyncio
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import URL, make_url

from storage.database import Database
from storage.schema import upgrade
from storage.tables import metadata

__all__ = ["address", "database", "new_postgres", "open_database", "postgres_address", "sqlite_template"]

only_postgres = pytest.mark.parametrize("address", ["postgresql"], indirect=True)
"""For a test of `database` that says something of PostgreSQL alone."""

POSTGRES = os.environ.get("TOCSIN_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
_TABLES = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)


@asynccontextmanager
async def sqlite_database(path: Path) -> AsyncIterator[Database]:
    """A database of this version in a file."""
    found = Database(f"sqlite:///{path}")
    try:
        await upgrade(found)
        yield found
    finally:
        await found.close()


@asynccontextmanager
async def postgres_database() -> AsyncIterator[Database]:
    """A fresh PostgreSQL database of this version; dropped afterwards."""
    async with empty_postgres() as address:
        found = Database(address)
        try:
            await upgrade(found)
            yield found
        finally:
            await found.close()


@asynccontextmanager
async def empty_postgres() -> AsyncIterator[str]:
    """The address of a PostgreSQL database without tables; dropped afterwards."""
    name = f"tocsin_test_{uuid.uuid4().hex[:12]}"
    await _run(f'CREATE DATABASE "{name}"')
    try:
        yield make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    finally:
        await _run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def _run(statement: str) -> None:
    connection = await asyncpg.connect(_plain(make_url(POSTGRES)), timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _plain(address: URL) -> str:
    return address.set(drivername="postgresql").render_as_string(hide_password=False)


def need_postgres() -> None:
    """Skip the test when there is no PostgreSQL here; fail instead where CI promises one."""
    try:
        asyncio.run(_run("SELECT 1"))
    except (OSError, asyncpg.PostgresError) as error:
        reason = f"no PostgreSQL at {make_url(POSTGRES).render_as_string()}: {error}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@contextmanager
def _empty_postgres() -> Iterator[str]:
    need_postgres()
    with asyncio.Runner() as runner:
        context = empty_postgres()
        found = runner.run(context.__aenter__())
        try:
            yield found
        finally:
            runner.run(context.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def postgres_address() -> Iterator[str]:
    """A PostgreSQL database for the whole session; each test that asks for `address` finds it empty."""
    with _empty_postgres() as found:
        asyncio.run(_migrate(found))
        yield found


@pytest.fixture
def new_postgres() -> Iterator[str]:
    """The address of a PostgreSQL database without tables, for one test."""
    with _empty_postgres() as found:
        yield found


async def _migrate(address: str) -> None:
    found = Database(address)
    await upgrade(found)
    await found.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file of this version, to be copied."""
    path = tmp_path_factory.mktemp("template") / "tocsin.db"

    asyncio.run(_migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of this version, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        shutil.copy(template, tmp_path / "tocsin.db")
        return f"sqlite:///{tmp_path / 'tocsin.db'}"
    found: str = request.getfixturevalue("postgres_address")
    asyncio.run(_empty(found))
    return found


async def _empty(address: str) -> None:
    connection = await asyncpg.connect(address)
    try:
        await connection.execute(f"TRUNCATE {_TABLES} RESTART IDENTITY CASCADE")
    finally:
        await connection.close()


Opener = Callable[[], Database]


@pytest.fixture
async def open_database(address: str) -> AsyncIterator[Opener]:
    """Opens further Database objects on the same data, as other replicas would; closed afterwards."""
    opened: list[Database] = []

    def open_one() -> Database:
        opened.append(Database(address))
        return opened[-1]

    yield open_one
    for each in opened:
        await each.close()


@pytest.fixture
async def database(open_database: Opener) -> Database:
    """An empty database of this version, once on SQLite and once on PostgreSQL."""
    return open_database()
