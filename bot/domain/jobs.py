"""How a job does by its schedule, its budget and its record: the figures that rules about jobs see."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain, groupby, islice, takewhile
from zoneinfo import ZoneInfo

from bot.domain.run import Run, RunStatus
from bot.domain.schedule import Schedule
from checks.result import Value

FEWEST_RUNS = 3
"""A success rate over fewer runs says less than the runs themselves do."""
DOUBLED_PERIODS = 3
"""Two successes between due times, so many times in a row, are a job scheduled twice and no second try."""

_KILLING = timedelta(seconds=30)  # a run over its time limit is killed and reported meanwhile
_LONGEST = timedelta(hours=23)  # so that a daily job's lost run is given up before the next one starts
_EARLY = timedelta(minutes=1)  # clocks of other machines
_TELLING = timedelta(seconds=10)  # until the next look, and the way to Slack
_BY_HAND = 20  # runs a day that somebody may start while trying things out
_SLACK = 1.25  # a run may take this much longer than the longest of late


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """The field that counts what a run did, and the least of it an hour: a number, or a share of the baseline."""

    field: str
    least: float
    of_baseline: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is expected of a job. `warning` and `critical` are shares of the budget, `success` one of its runs.

    `timetable` names the schedule in words that change when it does; empty for a job nobody configured.
    `reading`: its runs may be read from a log only so often.
    """

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    schedule: Schedule | None = None
    every: timedelta | None = None
    timetable: str = ""
    grace: timedelta = timedelta(minutes=5)
    timeout: timedelta | None = None
    budget: timedelta | None = None
    min_duration: timedelta | None = None
    warning: float = 0.8
    critical: float = 1.0
    streak: int = 3
    success: float | None = None
    window: timedelta = timedelta(hours=24)
    failures: int | None = None
    throughput: Throughput | None = None
    reading: timedelta = timedelta(0)

    @property
    def given_up_after(self) -> timedelta:
        """How long after its start a run that was not heard of again counts as lost."""
        if self.timeout is not None:
            return self.timeout + _KILLING
        return _LONGEST if self.budget is None else max(2 * self.budget, _LONGEST)

    def utilization(self, duration: timedelta) -> float | None:
        """The percentage of the budget that a duration is."""
        return None if self.budget is None else round(100 * (duration / self.budget), 3)

    def is_high(self, utilization: float | None) -> bool:
        return utilization is not None and utilization >= 100 * self.warning


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run that has begun and was not heard of since. `overlapped`: another of the job ran at the same time."""

    id: int
    job: str
    rid: str | None
    started_at: datetime
    overlapped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """What later runs are compared with."""

    status: RunStatus
    finished_at: datetime
    received_at: datetime
    duration_seconds: float | None
    refused: bool

    @property
    def started_at(self) -> datetime:
        return self.finished_at - timedelta(seconds=self.duration_seconds or 0)


def past_run(run: Run, received_at: datetime) -> PastRun:
    """A run as later ones see it."""
    return PastRun(
        status=run.status,
        finished_at=run.finished_at,
        received_at=received_at,
        duration_seconds=run.duration_seconds,
        refused=run.was_refused,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The newest runs of a job, newest first, and how many of each kind ended in its window.

    The run that is judged is the first of them, and counted.
    """

    newest: Sequence[PastRun] = ()
    succeeded: int = 0
    ended: int = 0
    refused: int = 0


def own_figures(terms: Terms, run: Run) -> dict[str, Value]:
    """What follows from a run alone: its share of the budget, and how much it did in an hour."""
    found: dict[str, Value] = {}
    if run.duration_seconds is None:
        return found
    used = terms.utilization(timedelta(seconds=run.duration_seconds))
    if used is not None:
        found["sla_utilization_percent"] = used
    done = run.fields.get(terms.throughput.field) if terms.throughput else None
    if isinstance(done, int | float) and not isinstance(done, bool) and run.duration_seconds > 0:
        found["throughput_per_hour"] = round(done * 3600 / run.duration_seconds, 3)
    return found


def record_figures(terms: Terms, record: Record) -> dict[str, Value]:
    """What follows from a run and those before it."""
    ran = [run for run in record.newest if not run.refused]
    ended = record.ended - record.refused
    found: dict[str, Value] = {
        "consecutive_failures": _leading(run.status is not RunStatus.SUCCESS for run in ran),
        "refused_locks_24h": record.refused,
        "runs_24h": ended,
    }
    if ended > 0:
        found["success_rate_24h"] = round(record.succeeded / ended, 4)
    if terms.budget is not None:
        found["high_utilization_streak"] = _leading(terms.is_high(_utilization(terms, run)) for run in ran)
    if terms.schedule is not None:
        found["too_often"] = _too_often(_dues_of(terms.schedule), ran, record, terms.window)
    return found


def _leading(flags: Iterable[bool]) -> int:
    """How many are true before the first that is not."""
    return sum(1 for _ in takewhile(bool, flags))


def _utilization(terms: Terms, run: PastRun) -> float | None:
    if run.duration_seconds is None:
        return None
    return terms.utilization(timedelta(seconds=run.duration_seconds))


def _too_often(dues: Dues, ran: Sequence[PastRun], record: Record, window: timedelta) -> bool:
    """Whether a job succeeds twice between two due times again and again, or far more often than it is due.

    A run by hand, or a second try, is neither.
    """
    starts = [run.started_at + _EARLY for run in ran if run.status is RunStatus.SUCCESS]
    if record.succeeded > _BY_HAND:
        due, following = dues.around(starts[0] if starts else record.newest[0].finished_at)
        if record.succeeded > _BY_HAND + 2 * (window / (following - due)):
            return True
    periods = (len(list(group)) for _, group in groupby(dues.around(start)[0] for start in starts))
    newest = next(periods, 0)
    whole = periods if newest < 2 else chain([newest], periods)  # the other of the newest may still come
    pairs = sum(1 for _ in takewhile(lambda count: count > 1, islice(whole, DOUBLED_PERIODS)))
    return pairs == DOUBLED_PERIODS


def heard_after(terms: Terms, record: Record) -> timedelta:
    """How long after its start a run that announces none is heard of: the longest of the newest.

    A report that came late within the time between two readings of a log came by one, and the next may take
    all of that time; one that came later still came after a breakdown, which says nothing.
    """
    longest = timedelta(0)
    for run in record.newest:
        late = run.received_at - run.finished_at
        read = _EARLY < late <= terms.reading + _EARLY
        duration = timedelta(seconds=run.duration_seconds or 0)
        longest = max(longest, duration + (terms.reading if read else timedelta(0)))
    return longest


def ended_by(running: Sequence[OpenRun], run: Run) -> OpenRun | None:
    """Which of a job's open runs a report ends, given oldest first.

    The one with its id; else, among those without an id (or all, when the report has none either), the one
    that began when the reported run did, or the oldest where no duration tells.
    """
    same = [each for each in running if each.rid is not None and each.rid == run.rid]
    candidates = same or [each for each in running if each.rid is None or run.rid is None]
    started_at = run.started_at
    if not candidates or started_at is None:
        return candidates[0] if candidates else None
    return min(candidates, key=lambda each: abs(each.started_at - started_at))


_REMEMBERED = 256


class Dues:
    """When a schedule's occurrences fall. The newest periods are remembered, since a cron line is slow to ask."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._starts: list[datetime] = []
        self._ends: list[datetime] = []

    def around(self, instant: datetime) -> tuple[datetime, datetime]:
        """The newest occurrence until `instant`, and the one after it."""
        place = bisect_right(self._starts, instant)
        if place and instant < self._ends[place - 1]:
            return self._starts[place - 1], self._ends[place - 1]
        found = self._found(instant, place)
        self._starts.insert(place, found[0])
        self._ends.insert(place, found[1])
        if len(self._starts) > _REMEMBERED:
            del self._starts[0], self._ends[0]
        return found

    def _found(self, instant: datetime, place: int) -> tuple[datetime, datetime]:
        """Mostly the period after one that is known, which is cheaper than a search back in time."""
        if place:
            due = self._ends[place - 1]
            following = self._schedule.next_after(due)
            if instant < following:
                return due, following
        return self._schedule.last_until(instant), self._schedule.next_after(instant)


@lru_cache(maxsize=1_000)
def _dues_of(schedule: Schedule) -> Dues:
    return Dues(schedule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is known of a job between its runs.

    `known_since`: when its schedule was first seen; what was due before is none of our business. `announced`:
    its newest run announced its start. `heard_after`: how long after its start its end is usually heard of.
    """

    known_since: datetime
    last_start: datetime | None = None
    last_end: datetime | None = None
    announced: bool = False
    heard_after: timedelta = timedelta(0)
    running: tuple[OpenRun, ...] = ()

    @property
    def last_heard(self) -> datetime | None:
        return max((at for at in (self.last_start, self.last_end) if at is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at a job finds. None: Tocsin was away and may have missed the report, so nobody can say.

    `started_at` is that of the run that has gone on longest, `unseen`: it was due while nobody looked.
    """

    late: bool | None = False
    due_at: datetime | None = None
    unseen: bool = False
    running: timedelta | None = None
    started_at: datetime | None = None
    utilization: float | None = None
    high: bool | None = False
    never_finished: bool | None = False
    overlapping: bool = False

    @property
    def in_trouble(self) -> bool:
        return bool(self.late or self.high or self.never_finished or self.overlapping)

    @property
    def certain(self) -> bool:
        return None not in (self.late, self.high, self.never_finished)


def look(terms: Terms, dues: Dues | None, sight: Sight, now: datetime, looking_since: datetime) -> Look:
    """Judge a job between its runs. `dues` are of its schedule; `looking_since`: Tocsin was away before.

    For one grace after it was away, Tocsin waits for the reports that may still come, and says nothing of
    what began before.
    """
    blind = now < looking_since + terms.grace
    lost = [run for run in sight.running if now - run.started_at >= terms.given_up_after]
    going = [run for run in sight.running if now - run.started_at < terms.given_up_after]
    known = [run for run in sight.running if not (blind and run.started_at < looking_since)]
    oldest = min(known, key=lambda run: run.started_at, default=None)
    running = max(now - oldest.started_at, timedelta(0)) if oldest is not None else None
    utilization = terms.utilization(running) if running is not None else None
    late, due_at = (False, None) if going else _late(terms, dues, sight, now)
    unseen = due_at is not None and due_at < looking_since
    unknown = len(known) < len(sight.running)
    return Look(
        late=None if late and blind and unseen else late,
        due_at=due_at,
        unseen=late and unseen,
        running=running,
        started_at=oldest.started_at if oldest is not None else None,
        utilization=utilization,
        high=terms.is_high(utilization) or (None if unknown else False),
        never_finished=any(run in known for run in lost) or (None if unknown else False),
        overlapping=len(going) > 1,
    )


def _late(terms: Terms, dues: Dues | None, sight: Sight, now: datetime) -> tuple[bool, datetime | None]:
    """Whether a sign of life is overdue, and when it was due."""
    heard = sight.last_heard
    if terms.every is not None:
        due_at = max(heard or sight.known_since, sight.known_since) + terms.every
        return now >= due_at + _told_after(terms), due_at
    if dues is None:
        return False, None
    due_at, following = dues.around(now - _patience(terms, sight))
    if due_at <= sight.known_since:
        return False, None
    early = min(_EARLY, (following - due_at) / 4)
    return heard is None or heard < due_at - early, due_at


def _patience(terms: Terms, sight: Sight) -> timedelta:
    """How long after its due time a job may be silent.

    The grace, for a start. A job that tells only its end is given the time its runs take, unless that is
    well within the grace; one that nothing was ever heard of is given none.
    """
    silent_starts = sight.last_end is not None and not sight.announced
    if silent_starts and sight.heard_after > terms.grace / 2:
        return sight.heard_after * _SLACK + terms.grace
    return _told_after(terms)


def _told_after(terms: Terms) -> timedelta:
    """A little less than the grace, so that people know by its end."""
    return terms.grace - min(_TELLING, terms.grace / 10)
