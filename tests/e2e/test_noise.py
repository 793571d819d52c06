"""What keeps the channel readable: alerts that explain others, and checks that go back and forth."""

import asyncio
from datetime import timedelta
from pathlib import Path

from tests.e2e.harness import SHOP, Story, shown, story

INHIBIT = """
inhibit:
  - {when: name == 'database_down', hold: name == 'checkout_error', equal: [resource]}
"""


async def test_an_alert_that_another_explains_is_told_only_when_the_other_is_over(tmp_path: Path) -> None:
    async with story(tmp_path, SHOP + INHIBIT) as told:
        database = {"alert_type": "database_down", "title": "No database", "resource": "eu"}
        checkout = {"alert_type": "checkout_error", "title": "Checkout fails", "resource": "eu"}
        await told.post("/api/v1/alerts", database)
        await told.alert("No database")
        await told.post("/api/v1/alerts", checkout)
        await told.post("/api/v1/alerts", {**checkout, "resource": "us"})
        await told.settle()
        meanwhile = told.alerts("Checkout fails")

        await told.post("/api/v1/alerts", {**database, "status": "resolved"})
        told.skip(timedelta(seconds=10))
        await told.tocsin.alerting.tick()
        await told.settle()
        after = told.alerts("Checkout fails")

        await told.post("/api/v1/alerts", {**checkout, "status": "resolved"})
        await told.settle()
        resolved = told.alerts("Resolved: Checkout fails")

    assert len(meanwhile) == 1
    assert "`us`" in shown(meanwhile[0])
    assert len(after) == 2
    assert len(resolved) == 1


async def looked_once(told: Story, status: int) -> None:
    """Let the service answer so, and the check look once, a minute after the last look."""
    (before,) = (await told.tocsin.reporting.overview()).checks
    told.skip(timedelta(minutes=1))
    await told.change(status)
    async with asyncio.timeout(15):
        while True:
            (now,) = (await told.tocsin.reporting.overview()).checks
            if now.standing is not None and (before.standing is None or now.standing.at > before.standing.at):
                return
            await asyncio.sleep(0.005)


async def test_a_check_that_goes_back_and_forth_keeps_one_message_and_a_short_thread(tmp_path: Path) -> None:
    async with story(tmp_path, every="1d") as told:
        await told.looked()
        for turn in range(16):
            await looked_once(told, 200 if turn % 2 else 500)
        await told.settle()
        (message,) = told.alerts()
        lines = told.thread(message)
        flapping = shown(message)
        for _ in range(21):
            await looked_once(told, 200)
        await told.becomes(message, "Resolved: backend is down")

    assert "backend is down (flapping)" in flapping
    assert "changed between bad and good" in flapping
    assert len([line for line in lines if "Recovered" in line]) == 2
    assert len([line for line in lines if "Flapping" in line]) == 1
