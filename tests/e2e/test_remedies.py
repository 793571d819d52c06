"""Remedies as people see them: restarted and recovered, given up, approved, refused, rehearsed."""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from redis.asyncio import Redis

from tests.checks.surroundings import absent, require_service
from tests.e2e.harness import ALEX, KIM, SAM, Json, Story, buttons, shown, story

SHOP = """
name: Shop
database: {database}
slack: {channel: "#alerts"}
http: {bind: "127.0.0.1:0", token: a-token-for-the-api}
people: {ops: [U0ALEX, U0SAM]}
permissions: {remedy: [ops]}
checks:
  backend: {type: http, every: 10m, url: "{service}/health", mention: "@ops"}
remedies:
  restart:
    when: check in ['backend', 'frontend'] && severity == 'critical'
    request:
      method: POST
      url: "{service}/v1/services/srv-1/restart"
      headers: {Authorization: "Bearer a-secret-for-restarts"}
    verify_after: 30s
    attempts: 2
    per: 1h
"""


@dataclass
class Platform:
    """A service with an API that restarts it. `heals`: whether a restart helps."""

    heals: bool = True
    healthy: bool = False
    answer: int = 202
    restarts: list[str] = field(default_factory=list)
    url: str = ""

    async def health(self, _request: web.Request) -> web.Response:
        return web.Response(status=200 if self.healthy else 503, text="as it is")

    async def restart(self, request: web.Request) -> web.Response:
        self.restarts.append(f"{request.method} {request.path} {request.headers.get('Authorization', '')}")
        self.healthy = self.healthy or self.heals
        return web.Response(status=self.answer, text=f"token {request.headers.get('Authorization', '')}")


@asynccontextmanager
async def platform() -> AsyncIterator[Platform]:
    """A platform on a port of its own."""
    found = Platform()
    app = web.Application()
    app.router.add_get("/health", found.health)
    app.router.add_route("*", "/{tail:.*}", found.restart)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()


async def remedied(told: Story, until: timedelta = timedelta(minutes=5)) -> None:
    """Let remedies do all they have to do within a time."""
    end = told.clock() + until
    await told.tocsin.monitoring.settle()
    while (due := await told.tocsin.remedying.drain()) is not None and due <= end:
        told.clock.skip_to(due)
    await told.settle()


def lines(told: Story, message: Json) -> list[str]:
    """What remedies say in an alert's thread."""
    return [line for line in told.thread(message) if "ecover" in line or "approved" in line]


@pytest.fixture
async def paas() -> AsyncIterator[Platform]:
    async with platform() as found:
        yield found


async def down(told: Story) -> Json:
    """The message about the backend that is down."""
    await told.look()
    return await told.alert("backend")


async def test_a_service_that_is_down_is_restarted_and_recovers(tmp_path: Path, paas: Platform) -> None:
    async with story(tmp_path, SHOP.replace("{service}", paas.url)) as told:
        message = await down(told)
        await remedied(told)
        await told.becomes(message, "Resolved: backend is down")

        assert paas.restarts == ["POST /v1/services/srv-1/restart Bearer a-secret-for-restarts"]
        said = lines(told, message)
        assert said[0] == (
            f":wrench: Recovery: running restart (attempt 1 of 2 in 1 h): POST {paas.url}/v1/services/srv-1/restart"
        )
        assert "restart is done: HTTP 202 Accepted" in said[1]
        assert "the check runs again in 30 s" in said[1]
        assert "backend recovered by restart after 3" in said[-1]
        assert "(attempt 1 of 2 in 1 h)" in said[-1]
        assert "a-secret" not in told.transcript() + "".join(told.thread(message))


async def test_after_two_attempts_in_vain_somebody_is_called_and_there_is_no_third(
    tmp_path: Path, paas: Platform
) -> None:
    paas.heals = False
    async with story(tmp_path, SHOP.replace("{service}", paas.url)) as told:
        message = await down(told)
        await remedied(told)
        await told.see(lambda: "Recovery failed" in "".join(told.thread(message)))

        assert len(paas.restarts) == 2
        said = lines(told, message)
        assert [line.split(": ")[2][:31] for line in said] == [
            "running restart (attempt 1 of 2",
            "restart is done",
            "backend is still failing after ",
            "running restart (attempt 2 of 2",
            "restart is done",
            "backend is still failing after ",
        ]
        assert "(attempt 1 of 2 in 1 h): HTTP 503" in said[2]
        assert said[-1].startswith(
            ":rotating_light: Recovery failed: backend is still failing after restart, 2 of 2 attempts in 1 h"
        )
        assert said[-1].endswith(f"Somebody must look <@{ALEX}> <@{SAM}>")
        (posted,) = [
            call.args for call in told.workspace.calls if "Recovery failed" in str(call.args.get("text"))
        ]
        assert posted["reply_broadcast"] in (True, "1", "true", 1), "it shows in the channel as well"

        await told.restart()
        for _ in range(3):
            told.clock.skip(timedelta(minutes=10))
            await told.look()
            await told.looked()
            await remedied(told)
        assert len(paas.restarts) == 2


PAGED = """
people: {ops: [U0ALEX, U0SAM], lead: U0KIM}
routes: [{to: [slack], escalation: page}]
escalation:
  page: {steps: [{after: 1h, mention: "@lead", note: Call the provider}]}
"""


async def test_a_recovery_that_failed_takes_the_next_step_of_the_escalation_at_once(
    tmp_path: Path, paas: Platform
) -> None:
    paas.heals = False
    shop = SHOP.replace("{service}", paas.url).replace("people:", "x-people:") + PAGED
    async with story(tmp_path, shop) as told:
        message = await down(told)
        await remedied(told)
        await told.see(lambda: "taken at once" in "".join(told.thread(message)))
        for _ in range(3):
            told.skip(timedelta(minutes=30))
            await told.tocsin.escalating.tick()
        await told.settle()
        steps = [line for line in told.thread(message) if "mega" in line]

    assert len(steps) == 1
    assert "The recovery failed, so the next step of page is taken at once. Call the provider" in steps[0]
    assert f"<@{KIM}>" in steps[0]


async def test_what_comes_back_within_the_period_gets_only_what_is_left_of_it(
    tmp_path: Path, paas: Platform
) -> None:
    async with story(tmp_path, SHOP.replace("{service}", paas.url)) as told:
        message = await down(told)
        for _ in range(2):
            await remedied(told)
            await told.becomes(message, "Resolved: backend is down")
            await told.settle()
            paas.healthy = False
            await told.look()
            await told.becomes(message, "P1 critical: backend is down")
        await remedied(told)
        await told.see(lambda: "Recovery failed" in told.thread(message)[-1])
        assert len(paas.restarts) == 2
        assert (
            "restart is not run again: 2 of 2 attempts in 1 h are used. Somebody must look"
            in told.thread(message)[-1]
        )


async def test_a_restart_that_is_refused_says_so_without_its_secret(tmp_path: Path, paas: Platform) -> None:
    paas.heals, paas.answer = False, 401
    config = SHOP.replace("{service}", paas.url).replace("attempts: 2", "attempts: 1")
    async with story(tmp_path, config) as told:
        message = await down(told)
        await remedied(told)
        said = lines(told, message)
        assert "restart did not work: HTTP 401 Unauthorized: token" in said[1]
        assert "a-secret" not in "".join(said)
        assert "1 of 1 attempts in 1 h" in said[-1]


async def test_a_silenced_problem_is_left_alone_until_it_is_heard_again(
    tmp_path: Path, paas: Platform
) -> None:
    async with story(tmp_path, SHOP.replace("{service}", paas.url)) as told:
        await told.tocsin.monitoring.settle()
        message = await down(told)
        number = int(str(message["metadata"]["event_payload"]["key"]).split(":")[1])
        await told.tocsin.alerting.silence(number, ALEX, timedelta(hours=2), "we work on it")
        await remedied(told, timedelta(minutes=30))
        assert paas.restarts == []
        await told.tocsin.alerting.unsilence(number, ALEX)
        await remedied(told)
        await told.becomes(message, "Resolved: backend is down")
        assert len(paas.restarts) == 1


async def test_two_checks_that_one_restart_mends_get_one_restart(tmp_path: Path, paas: Platform) -> None:
    config = SHOP.replace("{service}", paas.url).replace(
        "remedies:", f'  frontend: {{type: http, every: 10m, url: "{paas.url}/health"}}\nremedies:'
    )
    async with story(tmp_path, config) as told:
        first, second = await told.alert("backend"), await told.alert("frontend")
        await remedied(told)
        await told.becomes(first, "Resolved: backend")
        await told.becomes(second, "Resolved: frontend")
        assert len(paas.restarts) == 1


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(tmp_path: Path, paas: Platform) -> None:
    config = SHOP.replace("{service}", paas.url) + "    dry_run: true\n"
    async with story(tmp_path, config) as told:
        message = await down(told)
        await remedied(told)
        (line,) = lines(told, message)
        assert line == (
            ":wrench: Recovery: dry run of restart: now it would run POST "
            f"{paas.url}/v1/services/srv-1/restart and check again after 30 s. Nothing was done"
        )
        assert paas.restarts == []


ZOMBIES = """
name: Keto
database: {database}
slack: {channel: "#alerts"}
people: {ops: [U0ALEX, U0SAM]}
permissions: {remedy: [ops]}
checks:
  readiness:
    type: group
    every: 6h
    report: true
    checks:
      zombie_locks: {type: redis, url: "{redis}", keys: "{prefix}:*", max_age: 2h, severity: medium}
remedies:
  clear_zombie_lock:
    when: check == 'zombie_locks'
    command: [redis-cli, -u, "{redis}", DEL, "{key}"]
    attempts: 1
    approve: true
"""
REDIS = "redis://127.0.0.1:6379/15"


@dataclass
class Locks:
    """Locks in a real Redis, of jobs that died under them."""

    client: Redis
    prefix: str

    async def die(self, *jobs: str) -> None:
        """Let jobs have died three hours ago, each under its lock, one after another."""
        for number, job in enumerate(jobs):
            since = datetime.now(UTC) - timedelta(hours=9 - number)
            await self.client.set(f"{self.prefix}:{job}", since.isoformat())

    async def left(self) -> list[str]:
        return sorted(
            [key.removeprefix(f"{self.prefix}:") async for key in self.client.scan_iter(f"{self.prefix}:*")]
        )


@pytest.fixture
async def locks() -> AsyncIterator[Locks]:
    require_service(REDIS, "Redis")
    if shutil.which("redis-cli") is None:
        absent("no redis-cli here")
    found = Locks(Redis.from_url(REDIS, decode_responses=True), f"tocsin-test-{secrets.token_hex(4)}:cleanup")
    yield found
    for job in await found.left():
        await found.client.delete(f"{found.prefix}:{job}")
    await found.client.aclose()


@asynccontextmanager
async def keto(tmp_path: Path, locks: Locks) -> AsyncIterator[Story]:
    """Tocsin watching the locks of jobs, by today's clock, since the locks carry their time."""
    config = ZOMBIES.replace("{redis}", REDIS).replace("{prefix}", locks.prefix)
    async with story(tmp_path, config, start=datetime.now(UTC)) as told:
        yield told


def run_buttons(message: Json) -> list[Json]:
    """The buttons of an alert that run a remedy."""
    return [
        element
        for attachment in message["attachments"]
        for block in attachment["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
        if str(element["action_id"]).startswith("remedy:")
    ]


async def press_run(told: Story, message: Json, user: str = ALEX) -> None:
    """Press the button that runs a remedy, and say yes."""
    (found,) = run_buttons(message)
    outcome = await told.workspace.click(message["channel"], message["ts"], found["action_id"], user=user)
    assert outcome.ok, outcome


async def offered(told: Story) -> Json:
    """The alert about a zombie lock, once it has its button."""
    message = await told.alert("zombie_locks")
    await remedied(told)
    return await told.becomes(message, "Run clear_zombie_lock")


async def test_a_zombie_lock_is_cleared_by_a_button_once_somebody_approves(
    tmp_path: Path, locks: Locks
) -> None:
    await locks.die("pdfs")
    async with keto(tmp_path, locks) as told:
        message = await offered(told)
        assert buttons(message) == ["Acknowledge", "Resolve", "Silence…", "Run clear_zombie_lock"]
        command = f"redis-cli -u {REDIS} DEL {locks.prefix}:pdfs"
        assert run_buttons(message)[0]["confirm"]["text"]["text"] == f"This runs now: {command}"
        assert await locks.left() == ["pdfs"]

        await press_run(told, message, KIM)
        assert "You may not run remedies here. Ask ops." in shown(await told.told(KIM))
        await press_run(told, message, ALEX)
        await told.see(lambda: any("approved" in line for line in told.thread(message)))
        await remedied(told)
        message = await told.becomes(message, "Resolved: zombie_locks")

        assert await locks.left() == []
        said = lines(told, message)
        assert said[0].endswith(f"clear_zombie_lock on the alert. It would run: {command}")
        assert said[1] == f":wrench: <@{ALEX}> approved the recovery: clear_zombie_lock"
        assert said[2].endswith(f"running clear_zombie_lock (attempt 1 of 1 in 1 h): {command}")
        assert "clear_zombie_lock is done: exit code 0: 1 after" in said[3]
        assert any("zombie_locks recovered by clear_zombie_lock" in line for line in said)
        assert buttons(message) == []


async def test_two_who_press_at_once_give_one_attempt_and_both_are_told(tmp_path: Path, locks: Locks) -> None:
    await locks.die("pdfs")
    async with keto(tmp_path, locks) as told:
        message = await offered(told)
        await asyncio.gather(press_run(told, message, ALEX), press_run(told, message, SAM))
        await told.tocsin.listeners.finish()
        await remedied(told)
        await told.becomes(message, "Resolved: zombie_locks")
        approved = [line for line in told.thread(message) if "approved" in line]
        assert len(approved) == 1
        late = SAM if ALEX in approved[0] else ALEX
        assert "clear_zombie_lock was approved by" in shown(await told.told(late))
        assert sum("running clear_zombie_lock" in line for line in told.thread(message)) == 1


async def test_each_zombie_lock_is_offered_in_its_turn(tmp_path: Path, locks: Locks) -> None:
    await locks.die("pdfs", "links")
    async with keto(tmp_path, locks) as told:
        message = await offered(told)
        await press_run(told, message)
        await told.tocsin.listeners.finish()
        await remedied(told)
        await told.see(lambda: f"DEL {locks.prefix}:links" in "".join(told.thread(message)))
        message = await told.becomes(message, "Run clear_zombie_lock")
        assert await locks.left() == ["links"]
        assert not any("Recovery failed" in line for line in told.thread(message))
        await press_run(told, message)
        await told.tocsin.listeners.finish()
        await remedied(told)
        await told.becomes(message, "Resolved: zombie_locks")
        assert await locks.left() == []


async def test_a_press_on_what_has_changed_meanwhile_runs_nothing_and_shows_what_it_would_run_now(
    tmp_path: Path, locks: Locks
) -> None:
    await locks.die("pdfs", "links")
    async with keto(tmp_path, locks) as told:
        message = await offered(told)
        await locks.client.delete(f"{locks.prefix}:pdfs")
        await told.tocsin.scheduler.run_now("zombie_locks")
        await press_run(told, message)
        assert "has changed meanwhile" in shown(await told.told(ALEX))
        message = await told.becomes(message, "Run clear_zombie_lock")
        await told.see(
            lambda: f"{locks.prefix}:links" in run_buttons(told.again(message))[0]["confirm"]["text"]["text"]
        )
        assert await locks.left() == ["links"]


async def test_an_offer_ends_with_its_alert(tmp_path: Path, locks: Locks) -> None:
    await locks.die("pdfs")
    async with keto(tmp_path, locks) as told:
        message = await offered(told)
        await told.press(message, "resolve")
        message = await told.becomes(message, "Resolved: zombie_locks")
        assert buttons(message) == []
        assert (
            await told.tocsin.remedying.approve(1, "", SAM)
            == "clear_zombie_lock does not wait for approval any more."
        )
        await remedied(told)
        assert await locks.left() == ["pdfs"]
