"""Defaults taken over by what does not say itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from bot.config.acting import RuleSettings
from bot.config.probing import CheckSettings, Defaults, JobSettings
from bot.config.section import Section
from checks.options import CheckOptions

Item = TypeVar("Item", bound=Section)
_NOT_FOR_JOBS = frozenset({"every", "timeout"})  # those are about checks


def filled_in(
    defaults: Defaults,
    checks: Mapping[str, CheckSettings],
    jobs: Mapping[str, JobSettings],
    alerts: tuple[RuleSettings, ...],
) -> dict[str, Any]:
    """Checks, jobs and rules with their defaults; the job named `defaults` is for all others."""
    shared = jobs.get("defaults")
    own = {name: job for name, job in jobs.items() if name != "defaults"}
    if shared is not None:
        own = {name: _inherit(job, shared) for name, job in own.items()}
    return {
        "checks": {name: _check(check, defaults) for name, check in checks.items()},
        "jobs": {name: _inherit(job, defaults, _NOT_FOR_JOBS) for name, job in own.items()},
        "alerts": tuple(_inherit(rule, defaults) for rule in alerts),
    }


def _check(check: CheckSettings, defaults: Defaults, *, member: bool = False) -> CheckSettings:
    scheduled = member or check.cron is not None or check.at is not None
    filled = _inherit(check, defaults, frozenset({"every"}) if scheduled else frozenset())
    members = {name: _check(each, defaults, member=True) for name, each in check.checks.items()}
    update: dict[str, Any] = (
        {"checks": members, "options": _group_options(check, defaults)} if members else {}
    )
    if filled.every is None and not scheduled:
        update["every"] = defaults.every
    every = update.get("every", filled.every)
    if every is not None and "timeout" not in check.model_fields_set | defaults.model_fields_set:
        update["timeout"] = min(filled.timeout, every)
    return filled.model_copy(update=update) if update else filled


def _group_options(group: CheckSettings, defaults: Defaults) -> CheckOptions:
    """The group's own keys, where members without a time limit take that of `defaults`, if it names one."""
    if "timeout" not in defaults.model_fields_set or "member_timeout" in group.options.model_fields_set:
        return group.options
    return group.options.model_copy(update={"member_timeout": defaults.timeout})


def _inherit(item: Item, source: Section, without: frozenset[str] = frozenset()) -> Item:
    fields = type(item).model_fields
    missing = source.model_fields_set - item.model_fields_set - without
    if "every" in missing and getattr(item, "schedule", None) is not None:
        missing = missing - {"every"}
    update = {name: getattr(source, name) for name in missing if name in fields}
    return item.model_copy(update=update) if update else item
