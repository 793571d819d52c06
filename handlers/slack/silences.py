"""Silences in Slack: `/tocsin silence`, `/tocsin silences`, the window, and the buttons Extend and End."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.message import Block, Message, actions, button, outside, section
from bot.blocks.silences import render_answer, render_changed, render_list
from bot.domain.clock import Clock
from bot.domain.coverage import misspelled
from bot.domain.silence import Origin
from bot.silencing import NotDone, Silencing
from checks.options import parse_duration
from handlers.slack.asking import NotUnderstood
from handlers.slack.modals import SILENCE_TIMES, words_of
from handlers.slack.people import People
from handlers.slack.silence_words import Known, Wanted, known_names, parse_end, parse_match, parse_silence
from handlers.slack.words import Asker, Question
from handlers.slack.work import Tell
from storage import alerts, sources
from storage.database import Database

WINDOW = "silences:new"
_EXTENSIONS = ("1h", "4h")


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceDesk:
    """Does what people ask of silences. Every method raises DatabaseError."""

    client: AsyncWebClient
    database: Database
    silencing: Silencing
    people: People
    clock: Clock
    zone: ZoneInfo
    prefix: str

    async def command(self, question: Question) -> Message | None:
        """The answer to `silence …`; None when a window asks the rest."""
        text, asker = question.text, question.asker
        if no := await self.people.refusal("silence", asker.body):
            return _said(f":lock: {no}")
        if not text.strip():
            await self._open(asker)
            return None
        try:
            known, fields = await self._known()
            wanted = parse_silence(text, known, self.clock(), self.zone)
            self._spelled(wanted.match, fields)
        except NotUnderstood as error:
            return self._not_understood(error)
        if wanted.ends_at is None:
            await self._open(asker, wanted.match)
            return None
        return await self._create(wanted, wanted.ends_at, asker.user)

    async def list(self, note: str = "") -> Message:
        """What holds and what comes."""
        found = await self.silencing.listing()
        return render_list(found.active, found.upcoming, self.prefix, note)

    async def press(self, name: str, value: str, body: Mapping[str, Any], tell: Tell) -> Message | None:
        """Extend or End on a message: what the message shows from now on, None when nothing changed."""
        asker = Asker.of(body)
        number, _, seen = value.partition(":")
        if not (number.isdecimal() and len(number) < 15):
            return None
        if no := await self.people.refusal("silence", asker.body):
            await tell(f":lock: {no}")
            return None
        what, _, length = name.partition(":")
        if what == "extend" and length in _EXTENSIONS and (ends_at := _instant(seen)) is not None:
            outcome = await self.silencing.extend(int(number), ends_at, parse_duration(length), asker.user)
        elif what == "end":
            outcome = await self.silencing.end(int(number), asker.user)
        else:
            return None
        if isinstance(outcome, NotDone):
            await tell(f"{outcome.reason} `/{self.prefix} silences` lists what holds.")
            return None
        if (body.get("container") or {}).get("is_ephemeral"):
            return await self.list(f":white_check_mark: {render_changed(outcome, asker.user).text}")
        return render_changed(outcome, asker.user)

    async def mistakes(self, view: Mapping[str, Any]) -> dict[str, str]:
        """What cannot be read in the window, by its block."""
        filled = _filled(view)
        wrong: dict[str, str] = {}
        known, fields = await self._known()
        try:
            self._spelled(parse_match(filled.match, known), fields)
        except NotUnderstood as error:
            wrong["match"] = str(error).replace("`", "")[:300]
        try:
            self._end_of(filled)
        except NotUnderstood as error:
            wrong["until"] = str(error).replace("`", "")[:300]
        return wrong

    async def submit(self, view: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        """Make the silence that the window asks for, and answer where it was asked for."""
        asker, filled = Asker.of(body), _filled(view)
        if no := await self.people.refusal("silence", asker.body):
            answer = _said(f":lock: {no}")
        else:
            known, _fields = await self._known()
            wanted = Wanted(match=parse_match(filled.match, known), reason=filled.reason)
            answer = await self._create(wanted, self._end_of(filled), asker.user)
        payload = answer.payload()
        channel = channel_of(view)
        await self.client.chat_postEphemeral(
            channel=channel, user=asker.user, text=payload["text"], blocks=payload["blocks"]
        )

    def _end_of(self, filled: _Filled) -> datetime:
        return parse_end(filled.until or filled.length, self.clock(), self.zone)

    async def _create(self, wanted: Wanted, ends_at: datetime, who: str) -> Message:
        silence, coverage = await self.silencing.create(
            match=wanted.match, until=ends_at, who=who, reason=wanted.reason, origin=Origin.SLACK
        )
        return render_answer(silence, coverage)

    async def _known(self) -> tuple[Known, frozenset[str]]:
        """The names there are, and the fields that were measured."""
        async with self.database.snapshot() as connection:
            open_ones = await alerts.list_open(connection)
            standing = await sources.list_all(connection)
        known = {kind: set(names) for kind, names in
                 known_names([*self.silencing.samples, *open_ones]).items()}  # fmt: skip
        for each in standing:
            if each.source.kind.value in known:
                known[each.source.kind.value].add(each.source.name)
            known["resource"].add(each.resource)
        fields = frozenset(name for each in standing for name in each.fields)
        return {kind: sorted(names) for kind, names in known.items()}, fields

    def _spelled(self, match: str, fields: frozenset[str]) -> None:
        if found := misspelled(match, self.silencing.samples, fields):
            raise NotUnderstood(f"Alerts have no {found[0]!r}. Did you mean `{found[1]}`?")

    def _not_understood(self, error: NotUnderstood) -> Message:
        said = outside(str(error), 800).replace("ˋ", "`")
        text = (
            f":grey_question: {said}\n"
            f"For example: `/{self.prefix} silence backend 2h deploying`, "
            f"`/{self.prefix} silence \"severity == 'low'\" 30m tuning`, "
            f"`/{self.prefix} silence web-* until 18:00`"
        )
        found: list[Block] = [
            button(choice.partition(" ")[2], f"ask:{number}", choice)
            for number, choice in enumerate(error.choices)
        ]
        return Message(text=text, blocks=(section(text), *([actions("ask", found)] if found else [])))

    async def _open(self, asker: Asker, match: str = "") -> None:
        await self.client.views_open(trigger_id=asker.trigger, view=window(asker.channel, match))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filled:
    """What the window says."""

    match: str
    length: str
    until: str
    reason: str | None


def _filled(view: Mapping[str, Any]) -> _Filled:
    values = view["state"]["values"]

    def text(name: str) -> str:
        return str(values.get(name, {}).get(name, {}).get("value") or "").strip()

    chosen = (values.get("length", {}).get("length", {}).get("selected_option") or {}).get("value", "1h")
    return _Filled(match=text("match"), length=chosen, until=text("until"), reason=text("note") or None)


def window(channel: str, match: str) -> dict[str, Any]:
    """What, how long and why."""
    options = [
        {"text": {"type": "plain_text", "text": words_of(time)}, "value": time} for time in SILENCE_TIMES
    ]
    times = {
        "type": "static_select",
        "action_id": "length",
        "options": options,
        "initial_option": options[1],
    }
    what: Block = {"type": "plain_text_input", "action_id": "match", "max_length": 1000}
    if match:
        what["initial_value"] = match
    blocks = [
        section("What it covers goes on being checked and resolves as ever; until it ends nobody is told."),
        _input(
            "match", "What", what, "A check, job, resource or rule; or a condition such as severity == 'low'"
        ),
        _input("length", "For how long", times),
        _input("until", "Or until", {"type": "plain_text_input", "action_id": "until", "max_length": 40},
               "A time of day such as 18:00, or a length such as 90m; goes before the choice above",
               optional=True),
        _input("note", "Why", {"type": "plain_text_input", "action_id": "note", "multiline": True,
                               "max_length": 1000}, "Shown with every alert it covers", optional=True),
    ]  # fmt: skip
    return {
        "type": "modal",
        "callback_id": WINDOW,
        "title": {"type": "plain_text", "text": "Silence"},
        "submit": {"type": "plain_text", "text": "Silence"},
        "close": {"type": "plain_text", "text": "Cancel"},
        "private_metadata": json.dumps({"channel": channel}),
        "blocks": blocks,
    }


def channel_of(view: Mapping[str, Any]) -> str:
    """Where the window was asked for."""
    return str(json.loads(str(view.get("private_metadata") or "{}")).get("channel") or "")


def _input(name: str, label: str, element: Block, hint: str = "", *, optional: bool = False) -> Block:
    block: Block = {
        "type": "input",
        "block_id": name,
        "optional": optional,
        "label": {"type": "plain_text", "text": label},
        "element": element,
    }
    return {**block, "hint": {"type": "plain_text", "text": hint}} if hint else block


def _instant(seen: str) -> datetime | None:
    try:
        seconds, _, fraction = seen.partition(".")
        whole = datetime.fromtimestamp(int(seconds), UTC)
        return whole + timedelta(microseconds=int(fraction.ljust(6, "0")[:6] or 0))
    except (ValueError, OverflowError, OSError):
        return None


def _said(text: str) -> Message:
    return Message(text=text, blocks=(section(text),))


__all__: Sequence[str] = ("WINDOW", "SilenceDesk", "channel_of", "window")
