"""Settings changed from Slack: `/tocsin set`, `unset` and `overrides`, the button Revert, the threshold's window."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.message import Block, Message, outside, section
from bot.blocks.overrides import (
    plain,
    render_history,
    render_overrides,
    render_reverted,
    render_set,
    render_undone,
    render_yaml,
)
from bot.blocks.thresholds import words as advice_words
from bot.config.override_paths import format_parts
from bot.config.overriding import value_at
from bot.domain.alert import Alert
from bot.domain.override import threshold_field
from bot.overriding import OverrideRefused, Overriding
from bot.reporting import Reporting
from handlers.slack.asking import NotUnderstood
from handlers.slack.override_words import parse_path, parse_set, value_of
from handlers.slack.people import People
from handlers.slack.words import Asker

WINDOW = "overrides:threshold"
WORDS = ("set", "unset", "overrides")
PERMISSION = "configuration"
_ADVICE = timedelta(days=30)
Tell = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsDesk:
    """Does what people ask of settings. Every method raises DatabaseError."""

    client: AsyncWebClient
    overriding: Overriding
    reporting: Reporting
    people: People
    prefix: str

    async def command(self, word: str, text: str, asker: Asker) -> Message:
        """The answer to `set …`, `unset …` or `overrides [history|yaml]`."""
        if word == "overrides":
            return await self._overrides(text.strip().lower())
        if no := await self.people.refusal(PERMISSION, asker.body):
            return _said(f":lock: {no}")
        try:
            return await (self._set(text, asker) if word == "set" else self._unset(text, asker))
        except (NotUnderstood, OverrideRefused) as error:
            return self._refused(str(error), word)

    async def press(self, name: str, value: str, body: Mapping[str, Any], tell: Tell) -> Message | None:
        """Revert on a message: what the message shows from now on, None when nothing changed."""
        asker = Asker.of(body)
        if name != "revert" or not (value.isdecimal() and len(value) < 15):
            return None
        if no := await self.people.refusal(PERMISSION, asker.body):
            await tell(f":lock: {no}")
            return None
        over = await self.overriding.revert(int(value), asker.user)
        if over is None:
            await tell(f"That change holds no longer. `/{self.prefix} overrides` lists what does.")
            return None
        if (body.get("container") or {}).get("is_ephemeral"):
            return self._list(render_reverted(over).text)
        return render_undone(over)

    async def open(self, alert: Alert, body: Mapping[str, Any]) -> None:
        """The window that changes the threshold an alert is about."""
        asker, field = Asker.of(body), threshold_field(alert)
        if field is None:
            return
        path = self._threshold_path(alert.firing.source.name, field)
        present = self.overriding.present
        now = value_at(present.settings.document.data, path)
        in_file = value_at(present.file.document.data, path)
        advised = [
            advice_words(each)
            for each in await self.reporting.thresholds(_ADVICE)
            if (each.about.check, each.about.field) == (alert.firing.source.name, field)
        ]
        lines = [
            f"*{outside(alert.firing.title, 250)}*",
            f"Holds now: `{outside(plain(now[1]), 200)}`" if now[0] else "It has no threshold any more.",
            f"The file says: `{outside(plain(in_file[1]), 200)}`" if in_file[0] else "The file says nothing.",
            *(f"The past speaks for: {outside(each, 500)}" for each in advised[:2]),
        ]
        view = window(format_parts(path), asker.channel, "\n".join(lines), plain(now[1]) if now[0] else "")
        await self.client.views_open(trigger_id=asker.trigger, view=view)

    def _threshold_path(self, check: str, field: str) -> tuple[str, ...]:
        return self.overriding.find(f"{format_parts(['check', check])}.thresholds.{format_parts([field])}")

    async def mistakes(self, view: Mapping[str, Any]) -> dict[str, str]:
        """What cannot be used in the window, by its block."""
        path, text, _ = _filled(view)
        try:
            await self.overriding.check(path, value_of(path, text))
        except (NotUnderstood, OverrideRefused) as error:
            return {"value": str(error).replace("`", "")[:300]}
        return {}

    async def submit(self, view: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        """Change what the window says, and answer where it was opened."""
        asker, (path, text, reason) = Asker.of(body), _filled(view)
        if no := await self.people.refusal(PERMISSION, asker.body):
            answer = _said(f":lock: {no}")
        else:
            try:
                outcome = await self.overriding.set(path, value_of(path, text), asker.user, reason)
                answer = render_set(outcome.override, outcome.before, outcome.warnings)
            except (NotUnderstood, OverrideRefused) as error:
                answer = self._refused(str(error), "set")
        payload = answer.payload()
        await self.client.chat_postEphemeral(
            channel=channel_of(view), user=asker.user, text=payload["text"], blocks=payload["blocks"]
        )

    async def _set(self, text: str, asker: Asker) -> Message:
        wish = parse_set(text)
        outcome = await self.overriding.set(wish.path, wish.value, asker.user, wish.reason)
        return render_set(outcome.override, outcome.before, outcome.warnings)

    async def _unset(self, text: str, asker: Asker) -> Message:
        return render_reverted(await self.overriding.revert_path(parse_path(text), asker.user))

    async def _overrides(self, text: str) -> Message:
        if text == "yaml":
            return render_yaml(self.overriding.yaml())
        if text == "history":
            return render_history(await self.overriding.history())
        return self._list(
            f":grey_question: I know `yaml` and `history` here, not {outside(text, 60)!r}." if text else ""
        )

    def _list(self, note: str = "") -> Message:
        present = self.overriding.present
        return render_overrides(
            present.overrides, present.refused, self.overriding.file_says, self.prefix, note
        )

    def _refused(self, why: str, word: str) -> Message:
        said = outside(why, 1200).replace("ˋ", "`")
        examples = (
            f"For example: `/{self.prefix} set host.cpu_percent 90 because the new release is hungry`, "
            f"`/{self.prefix} set host.cpu_percent P2=85 P1=95`, "
            f'`/{self.prefix} set rule "Job failed" severity P2`, `/{self.prefix} unset host.cpu_percent`'
        )
        text = f":grey_question: {said}\nNothing was changed. {examples}"
        return _said(text if word else said)


def window(path: str, channel: str, about: str, value: str) -> dict[str, Any]:
    """The value and why."""
    what: Block = {"type": "plain_text_input", "action_id": "value", "max_length": 300}
    if value:
        what["initial_value"] = value[:300]
    why = {"type": "plain_text_input", "action_id": "note", "multiline": True, "max_length": 1000}
    return {
        "type": "modal",
        "callback_id": WINDOW,
        "title": {"type": "plain_text", "text": "Change threshold"},
        "submit": {"type": "plain_text", "text": "Change"},
        "close": {"type": "plain_text", "text": "Cancel"},
        "private_metadata": json.dumps({"path": path, "channel": channel}),
        "blocks": [
            section(about),
            _input(
                "value", "Threshold", what, "A number such as 90, P2=85 P1=95, < 10 for too little, or off"
            ),
            _input("note", "Why", why, "Shown wherever the value shows", optional=True),
        ],
    }


def channel_of(view: Mapping[str, Any]) -> str:
    """Where the window was opened."""
    return str(json.loads(str(view.get("private_metadata") or "{}")).get("channel") or "")


def _filled(view: Mapping[str, Any]) -> tuple[str, str, str | None]:
    values, kept = view["state"]["values"], json.loads(str(view.get("private_metadata") or "{}"))

    def text(name: str, action: str) -> str:
        return str((values.get(name, {}).get(action) or {}).get("value") or "").strip()

    return str(kept.get("path") or ""), text("value", "value"), text("note", "note") or None


def _input(name: str, label: str, element: Block, hint: str, *, optional: bool = False) -> Block:
    return {
        "type": "input",
        "block_id": name,
        "optional": optional,
        "label": {"type": "plain_text", "text": label},
        "element": element,
        "hint": {"type": "plain_text", "text": hint},
    }


def _said(text: str) -> Message:
    return Message(text=text, blocks=(section(text),))
