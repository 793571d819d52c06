"""Whether the tables, columns and indexes an application needs are there and usable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from sqlalchemy import Inspector
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError

from checks._database import Database, DatabaseUrl, Session
from checks._database_errors import DatabaseError, failed_result, statement_failure
from checks.options import CheckContext, CheckOptions, Duration
from checks.result import CheckResult, Diagnostic, State

_INDEXES = {
    "sqlite": "SELECT name, 1 FROM sqlite_master WHERE type = 'index'",
    "postgresql": "SELECT c.relname, i.indisvalid AND i.indisready FROM pg_index i "
    "JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname NOT IN ('pg_catalog', 'pg_toast')",
    "mysql": "SELECT DISTINCT index_name, 1 FROM information_schema.statistics "
    "WHERE table_schema = DATABASE()",
}
_MOST_NAMED = 3
_MOST_LISTED = 50


def _check_names(names: list[str]) -> list[str]:
    if any(not name.strip() for name in names):
        raise ValueError("a name is empty")
    return names


Names = Annotated[list[str], AfterValidator(_check_names)]


class Options(CheckOptions):
    """What must be in a database. Names are compared without regard to case."""

    url: DatabaseUrl = Field(description="SQLAlchemy URL, as for sql; the password is never shown")
    tables: dict[str, Names] = Field(
        default_factory=dict,
        description="Each table or view (schema.table too) and the columns it must have; [] for none",
    )
    indexes: Names = Field(
        default_factory=list,
        description="Indexes that must exist; in PostgreSQL they must be valid too",
    )
    statement_timeout: Duration = Field(
        timedelta(seconds=10), description="The database stops each of the check's queries after this long"
    )

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self.tables and not self.indexes:
            raise ValueError("name the tables or the indexes that must be there")
        return self

    def field_names(self) -> frozenset[str]:
        return frozenset(
            {
                "up", "connect_time_ms", "query_time_ms", "missing_count", "tables_missing",
                "columns_missing", "indexes_missing", "indexes_invalid",
            }
        )  # fmt: skip

    def build(self, context: CheckContext) -> SqlSchemaCheck:
        return SqlSchemaCheck(self, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lacks:
    tables: list[str]
    columns: list[str]
    indexes: list[str]
    invalid: list[str]
    connect_ms: float
    query_ms: float

    def lines(self) -> list[str]:
        return [
            *(f"table {name}" for name in self.tables),
            *(f"column {name}" for name in self.columns),
            *(f"index {name}" for name in self.indexes),
            *(f"index {name} (invalid)" for name in self.invalid),
        ]


class SqlSchemaCheck:
    """Compares the catalogue of a database with what must be in it."""

    def __init__(self, options: Options, context: CheckContext) -> None:
        self._options = options
        self._seconds = options.statement_timeout.total_seconds()
        self._database = Database(options.url, self._seconds, context.threads)

    async def run(self) -> CheckResult:
        try:
            return self._result(await self._database.read(self._compare))
        except DatabaseError as failure:
            return failed_result(failure, self._database.place)

    def timed_out(self, seconds: float) -> CheckResult:
        """The result when the caller's deadline passed first."""
        summary = f"{self._database.place} gave no answer within {seconds:g} s"
        return CheckResult(state=State.CRITICAL, summary=summary, fields={"up": 0})

    def _compare(self, session: Session) -> _Lacks:
        began = perf_counter()
        tables, columns = self._missing_columns(session) if self._options.tables else ([], [])
        known = _known_indexes(session) if self._options.indexes else {}
        return _Lacks(
            tables=tables,
            columns=columns,
            indexes=[name for name in self._options.indexes if name.lower() not in known],
            invalid=[name for name in self._options.indexes if not known.get(name.lower(), True)],
            connect_ms=session.connect_ms,
            query_ms=(perf_counter() - began) * 1000,
        )

    def _missing_columns(self, session: Session) -> tuple[list[str], list[str]]:
        tables, columns = [], []
        try:
            inspector = session.inspector
            for table, wanted in self._options.tables.items():
                present = _columns(inspector, table)
                if present is None:
                    tables.append(table)
                else:
                    columns += [f"{table}.{name}" for name in wanted if name.lower() not in present]
        except SQLAlchemyError as error:
            raise statement_failure(error, self._seconds, self._database.secrets) from None
        return tables, columns

    def _result(self, lacks: _Lacks) -> CheckResult:
        lines = lacks.lines()
        return CheckResult(
            state=State.CRITICAL if lines else State.OK,
            summary=_summary(lines) if lines else f"all {self._asked()} are there",
            fields={
                "up": 1,
                "connect_time_ms": round(lacks.connect_ms, 2),
                "query_time_ms": round(lacks.query_ms, 2),
                "missing_count": len(lines),
                "tables_missing": len(lacks.tables),
                "columns_missing": len(lacks.columns),
                "indexes_missing": len(lacks.indexes),
                "indexes_invalid": len(lacks.invalid),
            },
            diagnostics=(Diagnostic(title="Missing", text="\n".join(lines[:_MOST_LISTED])),) if lines else (),
            remedy=_remedy(lacks),
        )

    def _asked(self) -> str:
        columns = sum(len(names) for names in self._options.tables.values())
        counts = (
            (len(self._options.tables), "table"),
            (columns, "column"),
            (len(self._options.indexes), "index"),
        )
        words = [f"{count} {_plural(noun) if count != 1 else noun}" for count, noun in counts if count]
        return ", ".join(words)


def _columns(inspector: Inspector, table: str) -> set[str] | None:
    """The columns in lower case, or None when there is no such table or view."""
    schema, _, name = table.rpartition(".")
    try:
        return {column["name"].lower() for column in inspector.get_columns(name, schema=schema or None)}
    except NoSuchTableError:
        return None


def _known_indexes(session: Session) -> dict[str, bool]:
    """Every index in lower case, and whether it can be used."""
    if query := _INDEXES.get(session.dialect):
        return {str(name).lower(): bool(valid) for name, valid in session.rows(query)[1]}
    inspector = session.inspector
    names = [index["name"] for table in inspector.get_table_names() for index in inspector.get_indexes(table)]
    return {name.lower(): True for name in names if name}


def _summary(lines: list[str]) -> str:
    more = f" and {len(lines) - _MOST_NAMED} more" if len(lines) > _MOST_NAMED else ""
    return f"{len(lines)} missing: {', '.join(lines[:_MOST_NAMED])}{more}"


def _remedy(lacks: _Lacks) -> str | None:
    if lacks.invalid:
        return f"REINDEX INDEX CONCURRENTLY {lacks.invalid[0]}"
    return "run the application's migrations" if lacks.lines() else None


def _plural(noun: str) -> str:
    return "indexes" if noun == "index" else f"{noun}s"
