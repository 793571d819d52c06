"""Use case: read fields of checks and jobs over some time, for charts and for the SLA report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.config.scalars import FieldRef
from bot.config.settings import Settings
from bot.config.telling import Chart, Objective
from bot.domain.observation import Source, SourceKind
from bot.domain.rollup import Share
from bot.domain.schedule import local_month
from bot.reports.charts import Bucket, ChartFigures, buckets, figures_of
from bot.reports.sla import Measured, ObjectiveFigures, SlaReport, objective_figures, of_rollup
from storage import measures
from storage.database import Connection, Database

_BY_ROW = ("first", "last")  # figures that only single values know


@dataclass(frozen=True, slots=True, kw_only=True)
class Measuring:
    """Reads the database and gives figures. Every method raises DatabaseError."""

    database: Database
    settings: Settings

    async def chart(self, wanted: Chart, end: datetime) -> ChartFigures:
        """A chart of the time before `end`."""
        parts, each = buckets(end, wanted.over, self.settings.timezone)
        if wanted.kind == "pie":
            parts, each = [(parts[0][0], end)], "whole time"
        stat = str(wanted.stat)
        async with self.database.snapshot() as connection:
            if wanted.by is None and stat not in _BY_ROW:
                series, hidden = await self._rolled(connection, wanted, stat, parts), 0
            else:
                source = source_of(wanted.field, self.settings)
                rows = await measures.series(connection, source, parts[0][0], end)
                series, hidden = figures_of(rows, wanted.field.field, stat, wanted.by, parts, _name(wanted))
        return ChartFigures(
            title=wanted.title,
            kind=wanted.kind,
            stat=stat,
            each=each,
            starts=[start for start, _ in parts],
            series=series,
            left_out=hidden,
        )

    async def _rolled(
        self, connection: Connection, wanted: Chart, stat: str, parts: list[Bucket]
    ) -> dict[str, list[float | None]]:
        found = [await self._measured(connection, wanted, start, end) for start, end in parts]
        values = [None if each.rollup is None else of_rollup(each.rollup, stat) for each in found]
        return {_name(wanted): values}

    async def sla(self, month_of: datetime, now: datetime) -> SlaReport:
        """The SLA report on the local month that holds an instant, as far as it has gone by `now`."""
        zone, wanted = self.settings.timezone, self.settings.reports.sla
        start, end = local_month(month_of, zone)
        before = local_month(month_of, zone, -1)
        until = min(end, max(now, start))
        objectives = wanted.objectives if wanted is not None else ()
        async with self.database.snapshot() as connection:
            found = [await self._objective(connection, each, (start, until), before) for each in objectives]
        return SlaReport(
            name=self.settings.name,
            month=f"{start.astimezone(zone):%Y-%m}",
            start=start,
            end=until,
            objectives=found,
            is_whole=until == end,
        )

    async def _objective(
        self, connection: Connection, each: Objective, now: Bucket, before: Bucket
    ) -> ObjectiveFigures:
        return objective_figures(
            each.name,
            each.field.field,
            str(each.stat),
            each.target,
            await self._measured(connection, each, *now),
            await self._measured(connection, each, *before),
            now[0],
        )

    async def _measured(
        self, connection: Connection, wanted: Objective | Chart, start: datetime, end: datetime
    ) -> Measured:
        source, field, stat = source_of(wanted.field, self.settings), wanted.field.field, wanted.stat
        if stat.value is not None:
            found = await measures.share(connection, source, (field, stat.value), start, end)
        else:
            found = await measures.rollup(connection, source, field, start, end)
        return Measured(rollup=found[0], since=found[1])


def source_of(field: FieldRef, settings: Settings) -> Source:
    """The check, else the job, that a field is of."""
    kind = SourceKind.CHECK if field.source in settings.checks else SourceKind.JOB
    return Source(kind=kind, name=field.source)


def shares_of(settings: Settings) -> dict[Source, set[Share]]:
    """The values whose frequency reports ask for, by check or job: they are rolled up for long looks back."""
    sla, digest = settings.reports.sla, settings.digest
    wanted: list[Objective | Chart] = [
        *(sla.objectives if sla is not None else ()),
        *(digest.charts if digest is not None else ()),
    ]
    found: dict[Source, set[Share]] = {}
    for each in wanted:
        if each.stat.value is not None:
            source = source_of(each.field, settings)
            found.setdefault(source, set()).add((each.field.field, each.stat.value))
    return found


def _name(chart: Chart) -> str:
    return chart.field.field
