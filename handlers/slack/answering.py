"""Slash commands and mentions: a question in words, a message in answer."""

from __future__ import annotations

from dataclasses import dataclass

from bot.blocks.message import Message, context, outside, section
from bot.blocks.overview import alert_line, render_heartbeat, render_overview, verdict
from bot.blocks.runs import RunFilter, render_runs
from bot.config.settings import Settings
from bot.domain.clock import Clock
from bot.reporting import Reporting
from handlers.slack.asking import NotUnderstood, closest_word, parse_logs
from handlers.slack.definitions import COMMANDS
from storage import runs
from storage.database import Database

HEARTBEAT = "heartbeat_check"
WORDS = ("status", "logs", "alerts", "help", HEARTBEAT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """Answers questions. Every method raises DatabaseError."""

    database: Database
    settings: Settings
    reporting: Reporting
    clock: Clock

    async def answer(self, word: str, text: str) -> Message:
        """The answer to `word` (empty: the first of `text`); nonsense is answered with what would be understood."""
        if not word:
            word, _, text = text.strip().partition(" ")
        word = word.lower() or "status"
        match word:
            case "status":
                return await self._status(text)
            case "logs":
                return await self._logs(text)
            case "alerts":
                return await self._alerts()
            case "help":
                return self.help()
            case "heartbeat" | "heartbeat_check":
                return await self.heartbeat()
        near = closest_word(word, WORDS)
        meant = f" Did you mean `{near}`?" if near else ""
        return self.help(f"I do not know {outside(word, 60)!r}.{meant}")

    async def heartbeat(self) -> Message:
        """The one line that says whether all is well."""
        return render_heartbeat(await self.reporting.overview())

    async def page(self, wanted: RunFilter) -> Message:
        """A page of runs."""
        async with self.database.snapshot() as connection:
            found = await runs.page(
                connection,
                job=wanted.job,
                status=wanted.status,
                since=wanted.since,
                before=wanted.before,
                limit=wanted.limit,
            )
        return render_runs([stored.run for stored in found.runs], wanted, found.before)

    async def _status(self, text: str) -> Message:
        return render_overview(await self.reporting.overview())

    async def _logs(self, text: str) -> Message:
        async with self.database.snapshot() as connection:
            known = await runs.job_names(connection)
        jobs = sorted({*known, *self.settings.jobs})
        try:
            wanted = parse_logs(text, jobs, self.clock(), self.settings.timezone)
        except NotUnderstood as error:
            return self.help(outside(str(error), 800).replace("ˋ", "`"))
        return await self.page(wanted)

    async def _alerts(self) -> Message:
        overview = await self.reporting.overview()
        listed = [alert_line(alert, overview) for alert in overview.alerts[:25]]
        if hidden := len(overview.alerts) - len(listed):
            listed.append(f"… and {hidden} more")
        head = f"*Open alerts* · {verdict(overview)}"
        blocks = [section(head)]
        blocks += [section("\n".join(listed[start : start + 8])) for start in range(0, len(listed), 8)]
        return Message(text="\n".join([head, *listed])[:3000], blocks=tuple(blocks))

    def help(self, trouble: str = "") -> Message:
        """What can be asked, in examples."""
        prefix = self.settings.slack.command_prefix
        lines = [
            f"`/{prefix}-status` how everything stands",
            f"`/{prefix}-logs` the newest runs",
            f"`/{prefix}-logs parse_orders failed 24h 20` a job's failed runs of 24 hours, 20 of them",
            f"`/{prefix} alerts` what is open",
            f"`{HEARTBEAT}` in any channel I am in: whether all is well",
        ]
        head = f":grey_question: {trouble}\n" if trouble else ""
        text = head + "*You can ask me*\n" + "\n".join(lines)
        names = ", ".join(command.name(prefix) for command in COMMANDS)
        return Message(text=text, blocks=(section(text), context(f"Commands: {names}")))
