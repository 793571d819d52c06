"""What people do to silences, kept in the audit history in the transaction of the act."""

from __future__ import annotations

from datetime import datetime

from bot.domain.alert import Alert
from bot.domain.audit import Deed, Via
from bot.domain.silence import Silence
from storage import audit
from storage.database import Connection

MADE, EXTENDED, ENDED = "silenced", "extended the silence", "ended the silence"


async def note_silence(
    connection: Connection,
    silence: Silence | None,
    act: str,
    who: str,
    via: Via,
    at: datetime,
    *,
    about: Alert | None = None,
    before: datetime | None = None,
    after: datetime | None = None,
    note: str | None = None,
) -> None:
    """Keep what somebody did to a silence, or to the silence of one alert. `before` and `after` are its ends."""
    named = "" if silence is None else _subject(silence)
    deed = Deed(
        who=who[:64],
        at=at,
        act=act,
        via=via,
        subject=named if about is None else about.firing.title,
        alert_id=None if about is None else about.id,
        before=None if before is None else _until(before),
        after="ended" if act == ENDED else None if after is None else _until(after),
        note=note,
    )
    await audit.add(connection, deed)


def _until(instant: datetime) -> str:
    return f"until {instant:%Y-%m-%d %H:%M} UTC"


def _subject(silence: Silence) -> str:
    what = "everything" if silence.match == "true" else silence.match
    return f"{silence.label}: {what}" if what else silence.label
