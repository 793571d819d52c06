"""A setting changed at run time, beside what the file says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.domain.alert import Alert
from bot.domain.observation import Source, SourceKind

_SECTIONS = {"checks": SourceKind.CHECK, "jobs": SourceKind.JOB}


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One change. Values are plain, as the file has them; a `value` of None takes away what the file says.

    `file_value` is what the file said when it was set, where it said something (`in_file`).
    `replaced`: it ended because another was set in its place.
    """

    id: int = 0
    path: str
    value: Any
    in_file: bool
    file_value: Any = None
    by: str
    at: datetime
    reason: str | None = None
    reverted_at: datetime | None = None
    reverted_by: str | None = None
    replaced: bool = False


def threshold_field(alert: Alert) -> str | None:
    """The field whose threshold an alert of a check is about, or None when it is about something else."""
    firing = alert.firing
    if firing.source.kind is not SourceKind.CHECK or not firing.rule.startswith(f"{firing.source.name}."):
        return None
    field = firing.rule.removeprefix(f"{firing.source.name}.")
    if field in firing.fields:
        return field
    return field.removesuffix(".low") if field.removesuffix(".low") in firing.fields else None


def concerns(parts: Sequence[str], alert: Alert) -> bool:
    """Whether a change at this path is about the rule that an alert is of."""
    firing, section = alert.firing, parts[0]
    if section == "alerts":
        return parts[1] == firing.rule
    keys = keys_of(parts)
    name = parts[-len(keys) - 1]
    if section not in _SECTIONS or _SECTIONS[section] is not firing.source.kind or name != firing.source.name:
        return False
    if section == "jobs":
        return firing.rule.startswith("Job ")
    match keys[0]:
        case "thresholds":
            return firing.rule == f"{name}.{keys[1]}" or firing.rule.startswith(f"{name}.{keys[1]}.")
        case "condition":
            return firing.rule == f"{name}.condition"
        case "states":
            return firing.rule == name
        case _:
            return firing.rule == name or firing.rule.startswith(f"{name}.")


def keys_of(parts: Sequence[str]) -> tuple[str, ...]:
    """The keys of a path after the name of what it is about: a member of a group has two more names before."""
    start = 2
    while len(parts) > start + 2 and parts[start] == "checks":
        start += 2
    return tuple(parts[start:])


def about(parts: Sequence[str], source: Source) -> bool:
    """Whether a change at this path is about a check or a job."""
    keys = keys_of(parts)
    return _SECTIONS.get(parts[0]) is source.kind and parts[len(parts) - len(keys) - 1] == source.name
