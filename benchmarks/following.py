"""How long 100,000 lines of a run log take to be swallowed, and what checks notice of it.

    python -m benchmarks.following [--lines 100000] [--postgres ADDRESS]

The same file is first read and parsed alone, which is the least that anybody could do with it. Then a check starts
fifty times a second, first without anything else and then while the file is followed: how late it starts (the
loop's lag), and how long what it found takes until it is committed. Prints ratios to both baselines; exits with 1
where a check started more than half a second late, or where lines are missing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles

import sqlalchemy as sa
import structlog

from bot.announcing import Announcer
from bot.config import parse
from bot.config.rulebook import rulebook
from bot.domain.clock import system_clock
from bot.domain.observation import Observation, Source, SourceKind
from bot.following.following import Following
from bot.monitoring import Monitoring
from checks.result import State
from storage.database import Database
from storage.schema import upgrade
from storage.tables import runs

LINES = 100_000
JOBS = 20
EVERY = 0.02
ALONE = 3.0
AIM = 0.5


def write(path: Path, count: int) -> None:
    """Runs of some jobs up to now, a twentieth of them failed."""
    chance, now = random.Random(1), datetime.now(UTC)
    with path.open("w") as file:
        for number in range(count):
            failed = chance.random() < 0.05
            run = {
                "timestamp": (now - timedelta(milliseconds=10 * (count - number))).isoformat(),
                "job_name": f"job_{number % JOBS:02}",
                "status": "ERROR" if failed else "SUCCESS",
                "duration_seconds": round(chance.uniform(1, 300), 1),
                "rows_processed": chance.randrange(100_000),
                "rows_valid": chance.randrange(100_000),
                "pct_invalid": round(chance.uniform(0, 5), 2),
                "exit_code": int(failed),
                "log_level": "ERROR" if failed else "INFO",
            }
            file.write(json.dumps(run) + "\n")


def read_alone(path: Path) -> float:
    """Seconds to read and parse the file, and nothing else."""
    start = time.perf_counter()
    with path.open("rb") as file:
        for line in file:
            json.loads(line)
    return time.perf_counter() - start


@dataclass
class Checks:
    """A check fifty times a second, how late each start was and how long until its result was committed."""

    monitoring: Monitoring
    late: list[float] = field(default_factory=list)
    stored: list[float] = field(default_factory=list)
    _waiting: list[float] = field(default_factory=list)

    def committed(self) -> None:
        """Called after every commit: all but those that still queue are stored, the oldest first."""
        now, count = time.perf_counter(), len(self._waiting) - len(self.monitoring._observed)
        self.stored += [now - since for since in self._waiting[:count]]
        del self._waiting[:count]

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        source = Source(kind=SourceKind.CHECK, name="web")
        due = loop.time()
        while True:
            due += EVERY
            await asyncio.sleep(due - loop.time())
            self.late.append(max(0.0, loop.time() - due))
            self._waiting.append(time.perf_counter())
            self.monitoring.observe(
                Observation(source=source, resource="web", state=State.OK, at=system_clock())
            )
            due = max(due, loop.time() - EVERY)  # one that was late is late once


async def during(
    work: Callable[[], Awaitable[None]], checks: Checks
) -> tuple[float, list[float], list[float]]:
    """Seconds that the work takes, and the lags of checks meanwhile."""
    checks.late.clear()
    checks.stored.clear()
    running = asyncio.create_task(checks.run())
    start = time.perf_counter()
    await work()
    taken = time.perf_counter() - start
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await checks.monitoring.settle()
    return taken, sorted(checks.late), sorted(checks.stored)


def show(what: str, alone: list[float], busy: list[float]) -> None:
    picks: dict[str, Callable[[list[float]], float]] = {
        "median": lambda found: found[len(found) // 2],
        "p99": lambda found: quantiles(found, n=100)[98],
        "greatest": max,
    }
    for name, pick in picks.items():
        one, other = pick(alone), pick(busy)
        print(f"{what:28} {name:9} {1000 * one:8.2f} ms {1000 * other:9.2f} ms  ratio {other / one:8.2f}")


async def measure(path: Path, address: str, count: int) -> bool:
    alone = min(read_alone(path) for _ in range(3))
    config = f"slack: {{channel: '#ops'}}\nrun_logs: [{{path: '{path}'}}]\njobs: {{job_00: {{budget: 5m}}}}\n"
    settings = parse(config.encode(), "tocsin.yml", {}, tokens_needed=False)
    database = Database(address)
    await upgrade(database)
    checks: Checks | None = None

    def wake() -> None:
        if checks is not None:
            checks.committed()

    monitoring = Monitoring(
        database=database,
        rulebook=rulebook(settings),
        announcer=Announcer(database=database, channel="#ops"),
        clock=system_clock,
        wake=wake,
    )
    checks = Checks(monitoring)
    monitoring.start()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    following = Following(
        settings=settings, database=database, monitoring=monitoring, clock=system_clock, wake=lambda: None
    )

    async def swallow() -> None:
        (follower,) = following.followers
        while await follower.tick():
            await asyncio.sleep(0)

    _, late, stored = await during(lambda: asyncio.sleep(ALONE), checks)
    taken, late_busy, stored_busy = await during(swallow, checks)
    async with database.snapshot() as connection:
        kept = await connection.scalar(sa.select(sa.func.count()).select_from(runs)) or 0
    await following.stop()
    await monitoring.stop()
    await database.close()
    print(f"{count:,} lines: read and parsed alone {alone:.2f} s ({count / alone:,.0f} a second)")
    print(
        f"{count:,} lines: swallowed in {taken:.1f} s ({count / taken:,.0f} a second), ratio {taken / alone:.1f}"
    )
    print(f"{'':28} {'':9} {'alone':>11} {'meanwhile':>12}")
    show("a check starts late by", late, late_busy)
    show("what it found is stored in", stored, stored_busy)
    if kept != count:
        print(f"only {kept:,} runs are there")
    return kept == count and late_busy[-1] <= AIM


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--postgres", metavar="ADDRESS", help="an empty database, in place of SQLite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "runs.jsonl"
        write(path, options.lines)
        address = options.postgres or f"sqlite:///{scratch}/tocsin.db"
        good = await measure(path, address, options.lines)
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    asyncio.run(main())
