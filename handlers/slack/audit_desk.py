"""`/tocsin audit`: who did what, to those who may see the configuration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.audit import render_audit
from bot.blocks.message import Message, outside, person, section
from bot.domain.alert_search import number_meant
from bot.domain.clock import Clock
from bot.why import Looking
from checks.options import parse_duration
from handlers.slack.people import People
from handlers.slack.words import Question
from storage import audit
from storage.audit import AuditFilter
from storage.database import Database

log = structlog.get_logger(__name__)

_SHOWN = 25
_USUAL = timedelta(days=7)
_LONGEST = timedelta(days=4000)
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_USER = re.compile(r"[UW][A-Z0-9]+")
_MOST_LOOKED_UP = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditDesk:
    """Answers about the audit history. Raises DatabaseError."""

    client: AsyncWebClient
    database: Database
    people: People
    looking: Looking
    clock: Clock

    async def answer(self, question: Question) -> Message:
        """`[alert or person] [7d]`; a week unless a length or an alert is given."""
        if no := await self.people.refusal("configuration", question.asker.body):
            return _said(f":lock: {no}")
        words, length = _parsed(question.text)
        about = " ".join(words)
        since = self.clock() - (length or _USUAL)
        if not about:
            return await self._shown(AuditFilter(since=since, limit=_SHOWN), "everybody", since)
        if who := await self._person(about, since):
            names = ", ".join(person(each) for each in who)
            return await self._shown(AuditFilter(who=frozenset(who), since=since, limit=_SHOWN), names, since)
        if (number := number_meant(about)) is None:
            found = await self.looking.meant(about)
            number = found[0].id if found else None
        if number is None:
            shown = outside(about, 60)
            return _said(
                f":grey_question: I know no alert `{shown}`, and nobody of that name did anything since then. "
                "Write `audit #12`, `audit @alex 30d` or `audit 24h`."
            )
        since_then = None if length is None else since
        wanted = AuditFilter(alert_id=number, since=since_then, limit=_SHOWN)
        return await self._shown(wanted, f"alert #{number}", since_then)

    async def _shown(self, wanted: AuditFilter, about: str, since: datetime | None) -> Message:
        async with self.database.snapshot() as connection:
            found, total = await audit.page(connection, wanted)
        return render_audit(found, total, about, since)

    async def _person(self, text: str, since: datetime) -> list[str]:
        """Those of that name who did something: a mention, a name of the API's, or how Slack shows them."""
        if found := _MENTION.fullmatch(text):
            return [found[1]]
        wanted = text.removeprefix("@").strip().lower()
        async with self.database.snapshot() as connection:
            known = await audit.people(connection, since)
        if same := [who for who in known if who.lower() == wanted]:
            return same
        if number_meant(text) is not None:
            return []
        ids = [who for who in known if _USER.fullmatch(who)][:_MOST_LOOKED_UP]
        return [who for who in ids if wanted in await self._names(who)]

    async def _names(self, user: str) -> Sequence[str]:
        try:
            answer = await self.client.users_info(user=user)
        except SlackApiError as error:
            log.info("user_unknown", user=user, reason=str(error.response.get("error")))
            return ()
        found = answer.get("user") or {}
        profile = found.get("profile") or {}
        names = (found.get("name"), found.get("real_name"), profile.get("display_name"))
        return [str(name).lower() for name in names if name]


def _parsed(text: str) -> tuple[list[str], timedelta | None]:
    """The words, and the length of time among them; nothing longer than is ever kept."""
    words, length = [], None
    for word in text.split():
        try:
            found = parse_duration(word) if not word.isdecimal() else None
        except ValueError:
            found = None
        if found is None:
            words.append(word)
        else:
            length = min(found, _LONGEST)
    return words, length


def _said(text: str) -> Message:
    return Message(text=text, blocks=(section(text),))
