"""Runs of jobs, as /logs shows them: a page at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.blocks.message import Block, Message, actions, button, context, cut, outside, section, when
from bot.domain.run import Run, RunStatus, summary
from bot.domain.template import format_value

_EMOJI = {RunStatus.SUCCESS: ":white_check_mark:", RunStatus.ERROR: ":x:", RunStatus.TIMEOUT: ":stopwatch:"}
_A_SECTION = 8  # of the longest lines, so that none is cut off
_SHOWN = ("rows_processed", "rows_valid", "pct_invalid", "records_processed", "success_rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs a page shows; `before` is where the page begins."""

    job: str | None = None
    status: RunStatus | None = None
    since: datetime | None = None
    limit: int = 10
    before: tuple[datetime, int] | None = None

    def dump(self) -> str:
        """For a button's value."""
        return json.dumps(
            {
                "job": self.job,
                "status": self.status,
                "since": self.since.isoformat() if self.since else None,
                "limit": self.limit,
                "before": [self.before[0].isoformat(), self.before[1]] if self.before else None,
            },
            ensure_ascii=False,  # a button's value has room for 2000 characters, escaped ones count six
            separators=(",", ":"),
        )

    @classmethod
    def parse(cls, text: str) -> RunFilter:
        """What `dump` wrote. Raises ValueError for anything else."""
        try:
            values = json.loads(text)
            before = values["before"]
            return cls(
                job=values["job"],
                status=RunStatus(values["status"]) if values["status"] else None,
                since=datetime.fromisoformat(values["since"]) if values["since"] else None,
                limit=min(max(int(values["limit"]), 1), 50),
                before=(datetime.fromisoformat(before[0]), int(before[1])) if before else None,
            )
        except (LookupError, TypeError, OverflowError) as error:
            raise ValueError("not a page of runs") from error


def render_runs(runs: Sequence[Run], wanted: RunFilter, before: tuple[datetime, int] | None) -> Message:
    """A page, newest first, with buttons to older and newest runs."""
    head = f"*Runs* · {outside(wanted.job, 100) if wanted.job else 'all jobs'}" + (
        f" · {wanted.status.value}" if wanted.status else ""
    )
    if wanted.since:
        head += f" · since {when(wanted.since)}"
    blocks: list[Block] = [section(head)]
    shown = [run_line(run, brief=len(runs) > 20) for run in runs]
    for start in range(0, len(shown), _A_SECTION):
        blocks.append(section("\n".join(shown[start : start + _A_SECTION])))
    if not shown:
        blocks.append(section("_No runs fit._ Jobs report with `POST /api/v1/runs`."))
    turns = []
    if before is not None:
        turns.append(button("Older ›", "logs:older", _at(wanted, before).dump()))
    if wanted.before is not None:
        turns.append(button("‹ Newest", "logs:newest", _at(wanted, None).dump()))
    if turns:
        blocks.append(actions("logs", turns))
    blocks.append(
        context("`/tocsin-logs [job] [status] [since] [limit]`, such as `parse_orders failed 24h 20`")
    )
    return Message(text=cut("\n".join([head, *shown]).replace("*", ""), 3000), blocks=tuple(blocks))


def _at(wanted: RunFilter, before: tuple[datetime, int] | None) -> RunFilter:
    return RunFilter(
        job=wanted.job, status=wanted.status, since=wanted.since, limit=wanted.limit, before=before
    )


def run_line(run: Run, *, brief: bool = False) -> str:
    """A run in a list: when, which job, how it ended, what it counted; briefly, so that fifty fit."""
    counted = [
        f"{name} {format_value(value, '')}" for name in _SHOWN if (value := run.fields.get(name)) is not None
    ]
    tail = f" · {outside(', '.join(counted), 30 if brief else 80)}" if counted else ""
    said = outside(summary(run), 50 if brief else 120)
    return f"{_EMOJI[run.status]} {when(run.finished_at)} *{outside(run.job, 60)}* {said}{tail}"
