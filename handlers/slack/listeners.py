"""Everything Slack sends, acknowledged at once and handed to who works on it after."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Any

import structlog
from slack_bolt.app.async_app import AsyncApp

from bot.domain.run_filter import RunFilter
from handlers.slack import overriding, raising
from handlers.slack.alert_desk import AlertDesk
from handlers.slack.answering import Answering
from handlers.slack.definitions import COMMAND_PATTERN, word_of
from handlers.slack.dispatch import Dispatch
from handlers.slack.groups import GroupDesk
from handlers.slack.hearing import Hearing
from handlers.slack.home import Home
from handlers.slack.incidents import WINDOWS as INCIDENT_WINDOWS
from handlers.slack.incidents import IncidentDesk, incident_trouble
from handlers.slack.modals import Origin
from handlers.slack.occasions import OccasionDesk
from handlers.slack.overriding import SettingsDesk
from handlers.slack.people import People
from handlers.slack.raising import Raiser
from handlers.slack.responding import answer_with
from handlers.slack.run_window import RunWindow
from handlers.slack.silences import WINDOW, SilenceDesk
from handlers.slack.words import Asker
from handlers.slack.work import Tell, Work, teller
from storage.database import DatabaseError

log = structlog.get_logger(__name__)

Body = dict[str, Any]
_ANY = re.compile(".*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desks:
    """Who works on what."""

    dispatch: Dispatch
    answering: Answering
    alerts: AlertDesk
    silences: SilenceDesk
    incidents: IncidentDesk
    occasions: OccasionDesk
    settings: SettingsDesk
    groups: GroupDesk
    raiser: Raiser
    runs: RunWindow
    hearing: Hearing
    home: Home
    people: People


class Listeners:
    """Registers one listener a kind of envelope, and does the work in tasks of its own.

    Slack may send an envelope twice: answers carry the message's key, and every change of an alert is made
    once whoever asks twice.
    """

    def __init__(self, *, app: AsyncApp, desks: Desks, prefix: str) -> None:
        self._desks = desks
        self._client = desks.alerts.client
        self._prefix = prefix
        self._work = Work()
        self._presses: deque[str] = deque(maxlen=200)
        app.command(COMMAND_PATTERN)(self._on_command)
        app.action({"type": "block_actions", "action_id": _ANY})(self._on_action)
        app.view(_ANY)(self._on_view)
        app.event("message")(self._on_message)
        app.event("app_mention")(self._on_mention)
        app.event("app_home_opened")(self._on_home)

    async def finish(self) -> None:
        """Wait for what is being worked on."""
        await self._work.finish()

    # Commands ---------------------------------------------------------------------------------------------

    async def _on_command(self, ack: Any, command: Body, respond: Any) -> None:
        await ack()

        async def tell(text: str) -> None:
            await respond(text=text, response_type="ephemeral")

        async def work() -> None:
            word, text = word_of(command["command"], self._prefix), str(command.get("text") or "")
            message = await self._desks.dispatch.answer(word, text, Asker.of(command))
            if message is not None:
                await answer_with(respond, message)

        self._work.start(work(), tell)

    # Buttons ----------------------------------------------------------------------------------------------

    async def _on_action(self, ack: Any, body: Body, action: Body, respond: Any) -> None:
        await ack()
        tell = teller(self._client, body, respond)
        kind, _, name = str(action.get("action_id")).partition(":")
        value = str(action.get("value") or (action.get("selected_option") or {}).get("value") or "")
        work = {
            "logs": lambda: self._turn_page(value, respond),
            "ask": lambda: self._ask(value, body, respond),
            "silence": lambda: self._change_silence(name, value, body, respond, tell),
            "incident": lambda: self._desks.incidents.press(value, body, tell),
            "remedy": lambda: self._desks.alerts.approve(value, body, tell),
            "override": lambda: self._change_setting(name, value, body, respond, tell),
            "group": lambda: self._press_group(name, value, body, tell),
            "run": lambda: self._show_run(name, value, body, tell),
            "tick": lambda: self._desks.occasions.ticked(name, action, body, tell),
            "sla": lambda: self._send_sla(value, body, tell),
            "alert": lambda: self._press_alert(name, value, body, tell),
        }.get(kind)
        if work is None and kind == "open":
            return  # a link needs no answer
        if work is None:
            log.info("button_unknown", action_id=action.get("action_id"))
        else:
            self._work.start(work(), tell)

    async def _turn_page(self, value: str, respond: Any) -> None:
        try:
            wanted = RunFilter.parse(value)
        except ValueError:
            return
        await answer_with(respond, await self._desks.answering.page(wanted), replace_original=True)

    async def _ask(self, question: str, body: Body, respond: Any) -> None:
        """A question that was offered as a button."""
        message = await self._desks.dispatch.answer("", question, Asker.of(body))
        if message is not None:
            await answer_with(respond, message, replace_original=True)

    async def _press_alert(self, name: str, value: str, body: Body, tell: Tell) -> None:
        await self._desks.alerts.press(name, value, body, tell)
        await self._show_home_again(body)

    async def _change_silence(self, name: str, value: str, body: Body, respond: Any, tell: Tell) -> None:
        message = await self._desks.silences.press(name, value, body, tell)
        if message is not None and body.get("response_url"):
            await answer_with(respond, message, replace_original=True)
        await self._show_home_again(body)

    async def _change_setting(self, name: str, value: str, body: Body, respond: Any, tell: Tell) -> None:
        message = await self._desks.settings.press(name, value, body, tell)
        if message is not None:
            await answer_with(respond, message, replace_original=True)

    async def _press_group(self, name: str, value: str, body: Body, tell: Tell) -> None:
        if self._is_new(body):
            await self._desks.groups.press(name, value, body, tell)

    async def _send_sla(self, value: str, body: Body, tell: Tell) -> None:
        if self._is_new(body):
            await self._desks.occasions.send_sla(value, body, tell)

    async def _show_home_again(self, body: Body) -> None:
        if (body.get("view") or {}).get("type") == "home":
            await self._desks.home.show_again(str(body["user"]["id"]))

    async def _show_run(self, name: str, value: str, body: Body, tell: Tell) -> None:
        number = int(value) if value.isdecimal() and len(value) < 15 else 0
        if no := await self._desks.people.refusal("logs", body):
            await tell(f":lock: {no}")
        elif name == "open":
            if trouble := await self._desks.runs.open(number, body):
                await tell(trouble)
        elif name == "send" and self._is_new(body):
            await self._desks.runs.send(number, body)

    def _is_new(self, body: Body) -> bool:
        """Whether this press was not seen yet; Slack may send one twice, and a file would go twice."""
        press = f"{body['user']['id']}:{body['actions'][0].get('action_ts')}"
        if press in self._presses:
            return False
        self._presses.append(press)
        return True

    # Windows ----------------------------------------------------------------------------------------------

    async def _on_view(self, ack: Any, body: Body, view: Body) -> None:
        if view.get("callback_id") in (WINDOW, overriding.WINDOW):
            await self._on_checked_window(ack, body, view)
            return
        await ack()
        if body.get("type") != "view_submission":
            return
        tell = teller(self._client, body)
        if view.get("callback_id") in INCIDENT_WINDOWS:
            self._submit_incident(view, body)
            return
        if view.get("callback_id") == raising.CALLBACK:
            self._work.start(self._raise(view, str(body["user"]["id"]), tell), tell)
            return
        try:
            origin = Origin.parse(str(view.get("private_metadata")))
        except (ValueError, KeyError, TypeError):
            log.info("window_unknown", callback_id=view.get("callback_id"))
            return
        name = str(view.get("callback_id"))
        self._work.start(self._submit(name, origin, view, body, tell), tell)

    async def _submit(self, name: str, origin: Origin, view: Body, body: Body, tell: Tell) -> None:
        await self._desks.alerts.submit(name, origin, view, body, tell)
        if not origin.channel:  # opened from Home
            await self._desks.home.show_again(str(body["user"]["id"]))

    def _submit_incident(self, view: Body, body: Body) -> None:
        """When it cannot be done, what was written in the window is not lost."""

        async def tell(text: str) -> None:
            await self._client.chat_postEphemeral(**incident_trouble(view, body, text))

        self._work.start(self._desks.incidents.submit(view, body), tell)

    async def _raise(self, view: Body, user: str, tell: Tell) -> None:
        await tell(await self._desks.raiser.submit(view, user))

    async def _on_checked_window(self, ack: Any, body: Body, view: Body) -> None:
        """What cannot be read is said in the window, which stays open."""
        if body.get("type") != "view_submission":
            await ack()
            return
        desk: SilenceDesk | SettingsDesk = self._desks.silences
        block = "match"
        if view["callback_id"] == overriding.WINDOW:
            desk, block = self._desks.settings, "value"
        try:
            wrong = await desk.mistakes(view)
        except (DatabaseError, OSError) as error:
            log.error("request_failed", reason=str(getattr(error, "orig", None) or error))
            wrong = {block: "Tocsin cannot use its database at present. Nothing was changed; try again."}
        if wrong:
            await ack(response_action="errors", errors=wrong)
            return
        await ack()
        self._work.start(desk.submit(view, body), teller(self._client, body))

    # Messages, mentions, Home -----------------------------------------------------------------------------

    async def _on_message(self, event: Body) -> None:
        question = self._desks.hearing.question_in(event)
        if question is not None:
            self._work.start(self._desks.hearing.answer(event, question), None)

    async def _on_mention(self, event: Body) -> None:
        if not event.get("bot_id"):
            self._work.start(self._desks.hearing.answer_mention(event), None)

    async def _on_home(self, event: Body) -> None:
        if event.get("tab", "home") == "home":
            self._work.start(self._desks.home.open(Asker.of(event)), None)
