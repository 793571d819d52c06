"""Opening a database: its schema, what is wrong with an address in words, one Tocsin a file."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import make_url

from storage.database import Database, DatabaseError, DatabaseUnusable, async_url
from storage.schema import upgrade
from storage.tables import metadata, slots
from tests.databases import Opener
from tests.storage.stored import NOON


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new.db'}"
    found: str = request.getfixturevalue("new_postgres")
    return found


async def differences(database: Database) -> list[Any]:
    """What migrations made otherwise than storage.tables says."""

    def compare(connection: sa.Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found: list[Any] = compare_metadata(context, metadata)
        return found

    async with database.snapshot() as connection:
        return await connection.run_sync(compare)


async def test_migrations_make_the_tables_that_queries_expect_and_nothing_else(empty: str) -> None:
    database = Database(empty)
    await upgrade(database)
    assert await differences(database) == []
    await database.close()


async def test_an_upgrade_changes_nothing_the_second_time(empty: str) -> None:
    database = Database(empty)
    await upgrade(database)
    async with database.transaction() as connection:
        await connection.execute(sa.insert(slots).values(name="digest", due_at=NOON))
    await upgrade(database)
    async with database.snapshot() as connection:
        assert await connection.scalar(sa.select(slots.c.due_at)) == NOON
    await database.close()


async def test_replicas_that_start_together_migrate_one_database_together(empty: str) -> None:
    replicas = [Database(empty) for _ in range(3)]
    if replicas[0].is_sqlite:
        await upgrade(replicas[0])  # a file has one Tocsin only
    else:
        await asyncio.gather(*map(upgrade, replicas))
    assert await differences(replicas[0]) == []
    for each in replicas:
        await each.close()


async def test_a_database_of_a_newer_version_is_refused_with_what_to_do(database: Database) -> None:
    async with database.transaction() as connection:
        before = await connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(
            DatabaseUnusable, match=r"newer Tocsin .schema 9999.; install that version, or restore"
        ):
            await upgrade(database)
    finally:
        async with database.transaction() as connection:
            restored = sa.text("UPDATE alembic_version SET version_num = :before")
            await connection.execute(restored, {"before": before})


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "write sqlite:///tocsin.db or postgresql://"),
        ("tocsin.db", "write sqlite:///tocsin.db or postgresql://"),
        ("postgresql://localhost:port/name", "cannot be read"),
        ("postgresql://localhost:99999/name", "the port 99999; PostgreSQL's own is 5432"),
        ("postgresql://localhost/name?foo=1", "says foo, which is not understood; remove it"),
        ("mysql://localhost/name", "in SQLite or PostgreSQL, not in 'mysql'"),
        ("sqlite://tocsin.db", "a file has three: sqlite:///tocsin.db"),
    ],
)
def test_an_address_that_is_none_is_refused_with_one_that_is(address: str, said: str) -> None:
    with pytest.raises(DatabaseUnusable, match=said.replace("?", r"\?")):
        async_url(address)


@pytest.mark.parametrize(
    "address", ["postgres://u:p@host:5432/name?sslmode=require", "postgresql+psycopg2://host/n"]
)
def test_addresses_as_hosting_providers_write_them_are_taken(address: str) -> None:
    url = async_url(address)
    assert url.drivername == "postgresql+asyncpg"
    assert "sslmode" not in url.query


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"database": "nonesuch"}, "create it first, for instance with createdb"),
        ({"username": "nobody", "password": "confidential"}, "check the user"),
        ({"port": 1}, "nothing listens there; start PostgreSQL or correct the host and port"),
        ({"host": "nonesuch.invalid"}, "check the host in `database:`"),
        ({"query": {"sslmode": "require"}}, "remove sslmode from `database:`, or let the server speak TLS"),
    ],
)
async def test_a_server_that_cannot_be_used_says_what_to_change(
    postgres_address: str, change: dict[str, Any], said: str
) -> None:
    database = Database(make_url(postgres_address).set(**change).render_as_string(hide_password=False))
    with pytest.raises(DatabaseUnusable) as caught:
        await upgrade(database)
    await database.close()
    assert said in str(caught.value)
    assert "confidential" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_folder_that_is_not_there_is_named_before_anything_starts() -> None:
    database = Database("sqlite:////nonesuch/folder/tocsin.db")
    with pytest.raises(DatabaseUnusable, match="make its folder, or let this user write there"):
        database.hold_alone()
    with pytest.raises(DatabaseUnusable, match="its folder does not exist or this user may not write there"):
        await upgrade(database)
    await database.close()
    async with asyncio.timeout(5):  # the driver's thread ends by itself, and answers to this loop
        while any("_connection_worker" in thread.name for thread in threading.enumerate()):
            await asyncio.sleep(0.005)


async def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear reader, " * 100)
    database = Database(f"sqlite:///{letter}")
    with pytest.raises(DatabaseUnusable, match="point `database:` at another path"):
        await upgrade(database)
    await database.close()
    assert letter.read_text().startswith("Dear reader")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_file_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    database = Database(f"sqlite:///{tmp_path / 'tocsin.db'}")
    with pytest.raises(DatabaseUnusable, match="let this user write there"):
        database.hold_alone()
    await database.close()


async def test_a_second_tocsin_on_one_file_is_refused_until_the_first_has_gone(tmp_path: Path) -> None:
    first, second = (Database(f"sqlite:///{tmp_path / 'tocsin.db'}") for _ in range(2))
    first.hold_alone()
    with pytest.raises(
        DatabaseUnusable, match=r"another Tocsin already runs on .*; stop it, or use PostgreSQL"
    ):
        second.hold_alone()
    await first.close()
    second.hold_alone()
    await second.close()


async def test_several_tocsins_may_share_one_postgresql(postgres_address: str) -> None:
    first, second = Database(postgres_address), Database(postgres_address)
    first.hold_alone()
    second.hold_alone()
    await first.close()
    await second.close()


async def test_what_raises_within_a_transaction_leaves_nothing_behind(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as connection:
            await connection.execute(sa.insert(slots).values(name="digest", due_at=NOON))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with database.snapshot() as connection:
        assert (await connection.execute(sa.select(slots))).all() == []


async def test_a_snapshot_sees_nothing_of_a_transaction_before_it_ends(open_database: Opener) -> None:
    writer, reader = open_database(), open_database()
    async with writer.transaction() as connection:
        await connection.execute(sa.insert(slots).values(name="digest", due_at=NOON))
        async with reader.snapshot() as other:
            assert (await other.execute(sa.select(slots))).all() == []
    async with reader.snapshot() as other:
        assert len((await other.execute(sa.select(slots))).all()) == 1


async def test_writers_wait_for_one_another_and_lose_nothing(open_database: Opener) -> None:
    databases = [open_database(), open_database()]

    async def write(number: int) -> None:
        async with databases[number % 2].transaction() as connection:
            await connection.execute(sa.insert(slots).values(name=f"slot {number}", due_at=NOON))

    await asyncio.gather(*map(write, range(20)))
    async with databases[0].snapshot() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(slots)) == 20


async def test_a_pool_with_no_connection_left_is_a_trouble_of_the_database(postgres_address: str) -> None:
    database = Database(postgres_address)
    pool = database.engine.sync_engine.pool
    pool._timeout = 0.05  # type: ignore[attr-defined]
    held = [await database.engine.connect() for _ in range(15)]
    with pytest.raises(OSError, match="every connection to the database is busy"):
        async with database.snapshot():
            pass
    for each in held:
        await each.close()
    await database.close()


async def test_a_database_that_is_gone_raises_what_callers_expect(new_postgres: str) -> None:
    database = Database(make_url(new_postgres).set(database="gone").render_as_string(hide_password=False))
    with pytest.raises((DatabaseError, OSError)):
        async with database.snapshot():
            pass
    await database.close()
