"""What `/tocsin-logs` costs at a million runs against a thousand.

    python -m benchmarks.logs [--runs 1000000] [--postgres SMALL LARGE] [--keep DIR]

Fills two databases with runs of fifty jobs, a tenth of them failed, and measures for every combination of filters
that the command can make, on the first page, in the middle and turning back: the page's queries, and the whole
answer through the code that answers the command. The two take turns, and the lower quartile of each counts, so
that a busy machine disturbs both alike. Prints both and their ratio; exits with 1 where one is over the aim.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median, quantiles
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from bot.config import parse
from bot.config.plans import plan_of
from bot.domain.observation import Observation, Source, SourceKind
from bot.domain.run import Run, RunStatus, search_text
from bot.domain.run_filter import RunFilter
from bot.present import Present
from bot.reporting import Reporting
from bot.why import Explaining, Looking
from checks.result import State
from handlers.slack.answering import Answering
from handlers.slack.asking import parse_logs
from storage import runs, sources
from storage.database import Database
from storage.schema import upgrade
from storage.tables import runs as table

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SMALL = 1_000
JOBS = 50
BATCH = 20_000
REPEATS = 30
SPACING = timedelta(seconds=7)
AIM = 2.0


async def fill(database: Database, count: int) -> None:
    """Runs evenly back from now; the same density at any count, so that filters by time fit the same."""
    await upgrade(database)
    for start in range(0, count, BATCH):
        rows = [_row(number) for number in range(start, min(start + BATCH, count))]
        async with database.transaction() as connection:
            await connection.execute(sa.insert(table), rows)
    async with database.transaction() as connection:
        for number in range(JOBS):
            source = Source(kind=SourceKind.JOB, name=f"job_{number:02}")
            last = Observation(source=source, resource=source.name, state=State.OK, at=NOW)
            await sources.put(database, connection, last, {}, None)


def _row(number: int) -> dict[str, object]:
    failed = number % 10 == 0
    run = Run(
        job=f"job_{number * 7 % JOBS:02}",
        status=(RunStatus.TIMEOUT if number % 20 == 0 else RunStatus.ERROR) if failed else RunStatus.SUCCESS,
        finished_at=NOW - number * SPACING,
        duration_seconds=float(number % 300),
        fields={"rows_processed": number, "pct_invalid": 0.3, **({"error": "disk full"} if failed else {})},
        output="started\nread 4 files\nwrote 10240 rows\n" * 5,
    )
    return {
        "run_id": f"run-{number}",
        "job": run.job,
        "status": run.status.value,
        "level": "INFO",
        "finished_at": run.finished_at,
        "duration_seconds": run.duration_seconds,
        "exit_code": int(failed),
        "fields": dict(run.fields),
        "received_at": run.finished_at,
        "search": search_text(run),
    }


def questions() -> Iterator[tuple[str, str]]:
    """Every combination of filters as it is written: its name, and the text after the command."""
    for job, status, since, until, text in product((0, 1), repeat=5):
        span = {(0, 0): "", (1, 0): "90m", (0, 1): "..11:50", (1, 1): "11:00..11:50"}[since, until]
        parts = ["job_07" * job, "error" * status, span, '"disk full"' * text]
        names = zip(
            ("job", "status", "since", "until", "text"), (job, status, since, until, text), strict=True
        )
        yield "+".join(name for name, there in names if there) or "none", " ".join(filter(None, parts))


class Bench:
    """One filled database, and the code that answers from it."""

    def __init__(self, address: str) -> None:
        self.database = Database(address)
        config = f"database: '{address}'\n".encode()
        settings = parse(config, "tocsin.yml", {}, tokens_needed=False)
        present, clock = Present.of(settings), lambda: NOW
        self.answering = Answering(
            database=self.database,
            settings=settings,
            reporting=Reporting(database=self.database, present=present, clock=clock, troubles=lambda: ()),
            looking=Looking(database=self.database, clock=clock, zone=settings.timezone),
            explaining=Explaining(database=self.database, rules=present, plan=plan_of(settings), clock=clock),
            clock=clock,
        )

    async def page(self, wanted: RunFilter) -> None:
        async with self.database.snapshot() as connection:
            await runs.page(connection, wanted)

    def works(self) -> Iterator[tuple[str, Callable[[], Awaitable[object]]]]:
        """What is measured, by name."""
        jobs = [f"job_{number:02}" for number in range(JOBS)]
        middle = (NOW - 350 * SPACING, 350)
        for name, text in questions():
            wanted = parse_logs(text, jobs, NOW, ZoneInfo("UTC")).wanted
            yield f"{name}: whole answer", partial(self.answering.logs, text)
            yield f"{name}: first page", partial(self.page, wanted)
            yield f"{name}: older page", partial(self.page, wanted.older(middle))
            yield f"{name}: newer page", partial(self.page, wanted.newer(middle))


async def race(works: Sequence[Callable[[], Awaitable[object]]]) -> list[float]:
    """What each takes in milliseconds, by turns."""
    taken: list[list[float]] = [[] for _ in works]
    for round_ in range(REPEATS + 2):
        for place, work in enumerate(works):
            start = time.perf_counter()
            await work()
            if round_ > 1:
                taken[place].append(1000 * (time.perf_counter() - start))
    return [quantiles(each, n=4)[0] for each in taken]


async def compare(name: str, small: str, large: str, count: int) -> float:
    """Print one kind of database's table; returns the worst ratio."""
    benches = [Bench(small), Bench(large)]
    for bench, rows in zip(benches, (SMALL, count), strict=True):
        start = time.perf_counter()
        await fill(bench.database, rows)
        print(f"{name}: {rows:,} runs filled in {time.perf_counter() - start:.0f} s", flush=True)
    print(f"\n{'question':44} {SMALL:>9,} {count:>11,}  ratio")
    ratios = {}
    for (key, one), (_, other) in zip(*(bench.works() for bench in benches), strict=True):
        before, after = await race([one, other])
        ratios[key] = after / before
        print(f"{key:44} {before:6.2f} ms {after:8.2f} ms {ratios[key]:6.2f}", flush=True)
    for bench in benches:
        await bench.database.close()
    worst = max(ratios, key=lambda key: ratios[key])
    plain = max(ratio for key, ratio in ratios.items() if "text" not in key)
    print(f"\n{name}: median ratio {median(ratios.values()):.2f}, worst {ratios[worst]:.2f} ({worst})")
    print(f"{name}: worst without a search for text {plain:.2f}; aim {AIM}\n")
    return ratios[worst]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--postgres", nargs=2, metavar=("SMALL", "LARGE"), help="two empty databases")
    parser.add_argument("--keep", type=Path, help="leave the SQLite files in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        small, large = f"sqlite:///{folder}/small.db", f"sqlite:///{folder}/large.db"
        worst = [await compare("SQLite", small, large, options.runs)]
    if options.postgres:
        first, second = options.postgres
        worst.append(await compare("PostgreSQL", first, second, options.runs))
    raise SystemExit(0 if max(worst) <= AIM else 1)


if __name__ == "__main__":
    asyncio.run(main())
