"""Slash commands and mentions: a question in words, a message in answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.blocks.detail import render_check, render_job
from bot.blocks.duty import render_oncall
from bot.blocks.message import Block, Message, actions, button, context, outside, section
from bot.blocks.overrides import with_changes
from bot.blocks.overview import alert_line, render_heartbeat, render_overview, verdict
from bot.blocks.patterns import render_patterns
from bot.blocks.runs import render_runs
from bot.blocks.thresholds import render_thresholds
from bot.config.plans import rotations_of
from bot.config.settings import Settings
from bot.domain.clock import Clock
from bot.domain.observation import Source, SourceKind
from bot.domain.oncall import duty
from bot.domain.run_filter import RunFilter, RunPage
from bot.reporting import Reporting
from handlers.slack.asking import NotUnderstood, closest_word, find_name, listed, parse_length, parse_logs
from handlers.slack.definitions import COMMANDS
from storage import runs, sources
from storage.database import Database

HEARTBEAT = "heartbeat_check"
_MOST_CHOICES = 5
WORDS = (
    "status",
    "logs",
    "alerts",
    "silence",
    "silences",
    "incident",
    "incidents",
    "oncall",
    "patterns",
    "thresholds",
    "set",
    "unset",
    "overrides",
    "help",
    HEARTBEAT,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """Answers questions. Every method raises DatabaseError."""

    database: Database
    settings: Settings
    reporting: Reporting
    clock: Clock
    changed: Callable[[Source], Sequence[str]] = lambda _source: ()
    """What was changed of a check or a job at run time, in words."""

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
            case "oncall" | "on-call":
                return self.oncall()
            case "silence" | "silences" | "incident" | "incidents" | "set" | "unset" | "overrides":
                return self.help(f"Ask with the command: `/{self.settings.slack.command_prefix} {word}`.")
            case "patterns":
                return await self._patterns(text)
            case "thresholds":
                return await self._thresholds(text)
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
        return self._shown(await self._read(wanted), wanted)

    async def _read(self, wanted: RunFilter) -> RunPage:
        async with self.database.snapshot() as connection:
            return await runs.page(connection, wanted)

    def _shown(self, page: RunPage, wanted: RunFilter) -> Message:
        return render_runs(page, wanted, self.settings.slack.command_prefix)

    async def _status(self, text: str) -> Message:
        """Everything, or the one check or job that is named."""
        if not text.strip():
            return render_overview(await self.reporting.overview())
        known = await self.reporting.sources()
        kind, _, rest = text.strip().partition(":")
        if rest and kind.lower() in (SourceKind.CHECK, SourceKind.JOB):
            known, text = [source for source in known if source.kind == kind.lower()], rest
        found = find_name(text, list(dict.fromkeys(source.name for source in known)))
        if isinstance(found, str):
            return await self._one([source for source in known if source.name == found], text)
        asked = outside(text.strip(), 60)
        if not found:
            return _noted(
                f"I know no check or job `{asked}`; this is everything.",
                render_overview(await self.reporting.overview()),
            )
        choices = [f"status {name}" for name in found]
        return self._choice(f"Which one is `{asked}`: {_ours(listed(found))}?", choices)

    async def _one(self, meant: list[Source], text: str) -> Message:
        if len(meant) > 1:
            question = f"`{outside(meant[0].name, 60)}` is a check and a job. Which one?"
            return self._choice(question, [f"status {source.kind}:{source.name}" for source in meant])
        (source,) = meant
        name = source.name
        exact = name.lower().startswith(text.strip().strip('`"').lower())
        note = "" if exact else f"You wrote `{outside(text.strip(), 60)}`; this is `{outside(name, 100)}`."
        if source.kind is SourceKind.JOB:
            return with_changes(render_job(await self.reporting.job(name), note), self.changed(source))
        return with_changes(render_check(await self.reporting.check(name), note), self.changed(source))

    async def _logs(self, text: str) -> Message:
        async with self.database.snapshot() as connection:
            known = await sources.names(connection, SourceKind.JOB)
        jobs = sorted({*known, *self.settings.jobs})
        try:
            question = parse_logs(text, jobs, self.clock(), self.settings.timezone)
        except NotUnderstood as error:
            return self.help(_ours(str(error)), error.choices)
        page = await self._read(question.wanted)
        if question.unknown and not page.runs and page.older is None:
            return self.help(_ours(_nothing_says(question.unknown, jobs)))
        return self._shown(page, question.wanted)

    async def _alerts(self) -> Message:
        overview = await self.reporting.overview()
        listed = [alert_line(alert, overview) for alert in overview.alerts[:25]]
        if hidden := len(overview.alerts) - len(listed):
            listed.append(f"… and {hidden} more")
        head = f"*Open alerts* · {verdict(overview)}"
        blocks = [section(head)]
        blocks += [section("\n".join(listed[start : start + 8])) for start in range(0, len(listed), 8)]
        return Message(text="\n".join([head, *listed])[:3000], blocks=tuple(blocks))

    async def _patterns(self, text: str) -> Message:
        try:
            over = parse_length(text, timedelta(days=7), self.settings.retention.alerts)
        except NotUnderstood as error:
            return self.help(_ours(str(error)))
        found = await self.reporting.patterns(over, self.clock())
        return render_patterns(found, self.settings.timezone, self.settings.name)

    async def _thresholds(self, text: str) -> Message:
        try:
            over = parse_length(text, timedelta(days=30), self.settings.retention.rollups)
        except NotUnderstood as error:
            return self.help(_ours(str(error)))
        return render_thresholds(await self.reporting.thresholds(over), math.ceil(over / timedelta(days=1)))

    def oncall(self) -> Message:
        """Who is on call, and who follows when."""
        rotations = rotations_of(self.settings)
        if not rotations:
            return self.help("Nobody takes turns here: the configuration has no `oncall:`.")
        now = self.clock()
        return render_oncall({name: duty(rotation, now) for name, rotation in rotations.items()})

    def help(self, trouble: str = "", choices: Sequence[str] = ()) -> Message:
        """What can be asked, in examples; `choices` are questions that may have been meant, as buttons."""
        prefix = self.settings.slack.command_prefix
        lines = [
            f"`/{prefix}-status` how everything stands",
            f"`/{prefix}-status parse_orders` how one job or check stands and went lately",
            f"`/{prefix}-logs` the newest runs",
            f"`/{prefix}-logs parse_orders failed 24h 20` a job's failed runs of 24 hours, 20 of them",
            f'`/{prefix}-logs yesterday "disk full"` the runs of a day that said something',
            f"`/{prefix} alerts` what is open",
            f"`/{prefix} oncall` who is on call, and who follows when",
            f"`/{prefix} silence backend 2h deploying` let nobody be told of something for a time",
            f"`/{prefix} silences` what is silenced, by whom, why and until when",
            f"`/{prefix} incident list` the incidents; `/{prefix} incident report 3` sends a report as a file",
            f"`/{prefix} patterns 30d` when and about what alerts came",
            f"`/{prefix} thresholds` which limits the last 30 days speak for",
            f"`/{prefix} set host.cpu_percent 90 because …` change a setting while I run; `unset` takes it back",
            f"`/{prefix} overrides` what is changed, by whom and why; `overrides yaml` to put it into the file",
            f"`/{prefix} alert P2 checkout is slow` raise an alert by hand",
            f"`{HEARTBEAT}` in any channel I am in: whether all is well",
        ]
        head = f":grey_question: {trouble}\n" if trouble else ""
        text = head + "*You can ask me*\n" + "\n".join(lines)
        names = ", ".join(command.name(prefix) for command in COMMANDS)
        blocks = [section(text), *_buttons(choices), context(f"Commands: {names}")]
        return Message(text=text, blocks=tuple(blocks))

    def _choice(self, question: str, choices: Sequence[str]) -> Message:
        """A question back, answered by a button."""
        text = f":grey_question: {question}"
        return Message(text=text, blocks=(section(text), *_buttons(choices)))


def _buttons(choices: Sequence[str]) -> list[Block]:
    """A button for each question that may have been meant; pressing it asks that."""
    found = [
        button(choice.partition(" ")[2], f"ask:{number}", choice)
        for number, choice in enumerate(choices[:_MOST_CHOICES])
    ]
    return [actions("ask", found)] if found else []


def _noted(note: str, message: Message) -> Message:
    """A message with a remark before it."""
    return Message(text=f"{note}\n{message.text}", blocks=(section(note), *message.blocks), body=message.body)


def _nothing_says(words: Sequence[str], jobs: Sequence[str]) -> str:
    asked = " ".join(words)
    known = f"The jobs are {listed(jobs)}." if jobs else "No job has reported yet."
    return f"No run that fits says {asked!r}. There is no job {asked!r} either. {known}"


def _ours(text: str) -> str:
    """Our own words with outside words in them: escaped, the marks around names kept."""
    return outside(text, 800).replace("ˋ", "`")
