"""Use cases on settings changed at run time: set, revert, list; each in one transaction, in force at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot.announcing import Announcer
from bot.blocks.overrides import render_reverted, render_set, small_print
from bot.config.override_paths import Parts, PathUnknown, find_path, format_parts, parse_parts
from bot.config.override_yaml import as_yaml, file_value
from bot.config.overriding import Setting, Unfit, applied, changed, new_warnings, value_at
from bot.config.settings import Settings
from bot.domain import alert as lifecycle
from bot.domain.alert import Alert, Change
from bot.domain.audit import Deed, via_of
from bot.domain.clock import Clock
from bot.domain.observation import Source, SourceKind
from bot.domain.override import Override, concerns
from bot.occasions import post_payload
from bot.present import Present
from storage import alerts, audit, outbox, overrides
from storage.alerts import StaleAlert
from storage.database import Connection, Database
from storage.outbox import Lane

log = structlog.get_logger(__name__)

_PRIORITY = 25  # after P1 and P2, before what is merely told
_TRIES = 5
_SETTLING = timedelta(seconds=30)
_MOST_ALERTS = 10_000
_LONGEST_REASON = 1000
_LONGEST_PATH = 300
_LARGEST_VALUE = 20_000


class OverrideRefused(Exception):
    """Nothing was changed; the message says why, and what could be written instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What somebody changed. `before` held until then; `warnings` are what loads and is probably not meant."""

    override: Override
    before: tuple[bool, Any]
    warnings: Sequence[str] = ()


class Overriding:
    """Changes settings while Tocsin runs. Every method raises DatabaseError.

    `present` is what everybody asks; replicas that did not make a change themselves see it within a tick.
    """

    def __init__(
        self,
        *,
        database: Database,
        present: Present,
        announcer: Announcer,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._announcer = announcer
        self._clock = clock
        self._wake = wake
        self._version: tuple[int, int] | None = None
        self._changed_at: datetime | None = None
        self._refreshing = asyncio.Lock()
        self.present = present

    async def load(self) -> None:
        """At the start: what was set before holds again; alerts that nothing asks for any more are closed."""
        await self._refresh()
        for path, why in self.present.refused.items():
            log.warning("override_without_effect", path=path, reason=why)
        await self.close_unasked("its check or its rule is no longer in the configuration")

    async def set(self, path: str, value: Any, who: str, reason: str | None = None) -> Outcome:
        """Let a value hold at a path, a short or a full one; None takes away what the file says.

        Raises OverrideRefused: then nothing is changed.
        """
        for _ in range(_TRIES):
            version, standing = await self._read()
            setting, before, after = await asyncio.to_thread(self._tried, standing, path, value)
            override = self._override(setting, who, reason)
            stored = await self._store(override, standing, version)
            if stored is None:
                continue  # somebody else was faster
            warned = new_warnings(self.present.settings, after)
            await self._in_force(f"{setting.path} was changed", who, [setting])
            return Outcome(override=stored, before=before, warnings=warned)
        raise OverrideRefused("somebody else changes settings at the same moment; try again")

    async def check(self, path: str, value: Any) -> None:
        """Whether `set` would take this. Raises OverrideRefused."""
        _, standing = await self._read()
        await asyncio.to_thread(self._tried, standing, path, value)

    def find(self, path: str) -> Parts:
        """A path in full. Raises OverrideRefused."""
        try:
            return find_path(path, self.present.settings)
        except PathUnknown as error:
            raise OverrideRefused(str(error)) from None

    async def revert(self, override_id: int, who: str) -> Override | None:
        """Let the file hold again; None when that one is over, or there is none. A repeat changes nothing."""
        now = self._clock()
        async with self._database.transaction() as connection:
            override = await overrides.get(connection, override_id)
            if override is None or not await overrides.end(connection, override_id, who[:64], now):
                return None
            in_file, value = self.file_says(override)
            over = replace(override, reverted_at=now, reverted_by=who[:64], in_file=in_file, file_value=value)
            if not in_file:  # what stood there is gone, and with it what was changed of it
                for each in await overrides.in_force(connection):
                    if _is_below(each.path, over.path):
                        await overrides.end(connection, each.id, who[:64], now)
            await self._note(connection, over)
        with suppress(PathUnknown):
            setting = Setting(parts=parse_parts(over.path), value=over.value)
            await self._in_force(f"{over.path} was set back", who, [setting])
        return over

    async def revert_path(self, path: str, who: str) -> Override:
        """The same by a path, short or full. Raises OverrideRefused when nothing is set there."""
        _, standing = await self._read()
        wanted = path.strip()
        with suppress(PathUnknown):
            wanted = format_parts(find_path(path, self._settings_with(standing)))
        found = next((each for each in standing if each.path in (wanted, path.strip())), None)
        if found is None:
            known = ", ".join(each.path for each in standing[:10])
            raise OverrideRefused(
                f"nothing is changed at {wanted[:200]}; "
                + (f"changed are {known}" if known else "nothing is changed at all")
            )
        return await self.revert(found.id, who) or found

    async def history(self, limit: int = 30) -> list[Override]:
        """The newest changes, over or not."""
        async with self._database.snapshot() as connection:
            return await overrides.history(connection, limit)

    def yaml(self) -> str:
        """What has effect, to paste into the file."""
        return as_yaml(self.present.file, [setting for setting, _ in self.present.in_force()])

    def file_says(self, override: Override) -> tuple[bool, Any]:
        """What the file says now where something was changed."""
        try:
            return file_value(self.present.file, parse_parts(override.path))
        except PathUnknown:
            return override.in_file, override.file_value

    def lines_of(self, alert: Alert) -> tuple[str, ...]:
        """What was changed of the rule that an alert is of, for its small print."""
        found = self.present.of_alert(alert)
        return tuple(small_print(each, self.file_says(each)) for each in found[:3])

    def lines_about(self, source: Source) -> tuple[str, ...]:
        """What was changed of a check or a job."""
        found = self.present.of_source(source)
        return tuple(small_print(each, self.file_says(each)) for each in found)

    async def tick(self) -> None:
        """See what other replicas changed, and close what an observation under way may have opened meanwhile."""
        async with self._database.snapshot() as connection:
            version = await overrides.version(connection)
        if version != self._version:
            await self._refresh()
            self._changed_at = self._clock()
        if self._changed_at is not None and self._clock() - self._changed_at < _SETTLING:
            await self.close_unasked("its rule was switched off")

    async def close_unasked(self, why: str, who: str | None = None) -> int:
        """Close the open alerts whose rule or check is gone, saying why; returns how many."""
        closed = 0
        for alert in await self._open_alerts():
            if alert.firing.source.kind is SourceKind.ALERT:
                continue  # raised from outside, by no rule
            if not self.present.is_asked(alert.firing.source, alert.firing.rule):
                closed += await self._close(alert, why, who)
        if closed:
            self._wake()
        return closed

    # Within -----------------------------------------------------------------------------------------------

    def _settings_with(self, standing: Sequence[Override]) -> Settings:
        """What holds with the changes that stand in the database."""
        if tuple(standing) == self.present.overrides:
            return self.present.settings
        return applied(self.present.file, _settings(standing)).settings

    def _tried(
        self, standing: Sequence[Override], path: str, value: Any
    ) -> tuple[Setting, tuple[bool, Any], Settings]:
        """The change in full, what held until now, and the settings with it. Raises OverrideRefused."""
        try:
            settings = self._settings_with(standing)
            setting = Setting(parts=find_path(path, settings), value=value)
            before = value_at(settings.document.data, setting.parts)
            _check_size(setting)
            if before == ((False, None) if value is None else (True, value)):
                raise Unfit(f"{setting.path} is that already, so nothing was changed")
            others = [each for each in _settings(standing) if not _is_below(each.path, setting.path)]
            return setting, before, self._with(others, setting)
        except (PathUnknown, Unfit) as error:
            raise OverrideRefused(str(error)) from None

    def _with(self, others: Sequence[Setting], setting: Setting) -> Settings:
        """The settings with one more change; those that fit no longer stay without effect. Raises Unfit."""
        try:
            return changed(self.present.file, [*others, setting])
        except Unfit:
            refused = applied(self.present.file, others).refused
            if not refused:
                raise
            return changed(self.present.file, [*(o for o in others if o.path not in refused), setting])

    def _override(self, setting: Setting, who: str, reason: str | None) -> Override:
        there, value = file_value(self.present.file, setting.parts)
        return Override(
            path=setting.path,
            value=setting.value,
            in_file=there,
            file_value=value,
            by=who[:64],
            at=self._clock(),
            reason=(reason or "").strip()[:_LONGEST_REASON] or None,
        )

    async def _read(self) -> tuple[tuple[int, int], list[Override]]:
        async with self._database.snapshot() as connection:
            return await overrides.version(connection), await overrides.in_force(connection)

    async def _store(
        self, override: Override, standing: Sequence[Override], version: tuple[int, int]
    ) -> Override | None:
        """Keep it instead of the one at its path; None when something changed since `version` was read."""
        async with self._database.transaction() as connection:
            await overrides.lock(self._database, connection)
            if await overrides.version(connection) != version:
                return None
            for each in standing:
                if _is_below(each.path, override.path):
                    await overrides.end(connection, each.id, override.by, override.at, replaced=True)
            stored = replace(override, id=await overrides.add(connection, override))
            await self._note(connection, stored)
        return stored

    async def _note(self, connection: Connection, override: Override) -> None:
        """Write down what somebody did, in the transaction of the act: the channel is told."""
        over = override.reverted_at is not None
        await audit.add(connection, _deed(override))
        message = render_reverted(override) if over else render_set(override)
        await outbox.add_post(
            self._database,
            connection,
            key=f"override:{override.id}:{'reverted' if over else 'set'}",
            lane=Lane(destination="slack", channel=self._announcer.channel),
            payload=post_payload(message, self._announcer.channel),
            priority=_PRIORITY,
            now=self._clock(),
        )

    async def _in_force(self, why: str, who: str, settings: Sequence[Setting]) -> None:
        """From now on it holds here: for the next observation, and in the messages that stand."""
        await self._refresh()
        self._changed_at = self._clock()
        await self.close_unasked(f"nothing asks for it any more since {why}", who)
        await self._show_again(settings)
        self._wake()

    async def _refresh(self) -> None:
        async with self._refreshing:
            version, standing = await self._read()
            self.present.become(await asyncio.to_thread(self.present.prepared, standing))
            self._version = version

    async def _show_again(self, settings: Sequence[Setting]) -> None:
        """Make the messages of open alerts true that show a changed value."""
        now = self._clock()
        found = [
            alert
            for alert in await self._open_alerts()
            if any(concerns(setting.parts, alert) for setting in settings)
        ]
        if found:
            async with self._database.transaction() as connection:
                for alert in found[:500]:
                    await self._announcer.mark_stale(connection, alert, now)

    async def _open_alerts(self) -> list[Alert]:
        async with self._database.snapshot() as connection:
            return await alerts.list_open(connection, _MOST_ALERTS)

    async def _close(self, alert: Alert, why: str, who: str | None) -> bool:
        now = self._clock()
        change = lifecycle.withdraw(alert, why, who, now)
        if not isinstance(change, Change):
            return False
        try:
            async with self._database.transaction() as connection:
                await self._announcer.store(connection, change, now)
        except StaleAlert:
            return False  # somebody changed it meanwhile; the next tick looks again
        log.info("alert_withdrawn", alert=alert.id, rule=alert.firing.rule, reason=why)
        return True


def _settings(standing: Sequence[Override]) -> list[Setting]:
    found = []
    for each in standing:
        with suppress(PathUnknown):
            found.append(Setting(parts=parse_parts(each.path), value=each.value))
    return found


def _is_below(path: str, other: str) -> bool:
    """Whether a path is another, or names a part of what that one names."""
    return path == other or path.startswith(f"{other}.")


def _check_size(setting: Setting) -> None:
    if len(setting.path) > _LONGEST_PATH:
        raise PathUnknown(f"the path is too long; {_LONGEST_PATH} characters are the most")
    try:
        text = json.dumps(setting.value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (ValueError, TypeError, RecursionError):
        raise Unfit(
            f"{setting.path}: the value is no number, text, list or mapping that can be kept"
        ) from None
    if len(text) > _LARGEST_VALUE or "\\u0000" in text:
        raise Unfit(f"{setting.path}: the value is too large, or holds a zero byte")


def _deed(override: Override) -> Deed:
    """What somebody did to a setting, as the audit history keeps it."""
    in_file = json.dumps(override.file_value, ensure_ascii=False)[:200] if override.in_file else None
    value = json.dumps(override.value, ensure_ascii=False)[:200]
    over = override.reverted_at is not None
    who = (override.reverted_by or override.by) if over else override.by
    return Deed(
        who=who[:64],
        at=override.reverted_at or override.at,
        act="set back" if over else "set",
        via=via_of(who),
        subject=override.path,
        before=value if over else in_file,
        after=in_file if over else value,
        note=None if over else override.reason,
    )
