"""Whether a CSV file is there in time, and how many of its rows are what they must be."""

from __future__ import annotations

import codecs
from datetime import datetime
from functools import partial
from threading import Event
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from checks._csv_columns import NUMBER, Bound, Column, Range
from checks._csv_reading import Layout, Reading, read_csv
from checks._due import Phase, Turn
from checks._found_files import FoundFile, file_fields, unreadable
from checks._threads import in_thread
from checks.file import FileOptions
from checks.options import CheckContext
from checks.result import CheckResult, Diagnostic, State, Value

_STILL_WRITTEN_SECONDS = 60
_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


def _check_encoding(name: str) -> str:
    try:
        codecs.lookup(name)
        "".encode(name)
    except (LookupError, TypeError):
        raise ValueError(f"{name!r} is not an encoding; write one such as utf-8, cp1252 or utf-16") from None
    return name


def _check_delimiter(text: str) -> str:
    sign = _DELIMITERS.get(text.lower(), text)
    if len(sign) != 1 or sign in '"\r\n':
        raise ValueError(f'{text!r} is not a delimiter; write one sign such as "," or ";", or tab')
    return sign


class Options(FileOptions):
    """A CSV file and what its rows must be. Other rows are invalid, and a threshold judges pct_invalid."""

    columns: dict[str, Column] = Field(
        default_factory=dict,
        description="Columns by name: string, integer, number, boolean, date, datetime, [a, b] for one of "
        "these, or {type, nullable, required, values, format}",
    )
    unique: list[str] = Field(
        default_factory=list,
        description="Columns that together name a row; a later row of the same name is invalid",
    )
    ranges: dict[str, Annotated[list[Bound], Field(min_length=2, max_length=2)]] = Field(
        default_factory=dict, description="[least, most] by column, null for no bound"
    )
    delimiter: Annotated[str, AfterValidator(_check_delimiter)] | None = Field(
        None, description="What parts the cells; found from the header when not given"
    )
    encoding: Annotated[str, AfterValidator(_check_encoding)] | None = Field(
        None,
        description="Without it a byte order mark decides, else UTF-8, and Windows-1252 for other lines",
    )
    header: bool = Field(
        True, description="The first row names the columns; else they stand in the order of `columns`"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name, bounds in self.ranges.items():
            try:
                Range.of(bounds, self.columns.get(name) or NUMBER)
            except ValueError:
                raise ValueError(f"the range of {name} is not of the column's kind") from None
        unknown = [name for name in self.unique if self.columns and name not in self.columns]
        if unknown and not self.header:
            raise ValueError(f"unique names {unknown[0]!r}, which is not among the columns")
        return self

    def field_names(self) -> frozenset[str]:
        return frozenset(
            {
                "exists", "count", "size_bytes", "age_hours", "age_minutes", "newest", "rows", "rows_valid",
                "rows_invalid", "duplicates", "pct_valid", "pct_invalid", "complete",
            }
        )  # fmt: skip

    def percent_fields(self) -> frozenset[str]:
        return frozenset({"pct_valid", "pct_invalid"})

    def build(self, context: CheckContext) -> CsvCheck:
        return CsvCheck(self, context)


class CsvCheck:
    """Looks for the file, reads it when it has changed, and judges only its presence and its header."""

    def __init__(self, options: Options, context: CheckContext) -> None:
        self._options, self._context = options, context
        self._search = options.search(context)
        self._layout = Layout(
            columns=options.columns,
            unique=options.unique,
            ranges=options.ranges,
            delimiter=options.delimiter,
            encoding=options.encoding,
            header=options.header,
        )
        self._last: tuple[object, Reading] | None = None

    async def run(self) -> CheckResult:
        now = self._context.clock()
        turn = self._search.turn(now)
        try:
            found, reading = await in_thread(self._context.threads, partial(self._look, turn))
        except OSError as error:
            return unreadable(error, self._search.pattern(turn))
        if found is None or reading is None:
            absent = self._search.absent(turn)
            return absent if found is None else _early(absent, found, now)
        return _judge(found, reading, turn, now)

    def timed_out(self, seconds: float) -> CheckResult:
        """The result when the caller's deadline passed first."""
        return CheckResult(
            state=State.UNKNOWN,
            summary=f"reading {self._options.path} took longer than {seconds:g} s",
            remedy="raise this check's timeout; a second is enough for about 150,000 rows",
        )

    def _look(self, turn: Turn, abandoned: Event) -> tuple[FoundFile | None, Reading | None]:
        found = self._search.find(turn, abandoned)
        if found is None or turn.phase is Phase.EARLY:
            return found, None
        if self._last is None or self._last[0] != (found.path, found.identity):
            reading = read_csv(found.path, self._layout, abandoned)
            self._last = (found.path, found.identity), reading
        return found, self._last[1]


def _early(absent: CheckResult, found: FoundFile, now: datetime) -> CheckResult:
    return CheckResult(state=absent.state, summary=absent.summary, fields=file_fields(found, now))


def _judge(found: FoundFile, reading: Reading, turn: Turn, now: datetime) -> CheckResult:
    name = found.path.rsplit("/", 1)[-1]
    fresh = now.timestamp() - found.modified < _STILL_WRITTEN_SECONDS
    written = reading.grown or (fresh and (reading.unended or reading.empty))
    told = reading.without_unended() if written else reading
    fields = file_fields(found, now) | _fields(told) | {"complete": 0 if written else 1}
    if written and turn.phase is Phase.WAITING:
        state, summary = State.PENDING, f"{name} is still being written: {_rows(told)} so far"
    elif fault := _unusable(told):
        state, summary = State.CRITICAL, f"{name} {fault}"
    else:
        state, summary = State.OK, f"{name}: {_counts(told)}" + (", still being written" if written else "")
    return CheckResult(state=state, summary=summary, fields=fields, diagnostics=_diagnostics(told))


def _fields(reading: Reading) -> dict[str, Value]:
    valid = reading.rows - reading.invalid
    share = round(100 * reading.invalid / reading.rows, 4) if reading.rows else None
    return {
        "rows": reading.rows,
        "rows_valid": valid,
        "rows_invalid": reading.invalid,
        "duplicates": reading.duplicates,
        "pct_valid": None if share is None else round(100 - share, 4),
        "pct_invalid": share,
    }


def _unusable(reading: Reading) -> str | None:
    if reading.empty:
        return "is empty"
    if reading.header_fault:
        return f"has no header that can be read: the first line {reading.header_fault}"
    if reading.missing_columns:
        names = ", ".join(reading.missing_columns[:5])
        more = f" and {len(reading.missing_columns) - 5} more" if len(reading.missing_columns) > 5 else ""
        return f"lacks the column{'s' if len(reading.missing_columns) > 1 else ''} {names}{more}"
    return None


def _counts(reading: Reading) -> str:
    rows = _rows(reading)
    if not reading.invalid:
        return f"{rows}, all valid" if reading.rows else "no rows under the header"
    share = 100 * reading.invalid / reading.rows
    repeated = f", {reading.duplicates:,} of them duplicates" if reading.duplicates else ""
    return f"{rows}, {reading.invalid:,} invalid ({share:.1f} %){repeated}"


def _rows(reading: Reading) -> str:
    return f"{reading.rows:,} row{'s' if reading.rows != 1 else ''}"


def _diagnostics(reading: Reading) -> tuple[Diagnostic, ...]:
    out = []
    if reading.examples:
        lines = "\n".join(f"line {line}: {what}"[:200] for line, what in reading.examples)
        out.append(Diagnostic(title="First invalid rows", text=lines))
        reasons = "\n".join(f"{count:,} × {what}"[:200] for what, count in reading.reasons.most_common(10))
        out.append(Diagnostic(title="Reasons", text=reasons))
    if reading.note:
        out.append(Diagnostic(title="Encoding", text=reading.note))
    return tuple(out)
