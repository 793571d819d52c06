"""Several checks run at once and told as one report, a line each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from time import perf_counter
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from checks.deadline import Supervised
from checks.kinds import kinds, options_of
from checks.options import COMMON_KEYS, Check, CheckContext, CheckOptions, Duration, parse_duration
from checks.result import CheckResult, Diagnostic, State, Value
from checks.threads import lane_for

PASS, WARN, FAIL = "PASS", "WARN", "FAIL"
# A check that could not run is no proof of a fault, and none of health.
_VERDICTS = {
    State.OK: PASS, State.PENDING: PASS, State.UNKNOWN: WARN, State.WARNING: WARN, State.CRITICAL: FAIL,
}  # fmt: skip
_WORST = (State.OK, State.PENDING, State.UNKNOWN, State.WARNING, State.CRITICAL)
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One check of a group: its kind's settings, and its common keys as they were written."""

    kind: str
    options: CheckOptions = field(repr=False)
    common: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def timeout(self) -> timedelta | None:
        """Its own time limit, if it has one. Raises ValueError when it is not a duration."""
        return parse_duration(self.common["timeout"]) if "timeout" in self.common else None


def parse_member(value: Any) -> Member:
    """From the mapping `{type: …, …}` of a file. Raises ValueError, and pydantic's for the kind's own settings."""
    if isinstance(value, Member):
        return value
    if not isinstance(value, Mapping):
        raise ValueError("a member is a mapping with a type, such as {type: http, url: …}")
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in kinds():
        # Who knows every key a check may have tells the same mistake better, and recognises this word.
        raise PydanticCustomError("unjudged", "the member has no type that is a kind of check")
    model = options_of(kind)
    declared = set(model.model_fields) - {"type"}
    own = {key: item for key, item in value.items() if key in declared or key not in COMMON_KEYS}
    common = {key: item for key, item in value.items() if key in COMMON_KEYS and key != "type"}
    return Member(kind=kind, options=model.model_validate(own), common=common)


class Options(CheckOptions):
    """Checks that answer one question together: is everything ready?"""

    checks: dict[str, Annotated[Member, BeforeValidator(parse_member)]] = Field(
        min_length=1, description="The members by name, each with its type and keys as any other check"
    )
    member_timeout: Duration = Field(
        timedelta(seconds=10), description="How long a member may take that has no timeout of its own"
    )

    def field_names(self) -> frozenset[str]:
        return frozenset({"passed", "warned", "failed", "duration_ms"})

    def build(self, context: CheckContext) -> GroupCheck:
        return GroupCheck(
            members={
                name: member.options.build(replace(context, threads=lane_for(context.threads, name)))
                for name, member in self.checks.items()
            },
            limits={name: member.timeout or self.member_timeout for name, member in self.checks.items()},
        )


class GroupCheck:
    """Runs its members together, each within its own limit."""

    def __init__(self, members: Mapping[str, Check], limits: Mapping[str, timedelta]) -> None:
        self._members = {name: Supervised(check, name) for name, check in members.items()}
        self._limits = limits
        self._found: dict[str, CheckResult] = {}

    async def run(self) -> CheckResult:
        began, self._found = perf_counter(), {}
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._run(name)) for name in self._members]
        parts = [task.result() for task in running]
        return combine(parts, duration_ms=(perf_counter() - began) * 1000)

    def timed_out(self, seconds: float) -> CheckResult:
        """The report of a run cut off after `seconds`: members that ended count as they did."""
        late = CheckResult(
            state=State.UNKNOWN,
            summary=f"not finished when the group's {seconds:g} s were over",
            fields={"duration_ms": seconds * 1000},
        )
        parts = [self._found.get(name) or replace(late, resource=name) for name in self._members]
        return combine(parts, duration_ms=seconds * 1000)

    async def _run(self, name: str) -> CheckResult:
        began = perf_counter()
        result = await self._members[name].run(self._limits[name])
        taken: dict[str, Value] = {"duration_ms": round((perf_counter() - began) * 1000, 1)}
        self._found[name] = replace(result, resource=name, fields=taken | dict(result.fields))
        return self._found[name]


def combine(parts: list[CheckResult], *, duration_ms: float) -> CheckResult:
    """One result of the members': the worst state, a count of each verdict, and a line for each member.

    For whoever judges the members further, by thresholds and conditions: replace their states and combine anew.
    Each part's `resource` is its member's name, and its `duration_ms` the latency in its line.
    """
    verdicts = [_VERDICTS[part.state] for part in parts]
    worst = max((part.state for part in parts), key=_WORST.index)
    fields: dict[str, Value] = {
        "passed": verdicts.count(PASS),
        "warned": verdicts.count(WARN),
        "failed": verdicts.count(FAIL),
        "duration_ms": round(duration_ms, 1),
    }
    report = Diagnostic(title="Report", text="\n".join(report_lines(parts)))
    details = [
        Diagnostic(title=f"{part.resource}: {diagnostic.title}", text=diagnostic.text)
        for part in parts
        if _VERDICTS[part.state] != PASS
        for diagnostic in part.diagnostics
    ]
    return CheckResult(
        state=State.OK if worst is State.PENDING else worst,
        summary=_summary(parts, fields),
        fields=fields,
        diagnostics=(report, *details[:_MOST_NAMED]),
        remedy=_remedy(parts),
        parts=tuple(parts),
    )


def report_lines(parts: list[CheckResult]) -> list[str]:
    """`PASS  database  3 ms  rows 1`, aligned, in the order of the members."""
    names = max(len(str(part.resource)) for part in parts)
    latencies = [f"{float(str(part.fields.get('duration_ms', 0))):,.0f} ms" for part in parts]
    width = max(map(len, latencies))
    return [
        f"{_VERDICTS[part.state]}  {part.resource!s:<{names}}  {latency:>{width}}  {part.summary[:160]}"
        for part, latency in zip(parts, latencies, strict=True)
    ]


def _summary(parts: list[CheckResult], fields: Mapping[str, Value]) -> str:
    bad = [part for part in sorted(parts, key=_badness, reverse=True) if _VERDICTS[part.state] != PASS]
    if not bad:
        return f"all {len(parts)} passed" if len(parts) > 1 else f"{parts[0].resource} passed"
    counts = ", ".join(f"{fields[word]} {word}" for word in ("failed", "warned", "passed") if fields[word])
    first = f"{bad[0].resource}: {bad[0].summary[:160]}"
    names = ", ".join(str(part.resource) for part in bad[1 : 1 + _MOST_NAMED])
    more = f" and {len(bad) - 1 - _MOST_NAMED} more" if len(bad) > 1 + _MOST_NAMED else ""
    return f"{counts}; {first}" + (f"; also {names}{more}" if names else "")


def _remedy(parts: list[CheckResult]) -> str | None:
    """The first there is, of the worst members first, with whose it is."""
    worst = sorted(parts, key=_badness, reverse=True)
    return next((f"{part.resource}: {part.remedy}" for part in worst if part.remedy), None)


def _badness(part: CheckResult) -> int:
    return _WORST.index(part.state)
