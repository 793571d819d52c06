"""One alert in full: what it is, what to do, its timeline, what was found, and others like it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from bot.blocks.alert import SEVERITY_EMOJI, AlertContext, render_alert, render_event
from bot.blocks.message import (
    Block,
    Message,
    actions,
    button,
    code,
    context,
    cut,
    fitted,
    outside,
    person,
    preformatted,
    section,
    when,
)
from bot.domain.alert import Alert, Event, Status
from bot.domain.decision import spell
from bot.domain.template import format_value
from bot.reports.alert_detail import AlertDetail

_MOST_EVENTS = 40
_MOST_DIAGNOSTICS = 8
_PART = 2500


def detail_blocks(detail: AlertDetail) -> list[Block]:
    """What a window shows."""
    alert = detail.alert
    shown = render_alert(
        alert, AlertContext(now=detail.at, recurrence=detail.recurrence, changed=detail.changed)
    )
    own = [block for block in (*shown.blocks, *shown.body) if block["type"] not in ("actions", "rich_text")]
    small_print, own = own[-1], own[:-1]
    blocks = [*own, actions(f"alert:{alert.id}", _buttons(alert, shown))]
    blocks += _sections("*Timeline*", timeline(alert, detail.events))
    blocks += [
        preformatted(item.title, item.text, _PART) for item in alert.firing.diagnostics[:_MOST_DIAGNOSTICS]
    ]
    if measured := _measured(alert):
        blocks.append(preformatted("Measured", measured, _PART))
    blocks += _sections(
        _counted("The same before", detail.times_before, len(detail.before)), _similar(detail.before)
    )
    elsewhere = _counted("The same rule elsewhere", detail.times_elsewhere, len(detail.elsewhere))
    blocks += _sections(elsewhere, _similar(detail.elsewhere, where=True))
    return [*blocks, small_print, context(f"fingerprint {alert.fingerprint}")]


def render_detail(detail: AlertDetail, note: str = "") -> Message:
    """The same as an answer to a question."""
    shown = render_alert(
        detail.alert, AlertContext(now=detail.at, recurrence=detail.recurrence, changed=detail.changed)
    )
    lines = ["Timeline", *timeline(detail.alert, detail.events)[-10:]]
    if detail.before:
        lines += ["The same before", *_similar(detail.before)]
    text = "\n".join([*([note] if note else []), shown.text, *lines])
    blocks = [*([section(note)] if note else []), *detail_blocks(detail)]
    return Message(text=cut(text, 3400), blocks=fitted(blocks))


def timeline(alert: Alert, events: Sequence[Event]) -> list[str]:
    """A line for each thing that happened, the oldest first; of very many the newest."""
    found = [
        f"{when(event.at)} {render_event(event, alert).text}".split("\nIt lasted")[0] for event in events
    ]
    hidden = len(found) - _MOST_EVENTS
    return [f"… {hidden} earlier", *found[hidden:]] if hidden > 0 else found


def _buttons(alert: Alert, shown: Message) -> list[Block]:
    """The quick ones of the message, those with a note, and why."""
    rows = [block["elements"] for block in shown.body if block["type"] == "actions"]
    found: list[Block] = [element for element in chain.from_iterable(rows) if element["type"] == "button"]
    number = str(alert.id)
    if alert.status is Status.ACTIVE:
        found.append(button("Acknowledge with a note…", "alert:note:acknowledge", number))
    if alert.status.is_open:
        found.append(button("Resolve with a note…", "alert:note:resolve", number))
    return [*found, button("Why?", "alert:why", number)]


def _sections(title: str, lines: Sequence[str]) -> list[Block]:
    """Lines in as few sections as hold them; nothing for no lines."""
    if not lines:
        return []
    portions, room = [[title]], _PART - len(title)
    for line in (cut(each, 900) for each in lines):
        if len(line) + 1 > room:
            portions.append([])
            room = _PART
        portions[-1].append(line)
        room -= len(line) + 1
    return [section("\n".join(portion)) for portion in portions]


def _counted(title: str, count: int, shown: int) -> str:
    more = f", the newest {shown}" if count > shown else ""
    return f"*{title}* · {count}{more}"


def _similar(found: Sequence[Alert], *, where: bool = False) -> list[str]:
    """How each of them ended, with its note."""
    return [f"• {_ending(alert)}{_place(alert) if where else ''}{_note(alert)}" for alert in found]


def _ending(alert: Alert) -> str:
    began = f"#{alert.id} {alert.severity.priority}, {when(alert.opened_at)}"
    if alert.closed_at is None:
        return f"{SEVERITY_EMOJI[alert.severity]} {began}: still open"
    after = f"after {spell(alert.closed_at - alert.opened_at)}"
    if alert.status is Status.EXPIRED:
        return f":hourglass: {began}: expired {after}"
    by = f"resolved by {person(alert.closed_by)}" if alert.closed_by else "recovered by itself"
    return f":white_check_mark: {began}: {by} {after}"


def _place(alert: Alert) -> str:
    return f" at {code(alert.firing.resource, 100)}"


def _note(alert: Alert) -> str:
    return f": _{outside(alert.note, 300)}_" if alert.note else ""


def _measured(alert: Alert) -> str:
    return "\n".join(f"{name} = {format_value(value, '')}" for name, value in alert.firing.fields.items())
