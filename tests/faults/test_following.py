"""Killed while it reads a log of runs, Tocsin has every line and every row once after the next start."""

import sqlite3
from pathlib import Path

import pytest

from bot.demo.workspace import LocalWorkspace
from bot.domain.clock import system_clock
from storage import cursors
from tests.databases import sqlite_database
from tests.e2e.process import running
from tests.following.reading import Reading, lines, reading
from tests.jobs.hearing import START

pytestmark = pytest.mark.faults

COUNT = 600  # several batches of lines
CONFIG = """
database: sqlite:///{folder}/tocsin.db
http: {bind: "127.0.0.1:0"}
"""
FILE = "run_logs: [{path: '{folder}/runs.jsonl'}]\n"
ROWS = """
run_logs:
  - sql: sqlite:///{folder}/app.db
    query: "SELECT id AS cursor, job AS job_name, 'SUCCESS' AS status, timestamp, id AS n
      FROM log WHERE id > :cursor ORDER BY id"
"""


def written(folder: Path) -> None:
    """A file and a table of the same runs."""
    (folder / "runs.jsonl").write_text(lines(range(1, COUNT + 1)))
    connection = sqlite3.connect(folder / "app.db")
    with connection:
        connection.execute("CREATE TABLE log (id INTEGER PRIMARY KEY, job TEXT, timestamp TEXT)")
        rows = ((n, "sync", START.isoformat()) for n in range(1, COUNT + 1))
        connection.executemany("INSERT INTO log VALUES (?, ?, ?)", rows)
    connection.close()


@pytest.mark.parametrize(
    ("log", "place"),
    [
        pytest.param(FILE, "before_commit:2", id="file-before-commit"),
        pytest.param(FILE, "log_recorded:2", id="file-recorded"),
        pytest.param(FILE, "log_position_kept", id="file-position-kept"),
        pytest.param(ROWS, "after_commit", id="rows-after-commit"),
        pytest.param(ROWS, "log_recorded", id="rows-recorded"),
    ],
)
async def test_after_a_kill_every_entry_is_there_once(tmp_path: Path, log: str, place: str) -> None:
    written(tmp_path)
    config = tmp_path / "tocsin.yml"
    config.write_text((CONFIG + log).replace("{folder}", str(tmp_path)))
    async with (
        LocalWorkspace() as workspace,
        running(config, workspace, {"TOCSIN_FAILPOINT": place}) as process,
    ):
        assert await process.ended() == -9, process.lines[-5:]

    async with (
        sqlite_database(tmp_path / "tocsin.db") as database,
        reading(database, log.replace("{folder}", str(tmp_path)), system_clock()) as told,
    ):
        kept = await cursor_of(told)
        assert kept < COUNT
        await told.read()
        assert sorted(await told.numbers()) == list(range(1, COUNT + 1))
        assert await cursor_of(told) == COUNT


async def cursor_of(told: Reading) -> int:
    """How many entries count as read."""
    async with told.ear.database.snapshot() as connection:
        found = await cursors.of_log(connection, told.follower.key)
    for cursor in found.values():
        position = cursor.position
        if "line" in position or "cursor" in position:
            return int(position["line"] if "line" in position else position["cursor"]["int"])
    return 0
