"""Webhooks, PagerDuty, Sentry and Google Chat over real HTTP, to receivers that fail, stall and recover."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from bot.blocks.plain import Letter, letter_of, message_letter
from bot.channels.delivery import DeliveryFailed, Failure
from bot.channels.google_chat import GoogleChat
from bot.channels.outlet import Outlet
from bot.channels.pagerduty import PagerDuty
from bot.channels.sentry import Dsn, Sentry
from bot.channels.webhook import Webhook
from bot.domain.alert import Alert
from bot.domain.news import NewsKind
from bot.domain.severity import Severity
from tests.channels.receivers import Receiver, free_port, receiving
from tests.domain.findings import NOON, alert

UTC = ZoneInfo("UTC")
FOUND = replace(alert(severity=Severity.CRITICAL, title="backend is down"), id=12)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=0.5, trust_env=False) as found:
        yield found


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


def letter(kind: NewsKind = NewsKind.FIRING, found: Alert = FOUND) -> Letter:
    return letter_of(kind, found, zone=UTC, system="Shop")


def webhook(client: httpx.AsyncClient, url: str, secret: str | None = "s3cret-s3cret") -> Webhook:
    return Webhook(
        client, f"{url}/hook", clock=lambda: NOON, system="Shop", headers={"X-Team": "web"}, secret=secret
    )


def pagerduty(client: httpx.AsyncClient, url: str) -> PagerDuty:
    return PagerDuty(client, f"{url}/v2/enqueue", "routing-key", clock=lambda: NOON, system="Shop")


def sentry(client: httpx.AsyncClient, url: str) -> Sentry:
    dsn = Dsn.read(url.replace("http://", "http://public@") + "/7")
    return Sentry(client, dsn, clock=lambda: NOON, system="Shop")


def chat(client: httpx.AsyncClient, url: str) -> GoogleChat:
    return GoogleChat(client, f"{url}/v1/spaces/SPACE/messages?key=k&token=t", clock=lambda: NOON)


EACH: list[Callable[[httpx.AsyncClient, str], Outlet]] = [webhook, pagerduty, sentry, chat]


async def test_a_webhook_is_signed_and_carries_its_key(client: httpx.AsyncClient, receiver: Receiver) -> None:
    await webhook(client, receiver.url).tell(letter(), "the-key")

    (taken,) = receiver.taken
    signed = taken.headers["Tocsin-Timestamp"].encode() + b"." + taken.body
    expected = hmac.new(b"s3cret-s3cret", signed, hashlib.sha256).hexdigest()
    assert taken.headers["Tocsin-Signature"] == f"v1={expected}"
    assert taken.headers["Idempotency-Key"] == taken.json["key"] == "the-key"
    assert taken.headers["X-Team"] == "web"
    assert taken.json["event"] == "firing"
    assert taken.json["version"] == 1
    assert (taken.json["alert"]["id"], taken.json["alert"]["severity"]) == (12, "critical")
    assert taken.json["subject"] == "[P1] backend is down"


async def test_a_webhook_without_a_secret_is_not_signed(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await webhook(client, receiver.url, None).tell(message_letter("*All well*\nnothing", system="Shop"), "k")
    (taken,) = receiver.taken
    assert "Tocsin-Signature" not in taken.headers
    assert (taken.json["event"], taken.json["subject"], taken.json["alert"]) == ("message", "All well", None)


async def test_pagerduty_is_triggered_acknowledged_and_resolved_under_one_key(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    duty = pagerduty(client, receiver.url)
    for kind in (NewsKind.FIRING, NewsKind.WORSE, NewsKind.ACKNOWLEDGED, NewsKind.RESOLVED):
        await duty.tell(letter(kind), "k")

    events = [taken.json for taken in receiver.at("/v2/enqueue")]
    assert [event["event_action"] for event in events] == ["trigger", "trigger", "acknowledge", "resolve"]
    assert {event["dedup_key"] for event in events} == {f"tocsin:{FOUND.fingerprint}"}
    assert {event["routing_key"] for event in events} == {"routing-key"}
    assert events[0]["payload"]["severity"] == "critical"
    assert events[0]["payload"]["summary"] == "[P1] backend is down"
    assert len(events[0]["payload"]["summary"]) <= 1024


@pytest.mark.parametrize(
    ("severity", "duty", "level"),
    [
        (Severity.CRITICAL, "critical", "fatal"),
        (Severity.HIGH, "error", "error"),
        (Severity.MEDIUM, "warning", "warning"),
        (Severity.LOW, "info", "info"),
    ],
)
async def test_severities_are_said_in_each_ones_words(
    client: httpx.AsyncClient, receiver: Receiver, severity: Severity, duty: str, level: str
) -> None:
    found = letter(found=replace(FOUND, firing=replace(FOUND.firing, severity=severity)))
    await pagerduty(client, receiver.url).tell(found, "k")
    await sentry(client, receiver.url).tell(found, "k")
    event, envelope = receiver.taken
    assert event.json["payload"]["severity"] == duty
    assert json.loads(envelope.body.splitlines()[2])["level"] == level


async def test_sentry_gets_an_envelope_grouped_by_the_fingerprint(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    for _ in range(2):
        await sentry(client, receiver.url).tell(letter(), "the-key")

    first, second = receiver.at("/api/7/envelope/")
    assert "sentry_key=public" in first.headers["X-Sentry-Auth"]
    head, item, event = (json.loads(line) for line in first.body.splitlines())
    assert item["length"] == len(first.body.splitlines()[2])
    assert event["fingerprint"] == ["tocsin", FOUND.fingerprint]
    assert event["tags"]["priority"] == "P1"
    again = json.loads(second.body.splitlines()[0])
    assert again["event_id"] == head["event_id"], "the same news twice is one event"
    assert NewsKind.RESOLVED not in sentry(client, receiver.url).understands


async def test_google_chat_gets_cards_in_one_thread(client: httpx.AsyncClient, receiver: Receiver) -> None:
    await chat(client, receiver.url).tell(letter(), "k")
    await chat(client, receiver.url).tell(letter(NewsKind.RESOLVED), "k2")

    first, second = receiver.at("/v1/spaces/SPACE/messages")
    assert (first.query["key"], first.query["token"]) == ("k", "t")
    assert first.json["thread"] == second.json["thread"]
    assert first.json["text"] == "[P1] backend is down"
    assert "backend is down" in json.dumps(first.json["cardsV2"])


@pytest.mark.parametrize("make", EACH)
@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (500, Failure.AMBIGUOUS),
        (503, Failure.AMBIGUOUS),
        (429, Failure.RATE_LIMITED),
        (400, Failure.FOR_GOOD),
        (401, Failure.FOR_GOOD),
        (404, Failure.FOR_GOOD),
        (302, Failure.FOR_GOOD),
    ],
)
async def test_what_an_answer_means(
    client: httpx.AsyncClient,
    receiver: Receiver,
    make: Callable[[httpx.AsyncClient, str], Outlet],
    status: int,
    failure: Failure,
) -> None:
    receiver.status, receiver.headers = status, {"Retry-After": "17"}
    with pytest.raises(DeliveryFailed) as found:
        await make(client, receiver.url).tell(letter(), "k")
    assert found.value.failure is failure
    assert f"HTTP {status}" in found.value.reason
    assert (found.value.remedy is not None) == (failure is Failure.FOR_GOOD)
    if failure is Failure.RATE_LIMITED:
        assert found.value.retry_after == timedelta(seconds=17)


@pytest.mark.parametrize("make", EACH)
async def test_nobody_there_is_certain_and_silence_is_not(
    client: httpx.AsyncClient, receiver: Receiver, make: Callable[[httpx.AsyncClient, str], Outlet]
) -> None:
    outcomes = []
    receiver.stalls = True
    for url in (f"http://127.0.0.1:{free_port()}", receiver.url):
        with pytest.raises(DeliveryFailed) as found:
            await make(client, url).tell(letter(), "k")
        outcomes.append(found.value.failure)
        assert "127.0.0.1" not in found.value.reason, "the address is a secret"
    receiver._released.set()
    receiver.drops = True
    with pytest.raises(DeliveryFailed) as found:
        await make(client, receiver.url).tell(letter(), "k")
    assert [*outcomes, found.value.failure] == [Failure.UNREACHABLE, Failure.AMBIGUOUS, Failure.AMBIGUOUS]


@pytest.mark.parametrize(
    "text", ["", "x", "https://example.com/1", "https://key@example.com/project", "ftp://key@example.com/1"]
)
def test_a_dsn_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="DSN"):
        Dsn.read(text)


def test_a_dsn_below_a_path_keeps_it() -> None:
    dsn = Dsn.read("https://key@sentry.example.com:8443/in/here/42")
    assert dsn.endpoint == "https://sentry.example.com:8443/in/here/api/42/envelope/"
