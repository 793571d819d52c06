"""Use case: read how things stand and stood, for status, heartbeats and digests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeGuard
from zoneinfo import ZoneInfo

from bot.config.probing import CheckSettings, JobSettings
from bot.config.settings import Settings
from bot.config.telling import Digest as DigestSettings
from bot.config.telling import StatusField
from bot.domain.advice import Advice, advise
from bot.domain.alert import Alert
from bot.domain.clock import Clock
from bot.domain.decision import spell
from bot.domain.forecast import Outlook, accumulates, look_ahead
from bot.domain.observation import Source, SourceKind, complete
from bot.domain.pattern import Pattern, find_pattern
from bot.domain.rollup import DURATION, hour_of, together
from bot.domain.run import fields_of
from bot.domain.run_filter import RunFilter
from bot.domain.schedule import Cron, days_before, local_day
from bot.domain.standing import Standing
from bot.hindsight import trends_of
from bot.measuring import Measuring
from bot.present import Present
from bot.reports import digest as figures
from bot.reports.detail import SHOWN, CheckDetail, JobDetail, Limit
from bot.reports.digest import Digest, Item, Section, Series
from bot.reports.health import Health, alert_count
from bot.reports.overview import Figure, Overview, lines, worst
from bot.reports.thresholds import measured_fields
from checks.result import Value
from storage import alerts, decisions, history, rollups, runs, sources, tally
from storage.database import Connection, Database

_LOOK_BACK = timedelta(days=2)
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """Reads the database and gives figures. `troubles` tells what Tocsin itself cannot do at present."""

    database: Database
    present: Present
    clock: Clock
    troubles: Callable[[], Sequence[str]]

    @property
    def settings(self) -> Settings:
        """The settings as they hold now."""
        return self.present.settings

    @property
    def measuring(self) -> Measuring:
        """Fields over some time."""
        return Measuring(database=self.database, settings=self.settings)

    async def overview(self) -> Overview:
        """How everything stands now. Raises DatabaseError."""
        now = self.clock()
        async with self.database.snapshot() as connection:
            standings = await sources.list_all(connection)
            return Overview(
                name=self.settings.name,
                at=now,
                checks=lines(list(self.settings.checks), self._of_checks(standings)),
                jobs=lines(list(self.settings.jobs), _of_kind(standings, SourceKind.JOB)),
                alerts=await alerts.list_open(connection),
                figures=[
                    await self._figure(connection, wanted, standings, now)
                    for wanted in self.settings.status.fields
                ],
                troubles=self.troubles(),
            )

    def _of_checks(self, standings: Sequence[Standing]) -> list[Standing]:
        """A check that was taken out of the configuration stands no way any more; a job is heard of anyway."""
        of_checks = _of_kind(standings, SourceKind.CHECK)
        return [standing for standing in of_checks if standing.source.name in self.settings.checks]

    async def digest(self, wanted: DigestSettings, due_at: datetime) -> Digest:
        """The digest that fell due at an instant. Raises DatabaseError."""
        zone = self.settings.timezone
        start, end = local_day(due_at, zone, -1 if wanted.period == "yesterday" else 0)
        end = min(end, due_at)
        day_before = days_before(start, end, zone, 1)
        patterns = await self.patterns(wanted.patterns, end) if wanted.patterns else None
        charts = [await self.measuring.chart(chart, end) for chart in wanted.charts]
        async with self.database.snapshot() as connection:
            began = await alerts.opened_between(connection, start, end)
            untold = await decisions.told_nowhere(connection, [alert.id for alert in began])
            still_open = await alerts.list_open(connection)
            return Digest(
                name=self.settings.name,
                start=start,
                end=end,
                sections=await self._figures(connection, wanted, start, end),
                alerts=figures.alert_figures(
                    began, len(await alerts.opened_between(connection, *day_before))
                ),
                uptimes=await self._uptimes(connection, (start, end), day_before) if wanted.uptime else None,
                jobs=await self._jobs(connection, start, end),
                open=still_open,
                quiet=figures.quiet_alerts(began, still_open, untold),
                patterns=patterns,
                charts=charts,
            )

    async def _figures(
        self, connection: Connection, wanted: DigestSettings, start: datetime, end: datetime
    ) -> list[tuple[str, list[figures.Figure]]]:
        """The configured sections, with the earlier periods that their changes need."""
        sections = _sections(wanted)
        items = [item for section in sections for item in section.items]
        before: dict[int, Series] = {}
        for days in {item.change_days for item in items} - {None}:
            assert days is not None
            names = {item.source for item in items if item.change_days == days}
            period = days_before(start, end, self.settings.timezone, days)
            before[days] = await self._series(connection, names, *period)
        series = await self._series(connection, {item.source for item in items}, start, end)
        return figures.make_figures(sections, series, before)

    async def _uptimes(
        self, connection: Connection, now: tuple[datetime, datetime], before: tuple[datetime, datetime]
    ) -> figures.Uptimes | None:
        names = list(self.settings.checks)
        found = {name: await tally.of_check(connection, name, *now) for name in names}
        earlier = {name: await tally.of_check(connection, name, *before) for name in names}
        return figures.uptimes(found, earlier)

    async def _jobs(self, connection: Connection, start: datetime, end: datetime) -> list[figures.JobFigures]:
        jobs = sorted({*await sources.names(connection, SourceKind.JOB), *self.settings.jobs})
        ran = [(name, await tally.of_job(connection, name, start, end)) for name in jobs]
        return [figures.job_figures(name, found) for name, found in ran if found.count]

    async def health(self) -> Health:
        """How everything stands, with the alerts of a day and a week. Raises DatabaseError."""
        overview = await self.overview()
        async with self.database.snapshot() as connection:
            began = await alerts.opened_between(connection, overview.at - 2 * _WEEK, overview.at)
        return Health(
            overview=overview,
            day=alert_count(began, overview.at, _DAY),
            week=alert_count(began, overview.at, _WEEK),
        )

    async def patterns(self, over: timedelta, end: datetime) -> Pattern:
        """When and about what alerts came in the time before an instant. Raises DatabaseError."""
        async with self.database.snapshot() as connection:
            found = await history.episodes(connection, end - over, end)
        return find_pattern(found, end - over, end, self.settings.timezone)

    async def thresholds(self, over: timedelta) -> list[Advice]:
        """What the past speaks for instead of each threshold of the file. Raises DatabaseError."""
        now, found = self.clock(), []
        for about in measured_fields(self.settings):
            source = Source(kind=SourceKind.CHECK, name=about.check)
            async with self.database.snapshot() as connection:
                past = await rollups.hours(connection, source, about.field, hour_of(now - over), now)
            found.append(advise(about, past))
        return found

    async def sources(self) -> list[Source]:
        """Every check and job that is configured, or was heard of as a job."""
        async with self.database.snapshot() as connection:
            heard = await sources.names(connection, SourceKind.JOB)
        checks = [Source(kind=SourceKind.CHECK, name=name) for name in self.settings.checks]
        return checks + [
            Source(kind=SourceKind.JOB, name=name) for name in {**self.settings.jobs, **dict.fromkeys(heard)}
        ]

    async def job(self, name: str) -> JobDetail:
        """How a job stands and went lately. Raises DatabaseError."""
        now = self.clock()
        source, settings = Source(kind=SourceKind.JOB, name=name), self.settings.jobs.get(name)
        async with self.database.snapshot() as connection:
            found = await runs.page(connection, RunFilter(job=name, limit=SHOWN, ended=True))
            took = await rollups.hours(connection, source, DURATION, hour_of(now - _WEEK), now)
            last = found.runs[0].finished_at if found.runs else None
            return JobDetail(
                name=name,
                at=now,
                zone=self.settings.timezone,
                standing=worst(await sources.of_source(connection, source)),
                runs=found.runs[::-1],
                due_at=_due(settings, last, now, self.settings.timezone) if settings else None,
                budget=settings.budget if settings else None,
                day=await tally.of_job(connection, name, now - _DAY, now),
                week=await tally.of_job(connection, name, now - _WEEK, now),
                durations=together(rollup for _, rollup in took),
                alerts=_about(source, await alerts.list_open(connection)),
            )

    async def check(self, name: str) -> CheckDetail:
        """How a check stands and went lately. Raises DatabaseError."""
        now = self.clock()
        source, settings = Source(kind=SourceKind.CHECK, name=name), self.settings.checks.get(name)
        async with self.database.snapshot() as connection:
            standings = await sources.of_source(connection, source)
            most = SHOWN * min(max(len(standings), 1), 10)
            return CheckDetail(
                name=name,
                at=now,
                zone=self.settings.timezone,
                standings=standings,
                results=await sources.latest(connection, name, most),
                limits=_limits(settings) if settings else {},
                day=await tally.of_check(connection, name, now - _DAY, now),
                week=await tally.of_check(connection, name, now - _WEEK, now),
                alerts=_about(source, await alerts.list_open(connection)),
                outlooks=await self._outlooks(connection, settings, worst(standings)) if settings else {},
            )

    async def _outlooks(
        self, connection: Connection, settings: CheckSettings, last: Standing | None
    ) -> dict[str, Outlook]:
        """When the next limit of each field that fills up is reached, where its growth tells."""
        found: dict[str, Outlook] = {}
        for name, limits in settings.thresholds.items():
            value = last.fields.get(name) if last is not None else None
            if last is None or not _is_number(value) or not accumulates(name):
                continue
            trends = await trends_of(
                self.database, connection, last.source, last.resource, name, self.clock()
            )
            ends = [(limit.limit, limit.direction == "below") for limit in limits]
            if name in settings.options.percent_fields():
                ends.append((100.0, False))
            ahead = [look_ahead(trends, value, end, self.clock(), below=below) for end, below in ends]
            if told := [outlook for outlook in ahead if outlook is not None]:
                found[name] = min(told, key=lambda outlook: outlook.after)
        return found

    async def _series(
        self, connection: Connection, names: set[str], start: datetime, end: datetime
    ) -> Series:
        """What some checks and jobs reported in [start, end)."""
        series: dict[str, list[tuple[datetime, Mapping[str, Value]]]] = {name: [] for name in names}
        jobs = [name for name in names if name not in self.settings.checks]
        for run in await runs.between(connection, start, end, jobs) if jobs else ():
            series[run.job].append((run.finished_at, complete(fields_of(run))))
        for name in names & set(self.settings.checks):
            found = await sources.results_between(connection, name, start, end)
            series[name] = [(at, complete(fields)) for at, _, fields in found]
        return series

    async def _figure(
        self,
        connection: Connection,
        wanted: StatusField,
        standings: Sequence[Standing],
        now: datetime,
    ) -> Figure:
        source, field = wanted.field.source, wanted.field.field
        standing = next((found for found in standings if found.source.name == source), None)
        value = complete(standing.fields).get(field) if standing is not None else None
        if value is None:
            # The last word may lack the field, as a failed run does: the newest that has it counts.
            series = await self._series(connection, {source}, now - _LOOK_BACK, now)
            value = _newest(series[source], field)
        change = None
        if wanted.change is not None and isinstance(value, int | float):
            then = now - wanted.change
            past = await self._series(connection, {source}, then - _LOOK_BACK, then)
            earlier = _newest(past[source], field)
            if isinstance(earlier, int | float):
                change = figures.change(value, earlier, f"{spell(wanted.change)} ago", wanted.format)
        return Figure(label=wanted.label, value=figures.write(value, wanted.format), change=change)


def _newest(found: Sequence[tuple[datetime, Mapping[str, Value]]], field: str) -> Value:
    return next((fields[field] for _, fields in reversed(found) if fields.get(field) is not None), None)


def _due(settings: JobSettings, last: datetime | None, now: datetime, zone: ZoneInfo) -> datetime | None:
    """When a job is to be heard of next; the past when it is late."""
    if settings.schedule is not None:
        return Cron(settings.schedule, settings.timezone or zone).next_after(now)
    return None if settings.every is None or last is None else last + settings.every


def _limits(settings: CheckSettings) -> dict[str, list[Limit]]:
    return {
        field: [
            Limit(
                text=f"{found.severity.priority if found.severity else 'limit'} {found.direction} {found.limit:g}",
                value=found.limit,
            )
            for found in thresholds
        ]
        for field, thresholds in settings.thresholds.items()
    }


def _is_number(value: Value) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _about(source: Source, found: Sequence[Alert]) -> list[Alert]:
    return [alert for alert in found if alert.firing.source == source]


def _of_kind(standings: Sequence[Standing], kind: SourceKind) -> list[Standing]:
    return [standing for standing in standings if standing.source.kind is kind]


def _sections(wanted: DigestSettings) -> tuple[Section, ...]:
    return tuple(
        Section(
            title=section.title,
            items=tuple(
                Item(
                    label=item.label,
                    source=item.field.source,
                    field=item.field.field,
                    statistics=tuple(str(stat) for stat in item.stat),
                    format=item.format,
                    change_days=None if item.change is None else max(1, round(item.change / _DAY)),
                )
                for item in section.items
            ),
        )
        for section in wanted.sections
    )
