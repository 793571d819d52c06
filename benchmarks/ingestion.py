"""Recording 100,000 runs, judged and stored, beside a bare INSERT of the same rows.

    python -m benchmarks.ingestion [--runs 100000] [--jobs 20]

The runs are a log of some months: each job every 20 minutes, one run in 20 failed, with a schedule, a budget and
a rule, given to Monitoring some at a time as whoever follows a log does. The bare INSERT puts the same
rows into the same table, with its indexes, in transactions of as many rows as Monitoring commits together. Exits
with 1 when a run costs more than the aim.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from bot.announcing import Announcer
from bot.config import parse
from bot.config.rulebook import rulebook
from bot.domain.clock import system_clock
from bot.domain.run import Run, RunStatus, cleaned_run
from bot.monitoring import Monitoring
from checks.result import Value
from storage import runs as stored_runs
from storage.database import Database
from storage.schema import upgrade

AIM = 10.0
_TOGETHER = 256
_GIVEN = 1024


def config(jobs: int) -> str:
    """Each job with a schedule and a budget, and a rule on what it tells."""
    lines = [f"  job_{number}: {{schedule: '*/20 * * * *', budget: 10m}}" for number in range(jobs)]
    rule = "  - {name: Job Failed, condition: exit_code != 0 || rows < 10, severity: WARNING}"
    return "\n".join(["jobs:", *lines, "alerts:", rule])


def a_log(count: int, jobs: int) -> Iterator[Run]:
    """Runs in the order in which they ended, always the same."""
    chance = random.Random(1)
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    for number in range(count):
        failed = chance.random() < 0.05
        fields: dict[str, Value] = {"rows": chance.randint(100, 9000), "host": "worker-1"}
        if failed:
            fields["error_codes"] = ["CSV_INVALID"]
        yield Run(
            run_id=f"run-{number}",
            job=f"job_{number % jobs}",
            status=RunStatus.ERROR if failed else RunStatus.SUCCESS,
            level="ERROR" if failed else "INFO",
            finished_at=begin + timedelta(minutes=20) / jobs * number,
            duration_seconds=round(chance.uniform(20, 400), 3),
            exit_code=int(failed),
            fields=fields,
        )


def _some(found: Iterator[Run], most: int) -> Iterator[list[Run]]:
    while batch := list(islice(found, most)):
        yield batch


async def _recorded(database: Database, found: Sequence[Run], jobs: int) -> None:
    monitoring = Monitoring(
        database=database,
        rulebook=rulebook(parse(config(jobs).encode(), "tocsin.yml", {}, tokens_needed=False)),
        announcer=Announcer(database=database, channel="#alerts"),
        clock=system_clock,
        wake=lambda: None,
    )
    monitoring.start()
    for batch in _some(iter(found), _GIVEN):
        await monitoring.record_runs(batch)
    await monitoring.stop()


async def _inserted(database: Database, found: Sequence[Run], _jobs: int) -> None:
    now = system_clock()
    for batch in _some(iter(found), _TOGETHER):
        async with database.transaction() as connection:
            await stored_runs.add_all(database, connection, batch, now)


async def _rate(record: object, found: Sequence[Run], jobs: int) -> float:
    """Runs a second into a new SQLite file."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/tocsin.db")
        await upgrade(database)
        began = time.process_time()
        await record(database, found, jobs)  # type: ignore[operator]
        spent = time.process_time() - began
        await database.close()
    return len(found) / spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=20)
    options = parser.parse_args()
    found = [cleaned_run(run) for run in a_log(options.runs, options.jobs)]
    bare = asyncio.run(_rate(_inserted, found, options.jobs))
    print(f"bare INSERT        {bare:8.0f} runs/s of CPU", flush=True)
    recorded = asyncio.run(_rate(_recorded, found, options.jobs))
    print(f"through Monitoring {recorded:8.0f} runs/s of CPU")
    print(f"a recorded run costs {bare / recorded:.1f} bare ones (aim: below {AIM:g})")
    raise SystemExit(0 if bare / recorded < AIM else 1)


if __name__ == "__main__":
    main()
