"""Rows of a table of runs, read on by a query with a cursor."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from bot.config.probing import RunLog
from bot.following.batch import Batch, CannotRead, Found
from bot.following.records import Records, refused
from checks._database import MOST_ROWS, Database, Session
from checks._database_errors import DatabaseError, Trouble
from checks._values import plain_value

CHUNK = 1024
_STATEMENT_SECONDS = 30.0
_PATIENCE_SECONDS = 60.0
_COLUMN = "cursor"
_ITEM = "rows"
_EARLIEST = (
    0,
    "",
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1970, 1, 1),  # noqa: DTZ001 - for columns without a zone
    date(1970, 1, 1),
    UUID(int=0),
)
"""What `:cursor` may be before anything was read; the query says which by giving rows, or no error."""

Row = tuple[Any, ...]


class RowReader:
    """Asks for the rows after the last one read, some at a time, over a new connection without write access."""

    def __init__(self, log: RunLog, threads: Executor) -> None:
        assert log.sql is not None
        assert log.query is not None
        self._database = Database(SecretStr(log.sql), _STATEMENT_SECONDS, threads)
        self._query, self._raw = log.query, log.fields
        self._records = Records(log)
        self.place = self._database.place

    async def read(self, known: Mapping[str, Mapping[str, Any]], now: datetime) -> Batch | None:
        last = decoded(known.get(_ITEM, {}).get("cursor"))
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                columns, rows, more = await self._database.read(lambda session: self._rows(session, last))
        except DatabaseError as error:
            raise CannotRead(_words(error)) from None
        except TimeoutError:
            raise CannotRead(f"no answer within {_PATIENCE_SECONDS:g} s") from None
        if not rows:
            return None
        return self._batch(columns, rows, last, now, more=more)

    def present(self) -> frozenset[str]:
        return frozenset({_ITEM})

    async def close(self) -> None:
        """Nothing stays open."""

    # Asking

    def _rows(self, session: Session, last: Any) -> tuple[list[str], list[Row], bool]:
        """The columns, the next rows whose successors have another cursor, and whether there may be more."""
        columns, rows = self._asked(session, last, CHUNK)
        if len(rows) < CHUNK:
            return columns, rows, False
        place = _place_of_cursor(columns)
        if rows[0][place] == rows[-1][place]:  # a whole chunk of one instant, such as an import leaves
            columns, rows = self._asked(session, last, MOST_ROWS)
        whole = [row for row in rows if row[place] != rows[-1][place]]
        if whole and whole[-1][place] != last:
            return columns, whole, True
        if len(rows) < MOST_ROWS:
            return columns, rows, False
        raise CannotRead(
            f"more than {MOST_ROWS:,} rows have one cursor; choose a column that tells them apart"
        )

    def _asked(self, session: Session, last: Any, most: int) -> tuple[list[str], list[Row]]:
        if last is not None:
            return session.bound(self._query, {_COLUMN: last}, most)
        columns: list[str] | None = None
        failure: DatabaseError | None = None
        for earliest in _EARLIEST:
            try:
                columns, rows = session.bound(self._query, {_COLUMN: earliest}, most)
            except DatabaseError as error:
                if error.trouble is not Trouble.WRONG:
                    raise
                failure = failure or error
                session.recover()
                continue
            if rows:
                return columns, rows
        if columns is None and failure is not None:
            raise failure
        return columns or [], []

    # Reading the answer

    def _batch(
        self, columns: Sequence[str], rows: Sequence[Row], last: Any, now: datetime, *, more: bool
    ) -> Batch:
        place = _place_of_cursor(columns)
        cursors = [row[place] for row in rows if row[place] is not None]
        _check_order(cursors)
        found = [self._found(columns, row, row[place], now) for row in rows]
        if all(each.report is None for each in found):
            first = found[0]
            raise CannotRead(
                f"{first.place}: {first.problem}; nothing after it is read until this is mended, "
                "or until a row after it can be read"
            )
        newest = cursors[-1] if cursors else last
        if last is not None and _is_before(newest, last):
            newest = last  # the query looks back on purpose, for rows that were committed late
        return Batch(item=_ITEM, found=found, position={"cursor": encoded(newest)}, more=more)

    def _found(self, columns: Sequence[str], row: Row, cursor: Any, now: datetime) -> Found:
        values = dict(zip(columns, row, strict=True))
        del values[_COLUMN]
        record = {name: value if name == self._raw else plain_value(value) for name, value in values.items()}
        text = json.dumps([encoded(cursor), record], default=str, sort_keys=True)
        key = hashlib.sha256(f"{self.place}:{text}".encode()).hexdigest()[:32]
        where = f"{self.place}, row {cursor}"
        if cursor is None:
            return refused(where, "the column cursor is null", text)
        return self._records.found(record, key=key, place=where, text=text, written=now, now=now)


def _place_of_cursor(columns: Sequence[str]) -> int:
    if _COLUMN not in columns:
        raise CannotRead("the query gives no column named cursor; write SELECT id AS cursor, …")
    return list(columns).index(_COLUMN)


def _check_order(cursors: Sequence[Any]) -> None:
    """Numbers and times must rise; how texts follow each other is the database's own affair."""
    for before, after in pairwise(cursors):
        if _is_before(after, before):
            raise CannotRead("the rows do not come in the order of their cursor; add ORDER BY to the query")


def _is_before(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return False
    try:
        return bool(one < other)
    except TypeError:
        return False


def _words(error: DatabaseError) -> str:
    if "near 'cursor" in error.reason:  # MySQL and MariaDB
        return f"{error.reason}; cursor is a reserved word here; write AS `cursor`"
    return f"{error.reason}; {error.remedy}" if error.remedy else error.reason


def encoded(cursor: Any) -> dict[str, Any]:
    """A cursor as it is kept. Raises CannotRead for what no cursor can be."""
    match cursor:
        case None:
            return {}
        case bool() | bytes():
            pass
        case int() | float() | str():
            return {type(cursor).__name__: cursor}
        case Decimal() | UUID():
            return {type(cursor).__name__.lower(): str(cursor)}
        case datetime() | date():
            return {type(cursor).__name__: cursor.isoformat()}
    kind = type(cursor).__name__
    raise CannotRead(f"the column cursor is of the kind {kind}; use a number, a text or a time")


def decoded(kept: Mapping[str, Any] | None) -> Any:
    """The cursor that was kept, None for none."""
    for kind, value in (kept or {}).items():
        match kind:
            case "datetime":
                return datetime.fromisoformat(value)
            case "date":
                return date.fromisoformat(value)
            case "decimal":
                return Decimal(value)
            case "uuid":
                return UUID(value)
            case "float":
                return float(value)
            case _:
                return value
    return None
