"""The audit history as people read it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.blocks.alert import localized
from bot.blocks.message import Block, Message, context, cut, fitted, outside, person, section, when
from bot.domain.audit import Deed

_PART = 2600
_VIA = {"slack": "in Slack", "api": "by the API", "cli": "on the command line"}


def render_audit(found: Sequence[Deed], total: int, about: str, since: datetime | None) -> Message:
    """Who did what, the newest first; `about` names whose deeds or which alert's these are."""
    span = f" since {when(since)}" if since is not None else ""
    head = f"*Audit* of {about}{span} · {total if total else 'nobody did anything'}"
    lines = [_line(deed) for deed in found]
    if hidden := total - len(found):
        lines.append(f"… and {hidden} earlier; `GET /api/v1/audit` lists all that is kept")
    portions: list[str] = [head]
    for line in lines:
        if len(portions[-1]) + len(line) + 1 > _PART:
            portions.append(line)
        else:
            portions[-1] += f"\n{line}"
    blocks: list[Block] = [section(portion) for portion in portions]
    blocks.append(context("What Tocsin did by itself stands in each alert's timeline"))
    return Message(text=cut("\n".join([head, *lines]).replace("*", ""), 3400), blocks=fitted(blocks))


def _line(deed: Deed) -> str:
    act = outside(deed.act, 40)
    number = f"#{deed.alert_id} " if deed.alert_id is not None else ""
    change = ""
    if deed.before or deed.after:
        change = (
            f" ({' → '.join(localized(outside(each, 100)) for each in (deed.before, deed.after) if each)})"
        )
    note = f": _{outside(deed.note, 300)}_" if deed.note else ""
    via = _VIA.get(deed.via.value, deed.via.value)
    subject = outside(deed.subject, 150)
    return cut(f"• {when(deed.at)} {person(deed.who)} {act} {number}{subject}{change}{note}, {via}", 1200)
