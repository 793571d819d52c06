"""A field over some time: whole hours from roll-ups, the rest from what was reported."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.observation import Source, SourceKind, complete
from bot.domain.rollup import Rollup, Share, has_value, share_field, together
from bot.domain.run import fields_of
from bot.domain.sketch import LARGEST
from checks.result import Value
from storage import rollups, runs, sources, tally

Series = list[tuple[datetime, Mapping[str, Value]]]
"""What a source reported: instant and fields, oldest first."""


async def series(connection: AsyncConnection, source: Source, start: datetime, end: datetime) -> Series:
    """What a check or job reported in [start, end), as far as single results are kept."""
    if end <= start:
        return []
    if source.kind is SourceKind.JOB:
        found = await runs.between(connection, start, end, [source.name])
        return [(run.finished_at, complete(fields_of(run))) for run in found]
    results = await sources.results_between(connection, source.name, start, end)
    return [(at, complete(fields)) for at, _, fields in results]


async def rollup(
    connection: AsyncConnection, source: Source, field: str, start: datetime, end: datetime
) -> tuple[Rollup | None, datetime | None]:
    """A field's numbers in [start, end), and the first instant (in whole hours) that has one."""
    return await _measured(connection, source, field, None, start, end)


async def share(
    connection: AsyncConnection, source: Source, share: Share, start: datetime, end: datetime
) -> tuple[Rollup | None, datetime | None]:
    """How often a field had a value in [start, end) as ones and zeros, and the first instant that tells."""
    return await _measured(connection, source, share[0], share[1], start, end)


async def _measured(
    connection: AsyncConnection,
    source: Source,
    field: str,
    value: str | None,
    start: datetime,
    end: datetime,
) -> tuple[Rollup | None, datetime | None]:
    first, last = await tally.whole_hours(connection, source.kind, start, end)
    name = field if value is None else share_field(field, value)
    found = await rollups.hours(connection, source, name, first, last)
    parts: list[tuple[datetime, Rollup]] = []
    for begin, until in ((start, first), (last, end)):
        rows = [(at, _number(fields.get(field), value)) for at, fields in
                await series(connection, source, begin, until)]  # fmt: skip
        numbers = [(at, number) for at, number in rows if number is not None]
        if numbers:
            parts.append((numbers[0][0], Rollup.of([number for _, number in numbers])))
    everything = [*found, *parts]
    since = min((at for at, _ in everything), default=None)
    return together(each for _, each in everything), since


def _number(found: Value, value: str | None) -> float | None:
    if value is not None:
        return has_value(found, value)
    return float(found) if isinstance(found, int | float) and abs(found) <= LARGEST else None
