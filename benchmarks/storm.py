"""What a storm of 10,000 alerts costs until its channel stands still, against storing them alone.

    python -m benchmarks.storm [--alerts 10000] [--postgres EMPTY]

Raises alerts in batches as Monitoring commits them, a fifth of them P1, while the notifier delivers to a Slack that
counts; then resolves them all. Time is the real one, so edits are paced as in use: "standing still" is how long
after the last commit the channel shows the truth. The same storm of a tenth shows whether the cost of an alert
grows with their number. Exits with 1 where storing takes more than twice as long as alone.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.announcing import Announcer
from bot.channels.delivery import Payload, Posted, Upload
from bot.domain.alert import Alert, Firing, fire, recover
from bot.domain.observation import Source, SourceKind
from bot.domain.severity import Severity
from bot.notifier import Notifier
from storage.database import Database
from storage.schema import upgrade

BATCH = 256
AIM = 2.0


def clock() -> datetime:
    return datetime.now(UTC)


@dataclass
class Counted:
    """A Slack that takes everything at once and counts."""

    calls: Counter[str] = field(default_factory=Counter)

    async def ping(self) -> None:
        self.calls["ping"] += 1

    async def post(self, channel: str, payload: Payload, **_named: Any) -> Posted:
        self.calls["post"] += 1
        return Posted(channel=channel, ts=f"{self.calls.total()}.0")

    async def update(self, posted: Posted, payload: Payload) -> None:
        self.calls["edit"] += 1

    async def upload(self, channel: str, file: Upload, **_named: Any) -> Posted:
        self.calls["upload"] += 1
        return Posted(channel=channel, ts=f"{self.calls.total()}.0")

    async def find(self, channel: str, key: str, **_named: Any) -> Posted | None:
        return None


def firing(number: int) -> Firing:
    return Firing(
        rule="jobs.failed", source=Source(kind=SourceKind.JOB, name=f"job_{number}"), resource=f"job_{number}",
        severity=Severity(1 + number % 5 if number % 5 < 4 else 2), category="jobs", title=f"job_{number} failed",
        message="Look at its log.", reason="exit code 1", fields={"exit_code": 1.0}, mention="@oncall",
    )  # fmt: skip


async def store(database: Database, announcer: Announcer, changes: Sequence[Any], wake: Any) -> list[Alert]:
    """Commit changes in batches; the alerts as they are then."""
    found = []
    for start in range(0, len(changes), BATCH):
        async with database.transaction() as connection:
            for change in changes[start : start + BATCH]:
                found.append(await announcer.store(connection, change, clock()))
        wake()
    return found


@dataclass
class Figures:
    """Seconds to raise and to resolve them all, and until the channel stood still after each."""

    raised: float
    still: float
    resolved: float
    over: float
    calls: Counter[str]


async def play(address: str, count: int, *, told: bool) -> Figures:
    """A storm and its end, with a notifier or without."""
    database = Database(address)
    await upgrade(database)
    announcer = Announcer(database=database, channel="#alerts")
    slack = Counted()
    notifier = Notifier(
        database=database, destinations={"slack": slack}, default_channel="#alerts", clock=clock,
        mention=lambda names: " ".join(f"<@{name}>" for name in names), owner="bench",
    )  # fmt: skip
    running = asyncio.create_task(notifier.run()) if told else None
    wake = notifier.wake if told else lambda: None
    began = time.perf_counter()
    alerts = await store(database, announcer, [fire(firing(n), clock()) for n in range(count)], wake)
    raised = time.perf_counter() - began
    still = await stand_still(notifier) if told else 0.0
    began = time.perf_counter()
    await store(database, announcer, [recover(alert, "fine", clock()) for alert in alerts], wake)
    resolved = time.perf_counter() - began
    over = await stand_still(notifier) if told else 0.0
    await notifier.stop()
    if running is not None:
        await running
    await database.close()
    return Figures(raised=raised, still=still, resolved=resolved, over=over, calls=slack.calls)


async def stand_still(notifier: Notifier) -> float:
    """Seconds until nothing is owed any more."""
    began = time.perf_counter()
    while (due := await notifier.drain()) is not None:
        await asyncio.sleep(max((due - clock()).total_seconds(), 0.01))
    return time.perf_counter() - began


async def compare(name: str, addresses: Sequence[str], count: int) -> float:
    """Print one kind of database's figures; returns the ratio of storing."""
    small = await play(addresses[0], count // 10, told=True)
    alone = await play(addresses[1], count, told=False)
    storm = await play(addresses[2], count, told=True)
    print(f"\n{name}: {count:,} alerts")
    for what, figures in (("stored alone", alone), ("with Slack", storm), (f"{count // 10:,} only", small)):
        print(
            f"  {what:14} raised in {figures.raised:6.2f} s, still after {figures.still:5.2f} s; "
            f"resolved in {figures.resolved:6.2f} s, still after {figures.over:5.2f} s; {dict(figures.calls)}"
        )
    ratio = (storm.raised + storm.resolved) / (alone.raised + alone.resolved)
    growth = (storm.raised + storm.resolved) / (small.raised + small.resolved) / 10
    print(
        f"  with Slack against stored alone {ratio:.2f}; an alert of {count:,} against one of a tenth {growth:.2f}"
    )
    return ratio


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--postgres", nargs=3, metavar="EMPTY", help="three empty databases")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = [f"sqlite:///{folder}/{name}.db" for name in ("small", "alone", "storm")]
        ratios = [await compare("SQLite", files, options.alerts)]
    if options.postgres:
        ratios.append(await compare("PostgreSQL", options.postgres, options.alerts))
    raise SystemExit(0 if max(ratios) <= AIM else 1)


if __name__ == "__main__":
    asyncio.run(main())
