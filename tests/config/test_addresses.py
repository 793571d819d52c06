"""Where an address leads is known before anything is sent, and no mistake shows it."""

from __future__ import annotations

import pytest

from bot.config import ConfigInvalid
from bot.config.addresses import AddressMistake, Service, Way, way_of
from tests.config.reading import read

CHAT = "https://chat.googleapis.com/v1/spaces/AAA/messages?key=k&token=t"


@pytest.mark.parametrize(
    ("address", "service"),
    [
        ("mailtos://user:password@example.com?to=ops@example.com", Service.APPRISE),
        (f"discord://{'1' * 18}/{'t' * 40}", Service.APPRISE),
        (f"https://discord.com/api/webhooks/{'1' * 18}/{'t' * 40}", Service.APPRISE),
        (f"twilio://AC{'a' * 32}:{'b' * 32}@18001234567/18885551234", Service.SMS),
        ("https://hooks.example.com/tocsin", Service.WEBHOOK),
        ("http://127.0.0.1:9000/x", Service.WEBHOOK),
        (CHAT, Service.GOOGLE_CHAT),
        ("pagerduty://the-key", Service.PAGERDUTY),
    ],
)
def test_an_address_leads_to_its_service(address: str, service: Service) -> None:
    assert way_of("url", address).service is service


@pytest.mark.parametrize(
    ("address", "url", "key"),
    [
        ("pagerduty://the-key", "https://events.pagerduty.com/v2/enqueue", "the-key"),
        ("pagerduty://the-key@an-api-key/", "https://events.pagerduty.com/v2/enqueue", "the-key"),
        ("pagerduty://the-key?region=eu", "https://events.eu.pagerduty.com/v2/enqueue", "the-key"),
        ("http://127.0.0.1:9/v2/enqueue?routing_key=k", "http://127.0.0.1:9/v2/enqueue", "k"),
    ],
)
def test_pagerduty_is_spoken_to_directly(address: str, url: str, key: str) -> None:
    assert way_of("url", address) == Way(service=Service.PAGERDUTY, url=url, key=key)


def test_both_forms_of_google_chat_are_one_address() -> None:
    assert way_of("url", "gchat://AAA/k/t").url == way_of("url", CHAT).url == CHAT


@pytest.mark.parametrize(
    ("kind", "address", "message", "suggestion"),
    [
        (
            "url",
            "mailtoo://secret:secret@example.com",
            "nothing is known that begins with mailtoo://",
            "mailto",
        ),
        ("url", "discord://secret", "this address of discord:// is not complete", "discord://{webhook_id}"),
        ("url", "a-secret-alone", "this is not an address", "mailtos://"),
        ("url", "msteams://secret/a/b/c", "msteams:// is gone", "workflow"),
        ("url", "pagerduty://?region=eu", "integration key is missing", "Events API v2"),
        ("url", "pagerduty://secret?region=moon", "no such region", "region=eu"),
        ("url", "gchat://secret", "this address of Google Chat is not complete", "gchat://space/key/token"),
        ("sentry", "json://secret", "this is not a Sentry DSN", "client keys"),
        ("webhook", "ftp://secret", "this is not an address of the web", "https://"),
        ("webhook", "https://[secret", "this is not an address of the web", "https://"),
    ],
)
def test_a_bad_address_is_named_with_its_place_and_remedy(
    kind: str, address: str, message: str, suggestion: str
) -> None:
    with pytest.raises(AddressMistake):
        way_of(kind, address)
    with pytest.raises(ConfigInvalid) as found:
        read(f"name: Shop\ndestinations:\n  it:\n    {kind}: '{address}'\n")
    (mistake,) = found.value.mistakes
    assert (mistake.line, mistake.path) == (4, f"destinations.it.{kind}")
    assert message in mistake.message
    assert suggestion in str(mistake.suggestion)
    assert "secret" not in str(found.value).replace("client keys", "")


def test_an_empty_address_is_switched_off() -> None:
    settings = read("destinations: {it: {url: ''}, hook: {webhook: ''}, bugs: {sentry: ''}}\n")
    assert not any(each.enabled for each in settings.destinations.values())
