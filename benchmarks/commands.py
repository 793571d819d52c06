"""What `/tocsin-status` costs with 500 checks and 1,000,000 runs, against a bare Bolt listener.

    python -m benchmarks.commands [--runs 1000000] [--checks 500] [--rounds 15] [--profile]

Tocsin and a Bolt app that only acknowledges and answers one line each live in a local workspace of their own, in this
process and with the same settings. They take turns: one command at a time, from its envelope to the acknowledgement and
to the reply, then sixteen at once. Exits with 1 where acknowledging takes over three times as long, or fewer than 0.6
times as many commands are answered in a second.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import pstats
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import quantiles
from typing import Any

from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from benchmarks.logs import fill
from bot.app import Tocsin
from bot.config import parse
from bot.demo.workspace import LocalWorkspace
from bot.domain.observation import Observation, Source, SourceKind
from checks.result import State
from storage import sources
from storage.database import Database

ALONE, AT_ONCE, TOGETHER = 20, 16, 96
AIM_ACK, AIM_THROUGHPUT = 3.0, 0.6
_PEOPLE = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One app in a workspace of its own, and what it took, in seconds and commands a second."""

    name: str
    workspace: LocalWorkspace
    acknowledged: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    async def ask(self) -> tuple[float, float]:
        """One command: seconds to the acknowledgement, and to the reply."""
        user = self.workspace.add_user(f"U0BENCH{next(_PEOPLE)}", "someone")
        start = time.perf_counter()
        outcome = await self.workspace.command("general", "/tocsin-status", user=user)
        acknowledged = time.perf_counter() - start
        assert outcome.ok, outcome
        found = await self.workspace.wait_for(lambda: self.workspace.ephemerals(user, "general"), 30)
        answered = time.perf_counter() - start
        assert found[0]["text"]
        return acknowledged, answered

    async def round(self) -> None:
        """Some commands one after the other, then many at once."""
        for _ in range(ALONE):
            acknowledged, answered = await self.ask()
            self.acknowledged.append(acknowledged)
            self.answered.append(answered)
        start, left = time.perf_counter(), iter(range(TOGETHER))

        async def worker() -> None:
            for _ in left:
                await self.ask()

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
        self.rates.append(TOGETHER / (time.perf_counter() - start))


@asynccontextmanager
async def bare() -> AsyncIterator[Side]:
    """A Bolt app that acknowledges and answers a line."""
    async with LocalWorkspace() as workspace:
        client = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
        app = AsyncApp(client=client, process_before_response=True, request_verification_enabled=False)

        tasks: set[asyncio.Task[Any]] = set()

        @app.command("/tocsin-status")
        async def status(ack: Any, respond: Any) -> None:
            await ack()
            tasks.add(
                task := asyncio.create_task(respond("fine"))
            )  # else it would be answered before acknowledged
            task.add_done_callback(tasks.discard)

        handler = AsyncSocketModeHandler(app, workspace.app_token)
        await handler.connect_async()  # type: ignore[no-untyped-call]
        await workspace.wait_for(lambda: workspace.connections)
        yield Side(name="bare", workspace=workspace)
        await handler.close_async()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def tocsin(database: str, checks: int) -> AsyncIterator[Side]:
    """All of Tocsin, on the filled database; its checks are due once a day."""
    async with LocalWorkspace() as workspace:
        environ = {
            "SLACK_BOT_TOKEN": workspace.bot_token,
            "SLACK_APP_TOKEN": workspace.app_token,
            "SLACK_API_URL": workspace.api_url,
        }
        listed = "\n".join(
            f"  check_{n:03}: {{type: file, path: {__file__}, cron: '0 0 1 1 *'}}" for n in range(checks)
        )
        config = (
            f"name: Bench\ndatabase: '{database}'\nhttp: {{bind: '127.0.0.1:0'}}\n"
            f"retention: {{runs: 3650d}}\nchecks:\n{listed}\n"
        )
        bot = Tocsin(parse(config.encode(), "tocsin.yml", environ))
        await bot.start()
        running = asyncio.create_task(bot.run())
        await workspace.wait_for(lambda: workspace.connections, 30)
        yield Side(name="tocsin", workspace=workspace)
        bot.request_stop()
        await running
        await bot.stop()


async def prepare(address: str, runs: int, checks: int) -> None:
    """Runs, and a last word of every check."""
    database, start = Database(address), time.perf_counter()
    await fill(database, runs)
    now = datetime.now(UTC)
    async with database.transaction() as connection:
        for number in range(checks):
            source = Source(kind=SourceKind.CHECK, name=f"check_{number:03}")
            state = State.OK if number % 50 else State.CRITICAL
            last = Observation(
                source=source, resource=source.name, state=state, at=now, summary="200 in 12 ms",
                fields={"latency_ms": 12},
            )  # fmt: skip
            await sources.put(database, connection, last, {}, None)
    await database.close()
    print(f"{runs:,} runs and {checks} checks filled in {time.perf_counter() - start:.0f} s", flush=True)


def share(values: Sequence[float], percent: int) -> float:
    """A percentile in milliseconds."""
    return 1000 * quantiles(values, n=100)[percent - 1]


def compare(plain: Side, whole: Side) -> bool:
    """Print both; whether the aims are met."""
    print(f"\n{'':28}{plain.name:>10}{whole.name:>10}  ratio")
    ratios = {}
    for name, one, other in (
        ("to acknowledgement", plain.acknowledged, whole.acknowledged),
        ("to reply", plain.answered, whole.answered),
    ):
        for percent in (50, 99):
            before, after = share(one, percent), share(other, percent)
            ratios[name, percent] = after / before
            print(f"{f'{name}, p{percent}, ms':28}{before:10.2f}{after:10.2f}  {after / before:5.2f}")
    plain_rate, whole_rate = (sorted(side.rates)[len(side.rates) // 2] for side in (plain, whole))
    rate = whole_rate / plain_rate
    print(f"{'answered a second, 16 at once':28}{plain_rate:9.1f}{whole_rate:10.1f}  {rate:5.2f}")
    acknowledged = ratios["to acknowledgement", 50]
    print(
        f"\nacknowledgement {acknowledged:.2f} (aim {AIM_ACK} or less), "
        f"throughput {rate:.2f} (aim {AIM_THROUGHPUT} or more)"
    )
    return acknowledged <= AIM_ACK and rate >= AIM_THROUGHPUT


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--checks", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--profile", action="store_true", help="where Tocsin's time goes")
    parser.add_argument("--keep", type=Path, help="a database that is filled already, or to be kept")
    options = parser.parse_args()
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]  # slack_sdk sends even loopback calls through them
    with tempfile.TemporaryDirectory() as scratch:
        file = options.keep or Path(scratch) / "tocsin.db"
        if not file.exists():
            await prepare(f"sqlite:///{file}", options.runs, options.checks)
        async with bare() as plain, tocsin(f"sqlite:///{file}", options.checks) as whole:
            await asyncio.sleep(5)  # what is due at the start has been done
            for side in (plain, whole):
                await side.round()
            for side in (plain, whole):
                for values in (side.acknowledged, side.answered, side.rates):
                    values.clear()
            for _ in range(options.rounds):
                await plain.round()
                await whole.round()
            if options.profile:
                await _profiled(whole)
            met = compare(plain, whole)
    raise SystemExit(0 if met else 1)


async def _profiled(side: Side) -> None:
    profile = cProfile.Profile()
    profile.enable()
    await side.round()
    profile.disable()
    pstats.Stats(profile).sort_stats("cumulative").print_stats(60)


if __name__ == "__main__":
    asyncio.run(main())
