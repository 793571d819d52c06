"""Runs of jobs, as /logs shows them: a page at a time."""

from __future__ import annotations

from bot.blocks.message import Block, Message, actions, button, context, cut, outside, section, when
from bot.domain.run import Run, RunStatus, summary
from bot.domain.run_filter import RunFilter, RunPage
from bot.domain.template import format_value

_EMOJI = {
    RunStatus.SUCCESS: ":white_check_mark:",
    RunStatus.ERROR: ":x:",
    RunStatus.TIMEOUT: ":stopwatch:",
    RunStatus.LOG: ":memo:",
}
_COUNTS = ("rows_processed", "rows_valid", "pct_invalid", "records_processed", "success_rate")
_MOST_BUTTONS = 15  # more runs are opened by a menu, that they fit one message
_BRIEF = 20
_A_SECTION = 8  # of the longest lines, so that none is cut off


def render_runs(page: RunPage, wanted: RunFilter, prefix: str) -> Message:
    """A page, newest first; each run can be opened, and pages are turned where there are more."""
    head = f"*Runs* · {_described(wanted)}"
    shown = [run_line(run, brief=len(page.runs) > _BRIEF) for run in page.runs]
    blocks: list[Block] = [section(head)]
    if len(shown) <= _MOST_BUTTONS:
        blocks += [_openable(run, line) for run, line in zip(page.runs, shown, strict=True)]
    else:
        blocks += [
            section("\n".join(shown[start : start + _A_SECTION]))
            for start in range(0, len(shown), _A_SECTION)
        ]
    if not shown:
        blocks.append(section(_nothing(page, wanted)))
    if controls := _controls(page, wanted):
        blocks.append(actions("logs", controls))
    notes = [
        f"`/{prefix}-logs [job] [status] [time] [number] [text]`, such as `parse_orders failed 24h 20` or "
        '`yesterday "disk full"`'
    ]
    if page.searched_to is not None:
        notes.insert(0, f"Read as far as {when(page.searched_to[0])}; there are more to search.")
    blocks.append(context(*notes))
    text = "\n".join([head, *(shown or [_nothing(page, wanted)])]).replace("*", "")
    return Message(text=cut(text, 3000), blocks=tuple(blocks))


def run_emoji(run: Run) -> str:
    """How a run ended, as a sign."""
    return _EMOJI.get(run.status, ":memo:")


def run_line(run: Run, *, brief: bool = False) -> str:
    """A run in a list: when, which job, how it ended, what it counted; briefly, so that fifty fit."""
    counted = [
        f"{name} {format_value(value, '')}" for name in _COUNTS if (value := run.fields.get(name)) is not None
    ]
    tail = f" · {outside(', '.join(counted), 20 if brief else 80)}" if counted else ""
    said = outside(summary(run), 40 if brief else 120)
    return f"{run_emoji(run)} {when(run.finished_at)} *{outside(run.job, 30 if brief else 60)}* {said}{tail}"


def _described(wanted: RunFilter) -> str:
    parts = [outside(wanted.job, 100) if wanted.job else "all jobs"]
    if wanted.status:
        parts.append(wanted.status.value)
    if wanted.since and wanted.until:
        parts.append(f"from {when(wanted.since)} to {when(wanted.until)}")
    elif wanted.since:
        parts.append(f"since {when(wanted.since)}")
    elif wanted.until:
        parts.append(f"before {when(wanted.until)}")
    parts += [f"“{outside(text, 100)}”" for text in wanted.texts]
    return " · ".join(parts)


def _nothing(page: RunPage, wanted: RunFilter) -> str:
    if page.searched_to is not None:
        return "_None of those read so far._"
    if wanted.job or wanted.status or wanted.since or wanted.until or wanted.texts:
        return "_No runs fit._"
    return "_No runs yet._ Jobs report with `tocsin exec`, `/ping/…` or `POST /api/v1/runs`."


def _openable(run: Run, line: str) -> Block:
    accessory = button("Open", "run:open", str(run.number))
    return {**section(line), "accessory": accessory}


def _controls(page: RunPage, wanted: RunFilter) -> list[Block]:
    """Only what leads somewhere: no button to a page that is not there."""
    controls: list[Block] = []
    if page.newer is not None:
        controls.append(button("‹ Newer", "logs:newer", wanted.newer(page.newer).dump()))
    if page.older is not None:
        further = page.older == page.searched_to
        label = "Search older ›" if further else "Older ›"
        controls.append(button(label, "logs:older", wanted.older(page.older).dump()))
    if len(page.runs) > _MOST_BUTTONS:
        controls.insert(0, _menu(page))
    return controls


def _menu(page: RunPage) -> Block:
    options = [
        {
            "text": {
                "type": "plain_text",
                "text": f"{run.finished_at:%d %b %H:%M} UTC {run.status.value} {run.job}"[:60],
            },
            "value": str(run.number),
        }
        for run in page.runs
    ]
    return {
        "type": "static_select",
        "action_id": "run:open",
        "placeholder": {"type": "plain_text", "text": "Open a run…"},
        "options": options,
    }
