"""Alerts that services and people raise, from HTTP, Python and Slack to the channel and back."""

import asyncio
from datetime import timedelta
from pathlib import Path

from bot.client import Client
from tests.e2e.harness import ALEX, TOKEN, Json, Story, shown, story

ERROR = {
    "alert_type": "checkout_error",
    "title": "Checkout fails with KeyError",
    "message": "KeyError: 'cart' in POST /checkout",
    "resource": "api-1",
    "metadata": {"endpoint": "/checkout"},
    "stack_trace": "Traceback (most recent call last)\n  File shop.py, line 3\nKeyError: 'cart'",
    "affected_users": 45,
    "error_count": 12,
    "recommendations": ["Roll back the deployment of 14:02"],
}


async def get(told: Story, path: str) -> tuple[int, Json]:
    url = f"http://127.0.0.1:{told.tocsin.http.port}{path}"
    async with told.http.get(url, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        return answer.status, await answer.json()


async def test_an_error_that_a_service_posts_says_all_that_it_knows(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        status, answer = await told.post("/api/v1/alerts", ERROR)
        message = await told.alert("Checkout fails")

    assert (status, answer["outcome"], answer["count"]) == (202, "accepted", 1)
    text = shown(message)
    assert "*P1 critical: Checkout fails with KeyError*" in text
    for said in ("KeyError: 'cart' in POST /checkout", "Users affected", "45", "shop.py, line 3",
                 "endpoint: /checkout", "1. Roll back the deployment of 14:02", "`api-1`"):  # fmt: skip
        assert said in text


async def test_sixty_in_an_hour_are_one_alert_and_the_source_ends_it(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        for _ in range(60):
            answer = await told.post("/api/v1/alerts", ERROR)
            told.skip(timedelta(seconds=50))
        assert answer[1]["count"] == 60
        await told.settle()
        message = await told.alert("Checkout fails")

        over = await told.post("/api/v1/alerts", {**ERROR, "status": "resolved", "message": "fixed"})
        await told.becomes(message, "Resolved: Checkout fails")

    assert over[1]["status"] == "resolved"


async def test_one_that_nobody_mentions_again_expires_after_a_day(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        await told.post("/api/v1/alerts", ERROR)
        message = await told.alert("Checkout fails")
        told.skip(timedelta(hours=25))
        await told.tocsin.alerting.tick()
        await told.becomes(message, "Expired: Checkout fails")


async def test_what_does_not_fit_is_refused_by_path_and_the_rest_is_taken(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        one = await told.post("/api/v1/alerts", {"title": "no type", "severity": "loud", "error_count": -1})
        several = await told.post("/api/v1/alerts", [ERROR, 7, {"alert_type": ""}])
        broken = await told.post("/api/v1/alerts", '{"alert_type": ')
        await told.alert("Checkout fails")
        stranger = await told.post("/api/v1/alerts", ERROR, token="another")

    assert one[0] == 422
    assert {each["path"] for each in one[1]["details"]} == {"alert_type", "severity", "error_count"}
    assert several[0] == 202
    assert [item["outcome"] for item in several[1]["items"]] == ["accepted", "refused", "refused"]
    assert (broken[0], broken[1]["error"][:24]) == (400, "the body is not JSON: Ex")
    assert stranger[0] == 401


async def test_alerts_are_listed_and_acted_on_by_http(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        for number in range(3):
            await told.post("/api/v1/alerts", {**ERROR, "resource": f"api-{number}"})
        first = await get(told, "/api/v1/alerts?state=open&severity=P1&limit=2")
        rest = await get(told, f"/api/v1/alerts?limit=2&cursor={first[1]['cursor']}")
        number = first[1]["items"][0]["id"]
        path = f"/api/v1/alerts/{number}"
        taken = await told.post(f"{path}/acknowledge", {"by": "the night shift", "note": "looking"})
        again = await told.post(f"{path}/acknowledge", {})
        wrong = await told.post(f"{path}/silence", {"for": "soon"})
        quiet = await told.post(f"{path}/silence", {"for": "2h", "reason": "known"})
        ended = await told.post(f"{path}/resolve", {})
        whole = await get(told, path)
        unknown = await told.post("/api/v1/alerts/999/resolve", {})
        nonsense = await get(told, "/api/v1/alerts?state=loud")
        await told.settle()
        messages = told.alerts("acknowledged by the night shift")

    assert (first[1]["total"], len(first[1]["items"]), len(rest[1]["items"]), rest[1]["cursor"]) == (
        3,
        2,
        1,
        None,
    )
    assert (taken[0], taken[1]["acknowledged_by"], taken[1]["note"]) == (200, "the night shift", "looking")
    assert (again[0], again[1]["error"]) == (
        409,
        f"alert {number} is already acknowledged by the night shift",
    )
    assert wrong[0] == 422
    assert wrong[1]["details"][0]["path"] == "for"
    assert quiet[1]["silenced_until"]
    assert ended[1]["status"] == "resolved"
    assert [event["kind"] for event in whole[1]["history"]] == [
        "fired",
        "acknowledged",
        "silenced",
        "resolved",
    ]
    assert (unknown[0], nonsense[0]) == (404, 422)
    assert "state=loud: write one of open, all, active" in nonsense[1]["error"]
    assert messages == []  # it was resolved before anything was posted, or shows so now


async def test_python_code_raises_an_alert_through_the_client(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        client = Client(f"http://127.0.0.1:{told.tocsin.http.port}", TOKEN, spool=str(tmp_path / "spool"))
        client.alert("slow_query", "Orders take 4 s", "SELECT … FROM orders", severity="P3", resource="db-1")
        delivered = await asyncio.to_thread(client.flush, 10)
        message = await told.alert("Orders take 4 s")

    assert delivered
    assert "P3 medium" in shown(message)


async def test_a_person_raises_an_alert_in_one_line(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        said = await told.ask("/tocsin", "alert P1 Checkout is slow")
        repeated = await told.ask("/tocsin", "alert P1 checkout is SLOW!")
        message = await told.alert("*P1 critical: checkout is")

    assert "Alert #1 (P1) is raised: Checkout is slow." in said
    assert "Alert #1 (P1) is raised: checkout is SLOW!, seen 2 times by now." in repeated
    text = shown(message)
    assert "Raised by" in text
    assert f"<@{ALEX}>" in text


async def test_a_person_raises_an_alert_in_a_window(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        outcome = await told.workspace.command("alerts", "/tocsin", "alert", user=ALEX)
        assert outcome.ok
        window = await told.modal()
        filled = {
            "title": "Phones are dead",
            "severity": "medium",
            "resource": "pbx",
            "message": "Since 14:00, all of the second floor",
        }
        assert (await told.workspace.submit(window["id"], filled, user=ALEX)).ok
        message = await told.alert("Phones are dead")
        await told.told(ALEX, "Alert #1 (P3) is raised")

    assert "P3 medium" in shown(message)
    assert "all of the second floor" in shown(message)
    assert "`pbx`" in shown(message)
