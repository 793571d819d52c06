"""Everything anyone did, who, when, from where: shown to those who may see it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.incidents import Entered
from tests.e2e.harness import ALEX, KIM, SAM, SHOP, TOKEN, Json, Story, shown, story

GUARDED = SHOP + "\npermissions: {configuration: [U0KIM]}\n"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path, GUARDED) as told:
        yield told


async def audit(told: Story, query: str = "") -> tuple[int, Json]:
    url = f"http://127.0.0.1:{told.tocsin.http.port}/api/v1/audit{query}"
    async with told.http.get(url, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        return answer.status, json.loads(await answer.text())


async def acts(told: Story, query: str = "") -> list[tuple[str, str, str]]:
    """Who, act and from where, the oldest first."""
    status, body = await audit(told, query)
    assert status == 200, body
    return [(each["who"], each["act"], each["via"]) for each in reversed(body["items"])]


async def lived(told: Story) -> None:
    """An alert that people did things to, in Slack and by the API."""
    await told.change(503)
    message = await told.alert("backend")
    await told.press(message, "acknowledge", SAM)
    await told.becomes(message, "acknowledged by")
    status, _ = await told.post("/api/v1/alerts/1/resolve", {"by": "deploy-bot", "note": "rolled back"})
    assert status == 200
    await told.ask("/tocsin", "alert P3 checkout is slow", user=KIM)
    await told.ask("/tocsin", "silence backend 2h moving", user=SAM)


async def test_every_act_is_kept_once_with_what_it_changed(shop: Story) -> None:
    await lived(shop)

    assert await acts(shop) == [
        (SAM, "acknowledged", "slack"),
        ("deploy-bot", "resolved", "api"),
        (KIM, "raised", "slack"),
        (SAM, "silenced", "slack"),
    ]
    _, body = await audit(shop, "?alert=1")
    resolved, acknowledged = body["items"]
    assert (acknowledged["before"], acknowledged["after"]) == ("active", "acknowledged")
    assert (resolved["before"], resolved["after"], resolved["note"]) == (
        "acknowledged", "resolved", "rolled back",
    )  # fmt: skip
    assert resolved["on"] == "backend is down"


async def test_of_two_who_press_at_once_only_the_first_is_kept(shop: Story) -> None:
    await shop.change(503)
    message = await shop.alert("backend")
    await asyncio.gather(shop.press(message, "acknowledge", SAM), shop.press(message, "acknowledge", ALEX))

    (first,) = await shop.see(
        lambda: {SAM, ALEX} & set(re.findall(r"acknowledged by <@(\w+)>", shown(shop.again(message))))
    )
    await shop.told(ALEX if first == SAM else SAM, "already acknowledged")
    assert await acts(shop) == [(first, "acknowledged", "slack")]


async def test_silences_are_kept_from_their_making_to_their_end(shop: Story) -> None:
    await shop.change(503)
    message = await shop.alert("backend")
    await shop.press(message, "silence", SAM)
    window = await shop.modal(SAM)
    await shop.workspace.submit(window["id"], {"length": "2h", "note": "moving"}, user=SAM)
    await shop.becomes(message, "Silenced: backend is down")
    await shop.press(shop.again(message), "unsilence", ALEX)
    await shop.see(lambda: any("ended the silence" in line for line in shop.thread(message)))
    status, made = await shop.post("/api/v1/silences", {"match": "severity == 'low'", "for": "1h"})
    assert status == 201, made
    await shop.http.delete(
        f"http://127.0.0.1:{shop.tocsin.http.port}/api/v1/silences/{made['id']}",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )

    assert await acts(shop) == [
        (SAM, "silenced", "slack"),
        (ALEX, "ended the silence", "slack"),
        ("api", "silenced", "api"),
        ("api", "ended the silence", "api"),
    ]


async def test_it_is_shown_to_those_who_may_by_alert_and_by_person(shop: Story) -> None:
    await lived(shop)

    assert "You may not see or change the configuration here" in await shop.ask("/tocsin", "audit", user=ALEX)
    whole = await shop.ask("/tocsin", "audit", user=KIM)
    assert f"<@{SAM}> acknowledged #1 backend is down (active → acknowledged), in Slack" in whole
    assert (
        "deploy-bot resolved #1 backend is down (acknowledged → resolved): _rolled back_, by the API" in whole
    )
    one = await shop.ask("/tocsin", "audit #1 7d", user=KIM)
    assert "checkout" not in one
    for name in (f"<@{SAM}>", "@sam", SAM):
        his = await shop.ask("/tocsin", f"audit {name} 24h", user=KIM)
        assert "silenced silence #1: check == 'backend'" in his
        assert "deploy-bot" not in his
    assert "deploy-bot resolved" in await shop.ask("/tocsin", "audit deploy-bot", user=KIM)
    assert "resolved #1" in await shop.ask("/tocsin", "audit backend", user=KIM)
    assert "I know no alert `nobody`" in await shop.ask("/tocsin", "audit nobody", user=KIM)


async def test_what_is_older_than_the_span_is_left_out_and_goes_with_the_alerts(shop: Story) -> None:
    await lived(shop)
    shop.clock.skip(timedelta(days=2))
    assert "nobody did anything" in await shop.ask("/tocsin", "audit 24h", user=KIM)
    shop.clock.skip(timedelta(days=4000))
    await shop.tocsin.upkeep.sweep()
    assert await acts(shop) == []


@pytest.mark.parametrize(
    ("query", "message"),
    [("?limit=0", "limit=0: write a whole number"), ("?since=soon", "write an instant such as"),
     ("?user=x", "'user' is no parameter here")],
)  # fmt: skip
async def test_a_question_that_cannot_be_read_is_told_what_to_write(
    shop: Story, query: str, message: str
) -> None:
    status, body = await audit(shop, query)
    assert status == 422
    assert message in json.dumps(body)


async def test_nobody_reads_it_without_the_token(shop: Story) -> None:
    async with shop.http.get(f"http://127.0.0.1:{shop.tocsin.http.port}/api/v1/audit") as answer:
        assert answer.status == 401


async def test_settings_drills_and_incidents_leave_their_deeds_too(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        await told.change(503)
        await told.alert("backend")
        await told.ask("/tocsin", "set backend.failures 3 because of the move", user=SAM)
        await told.ask("/tocsin", "unset backend.failures", user=KIM)
        await told.ask("/tocsin", "drill P1", user=ALEX)
        entered = await told.tocsin.incidents.open(1, SAM, "C")
        assert isinstance(entered, Entered)
        await told.tocsin.incidents.close(entered.incident.id, KIM, "a full disk", "cleared")
        _, body = await audit(told)

    found = {(each["who"], each["act"]): each for each in body["items"]}
    assert found[SAM, "set"]["on"] == "checks.backend.failures"
    assert (found[SAM, "set"]["after"], found[SAM, "set"]["note"]) == ("3", "of the move")
    assert (found[KIM, "set back"]["before"], found[KIM, "set back"]["via"]) == ("3", "slack")
    assert found[ALEX, "started"]["on"].startswith("drill #1: ")
    assert found[KIM, "closed"]["on"].startswith("incident #1: ")
    assert found[KIM, "closed"]["note"] == "a full disk"
