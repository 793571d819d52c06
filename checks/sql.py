"""A query's first row as fields, and how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter
from typing import Any

from pydantic import Field

from checks._database import MOST_ROWS, Database, DatabaseUrl, Session
from checks._database_errors import DatabaseError, Trouble, failed_result
from checks._plan import explain, rows_read, table_sizes
from checks._values import row_fields
from checks.options import CheckContext, CheckOptions, Duration
from checks.result import CheckResult, Diagnostic, State, Value

_EXTRA_SECONDS = 2.0  # for the plan and for the sizes of tables, each
_MOST_SHOWN = 4


class Options(CheckOptions):
    """A query against any database SQLAlchemy knows. Its columns become fields of the same names."""

    url: DatabaseUrl = Field(
        description="SQLAlchemy URL: sqlite:///file.db, postgresql://…, mysql://…, mariadb://…; "
        "the password is never shown"
    )
    query: str = Field(
        min_length=1,
        description="One statement, passed to the database as it is. Columns of its first row become fields; "
        "a column that is a time also gives <column>_age_hours, where a time without a zone is UTC; "
        "row_count counts up to 10,000 rows",
    )
    explain: bool = Field(
        False, description="Attach the query, its plan and, where the server counts them, rows_scanned"
    )
    table_sizes: bool = Field(False, description="Attach the sizes of the largest tables")
    statement_timeout: Duration = Field(
        timedelta(seconds=10),
        description="The database stops the query after this long (SQLite, PostgreSQL, MariaDB, MySQL)",
    )

    def build(self, context: CheckContext) -> SqlCheck:
        return SqlCheck(self, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    columns: list[str]
    first: tuple[Any, ...] | None
    row_count: int
    connect_ms: float
    query_ms: float
    rows_scanned: int | None
    diagnostics: tuple[Diagnostic, ...]


class SqlCheck:
    """Runs the query on a new read-only connection."""

    def __init__(self, options: Options, context: CheckContext) -> None:
        self._options, self._context = options, context
        self._seconds = options.statement_timeout.total_seconds()
        self._database = Database(options.url, self._seconds, context.threads)

    async def run(self) -> CheckResult:
        try:
            reading = await self._database.read(self._read)
        except DatabaseError as failure:
            return failed_result(failure, self._database.place)
        return self._result(reading)

    def timed_out(self, seconds: float) -> CheckResult:
        """The result when the caller's deadline passed first."""
        summary = f"{self._database.place} gave no answer within {seconds:g} s"
        return CheckResult(state=State.CRITICAL, summary=summary, fields={"up": 0})

    def _read(self, session: Session) -> _Reading:
        counting = self._options.explain
        before = session.attempt(rows_read, _EXTRA_SECONDS) if counting else None
        began = perf_counter()
        try:
            columns, rows = session.rows(self._options.query, MOST_ROWS)
        except DatabaseError as failure:
            failure.diagnostics = self._diagnose_failure(session, failure)
            raise
        query_ms = (perf_counter() - began) * 1000
        after = session.attempt(rows_read, _EXTRA_SECONDS) if counting else None
        diagnostics, estimate = self._diagnose(session)
        scanned = after - before if after is not None and before is not None else None
        return _Reading(
            columns=columns,
            first=rows[0] if rows else None,
            row_count=len(rows),
            connect_ms=session.connect_ms,
            query_ms=query_ms,
            rows_scanned=scanned if estimate is None else max(estimate, scanned or 0),
            diagnostics=diagnostics,
        )

    def _diagnose_failure(self, session: Session, failure: DatabaseError) -> tuple[Diagnostic, ...]:
        if failure.trouble is Trouble.SLOW and self._options.explain:
            session.recover()
            return self._diagnose(session)[0]
        return (self._query_shown(),) if failure.trouble is Trouble.WRONG else ()

    def _diagnose(self, session: Session) -> tuple[tuple[Diagnostic, ...], int | None]:
        found: list[Diagnostic | None] = []
        estimate = None
        if self._options.explain:
            query = self._options.query
            plan = session.attempt(lambda s: explain(s, query), _EXTRA_SECONDS)
            found += [self._query_shown(), plan[0] if plan else None]
            estimate = plan[1] if plan else None
        if self._options.table_sizes:
            found.append(session.attempt(table_sizes, _EXTRA_SECONDS))
        return tuple(diagnostic for diagnostic in found if diagnostic), estimate

    def _query_shown(self) -> Diagnostic:
        return Diagnostic(title="Query", text=self._options.query.strip()[:1500])

    def _result(self, reading: _Reading) -> CheckResult:
        row = row_fields(reading.columns, reading.first, self._context.clock(), self._context.timezone)
        fields: dict[str, Value] = {
            "up": 1,
            "row_count": reading.row_count,
            "query_time_ms": round(reading.query_ms, 2),
            "connect_time_ms": round(reading.connect_ms, 2),
        }
        if reading.rows_scanned is not None:
            fields["rows_scanned"] = reading.rows_scanned
        return CheckResult(
            state=State.OK,
            summary=_summary(reading, row),
            fields=fields | row,
            diagnostics=reading.diagnostics,
        )


def _summary(reading: _Reading, row: Mapping[str, Value]) -> str:
    if not reading.columns:
        return f"the statement gave no rows, in {reading.query_ms:.0f} ms"
    if reading.first is None:
        return f"no rows, in {reading.query_ms:.0f} ms"
    shown = [f"{name} {_short(value)}" for name, value in row.items() if not name.endswith("_age_hours")]
    more = f" and {len(shown) - _MOST_SHOWN} more" if len(shown) > _MOST_SHOWN else ""
    return f"{', '.join(shown[:_MOST_SHOWN])}{more}, in {reading.query_ms:.0f} ms"


def _short(value: Value) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    text = "null" if value is None else str(value)
    return text if len(text) <= 40 else text[:39] + "…"
