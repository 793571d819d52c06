"""The csv check on real files: whole, broken, hostile and half written."""

from __future__ import annotations

import asyncio
import os
import random
import time
import tracemalloc
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from checks._csv_columns import Column
from checks._csv_reading import Layout, read_csv
from checks._repeats import Repeats
from checks.csv import Options
from checks.options import CheckContext
from checks.result import CheckResult, State
from tests.checks.surroundings import NOON, SetClock, build, found, surroundings

COLUMNS = {"operator_id": "integer", "calls": "integer", "handled_at": "datetime"}
AN_HOUR_AGO = NOON.replace(hour=11)
HEADER = "operator_id,calls,handled_at\n"


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def context(clock: SetClock) -> AsyncIterator[CheckContext]:
    async with surroundings(clock) as context:
        yield context


def write(path: Path, content: str | bytes, at: datetime = AN_HOUR_AGO) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.utime(path, (at.timestamp(), at.timestamp()))
    return str(path)


async def checked(context: CheckContext, path: Path, content: str | bytes, **options: Any) -> CheckResult:
    return await found("csv", context, path=write(path / "calls.csv", content), **options)


def counts(result: CheckResult) -> tuple[Any, ...]:
    return tuple(result.fields[name] for name in ("rows", "rows_valid", "rows_invalid", "duplicates"))


def told(result: CheckResult, title: str = "First invalid rows") -> str:
    return next((diagnostic.text for diagnostic in result.diagnostics if diagnostic.title == title), "")


async def test_a_whole_file_is_counted(tmp_path: Path, context: CheckContext) -> None:
    content = HEADER + "7,12,2026-11-18T09:00:00\n8,0,2026-11-18 09:30\n"
    result = await checked(context, tmp_path, content, columns=COLUMNS, unique=["operator_id", "handled_at"])
    assert result.state is State.OK
    assert result.summary == "calls.csv: 2 rows, all valid"
    assert counts(result) == (2, 2, 0, 0)
    assert (result.fields["pct_valid"], result.fields["pct_invalid"]) == (100.0, 0.0)
    assert result.fields["exists"] == 1
    assert result.fields["age_hours"] == 1.0


async def test_wrong_cells_make_a_row_invalid_and_are_told_with_their_lines(
    tmp_path: Path, context: CheckContext
) -> None:
    content = HEADER + "7,12,2026-11-18T09:00\nx,1,2026-11-18T09:00\n8,,2026-11-18T09:00\n9,3,yesterday\n"
    result = await checked(context, tmp_path, content, columns=COLUMNS)
    assert result.state is State.OK
    assert result.summary == "calls.csv: 4 rows, 3 invalid (75.0 %)"
    assert result.fields["pct_invalid"] == 75.0
    assert told(result).splitlines() == [
        "line 3: operator_id is 'x', not an integer",
        "line 4: calls is empty",
        "line 5: handled_at is 'yesterday', not a date and time",
    ]
    assert "1 × calls is empty" in told(result, "Reasons")


@pytest.mark.parametrize(
    ("column", "good", "bad"),
    [
        ("integer", ["0", "-7", "+12", " 5 "], ["1.0", "1_000", "x", "", "٣", "1e3"]),
        ("number", ["0", "1.5", "-2e3"], ["nan", "inf", "1_0", "1,5", "", "1e999"]),
        ("boolean", ["true", "No", "1", "F"], ["2", "maybe", ""]),
        ("date", ["2026-02-28"], ["2026-02-30", "28.02.2026", ""]),
        ("datetime", ["2026-02-28T10:00:00Z", "2026-02-28 10:00"], ["10:00", ""]),
        ("string", ["x"], ["", "  "]),
        (["open", "closed"], ["open"], ["Open", "", "x"]),
        ({"type": "integer", "nullable": True}, ["", "1"], ["x"]),
        ({"type": "date", "format": "%d.%m.%Y"}, ["28.02.2026"], ["2026-02-28"]),
        ({"type": "datetime", "format": "%d/%m/%Y %H:%M"}, ["28/02/2026 10:00"], ["x"]),
    ],
)
async def test_each_kind_of_column_takes_what_it_should(
    tmp_path: Path, context: CheckContext, column: Any, good: list[str], bad: list[str]
) -> None:
    rows = "".join(f'x,"{cell}"\n' for cell in good + bad)
    result = await checked(context, tmp_path, "id,cell\n" + rows, columns={"cell": column})
    assert counts(result)[1:3] == (len(good), len(bad))


async def test_values_outside_their_range_are_invalid(tmp_path: Path, context: CheckContext) -> None:
    rows = ["5,0.5,2026-01-01", "-1,0.5,2026-01-01", "501,0.5,2026-01-01", "5,2,2026-01-01", "5,1,2020-01-01"]
    content = "calls,rate,day\n" + "\n".join(rows) + "\n"
    ranges = {"calls": [0, 500], "rate": [None, 1], "day": ["2026-01-01", None]}
    result = await checked(
        context, tmp_path, content, columns={"calls": "integer", "day": "date"}, ranges=ranges
    )
    assert counts(result) == (5, 1, 4, 0)
    assert "line 3: calls is '-1', which is under 0" in told(result)


async def test_a_later_row_with_the_same_key_is_a_duplicate_and_invalid(
    tmp_path: Path, context: CheckContext
) -> None:
    content = "id,day,n\n1,a,1\n1,b,1\n2,a,1\n1,a,9\n1,a,9\n"
    result = await checked(context, tmp_path, content, unique=["id", "day"])
    assert counts(result) == (5, 3, 2, 2)
    assert result.summary == "calls.csv: 5 rows, 2 invalid (40.0 %), 2 of them duplicates"
    assert told(result).splitlines()[0] == "line 5: repeats an earlier id, day"


async def test_broken_rows_are_counted_and_the_rest_is_read(tmp_path: Path, context: CheckContext) -> None:
    content = (
        b"a,b\n1,2\n1,2,3\n1\n\n"
        b'x,"quoted, with ""signs"" and\nanother line"\n'
        b'1,"bad"quote\n'
        b"1,2\0\n" + b"1," + b"y" * 2_000_000 + b"\n" + b'1,"' + b"z" * 200_000 + b'"\n' + b"3,4\n"
    )
    result = await checked(context, tmp_path, content)
    assert counts(result)[:3] == (9, 3, 6)
    lines = told(result).splitlines()
    assert lines[0] == "line 3: has 3 columns, 2 expected"
    assert lines[1] == "line 4: has 1 column, 2 expected"
    assert lines[2].startswith("line 8: is badly quoted")
    assert lines[3] == "line 9: holds a NUL byte"
    assert lines[4] == "line 10: is longer than 1,000,000 characters"
    assert lines[5].startswith("line 11: is badly quoted (field larger than field limit")


async def test_a_quote_that_never_closes_costs_one_row(tmp_path: Path, context: CheckContext) -> None:
    content = "a,b\n" + '1,"open\n' + "1,2\n" * 500
    result = await checked(context, tmp_path, content)
    assert counts(result)[:3] == (501, 500, 1)
    assert told(result) == "line 2: opens a quote that is never closed"


async def test_a_header_that_lacks_columns_is_critical(tmp_path: Path, context: CheckContext) -> None:
    columns = COLUMNS | {"note": {"type": "string", "required": False}}
    result = await checked(context, tmp_path, "operator_id,x\n1,2\n", columns=columns)
    assert result.state is State.CRITICAL
    assert result.summary == "calls.csv lacks the columns calls, handled_at"


@pytest.mark.parametrize(
    ("content", "summary"),
    [(b"", "is empty"), (b"a\0,b\n", "has no header that can be read: the first line holds a NUL byte")],
)
async def test_a_file_without_a_header_is_critical(
    tmp_path: Path, context: CheckContext, content: bytes, summary: str
) -> None:
    result = await checked(context, tmp_path, content, columns=COLUMNS)
    assert result.state is State.CRITICAL
    assert result.summary == f"calls.csv {summary}"


async def test_a_header_alone_is_told(tmp_path: Path, context: CheckContext) -> None:
    result = await checked(context, tmp_path, HEADER, columns=COLUMNS)
    assert result.state is State.OK
    assert result.summary == "calls.csv: no rows under the header"
    assert result.fields["rows"] == 0
    assert result.fields["pct_invalid"] is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
async def test_a_byte_order_mark_decides_the_encoding(
    tmp_path: Path, context: CheckContext, encoding: str
) -> None:
    result = await checked(context, tmp_path, "naïve,b\né,1\n".encode(encoding), columns={"naïve": "string"})
    assert counts(result) == (1, 1, 0, 0)
    assert result.diagnostics == ()


async def test_lines_that_are_not_utf8_are_read_as_windows_1252_and_told(
    tmp_path: Path, context: CheckContext
) -> None:
    content = b"name,b\nplain,1\n" + "Zoë,2\n".encode("cp1252")
    result = await checked(context, tmp_path, content, columns={"name": ["plain", "Zoë"]})
    assert counts(result) == (2, 2, 0, 0)
    assert told(result, "Encoding") == "line 3 is not UTF-8; such lines were read as Windows-1252"


async def test_a_given_encoding_is_kept_to(tmp_path: Path, context: CheckContext) -> None:
    content = "name\nZoë\n".encode("cp1252")
    assert (
        counts(await checked(context, tmp_path, content, columns={"name": ["Zoë"]}, encoding="cp1252"))[1]
        == 1
    )
    wrong = await checked(context, tmp_path, content, encoding="utf-8")
    assert told(wrong, "Encoding") == "line 2 holds bytes that are not utf-8"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
async def test_the_delimiter_is_found_from_the_header(
    tmp_path: Path, context: CheckContext, delimiter: str
) -> None:
    content = HEADER.replace(",", delimiter) + f"1{delimiter}2{delimiter}2026-01-01\r\n"
    assert counts(await checked(context, tmp_path, content, columns=COLUMNS))[1] == 1


async def test_without_a_header_columns_stand_in_their_order(tmp_path: Path, context: CheckContext) -> None:
    result = await checked(
        context, tmp_path, "1,a\nx,b\n", columns={"id": "integer", "name": "string"}, header=False
    )
    assert counts(result) == (2, 1, 1, 0)


async def test_a_file_still_being_written_is_told_and_its_half_line_not_counted(
    tmp_path: Path, context: CheckContext, clock: SetClock
) -> None:
    path = write(tmp_path / "calls.csv", HEADER + "7,12,2026-11-18\n8,1", at=NOON)
    options = {"path": path, "columns": COLUMNS}
    result = await found("csv", context, **options)
    assert result.summary == "calls.csv: 1 row, all valid, still being written"
    assert result.fields["complete"] == 0
    waiting = await found("csv", context, **options, due="11:31", missing_after="12:30")
    assert waiting.state is State.PENDING
    assert waiting.summary == "calls.csv is still being written: 1 row so far"
    clock.advance(minutes=5)
    result = await found("csv", context, **options)
    assert counts(result) == (2, 1, 1, 0)
    assert told(result) == "line 3: is cut off: has 2 columns, 3 expected"
    assert result.fields["complete"] == 1


async def test_a_last_line_without_an_end_is_a_row(tmp_path: Path, context: CheckContext) -> None:
    result = await checked(context, tmp_path, HEADER + "7,12,2026-11-18", columns=COLUMNS)
    assert counts(result) == (1, 1, 0, 0)
    assert result.fields["complete"] == 1


async def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path, context: CheckContext) -> None:
    path = write(tmp_path / "calls.csv", "a,b\n" + "1,2\n" * 50_000)
    check = build("csv", context, {"path": path, "unique": ["a"]})
    began = time.perf_counter()
    first = await check.run()
    reading = time.perf_counter() - began
    began = time.perf_counter()
    assert await check.run() == first
    assert time.perf_counter() - began < reading / 5
    write(tmp_path / "calls.csv", "a,b\n1,2\n")
    assert counts(await check.run()) == (1, 1, 0, 0)


async def test_a_day_s_file_is_pending_then_missing(
    tmp_path: Path, context: CheckContext, clock: SetClock
) -> None:
    options = {
        "path": str(tmp_path / "%Y-%m-%d.csv"),
        "due": "15:35",
        "missing_after": "16:00",
        "columns": COLUMNS,
    }
    assert (await found("csv", context, **options)).state is State.PENDING
    clock.advance(hours=5)
    assert (await found("csv", context, **options)).state is State.CRITICAL
    write(tmp_path / "2026-11-18.csv", HEADER + "1,2,2026-11-18\n")
    assert (await found("csv", context, **options)).state is State.OK


async def test_an_early_file_is_still_pending(tmp_path: Path, context: CheckContext) -> None:
    result = await checked(context, tmp_path, HEADER, columns=COLUMNS, due="15:35")
    assert result.state is State.PENDING
    assert result.fields["exists"] == 1


async def test_memory_does_not_grow_with_the_file(tmp_path: Path, context: CheckContext) -> None:
    """A file of 1 GB with 16 million different keys, too long for a test, raised the process from 45 to 52 MB."""
    peaks = []
    for rows in (40_000, 400_000):
        path = tmp_path / "calls.csv"
        with path.open("w") as file:
            file.write("id,calls\n")
            file.writelines(f"{number},{number % 97}\n" for number in range(rows))
        tracemalloc.start()
        result = await found("csv", context, path=str(path), columns={"id": "integer"}, unique=["id"])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert counts(result)[:2] == (rows, rows)
    assert peaks[1] < peaks[0] + 4_000_000  # the file grew by 4 MB, its keys by 20 MB as Python holds them


async def test_a_long_reading_ends_soon_after_it_is_given_up(tmp_path: Path, context: CheckContext) -> None:
    path = write(tmp_path / "large.csv", "a,b\n" + "1,2\n" * 3_000_000)
    check = Options.model_validate({"path": path, "columns": {"a": "integer"}}).build(context)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await check.run()
    began = time.perf_counter()
    context.threads.shutdown(wait=True)
    assert time.perf_counter() - began < 1
    assert check.timed_out(0.1).state is State.UNKNOWN


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300) | st.text(alphabet='ab1,";\n\r\0é', max_size=200).map(str.encode))
def test_no_content_is_an_error(tmp_path: Path, content: bytes) -> None:
    layout = Layout(
        columns={"a": Column.model_validate({"type": "integer", "required": False})},
        unique=[],
        ranges={},
        delimiter=None,
        encoding=None,
        header=True,
    )
    reading = read_csv(write(tmp_path / "any.csv", content), layout, Event())
    assert 0 <= reading.duplicates <= reading.invalid <= reading.rows <= len(content)
    assert sum(reading.reasons.values()) == reading.invalid


def test_repeats_are_exact_beyond_what_memory_holds() -> None:
    chance = random.Random(7)
    numbers = [chance.randrange(150_000) for _ in range(200_000)]
    repeats = Repeats()
    for line, number in enumerate(numbers):
        repeats.add(str(number), line)
    seen: set[int] = set()
    expected = []
    for line, number in enumerate(numbers):
        if number in seen:
            expected.append(line)
        seen.add(number)
    assert repeats.count(lambda: None) == (len(expected), expected[:10])
    repeats.close()


@pytest.mark.parametrize(
    "setting",
    [
        {"columns": {"a": "float"}},
        {"columns": {"a": {"type": "enum"}}},
        {"columns": {"a": {"type": "integer", "format": "%d"}}},
        {"ranges": {"a": [1]}},
        {"ranges": {"a": ["x", None]}},
        {"delimiter": ",,"},
        {"encoding": "klingon"},
        {"encoding": "base64"},
    ],
)
def test_settings_that_make_no_sense_are_mistakes(setting: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"path": "a.csv"} | setting)
