"""Incidents in Slack: the buttons on alerts and in incident channels, their windows, `/tocsin incident`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.incidents import render_list
from bot.blocks.message import Block, Message, outside, preformatted, section
from bot.channels.rooms import RoomRefused, RoomUncertain
from bot.domain.alert import Alert
from bot.domain.incident import LONGEST_ANSWER, Incident, Unchanged, already_closed
from bot.incident_steps import file_name, scope_words
from bot.incidents import Entered, Incidents, ScopeMissing
from bot.silencing import UnknownAlert
from handlers.slack.people import People
from handlers.slack.words import Asker, Question
from handlers.slack.work import Tell

log = structlog.get_logger(__name__)

JOIN, CLOSE = "incident:join", "incident:close"
WINDOWS = (JOIN, CLOSE)
_NEW = "new"
_MOST_CHOICES = 50
_SHOWN_REPORT = 9000


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentDesk:
    """Does what people ask of incidents. Every method raises DatabaseError, SlackApiError."""

    client: AsyncWebClient
    incidents: Incidents
    people: People
    prefix: str

    async def press_alert(self, alert: Alert, body: Mapping[str, Any], tell: Tell) -> None:
        """The button of an alert, whose permission was asked: open, join, or ask which."""
        asker = Asker.of(body)
        standing = await self.incidents.standing(alert.id)
        if standing.incident is not None and standing.incident.is_open:
            await tell(_entered(await self.incidents.enter(standing.incident.id, asker.user)))
        elif standing.others_open:
            view = join_window(alert, await self.incidents.open_ones(), asker.channel)
            await self.client.views_open(trigger_id=asker.trigger, view=view)
        else:
            await tell(await self._open(alert.id, asker))

    async def press(self, value: str, body: Mapping[str, Any], tell: Tell) -> None:
        """Close incident: asks root cause and resolution."""
        asker = Asker.of(body)
        if no := await self.people.refusal("incident", asker.body):
            await tell(f":lock: {no}")
            return
        number = int(value) if value.isdecimal() and len(value) < 15 else 0
        if trouble := await self._ask_to_close(number, asker):
            await tell(trouble)

    async def submit(self, view: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        """What a window was filled in with; the answer goes where it was opened, only to who filled it in."""
        asker, origin = Asker.of(body), _origin(view)
        if no := await self.people.refusal("incident", asker.body):
            text = f":lock: {no}"
        elif view.get("callback_id") == CLOSE:
            text = await self._close(origin, view, asker)
        else:
            text = await self._join(origin, view, asker)
        await self.client.chat_postEphemeral(channel=origin["channel"], user=asker.user, text=text)

    async def command(self, question: Question) -> Message | None:
        """The answer to `incident …`; None when a window was opened or a file was sent instead.

        In a conversation only the list is answered.
        """
        words, asker = question.text.lower().split(), question.asker
        number = next((int(word.lstrip("#")) for word in words if _is_number(word)), None)
        if not words or words[0].startswith("l"):
            return await self.list()
        if question.aloud:
            return _said(f":grey_question: Ask with the command: `/{self.prefix} incident`.")
        if words[0].startswith("r") or (len(words) == 1 and number is not None):
            return await self._send_report(number, asker)
        if words[0].startswith("c"):
            if no := await self.people.refusal("incident", asker.body):
                return _said(f":lock: {no}")
            trouble = await self._ask_to_close(number, asker)
            return _said(trouble) if trouble else None
        return _said(self._help(f"I know no `{outside(words[0], 30)}`."))

    async def list(self) -> Message:
        """The incidents that are open, and the last that were closed."""
        return render_list(*await self.incidents.listing(), self.prefix)

    def _help(self, trouble: str) -> str:
        return (
            f":grey_question: {trouble} For example: `/{self.prefix} incident list`, "
            f"`/{self.prefix} incident report 3`, `/{self.prefix} incident close 3`. An incident is opened with "
            "the button on a P1 or P2 alert."
        )

    async def _open(self, alert_id: int, asker: Asker) -> str:
        try:
            return _entered(await self.incidents.open(alert_id, asker.user, asker.channel))
        except ScopeMissing as missing:
            return f":warning: No incident was opened. {scope_words(str(missing))}"
        except UnknownAlert:
            return f"Tocsin does not know alert #{alert_id} any more."

    async def _join(self, origin: Mapping[str, Any], view: Mapping[str, Any], asker: Asker) -> str:
        chosen = (_value(view, "incident").get("selected_option") or {}).get("value", _NEW)
        alert_id = int(origin["alert"])
        if chosen == _NEW:
            asked = Asker(user=asker.user, team=asker.team, channel=str(origin["channel"]), trigger="")
            return await self._open(alert_id, asked)
        try:
            return _entered(await self.incidents.join(int(chosen), alert_id, asker.user))
        except UnknownAlert:
            return f"Tocsin does not know alert #{alert_id} any more."

    async def _ask_to_close(self, number: int | None, asker: Asker) -> str:
        """Open the window that closes an incident; why that cannot be, else nothing."""
        if number is None:
            here = await self.incidents.of_channel(asker.channel)
            if here is None:
                return self._help("Which incident? This is not the channel of one.")
            number = here.id
        whole = await self.incidents.whole(number)
        if whole is None:
            return f"There is no incident #{number}."
        if not whole.incident.is_open:
            return already_closed(whole.incident)
        still = sum(alert.status.is_open for alert in whole.alerts)
        view = close_window(whole.incident, still, asker.channel)
        await self.client.views_open(trigger_id=asker.trigger, view=view)
        return ""

    async def _close(self, origin: Mapping[str, Any], view: Mapping[str, Any], asker: Asker) -> str:
        cause, helped = (str(_value(view, name).get("value") or "") for name in ("cause", "resolution"))
        outcome = await self.incidents.close(int(origin["incident"]), asker.user, cause, helped)
        if isinstance(outcome, Unchanged):
            return outcome.reason
        return f":white_check_mark: Incident #{outcome.id} is closed; its report is posted."

    async def _send_report(self, number: int | None, asker: Asker) -> Message | None:
        if number is None:
            here = await self.incidents.of_channel(asker.channel)
            if here is None:
                return _said(self._help("The report of which incident?"))
            number = here.id
        text = await self.incidents.report(number)
        whole = await self.incidents.whole(number)
        if text is None or whole is None:
            return _said(
                f"There is no incident #{number}. `/{self.prefix} incident list` shows those there are."
            )
        title = f"Report of incident #{number}"
        state = "" if not whole.incident.is_open else ", which is still open"
        comment = f"{title}{state}, for <@{asker.user}>"
        try:
            await self.incidents.rooms.upload(asker.channel, file_name(whole.incident), title, text, comment)
        except (RoomRefused, RoomUncertain) as error:
            log.warning("report_not_sent", incident=number, reason=str(error))
            why = f"I could not send a file here ({outside(str(error), 100)}), so this is its text."
            blocks = tuple(
                preformatted(title if not start else "…", text[start : start + 2900], 2900)
                for start in range(0, min(len(text), _SHOWN_REPORT), 2900)
            )
            return Message(text=f"{why}\n{outside(text, 3000)}", blocks=(section(why), *blocks))
        return None


def _entered(outcome: Entered | Unchanged) -> str:
    if isinstance(outcome, Unchanged):
        return outcome.reason
    incident = outcome.incident
    if incident.channel_id is None:
        where = f"its channel #{incident.channel_name} is being made; Slack does not answer at the moment"
    else:
        where = f"<#{incident.channel_id}>"
    if outcome.is_new:
        return f":fire: You opened incident #{incident.id}: {where}."
    return (
        f":fire: Incident #{incident.id} is open, by <@{incident.opened_by}>: {where}. "
        "You are invited into its channel."
    )


def join_window(alert: Alert, open_ones: Sequence[Incident], channel: str) -> dict[str, Any]:
    """Which incident an alert joins: one of those that are open, or a new one."""
    options = [
        {"text": _plain(f"#{each.id} {each.severity.priority} {each.title}"[:75]), "value": str(each.id)}
        for each in open_ones[:_MOST_CHOICES]
    ]
    options.append({"text": _plain("A new incident"), "value": _NEW})
    select = {
        "type": "static_select",
        "action_id": "incident",
        "options": options,
        "initial_option": options[0],
    }
    about = section(
        f"*{outside(alert.firing.title, 250)}* (alert #{alert.id})\nIts message and what happens to it go to the "
        "incident's channel, and you are invited there."
    )
    blocks = [
        about,
        {"type": "input", "block_id": "incident", "label": _plain("Incident"), "element": select},
    ]
    return _window(JOIN, "Join an incident", "Join", {"alert": alert.id, "channel": channel}, blocks)


def close_window(incident: Incident, still_open: int, channel: str) -> dict[str, Any]:
    """What was the cause, and what helped."""
    warning = ""
    if still_open:
        noun = "alert is" if still_open == 1 else "alerts are"
        warning = f"\n:warning: {still_open} {noun} still open and will go on by themselves."
    blocks = [
        section(f"*Incident #{incident.id}: {outside(incident.title, 250)}*{warning}"),
        _answer("cause", "Root cause", "Why it happened, as far as you know"),
        _answer("resolution", "Resolution", "What ended it, and what is still to do"),
    ]
    origin = {"incident": incident.id, "channel": channel}
    return _window(CLOSE, "Close incident", "Close incident", origin, blocks)


def incident_trouble(view: Mapping[str, Any], body: Mapping[str, Any], trouble: str) -> dict[str, Any]:
    """What to post to somebody whose window could not be acted on: the trouble, and what they wrote in it."""
    written = [str(_value(view, name).get("value") or "") for name in ("cause", "resolution")]
    kept = "\n".join(outside(text, 1500) for text in written if text)
    text = f"{trouble}\nYou wrote:\n{kept}" if kept else trouble
    return {"channel": str(_origin(view)["channel"]), "user": Asker.of(body).user, "text": text}


def _window(
    callback: str, title: str, submit: str, origin: Mapping[str, Any], blocks: list[Block]
) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": callback,
        "title": _plain(title),
        "submit": _plain(submit),
        "close": _plain("Cancel"),
        "private_metadata": json.dumps(origin),
        "blocks": blocks,
    }


def _answer(name: str, label: str, hint: str) -> Block:
    element = {
        "type": "plain_text_input",
        "action_id": name,
        "multiline": True,
        "min_length": 1,
        "max_length": LONGEST_ANSWER,
    }
    return {
        "type": "input",
        "block_id": name,
        "label": _plain(label),
        "hint": _plain(hint),
        "element": element,
    }


def _origin(view: Mapping[str, Any]) -> dict[str, Any]:
    return dict(json.loads(str(view.get("private_metadata") or "{}")))


def _value(view: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = view["state"]["values"].get(name, {}).get(name, {})
    return found


def _is_number(word: str) -> bool:
    return word.lstrip("#").isdecimal() and len(word) < 15


def _plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def _said(text: str) -> Message:
    return Message(text=text, blocks=(section(text),))
