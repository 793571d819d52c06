"""Settings changed while Tocsin runs, as people and machines meet it: commands, a window, buttons, the API."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.harness import ALEX, KIM, SAM, SHOP, TOKEN, Json, Story, buttons, key_of, shown, story
from tests.e2e.test_command_line import tocsin

QUEUE = (
    SHOP
    + """
  queue:
    type: http
    url: {service}/queue
    every: 10m
    extract: {depth: depth}
    thresholds: {depth: 100}
alerts:
  - {name: Slow orders, condition: orders_slow > 3, severity: P3}
people: {admins: [U0ALEX, U0SAM]}
permissions: {configuration: [admins]}
"""
)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path, QUEUE, begin=False) as told:
        told.service.content_type = "application/json"
        told.service.body = '{"depth": 150}'
        await told.start()
        await told.looked()
        yield told


async def answer(told: Story, text: str, user: str = ALEX) -> Json:
    """Give `/tocsin` a text; the answer that only this user sees."""
    before = len(told.workspace.ephemerals(user, "general"))
    outcome = await told.workspace.command("general", "/tocsin", text, user=user)
    assert outcome.ok, outcome
    found = await told.workspace.wait_for(lambda: told.workspace.ephemerals(user, "general")[before:])
    return {**found[0], "channel": "general"}


def changes(told: Story) -> list[Json]:
    """The messages about changed settings in the alerts channel."""
    return [
        {**message, "channel": "alerts"}
        for message in told.workspace.messages("alerts")
        if key_of(message).startswith("override:")
    ]


async def press_revert(told: Story, message: Json, user: str = ALEX, value: str | None = None) -> None:
    outcome = await told.workspace.click(
        message["channel"], message["ts"], "override:revert", user=user, value=value
    )
    assert outcome.ok, outcome


async def request(
    told: Story, method: str, path: str, body: Any = None, token: str = TOKEN
) -> tuple[int, Any]:
    url = f"http://127.0.0.1:{told.tocsin.http.port}{path}"
    headers = {"Authorization": f"Bearer {token}"}
    async with told.http.request(method, url, json=body, headers=headers) as got:
        if "json" in got.content_type:
            return got.status, await got.json()
        return got.status, await got.text()


async def test_a_threshold_changed_in_slack_holds_at_the_next_look_and_shows_everywhere(shop: Story) -> None:
    message = await shop.alert("depth")
    said = shown(await answer(shop, "set queue.depth P3=120 P1=500 because the sale is on"))
    assert "set `checks.queue.thresholds.depth` to `{P3: 120, P1: 500}` (the file says `100`)" in said
    assert "because the sale is on" in said
    (told,) = await shop.see(lambda: changes(shop))
    assert "because the sale is on" in shown(told)

    message = await shop.becomes(message, "threshold `depth` `{P3: 120, P1: 500}`, file says `100`")
    assert f"set by <@{ALEX}> <!date^" in shown(message)
    await shop.change(200, '{"depth": 160}', check="queue")
    message = await shop.becomes(message, "over its threshold of 120")
    assert "P3 medium" in shown(message)
    status = await shop.ask("/tocsin-status", "queue")
    assert "Changed at run time: threshold `depth` `{P3: 120, P1: 500}`, file says `100`" in status
    assert "P3 above 120" in status
    window = await shop.pick(message, "details")
    assert "file says `100`" in shown(window)

    await answer(shop, "set queue.depth 200")
    await shop.look("queue")
    await shop.becomes(message, "Resolved")


async def test_reverted_by_its_button_the_file_holds_again(shop: Story) -> None:
    await answer(shop, "set queue.depth 200")
    (told,) = await shop.see(lambda: changes(shop))
    assert buttons(told) == ["Revert"]
    await press_revert(shop, told, SAM)
    await shop.becomes(told, f"<@{SAM}> took it back")
    assert buttons(shop.again(told)) == []
    await shop.look("queue")
    assert "over its threshold of 100" in shown(await shop.alert("threshold of 100"))
    assert "the file says `100` again" in shown((await shop.see(lambda: changes(shop)[1:]))[0])


async def test_what_is_changed_is_listed_with_the_file_beside_it_and_set_back_from_there(shop: Story) -> None:
    assert "everything is as the file says" in shown(await answer(shop, "overrides"))
    await answer(shop, "set queue.depth 200 because of the sale")
    await answer(shop, 'set rule "Slow orders" severity P2')
    listed = await answer(shop, "overrides")
    assert "2 changed at run time" in shown(listed)
    assert f"`checks.queue.thresholds.depth`* = `200` · the file says `100` · <@{ALEX}>" in shown(listed)
    assert '`alerts."Slow orders".severity`* = `P2` · the file says `P3`' in shown(listed)
    assert buttons(listed) == ["Revert", "Revert"]
    number = shop.tocsin.present.overrides[0].id
    await press_revert(shop, listed, value=str(number))
    await shop.told(ALEX, "1 changed at run time", "general")
    past = shown(await answer(shop, "overrides history"))
    assert f"`checks.queue.thresholds.depth` = `200`, because of the sale · taken back by <@{ALEX}>" in past
    assert '`alerts."Slow orders".severity` = `P2` · holds' in past


async def test_the_yaml_of_slack_and_of_the_command_line_loads(shop: Story, tmp_path: Path) -> None:
    await answer(shop, "set queue.depth P2=200")
    await answer(shop, "set rule “Slow orders” off because nobody acts on it")
    fragment = shop.tocsin.overriding.yaml()
    assert yaml.safe_load(fragment) == {
        "checks": {"queue": {"thresholds": {"depth": {"P2": 200}}}},
        "alerts": None,
    }
    assert "depth: {P2: 200}  # the file says 100, line " in fragment
    shown_in_slack = shown(await answer(shop, "overrides yaml"))
    assert "# remove the rule Slow orders" in shown_in_slack
    config = tmp_path / "tocsin.yml"
    config.write_text(shop.config)
    code, printed = await asyncio.to_thread(tocsin, "overrides", "--yaml", "-c", str(config))
    assert (code, printed) == (0, fragment)
    code, printed = await asyncio.to_thread(tocsin, "overrides", "-c", str(config))
    assert "checks.queue.thresholds.depth = {P2: 200}  (the file says 100)" in printed
    assert printed.count("nobody acts on it") == 1


async def test_the_command_line_says_when_there_is_no_database_and_makes_none(tmp_path: Path) -> None:
    config = tmp_path / "tocsin.yml"
    config.write_text(f"database: sqlite:///{tmp_path}/none.db\n")
    code, printed = await asyncio.to_thread(tocsin, "overrides", "-c", str(config))
    assert code == 1
    assert "there is no database" in printed
    assert not (tmp_path / "none.db").exists()


async def test_it_may_be_changed_only_by_those_who_are_permitted(shop: Story) -> None:
    message = await shop.alert("depth")
    for text in ("set queue.depth 1000", "unset queue.depth"):
        assert "You may not see or change the configuration here. Ask admins." in shown(
            await answer(shop, text, KIM)
        )
    number = key_of(message).split(":")[1]
    await shop.workspace.choose("alerts", message["ts"], "alert:more", f"threshold:{number}", user=KIM)
    await shop.told(KIM, "You may not see or change the configuration here")
    await answer(shop, "set queue.depth 200")
    (told,) = await shop.see(lambda: changes(shop))
    await press_revert(shop, told, KIM)
    assert len(shop.tocsin.present.overrides) == 1
    assert "200" in shown(await answer(shop, "overrides", KIM)), "reading is for everybody"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("set queue.depth lots", '"lots" is not a threshold'),
        ("set qeue.depth 5", 'there is no check, job or rule named "qeue"; did you mean "queue"?'),
        ("set queue.dpeth 5", '"dpeth" is nothing that can be changed at run time; did you mean "depth"?'),
        ("set queue.url http://example.org", '"url" can only be changed in the file'),
        ("set slack.bot_token xoxb-1", 'there is no check, job or rule named "slack"'),
        ("set", "What should be changed?"),
        ("set queue.depth", "What should `queue.depth` be?"),
        ("set rule", "Which rule?"),
        ("set queue.depth 100", "is that already"),
        ("unset queue.depth", "nothing is changed at"),
        ("unset", "What should be changed?"),
        ("set queue.mention @nobody", '"nobody" is nobody under people'),
    ],
)
async def test_nonsense_is_answered_with_what_would_be_understood(shop: Story, text: str, said: str) -> None:
    answered = shown(await answer(shop, text))
    assert said in answered.replace("ˋ", "`")
    assert "Nothing was changed." in answered
    assert not shop.tocsin.present.overrides


async def test_the_window_of_an_alert_shows_the_values_and_changes_the_threshold(shop: Story) -> None:
    message = await shop.alert("depth")
    window = await shop.pick(message, "threshold")
    assert "Holds now: `100`" in shown(window)
    assert "The file says: `100`" in shown(window)
    assert "The past speaks for: above 100 now" in shown(window)
    outcome = await shop.workspace.submit(window["id"], {"value": "lots", "note": ""})
    assert '"lots" is not a threshold' in str(outcome.errors)
    outcome = await shop.workspace.submit(window["id"], {"value": "P1=900", "note": "the sale"})
    assert outcome.ok, outcome
    assert "the sale" in shown(await shop.told(ALEX, "to `{P1: 900}`"))
    await shop.look("queue")
    await shop.becomes(message, "Resolved")


async def test_an_alert_of_the_checks_state_offers_no_threshold(shop: Story) -> None:
    await shop.change(503)
    message = await shop.alert("backend is down")
    assert "Change threshold" not in shown(message)


async def test_switched_off_it_closes_its_alert_at_once_and_says_why(shop: Story) -> None:
    message = await shop.alert("depth")
    await answer(shop, "set queue.depth off because it is moved")
    message = await shop.becomes(message, "Closed: ")
    assert "no longer asked for" in shown(message)
    assert buttons(message) == []
    line = await shop.see(lambda: [line for line in shop.thread(message) if "Closed" in line])
    assert "since checks.queue.thresholds.depth was changed" in line[0]


async def test_a_new_rule_alerts_and_is_closed_when_taken_back(shop: Story) -> None:
    said = await answer(shop, 'set rule Deep {condition: "depth > 10", severity: P2, title: "Deep: {depth}"}')
    assert "the file does not say" in shown(said)
    await shop.look("queue")
    message = await shop.alert("Deep: 150")
    await answer(shop, "unset rule Deep")
    await shop.becomes(message, "Closed: Deep: 150")


async def test_a_restart_keeps_it_and_a_file_without_the_check_says_that_it_has_no_effect(
    shop: Story,
) -> None:
    await answer(shop, "set queue.depth 120")
    await shop.restart()
    assert shop.tocsin.present.settings.checks["queue"].thresholds["depth"][0].limit == 120
    shop.config = shop.config.replace("  queue:\n", "  other:\n")
    message = await shop.alert("depth")
    await shop.restart()
    why = 'the file has no "queue" any more, so checks.queue.thresholds.depth leads nowhere'
    assert why in shown(await answer(shop, "overrides"))
    assert "A setting changed at run time has no effect" in await shop.ask("/tocsin-status")
    message = await shop.becomes(message, "Closed: ")
    assert "its check or its rule is no longer in the configuration" in shown(message)


async def test_the_api_sets_lists_and_takes_back(shop: Story) -> None:
    body = {"path": "queue.depth", "value": {"P1": 300}, "reason": "release 7", "by": "deploy"}
    status, made = await request(shop, "PUT", "/api/v1/overrides", body)
    assert status == 200
    assert made["path"] == "checks.queue.thresholds.depth"
    assert (made["value"], made["file_value"], made["by"]) == ({"P1": 300}, 100, "deploy")
    status, listed = await request(shop, "GET", "/api/v1/overrides")
    assert (status, listed["total"], listed["items"][0]["reason"]) == (200, 1, "release 7")
    status, text = await request(shop, "GET", "/api/v1/overrides?format=yaml")
    assert yaml.safe_load(text) == {"checks": {"queue": {"thresholds": {"depth": {"P1": 300}}}}}
    status, over = await request(shop, "DELETE", f"/api/v1/overrides/{made['id']}?by=sam")
    assert (status, over["reverted_by"]) == (200, "sam")
    assert (await request(shop, "DELETE", f"/api/v1/overrides/{made['id']}"))[0] == 404
    assert (await request(shop, "GET", "/api/v1/overrides"))[1] == {"items": [], "total": 0}
    assert (await request(shop, "GET", "/api/v1/overrides?history=1"))[1]["total"] == 1


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"path": "queue.depth", "value": "lots"}, 422, "is not a threshold"),
        ({"path": "qeue.depth", "value": 1}, 422, "did you mean"),
        ({"path": "queue.depth"}, 422, "is missing"),
        ({"path": "queue.depth", "value": 1, "who": "me"}, 422, "who"),
        ({"path": "http.token", "value": "x"}, 422, "there is no check, job or rule"),
        ([1], 400, "a change is an object such as"),
    ],
)
async def test_the_api_refuses_with_the_mistake(shop: Story, body: Any, status: int, said: str) -> None:
    got, told = await request(shop, "PUT", "/api/v1/overrides", body)
    assert (got, said in str(told)) == (status, True), told
    assert not shop.tocsin.present.overrides


async def test_the_api_asks_for_the_token(shop: Story) -> None:
    body = {"path": "queue.depth", "value": 1}
    assert (await request(shop, "PUT", "/api/v1/overrides", body, token="wrong"))[0] == 401
    assert (await request(shop, "GET", "/api/v1/overrides", token="wrong"))[0] == 401
    assert not shop.tocsin.present.overrides
