"""Who is told where, who is called when nobody answers, and when nobody is to be woken: as people see it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from tests.e2e.harness import ALEX, KIM, SAM, START, Json, Story, key_of, shown, story

MINUTE = timedelta(minutes=1)

ROUTED = """
name: Shop
database: {database}
slack: {channel: "#alerts"}
http: {bind: "127.0.0.1:0", token: a-token-for-the-api}
people: {alex: U0ALEX, sam: U0SAM, kim: U0KIM}
oncall:
  primary:
    rotation: [sam, kim]
    handover: "Mon 12:00"
    starts: 2024-02-26
destinations: {email: {url: ""}}
routes:
  - {match: severity == 'critical', to: [slack, "#general"], escalation: page, mention: "@alex"}
  - {to: [email]}
escalation:
  page:
    respond_within: 5m
    steps:
      - {after: 5m, mention: "@primary"}
      - {after: 4h, mention: "@primary", note: Call the manager}
checks:
  backend:
    type: http
    url: {service}/health
    every: {every}
    dedupe: 1h
"""


def mentions(text: str, *users: str) -> bool:
    return all(f"<@{user}>" in text for user in users)


async def told_in_both(told: Story) -> tuple[Json, Json]:
    """The messages about the broken service in its two channels."""
    await told.change(503)
    return await told.alert("backend"), await told.alert("backend", "general")


def pings(told: Story, message: Json) -> list[Json]:
    """The lines of a thread that call somebody."""
    replies = told.workspace.replies(message["channel"], message["ts"])
    return [reply for reply in replies if "Escalated" in reply["text"]]


async def test_an_alert_in_two_channels_is_one_alert(tmp_path: Path) -> None:
    async with story(tmp_path, ROUTED) as told:
        first, second = await told_in_both(told)
        assert f"<@{ALEX}>" in shown(first)
        assert f"<@{ALEX}>" not in shown(second), "people are called once"
        assert "respond within 5 min" in shown(first)
        assert key_of(first) != key_of(second)

        await told.press(second, "acknowledge", SAM)

        for message in (first, second):
            await told.becomes(message, f"acknowledged by <@{SAM}>")
        await told.settle()
        assert told.thread(first) == told.thread(second) == [f":eyes: <@{SAM}> acknowledged this"]
        await told.change(200)
        for message in (first, second):
            await told.becomes(message, "Resolved: backend is down")
        await told.settle()
        assert len(told.alerts()) == len(told.alerts(channel="general")) == 1


async def test_when_nobody_answers_whoever_is_on_call_is_called_once(tmp_path: Path) -> None:
    async with story(tmp_path, ROUTED) as told:
        first, second = await told_in_both(told)
        await told.see(lambda: "escalates" in shown(told.again(first)))

        told.skip(5 * MINUTE)
        await told.tocsin.escalating.tick()
        await told.settle()
        await told.restart()
        await told.tocsin.escalating.tick()
        await told.settle()

        (call,) = pings(told, first)
        assert "Nobody has acknowledged this for 5 min; it was to be answered within 5 min" in call["text"]
        assert mentions(call["text"], SAM)
        (posted,) = [each.args for each in told.workspace.calls if "Escalated" in str(each.args.get("text"))]
        assert posted["reply_broadcast"] in (True, "1", "true", 1), "of a P1 it shows in the channel as well"
        assert pings(told, second) == []

        told.clock.skip_to(START + timedelta(hours=4, minutes=10))  # noon has passed: Kim took over from Sam
        await told.tocsin.escalating.tick()
        calls = await told.see(lambda: len(found := pings(told, first)) == 2 and found)
        assert calls
        assert mentions(calls[1]["text"], KIM)
        assert "Call the manager" in calls[1]["text"]


async def test_an_acknowledgement_stops_the_escalation_and_a_return_begins_it_again(tmp_path: Path) -> None:
    async with story(tmp_path, ROUTED) as told:
        first, _ = await told_in_both(told)
        await told.press(first, "acknowledge", SAM)
        await told.becomes(first, "acknowledged by")
        told.skip(timedelta(hours=5))
        await told.tocsin.escalating.tick()
        await told.settle()
        assert pings(told, first) == []

        await told.change(200)
        await told.becomes(first, "Resolved")
        await told.change(500)
        await told.becomes(first, ":red_circle:")
        told.skip(6 * MINUTE)
        await told.tocsin.escalating.tick()
        calls = await told.see(lambda: pings(told, first))
        assert len(calls) == 1


async def test_an_alert_for_email_alone_is_told_in_slack_and_says_why(tmp_path: Path) -> None:
    config = ROUTED.replace("every: {every}", "every: {every}\n    severity: medium")
    async with story(tmp_path, config) as told:
        await told.change(503)
        message = await told.alert("backend")
        assert "meant for email, which nothing can be sent to, so it is told here" in shown(message)
        assert told.alerts(channel="general") == []


QUIET = ROUTED.replace(
    'destinations: {email: {url: ""}}',
    'quiet_hours: {between: "22:00-07:00", below: critical, hold: true}\ndestinations: {email: {url: ""}}',
).replace("every: {every}", "every: {every}\n    severity: medium\n    mention: '@primary'")
ELEVEN = datetime.fromisoformat("2024-03-04T23:00:00+00:00")


async def test_what_quiet_hours_hold_back_is_told_in_the_morning(tmp_path: Path) -> None:
    async with story(tmp_path, QUIET, start=ELEVEN) as told:
        await told.change(503)
        await told.see(lambda: told.workspace.connections)
        await told.looked()
        await told.settle()
        assert told.workspace.messages("alerts") == []

        told.clock.skip_to(ELEVEN + timedelta(hours=8))
        await told.tocsin.escalating.tick()
        message = await told.alert("backend")
        summaries = await told.see(
            lambda: [each for each in told.workspace.messages("alerts") if "in quiet hours" in shown(each)]
        )
        assert "1 alert in quiet hours: 1 still open" in shown(summaries[0])
        assert mentions(shown(summaries[0]), KIM)
        assert not mentions(shown(message), KIM), "people are called once"
        await told.press(message, "acknowledge")
        await told.becomes(message, "acknowledged by")


async def test_who_is_on_call_can_be_asked(tmp_path: Path) -> None:
    async with story(tmp_path, ROUTED) as told:
        answer = await told.ask("/tocsin", "oncall")
        assert "`@primary` is *sam* until" in answer
        assert "then kim" in answer
        assert "<@" not in answer, "a question calls nobody"
        assert "oncall` who is on call" in await told.ask("/tocsin", "help")
