"""The bot over a real file, stopped and killed at any time, comes to what it would have come to without."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bot.domain import alert as lifecycle
from bot.domain.alert import Alert, Change, EventKind, Refusal
from bot.domain.condition import compile_condition
from bot.domain.decision import Memory, evaluate, fingerprints
from bot.domain.flapping import FlappingLimits
from bot.domain.inhibition import MARK, Inhibition
from bot.domain.observation import variables
from bot.domain.rule import RuleGroup
from bot.domain.severity import Severity
from checks.result import State
from storage import outbox
from storage.database import Database
from storage.outbox import EntryKind, Sent
from storage.schema import upgrade
from storage.tables import outbox as outbox_table
from tests.domain.findings import rule as configured
from tests.domain.test_lifecycle import CPU, EXPIRY, GROUPS, PATIENT, RESOURCES, WINDOW, Book
from tests.properties import quick
from tests.storage.bot import Bot
from tests.storage.stored import ALERTS, NOON

T = TypeVar("T")
GATE = "gate"
BEHIND = configured("errors > 7", "behind the gate", depends_on=(GATE,), dedupe=WINDOW, expire=EXPIRY)
RULES = (
    RuleGroup(rules=(replace(CPU, flapping=FlappingLimits()), PATIENT, BEHIND)),
    *GROUPS[1:],
    RuleGroup(rules=(replace(configured("closed", "gate closed"), severity=Severity.CRITICAL),)),
)
INHIBITIONS = (
    Inhibition(
        when=compile_condition("rule == 'melting'"),
        hold=compile_condition("rule == 'errors'"),
        equal=("resource",),
    ),
)
_template: list[tuple[tempfile.TemporaryDirectory[str], Path]] = []


def template() -> Path:
    """A file with this version's tables, made once."""
    if not _template:
        folder = tempfile.TemporaryDirectory(prefix="tocsin-template-")
        path = Path(folder.name) / "tocsin.db"

        async def make() -> None:
            database = Database(f"sqlite:///{path}")
            await upgrade(database)
            await database.close()

        asyncio.run(make())
        _template.append((folder, path))
    return _template[0][1]


class Restarts(RuleBasedStateMachine):
    """Every step is done by the bot on its file and by pure decisions in memory; both must agree."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-"))
        shutil.copy(template(), self.folder / "tocsin.db")
        self.now = NOON
        self.book = Book()
        self.previous: dict[str, dict[str, Any]] = {}
        self.said: dict[int, list[str]] = {}
        self.gate_closed = False
        self.begin()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def begin(self) -> None:
        async def start() -> Bot:
            bot = Bot(Database(f"sqlite:///{self.folder / 'tocsin.db'}"), RULES, inhibitions=INHIBITIONS)
            bot.monitoring.start()
            async with bot.database.transaction() as connection:
                await outbox.release_all(connection)
            return bot

        self.bot = self.do(start())
        self.bot.clock.now = self.now

    def teardown(self) -> None:
        self.deliver_all()
        self.every_line_was_said_once_and_in_order()
        self.do(self.bot.monitoring.stop())
        self.do(self.bot.database.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    # --- what may happen -------------------------------------------------------------------------------

    @initialize()
    def begins_with_trouble(self) -> None:
        self.observe("web-1", 85, 0)

    @rule(minutes=st.sampled_from([1, 29, 31, 119]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.bot.clock.now = self.now

    @rule(
        resource=st.sampled_from(RESOURCES), cpu=st.sampled_from([85, 97, 99]), errors=st.sampled_from([0, 9])
    )
    def trouble(self, resource: str, cpu: int, errors: int) -> None:
        self.observe(resource, cpu, errors)

    @rule(resource=st.sampled_from(RESOURCES))
    def all_is_well(self, resource: str) -> None:
        self.observe(resource, 10, 0)

    @rule(resource=st.sampled_from(RESOURCES))
    def back_and_forth(self, resource: str) -> None:
        for _ in range(4):
            self.observe(resource, 85, 0)
            self.time_passes(1)
            self.observe(resource, 10, 0)

    @rule(closed=st.booleans())
    def gate(self, closed: bool) -> None:
        self.gate_closed = closed
        self.see({"closed": closed}, GATE, GATE, State.CRITICAL if closed else State.OK)

    def observe(self, resource: str, cpu: int, errors: int) -> None:
        self.see({"cpu": cpu, "errors": errors}, "host", resource, State.OK)

    def see(self, fields: dict[str, Any], name: str, resource: str, state: State) -> None:
        seen = self.bot.seen(fields, name=name, resource=resource, state=state)
        self.do(self.bot.monitoring.record(seen))
        keys = fingerprints(RULES, seen, variables(seen))
        memory = Memory(
            streaks=self.book.streaks.get(resource, {}),
            previous=self.previous.get(resource, {}),
            open={found.fingerprint: found for found in self.book.open()},
            closed={key: last for key in keys if (last := self.book.last_closed(key)) is not None},
            silences=self.book.active(self.now),
            failing=frozenset({GATE} if self.gate_closed else ()),
            inhibitions=INHIBITIONS,
            open_alerts=tuple(self.book.open()),
        )
        decision = evaluate(RULES, seen, memory)
        self.book.streaks[resource], self.previous[resource] = dict(decision.streaks), fields
        for change in decision.changes:
            self.book.save(change)

    @rule(
        data=st.data(),
        what=st.sampled_from(["acknowledge", "unacknowledge", "resolve", "silence", "unsilence"]),
    )
    def somebody_acts(self, data: st.DataObject, what: str) -> None:
        found = data.draw(st.sampled_from(self.book.open() * 3 + list(self.book.alerts.values())))
        act = {
            "acknowledge": lambda: lifecycle.acknowledge(found, "U1", None, self.now),
            "unacknowledge": lambda: lifecycle.unacknowledge(found, "U1", self.now),
            "resolve": lambda: lifecycle.resolve(found, "U1", None, self.now),
            "silence": lambda: self.book.silence(found, "U1", timedelta(minutes=40), None, self.now),
            "unsilence": lambda: self.book.unsilence(found, "U1", self.now),
        }
        expected = act[what]()
        length = (timedelta(minutes=40),) if what == "silence" else ()
        answer = self.do(getattr(self.bot.alerting, what)(found.id, "U1", *length))
        assert type(answer) is type(expected)
        if isinstance(expected, Refusal):
            assert isinstance(answer, Refusal)
            assert answer.reason == expected.reason
            return
        self.book.save(expected)

    @rule()
    def tick(self) -> None:
        self.do(self.bot.alerting.tick())
        self.book.settle(self.now)
        still_open = {found.id for found in self.book.open()}
        for found in sorted(self.book.open(), key=lambda each: each.id):
            held_by = found.firing.held_by or ""
            if held_by.startswith(MARK) and int(held_by[1:].split()[0]) not in still_open:
                self._keep(lifecycle.release(found, self.now))
        for found in sorted(self.book.open(), key=lambda each: each.id):
            if found.expires_at is not None and found.expires_at <= self.now:
                self._keep(lifecycle.expire(found, self.now))

    def _keep(self, change: Change | Refusal) -> None:
        assert isinstance(change, Change)
        self.book.save(change)

    @rule()
    def restart(self) -> None:
        self.do(self.bot.monitoring.stop())
        self.do(self.bot.database.close())
        self.begin()

    @rule()
    def killed(self) -> None:
        """Nobody waits for anything: what was answered must be there all the same."""
        writer = self.bot.monitoring._writer
        assert writer is not None
        writer.cancel()
        self.do(asyncio.sleep(0))
        self.do(self.bot.database.engine.dispose())
        self.begin()

    @rule(after=st.sampled_from(["recorded", "claimed only", "postponed"]))
    def deliver_one(self, after: str) -> None:
        self.do(self._deliver_one(after))

    async def _deliver_one(self, after: str = "recorded") -> bool:
        database = self.bot.database
        async with database.transaction() as connection:
            entry = await outbox.claim(connection, ALERTS, "me", self.now + timedelta(hours=1))
        if entry is None:
            return False
        async with database.transaction() as connection:
            if after == "postponed":
                await outbox.postpone(connection, entry, self.now, "refused", in_doubt=False)
            elif after == "recorded":
                sent = Sent(
                    key=entry.key, alert_id=entry.alert_id, destination="slack", channel="C", ts="1", shown=""
                )
                await outbox.record(database, connection, entry, sent, self.now)
                if entry.kind is EntryKind.POST and entry.alert_id is not None:
                    self.said.setdefault(entry.alert_id, []).append(entry.payload["event"]["kind"])
        return True

    def deliver_all(self) -> None:
        self.now += timedelta(hours=2)  # every lease is over by then
        while self.do(self._deliver_one()):
            pass

    # --- what always holds -----------------------------------------------------------------------------

    @invariant()
    def the_file_says_what_pure_decisions_say(self) -> None:
        stored = {found.id: _plain(found) for found in self.do(self.bot.alerts())}
        assert stored == {number: _plain(found) for number, found in self.book.alerts.items()}

    @invariant()
    def the_history_is_whole(self) -> None:
        for number, events in self.book.events.items():
            assert self.do(self.bot.history(number)) == events

    @invariant()
    def every_alert_has_its_message_shown_or_owed(self) -> None:
        assert self.do(self._views()) == set(self.book.alerts)

    async def _views(self) -> set[int]:
        async with self.bot.database.snapshot() as connection:
            rows = await connection.execute(
                sa.select(outbox_table.c.alert_id).where(outbox_table.c.kind == EntryKind.VIEW.value)
            )
            return {row.alert_id for row in rows}

    def every_line_was_said_once_and_in_order(self) -> None:
        for number, events in self.book.events.items():
            owed = [event.kind.value for event in events if event.kind is not EventKind.FIRED]
            assert self.said.get(number, []) == owed


def _plain(found: Alert) -> Alert:
    """An alert without what a database writes otherwise: the order of its fields."""
    return replace(found, firing=replace(found.firing, fields=dict(sorted(found.firing.fields.items()))))


TestRestarts = Restarts.TestCase
TestRestarts.settings = settings(quick, max_examples=10, stateful_step_count=30)
