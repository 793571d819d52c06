"""One execution of a job, as it was reported."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.observation import Observation, Source, SourceKind, clean, clean_text
from checks.result import Diagnostic, State, Value

MOST_OUTPUT = 64 * 1024
_SHOWN = 1150  # a message's preformatted text has room for a little more
_SEARCHED = 1000
_OUTPUTS = ("output", "stdout", "output_tail", "log", "stderr", "traceback", "stack_trace")
REFUSED = "duplicate_run"
"""The error of a run that was refused its job's lock."""


class RunStatus(StrEnum):
    """How a run ended; LOG is only something that a job said meanwhile, and is judged as nothing."""

    SUCCESS = "SUCCESS"
    ERROR = "ERROR"
    TIMEOUT = "TIMEOUT"
    LOG = "LOG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A notice that a run has begun. `rid` is the id that its end will carry, if the job gives one."""

    job: str
    rid: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A line of the format of requirement FY3. `fields` holds all of it but what has a place here."""

    number: int = field(default=0, compare=False)
    """What it is known by once it is stored."""
    run_id: str | None = None
    job: str
    status: RunStatus
    level: str = "INFO"
    finished_at: datetime
    duration_seconds: float | None = None
    exit_code: int | None = None
    fields: Mapping[str, Value] = field(default_factory=dict)
    output: str = ""
    """What it printed, its end when that was more than MOST_OUTPUT; rules do not see it."""

    @property
    def cursor(self) -> tuple[datetime, int]:
        """Its place in the order of stored runs."""
        return self.finished_at, self.number

    @property
    def started_at(self) -> datetime | None:
        """When it began, as far as its duration tells."""
        if self.duration_seconds is None:
            return None
        return self.finished_at - timedelta(seconds=self.duration_seconds)

    @property
    def rid(self) -> str | None:
        """The id by which its start was announced."""
        rid = self.fields.get("rid")
        return rid if isinstance(rid, str) and rid else self.run_id

    @property
    def was_refused(self) -> bool:
        """It never ran, because another run held the job's lock (requirement FY1)."""
        return self.status is RunStatus.ERROR and is_refusal(self.fields)


def is_refusal(fields: Mapping[str, Value]) -> bool:
    """Whether a run's fields name the refused lock as its error."""
    codes = fields.get("error_codes")
    return fields.get("error") == REFUSED or (isinstance(codes, list) and REFUSED in codes)


def observation_of(run: Run, now: datetime) -> Observation:
    """What rules see of a cleaned run: its fields, its status, and how it ended in words.

    It counts from when the run ended, or from now where a job's clock is ahead of ours.
    """
    return Observation(
        source=Source(kind=SourceKind.JOB, name=run.job),
        resource=run.job,
        state=State.OK if run.status is RunStatus.SUCCESS else State.CRITICAL,
        at=min(run.finished_at, now),
        summary=clean_text(summary(run)),
        fields=fields_of(run),
        diagnostics=_diagnostics(run),
    )


def fields_of(run: Run) -> dict[str, Value]:
    """All that a run says, by the names that rules and reports use."""
    fields: dict[str, Value] = {**run.fields, "status": run.status.value}
    if run.exit_code is not None:
        fields["exit_code"] = run.exit_code
    if run.duration_seconds is not None:
        fields["duration_seconds"] = run.duration_seconds
    return fields


def cleaned_run(run: Run) -> Run:
    """The run as every database can keep it, with what it printed set apart from its fields."""
    duration = run.duration_seconds
    printed = {name: text for name in _OUTPUTS if isinstance(text := run.fields.get(name), str)}
    return replace(
        run,
        run_id=None if run.run_id is None else clean_text(run.run_id)[:200],
        job=clean_text(run.job)[:200] or "-",
        level=clean_text(run.level)[:16],
        duration_seconds=duration if duration is None or math.isfinite(duration) else None,
        fields={
            clean_text(name)[:200]: clean(value) for name, value in run.fields.items() if name not in printed
        },
        output=_end(run.output or _joined(printed)),
    )


def cleaned_start(start: Start) -> Start:
    """The start as every database can keep it."""
    rid = None if start.rid is None else clean_text(start.rid)[:200] or None
    return replace(start, job=clean_text(start.job)[:200] or "-", rid=rid)


def _joined(printed: Mapping[str, str]) -> str:
    """One text of all that was printed; headings tell the parts apart when there are several."""
    found = {name: text for name, text in printed.items() if text.strip()}
    if len(found) < 2:
        return "".join(found.values())
    share = MOST_OUTPUT // len(found) - 300
    return "\n\n".join(f"== {name} ==\n{text[-share:]}" for name, text in found.items())


def _end(text: str) -> str:
    """Its last MOST_OUTPUT bytes, fit to be kept."""
    kept = text[-MOST_OUTPUT:].replace("\0", "").encode("utf-8", "replace")[-MOST_OUTPUT:]
    return kept.decode("utf-8", "ignore")


def tail(text: str, most: int) -> str:
    """At most so many characters of a text's end, from the start of a line where one is near."""
    text = text.rstrip()
    if len(text) <= most:
        return text
    kept = text[-most + 2 :]
    line = kept.find("\n")
    return "…\n" + (kept[line + 1 :] if -1 < line < most // 4 else kept)


def search_text(run: Run) -> str:
    """What a search among runs looks through: how it ended, its texts, the end of what it printed."""
    said = [summary(run)[:500], run.run_id or "", *_words(run.fields.values())]
    return f"{' '.join(said)[:_SEARCHED]}\n{run.output[-_SEARCHED:]}".casefold()


def _words(values: Iterable[Value]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value[:_SEARCHED]
        elif isinstance(value, list):
            yield from _words(value)


def notice_of(start: Start) -> Observation:
    """What a start is known by until it is written; no rule sees it."""
    source = Source(kind=SourceKind.JOB, name=start.job)
    return Observation(source=source, resource=start.job, state=State.PENDING, at=start.at)


def summary(run: Run) -> str:
    """`SUCCESS in 12.3 s`, `ERROR (exit code 3) in 2 s: CSV_INVALID`."""
    code = f" (exit code {run.exit_code})" if run.exit_code else ""
    took = f" in {run.duration_seconds:.4g} s" if run.duration_seconds is not None else ""
    why = run.fields.get("error") or run.fields.get("error_codes") or ""
    if run.status is RunStatus.LOG:
        why = run.fields.get("message") or ""
    if isinstance(why, list):
        why = ", ".join(str(item) for item in why)
    return f"{run.status.value}{code}{took}" + (f": {why}" if why else "")


def _diagnostics(run: Run) -> tuple[Diagnostic, ...]:
    return (Diagnostic(title="output", text=tail(run.output, _SHOWN)),) if run.output.strip() else ()
