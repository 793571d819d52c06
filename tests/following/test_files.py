"""Every line of a file is heard once, whatever happens to the file."""

import os
import shutil
from collections.abc import MutableMapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.following.lines import LONGEST
from storage.database import Database
from tests.following.reading import Reading, line, lines, reading
from tests.jobs.hearing import START

Log = list[MutableMapping[str, Any]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.jsonl"


def config(path: Path | str) -> str:
    return f"run_logs: [{{path: '{path}'}}]\n"


def add(file: Path, text: str | bytes) -> None:
    with file.open("ab") as stream:
        stream.write(text.encode() if isinstance(text, str) else text)


def refused(log: Log) -> list[tuple[str, str]]:
    return [(entry["place"], entry["reason"]) for entry in log if entry["event"] == "run_log_entry_refused"]


async def test_lines_are_heard_as_they_come(database: Database, file: Path) -> None:
    async with reading(database, config(file)) as told:
        add(file, lines(range(3), rows_processed=5))
        await told.read()
        add(file, line(3, status="error", duration_seconds=2.5, exit_code=3))
        await told.read()
        await told.read()
        assert await told.numbers() == [0, 1, 2, 3]
        last = (await told.runs())[-1]
        assert (last.status, last.duration_seconds, last.exit_code) == ("ERROR", 2.5, 3)
        assert last.finished_at == START + timedelta(seconds=3)
        assert await told.ear.titles() == ["sync failed"]


async def test_more_lines_than_are_read_at_once_keep_their_order(database: Database, file: Path) -> None:
    async with reading(database, config(file)) as told:
        add(file, lines(range(600)))
        await told.read()
        assert await told.numbers() == list(range(600))


async def test_a_restart_goes_on_where_it_stopped(database: Database, file: Path) -> None:
    add(file, lines(range(3)))
    async with reading(database, config(file)) as told:
        await told.read()
    add(file, lines(range(3, 5)))
    async with reading(database, config(file)) as told:
        await told.read()
        assert await told.numbers() == [0, 1, 2, 3, 4]


async def test_a_half_written_line_waits_for_its_rest(database: Database, file: Path) -> None:
    whole = line(1)
    async with reading(database, config(file)) as told:
        add(file, line(0) + whole[:20])
        await told.read()
        assert await told.numbers() == [0]
        add(file, whole[20:-5])
        await told.read()
        assert await told.numbers() == [0]
        add(file, whole[-5:])
        await told.read()
        assert await told.numbers() == [0, 1]


async def test_a_whole_object_does_not_wait_for_its_line_end(database: Database, file: Path) -> None:
    async with reading(database, config(file)) as told:
        add(file, line(0).rstrip())
        await told.read()
        assert await told.numbers() == [0]
        add(file, "\n" + line(1) + "nonsense\n")
        await told.read()
        assert await told.numbers() == [0, 1]
        assert told.follower.refused == 1


async def test_a_renamed_file_is_read_to_its_end_before_the_new_one(database: Database, file: Path) -> None:
    async with reading(database, config(file)) as told:
        add(file, lines(range(2)))
        await told.read()
        add(file, lines(range(2, 4)))
        old = file.rename(file.with_suffix(".jsonl.1"))
        add(old, line(4))  # its writer has not noticed yet
        add(file, lines(range(5, 7)))
        await told.read()
        add(old, line(7))
        await told.read()
        assert await told.numbers() == list(range(8))


async def test_a_file_renamed_while_nobody_looked_is_read_to_its_end(database: Database, file: Path) -> None:
    async with reading(database, config(file)) as told:
        add(file, lines(range(2)))
        await told.read()
    add(file, lines(range(2, 4)))
    file.rename(file.with_suffix(".jsonl.1"))
    add(file, lines(range(4, 6)))
    async with reading(database, config(file)) as told:
        await told.read()
        assert sorted(await told.numbers()) == list(range(6))


async def test_the_end_of_a_deleted_file_is_read(database: Database, file: Path) -> None:
    async with reading(database, config(file)) as told:
        add(file, lines(range(2)))
        await told.read()
        add(file, line(2))
        file.unlink()
        await told.read()
        assert await told.numbers() == [0, 1, 2]
        add(file, line(3))
        await told.read()
        assert await told.numbers() == [0, 1, 2, 3]
        assert told.following.trouble is None


async def test_what_a_deleted_file_left_half_written_is_told(
    database: Database, file: Path, log: Log
) -> None:
    async with reading(database, config(file)) as told:
        add(file, line(0) + '{"job_name": "sy')
        await told.read()
        file.unlink()
        await told.read()
        await told.after(minutes=2)
        assert await told.numbers() == [0]
        assert refused(log) == [
            (f"{file}, line 2", "it is not JSON: Unterminated string starting at at character 14")
        ]


@pytest.mark.parametrize("numbers", [range(5, 6), range(5, 9)], ids=["shorter", "longer"])
async def test_a_truncated_file_is_read_from_its_start(
    database: Database, file: Path, numbers: range
) -> None:
    async with reading(database, config(file)) as told:
        add(file, lines(range(2)))
        await told.read()
        os.truncate(file, 0)
        add(file, lines(numbers))
        await told.read()
        assert await told.numbers() == [0, 1, *numbers]


async def test_a_truncated_file_that_begins_alike_is_read_from_its_start(
    database: Database, file: Path
) -> None:
    async with reading(database, config(file)) as told:
        add(file, line(0, at=None) + line(1, at=None))
        await told.read()
        os.truncate(file, 0)
        await told.read()
        add(file, line(0, at=None))
        await told.read()
        add(file, line(1, at=None))
        await told.read()
        assert await told.numbers() == [0, 1, 0, 1]


@pytest.mark.parametrize("running", [True, False])
async def test_what_was_not_read_before_copytruncate_is_read_from_the_copy(
    database: Database, file: Path, running: bool
) -> None:
    def rotate() -> None:
        add(file, lines(range(2, 4)))
        shutil.copy(file, file.with_suffix(".jsonl.1"))
        os.truncate(file, 0)
        add(file, line(4))

    async with reading(database, config(file)) as told:
        add(file, lines(range(2)))
        await told.read()
        if running:
            rotate()
        await told.read()
    if not running:
        rotate()
    async with reading(database, config(file)) as told:
        await told.read()
        assert sorted(await told.numbers()) == list(range(5))


async def test_a_pattern_follows_every_file_and_no_copy_twice(database: Database, tmp_path: Path) -> None:
    first, second = tmp_path / "runs-1.jsonl", tmp_path / "runs-2.jsonl"
    async with reading(database, config(tmp_path / "runs-*")) as told:
        add(first, lines(range(3)))
        await told.read()
        add(second, lines(range(3, 5)))
        await told.read()
        shutil.copy(first, tmp_path / "runs-1.jsonl.1")
        await told.read()
        os.truncate(first, 0)
        await told.read()
        add(first, line(5))
        await told.read()
        assert sorted(await told.numbers()) == list(range(6))


async def test_a_disk_that_comes_back_by_another_name_is_not_read_again(
    database: Database, tmp_path: Path, file: Path
) -> None:
    async with reading(database, config(file)) as told:
        add(file, line(0, at=None) + line(1, at=None))
        await told.read()
    shutil.copy(file, tmp_path / "moved")
    (tmp_path / "moved").rename(file)  # another inode, as after a restore
    add(file, line(2, at=None))
    async with reading(database, config(file)) as told:
        await told.read()
        assert await told.numbers() == [0, 1, 2]


async def test_zeros_that_an_old_writer_leaves_are_passed_over(database: Database, file: Path) -> None:
    with file.open("wb") as stream:
        stream.write(lines(range(30)).encode())
        stream.flush()
        async with reading(database, config(file)) as told:
            await told.read()
            os.truncate(file, 0)
            stream.seek(5_000_000)  # it writes on where it was
            stream.write(lines(range(30, 32)).encode())
            stream.flush()
            await told.read()
            assert await told.numbers() == list(range(32))
            assert told.follower.refused == 0


async def test_encodings_and_line_ends_are_taken_as_they_come(database: Database, file: Path) -> None:
    latin = '{"job_name": "café", "status": "SUCCESS", "n": 2}\n'.encode("cp1252")
    async with reading(database, config(file)) as told:
        add(file, b"\xef\xbb\xbf" + line(0).replace("\n", "\r\n").encode() + b"\r\n \n")
        add(file, line(1, note="grün").encode())
        add(file, latin)
        await told.read()
        assert await told.numbers() == [0, 1, 2]
        assert (await told.runs())[1].fields["note"] == "grün"
        assert (await told.runs())[2].job == "café"


async def test_bad_lines_are_told_with_their_place_and_stop_nothing(
    database: Database, file: Path, log: Log
) -> None:
    async with reading(database, config(file)) as told:
        add(file, line(0) + "{half\n" + '{"job_name": "sync"}\n' + "[1]\n" + line(1))
        await told.read()
        assert await told.numbers() == [0, 1]
        assert refused(log) == [
            (
                f"{file}, line 2",
                "it is not JSON: Expecting property name enclosed in double quotes at character 2",
            ),
            (f"{file}, line 3", "status is missing"),
            (f"{file}, line 4", 'a run is an object such as {"job_name": …, "status": "SUCCESS"}'),
        ]
        (said,) = [text for text in await told.ear.said() if "passed over" in text]
        assert "3 entries" in said
        assert f"{file}, line 2" in said
        add(file, "more nonsense\n")
        await told.read()
        assert len([text for text in await told.ear.said() if "passed over" in text]) == 1
        assert told.follower.refused == 4
    async with reading(database, config(file)) as told:
        await told.read()
        assert told.follower.refused == 4


async def test_a_line_without_end_is_passed_over(database: Database, file: Path, log: Log) -> None:
    async with reading(database, config(file)) as told:
        add(file, line(0) + "x" * (3 * LONGEST))
        await told.read()
        add(file, "x" * 100 + "\n" + line(1))
        await told.read()
        assert await told.numbers() == [0, 1]
        assert refused(log) == [(f"{file}, line 2", "it is longer than 1024 KiB")]


async def test_a_run_that_was_also_posted_counts_once(database: Database, file: Path) -> None:
    async with reading(database, config(file)) as told:
        await told.ear.run("sync", run_id="abc")
        add(file, line(0, run_id="abc") + line(1, run_id="def") + line(1, run_id="def"))
        await told.read()
        assert [run.run_id for run in await told.runs()] == ["abc", "def"]


async def test_starts_are_heard(database: Database, file: Path) -> None:
    async with reading(database, config(file) + "jobs: {sync: {every: 1h, timeout: 5m}}\n") as told:
        add(file, line(0, status="RUNNING", run_id="abc"))
        await told.read()
        await told.ear.after(minutes=10)
        assert len(await told.ear.titles()) == 1
        add(file, line(600, run_id="abc", duration_seconds=600))
        await told.read()
        assert len(await told.runs()) == 1


async def test_runs_of_long_ago_are_kept_and_page_nobody(database: Database, file: Path) -> None:
    async with reading(database, config(file)) as told:
        add(file, line(0, at=START - timedelta(days=1), status="ERROR"))
        add(file, line(1, at=None, job_name="undated", status="ERROR"))
        await told.read()
        assert len(await told.runs()) == 2
        assert await told.ear.titles() == []
        assert (await told.ear.standing("sync")).state == "critical"
        add(file, line(2, status="ERROR"))
        add(file, line(3, at=None, job_name="undated", status="ERROR"))
        await told.read()
        assert await told.ear.titles() == ["sync failed", "undated failed"]


async def test_runs_missed_while_tocsin_was_down_are_judged(database: Database, file: Path) -> None:
    async with reading(database, config(file)) as told:
        add(file, line(0))
        await told.read()
    add(file, line(3600, status="ERROR"))
    async with reading(database, config(file), START + timedelta(days=2)) as told:
        await told.read()
        assert await told.ear.titles() == ["sync failed"]


async def test_a_file_that_is_not_there_yet_is_trouble_only_after_a_while(
    database: Database, file: Path
) -> None:
    async with reading(database, config(file)) as told:
        await told.read()
        assert told.following.trouble is None
        await told.after(hours=1)
        assert told.following.trouble == (
            f"{file}: there is no such file, or this user may not look there; check the path"
        )
        assert len(await told.ear.said()) == 1
        add(file, line(0))
        await told.read()
        assert told.following.trouble is None
        assert "again" in (await told.ear.said())[-1]


async def test_a_log_that_cannot_be_read_for_long_is_told_once(
    database: Database, file: Path, log: Log
) -> None:
    file.mkdir()
    async with reading(database, config(file)) as told:
        await told.read()
        assert told.following.trouble == f"{file}: {file} is not a file"
        await told.after(minutes=5)
        assert await told.ear.said() == []
        await told.after(minutes=6)
        await told.after(minutes=6)
        (said,) = await told.ear.said()
        assert "cannot read the run log" in said
    async with reading(database, config(file), START + timedelta(hours=1)) as told:
        await told.read()
        await told.after(minutes=30)
        assert len(await told.ear.said()) == 1
        file.rmdir()
        add(file, line(0, at=START + timedelta(hours=1)))
        await told.read()
        assert len(await told.ear.said()) == 3  # and that the job is not known
        assert any("again" in said for said in await told.ear.said())
    assert len([entry for entry in log if entry["event"] == "run_log_unreadable"]) == 2


async def test_a_refusing_database_loses_no_line(database: Database, file: Path) -> None:
    async with reading(database, config(file)) as told:
        add(file, line(0))
        await told.read()
        add(file, line(1))
        await _break(told)
        with pytest.raises(OSError, match="no space"):
            await told.read()
        await _mend(told)
        await told.read()
        assert await told.numbers() == [0, 1]


async def _break(told: Reading) -> None:
    async def refuse(*_: Any, **__: Any) -> bool:
        raise OSError("no space")

    told.ear.monitoring.record_run = refuse  # type: ignore[method-assign]


async def _mend(told: Reading) -> None:
    del told.ear.monitoring.record_run
