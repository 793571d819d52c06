"""What an address of `destinations:` leads to, found out without sending anything. No mistake names the address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import parse_qs, quote, unquote, urlsplit

from bot.channels.sentry import Dsn
from bot.config.suggest import closest

_CHAT_PATH = re.compile(r"/v1/spaces/[^/]+/messages/?")
_WORD = re.compile(r"[A-Za-z0-9+.-]{1,20}")
_PAGERDUTY = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}
_ENQUEUE = "/v2/enqueue"
_CHAT = "https://chat.googleapis.com"


class Service(Enum):
    """Who is spoken to, and so by which channel."""

    APPRISE = "apprise"
    SMS = "sms"
    PAGERDUTY = "pagerduty"
    GOOGLE_CHAT = "google chat"
    WEBHOOK = "webhook"
    SENTRY = "sentry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A service and its address. `key`: PagerDuty's integration key."""

    service: Service
    url: str
    key: str = ""


class AddressMistake(Exception):
    """An address that nothing can be sent to, in words without the address."""

    def __init__(self, message: str, suggestion: str) -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion


def way_of(kind: str, address: str) -> Way:
    """Where `url`, `sentry` or `webhook` of a destination lead. Raises AddressMistake."""
    address = address.strip()
    if kind == "sentry":
        return _sentry(address)
    if kind == "webhook":
        return Way(service=Service.WEBHOOK, url=_http(address))
    word = address.partition("://")[0].lower() if "://" in address else ""
    if word == "pagerduty":
        return _pagerduty(address)
    if word == "gchat":
        return _google_chat(address)
    if word in ("http", "https"):
        return _of_http(address)
    return _apprise(address, word)


def _sentry(address: str) -> Way:
    try:
        Dsn.read(address)
    except ValueError as error:
        raise AddressMistake(
            "this is not a Sentry DSN", f"{error}; copy it from the project's client keys"
        ) from None
    return Way(service=Service.SENTRY, url=address)


def _http(address: str) -> str:
    try:
        parts = urlsplit(address)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits:
        raise AddressMistake(
            "this is not an address of the web", "write one such as https://hooks.example.com/tocsin"
        )
    return address


def _of_http(address: str) -> Way:
    """An address of the web: known by its form, known to Apprise, or a webhook."""
    from bot.channels.apprise import is_known

    parts = urlsplit(_http(address))
    if _CHAT_PATH.fullmatch(parts.path):
        return Way(service=Service.GOOGLE_CHAT, url=address)
    if parts.path.rstrip("/") == _ENQUEUE:
        key = parse_qs(parts.query).get("routing_key", [""])[0]
        if not key:
            raise _no_key()
        return Way(service=Service.PAGERDUTY, url=parts._replace(query="").geturl(), key=key)
    if is_known(address):
        return Way(service=Service.APPRISE, url=address)
    return Way(service=Service.WEBHOOK, url=address)


def _pagerduty(address: str) -> Way:
    """`pagerduty://<integration key>`, or Apprise's form of it with an API key after an @."""
    parts = urlsplit(address)
    key = unquote(parts.netloc.partition("@")[0])
    region = parse_qs(parts.query).get("region", ["us"])[0].lower()
    if not key:
        raise _no_key()
    if region not in _PAGERDUTY:
        raise AddressMistake("PagerDuty has no such region", "write ?region=us or ?region=eu")
    return Way(service=Service.PAGERDUTY, url=_PAGERDUTY[region] + _ENQUEUE, key=key)


def _no_key() -> AddressMistake:
    return AddressMistake(
        "PagerDuty's integration key is missing",
        "write pagerduty:// and the key of an Events API v2 integration",
    )


def _google_chat(address: str) -> Way:
    from bot.channels.apprise import google_chat

    found = google_chat(address)
    if found is None:
        raise AddressMistake(
            "this address of Google Chat is not complete",
            "copy the webhook's own address, https://chat.googleapis.com/v1/spaces/…, or write gchat://space/key/token",
        )
    space, key, token = (quote(part, safe="") for part in map(unquote, found))
    return Way(service=Service.GOOGLE_CHAT, url=f"{_CHAT}/v1/spaces/{space}/messages?key={key}&token={token}")


def _apprise(address: str, word: str) -> Way:
    from bot.channels.apprise import forms, is_known, is_sms

    if not word or not _WORD.fullmatch(word):
        raise AddressMistake(
            "this is not an address",
            "write one such as mailtos://user:password@example.com?to=ops@example.com",
        )
    if is_known(address):
        return Way(service=Service.SMS if is_sms(address) else Service.APPRISE, url=address)
    known = forms()
    if word in known:
        raise AddressMistake(
            f"this address of {word}:// is not complete or not right", f"it is written {known[word]}"
        )
    if word == "msteams":
        raise AddressMistake(
            "msteams:// is gone: Teams has withdrawn its connectors",
            "make a workflow that waits for a webhook in Teams and write its address here",
        )
    raise AddressMistake(
        f"nothing is known that begins with {word}://",
        closest(word, known) or "see https://appriseit.com/services/ for what there is",
    )
