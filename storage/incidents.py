"""Incidents: which are open, the alerts that belong to them, their history, and what is still to be done in Slack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.alert import Alert, Event
from bot.domain.incident import Incident, Invitation, Note, NoteKind, Reason, Standing, Whole
from bot.domain.severity import Severity
from storage import alerts as alert_queries
from storage.database import Database
from storage.tables import alerts, incident_alerts, incident_notes, incident_steps, incidents

LEASE = timedelta(seconds=60)
_MOST_EVENTS = 500  # of one alert, in a report
_OPEN = incidents.c.closed_at.is_(None)


class StepKind(StrEnum):
    """What Slack is asked to do for an incident."""

    CREATE = "create"
    TOPIC = "topic"
    INVITE = "invite"
    PIN = "pin"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A claimed step. `attempts` counts this one: from the second on an earlier one may have been carried out."""

    id: int
    incident_id: int
    name: str
    kind: StepKind
    payload: Mapping[str, Any]
    attempts: int


# The incident itself --------------------------------------------------------------------------------------


async def add(connection: AsyncConnection, incident: Incident) -> int:
    """Store a new incident; returns its number."""
    values = {
        "title": incident.title,
        "severity": int(incident.severity),
        "opened_at": incident.opened_at,
        "opened_by": incident.opened_by,
        "asked_in": incident.asked_in,
        "channel_name": incident.channel_name,
    }
    statement = sa.insert(incidents).values(values).returning(incidents.c.id)
    return int((await connection.execute(statement)).scalar_one())


async def get(connection: AsyncConnection, incident_id: int) -> Incident | None:
    """One incident by its number."""
    row = (await connection.execute(sa.select(incidents).where(incidents.c.id == incident_id))).first()
    return None if row is None else _incident(row)


async def in_channel(connection: AsyncConnection, channel_id: str) -> Incident | None:
    """The incident whose channel this is."""
    query = sa.select(incidents).where(incidents.c.channel_id == channel_id)
    row = (await connection.execute(query)).first()
    return None if row is None else _incident(row)


async def list_open(connection: AsyncConnection) -> list[Incident]:
    """The open incidents, the newest first."""
    query = sa.select(incidents).where(_OPEN).order_by(incidents.c.id.desc())
    return [_incident(row) for row in await connection.execute(query)]


async def page(
    connection: AsyncConnection, *, is_open: bool | None = None, before: int | None = None, limit: int = 100
) -> tuple[list[Incident], int]:
    """Incidents, the newest first, and how many there are in all."""
    query, count = sa.select(incidents), sa.select(sa.func.count()).select_from(incidents)
    if is_open is not None:
        wanted = _OPEN if is_open else sa.not_(_OPEN)
        query, count = query.where(wanted), count.where(wanted)
    if before is not None:
        query = query.where(incidents.c.id < before)
    rows = await connection.execute(query.order_by(incidents.c.id.desc()).limit(limit))
    return [_incident(row) for row in rows], int(await connection.scalar(count) or 0)


async def name_channel(connection: AsyncConnection, incident_id: int, name: str) -> None:
    """What its channel is to be called."""
    await connection.execute(
        sa.update(incidents).where(incidents.c.id == incident_id).values(channel_name=name)
    )


async def set_channel(connection: AsyncConnection, incident_id: int, name: str, channel_id: str) -> bool:
    """Its channel exists; False when it was known."""
    statement = sa.update(incidents).where(incidents.c.id == incident_id, incidents.c.channel_id.is_(None))
    return bool(
        (await connection.execute(statement.values(channel_name=name, channel_id=channel_id))).rowcount
    )


async def set_asked(connection: AsyncConnection, incident_id: int, at: datetime | None) -> bool:
    """Its channel was asked whether to close it, or with None is to be asked again; False when it stood so."""
    stands = incidents.c.asked_at.is_not(None) if at is None else incidents.c.asked_at.is_(None)
    statement = sa.update(incidents).where(incidents.c.id == incident_id, _OPEN, stands)
    return bool((await connection.execute(statement.values(asked_at=at))).rowcount)


async def close(connection: AsyncConnection, incident: Incident, report: str) -> bool:
    """Store a closed incident with its report and let its alerts go; False when somebody was faster."""
    statement = (
        sa.update(incidents)
        .where(incidents.c.id == incident.id, _OPEN)
        .values(
            closed_at=incident.closed_at,
            closed_by=incident.closed_by,
            root_cause=incident.root_cause,
            resolution=incident.resolution,
            report=report,
        )
    )
    if not (await connection.execute(statement)).rowcount:
        return False
    await connection.execute(
        sa.update(incident_alerts)
        .where(incident_alerts.c.incident_id == incident.id, incident_alerts.c.left_at.is_(None))
        .values(left_at=incident.closed_at)
    )
    return True


async def report(connection: AsyncConnection, incident_id: int) -> str | None:
    """The report as Markdown, once it is closed."""
    found: str | None = await connection.scalar(
        sa.select(incidents.c.report).where(incidents.c.id == incident_id)
    )
    return found


async def remove(connection: AsyncConnection, incident_id: int) -> None:
    """Forget an incident that never came to be."""
    await connection.execute(sa.delete(incidents).where(incidents.c.id == incident_id))


# Its alerts -----------------------------------------------------------------------------------------------


async def add_alert(
    database: Database, connection: AsyncConnection, incident_id: int, alert_id: int, who: str, now: datetime
) -> bool:
    """Let an alert belong to an open incident; False when it belongs to one already."""
    statement = database.insert(incident_alerts).values(
        incident_id=incident_id, alert_id=alert_id, joined_at=now, joined_by=who
    )
    statement = statement.on_conflict_do_nothing()
    return bool((await connection.execute(statement)).rowcount)


async def of_alert(connection: AsyncConnection, alert_id: int) -> Incident | None:
    """The open incident that an alert belongs to."""
    query = (
        sa.select(incidents)
        .join(incident_alerts, incident_alerts.c.incident_id == incidents.c.id)
        .where(incident_alerts.c.alert_id == alert_id, incident_alerts.c.left_at.is_(None))
    )
    row = (await connection.execute(query)).first()
    return None if row is None else _incident(row)


async def standing(connection: AsyncConnection, alert_id: int) -> Standing:
    """How an alert stands to incidents: its open one, else its last one; whether others are open."""
    query = (
        sa.select(incidents)
        .join(incident_alerts, incident_alerts.c.incident_id == incidents.c.id)
        .where(incident_alerts.c.alert_id == alert_id)
        .order_by(_OPEN.desc(), incidents.c.id.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).first()
    current = None if row is None else _incident(row)
    others = sa.select(incidents.c.id).where(_OPEN, incidents.c.id != (current.id if current else 0)).limit(1)
    return Standing(incident=current, others_open=await connection.scalar(others) is not None)


async def members(connection: AsyncConnection, incident_id: int) -> list[Alert]:
    """The alerts of an incident, the worst first."""
    query = (
        sa.select(alerts)
        .join(incident_alerts, incident_alerts.c.alert_id == alerts.c.id)
        .where(incident_alerts.c.incident_id == incident_id)
        .order_by(alerts.c.severity, alerts.c.id)
    )
    return [alert_queries.alert_of(row) for row in await connection.execute(query)]


async def whole(connection: AsyncConnection, incident_id: int) -> Whole | None:
    """An incident with its alerts and people."""
    incident = await get(connection, incident_id)
    if incident is None:
        return None
    people, uninvited = await invited(connection, incident_id)
    found = tuple(await members(connection, incident_id))
    return Whole(incident=incident, alerts=found, people=people, uninvited=uninvited)


# Its history ----------------------------------------------------------------------------------------------


async def add_note(connection: AsyncConnection, incident_id: int, note: Note) -> None:
    """Write a line of its history."""
    values = {"incident_id": incident_id, "kind": note.kind.value, "at": note.at, "text": note.text}
    await connection.execute(sa.insert(incident_notes).values(**values, actor=note.actor))


async def history(
    connection: AsyncConnection, incident_id: int, found: Sequence[Alert]
) -> tuple[list[Note], dict[int, list[Event]]]:
    """Its own notes, and the events of its alerts by number."""
    query = (
        sa.select(incident_notes)
        .where(incident_notes.c.incident_id == incident_id)
        .order_by(incident_notes.c.id)
    )
    notes = [
        Note(kind=NoteKind(row.kind), at=row.at, text=row.text, actor=row.actor)
        for row in await connection.execute(query)
    ]
    events = {alert.id: await alert_queries.history(connection, alert.id, _MOST_EVENTS) for alert in found}
    return notes, events


# What is to be done in Slack ------------------------------------------------------------------------------


async def add_step(
    database: Database,
    connection: AsyncConnection,
    incident_id: int,
    name: str,
    kind: StepKind,
    payload: Mapping[str, Any],
    now: datetime,
) -> bool:
    """Ask for something once; False when it was asked for before."""
    statement = database.insert(incident_steps).values(
        incident_id=incident_id,
        name=name,
        kind=kind.value,
        payload=dict(payload),
        state="pending",
        attempts=0,
        due_at=now,
    )
    statement = statement.on_conflict_do_nothing(index_elements=["incident_id", "name"])
    return bool((await connection.execute(statement)).rowcount)


async def claim_step(connection: AsyncConnection, now: datetime) -> Step | None:
    """Lease the step that has waited longest; two claimers never get the same one."""
    free = sa.or_(incident_steps.c.leased_until.is_(None), incident_steps.c.leased_until <= now)
    query = (
        sa.select(incident_steps.c.id)
        .where(incident_steps.c.state == "pending", incident_steps.c.due_at <= now, free)
        .order_by(incident_steps.c.due_at, incident_steps.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    found = await connection.scalar(query)
    if found is None:
        return None
    statement = (
        sa.update(incident_steps)
        .where(incident_steps.c.id == found)
        .values(leased_until=now + LEASE, attempts=incident_steps.c.attempts + 1)
        .returning(incident_steps)
    )
    row = (await connection.execute(statement)).one()
    return Step(
        id=row.id,
        incident_id=row.incident_id,
        name=row.name,
        kind=StepKind(row.kind),
        payload=row.payload,
        attempts=row.attempts,
    )


async def end_step(connection: AsyncConnection, step: Step, error: str | None = None) -> None:
    """A step is done, or with an `error` can never be."""
    values = {"state": "done" if error is None else "failed", "leased_until": None, "last_error": error}
    await connection.execute(sa.update(incident_steps).where(incident_steps.c.id == step.id).values(**values))


async def postpone_step(
    connection: AsyncConnection, step: Step, due_at: datetime, error: str, *, counts: bool = True
) -> None:
    """Try again at `due_at`. With `counts` false it was not tried at all."""
    attempts = step.attempts if counts else step.attempts - 1
    values = {"due_at": due_at, "leased_until": None, "last_error": error[:1000], "attempts": attempts}
    await connection.execute(sa.update(incident_steps).where(incident_steps.c.id == step.id).values(**values))


async def release_steps(connection: AsyncConnection) -> None:
    """Take back every lease. Only for a database with one Tocsin, when that one starts."""
    await connection.execute(
        sa.update(incident_steps).where(incident_steps.c.state == "pending").values(leased_until=None)
    )


async def invited(
    connection: AsyncConnection, incident_id: int
) -> tuple[tuple[Invitation, ...], tuple[str, ...]]:
    """Who was called into an incident, in order, and which of them could not be invited."""
    query = sa.select(incident_steps.c.payload, incident_steps.c.state).where(
        incident_steps.c.incident_id == incident_id, incident_steps.c.kind == StepKind.INVITE.value
    )
    rows = (await connection.execute(query.order_by(incident_steps.c.id))).all()
    people = tuple(Invitation(user=row.payload["user"], reason=Reason(row.payload["reason"])) for row in rows)
    return people, tuple(row.payload["user"] for row in rows if row.state == "failed")


def _incident(row: sa.Row[Any]) -> Incident:
    return Incident(
        id=row.id,
        title=row.title,
        severity=Severity(row.severity),
        opened_at=row.opened_at,
        opened_by=row.opened_by,
        asked_in=row.asked_in,
        channel_name=row.channel_name,
        channel_id=row.channel_id,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        root_cause=row.root_cause,
        resolution=row.resolution,
        asked_at=row.asked_at,
    )
