"""SQLite for readers: nothing is created or changed, and a statement ends when its time is over."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from threading import Event
from time import perf_counter
from urllib.parse import unquote

from sqlalchemy import Connection

_STEPS = 10_000  # virtual machine instructions between two looks at the clock: well under a millisecond
_BUSY_SECONDS = 5.0
_READING = frozenset(
    {
        sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
        sqlite3.SQLITE_TRANSACTION,
    }
)  # fmt: skip
_PRAGMAS_OF_A_NAME = frozenset(
    {
        "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo",
        "foreign_key_list", "foreign_key_check", "integrity_check", "quick_check",
    }
)  # fmt: skip
_ACTING_PRAGMAS = frozenset({"wal_checkpoint", "optimize", "incremental_vacuum", "shrink_memory"})


def open_readonly(location: str, seconds: float) -> sqlite3.Connection:
    """Connect to a `file:` location. Raises FileNotFoundError, IsADirectoryError or sqlite3's errors.

    Opened for writing where the file allows it, since a reader may have to roll back what a killed writer
    left; the authorizer refuses every statement that would change something.
    """
    path = Path(unquote(location.removeprefix("file:").partition("?")[0]))
    if "mode=rw" in location and not path.is_file():
        raise IsADirectoryError if path.is_dir() else FileNotFoundError
    connection = sqlite3.connect(
        location, uri=True, timeout=min(seconds, _BUSY_SECONDS), check_same_thread=False
    )
    connection.execute("PRAGMA query_only = ON")
    connection.set_authorizer(_authorize)
    return connection


def stop_when(connection: Connection, deadline: float, abandoned: Event) -> None:
    """Interrupt statements after `deadline` (of `perf_counter`) or once `abandoned` is set."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    raw.set_progress_handler(lambda: int(perf_counter() > deadline or abandoned.is_set()), _STEPS)


def _authorize(action: int, name: str | None, value: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_PRAGMA:
        reading = name in _PRAGMAS_OF_A_NAME if value is not None else name not in _ACTING_PRAGMAS
    elif action == sqlite3.SQLITE_UPDATE:
        reading = (
            name == "sqlite_master"
        )  # asked of virtual tables such as dbstat; real updates need a pragma
    else:
        reading = action in _READING
    return sqlite3.SQLITE_OK if reading else sqlite3.SQLITE_DENY
