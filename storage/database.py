"""The connection to SQLite or PostgreSQL: transactions to write in, snapshots to read from."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

DatabaseError = sa.exc.DBAPIError
"""What the server or the disk refuses: no space, no connection, a lock held too long."""

Connection = AsyncConnection
"""What queries run on, within a transaction or a snapshot."""

Insert = sqlite.Insert | postgresql.Insert

_Item = TypeVar("_Item")


_POSTGRES_OPTIONS = frozenset({"host", "port", "ssl", "sslmode", "prepared_statement_cache_size"})
_CONTENT_CLASSES = ("22", "23")  # PostgreSQL's classes of errors: data, integrity


class DatabaseUnusable(Exception):
    """The database cannot be opened; the message says what to change."""


def async_url(text: str) -> URL:
    """The URL with its async driver. Raises DatabaseUnusable for an address that is none."""
    try:
        url = make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise DatabaseUnusable(
            "the database address cannot be read; write sqlite:///tocsin.db or postgresql://user@host/name"
        ) from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        return _sqlite_url(url)
    if backend in ("postgresql", "postgres"):
        return _postgres_url(url)
    raise DatabaseUnusable(f"Tocsin keeps its data in SQLite or PostgreSQL, not in {backend!r}")


def _sqlite_url(url: URL) -> URL:
    if url.host:
        raise DatabaseUnusable(
            f"the database address has two slashes; a file has three: sqlite:///{url.host}{url.database or ''}"
        )
    return url.set(drivername="sqlite+aiosqlite")


def _postgres_url(url: URL) -> URL:
    if url.port is not None and not 0 < url.port < 2**16:
        raise DatabaseUnusable(f"the database address has the port {url.port}; PostgreSQL's own is 5432")
    query = dict(url.query)
    if "sslmode" in query:  # libpq's word for what asyncpg calls ssl
        query["ssl"] = query.pop("sslmode")
    if unknown := sorted(query.keys() - _POSTGRES_OPTIONS):
        raise DatabaseUnusable(
            f"the database address says {unknown[0]}, which is not understood; "
            f"remove it, or write one of {', '.join(sorted(_POSTGRES_OPTIONS))}"
        )
    return url.set(drivername="postgresql+asyncpg", query=query)


def is_about_content(error: Exception) -> bool:
    """Whether what was to be written is refused, rather than nothing can be written at present."""
    if isinstance(error, sa.exc.IntegrityError | sa.exc.DataError):
        return True
    return str(getattr(getattr(error, "orig", None), "sqlstate", None))[:2] in _CONTENT_CLASSES


def is_cut_off(error: Exception) -> bool:
    """Whether there is no connection at all, so that trying anything else is idle."""
    return isinstance(error, OSError) or bool(getattr(error, "connection_invalidated", False))


def in_parts(values: Iterable[_Item], most: int = 1_000) -> Iterator[list[_Item]]:
    """The values as lists for `IN`, of few lengths, since every length is a statement of its own."""
    rest = list(values)
    for start in range(0, len(rest), most):
        some = rest[start : start + most]
        yield some + some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))


class Database:
    """One engine. SQLite has one writer at a time; PostgreSQL as many as its pool.

    `transaction()` commits when its block ends and rolls back when it raises. `snapshot()` only reads.
    """

    def __init__(self, address: str) -> None:
        self.url = async_url(address)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.insert: Callable[[sa.Table], Insert] = sqlite.insert if self.is_sqlite else postgresql.insert
        """An INSERT that knows ON CONFLICT, in the words of this database."""
        self._writing = asyncio.Lock() if self.is_sqlite else None
        self._lock_file: int | None = None
        options: dict[str, Any] = {} if self.is_sqlite else {"pool_size": 10, "max_overflow": 5}
        self.engine = create_async_engine(self.url, pool_pre_ping=not self.is_sqlite, **options)
        if self.is_sqlite:
            sa.event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine.sync_engine, "begin", _begin_sqlite)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection to write with. Raises DatabaseError, OSError; then nothing of the block is stored."""
        if self._writing is None:
            async with self._connect() as connection, connection.begin():
                yield connection
            return
        async with self._writing, self._connect() as connection:
            writer = await connection.execution_options(tocsin_write=True)
            async with writer.begin():
                yield writer

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read with. Raises DatabaseError, OSError."""
        async with self._connect() as connection:
            yield connection

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[AsyncConnection]:
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(self.engine.connect())
            except sa.exc.TimeoutError as error:
                raise TimeoutError("every connection to the database is busy") from error
            yield connection

    def hold_alone(self) -> None:
        """Keep a second Tocsin off a SQLite file. Raises DatabaseUnusable when one holds it already."""
        path = self.url.database
        if not self.is_sqlite or not path or path == ":memory:":
            return
        try:
            self._lock_file = os.open(path + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DatabaseUnusable(
                f"cannot write next to the database {path}: {error.strerror}; "
                "make its folder, or let this user write there"
            ) from None
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock_file)
            self._lock_file = None
            raise DatabaseUnusable(
                f"another Tocsin already runs on {path}; stop it, or use PostgreSQL for several"
            ) from None

    async def close(self) -> None:
        """Return every connection and let another process have the file."""
        await self.engine.dispose()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours, see _begin_sqlite
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            cursor.execute(f"PRAGMA {pragma}")
    except Exception:
        connection.close()  # nobody else knows of it yet, and its thread would outlive the loop
        raise
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    """Writers take the lock at once, so that they wait their turn instead of failing half way."""
    write = connection.get_execution_options().get("tocsin_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
