"""The file check on real files, through a day."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from checks.file import Options
from checks.options import CheckContext
from checks.result import State
from tests.checks.surroundings import NOON, SetClock, build, found, surroundings

LONDON = ZoneInfo("Europe/London")


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def context(clock: SetClock) -> AsyncIterator[CheckContext]:
    async with surroundings(clock) as context:
        yield context


def write(path: Path, content: str = "a,b\n", at: datetime = NOON) -> Path:
    path.write_text(content)
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


async def test_a_file_that_is_there_tells_its_age_and_size(
    tmp_path: Path, context: CheckContext, clock: SetClock
) -> None:
    write(tmp_path / "report.csv", "x" * 2048)
    clock.advance(hours=2.5)
    result = await found("file", context, path=str(tmp_path / "report.csv"))
    assert result.state is State.OK
    assert result.fields == {
        "exists": 1,
        "count": 1,
        "size_bytes": 2048,
        "age_hours": 2.5,
        "age_minutes": 150.0,
        "newest": f"{tmp_path}/report.csv",
    }
    assert result.summary == "report.csv: 2,048 bytes, 2h30m old"


async def test_a_missing_file_is_critical(tmp_path: Path, context: CheckContext) -> None:
    result = await found("file", context, path=str(tmp_path / "report.csv"))
    assert result.state is State.CRITICAL
    assert result.summary == "report.csv is missing"
    assert result.fields["exists"] == 0


@pytest.mark.parametrize(
    ("time", "state", "summary"),
    [
        ("00:01", State.PENDING, "productivity_2026-07-01_1131.csv is due 11:31"),
        ("11:30", State.PENDING, "productivity_2026-07-01_1131.csv is due 11:31"),
        ("11:31", State.PENDING, "productivity_2026-07-01_1131.csv: due 11:31, not there yet"),
        ("11:59", State.PENDING, "productivity_2026-07-01_1131.csv: due 11:31, not there yet"),
        ("12:00", State.CRITICAL, "productivity_2026-07-01_1131.csv is missing after 12:00"),
        ("23:59", State.CRITICAL, "productivity_2026-07-01_1131.csv is missing after 12:00"),
    ],
)
async def test_a_day_s_file_is_pending_then_missing_by_the_team_s_clock(
    tmp_path: Path, time: str, state: State, summary: str
) -> None:
    now = datetime.fromisoformat(f"2026-07-01T{time}").replace(tzinfo=LONDON).astimezone(UTC)
    path = str(tmp_path / "productivity_%Y-%m-%d_1131.csv")
    async with surroundings(SetClock(now), LONDON) as context:
        result = await found("file", context, path=path, due="11:31", missing_after="12:00")
        assert (result.state, result.summary) == (state, summary)


async def test_a_file_that_came_in_time_is_ok_and_early_it_is_still_pending(tmp_path: Path) -> None:
    write(tmp_path / "day_2026-11-18.csv")
    options = {"path": str(tmp_path / "day_%Y-%m-%d.csv"), "due": "11:31", "missing_after": "12:00"}
    for hour, state in ((9, State.PENDING), (11, State.PENDING), (12, State.OK), (20, State.OK)):
        async with surroundings(SetClock(NOON.replace(hour=hour))) as context:
            assert (await found("file", context, **options)).state is state


async def test_yesterday_s_file_under_the_same_name_is_not_today_s(
    tmp_path: Path, context: CheckContext, clock: SetClock
) -> None:
    write(tmp_path / "report.csv")
    options = {"path": str(tmp_path / "report.csv"), "due": "10:00"}
    assert (await found("file", context, **options)).state is State.OK
    clock.advance(days=1)
    assert (await found("file", context, **options)).state is State.CRITICAL
    assert (await found("file", context, path=options["path"])).state is State.OK


@pytest.mark.parametrize(
    ("now", "state"),
    [
        ("2026-11-18T23:45", State.PENDING),
        ("2026-11-19T00:15", State.PENDING),
        ("2026-11-19T00:45", State.CRITICAL),
        ("2026-11-19T23:29", State.CRITICAL),
    ],
)
async def test_a_file_due_before_midnight_may_come_after_it(tmp_path: Path, now: str, state: State) -> None:
    path = str(tmp_path / "night_%Y-%m-%d.csv")
    async with surroundings(SetClock(datetime.fromisoformat(now).replace(tzinfo=UTC))) as context:
        options = {"path": path, "due": "23:30", "missing_after": "00:30"}
        result = await found("file", context, **options)
        assert result.state is state
        assert "night_2026-11-18.csv" in result.summary
        write(tmp_path / "night_2026-11-18.csv")
        assert (await found("file", context, **options)).state is State.OK


async def test_of_several_files_the_newest_counts(tmp_path: Path, context: CheckContext) -> None:
    write(tmp_path / "a.log", "old", NOON.replace(hour=3))
    write(tmp_path / "b.log", "newest", NOON.replace(hour=11))
    (tmp_path / "c.log").mkdir()
    result = await found("file", context, path=str(tmp_path / "*.log"))
    assert result.fields["count"] == 2
    assert result.fields["newest"] == f"{tmp_path}/b.log"
    assert result.fields["age_hours"] == 1.0
    assert result.summary.endswith("newest of 2")


@pytest.mark.parametrize(("content", "said"), [("", "is empty"), ("xxx", "has 3 bytes, fewer than 1,024")])
async def test_a_file_too_small_is_critical(
    tmp_path: Path, context: CheckContext, content: str, said: str
) -> None:
    path = write(tmp_path / "dump.sql", content)
    result = await found("file", context, path=str(path), min_size="1KB")
    assert result.state is State.CRITICAL
    assert result.summary == f"dump.sql {said}"
    assert (await found("file", context, path=str(path))).state is State.OK


async def test_a_directory_is_not_a_file(tmp_path: Path, context: CheckContext) -> None:
    result = await found("file", context, path=str(tmp_path))
    assert result.state is State.UNKNOWN
    assert result.summary.endswith("cannot be read: is a directory")


async def test_a_place_that_may_not_be_looked_into_is_unknown(context: CheckContext) -> None:
    result = await found("file", context, path="/" + "x" * 300)
    assert result.state is State.UNKNOWN
    assert result.summary.endswith("cannot be read: file name too long")


async def test_a_long_search_ends_when_it_is_given_up(tmp_path: Path, context: CheckContext) -> None:
    check = build("file", context, {"path": "/**/*/**/*"})
    task = asyncio.create_task(check.run())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    "setting", [{"due": "25:00"}, {"missing_after": "noon"}, {"min_size": "big"}, {"path": ""}]
)
def test_settings_that_make_no_sense_are_mistakes(setting: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"path": "a.csv"} | setting)
