"""What people do with drills, checklists and reports in Slack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.checklist import ticks_shown
from bot.blocks.message import Message, outside, person, section, when
from bot.checklists import Checklists, UnknownChecklist
from bot.domain.clock import Clock
from bot.domain.drill import NoSuchRoute, Way, way_of_route, way_of_severity
from bot.domain.plan import Plan
from bot.domain.severity import Severity, parse_severity
from bot.drills import Drills
from bot.reporting import Reporting
from bot.scheduled import sla_file
from handlers.slack.asking import NotUnderstood, parse_month
from handlers.slack.people import People
from handlers.slack.run_window import REFUSALS
from handlers.slack.words import Asker, Question

log = structlog.get_logger(__name__)

Body = dict[str, Any]
Tell = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OccasionDesk:
    """Methods raise DatabaseError, SlackApiError."""

    client: AsyncWebClient
    checklists: Checklists
    drills: Drills
    reporting: Reporting
    plan: Plan
    people: People
    clock: Clock

    async def drill(self, question: Question) -> Message:
        """`drill`, `drill P2`, `drill route 3`: start one, and say so to who asked."""
        asker, text = question.asker, question.text
        if no := await self.people.refusal("drill", asker.body):
            return _said(f":lock: {no}")
        try:
            way = self._way(text)
        except (NotUnderstood, NoSuchRoute) as error:
            return _said(f":grey_question: {outside(str(error), 300)}. {self._examples()}")
        drill = await self.drills.start(way, asker.user, asker.channel)
        count = len(way.places)
        where = f"to {count} place{'s' if count > 1 else ''}" if count else "nowhere: no place can be sent to"
        return _said(
            f":construction: Drill #{drill.id} goes {where}. What arrives, and how fast, is told in this channel."
        )

    def _way(self, text: str) -> Way:
        words = text.lower().replace("#", " ").split()
        now = self.clock()
        match words:
            case []:
                return way_of_severity(self.plan, Severity.CRITICAL, now)
            case ["route", number] if number.isdecimal() and len(number) < 6:
                return way_of_route(self.plan, int(number), Severity.CRITICAL, now)
            case [word]:
                try:
                    return way_of_severity(self.plan, parse_severity(word), now)
                except ValueError:
                    pass
        raise NotUnderstood(f"I do not understand {text.strip()[:80]!r}")

    def _examples(self) -> str:
        routes = len(self.plan.routes)
        last = f", `drill route 1`{f' to `drill route {routes}`' if routes > 1 else ''}" if routes else ""
        return f"Write `drill`, `drill P2`{last}."

    async def ticked(self, name: str, action: Body, body: Body, tell: Tell) -> None:
        """Somebody ticked or unticked tasks: what they changed of what they saw is done, nothing else."""
        if no := await self.people.refusal("checklist", body):
            await tell(f":lock: {no}")
            return
        number = name.partition(":")[0]
        if not (number.isdecimal() and len(number) < 15):
            return
        chosen = {
            int(option["value"])
            for option in action.get("selected_options") or ()
            if str(option.get("value")).isdecimal() and len(option["value"]) < 5
        }
        seen = ticks_shown(str(action.get("block_id") or ""))
        added, removed = (chosen - seen, seen - chosen) if seen is not None else (chosen, set())
        try:
            others = await self.checklists.tick(int(number), added, removed, str(body["user"]["id"]))
        except UnknownChecklist:
            await tell(
                ":grey_question: Tocsin does not keep this checklist any more, so nothing can be ticked."
            )
            return
        for item, tick in others:
            await tell(f"{person(tick.by)} had done “{outside(item, 150)}” already, {when(tick.at)}.")

    async def send_sla(self, month: str, body: Body, tell: Tell) -> None:
        """Send an SLA report as a CSV file to where it was asked for."""
        asker, zone = Asker.of(body), self.reporting.settings.timezone
        try:
            wanted = parse_month(month, self.clock(), zone)
        except NotUnderstood:
            return
        file = sla_file(await self.reporting.measuring.sla(wanted, self.clock()))
        try:
            await self.client.files_upload_v2(
                channel=asker.channel, filename=file.filename, title=file.title, content=file.content
            )
        except SlackApiError as error:
            code = str(error.response.get("error"))
            log.warning("upload_refused", reason=code, file=file.filename)
            await tell(f":warning: Not sent: {REFUSALS.get(code, f'Slack answered {code}.')}")
        except (SlackRequestError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("upload_failed", reason=str(error), file=file.filename)
            await tell(":warning: Not sent: Slack did not take the file; try again.")


def _said(text: str) -> Message:
    return Message(text=text, blocks=(section(text),))
