"""An alert as a letter for destinations beside Slack: as text, as HTML with inline styles, as one line."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from types import MappingProxyType

from bot.domain.alert import Alert, Status
from bot.domain.decision import spell
from bot.domain.news import NewsKind
from bot.domain.severity import RESPONSE_TIME
from bot.domain.template import format_value

SHORTEST = 160
"""Characters of one text message."""
_SUBJECT = 180
_LONGEST = {"reason": 900, "message": 1200, "output": 1500, "step": 300, "note": 500}
_MOST_FIELDS, _MOST_DIAGNOSTICS, _MOST_STEPS = 12, 3, 5
_COLORS = {
    NewsKind.ACKNOWLEDGED: "#b7791f",
    NewsKind.RESOLVED: "#1a7f4f",
    NewsKind.MESSAGE: "#334155",
}
_FIRING = "#a30200"
_WORDS = {
    NewsKind.REOPENED: "Open again",
    NewsKind.WORSE: "Worse",
    NewsKind.ESCALATED: "Escalated",
    NewsKind.ACKNOWLEDGED: "Acknowledged",
    NewsKind.RESOLVED: "Resolved",
}
_DATE = re.compile(r"<!date\^-?\d+\^[^|>]*\|([^>]*)>")
_LINK = re.compile(r"<(https?://[^|>]+)(?:\|([^>]*))?>")
_PERSON = re.compile(r"<[@!#](?:subteam\^)?([^|>]+)(?:\|([^>]*))?>")
_EMOJI = re.compile(r"(?<!\S):[a-z][a-z0-9_+-]*:(?!\S)[ ]?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Something to tell, in plain words; nothing in it is escaped. `alert` is None for a mere message."""

    kind: NewsKind
    subject: str
    lead: str
    facts: tuple[tuple[str, str], ...] = ()
    steps: tuple[str, ...] = ()
    runbook: str | None = None
    outputs: tuple[tuple[str, str], ...] = ()
    footer: str = ""
    note: str | None = None
    alert: Alert | None = None


def letter_of(
    kind: NewsKind,
    alert: Alert,
    *,
    zone: tzinfo,
    system: str,
    note: str | None = None,
    called: Sequence[str] = (),
    people: Mapping[str, str] = MappingProxyType({}),
) -> Letter:
    """What happened to an alert.

    `note`: why it is told just now; `called`: names from the file; `people`: names by their Slack ids.
    """
    is_over = kind is NewsKind.RESOLVED
    steps = (
        ()
        if is_over
        else tuple(_cut(s, _LONGEST["step"]) for s in alert.firing.recommendations[:_MOST_STEPS])
    )
    return Letter(
        kind=kind,
        subject=subject_of(kind, alert),
        lead=_lead(alert, people, is_over=is_over),
        facts=tuple(_facts(alert, zone, called, people)),
        steps=steps,
        runbook=None if is_over else alert.firing.runbook,
        outputs=() if is_over else _outputs(alert),
        footer=f"{system} · alert #{alert.id} · rule {alert.firing.rule} · {alert.firing.category}",
        note=None if note is None else _cut(note, _LONGEST["note"]),
        alert=alert,
    )


def message_letter(text: str, *, system: str) -> Letter:
    """A message written for Slack, such as a summary: its first line is the subject."""
    first, _, rest = without_markup(text).strip().partition("\n")
    return Letter(
        kind=NewsKind.MESSAGE, subject=_cut(first, _SUBJECT), lead=rest.strip() or first, footer=system
    )


def subject_of(kind: NewsKind, alert: Alert) -> str:
    """`[P1] backend is down`, `[P1] Resolved: backend is down`."""
    word = _WORDS.get(kind, "")
    if kind is NewsKind.RESOLVED and alert.status is Status.EXPIRED:
        word = "Expired"
    title = _cut(_one_line(alert.firing.title), _SUBJECT)
    return f"[{alert.severity.priority}] {word}: {title}" if word else f"[{alert.severity.priority}] {title}"


def as_text(letter: Letter) -> str:
    """The letter without its subject, for those who read plain text."""
    parts = [f"! {letter.note}"] if letter.note else []
    parts.append(letter.lead)
    parts.append("\n".join(f"{label}: {value}" for label, value in letter.facts))
    if letter.steps:
        parts.append("What to do:\n" + "\n".join(f"{n}. {step}" for n, step in enumerate(letter.steps, 1)))
    if letter.runbook:
        parts.append(f"Runbook: {letter.runbook}")
    parts += [f"{title}:\n{text}" for title, text in letter.outputs]
    parts.append(letter.footer)
    return "\n\n".join(part for part in parts if part)


def as_html(letter: Letter) -> str:
    """The letter as a page with inline styles only: mail programs drop style sheets."""
    color = _COLORS.get(letter.kind, _FIRING)
    parts = [
        f'<div style="border-left:6px solid {color};padding:4px 16px;max-width:640px;'
        'font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:1.5;color:#1a202c">',
        f'<h1 style="font-size:20px;margin:8px 0;color:{color}">{_safe(letter.subject)}</h1>',
    ]
    if letter.note:
        parts.append(
            f'<p style="background:#fff4d6;padding:8px 12px;margin:8px 0"><b>{_safe(letter.note)}</b></p>'
        )
    parts.append(f'<p style="margin:8px 0">{_safe(letter.lead)}</p>')
    parts += _table(letter.facts)
    if letter.steps:
        steps = "".join(f"<li>{_safe(step)}</li>" for step in letter.steps)
        parts.append(f'<p style="margin:12px 0 0"><b>What to do</b></p><ol style="margin:4px 0">{steps}</ol>')
    if letter.runbook:
        parts.append(f"<p>{_link(letter.runbook)}</p>")
    for title, text in letter.outputs:
        parts.append(
            f'<p style="margin:12px 0 0"><b>{_safe(title)}</b></p><pre style="background:#f1f5f9;padding:8px;'
            f'white-space:pre-wrap;font-size:13px">{html.escape(text)}</pre>'
        )
    parts.append(f'<p style="color:#5a6472;font-size:12px">{_safe(letter.footer)}</p></div>')
    return "\n".join(parts)


def as_line(letter: Letter, limit: int = SHORTEST) -> str:
    """All of it that fits a text message: what, where, why."""
    said = [letter.subject]
    if letter.note:
        said.append(letter.note)
    if letter.alert is not None:
        if letter.alert.firing.resource not in letter.subject:
            said.append(letter.alert.firing.resource)
        if letter.kind is not NewsKind.RESOLVED:
            said.append(letter.alert.firing.reason)
        said.append(f"#{letter.alert.id}")
    line = _one_line(". ".join(part.rstrip(".") for part in said if part))
    return line if len(line) <= limit else line[: limit - 3].rstrip() + "..."


def as_card(letter: Letter) -> dict[str, object]:
    """The letter as a card of Google Chat (cardsV2), with its essence as text for notifications."""
    widgets: list[dict[str, object]] = []
    if letter.note:
        widgets.append({"textParagraph": {"text": f"<b>{_safe(letter.note)}</b>"}})
    widgets.append({"textParagraph": {"text": _safe(letter.lead) or "-"}})
    widgets += [
        {"decoratedText": {"topLabel": label, "text": _safe(value), "wrapText": True}}
        for label, value in letter.facts
    ]
    if letter.steps:
        steps = "<br>".join(f"{n}. {_safe(step)}" for n, step in enumerate(letter.steps, 1))
        widgets.append({"textParagraph": {"text": f"<b>What to do</b><br>{steps}"}})
    if letter.runbook and _is_link(letter.runbook):
        button = {"text": "Runbook", "onClick": {"openLink": {"url": letter.runbook}}}
        widgets.append({"buttonList": {"buttons": [button]}})
    color = _COLORS.get(letter.kind, _FIRING)
    widgets.append({"textParagraph": {"text": f'<font color="#5a6472">{_safe(letter.footer)}</font>'}})
    headline = {"textParagraph": {"text": f'<font color="{color}"><b>{_safe(letter.subject)}</b></font>'}}
    card = {"sections": [{"widgets": [headline, *widgets]}]}
    card_id = f"alert-{letter.alert.id}" if letter.alert is not None else "message"
    return {"text": letter.subject, "cardsV2": [{"cardId": card_id, "card": card}]}


def without_markup(text: str) -> str:
    """Slack's mrkdwn as plain words: dates written out, links and people by name, no emoji codes."""
    text = _DATE.sub(r"\1", text)
    text = _LINK.sub(lambda found: f"{found[2]} ({found[1]})" if found[2] else found[1], text)
    text = _PERSON.sub(lambda found: f"@{(found[2] or found[1]).lstrip('@')}", text)
    text = _EMOJI.sub("", text)
    text = re.sub(r"(?<!\w)[*_]([^*_\n]+)[*_](?!\w)", r"\1", text)
    return html.unescape(text)


def _lead(alert: Alert, people: Mapping[str, str], *, is_over: bool) -> str:
    if is_over and alert.closed_at is not None:
        by = f" by {_person(alert.closed_by, people)}" if alert.closed_by else " by itself"
        lasted = spell(alert.closed_at - alert.opened_at)
        how = "Nothing was heard of it any more" if alert.status is Status.EXPIRED else f"It ended{by}"
        return f"{how}. It lasted {lasted} and was seen {_times(alert.count)}."
    said = _EMOJI.sub("", alert.firing.message)[: _LONGEST["message"]].strip()
    reason = _cut(alert.firing.reason, _LONGEST["reason"])
    return f"{said}\nWhy: {reason}" if said and said != reason else reason or alert.firing.title


def _facts(
    alert: Alert, zone: tzinfo, called: Sequence[str], people: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    firing = alert.firing
    where = firing.resource
    if where != firing.source.name:
        where += f" ({firing.source.kind.value} {firing.source.name})"
    yield "Severity", f"{alert.severity.priority} {alert.severity.word}"
    yield "Where", where
    yield "Since", when(alert.opened_at, zone)
    if alert.count > 1:
        yield "Seen", f"{alert.count} times, last {when(alert.last_seen, zone)}"
    if alert.status is Status.ACKNOWLEDGED and alert.acknowledged_at:
        yield (
            "Acknowledged",
            f"by {_person(alert.acknowledged_by, people)}, {when(alert.acknowledged_at, zone)}",
        )
    if alert.status is Status.ACTIVE:
        yield "Respond within", spell(RESPONSE_TIME[alert.severity])
    if alert.closed_at is not None:
        yield "Ended", when(alert.closed_at, zone)
    if called:
        yield "For", ", ".join(called)
    if alert.note:
        yield "Note", _cut(alert.note, _LONGEST["note"])
    if alert.status.is_open:
        for name, value in list(firing.fields.items())[:_MOST_FIELDS]:
            if isinstance(value, int | float | str) and not isinstance(value, bool) and str(value).strip():
                yield name, _cut(_one_line(format_value(value, "")), 200)


def _outputs(alert: Alert) -> tuple[tuple[str, str], ...]:
    found = alert.firing.diagnostics[:_MOST_DIAGNOSTICS]
    return tuple((_one_line(item.title) or "Output", _cut(item.text, _LONGEST["output"])) for item in found)


def when(instant: datetime, zone: tzinfo) -> str:
    """An instant as the team's clocks show it, with the name of their zone."""
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def _person(who: str | None, people: Mapping[str, str]) -> str:
    return people.get(who, who) if who else "Tocsin"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _table(facts: Sequence[tuple[str, str]]) -> list[str]:
    rows = [
        f'<tr><th align="left" style="padding:2px 16px 2px 0;color:#5a6472;font-weight:normal;'
        f'vertical-align:top">{_safe(label)}</th><td style="padding:2px 0">{_safe(value)}</td></tr>'
        for label, value in facts
    ]
    return [f'<table style="border-collapse:collapse;font-size:15px">{"".join(rows)}</table>'] if rows else []


def _link(address: str) -> str:
    if not _is_link(address):
        return f"Runbook: {_safe(address)}"
    return f'<a href="{html.escape(address)}">Runbook: {_safe(address)}</a>'


def _is_link(address: str) -> bool:
    return re.fullmatch(r"https?://[^\s<>\"]+", address) is not None


def _safe(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, limit: int) -> str:
    text = text.strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
