"""Use cases on incidents: opened from an alert, joined by people and alerts, asked about when all is over, closed.

What Slack has to do is written down as steps in the transaction that asks for it; `bot.incident_steps` does them.
`tick` makes every open incident stand as its alerts do, so that a kill in between loses nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.announcing import Announcer, lane_of
from bot.blocks.incidents import ASK, CARD, render_outcome, render_report
from bot.channels.rooms import MANAGE_SCOPE, RoomRefused, Rooms, RoomUncertain
from bot.domain import incident as lifecycle
from bot.domain.alert import Alert
from bot.domain.audit import Deed, via_of
from bot.domain.clock import Clock
from bot.domain.incident import (
    WORST_FOR_INCIDENTS,
    Incident,
    Invitation,
    Note,
    NoteKind,
    Reason,
    Standing,
    Unchanged,
    Whole,
    channel_names,
    invitations,
    is_over,
)
from bot.domain.incident_report import report, timeline
from bot.incident_steps import IncidentSteps, attach, mark, report_key, say
from bot.silencing import UnknownAlert
from storage import alerts, audit, decisions, incidents
from storage.alerts import StaleAlert
from storage.database import Connection, Database
from storage.incidents import StepKind

_TRIES = 5
_MOST_NAMES = 40
_LISTED = 15
OnCall = Callable[[Sequence[str]], Awaitable[list[str]]]
"""Slack users on call at this moment, of the rotations among some names; of all of them when none is named."""


class ScopeMissing(Exception):
    """The Slack app may not make channels; its argument is the scope."""


class _Taken(Exception):
    """The alert belongs to an incident by now; nothing is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """Somebody is in an incident: one they opened now, or one that was there."""

    incident: Incident
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Incidents:
    """What people and time do to incidents. Methods raise DatabaseError; `wake` is called after commits."""

    database: Database
    announcer: Announcer
    rooms: Rooms
    steps: IncidentSteps
    on_call: OnCall
    clock: Clock
    wake: Callable[[], None]
    zone: ZoneInfo
    prefix: str

    # What people do ---------------------------------------------------------------------------------------

    async def open(self, alert_id: int, who: str, asked_in: str) -> Entered | Unchanged:
        """Open an incident around an alert; the one it belongs to already, if somebody was faster.

        Raises UnknownAlert, ScopeMissing; then nothing was done.
        """
        await self._need_scope()
        on_call = await self._on_call(alert_id)
        try:
            opened = await self._begin(alert_id, who, asked_in, on_call)
        except _Taken:
            async with self.database.snapshot() as connection:
                there = await incidents.of_alert(connection, alert_id)
            assert there is not None
            return await self.enter(there.id, who)
        if isinstance(opened, Unchanged):
            return opened
        given_up = await self.steps.work_for(opened.id)
        self.wake()
        if given_up is not None:
            return Unchanged(reason=given_up)
        return Entered(incident=await self._reload(opened), is_new=True)

    async def enter(self, incident_id: int, who: str) -> Entered | Unchanged:
        """Bring somebody into an open incident; a second time changes nothing."""
        now = self.clock()
        async with self.database.transaction() as connection:
            incident = await incidents.get(connection, incident_id)
            if incident is None:
                return Unchanged(reason=f"There is no incident #{incident_id}.")
            if not incident.is_open:
                return Unchanged(reason=lifecycle.already_closed(incident), incident=incident)
            if await self._invite(connection, incident, Invitation(user=who, reason=Reason.JOINED), now):
                note = Note(kind=NoteKind.PERSON_JOINED, at=now, text="", actor=who)
                await incidents.add_note(connection, incident.id, note)
                await self._mark_card(connection, incident, now)
        await self.steps.work()
        self.wake()
        return Entered(incident=await self._reload(incident), is_new=False)

    async def join(self, incident_id: int, alert_id: int, who: str) -> Entered | Unchanged:
        """Let an alert belong to an open incident. Raises UnknownAlert."""
        on_call = await self._on_call(alert_id)
        for _ in range(_TRIES):
            with suppress(StaleAlert):
                outcome = await self._join(incident_id, alert_id, who, on_call)
                if isinstance(outcome, Unchanged):
                    return outcome
                return await self.enter(incident_id, who)
        raise StaleAlert(f"alert {alert_id} keeps changing")

    async def close(
        self, incident_id: int, who: str, root_cause: str, resolution: str
    ) -> Incident | Unchanged:
        """Close an incident with what was learnt, and post its report; a second time changes nothing."""
        names = await self._names(incident_id, who)
        now = self.clock()
        async with self.database.transaction() as connection:
            whole = await incidents.whole(connection, incident_id)
            if whole is None:
                return Unchanged(reason=f"There is no incident #{incident_id}.")
            closed = lifecycle.close(whole.incident, who, root_cause, resolution, now)
            if isinstance(closed, Unchanged):
                return closed
            note = Note(kind=NoteKind.CLOSED, at=now, text="", actor=who)
            await incidents.add_note(connection, incident_id, note)
            whole = replace(whole, incident=closed)
            text = await self._written(connection, whole, names, now)
            if not await incidents.close(connection, closed, text):
                there = await incidents.get(connection, incident_id)
                return Unchanged(reason=lifecycle.already_closed(there or closed), incident=there)
            subject = f"incident #{incident_id}: {closed.title}"
            deed = Deed(who=who[:64], at=now, act="closed", via=via_of(who), subject=subject, note=root_cause)
            await audit.add(connection, deed)
            await self._tell_closed(connection, whole, now)
        await self.steps.work()
        self.wake()
        return closed

    # What people ask --------------------------------------------------------------------------------------

    async def standing(self, alert_id: int) -> Standing:
        """How an alert stands to incidents."""
        async with self.database.snapshot() as connection:
            return await incidents.standing(connection, alert_id)

    async def open_ones(self) -> list[Incident]:
        """The open incidents, the newest first."""
        async with self.database.snapshot() as connection:
            return await incidents.list_open(connection)

    async def listing(self) -> tuple[list[Incident], list[Incident]]:
        """The open incidents, and the last ones closed."""
        async with self.database.snapshot() as connection:
            closed, _total = await incidents.page(connection, is_open=False, limit=_LISTED)
            return await incidents.list_open(connection), closed

    async def whole(self, incident_id: int) -> Whole | None:
        """An incident with its alerts and people."""
        async with self.database.snapshot() as connection:
            return await incidents.whole(connection, incident_id)

    async def of_channel(self, channel_id: str) -> Incident | None:
        """The incident whose channel this is."""
        async with self.database.snapshot() as connection:
            return await incidents.in_channel(connection, channel_id)

    async def report(self, incident_id: int) -> str | None:
        """The report as Markdown; of an open incident as far as it is known. None when there is no such incident."""
        async with self.database.snapshot() as connection:
            whole = await incidents.whole(connection, incident_id)
            if whole is None:
                return None
            if (kept := await incidents.report(connection, incident_id)) is not None:
                return kept
        names = await self._names(incident_id, whole.incident.opened_by)
        async with self.database.snapshot() as connection:
            return await self._written(connection, whole, names, self.clock())

    # What time does ---------------------------------------------------------------------------------------

    async def tick(self) -> None:
        """Invite who acknowledged meanwhile, keep the cards true, ask about what is over, do what is still to do."""
        for incident in await self.open_ones():
            await self._settle(incident.id)
        await self.steps.work()
        self.wake()

    async def _settle(self, incident_id: int) -> None:
        now = self.clock()
        async with self.database.snapshot() as connection:
            whole = await incidents.whole(connection, incident_id)
        if whole is None or whole.incident.channel_id is None:
            return
        known = {each.user for each in whole.people}
        new = [each for each in invitations(whole.incident, whole.alerts, ()) if each.user not in known]
        over, asked = is_over(whole.incident, whole.alerts), whole.incident.asked_at
        if not new and over == (asked is not None) and not self.steps.is_card_stale(whole):
            return
        async with self.database.transaction() as connection:
            for each in new:
                await self._invite(connection, whole.incident, each, now)
            await self._mark_card(connection, whole.incident, now)
            if over and asked is None and await incidents.set_asked(connection, incident_id, now):
                await mark(self.database, connection, replace(whole.incident, asked_at=now), ASK, now)
            elif not over and asked is not None and await incidents.set_asked(connection, incident_id, None):
                await mark(self.database, connection, whole.incident, ASK, now)
        self.steps.card_shows(whole)

    # The pieces -------------------------------------------------------------------------------------------

    async def _need_scope(self) -> None:
        """Find out before anything is done. A Slack that does not answer now is asked by the steps, until it does."""
        try:
            missing = await self.rooms.missing_scope()
        except (RoomRefused, RoomUncertain):
            return
        if missing is not None:
            raise ScopeMissing(missing)

    async def _on_call(self, alert_id: int) -> list[str]:
        """Who is on call for an alert: by the rotations that its routes and its escalation name."""
        async with self.database.snapshot() as connection:
            routing = (await decisions.told(connection, alert_id)).routing
        names = list(routing.mentions) if routing is not None else []
        policy = self.announcer.rules.policy(routing.escalation) if routing is not None else None
        if policy is not None:
            names += [name for step in policy.steps for name in step.mention]
        return await self.on_call(names)

    async def _begin(
        self, alert_id: int, who: str, asked_in: str, on_call: Sequence[str]
    ) -> Incident | Unchanged:
        now = self.clock()
        async with self.database.transaction() as connection:
            alert = await _known(connection, alert_id)
            new = lifecycle.begin(alert, who, asked_in, now)
            if isinstance(new, Unchanged):
                return new
            new = replace(new, id=await incidents.add(connection, new))
            new = replace(new, channel_name=next(channel_names(new)))
            await incidents.name_channel(connection, new.id, new.channel_name)
            if not await incidents.add_alert(self.database, connection, new.id, alert_id, who, now):
                raise _Taken
            about = f"for alert #{alert.id} {alert.severity.priority} {alert.firing.title}"
            note = Note(kind=NoteKind.OPENED, at=now, text=about, actor=who)
            await incidents.add_note(connection, new.id, note)
            await incidents.add_step(self.database, connection, new.id, "create", StepKind.CREATE, {}, now)
            for each in invitations(new, [alert], on_call):
                await self._invite(connection, new, each, now)
        return new

    async def _join(
        self, incident_id: int, alert_id: int, who: str, on_call: Sequence[str]
    ) -> Incident | Unchanged:
        now = self.clock()
        async with self.database.transaction() as connection:
            alert = await _known(connection, alert_id)
            incident = await incidents.get(connection, incident_id)
            if (no := lifecycle.join(incident, incident_id, alert)) is not None:
                return no
            assert incident is not None
            if not await incidents.add_alert(self.database, connection, incident_id, alert_id, who, now):
                there = await incidents.of_alert(connection, alert_id)
                if there is None or there.id == incident_id:
                    return incident
                reason = f"Alert #{alert_id} belongs to incident #{there.id} already."
                return Unchanged(reason=reason, incident=there)
            text = f"#{alert.id} {alert.severity.priority} {alert.firing.title}"
            note = Note(kind=NoteKind.ALERT_JOINED, at=now, text=text, actor=who)
            await incidents.add_note(connection, incident_id, note)
            for each in invitations(incident, [alert], on_call):
                await self._invite(connection, incident, each, now)
            if incident.channel_id is not None:
                await attach(self.announcer, connection, incident, alert, who, now)
                await self._mark_card(connection, incident, now)
        return incident

    async def _invite(
        self, connection: Connection, incident: Incident, each: Invitation, now: datetime
    ) -> bool:
        """Ask for an invitation; False when that person was invited before."""
        if not lifecycle.is_user(each.user):
            return False
        payload = {"user": each.user, "reason": each.reason.value}
        return await incidents.add_step(
            self.database, connection, incident.id, f"invite:{each.user}", StepKind.INVITE, payload, now
        )

    async def _mark_card(self, connection: Connection, incident: Incident, now: datetime) -> None:
        await mark(self.database, connection, incident, CARD, now)

    async def _tell_closed(self, connection: Connection, whole: Whole, now: datetime) -> None:
        """Queue the report for the incident's channel and in short for the alerts' own; make all messages true."""
        incident = whole.incident
        if incident.channel_id is not None:
            await self._mark_card(connection, incident, now)
            if incident.asked_at is not None:
                await mark(self.database, connection, incident, ASK, now)
            key, message = report_key(incident), render_report(whole, self.prefix)
            await say(
                self.database, connection, key, incident.channel_id, message, now, only_here=True, last=True
            )
            await incidents.add_step(self.database, connection, incident.id, "file", StepKind.FILE, {}, now)
        channels: dict[str, None] = {}
        for alert in whole.alerts:
            await self.announcer.mark_stale(connection, alert, now)
            told = await decisions.told(connection, alert.id)
            channels |= {
                lane_of(place).channel: None
                for place in told.places
                if place.is_slack and place.incident is None
            }
        for channel in channels:
            key = f"incident:{incident.id}:outcome:{channel}"
            message = render_outcome(whole, self.prefix)
            await say(self.database, connection, key, channel, message, now, last=True)
        members = {alert.id for alert in whole.alerts}
        for alert in await alerts.list_open(connection):
            if alert.severity <= WORST_FOR_INCIDENTS and alert.id not in members:
                await self.announcer.mark_stale(connection, alert, now, urgent=False)  # what its button says

    async def _written(
        self, connection: Connection, whole: Whole, names: dict[str, str], now: datetime
    ) -> str:
        notes, events = await incidents.history(connection, whole.incident.id, whole.alerts)
        moments = timeline(notes, events)
        return report(
            whole.incident, whole.alerts, moments, whole.people, names=names, zone=self.zone, now=now
        )

    async def _names(self, incident_id: int, who: str) -> dict[str, str]:
        """What everybody in an incident is called, as far as Slack says."""
        async with self.database.snapshot() as connection:
            whole = await incidents.whole(connection, incident_id)
            if whole is None:
                return {}
            notes, events = await incidents.history(connection, incident_id, whole.alerts)
        actors = [moment.actor for moment in timeline(notes, events)]
        users = [who, whole.incident.opened_by, *(each.user for each in whole.people), *actors]
        wanted = list(dict.fromkeys(user for user in users if user and lifecycle.is_user(user)))
        found = {user: await self.rooms.name_of(user) for user in wanted[:_MOST_NAMES]}
        return {user: name for user, name in found.items() if name}

    async def _reload(self, incident: Incident) -> Incident:
        async with self.database.snapshot() as connection:
            return await incidents.get(connection, incident.id) or incident


async def _known(connection: Connection, alert_id: int) -> Alert:
    alert = await alerts.get(connection, alert_id)
    if alert is None:
        raise UnknownAlert(f"there is no alert {alert_id}")
    return alert


__all__ = ["MANAGE_SCOPE", "Entered", "Incidents", "OnCall", "ScopeMissing"]
