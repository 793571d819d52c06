"""What Slack does for incidents: the channel, its topic, invitations, pins, the report's file; each once.

A step is a row. It is claimed, carried out, recorded; whoever finds it claimed by somebody who died carries it out
again, and every step can be: a channel that is there already is known by its name and by having been made by us,
Slack says of people and pins that they are there, and a file is looked for first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot import failpoint
from bot.announcing import Announcer
from bot.blocks.incidents import ASK, CARD, render_note, render_runbook
from bot.blocks.message import Message, outside
from bot.channels.rooms import MANAGE_SCOPE, RoomRefused, Rooms, RoomUncertain
from bot.domain.alert import Alert, Change, Event, EventKind
from bot.domain.clock import Clock
from bot.domain.incident import Incident, Note, NoteKind, Whole, channel_names, topic
from bot.domain.route import SLACK, Place
from bot.domain.severity import Severity
from storage import alerts, decisions, incidents, outbox
from storage.alerts import StaleAlert
from storage.database import Connection, Database
from storage.incidents import Step, StepKind
from storage.outbox import Lane

log = structlog.get_logger(__name__)

_PRIORITY = 12  # after P1 itself, before P2
_LAST = 46  # after what happened to any alert, so that it is read in order
_FIRST_RETRY, _SLOWEST_RETRY = timedelta(seconds=5), timedelta(minutes=5)
_LOOK_AGAIN = timedelta(seconds=2)
_PIN_WITHIN = timedelta(hours=1)
_FILE_WITHIN = timedelta(minutes=2)  # then it goes without waiting for the report's message
_TRIES = 5
_WORDS = {
    "user_not_found": "Slack knows no such user",
    "user_is_restricted": "guests cannot be invited by apps",
    "user_is_ultra_restricted": "guests cannot be invited by apps",
    "cant_invite": "Slack does not let this user in",
    "restricted_action": "this workspace does not let apps do that; an administrator can allow it",
    "is_archived": "the channel is archived",
    "name_taken": "every name for it is taken",
    "too_many_channels": "this workspace has too many channels",
}


def scope_words(scope: str) -> str:
    """Which scope is missing, and how to add it."""
    return (
        f"The Slack app lacks the scope `{scope}`. Add it under OAuth & Permissions at api.slack.com/apps (it is "
        "an optional scope of the manifest) and install the app again; nothing has to be restarted."
    )


class IncidentSteps:
    """Does what is still to be done. `prefix` is that of the slash commands."""

    def __init__(
        self, *, database: Database, announcer: Announcer, rooms: Rooms, clock: Clock, wake: Callable[[], None],
        prefix: str,
    ) -> None:  # fmt: skip
        self._database = database
        self._announcer = announcer
        self._rooms = rooms
        self._clock = clock
        self._wake = wake
        self._prefix = prefix
        self._working = asyncio.Lock()
        self._awaited: set[int] = set()
        self._given_up: dict[int, str] = {}
        self._shown: dict[int, object] = {}

    async def work(self) -> None:
        """Do every step that is due. Raises DatabaseError."""
        async with self._working:
            while True:
                async with self._database.transaction() as connection:
                    step = await incidents.claim_step(connection, self._clock())
                if step is None:
                    return
                await self._do(step)

    async def work_for(self, incident_id: int) -> str | None:
        """Do what is due for a new incident; returns why it cannot be, or None."""
        self._awaited.add(incident_id)
        try:
            await self.work()
        finally:
            self._awaited.discard(incident_id)
        return self._given_up.pop(incident_id, None)

    def is_card_stale(self, whole: Whole) -> bool:
        """Whether a card shows something else, as far as this process knows."""
        return self._shown.get(whole.incident.id) != _seen(whole)

    def card_shows(self, whole: Whole) -> None:
        """A card is going to show this."""
        self._shown[whole.incident.id] = _seen(whole)

    async def _do(self, step: Step) -> None:
        async with self._database.snapshot() as connection:
            incident = await incidents.get(connection, step.incident_id)
        if incident is None:
            return
        now = self._clock()
        try:
            await self._carry_out(incident, step)
        except RoomUncertain as uncertain:
            wait = min(_FIRST_RETRY * (1 << min(step.attempts - 1, 8)), _SLOWEST_RETRY)
            due_at = now + max(wait, uncertain.retry_after)
            log.warning("incident_step_delayed", step=step.name, incident=incident.id, reason=str(uncertain))
            async with self._database.transaction() as connection:
                await incidents.postpone_step(connection, step, due_at, str(uncertain))
        except RoomRefused as refused:
            log.warning("incident_step_refused", step=step.name, incident=incident.id, reason=refused.code)
            await self._refused(incident, step, refused, now)
        self._wake()

    async def _carry_out(self, incident: Incident, step: Step) -> None:
        if step.kind is StepKind.CREATE:
            await self._create(incident, step)
        elif incident.channel_id is None:
            await self._later(step, "its channel does not exist yet")
        elif step.kind is StepKind.PIN:
            await self._pin(incident, incident.channel_id, step)
        else:
            if step.kind is StepKind.TOPIC:
                await self._rooms.set_topic(incident.channel_id, topic(incident))
            elif step.kind is StepKind.INVITE:
                await self._invite(incident, incident.channel_id, step)
            elif not await self._send_file(incident, incident.channel_id, step):
                await self._later(step, "the report goes first")
                return
            failpoint.reach("after_incident_step")
            await self._done(step)

    async def _done(self, step: Step) -> None:
        async with self._database.transaction() as connection:
            await incidents.end_step(connection, step)

    async def _later(self, step: Step, why: str, wait: timedelta = _LOOK_AGAIN) -> None:
        async with self._database.transaction() as connection:
            await incidents.postpone_step(connection, step, self._clock() + wait, why, counts=False)

    # The channel ------------------------------------------------------------------------------------------

    async def _create(self, incident: Incident, step: Step) -> None:
        if not incident.is_open:
            await self._done(step)
            return
        for name in channel_names(incident):
            if (channel := await self._made(name, incident)) is not None:
                failpoint.reach("after_create")
                await self._furnish(incident.id, name, channel, step)
                return
        raise RoomRefused("name_taken")

    async def _made(self, name: str, incident: Incident) -> str | None:
        """The channel of this name, ours; None when somebody else's has it."""
        try:
            return await self._rooms.create(name)
        except RoomRefused as refused:
            if refused.code != "name_taken":
                raise
        return await self._rooms.own(name, incident.opened_at)

    async def _furnish(self, incident_id: int, name: str, channel: str, step: Step) -> None:
        for _ in range(_TRIES):
            try:
                await self._furnish_once(incident_id, name, channel, step)
            except StaleAlert:
                continue
            return
        raise RoomUncertain("its alerts keep changing", _LOOK_AGAIN)

    async def _furnish_once(self, incident_id: int, name: str, channel: str, step: Step) -> None:
        """The channel exists: what belongs into it is written down with that, all or nothing."""
        now = self._clock()
        async with self._database.transaction() as connection:
            await incidents.end_step(connection, step)
            if not await incidents.set_channel(connection, incident_id, name, channel):
                return
            incident = await incidents.get(connection, incident_id)
            assert incident is not None
            await mark(self._database, connection, incident, CARD, now)
            await self._ask(connection, incident, "pin:card", StepKind.PIN,
                            {"key": view_key(incident, CARD)}, now)  # fmt: skip
            await self._ask(connection, incident, "topic", StepKind.TOPIC, {}, now)
            members = await incidents.members(connection, incident_id)
            for alert in members:
                await attach(self._announcer, connection, incident, alert, incident.opened_by, now)
            for other in await alerts.list_open(connection):
                if other.severity <= Severity.HIGH and other.id not in {each.id for each in members}:
                    await self._announcer.mark_stale(connection, other, now, urgent=False)

    async def _ask(
        self, connection: Connection, incident: Incident, name: str, kind: StepKind, payload: dict[str, Any],
        now: datetime,
    ) -> None:  # fmt: skip
        await incidents.add_step(self._database, connection, incident.id, name, kind, payload, now)

    # What goes into it ------------------------------------------------------------------------------------

    async def _invite(self, incident: Incident, channel: str, step: Step) -> None:
        await self._rooms.invite(channel, str(step.payload["user"]))

    async def _pin(self, incident: Incident, channel: str, step: Step) -> None:
        """Pin a message once it stands."""
        async with self._database.snapshot() as connection:
            standing = await outbox.sent(connection, str(step.payload["key"]))
        if standing is not None and standing.channel == channel:
            await self._rooms.pin(channel, standing.ts)
            await self._done(step)
        elif incident.is_open and self._clock() - incident.opened_at < _PIN_WITHIN:
            await self._later(step, "its message does not stand yet")
        else:
            async with self._database.transaction() as connection:
                await incidents.end_step(connection, step, "its message never stood")

    async def _send_file(self, incident: Incident, channel: str, step: Step) -> bool:
        """Send the report's file, after the report itself; False when that does not stand yet."""
        assert incident.closed_at is not None
        name, now = file_name(incident), self._clock()
        async with self._database.snapshot() as connection:
            content = await incidents.report(connection, incident.id) or ""
            standing = await outbox.sent(connection, report_key(incident))
        if standing is None and now - incident.closed_at < _FILE_WITHIN:
            return False
        if step.attempts > 1 and await self._rooms.holds_file(channel, name, incident.closed_at):
            return True
        title = f"Report of incident #{incident.id}"
        await self._rooms.upload(channel, name, title, content, f"{title} with its timeline, as Markdown")
        return True

    # What Slack will not do -------------------------------------------------------------------------------

    async def _refused(self, incident: Incident, step: Step, refused: RoomRefused, now: datetime) -> None:
        if step.kind is StepKind.CREATE:
            await self._give_up(incident, refused, now)
            return
        async with self._database.transaction() as connection:
            await incidents.end_step(connection, step, refused.code)
            said = _trouble(step, refused, self._prefix, incident)
            if said is None or incident.channel_id is None:
                return
            note = Note(kind=NoteKind.TROUBLE, at=now, text=said)
            await incidents.add_note(connection, incident.id, note)
            key = f"incident:{incident.id}:trouble:{'pin' if step.kind is StepKind.PIN else step.name}"
            message = render_note(f":warning: {said}")
            await say(self._database, connection, key, incident.channel_id, message, now, only_here=True)
            await mark(self._database, connection, incident, CARD, now)

    async def _give_up(self, incident: Incident, refused: RoomRefused, now: datetime) -> None:
        """No channel can be made, so there is no incident: take it back whole and tell who asked."""
        if refused.code == "missing_scope":
            why = scope_words(refused.needed or MANAGE_SCOPE)
        else:
            why = f"Slack refused to make a channel: {_words(refused)}."
        said = f"Incident #{incident.id} could not be opened. {why}"
        async with self._database.transaction() as connection:
            members = await incidents.members(connection, incident.id)
            await incidents.remove(connection, incident.id)
            for alert in members:
                await self._announcer.mark_stale(connection, alert, now)
            if incident.id not in self._awaited and incident.asked_in:
                key = f"incident:{incident.id}:given-up:{incident.opened_at.isoformat()}"
                text = f":warning: <@{incident.opened_by}> {said}"
                await say(self._database, connection, key, incident.asked_in, render_note(text), now)
        if incident.id in self._awaited:
            self._given_up[incident.id] = said


async def attach(
    announcer: Announcer, connection: Connection, incident: Incident, alert: Alert, who: str, now: datetime
) -> None:
    """Show an alert in its incident's channel from now on, with its runbook, pinned. Raises StaleAlert."""
    assert incident.channel_id is not None
    database, channel = announcer.database, incident.channel_id
    place = Place(destination=SLACK, channel=channel, incident=incident.id)
    await decisions.add_incident(connection, alert.id, now, place)
    text = f"#{incident.id}, in #{incident.channel_name}"
    event = Event(kind=EventKind.INCIDENT, at=now, text=text, actor=who)
    await announcer.store(connection, Change(alert=alert, events=(event,)), now)
    keys = {f"pin:alert:{alert.id}": outbox.view_key(alert.id, Lane(destination=SLACK, channel=channel))}
    if alert.firing.runbook:
        key = f"incident-view:{incident.id}:runbook:{alert.id}"
        keys[f"pin:runbook:{alert.id}"] = key
        await say(database, connection, key, channel, render_runbook(alert), now, only_here=True)
    for name, key in keys.items():
        await incidents.add_step(database, connection, incident.id, name, StepKind.PIN, {"key": key}, now)


async def mark(
    database: Database, connection: Connection, incident: Incident, what: str, now: datetime
) -> None:
    """Say that a message about an incident must be made true again."""
    if incident.channel_id is None:
        return
    await outbox.mark_view(
        database,
        connection,
        key=view_key(incident, what),
        lane=Lane(destination=SLACK, channel=incident.channel_id),
        payload={"incident": incident.id, "what": what, "channel": incident.channel_id, "only_here": True},
        priority=_PRIORITY - 2 if what == CARD else _LAST,
        now=now,
        due_at=now,
    )


def view_key(incident: Incident, what: str) -> str:
    """The key of a message about an incident; every time the question is asked it is another."""
    ending = f":{incident.asked_at:%Y%m%dT%H%M%S}" if what == ASK and incident.asked_at else ""
    return f"incident-view:{incident.id}:{what}{ending}"


async def say(
    database: Database,
    connection: Connection,
    key: str,
    channel: str,
    message: Message,
    now: datetime,
    *,
    only_here: bool = False,
    last: bool = False,
) -> None:
    """Queue something to say once in a channel. With `only_here` nowhere else, should that be gone.

    With `last` it goes after what happened before it.
    """
    payload: dict[str, Any] = {
        "text": message.text,
        "blocks": [*message.blocks, *message.body],
        "channel": channel,
        "thread_ts": None,
        **({"only_here": True} if only_here else {}),
    }
    lane = Lane(destination=SLACK, channel=channel)
    priority = _LAST if last else _PRIORITY
    await outbox.add_post(
        database, connection, key=key, lane=lane, payload=payload, priority=priority, now=now
    )


def report_key(incident: Incident) -> str:
    """The key of the report's message in the incident's channel."""
    return f"incident:{incident.id}:report"


def file_name(incident: Incident) -> str:
    """What the report is called as a file."""
    return f"incident-{incident.id}.md"


def _trouble(step: Step, refused: RoomRefused, prefix: str, incident: Incident) -> str | None:
    """What to tell the channel of a step that Slack refused; None for what nobody misses."""
    scope = f" {scope_words(refused.needed or '')}" if refused.code == "missing_scope" else ""
    match step.kind:
        case StepKind.INVITE:
            return f"<@{step.payload['user']}> could not be invited: {_words(refused)}.{scope}"
        case StepKind.PIN:
            return f"Messages cannot be pinned here: {_words(refused)}.{scope}"
        case StepKind.FILE:
            return (
                f"The report could not be sent as a file: {_words(refused)}.{scope} It is kept: "
                f"`/{prefix} incident report {incident.id}`"
            )
    return None


def _words(refused: RoomRefused) -> str:
    if refused.code == "missing_scope":
        return "a scope is missing"
    return _WORDS.get(refused.code, f"Slack answered {outside(refused.code, 60)}")


def _seen(whole: Whole) -> object:
    alerts_seen = tuple((each.id, each.status, each.severity, each.acknowledged_by) for each in whole.alerts)
    return alerts_seen, whole.people, whole.uninvited
