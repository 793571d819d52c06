"""How often a watched figure is called unusual for nothing, and how surely a real drop is found.

    python -m benchmarks.anomalies [--checks 4] [--weeks 8] [--seed 17]

Simulates figures measured every five minutes with the rhythm of a day and a week and the noise of four kinds, each with
five weeks of history, and judges them as the bot does: hourly roll-ups, the usual range, so many values in a row. The
noise hangs together over time (AR(1)), which is worse than independent noise. Nothing is wrong in the first part, so
that every alarm is a false one. Then figures fall to a share of what they should be for two hours, three times a week.
Exits with 1 where a kind of noise has more than one false alarm per check and month, or fewer than 80 % of falls to a
tenth are found.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.domain.anomaly import IN_A_ROW, Usual, hours_like, usual_range
from bot.domain.rollup import HOUR, Rollup

ZONE = ZoneInfo("America/Los_Angeles")
START = datetime(2026, 1, 5, tzinfo=UTC)
HISTORY = 5
A_HOUR = 12
MONTH = timedelta(days=30)
DROP_LASTS = timedelta(hours=2)
MOST_FALSE = 1.0
LEAST_FOUND = 0.8

Noise = Callable[[random.Random], float]
NOISES: dict[str, tuple[float, Noise]] = {
    "normal": (0.10, lambda chance: chance.gauss(0, 1)),
    "heavy tails (t, 3 degrees)": (
        0.08,
        lambda chance: chance.gauss(0, 1) / math.sqrt(chance.gammavariate(1.5, 2) / 3),
    ),
    "skewed (log-normal)": (0.25, lambda chance: chance.gauss(0, 1)),
    "counts (Poisson-like)": (0.0, lambda chance: chance.gauss(0, 1)),
}


def level(at: datetime) -> float:
    """Orders an hour: busy noons and evenings, quiet nights, half of it on weekends."""
    local = at.astimezone(ZONE)
    hour = local.hour + local.minute / 60
    day = 40 + 160 * math.exp(-((hour - 12.5) ** 2) / 8) + 260 * math.exp(-((hour - 19) ** 2) / 6)
    return day * (0.5 if local.weekday() >= 5 else 1.0)


@dataclass(slots=True)
class Figure:
    """One check's figure, value after value. Two thirds of its noise are carried over from one to the next."""

    kind: str
    chance: random.Random
    carried: float = 0.0

    def value(self, at: datetime) -> float:
        size, draw = NOISES[self.kind]
        self.carried = 0.66 * self.carried + math.sqrt(1 - 0.66**2) * draw(self.chance)
        usual = level(at)
        if self.kind.startswith("skewed"):
            return usual * math.exp(size * self.carried)
        if self.kind.startswith("counts"):
            return max(0.0, round(usual / 4 + math.sqrt(usual / 4) * self.carried))
        return max(0.0, usual * (1 + size * self.carried))


@dataclass(slots=True)
class Tally:
    values: int = 0
    alarms: int = 0
    falls: int = 0
    found: int = 0
    delays: float = 0.0


def run(kind: str, seed: int, weeks: int, share: float | None) -> Tally:
    """Judge one figure for some weeks; with a `share` it falls to that three times a week."""
    figure, tally = Figure(kind, random.Random(seed)), Tally()
    past: dict[datetime, Rollup] = {}
    streak = calm = 0
    alarmed, seen = False, False
    falls = _falls(random.Random(seed), weeks) if share is not None else {}
    for hour in _hours(START, 7 * (HISTORY + weeks)):
        judging = hour >= START + timedelta(weeks=HISTORY)
        usual = _usual(past, hour) if judging else None
        falling = hour in falls
        if falls.get(hour):
            tally.falls += 1
            seen = False
            streak, alarmed = 0, False
        values = []
        for number in range(A_HOUR):
            value = figure.value(hour + number * HOUR / A_HOUR)
            value = value * share if falling and share is not None else value
            values.append(value)
            if usual is None:
                continue
            tally.values += 1
            out = not usual.bottom <= value <= usual.top
            streak, calm = (streak + 1, 0) if out else (0, calm + 1)
            if alarmed and calm >= IN_A_ROW:
                alarmed = False
            if streak >= IN_A_ROW and not alarmed:
                alarmed = True
                if falling and not seen:
                    tally.found, seen = tally.found + 1, True
                elif not falling:
                    tally.alarms += 1
        past[hour] = Rollup.of(values)
    return tally


def _hours(start: datetime, days: int) -> Iterator[datetime]:
    for number in range(24 * days):
        yield start + number * HOUR


def _falls(chance: random.Random, weeks: int) -> dict[datetime, bool]:
    """The hours of falls; true for the first of each. Never the same hour in two weeks, which would be a habit."""
    found: dict[datetime, bool] = {}
    starts = chance.sample(range(0, 168, 4), 3 * weeks)
    for number, start in enumerate(starts):
        begin = START + timedelta(weeks=HISTORY + number // 3) + start * HOUR
        found.setdefault(begin, True)
        found.setdefault(begin + HOUR, False)
    return found


def _usual(past: dict[datetime, Rollup], hour: datetime) -> Usual | None:
    return usual_range([(like, past[like.hour]) for like in hours_like(hour, ZONE) if like.hour in past])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--checks", type=int, default=4, help="figures of each kind of noise")
    parser.add_argument("--weeks", type=int, default=8, help="weeks judged, after five of history")
    parser.add_argument("--seed", type=int, default=17)
    options = parser.parse_args()
    missed = False
    print(f"{'noise':28} {'false alarms per check and month':34} falls found: to 50%  to 30%  to 10%")
    for kind in NOISES:
        quiet = [run(kind, options.seed + number, options.weeks, None) for number in range(options.checks)]
        months = options.checks * options.weeks * timedelta(weeks=1) / MONTH
        rate = sum(tally.alarms for tally in quiet) / months
        shares = []
        for share in (0.5, 0.3, 0.1):
            found = [
                run(kind, options.seed + number, 4, share) for number in range(max(1, options.checks // 2))
            ]
            shares.append(sum(each.found for each in found) / sum(each.falls for each in found))
        missed = missed or rate > MOST_FALSE or shares[-1] < LEAST_FOUND
        written = "  ".join(f"{share:6.0%}" for share in shares)
        print(f"{kind:28} {rate:<34.3f} {'':12} {written}", flush=True)
    raise SystemExit(1 if missed else 0)


if __name__ == "__main__":
    main()
