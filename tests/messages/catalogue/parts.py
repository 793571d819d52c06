"""What the catalogue's messages are about: alerts, standings and runs of a shop, as a sample has them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from bot.domain.alert import Alert, Change, Event, EventKind, Refusal, fire
from bot.domain.observation import Source, SourceKind
from bot.domain.severity import Severity
from bot.domain.standing import Standing
from bot.reports.overview import Figure, Line, Overview
from checks.result import Diagnostic, State
from tests.domain.findings import HOUR, MINUTE, NOON, firing
from tests.messages.kinds import Sample

T = TypeVar("T")
LATER = NOON + 25 * MINUTE
ALEX, SAM, KIM = "U0ALEX", "U0SAM", "U0KIM"
TITLES = ("CPU at 97%", "Payments answer slowly", "Disk 91% full", "Certificate ends in 12 days")
PLACES = ("web-1", "payments", "/var/lib/postgresql", "shop.example.com")
SEVERITIES = tuple(Severity)


def changed(result: Change | Refusal) -> Alert:
    """The alert after something that must have worked."""
    assert isinstance(result, Change), result
    return result.alert


def alert(s: Sample, number: int = 1, **parts: Any) -> Alert:
    """An alert that fired at noon; the first is the worst."""
    place = (number - 1) % 4
    found = firing(
        **{
            "severity": SEVERITIES[place],
            "rule": s.text("cpu_hot"),
            "source": Source(kind=SourceKind.CHECK, name=s.text("host")),
            "resource": s.text(PLACES[place]),
            "category": s.text("system"),
            "title": s.text(TITLES[place]),
            "message": s.text("The host is hot."),
            "reason": s.text("cpu_percent 97 is over its threshold of 80 (P1 above 95), exceeded by 21.3%"),
            "fields": {"cpu_percent": s.number(97.0), "affected_users": s.number(1234)},
            "recommendations": tuple(
                s.many(
                    2,
                    lambda step: s.text(
                        ("See what runs: `top -o %CPU`", "Check what was deployed")[step % 2]
                    ),
                )
            ),
            "runbook": s.text("https://wiki.example.com/runbooks/cpu"),
            **parts,
        }
    )
    return replace(fire(found, NOON).alert, id=number + 40, count=max(1, s.count(12)), last_seen=LATER)


def alerts(s: Sample, usual: int = 3) -> list[Alert]:
    return s.many(usual, lambda number: alert(s, number))


def diagnostics(s: Sample) -> tuple[Diagnostic, ...]:
    text = "  PID USER   %CPU COMMAND\n 4711 shop   88.2 importer --all\n 1203 shop    6.1 python app.py"
    return tuple(s.many(1, lambda _: Diagnostic(title=s.text("The busiest processes"), text=s.text(text))))


def event(s: Sample, kind: EventKind, usual: str = "", actor: str | None = ALEX) -> Event:
    return Event(kind=kind, at=LATER, text=s.text(usual), actor=actor)


def standing(
    s: Sample, name: str, state: State, summary: str, kind: SourceKind = SourceKind.CHECK
) -> Standing:
    return Standing(
        source=Source(kind=kind, name=name),
        resource=name,
        state=state,
        summary=s.text(summary),
        since=NOON - 3 * HOUR,
        at=NOON,
        fields={"cpu_percent": s.number(97.0), "load_1m": s.number(4.2), "memory_percent": s.number(61.5)},
        streaks={},
    )


_CHECKS = (
    ("host", State.CRITICAL, "cpu_percent 97 is over its threshold of 80"),
    ("payments", State.WARNING, "200 in 2,412 ms"),
    ("database", State.OK, "12 connections of 100, replication 0 s behind"),
    ("shop", State.OK, "200 in 84 ms"),
    ("certificate", State.UNKNOWN, "could not look: connection refused"),
)
_JOBS = (
    ("parse_orders", State.OK, "SUCCESS, 1,204 rows"),
    ("nightly_backup", State.CRITICAL, "ERROR: disk full"),
    ("send_invoices", State.PENDING, ""),
)


def line(s: Sample, number: int, kind: SourceKind = SourceKind.CHECK) -> Line:
    known = _CHECKS if kind is SourceKind.CHECK else _JOBS
    name, state, summary = known[(number - 1) % len(known)]
    shown = s.text(name) if s.words is None else f"{number}{s.words}"
    found = None if state is State.PENDING else standing(s, shown, state, summary, kind)
    return Line(name=shown, standing=found)


def overview(s: Sample, **parts: Any) -> Overview:
    """The shop as it stands; of nothing where a sample has none."""
    figures = (("CSV quality", "98.5% valid", "▲ 2 against 1 d ago"), ("Orders today", "12,408", None))
    return Overview(
        **{
            "name": s.text("Shop"),
            "at": LATER,
            "checks": s.many(5, lambda number: line(s, number)),
            "jobs": s.many(3, lambda number: line(s, number, SourceKind.JOB)),
            "alerts": alerts(s),
            "figures": s.many(
                2,
                lambda number: Figure(
                    label=s.text(figures[number % 2][0]),
                    value=s.text(figures[number % 2][1]),
                    change=figures[number % 2][2],
                ),
            ),
            **parts,
        }
    )


DAY = timedelta(days=1)
