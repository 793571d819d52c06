"""The life of alerts under anything that may happen in any order: observations, people, silences, time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bot.domain import alert as lifecycle
from bot.domain.alert import Alert, Change, Event, EventKind, Refusal, Status, fingerprint
from bot.domain.decision import Memory, evaluate, fingerprints
from bot.domain.observation import variables
from bot.domain.rule import Rule, RuleGroup, Streak, Threshold
from bot.domain.severity import Severity
from bot.domain.silence import Silence, covering, hush, settle, speak
from checks.result import State
from tests.domain.findings import NOON, check
from tests.domain.findings import rule as configured
from tests.properties import quick

WINDOW = timedelta(minutes=30)
EXPIRY = timedelta(hours=2)
RESOURCES = ("web-1", "web-2")
CPU = Rule(
    name="host.cpu",
    question=Threshold(field="cpu", steps=((Severity.CRITICAL, 95), (Severity.MEDIUM, 80))),
    title="CPU at {cpu}",
    dedupe=WINDOW,
    expire=EXPIRY,
)
PATIENT = configured("errors > 5", "errors", failures=2, recoveries=2, dedupe=WINDOW, expire=EXPIRY)
GROUPS = (
    RuleGroup(rules=(CPU, PATIENT)),
    RuleGroup(rules=(configured("cpu > 98", "melting", dedupe=WINDOW, expire=EXPIRY),), first_match=True),
)
ENDS = {EventKind.RESOLVED, EventKind.RECOVERED, EventKind.EXPIRED}
BEGINS = {EventKind.FIRED, EventKind.REOPENED}


class Book:
    """Alerts, their history, silences and streaks, as a database would remember them."""

    def __init__(self) -> None:
        self.alerts: dict[int, Alert] = {}
        self.events: dict[int, list[Event]] = {}
        self.silences: dict[int, Silence] = {}
        self.streaks: dict[str, dict[str, Streak]] = {}

    def open(self) -> list[Alert]:
        return [found for found in self.alerts.values() if found.status.is_open]

    def last_closed(self, key: str) -> Alert | None:
        closed = [found for found in self.alerts.values() if found.fingerprint == key and found.closed_at]
        return max(closed, key=lambda found: (found.closed_at or NOON, found.id), default=None)

    def active(self, now: datetime) -> tuple[Silence, ...]:
        return tuple(each for each in self.silences.values() if each.is_active(now))

    def add(self, silence: Silence) -> Silence:
        kept = replace(silence, id=len(self.silences) + 1)
        self.silences[kept.id] = kept
        return kept

    def silence(
        self, found: Alert, who: str, length: timedelta, reason: str | None, now: datetime
    ) -> Change | Refusal:
        """Its button: an earlier silence of the same problem gives way."""
        if not found.status.is_open:
            return Refusal(alert=found, reason=f"already {found.status.value}")
        for each in self.active(now):
            if each.fingerprint == found.fingerprint:
                self.silences[each.id] = replace(each, ended_at=now, ended_by=who)
        new = self.add(
            Silence(
                fingerprint=found.fingerprint,
                starts_at=now,
                ends_at=now + length,
                created_by=who,
                reason=reason,
            )
        )
        return hush(found, covering(self.active(now), found) or new, now)

    def unsilence(self, found: Alert, who: str, now: datetime) -> Change | Refusal:
        """Its button: silences of this problem end, others leave it out."""
        if found.silenced_until is None:
            return Refusal(alert=found, reason="not silenced")
        for each in self.active(now):
            if each.fingerprint == found.fingerprint:
                self.silences[each.id] = replace(each, ended_at=now, ended_by=who)
            elif each.covers(found):
                self.silences[each.id] = replace(each, lifted=each.lifted | {found.id})
        if not found.status.is_open:
            return lifecycle.spoken(found, who, now, "")
        change = speak(found, self.silences.get(found.silence_id or 0), now)
        return replace(change, events=tuple(replace(event, actor=who) for event in change.events))

    def settle(self, now: datetime) -> None:
        for found in sorted(self.open(), key=lambda each: each.id):
            change = settle(found, self.active(now), self.silences.get(found.silence_id or 0), now)
            if change is not None:
                self.save(change)

    def save(self, change: Change) -> Alert:
        changed = change.alert
        number = changed.id or len(self.alerts) + 1
        before = self.alerts.get(number)
        assert changed.version == (before.version if before else 0), "somebody decided on an old version"
        kept = replace(changed, id=number, version=changed.version + 1)
        self.alerts[number] = kept
        self.events.setdefault(number, []).extend(change.events)
        return kept


class Lifecycle(RuleBasedStateMachine):
    """Whatever happens, the promises of the design hold."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.book = Book()
        self.bad_since: dict[str, datetime] = {}  # by fingerprint, of the rule about the processor

    # --- what may happen -------------------------------------------------------------------------------

    @rule(minutes=st.sampled_from([1, 5, 29, 30, 31, 119, 120]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @initialize()
    def begins_with_trouble(self) -> None:
        self.observe("web-1", 85, 0, State.OK)

    @rule(
        resource=st.sampled_from(RESOURCES),
        cpu=st.sampled_from([85, 90, 97, 99]),
        errors=st.sampled_from([0, 9]),
    )
    def trouble(self, resource: str, cpu: int, errors: int) -> None:
        self.observe(resource, cpu, errors, State.OK)

    @rule(resource=st.sampled_from(RESOURCES))
    def all_is_well(self, resource: str) -> None:
        self.observe(resource, 10, 0, State.OK)

    @rule(
        resource=st.sampled_from(RESOURCES),
        cpu=st.sampled_from([None, 10, 99, "broken"]),
        errors=st.sampled_from([None, 0, 9]),
        state=st.sampled_from([State.OK, State.UNKNOWN]),
    )
    def odd_news(self, resource: str, cpu: float | str | None, errors: int | None, state: State) -> None:
        self.observe(resource, cpu, errors, state)

    def observe(self, resource: str, cpu: float | str | None, errors: int | None, state: State) -> None:
        seen = check({"cpu": cpu, "errors": errors}, at=self.now, resource=resource, state=state)
        keys = fingerprints(GROUPS, seen, variables(seen))
        before = {found.fingerprint: found for found in self.book.open()}
        closed = {key: last for key in keys if (last := self.book.last_closed(key)) is not None}
        memory = Memory(
            streaks=self.book.streaks.get(resource, {}),
            open=before,
            closed=closed,
            silences=self.book.active(self.now),
        )
        if isinstance(cpu, int):
            key = fingerprint("host.cpu", resource)
            if cpu > 80:
                self.bad_since.setdefault(key, self.now)
            else:
                self.bad_since.pop(key, None)
        decision = evaluate(GROUPS, seen, memory)
        self.book.streaks[resource] = dict(decision.streaks)
        changed = [self.book.save(change) for change in decision.changes]
        assert len({each.fingerprint for each in changed}) == len(changed)
        for change, after in zip(decision.changes, changed, strict=True):
            self._follows(change, after, before.get(after.fingerprint), closed.get(after.fingerprint))
        if isinstance(cpu, int) and cpu > 80:
            self._cpu_is_told(resource, before, closed)
        if isinstance(cpu, int) and cpu <= 80:
            assert not self._is_open("host.cpu", resource), "a silence must not keep an alert from resolving"
            assert not self._is_open("melting", resource)

    def _follows(self, change: Change, after: Alert, was: Alert | None, closed: Alert | None) -> None:
        """Each change is one of four: fired, reopened, seen again, recovered."""
        happened = {event.kind for event in change.events}
        if was is not None:
            assert after.id == was.id
            assert not happened & BEGINS
            if after.status.is_open:
                assert after.count == was.count + 1
            else:
                assert (happened, after.count) == ({EventKind.RECOVERED}, was.count)
            return
        assert after.status is Status.ACTIVE
        if EventKind.REOPENED in happened:
            assert closed is not None
            assert closed.closed_at is not None
            assert (after.id, after.count, after.reopened) == (
                closed.id,
                closed.count + 1,
                closed.reopened + 1,
            )
            ago = self.now - closed.closed_at
            if ago >= WINDOW:
                assert closed.closed_by is not None  # it never stopped: somebody resolved it too early
            elif closed.closed_by is not None and after.fingerprint in self.bad_since:
                assert self.bad_since[after.fingerprint] > closed.closed_at, "the window is the resolver's"
        else:
            assert EventKind.FIRED in happened
            assert (after.count, after.opened_at) == (1, self.now)
            assert closed is None or closed.closed_at is None or self.now - closed.closed_at >= WINDOW
        cover = covering(self.book.active(self.now), change.alert)
        assert after.is_silenced(self.now) == (cover is not None)

    def _cpu_is_told(self, resource: str, before: dict[str, Alert], closed: dict[str, Alert]) -> None:
        """Trouble is open now, unless somebody said within the window that it is over and it never stopped."""
        key = fingerprint("host.cpu", resource)
        if self._is_open("host.cpu", resource):
            return
        last = closed[key]
        assert key not in before
        assert last.closed_by is not None
        assert last.closed_at is not None
        assert self.now - last.closed_at < WINDOW

    def _is_open(self, name: str, resource: str) -> bool:
        return any(found.fingerprint == fingerprint(name, resource) for found in self.book.open())

    @rule(data=st.data(), who=st.sampled_from(["U1", "U2"]))
    def acknowledge(self, data: st.DataObject, who: str) -> None:
        found = self._any(data)
        answer = lifecycle.acknowledge(found, who, None, self.now)
        if not isinstance(answer, Change):
            assert answer.alert == found
            assert found.status is not Status.ACTIVE
            return
        taken = self.book.save(answer)
        again = lifecycle.acknowledge(taken, "U3", "me too", self.now)
        assert isinstance(again, Refusal)
        assert again.alert == taken

    @rule(data=st.data())
    def unacknowledge(self, data: st.DataObject) -> None:
        self._keep(lifecycle.unacknowledge(self._any(data), "U2", self.now))

    @rule(data=st.data(), note=st.sampled_from([None, "fixed"]))
    def resolve(self, data: st.DataObject, note: str | None) -> None:
        found = self._any(data)
        answer = lifecycle.resolve(found, "U1", note, self.now)
        self._keep(answer)
        assert isinstance(answer, Change) == found.status.is_open

    @rule(data=st.data(), minutes=st.sampled_from([1, 30, 300]))
    def silence(self, data: st.DataObject, minutes: int) -> None:
        found, length = self._any(data), timedelta(minutes=minutes)
        answer = self.book.silence(found, "U2", length, "deploy", self.now)
        self._keep(answer)
        if isinstance(answer, Change):
            assert answer.alert.status is found.status

    @rule(
        match=st.sampled_from(
            ["true", "severity == 'medium'", "resource == 'web-1'", "cpu / 2 > 40", "cpu > 98"]
        ),
        minutes=st.sampled_from([1, 30, 300]),
    )
    def silence_what_matches(self, match: str, minutes: int) -> None:
        ends_at = self.now + timedelta(minutes=minutes)
        self.book.add(Silence(match=match, starts_at=self.now, ends_at=ends_at, created_by="U1"))
        self.settles()

    @rule(data=st.data())
    def somebody_ends_or_extends_a_silence(self, data: st.DataObject) -> None:
        running = self.book.active(self.now)
        if not running:
            return
        silence = data.draw(st.sampled_from(running))
        if data.draw(st.booleans()):
            silence = replace(silence, ended_at=self.now, ended_by="U3")
        else:
            silence = replace(silence, ends_at=silence.ends_at + timedelta(hours=1), extended_by="U3")
        self.book.silences[silence.id] = silence
        self.settles()

    def settles(self) -> None:
        """Afterwards exactly those are quiet that an active silence covers, and a second time changes nothing."""
        before = {found.id: found for found in self.book.open()}
        self.book.settle(self.now)
        for found in self.book.open():
            cover = covering(self.book.active(self.now), found)
            assert found.is_silenced(self.now) == (cover is not None)
            was = before[found.id]
            assert (found.status, found.count, found.opened_at) == (was.status, was.count, was.opened_at)
        settled = dict(self.book.alerts)
        self.book.settle(self.now)
        assert self.book.alerts == settled

    @rule(data=st.data())
    def unsilence(self, data: st.DataObject) -> None:
        found = self._any(data)
        answer = self.book.unsilence(found, "U2", self.now)
        self._keep(answer)
        if isinstance(answer, Change) and found.status.is_open:
            self.settles()
            assert not self.book.alerts[found.id].is_silenced(self.now), "who wants to hear it hears it"

    @rule()
    def tick(self) -> None:
        self.settles()
        for found in self.book.open():
            if found.expires_at is not None and found.expires_at <= self.now:
                assert self._keep(lifecycle.expire(found, self.now)).status is Status.EXPIRED

    def _any(self, data: st.DataObject) -> Alert:
        """Mostly an open one, now and then one that is over."""
        found = self.book.open() * 3 + list(self.book.alerts.values())
        return data.draw(st.sampled_from(found))

    def _keep(self, answer: Change | Refusal) -> Alert:
        if isinstance(answer, Refusal):
            assert answer.reason
            return answer.alert
        return self.book.save(answer)

    # --- what always holds -----------------------------------------------------------------------------

    @invariant()
    def there_is_at_most_one_open_alert_a_fingerprint(self) -> None:
        counted = Counter(found.fingerprint for found in self.book.open())
        assert all(number == 1 for number in counted.values()), counted

    @invariant()
    def what_an_alert_says_of_its_state_agrees(self) -> None:
        for found in self.book.alerts.values():
            assert found.status.is_open == (found.closed_at is None)
            assert (found.status is Status.ACTIVE) <= (found.acknowledged_by is None)
            assert (found.status is Status.ACKNOWLEDGED) <= (found.acknowledged_by is not None)
            assert (found.acknowledged_by is None) == (found.acknowledged_at is None)
            assert found.closed_by is None or found.status is Status.RESOLVED
            assert found.count > found.reopened >= 0
            assert found.version >= 1

    @invariant()
    def times_follow_one_another(self) -> None:
        for found in self.book.alerts.values():
            assert found.opened_at <= found.last_seen <= self.now
            for later in (found.closed_at, found.acknowledged_at):
                assert later is None or found.opened_at <= later <= self.now
            times: list[datetime] = [event.at for event in self.book.events[found.id]]
            assert times == sorted(times)

    @invariant()
    def every_beginning_has_one_end(self) -> None:
        for number, found in self.book.alerts.items():
            turns = [event.kind for event in self.book.events[number] if event.kind in BEGINS | ENDS]
            assert turns[0] is EventKind.FIRED
            assert all((kind in BEGINS) == (place % 2 == 0) for place, kind in enumerate(turns)), turns
            assert (turns[-1] in BEGINS) == found.status.is_open
            assert turns.count(EventKind.REOPENED) == found.reopened


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(quick, max_examples=120, stateful_step_count=50)
