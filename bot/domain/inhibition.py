"""When one open alert explains another, so that only the first is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.domain.alert import Alert
from bot.domain.alert_names import names_of
from bot.domain.condition import Condition, ConditionError, Outcome

MARK = "#"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibition:
    """While an open alert meets `when`, others that meet `hold` and share the values of `equal` tell nobody."""

    when: Condition
    hold: Condition
    equal: tuple[str, ...] = ()


def explaining(alert: Alert, inhibitions: Iterable[Inhibition], open_alerts: Sequence[Alert]) -> Alert | None:
    """The open alert that explains this one.

    One that is held itself explains nothing, so that two that explain each other are not both lost.
    """
    names = names_of(alert)
    for inhibition in inhibitions:
        if not _meets(inhibition.hold, names):
            continue
        for other in open_alerts:
            if other.fingerprint == alert.fingerprint or other.firing.held_by is not None:
                continue
            others = names_of(other)
            if _same(names, others, inhibition.equal) and _meets(inhibition.when, others):
                return other
    return None


def reference(alert: Alert) -> str:
    """How a held alert names the one that explains it."""
    return f"{MARK}{alert.id} {alert.firing.title}"


def _same(names: dict[str, object], others: dict[str, object], equal: tuple[str, ...]) -> bool:
    return all(name in names and name in others and names[name] == others[name] for name in equal)


def _meets(condition: Condition, names: dict[str, object]) -> bool:
    try:
        return condition.evaluate(names) is Outcome.TRUE
    except ConditionError:
        return False
