"""Apprise's services for real: mail to an SMTP server, the rest to HTTP receivers; why a send failed."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from bot.blocks.plain import Letter, letter_of
from bot.channels.apprise import AppriseOutlet, classify, is_sms
from bot.channels.delivery import DeliveryFailed, Failure
from bot.domain.alert import Status
from bot.domain.news import NewsKind
from bot.domain.severity import Severity
from checks.threads import Threads
from tests.channels.receivers import MailServer, free_port, mailing, part, receiving
from tests.domain.findings import NOON, alert
from tests.workspace_client import without_proxies

FOUND = replace(alert(severity=Severity.CRITICAL, title="backend <is> down"), id=12)


@pytest.fixture(autouse=True)
def _no_proxies() -> Iterator[None]:
    with without_proxies():
        yield


@pytest.fixture
def threads() -> Iterator[Threads]:
    found = Threads(4)
    yield found
    found.close()


@pytest.fixture
async def mails() -> AsyncIterator[MailServer]:
    async with mailing() as found:
        yield found


def letter(kind: NewsKind = NewsKind.FIRING) -> Letter:
    found = FOUND
    if kind is NewsKind.RESOLVED:
        found = replace(FOUND, status=Status.RESOLVED, closed_at=NOON)
    return letter_of(kind, found, zone=ZoneInfo("Europe/London"), system="Shop", called=("lead",))


async def failure(address: str, threads: Threads) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as found:
        await AppriseOutlet(address, threads.lane("it"), system="Shop").tell(letter(), "k")
    return found.value


async def test_a_mail_is_html_and_text_with_a_subject_to_read(mails: MailServer, threads: Threads) -> None:
    outlet = AppriseOutlet(mails.url, threads.lane("email"), system="Shop")
    await outlet.tell(letter(), "the-key")
    await outlet.tell(letter(NewsKind.RESOLVED), "the-other-key")

    fired, resolved = mails.mails
    assert mails.recipients == ["ops@example.com"] * 2
    assert mails.subjects == ["[P1] backend <is> down", "[P1] Resolved: backend <is> down"]
    assert "backend &lt;is&gt; down" in part(fired, "html")
    assert "<script" not in part(fired, "html")
    assert "Where" in part(fired, "plain")
    assert "&lt;" not in part(fired, "plain")
    assert "lead" in part(fired, "plain"), "whom it calls"
    assert fired["References"] == resolved["References"], "mail programs keep them together"
    assert fired["X-Tocsin-Key"] == "the-key"
    assert fired["Auto-Submitted"] == "auto-generated"


async def test_a_mail_server_that_refuses_says_why(mails: MailServer, threads: Threads) -> None:
    mails.refusal = "550 5.1.1 no such user"
    refused = await failure(mails.url, threads)
    assert refused.failure is Failure.FOR_GOOD
    assert "550 5.1.1 no such user" in refused.reason
    assert refused.remedy is not None

    mails.refusal = "451 try again later"
    assert (await failure(mails.url, threads)).failure is Failure.REFUSED

    mails.refusal = None
    await AppriseOutlet(mails.url, threads.lane("it"), system="Shop").tell(letter(), "k")
    assert len(mails.mails) == 1


async def test_a_mail_server_that_is_down_or_stalls(threads: Threads) -> None:
    away = await failure(f"mailto://127.0.0.1:{free_port()}?from=a@example.org&to=b@example.com", threads)
    assert away.failure is Failure.UNREACHABLE

    with socket.socket() as silent:  # takes connections and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"mailto://127.0.0.1:{silent.getsockname()[1]}?from=a@example.org&to=b@example.com&cto=0.3"
        stalled = await failure(address, threads)
    assert stalled.failure is Failure.AMBIGUOUS


async def test_a_send_that_never_ends_holds_up_nothing_else(
    threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.channels.apprise._PATIENCE", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"mailto://127.0.0.1:{silent.getsockname()[1]}?from=a@example.org&to=b@example.com&cto=3"
        beats = 0
        sending = asyncio.create_task(failure(address, threads))
        while not sending.done():
            beats += 1
            await asyncio.sleep(0.01)
        assert (await sending).failure is Failure.AMBIGUOUS
        assert beats > 5, "the loop went on meanwhile"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(404, Failure.FOR_GOOD), (503, Failure.AMBIGUOUS), (429, Failure.RATE_LIMITED), (401, Failure.FOR_GOOD)],
)
async def test_an_http_service_is_understood(threads: Threads, status: int, expected: Failure) -> None:
    async with receiving() as receiver:
        address = receiver.url.replace("http://", "json://") + "/a-secret-path"
        outlet = AppriseOutlet(address, threads.lane("it"), system="Shop")
        await outlet.tell(letter(), "k")
        assert receiver.taken[0].json["title"] == "[P1] backend <is> down"

        receiver.status = status
        failed = await failure(address, threads)
        assert failed.failure is expected
        assert "a-secret-path" not in str(failed)


async def test_nothing_that_apprise_logs_reaches_the_log(mails: MailServer, threads: Threads) -> None:
    lines: list[str] = []
    root, keeper = logging.getLogger(), logging.Handler()
    keeper.emit = lambda record: lines.append(f"{record.name} {record.getMessage()}")  # type: ignore[method-assign]
    mails.refusal = "550 no"
    level = root.level
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    try:
        with capture_logs() as logs:
            await failure(mails.url, threads)
        logging.getLogger("tests").warning("the keeper listens")
    finally:
        root.removeHandler(keeper)
        root.setLevel(level)
    assert "tests the keeper listens" in lines
    assert not [line for line in lines if line.startswith(("apprise", "urllib3"))]
    assert "ops@example.com" not in str(logs)


def test_an_unknown_address_is_refused_without_naming_it(threads: Threads) -> None:
    with pytest.raises(ValueError, match="Apprise") as found:
        AppriseOutlet("nonsense://a-secret", threads.lane("it"), system="Shop")
    assert "a-secret" not in str(found.value)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["Failed to send X notification: Forbidden, error=403."], Failure.FOR_GOOD),
        (["A Connection error occurred", "Socket Exception: [Errno -2] Name or service not known"],
         Failure.UNREACHABLE),
        (["Socket Exception: HTTPSConnectionPool(host='x'): Read timed out. (read timeout=4)"], Failure.AMBIGUOUS),
        (["Socket Exception: (535, b'5.7.8 Error: authentication failed')"], Failure.FOR_GOOD),
        (["Socket Exception: (421, b'busy')"], Failure.REFUSED),
        (["Socket Exception: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"], Failure.FOR_GOOD),
        ([], Failure.AMBIGUOUS),
    ],
)  # fmt: skip
def test_why_a_send_failed(said: list[str], expected: Failure) -> None:
    assert classify(said).failure is expected


def test_a_reason_holds_no_part_of_the_address() -> None:
    failed = classify(["Socket Exception: (535, b'no login for hunter22')"], frozenset({"hunter22"}))
    assert "hunter22" not in failed.reason


@pytest.mark.parametrize(
    ("address", "expected"),
    [("twilio://a:b@1/2", True), ("TWILIO://a", True), ("mailto://a", False), ("discord://a/b", False)],
)
def test_text_messages_are_known_by_their_address(address: str, *, expected: bool) -> None:
    assert is_sms(address) is expected


async def test_a_text_message_is_short(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.vonage import NotifyVonage

    async with receiving() as receiver:
        receiver.status = 200
        monkeypatch.setattr(NotifyVonage, "notify_url", receiver.url)
        address = f"vonage://{'a' * 8}:{'b' * 16}@18001234567/18885551234"
        await AppriseOutlet(address, threads.lane("sms"), system="Shop").tell(letter(), "k")
        (taken,) = receiver.seen
    (text,) = parse_qs(taken.body.decode())["text"]
    assert text.startswith("[P1] backend <is> down. ")
    assert len(text) <= 160


async def test_discord_gets_the_text(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.discord import NotifyDiscord

    async with receiving() as receiver:
        receiver.status = 204
        monkeypatch.setattr(NotifyDiscord, "notify_url", receiver.url)
        await AppriseOutlet(f"discord://{'1' * 18}/{'t' * 40}", threads.lane("it"), system="Shop").tell(
            letter(), "k"
        )
        (taken,) = receiver.seen
    assert "backend" in taken.body.decode()
