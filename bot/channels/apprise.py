"""Apprise: email, text messages, Discord, Teams and all else it knows, each send in a thread of its own.

Apprise says only that it failed; why is read from what it logs meanwhile, which goes nowhere else: it may hold
parts of the address.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import warnings
from concurrent.futures import Executor
from contextvars import ContextVar, copy_context
from typing import Any

import apprise

from bot.blocks.plain import SHORTEST, Letter, as_html, as_line, as_text
from bot.channels.delivery import DeliveryFailed, Failure
from bot.channels.outlet import failure_of, for_good
from bot.domain.news import EVERYTHING, NewsKind
from bot.domain.severity import Severity
from checks.result import CannotRun

_PATIENCE = 40.0  # seconds; below the lease of the outbox
# Services whose messages are texts to telephones, by the names of their addresses.
_SMS = (
    "46elks elks eight00com atalk bulksms bulkvs burstsms kudosity cm clicksend clickatell d7sms exotel freemobile "
    "httpsms infobip kaleyra klr kavenegar mobilemessage mobilemsg msg91 msgbird nexmo vonage notifyre octopush plivo "
    "ringc serwersms seven sfr sinch smpp smpps smsc smseagle smseagles smsmanager smsmgr smstunnel sns telesign "
    "telnyx twilio voipms"
)
SMS_SCHEMAS = frozenset(_SMS.split())
_STATUS = re.compile(r"\berror=(\d{3})\b")
_REPLY = re.compile(r"\((\d{3}), b?['\"](.{0,200}?)['\"][,)]|refused: (\d{3}) (.{0,200})")
_NOBODY = re.compile(
    r"Connection refused|Name or service not known|No address associated|Temporary failure in name|getaddrinfo"
    r"|nodename nor servname|No route to host|Network is unreachable|NewConnectionError|NameResolutionError"
    r"|ConnectTimeout|\[Errno (?:111|113|101|-2|-3|-5)\]"
)
_SLOW = re.compile(r"timed? ?out", re.IGNORECASE)
_TLS = re.compile(r"CERTIFICATE_VERIFY_FAILED|certificate verify failed")

_TYPES = {
    Severity.CRITICAL: apprise.NotifyType.FAILURE,
    Severity.HIGH: apprise.NotifyType.FAILURE,
    Severity.MEDIUM: apprise.NotifyType.WARNING,
    Severity.LOW: apprise.NotifyType.INFO,
}
_heard: ContextVar[list[str] | None] = ContextVar("apprise_said", default=None)


class _Ear(logging.Handler):
    """Keeps what Apprise logs for the send that it belongs to."""

    def emit(self, record: logging.LogRecord) -> None:
        said = _heard.get()
        if said is not None and len(said) < 200:
            said.append(record.getMessage()[:1000])


def listen() -> None:
    """Let what Apprise logs be heard here and nowhere else; a second call changes nothing."""
    logger = logging.getLogger("apprise")
    if not any(isinstance(handler, _Ear) for handler in logger.handlers):
        logger.handlers[:] = [_Ear()]
        with warnings.catch_warnings():  # its services load at the first address, with warnings of their own
            warnings.simplefilter("ignore")
            apprise.Apprise.instantiate("json://localhost/", suppress_exceptions=True)
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings name addresses


class AppriseOutlet:
    """One Apprise address. `threads` lends a thread at a time. Raises ValueError for an address it does not know."""

    understands = EVERYTHING - {NewsKind.ACKNOWLEDGED}  # people see in Slack who looks at it

    def __init__(self, address: str, threads: Executor, *, system: str) -> None:
        listen()
        self._address, self._threads, self._system = address, threads, system
        self._secrets = _parts(address)
        self._is_sms = is_sms(address)
        if _plugin(address, system) is None:
            raise ValueError("Apprise does not know this address")

    async def tell(self, letter: Letter, key: str) -> None:
        said: list[str] = []
        context = copy_context()
        context.run(_heard.set, said)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_PATIENCE):
                sent = await loop.run_in_executor(self._threads, context.run, self._send, letter, key)
        except CannotRun:
            raise DeliveryFailed(
                Failure.UNREACHABLE,
                "the last delivery to it has not come back",
                remedy="see whether it answers",
            ) from None
        except TimeoutError:
            raise DeliveryFailed(Failure.AMBIGUOUS, "no answer in time") from None
        if not sent:
            raise classify(said, self._secrets)

    def _send(self, letter: Letter, key: str) -> bool:
        """In the thread: build the service anew, so that nothing waits between two messages, and send."""
        service = _plugin(self._address, self._system)
        if service is None:
            return False
        if (
            isinstance(getattr(service, "headers", None), dict)
            and service.__class__.__name__ == "NotifyEmail"
        ):
            service.headers.update(_mail_headers(letter, key))
        title, body, form = self._content(service, letter)
        try:
            return bool(
                service.notify(body=body, title=title, notify_type=_type_of(letter), body_format=form)
            )
        except Exception as error:  # noqa: BLE001  (whatever a service's own code raises is its failure)
            said = _heard.get()
            if said is not None:
                said.append(f"{type(error).__name__}: {error}")
            return False

    def _content(self, service: Any, letter: Letter) -> tuple[str, str, Any]:
        """Title, body and format as the service reads best."""
        if self._is_sms:
            return "", as_line(letter, SHORTEST), apprise.NotifyFormat.TEXT
        formats = service.notify_format
        formats = formats if isinstance(formats, tuple | list) else (formats,)
        if formats and formats[0] == apprise.NotifyFormat.HTML:
            return letter.subject, as_html(letter), apprise.NotifyFormat.HTML
        return letter.subject, as_text(letter), apprise.NotifyFormat.TEXT


def is_sms(address: str) -> bool:
    """Whether an address of Apprise leads to telephones as text messages."""
    return address.partition("://")[0].strip().lower() in SMS_SCHEMAS


def is_known(address: str) -> bool:
    """Whether Apprise makes a service of an address; nothing is sent."""
    listen()
    return _plugin(address, "Tocsin") is not None


def forms() -> dict[str, str]:
    """How an address is written, by each word that it may begin with."""
    listen()
    found: dict[str, str] = {}
    for entry in apprise.Apprise().details()["schemas"]:
        templates = list(entry["details"]["templates"])
        for word in (*(entry["protocols"] or ()), *(entry["secure_protocols"] or ())):
            found[word] = templates[0].replace("{schema}", word) if templates else f"{word}://…"
    return found


def google_chat(address: str) -> tuple[str, str, str] | None:
    """Space, key and token of a gchat:// address."""
    service = _plugin(address, "Tocsin")
    if service is None:
        return None
    return str(service.workspace), str(service.webhook_key), str(service.webhook_token)


def _plugin(address: str, system: str) -> Any:
    """A fresh service of Apprise's."""
    asset = apprise.AppriseAsset(app_id="Tocsin", app_desc=system, app_url="", async_mode=False)
    with contextlib.suppress(Exception):  # services check their addresses in ways of their own
        return apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
    return None


def _mail_headers(letter: Letter, key: str) -> dict[str, str]:
    """Marks the mail as automatic, and keeps those about one alert together in the reader's program."""
    headers = {"Auto-Submitted": "auto-generated", "X-Tocsin-Key": key}
    if letter.alert is not None:
        headers["References"] = f"<tocsin.{letter.alert.id}.{letter.alert.fingerprint}@tocsin.invalid>"
        if letter.alert.severity is Severity.CRITICAL and letter.kind is not NewsKind.RESOLVED:
            headers["X-Priority"] = "1"
    return headers


def _type_of(letter: Letter) -> Any:
    if letter.kind is NewsKind.RESOLVED:
        return apprise.NotifyType.SUCCESS
    return apprise.NotifyType.INFO if letter.alert is None else _TYPES[letter.alert.severity]


def classify(said: list[str], secrets: frozenset[str] = frozenset()) -> DeliveryFailed:
    """Why a send failed, from what Apprise logged. The reason holds none of `secrets`."""
    text = "\n".join(said)
    if found := _STATUS.search(text):
        return failure_of(int(found[1]))
    if found := _REPLY.search(text):
        code, words = int(found[1] or found[3]), (found[2] or found[4] or "").strip()
        return _mail_refused(code, _masked(words, secrets))
    if _TLS.search(text):
        return for_good(
            "its certificate is not trusted", "correct its certificate, or add ?verify=no to the address"
        )
    if _NOBODY.search(text):
        return DeliveryFailed(Failure.UNREACHABLE, "nobody answers at its address")
    if _SLOW.search(text):
        return DeliveryFailed(Failure.AMBIGUOUS, "no answer in time")
    return DeliveryFailed(Failure.AMBIGUOUS, "it could not be sent, and Apprise does not say why")


def _mail_refused(code: int, words: str) -> DeliveryFailed:
    said = f"the mail server answers {code} {words}".strip()
    if code < 500:
        return DeliveryFailed(Failure.REFUSED, said)
    remedy = (
        "write the right user and password into tocsin.yml"
        if code in (530, 534, 535, 538)
        else "correct sender and recipients in tocsin.yml, or let the server take this mail"
    )
    return for_good(said, remedy)


def _masked(text: str, secrets: frozenset[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "••••")
    return text


def _parts(address: str) -> frozenset[str]:
    """The pieces of an address that no message may hold."""
    rest = address.partition("://")[2]
    return frozenset({address, *(part for part in re.split(r"[/:@?&=]", rest) if len(part) >= 6)})
