"""Which silences hold now: those that people made, and the windows of the file with what people did to them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.domain.silence import Origin, Silence, Timetable, Window, window_of
from storage import silences
from storage.database import Connection, Database


@dataclass(slots=True, kw_only=True, eq=False)
class SilenceBook:
    """Windows of the file follow from the settings alone; a row remembers that one was extended or ended."""

    database: Database
    timetables: tuple[Timetable, ...] = ()
    _known: dict[str, tuple[datetime, datetime | None, Window | None]] = field(default_factory=dict)

    async def active(self, connection: Connection, now: datetime) -> tuple[Silence, ...]:
        """The silences that hold at an instant. Stores windows that have begun. Raises DatabaseError."""
        running = await silences.running(connection, now)
        found = {each.id: each for each in running if each.origin is not Origin.FILE}
        by_name = {timetable.name: timetable for timetable in self.timetables}
        for each in running:  # extended past the end that the file says
            if each.origin is Origin.FILE and each.extended_by and each.name in by_name:
                found[each.id] = replace(each, match=by_name[each.name].match)
        for timetable in self.timetables:
            window = self.window_at(timetable, now)
            if window is not None and (held := await self._held(connection, timetable, window, running)):
                found[held.id] = held
        return tuple(each for each in found.values() if each.is_active(now))

    def window_at(self, timetable: Timetable, now: datetime) -> Window | None:
        """The window of a timetable that holds; worked out anew only when it can be another."""
        known = self._known.get(timetable.name)
        if known is None or now < known[0] or (known[1] is not None and now >= known[1]):
            window, until = timetable.window_at(now), timetable.unchanged_until(now)
            known = self._known[timetable.name] = (window.starts_at if window else now, until, window)
        return known[2]

    async def _held(
        self, connection: Connection, timetable: Timetable, window: Window, running: list[Silence]
    ) -> Silence | None:
        """The stored silence of a window, as the file has it now."""
        told = window_of(timetable, window)
        for each in running:
            if each.origin is Origin.FILE and (each.name, each.starts_at) == (told.name, told.starts_at):
                row: Silence | None = each
                break
        else:
            row = await silences.window(connection, timetable.name, window.starts_at)
        if row is None:
            await silences.open_window(self.database, connection, told)
            row = await silences.window(connection, timetable.name, window.starts_at)
        if row is None:
            return None
        if row.extended_by is None and row.ends_at != window.ends_at and row.ended_at is None:
            await silences.move_end(connection, row.id, window.ends_at)
            row = replace(row, ends_at=window.ends_at)
        return replace(row, match=timetable.match, reason=timetable.reason)
