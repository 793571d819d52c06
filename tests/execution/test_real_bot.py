"""`tocsin exec`, the client and curl against the whole bot: what they report raises and resolves alerts in Slack."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.app import Tocsin
from bot.client import Client
from bot.config import parse
from bot.demo.workspace import LocalWorkspace
from bot.domain.run_filter import RunFilter
from storage import runs
from tests.execution.machine import TOKEN, Machine, ended
from tests.execution.test_examples import curl
from tests.workspace_client import without_proxies

CONFIG = """
name: Jobs
database: "sqlite:///{folder}/tocsin.db"
slack: {{channel: "#alerts"}}
http: {{bind: "127.0.0.1:0", token: a-token-for-the-api}}
jobs:
  nightly: {{schedule: "0 6 * * *", timeout: 5m}}
alerts:
  - {{name: Job Timeout, condition: exit_code == 124, severity: CRITICAL, message: "over {{max_seconds}} s"}}
  - {{name: Started twice, condition: error == 'duplicate_run', severity: WARNING, message: "{{lock_age_seconds}}"}}
  - {{name: Job Failed, condition: exit_code != 0, severity: WARNING, message: "exit code {{exit_code}}"}}
"""


@pytest.fixture
async def workspace() -> AsyncIterator[LocalWorkspace]:
    with without_proxies():
        async with LocalWorkspace() as running:
            yield running


@pytest.fixture
async def tocsin(workspace: LocalWorkspace, machine: Machine) -> AsyncIterator[Tocsin]:
    environ = {
        "SLACK_BOT_TOKEN": workspace.bot_token,
        "SLACK_APP_TOKEN": workspace.app_token,
        "SLACK_API_URL": workspace.api_url,
    }
    bot = Tocsin(parse(CONFIG.format(folder=machine.folder).encode(), "tocsin.yml", environ))
    await bot.start()
    running = asyncio.create_task(bot.run())
    machine.environ |= {"TOCSIN_URL": f"http://127.0.0.1:{bot.http.port}", "TOCSIN_TOKEN": TOKEN}
    try:
        yield bot
    finally:
        bot.request_stop()
        await running
        await bot.stop()


async def known(tocsin: Tocsin) -> list[tuple[str, str, int | None]]:
    async with tocsin.database.snapshot() as connection:
        page = await runs.page(connection, RunFilter(limit=50))
    return [(each.job, each.status.value, each.exit_code) for each in reversed(page.runs)]


async def test_runs_of_every_way_in_are_known_once(machine: Machine, tocsin: Tocsin) -> None:
    await machine.job("exit 3", name="failing")
    client = Client(machine.environ["TOCSIN_URL"], TOKEN, spool=machine.environ["TOCSIN_SPOOL"])
    async with client.job("python") as run:
        run.set(rows_processed=1)
    assert await asyncio.to_thread(client.flush, 10)
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", curl(), env=machine.environ, stdout=-1, stderr=-1
    )
    assert (await ended(process)).code == 0
    expected = [("failing", "ERROR", 3), ("python", "SUCCESS", 0), ("parse_reservations", "ERROR", 3)]
    assert await known(tocsin) == expected


async def test_a_timeout_is_in_slack_and_gone_after_the_next_run(
    machine: Machine, tocsin: Tocsin, workspace: LocalWorkspace
) -> None:
    def shown(text: str) -> bool:
        return any(text in str(message) for message in workspace.messages("alerts"))

    await machine.job("echo the last words; sleep 60", "--timeout", "200ms")
    await workspace.wait_for(lambda: shown("over 0.2 s"), 20)
    await machine.job("true")
    await workspace.wait_for(lambda: shown("Resolved") or shown("resolved"), 20)
    assert await known(tocsin) == [("nightly", "TIMEOUT", 124), ("nightly", "SUCCESS", 0)]


async def test_a_bot_that_was_down_hears_every_run_once_when_it_is_back(
    machine: Machine, tocsin: Tocsin
) -> None:
    address = machine.environ["TOCSIN_URL"]
    machine.environ["TOCSIN_URL"] = "http://127.0.0.1:9"
    await machine.job("exit 1")
    await machine.job("true")
    machine.environ["TOCSIN_URL"] = address
    await asyncio.gather(*(machine.exec("--flush") for _ in range(3)))
    await machine.job("true")
    await machine.exec("--flush")
    assert await known(tocsin) == [
        ("nightly", "ERROR", 1),
        ("nightly", "SUCCESS", 0),
        ("nightly", "SUCCESS", 0),
    ]
    assert machine.waiting() == []
