"""From an object of a log to the run it reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.config.probing import RunLog
from bot.domain.condition import Condition, ConditionError, compile_condition
from bot.domain.run import Run, Start
from bot.following.batch import Found
from handlers.http.runs import parse_run

_EXCERPT = 300
_MOST_MISTAKES = 3


class NotARun(ValueError):
    """An object that reports no run; the message says why."""


class Records:
    """Reads the objects of one log as its settings say."""

    def __init__(self, log: RunLog) -> None:
        self._job = compile_condition(log.job) if log.job else None
        self._status = compile_condition(log.status) if log.status else None
        self._fields = log.fields

    def found(
        self, record: Any, *, key: str, place: str, text: str, written: datetime, now: datetime
    ) -> Found:
        """What an object reports. Without a `run_id` it gets one of `key`; without a time it is of `written`."""
        try:
            whole = self._whole(record) if isinstance(record, Mapping) else record
            report = _parsed(whole, now)
        except NotARun as error:
            return refused(place, str(error), text)
        dated = whole.get("timestamp") is not None
        return Found(place=place, report=_completed(report, key, None if dated else written), dated=dated)

    def _whole(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The object with the fields that its column holds, and with the job and the status it amounts to."""
        whole = dict(record)
        if self._fields is not None:
            whole = {**_opened(self._fields, whole.pop(self._fields, None)), **whole}
        names = {**whole}
        if self._job is not None:
            whole["job_name"] = _calculated("job", self._job, names)
        if self._status is not None:
            whole["status"] = _calculated("status", self._status, names)
        return whole


def refused(place: str, problem: str, text: str) -> Found:
    """A line or a row that reports nothing."""
    return Found(place=place, report=None, problem=problem, text=text[:_EXCERPT])


def _parsed(whole: Any, now: datetime) -> Run | Start:
    report = parse_run(whole, now)
    if isinstance(report, list):
        raise NotARun(
            "; ".join(f"{each['path']} {each['message']}".strip() for each in report[:_MOST_MISTAKES])
        )
    return report


def _completed(report: Run | Start, key: str, written: datetime | None) -> Run | Start:
    if isinstance(report, Start):
        return report if written is None else replace(report, at=written)
    return replace(
        report,
        run_id=report.run_id or f"log-{key}",
        finished_at=report.finished_at if written is None else written,
    )


def _opened(name: str, value: Any) -> Mapping[str, Any]:
    """The fields of a JSON column, which drivers give as text or as what it holds."""
    if isinstance(value, str | bytes | bytearray):
        try:
            value = json.loads(value) if value.strip() else None
        except (ValueError, RecursionError):
            raise NotARun(f"{name} is not JSON") from None
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise NotARun(f"{name} holds no JSON object")
    return value


def _calculated(what: str, expression: Condition, names: Mapping[str, Any]) -> str:
    try:
        value = expression.value(names)
    except ConditionError as error:
        raise NotARun(f"`{what}` cannot be calculated: {error}") from None
    if value is None:
        lacking = sorted(name for name in expression.variables if names.get(name) is None)
        why = f"{', '.join(lacking)} missing or null" if lacking else "something it needs is missing or null"
        raise NotARun(f"`{what}` cannot be calculated: {why}")
    if not isinstance(value, str):
        raise NotARun(f"`{what}` gives {str(value)[:80]}, not a text")
    return value
