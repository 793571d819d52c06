"""Silences as people meet them: a command, a window, buttons, a warning, what was hidden, and the API."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.demo.workspace.state import BOT_USER
from tests.e2e.harness import ALEX, KIM, SAM, SHOP, START, TOKEN, Json, Story, buttons, key_of, shown, story

NIGHTLY = (
    SHOP
    + """
people: {oncall: [U0SAM]}
silences:
  - {name: Nightly, match: check == 'backend', schedule: "0 10 * * *", for: 1h, reason: Planned maintenance}
"""
)
GUARDED = SHOP + "people: {admins: [U0KIM]}\npermissions: {silence: [admins]}\n"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path) as told:
        await told.looked()
        yield told


def about_silences(told: Story, what: str = "") -> list[Json]:
    """The messages about silences in the alerts channel and its threads, oldest first."""
    found = [{**m, "channel": "alerts"} for m in told.workspace.messages("alerts")]
    found += [
        {**reply, "channel": "alerts"}
        for message in list(found)
        for reply in told.workspace.replies("alerts", message["ts"])
    ]
    return [m for m in found if key_of(m).startswith("silence:") and what in key_of(m)]


async def answer(told: Story, text: str, user: str = ALEX) -> Json:
    """Give `/tocsin` a text; the answer that only this user sees."""
    before = len(told.workspace.ephemerals(user, "general"))
    outcome = await told.workspace.command("general", "/tocsin", text, user=user)
    assert outcome.ok, outcome
    found = await told.workspace.wait_for(lambda: told.workspace.ephemerals(user, "general")[before:])
    return {**found[0], "channel": "general"}


async def press(told: Story, message: Json, button: str, user: str = ALEX) -> None:
    outcome = await told.workspace.click(message["channel"], message["ts"], f"silence:{button}", user=user)
    assert outcome.ok, outcome


async def pass_time(told: Story, by: timedelta) -> None:
    """Let time pass and everything happen that falls due."""
    told.skip(by)
    await told.tocsin.alerting.tick()
    await told.settle()


async def broken(told: Story) -> Json:
    await told.change(503)
    return await told.alert("backend")


async def test_a_command_silences_by_name_and_everybody_sees_who_why_and_until_when(shop: Story) -> None:
    message = await broken(shop)

    said = shown(await answer(shop, "silence backend 2h deploying &lt;!channel&gt;"))
    assert "Silence #1: `check == 'backend'` until <!date^" in said
    assert "Covers 1 of 1 checks and jobs, P1 alerts included; 1 open alert now" in said
    assert "P1 backend is down" in said

    message = await shop.becomes(message, "Silenced: backend is down")
    assert f"by <@{ALEX}>" in shown(message)
    assert "deploying &lt;!channel&gt;" in shown(message)
    (made,) = await shop.see(lambda: about_silences(shop, "made"))
    assert f"<@{ALEX}> silenced `check == 'backend'` until <!date^" in shown(made)
    assert buttons(made) == ["Extend 1 h", "End"]
    await shop.see(lambda: any(f"<@{ALEX}> silenced this until" in line for line in shop.thread(message)))


async def test_a_problem_that_comes_under_a_silence_reaches_nobody_and_is_told_at_its_end(
    shop: Story,
) -> None:
    await answer(shop, "silence \"severity == 'critical'\" 1h trying things")
    await shop.change(503)
    await shop.settle()
    assert shop.alerts() == []

    await pass_time(shop, timedelta(minutes=46))
    (warning,) = about_silences(shop, "warning")
    assert "1 alert it hides is still open" in shown(warning)
    assert "P1 backend is down" in shown(warning)
    assert buttons(warning) == ["Extend 1 h", "Extend 4 h"]

    await pass_time(shop, timedelta(minutes=15))
    message = await shop.alert("P1 critical: backend is down")
    await shop.see(lambda: any("silence #1 ended; still failing since" in x for x in shop.thread(message)))
    (after,) = about_silences(shop, "after")
    assert "has ended. It hid 1 alert: 1 still open." in shown(after)
    await shop.change(200)
    await shop.becomes(message, "Resolved: backend is down")


async def test_what_was_told_before_its_silence_is_resolved_under_it(shop: Story) -> None:
    message = await broken(shop)
    await answer(shop, "silence backend 1h")
    await shop.becomes(message, "Silenced")
    await shop.change(200)
    message = await shop.becomes(message, "Resolved: backend is down")
    await shop.see(lambda: any("Recovered" in line for line in shop.thread(message)))


async def test_what_was_hidden_and_over_before_the_end_is_said_afterwards(shop: Story) -> None:
    await answer(shop, "silence backend 1h")
    await shop.change(503)
    await shop.settle()
    shop.skip(timedelta(minutes=12))
    await shop.change(200)
    await shop.settle()
    await pass_time(shop, timedelta(hours=1))
    (after,) = about_silences(shop, "after")
    assert "It hid 1 alert: 1 over." in shown(after)
    assert "P1 backend is down: resolved after 12 min" in shown(after)
    assert shop.alerts() == []
    assert about_silences(shop, "warning") == []
    assert await shop.tocsin.notifier.drain() is None, "nothing waits for a message that never comes"


async def test_the_warning_extends_it_once_and_says_who(shop: Story) -> None:
    message = await broken(shop)
    await answer(shop, "silence backend 1h deploying")
    await shop.becomes(message, "Silenced")
    await pass_time(shop, timedelta(minutes=50))
    (warning,) = about_silences(shop, "warning")
    assert "more time needed?" in shown(warning)
    assert any("ends in" in line for line in shop.thread(message)), "in the thread of the only alert"

    await press(shop, warning, "extend:4h", SAM)
    await shop.see(lambda: f"<@{SAM}> extended silence #1" in shown(about_silences(shop, "warning")[0]))
    await shop.see(lambda: any(f"<@{SAM}> extended the silence until" in x for x in shop.thread(message)))
    await pass_time(shop, timedelta(hours=2))
    assert "Silenced" in shown(shop.again(message))
    (made,) = about_silences(shop, "made")
    await press(shop, made, "extend:1h", KIM)  # a button that knows an earlier end
    assert "has another end already" in shown(await shop.told(KIM, "another end"))


async def test_the_list_shows_what_holds_and_ends_it(shop: Story) -> None:
    message = await broken(shop)
    assert "none is active; everything is told" in shown(await answer(shop, "silences"))
    await answer(shop, "silence resource:backend until 18:00 the move", SAM)
    await shop.becomes(message, "Silenced")

    listed = await answer(shop, "silences")
    assert "*Silences* · 1 active" in shown(listed)
    assert f"<@{SAM}> silenced `resource == 'backend'` until <!date^" in shown(listed)
    assert "the move" in shown(listed)
    await press(shop, listed, "end")
    await shop.becomes(message, "P1 critical: backend is down")
    await shop.see(lambda: any(f"<@{ALEX}> ended the silence" in line for line in shop.thread(message)))
    await shop.workspace.wait_for(
        lambda: [m for m in shop.workspace.ephemerals(ALEX, "general") if "everything is told" in shown(m)][
            1:
        ]
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [("silences", "*Silences* · 1 active"), ("silence backend 1h", "Ask with the command")],
)
async def test_a_mention_lists_them_and_leaves_making_them_to_the_command(
    shop: Story, text: str, said: str
) -> None:
    await answer(shop, "silence backend 2h deploying")
    asked = await shop.workspace.say("general", f"<@{BOT_USER}> {text}")
    await shop.see(lambda: [m for m in shop.workspace.replies("general", asked["ts"]) if said in shown(m)])
    assert len((await shop.tocsin.silencing.listing()).active) == 1


async def test_a_window_asks_what_how_long_and_why(shop: Story) -> None:
    message = await broken(shop)
    await shop.workspace.command("general", "/tocsin", "silence")
    window = await shop.modal()
    outcome = await shop.workspace.submit(window["id"], {"match": "severty == 'low'", "until": "soon"})
    assert not outcome.ok
    assert outcome.response is not None
    assert "Did you mean severity?" in outcome.response["errors"]["match"]
    assert "'soon' is no time" in outcome.response["errors"]["until"]
    outcome = await shop.workspace.submit(
        window["id"], {"match": "backend", "until": "", "length": "4h", "note": "the move"}
    )
    assert outcome.ok, outcome
    message = await shop.becomes(message, "Silenced")
    assert "the move" in shown(message)
    told = await shop.told(ALEX, "Silence #1", "general")
    assert "`check == 'backend'`" in shown(told)


async def test_a_name_without_a_time_opens_the_window_with_it(shop: Story) -> None:
    await shop.workspace.command("general", "/tocsin", "silence backend")
    window = await shop.modal()
    (what,) = [block for block in window["blocks"] if block["block_id"] == "match"]
    assert what["element"]["initial_value"] == "check == 'backend'"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("silence bakcend 2h", "Did you mean `backend`"),
        ("silence wholly-unknown 2h", "Nothing is named 'wholly-unknown'"),
        ("silence \"severty == 'low'\" 2h", "Did you mean `severity`?"),
        ('silence "severity = 1" 2h', "write == to compare"),
        ("silence backend 400d", "366 days at most"),
        ("silence backend 0s", "That is over already"),
        ("silence backend until noon", "'noon' is no time"),
        ("silence nothing* 2h", "begins with 'nothing'"),
    ],
)
async def test_what_cannot_be_read_is_answered_with_what_would_be(shop: Story, asked: str, said: str) -> None:
    told = shown(await answer(shop, asked))
    assert said in told
    assert "silence backend 2h deploying" in told
    assert (await shop.tocsin.silencing.listing()).active == ()


async def test_the_name_that_was_meant_is_a_button(shop: Story) -> None:
    told = await answer(shop, "silence bakcend 2h deploying")
    outcome = await shop.workspace.click("general", told["ts"], "ask:0")
    assert outcome.ok, outcome
    (made,) = await shop.see(lambda: about_silences(shop, "made"))
    assert "`check == 'backend'`" in shown(made)
    assert "deploying" in shown(made)


async def test_silencing_everything_is_warned_of(tmp_path: Path) -> None:
    config = SHOP + "jobs: {parse: {every: 1h}}\n"
    async with story(tmp_path, config) as told:
        said = shown(await answer(told, "silence everything 10m"))
        assert "*Nothing at all will be told*, P1 alerts included" in said
        assert "Covers 2 of 2 checks and jobs" in said


async def test_an_alert_that_somebody_raised_can_be_silenced_by_its_type(shop: Story) -> None:
    await shop.post(
        "/api/v1/alerts", {"alert_type": "payments_stuck", "title": "Payments wait", "severity": "P2"}
    )
    message = await shop.alert("Payments wait")
    await answer(shop, "silence payments 1h")
    await shop.becomes(message, "Silenced: Payments wait")


async def test_who_may_not_silence_is_told_whom_to_ask(tmp_path: Path) -> None:
    async with story(tmp_path, GUARDED) as told:
        await told.looked()
        for text in ("silence", "silence backend 2h"):
            assert "You may not silence here. Ask admins." in shown(await answer(told, text, SAM))
        await answer(told, "silence backend 2h", KIM)
        (made,) = await told.see(lambda: about_silences(told, "made"))
        await press(told, made, "end", SAM)
        assert "You may not silence here" in shown(await told.told(SAM, "may not"))
        assert len((await told.tocsin.silencing.listing()).active) == 1


async def test_a_window_of_the_file_silences_ends_and_says_what_it_hid(tmp_path: Path) -> None:
    async with story(tmp_path, NIGHTLY) as told:
        message = await broken(told)
        listed = shown(await answer(told, "silences"))
        assert "Upcoming" in listed
        assert "*Nightly* <!date^" in listed
        assert "for 1 h" in listed
        await pass_time(told, START + timedelta(minutes=61) - told.clock())
        message = await told.becomes(message, "Silenced: backend is down")
        assert "by the silence _Nightly_ of tocsin.yml" in shown(message)
        assert "Planned maintenance" in shown(message)
        assert "*Nightly* (from tocsin.yml) silences" in shown(await answer(told, "silences"))
        await told.restart()
        await pass_time(told, timedelta(minutes=46))
        assert len(about_silences(told, "warning")) == 1
        await pass_time(told, timedelta(minutes=15))
        await told.becomes(message, "P1 critical: backend is down")
        assert ["It hid 1 alert: 1 still open" in shown(m) for m in about_silences(told, "after")] == [True]
        assert about_silences(told, "made") == []


async def test_the_api_makes_lists_and_ends_silences(shop: Story) -> None:
    message = await broken(shop)
    status, made = await shop.post(
        "/api/v1/silences", {"match": "check == 'backend'", "for": "2h", "reason": "rollout"}
    )
    assert (status, made["id"], made["state"], made["created_by"]) == (201, 1, "active", "api")
    assert made["covers"] == {"open_alerts": [1], "sources": ["check:backend"], "everything": False}
    await shop.becomes(message, "Silenced")
    url = f"http://127.0.0.1:{shop.tocsin.http.port}/api/v1/silences"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with shop.http.get(url, headers=headers) as reply:
        listed = await reply.json()
    assert (listed["total"], listed["items"][0]["reason"]) == (1, "rollout")
    for _ in range(2):
        async with shop.http.delete(f"{url}/1", headers=headers) as reply:
            assert reply.status == 200
            assert (await reply.json())["ended_by"] == "api"
    async with shop.http.delete(f"{url}/404", headers=headers) as reply:
        assert reply.status == 404
    async with shop.http.get(url) as reply:
        assert reply.status == 401
    await shop.becomes(message, "P1 critical: backend is down")


@pytest.mark.parametrize(
    ("body", "status", "path", "said"),
    [
        (b"{", 400, None, "not JSON"),
        ([], 400, None, "a silence is an object"),
        ({}, 422, "match", "is missing"),
        ({"match": "severity = 1", "for": "1h"}, 422, "match", "write == to compare"),
        ({"match": "true"}, 422, "for", "write one of for and until"),
        ({"match": "true", "for": "1h", "until": "2030-01-01T00:00:00Z"}, 422, "for", "write one of"),
        ({"match": "true", "for": "soon"}, 422, "for", "is not a duration"),
        ({"match": "true", "for": 7200}, 422, "for", "a length of time such as 2h"),
        ({"match": "true", "for": "900d"}, 422, "for", "366 days at most"),
        ({"match": "true", "until": "2020-01-01T00:00:00Z"}, 422, "until", "in the future"),
        ({"match": "true", "until": "tomorrow"}, 422, "until", "is a time such as"),
        ({"match": "true", "for": "1h", "reson": "x"}, 422, "reson", "is not known"),
    ],
)
async def test_a_silence_that_does_not_fit_is_refused_with_the_place(
    shop: Story, body: object, status: int, path: str | None, said: str
) -> None:
    answered, refusal = await shop.post("/api/v1/silences", body)
    assert answered == status
    if path is None:
        assert said in refusal["error"]
    else:
        assert [path] == [detail["path"] for detail in refusal["details"]]
        assert said in refusal["details"][0]["message"]
    assert (await shop.tocsin.silencing.listing()).active == ()
