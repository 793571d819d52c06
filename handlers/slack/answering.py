"""Questions about how things stand: status, logs, alerts, why, who is on call, help."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from bot.blocks.alert_detail import render_detail
from bot.blocks.detail import render_check, render_job
from bot.blocks.digest import render_digest
from bot.blocks.duty import render_oncall
from bot.blocks.health import render_health
from bot.blocks.message import Block, Message, actions, button, context, noted, outside, section
from bot.blocks.overrides import with_changes
from bot.blocks.overview import alert_line, render_heartbeat, render_overview, verdict
from bot.blocks.patterns import render_patterns
from bot.blocks.results import render_results
from bot.blocks.runs import render_runs
from bot.blocks.sla import render_sla
from bot.blocks.thresholds import render_thresholds
from bot.blocks.why import render_why
from bot.config.plans import rotations_of
from bot.config.settings import Settings
from bot.config.telling import Digest
from bot.domain.alert import Alert
from bot.domain.alert_search import number_meant
from bot.domain.clock import Clock
from bot.domain.observation import Source, SourceKind
from bot.domain.oncall import duty
from bot.domain.run_filter import RunFilter, RunPage
from bot.reporting import Reporting
from bot.sharing import Shared
from bot.why import Explaining, Looking
from handlers.slack.asking import (
    NotUnderstood,
    find_name,
    listed,
    parse_length,
    parse_logs,
    parse_month,
)
from handlers.slack.definitions import COMMANDS
from handlers.slack.words import HEARTBEAT, help_lines
from storage import runs, sources
from storage.database import Database

__all__ = ["HEARTBEAT", "Answering"]

_MOST_CHOICES = 5
_SHOWN_RESULTS = 20
REPORTS = ("sla", "health", "digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """Answers questions. Every method raises DatabaseError."""

    database: Database
    settings: Settings
    reporting: Reporting
    looking: Looking
    explaining: Explaining
    clock: Clock
    changed: Callable[[Source], Sequence[str]] = lambda _source: ()
    """What was changed of a check or a job at run time, in words."""
    _everything: Shared[Message] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        async def read() -> Message:
            return render_overview(await self.reporting.overview())

        object.__setattr__(self, "_everything", Shared(read))

    async def heartbeat(self) -> Message:
        """The one line that says whether all is well."""
        return render_heartbeat(await self.reporting.overview())

    # Status -----------------------------------------------------------------------------------------------

    async def status(self, text: str) -> Message:
        """Everything, or the one check, job or alert that is named."""
        if not text.strip():
            return await self._everything.get()
        if number_meant(text) is not None:
            return await self._numbered(text)
        known, wanted = await self._known(text)
        found = find_name(wanted, list(dict.fromkeys(source.name for source in known)))
        if isinstance(found, str):
            return await self._one([source for source in known if source.name == found], wanted)
        about = await self.looking.meant(text)
        if len(about) == 1 and not found:
            return render_detail(await self.looking.detail(about[0]))
        asked = outside(text.strip(), 60)
        if not found and not about:
            return noted(
                f"I know no check, job or alert `{asked}`; this is everything.",
                render_overview(await self.reporting.overview()),
            )
        choices = [*(f"status {name}" for name in found), *(f"status #{alert.id}" for alert in about)]
        return self.choice(f"Which one is `{asked}`: {_offered(found, about)}?", choices)

    async def _known(self, text: str) -> tuple[list[Source], str]:
        """The checks and jobs that may be meant, and their name: `job:web` is no check."""
        known = await self.reporting.sources()
        kind, _, rest = text.strip().partition(":")
        if rest and kind.lower() in (SourceKind.CHECK, SourceKind.JOB):
            return [source for source in known if source.kind == kind.lower()], rest
        return known, text

    async def _numbered(self, text: str) -> Message:
        found = await self.looking.meant(text)
        if not found:
            number = number_meant(text)
            return self.help(f"There is no alert #{number} (any more). `alerts` lists what is open.")
        return render_detail(await self.looking.detail(found[0]))

    async def _one(self, meant: list[Source], text: str) -> Message:
        if len(meant) > 1:
            question = f"`{outside(meant[0].name, 60)}` is a check and a job. Which one?"
            return self.choice(question, [f"status {source.kind}:{source.name}" for source in meant])
        (source,) = meant
        name = source.name
        exact = name.lower().startswith(text.strip().strip('`"').lower())
        note = "" if exact else f"You wrote `{outside(text.strip(), 60)}`; this is `{outside(name, 100)}`."
        if source.kind is SourceKind.JOB:
            return with_changes(render_job(await self.reporting.job(name), note), self.changed(source))
        return with_changes(render_check(await self.reporting.check(name), note), self.changed(source))

    async def named(self, text: str) -> list[str]:
        """Questions about what these words name: a check, a job or an alert."""
        known = await self.reporting.sources()
        found = find_name(text, list(dict.fromkeys(source.name for source in known)))
        if isinstance(found, str):
            return [f"status {found}"]
        return [f"status #{alert.id}" for alert in (await self.looking.meant(text))[:3]]

    # Logs -------------------------------------------------------------------------------------------------

    async def logs(self, text: str) -> Message:
        """The runs that fit, or the last results of the check that is named."""
        if text.strip().startswith("#") and number_meant(text) is not None:
            return await self._logs_of_alert(text)
        async with self.database.snapshot() as connection:
            known = await sources.names(connection, SourceKind.JOB)
        jobs = sorted({*known, *self.settings.jobs})
        wanted = text.strip().strip('`"').removeprefix("check:")
        if wanted in self.settings.checks and (wanted not in jobs or text.strip() != wanted):
            return await self._results(wanted)
        try:
            question = parse_logs(text, jobs, self.clock(), self.settings.timezone)
        except NotUnderstood as error:
            return self.help(ours(str(error)), error.choices)
        if question.unknown == (wanted,) and (check := self._check_beginning(wanted)) is not None:
            return await self._results(check)
        page = await self._read(question.wanted)
        if question.unknown and not page.runs and page.older is None:
            return await self._nothing_says(text, question.unknown, jobs)
        return self._shown(page, question.wanted)

    async def page(self, wanted: RunFilter) -> Message:
        """A page of runs."""
        return self._shown(await self._read(wanted), wanted)

    async def _read(self, wanted: RunFilter) -> RunPage:
        async with self.database.snapshot() as connection:
            return await runs.page(connection, wanted)

    def _shown(self, page: RunPage, wanted: RunFilter) -> Message:
        return render_runs(page, wanted, self.settings.slack.command_prefix)

    def _check_beginning(self, text: str) -> str | None:
        """The only check that begins so."""
        found = [name for name in self.settings.checks if name.lower().startswith(text.lower())]
        return found[0] if len(found) == 1 else None

    async def _results(self, check: str, note: str = "") -> Message:
        async with self.database.snapshot() as connection:
            found = await sources.latest(connection, check, _SHOWN_RESULTS)
        return render_results(check, found, self.clock(), note)

    async def _logs_of_alert(self, text: str) -> Message:
        """The runs of the job that an alert is about, or the results of its check."""
        found = await self.looking.meant(text)
        if not found:
            return self.help(
                f"There is no alert #{number_meant(text)} (any more). `alerts` lists what is open."
            )
        source = found[0].firing.source
        note = f"Alert #{found[0].id} is about the {source.kind.value} `{outside(source.name, 100)}`:"
        if source.kind is SourceKind.CHECK:
            return await self._results(source.name, note)
        if source.kind is SourceKind.JOB:
            return noted(note, await self.page(RunFilter(job=source.name, limit=10)))
        return noted("It was raised from outside, so nothing ran here; this is the alert.",
                     render_detail(await self.looking.detail(found[0])))  # fmt: skip

    async def _nothing_says(self, text: str, words: Sequence[str], jobs: Sequence[str]) -> Message:
        asked = " ".join(words)
        known = f"The jobs are {listed(jobs)}." if jobs else "No job has reported yet."
        said = f"No run that fits says {asked!r}. There is no job {asked!r} either. {known}"
        near = find_name(text, list(self.settings.checks))
        checks = [near] if isinstance(near, str) else near
        choices = [f"logs check:{name}" for name in checks]
        choices += [f"logs #{alert.id}" for alert in (await self.looking.meant(text))[:3]]
        return self.help(ours(said), choices)

    # Alerts -----------------------------------------------------------------------------------------------

    async def alerts(self) -> Message:
        """What is open."""
        overview = await self.reporting.overview()
        lines = [alert_line(alert, overview) for alert in overview.alerts[:25]]
        if hidden := len(overview.alerts) - len(lines):
            lines.append(f"… and {hidden} more")
        head = f"*Open alerts* · {verdict(overview)}"
        blocks = [section(head)]
        blocks += [section("\n".join(lines[start : start + 8])) for start in range(0, len(lines), 8)]
        return Message(text="\n".join([head, *lines])[:3000], blocks=tuple(blocks))

    async def why(self, text: str) -> Message:
        """Why an alert is as it is: the one of that number, or the newest that fits the words."""
        found = await self.looking.meant(text) if text.strip() else []
        if found:
            answer = render_why(await self.explaining.why(found[0]))
            if len(found) > 1:
                others = ", ".join(f"#{alert.id}" for alert in found[1:6])
                answer = noted(f"{len(found)} alerts fit; this is the newest. Others: {others}.", answer)
            return answer
        open_ones = (await self.reporting.overview()).alerts[:_MOST_CHOICES]
        choices = [f"why #{alert.id}" for alert in open_ones]
        if not text.strip():
            which = f" Open are {_offered([], open_ones)}." if open_ones else " None is open."
            return self.choice(f"Why what? Name an alert: `why #12` or `why backend`.{which}", choices)
        return self.choice(f"I know no alert `{outside(text.strip(), 60)}`.", choices)

    async def patterns(self, text: str) -> Message:
        """When and about what alerts came."""
        try:
            over = parse_length(text, timedelta(days=7), self.settings.retention.alerts)
        except NotUnderstood as error:
            return self.help(ours(str(error)))
        found = await self.reporting.patterns(over, self.clock())
        return render_patterns(found, self.settings.timezone, self.settings.name)

    async def thresholds(self, text: str) -> Message:
        """Which limits the figures speak for."""
        try:
            over = parse_length(text, timedelta(days=30), self.settings.retention.rollups)
        except NotUnderstood as error:
            return self.help(ours(str(error)))
        return render_thresholds(await self.reporting.thresholds(over), math.ceil(over / timedelta(days=1)))

    async def report(self, text: str) -> Message:
        """`report sla [month]`, `report health`, `report digest`."""
        kind, _, rest = text.strip().partition(" ")
        now, zone = self.clock(), self.settings.timezone
        near = difflib.get_close_matches(kind.lower(), REPORTS, n=1)
        match near[0] if near else "":
            case "sla" if self.settings.reports.sla is None:
                return self.help("The configuration has no objectives under `reports.sla`.")
            case "sla":
                try:
                    month = parse_month(rest, now, zone)
                except NotUnderstood as error:
                    return self.help(ours(str(error)))
                report = await self.reporting.measuring.sla(month, now)
                return render_sla(report, zone, with_file_button=True)
            case "health":
                return render_health(await self.reporting.health())
            case "digest":
                wanted = self.settings.digest or Digest()
                return render_digest(await self.reporting.digest(wanted, now), zone)
        choices = [f"report {name}" for name in REPORTS]
        return self.choice("Which report?", choices)

    def oncall(self) -> Message:
        """Who is on call, and who follows when."""
        rotations = rotations_of(self.settings)
        if not rotations:
            return self.help("Nobody takes turns here: the configuration has no `oncall:`.")
        now = self.clock()
        return render_oncall({name: duty(rotation, now) for name, rotation in rotations.items()})

    # Help -------------------------------------------------------------------------------------------------

    def help(self, trouble: str = "", choices: Sequence[str] = ()) -> Message:
        """What can be asked, in examples; `choices` are questions that may have been meant, as buttons."""
        prefix = self.settings.slack.command_prefix
        head = f":grey_question: {trouble}\n" if trouble else ""
        text = head + "*You can ask me*\n" + "\n".join(help_lines(prefix))
        names = ", ".join(command.name(prefix) for command in COMMANDS)
        blocks = [section(text), *_buttons(choices), context(f"Commands: {names}")]
        return Message(text=text, blocks=tuple(blocks))

    def choice(self, question: str, choices: Sequence[str]) -> Message:
        """A question back, answered by a button."""
        text = f":grey_question: {question}"
        return Message(text=text, blocks=(section(text), *_buttons(choices)))


def _buttons(choices: Sequence[str]) -> list[Block]:
    """A button for each question that may have been meant; pressing it asks that."""
    found = [
        button(choice.partition(" ")[2] or choice, f"ask:{number}", choice)
        for number, choice in enumerate(choices[:_MOST_CHOICES])
    ]
    return [actions("ask", found)] if found else []


def _offered(names: Sequence[str], alerts: Sequence[Alert]) -> str:
    """Names and alerts that may be meant, in words."""
    found = [f"`{outside(name, 80)}`" for name in names[:_MOST_CHOICES]]
    found += [f"#{alert.id} {outside(alert.firing.title, 80)}" for alert in alerts[:_MOST_CHOICES]]
    more = len(names) + len(alerts) - len(found)
    return ", ".join(found) + (f" or {more} others" if more > 0 else "")


def ours(text: str) -> str:
    """Our own words with outside words in them: escaped, the marks around names kept."""
    return outside(text, 800).replace("ˋ", "`")
