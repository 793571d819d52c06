"""Everything Slack sends, acknowledged at once and worked on after: commands, buttons, windows, messages."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.alerting import Alerting, UnknownAlert
from bot.blocks.message import Message, outside
from bot.blocks.overview import render_overview
from bot.blocks.remedies import parse_offer
from bot.domain import recurrence as lately
from bot.domain.alert import Alert, Change, Refusal
from bot.domain.clock import Clock
from bot.domain.run_filter import RunFilter
from bot.raising import Raising
from bot.remedying import Remedying
from bot.scheduled import post_payload
from handlers.slack import modals, overriding, raising
from handlers.slack.answering import HEARTBEAT, Answering
from handlers.slack.definitions import COMMAND_PATTERN, word_of
from handlers.slack.groups import GroupDesk
from handlers.slack.incidents import WINDOWS as INCIDENT_WINDOWS
from handlers.slack.incidents import WORDS as INCIDENT_WORDS
from handlers.slack.incidents import IncidentDesk, incident_trouble
from handlers.slack.modals import Origin
from handlers.slack.overriding import SettingsDesk
from handlers.slack.people import People
from handlers.slack.raising import Raiser
from handlers.slack.run_window import RunWindow
from handlers.slack.silences import WINDOW, WORDS, SilenceDesk, channel_of, first_word
from storage import alerts, history, outbox
from storage.database import Database, DatabaseError
from storage.outbox import Lane

log = structlog.get_logger(__name__)

Body = dict[str, Any]
_ANY = re.compile(".*")
_QUICK = 5  # an answer somebody waits for goes before everything else in its channel


class Listeners:
    """Registers one listener a kind of envelope, and does the work in tasks of its own.

    Slack may send an envelope twice: answers carry the message's key, and every change of an alert is made
    once whoever asks twice.
    """

    def __init__(
        self,
        *,
        app: AsyncApp,
        client: AsyncWebClient,
        database: Database,
        alerting: Alerting,
        remedying: Remedying,
        answering: Answering,
        raised: Raising,
        people: People,
        silences: SilenceDesk,
        settings: SettingsDesk,
        groups: GroupDesk,
        incidents: IncidentDesk,
        clock: Clock,
        wake: Callable[[], None],
        prefix: str,
    ) -> None:
        self._client = client
        self._database = database
        self._alerting = alerting
        self._remedying = remedying
        self._answering = answering
        self._people = people
        self._silences = silences
        self._settings = settings
        self._groups = groups
        self._incidents = incidents
        self._clock = clock
        self._wake = wake
        self._prefix = prefix
        self._run_window = RunWindow(client, database)
        self._raiser = Raiser(client=client, raising=raised)
        self._presses: deque[str] = deque(maxlen=200)
        self._tasks: set[asyncio.Task[None]] = set()
        self._changes: dict[str, Callable[[int, str, str | None], Awaitable[Change | Refusal]]] = {
            "acknowledge": alerting.acknowledge,
            "resolve": alerting.resolve,
            "unacknowledge": lambda number, who, _note: alerting.unacknowledge(number, who),
            "unsilence": lambda number, who, _note: alerting.unsilence(number, who),
        }
        app.command(COMMAND_PATTERN)(self._on_command)
        app.action({"type": "block_actions", "action_id": _ANY})(self._on_action)
        app.view(_ANY)(self._on_view)
        app.event("message")(self._on_message)
        app.event("app_mention")(self._on_mention)
        app.event("app_home_opened")(self._on_home)

    async def finish(self) -> None:
        """Wait for what is being worked on."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)

    def _start(self, work: Coroutine[Any, Any, None], tell: Callable[[str], Awaitable[None]] | None) -> None:
        task = asyncio.create_task(self._guarded(work, tell))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(
        self, work: Coroutine[Any, Any, None], tell: Callable[[str], Awaitable[None]] | None
    ) -> None:
        """Whoever asked is told what went wrong."""
        try:
            await work
        except (DatabaseError, OSError) as error:
            reason = str(getattr(error, "orig", None) or error)
            log.error("request_failed", reason=reason)
            trouble = (
                f"Tocsin cannot use its database at present ({outside(reason, 200)}). "
                "Nothing was changed; try again."
            )
        except SlackApiError as error:
            log.warning(
                "slack_refused", reason=str(error.response.get("error")), method=error.response.api_url
            )
            trouble = _SLACK_TROUBLES.get(str(error.response.get("error")), "")
        except Exception:
            log.exception("request_crashed")
            trouble = "Something went wrong inside Tocsin; its log says what. Nothing was changed."
        else:
            return
        if tell is not None and trouble:
            try:
                await tell(f":warning: {trouble}")
            except Exception:
                log.exception("trouble_not_told")

    # Commands ---------------------------------------------------------------------------------------------

    async def _on_command(self, ack: Any, command: Body, respond: Any) -> None:
        await ack()

        async def tell(text: str) -> None:
            await respond(text=text, response_type="ephemeral")

        async def work() -> None:
            word, text = word_of(command["command"], self._prefix), str(command.get("text") or "")
            first, _, rest = text.strip().partition(" ")
            if not word and first.lower() == "alert":
                if said := await self._raiser.command(rest, command):
                    await tell(said)
                return
            message = await self._answer(word, text, command)
            if message is not None:
                await _respond(respond, message)

        self._start(work(), tell)

    async def _answer(self, word: str, text: str, body: Body) -> Message | None:
        """The answer to a question; None when a window was opened instead."""
        first, rest = first_word(word, text)
        if first in WORDS:
            return await self._silences.command(first, rest, body)
        if first in overriding.WORDS:
            return await self._settings.command(first, rest, body)
        if first in INCIDENT_WORDS:
            return await self._incidents.command(rest, body)
        return await self._answering.answer(word, text)

    # Buttons ----------------------------------------------------------------------------------------------

    async def _on_action(self, ack: Any, body: Body, action: Body, respond: Any) -> None:
        await ack()

        async def tell(text: str) -> None:
            if body.get("response_url"):
                await respond(text=text, response_type="ephemeral", replace_original=False)
            else:  # a button in a window
                await self._run_window.tell(text, body)

        kind, _, name = str(action.get("action_id")).partition(":")
        value = str(action.get("value") or (action.get("selected_option") or {}).get("value") or "")
        if kind == "logs":
            self._start(self._turn_page(value, respond), tell)
        elif kind == "ask":
            self._start(self._ask(value, body, respond), tell)
        elif kind == "silence":
            self._start(self._change_silence(name, value, body, respond, tell), tell)
        elif kind == "override":
            self._start(self._change_setting(name, value, body, respond, tell), tell)
        elif kind == "incident":
            self._start(self._incidents.press(value, body, tell), tell)
        elif kind == "run":
            self._start(self._show_run(name, value, body, tell), tell)
        elif kind == "group" and self._is_new(body):
            self._start(self._groups.press(name, value, body, tell), tell)
        elif kind == "alert":
            self._start(self._act(name, value, body, tell), tell)
        elif kind == "remedy":
            self._start(self._approve(value, body, tell), tell)
        else:
            log.info("button_unknown", action_id=action.get("action_id"))

    async def _turn_page(self, value: str, respond: Any) -> None:
        try:
            wanted = RunFilter.parse(value)
        except ValueError:
            return
        await _respond(respond, await self._answering.page(wanted), replace_original=True)

    async def _ask(self, question: str, body: Body, respond: Any) -> None:
        """A question that was offered as a button."""
        message = await self._answer("", question, body)
        if message is not None:
            await _respond(respond, message, replace_original=True)

    async def _change_silence(
        self, name: str, value: str, body: Body, respond: Any, tell: Callable[[str], Awaitable[None]]
    ) -> None:
        message = await self._silences.press(name, value, body, tell)
        if message is not None:
            await _respond(respond, message, replace_original=True)

    async def _change_setting(
        self, name: str, value: str, body: Body, respond: Any, tell: Callable[[str], Awaitable[None]]
    ) -> None:
        message = await self._settings.press(name, value, body, tell)
        if message is not None:
            await _respond(respond, message, replace_original=True)

    async def _show_run(
        self, name: str, value: str, body: Body, tell: Callable[[str], Awaitable[None]]
    ) -> None:
        number = int(value) if value.isdecimal() and len(value) < 15 else 0
        if no := await self._people.refusal("logs", body):
            await tell(f":lock: {no}")
        elif name == "open":
            if trouble := await self._run_window.open(number, body):
                await tell(trouble)
        elif name == "send" and self._is_new(body):
            await self._run_window.send(number, body)

    def _is_new(self, body: Body) -> bool:
        """Whether this press was not seen yet; Slack may send one twice, and a file would go twice."""
        press = f"{body['user']['id']}:{body['actions'][0].get('action_ts')}"
        if press in self._presses:
            return False
        self._presses.append(press)
        return True

    async def _act(self, name: str, value: str, body: Body, tell: Callable[[str], Awaitable[None]]) -> None:
        """A button on an alert. `more` is its menu, whose options are `what:number`."""
        asks = name in ("silence", "more")
        if name == "more":
            name, _, value = value.partition(":")
        number = int(value) if value.isdecimal() and len(value) < 15 else 0
        alert = await self._load(number)
        if alert is None:
            await self._repair(number, body, tell)
            return
        if name != "history" and (no := await self._people.refusal(_PERMISSION.get(name, name), body)):
            await tell(f":lock: {no}")
            return
        if name == "threshold":
            await self._settings.open(alert, body)
            return
        if name == "incident":
            await self._incidents.press_alert(alert, body, tell)
            return
        if asks or name == "history":
            await self._open(name, alert, body)
            return
        change = self._changes.get(name)
        if change is not None:
            await self._tell_refusal(await change(number, str(body["user"]["id"]), None), tell)

    async def _approve(self, value: str, body: Body, tell: Callable[[str], Awaitable[None]]) -> None:
        """A press on the button that runs a remedy."""
        try:
            attempt_id, target = parse_offer(value)
        except ValueError:
            log.info("offer_unknown", value=value[:100])
            return
        if no := await self._people.refusal("remedy", body):
            await tell(f":lock: {no}")
        elif no := await self._remedying.approve(attempt_id, target, str(body["user"]["id"])):
            await tell(no)

    async def _tell_refusal(self, outcome: Change | Refusal, tell: Callable[[str], Awaitable[None]]) -> None:
        """Nothing changed: say why, and make the message true, for it showed a button too many."""
        if isinstance(outcome, Refusal):
            await tell(f"Alert #{outcome.alert.id} is {outcome.reason}.")
            await self._alerting.show_again(outcome.alert.id)

    async def _open(self, name: str, alert: Alert, body: Body) -> None:
        origin = Origin(alert_id=alert.id, channel=str((body.get("channel") or {}).get("id") or ""))
        if name == "silence":
            view = modals.silence_modal(alert, origin)
        elif name == "history":
            async with self._database.snapshot() as connection:
                events = await alerts.history(connection, alert.id)
                began = await history.beginnings(connection, alert.fingerprint, self._clock() - lately.WINDOW)
            again = lately.recurrence(began, self._answering.settings.timezone).words()
            again = " · ".join(filter(None, [again, *self._settings.overriding.lines_of(alert)]))
            view = modals.history_modal(alert, events, origin, again)
        else:
            view = modals.note_modal(name, alert, origin)
        await self._client.views_open(trigger_id=body["trigger_id"], view=view)

    async def _load(self, number: int) -> Alert | None:
        async with self._database.snapshot() as connection:
            return await alerts.get(connection, number)

    async def _repair(self, number: int, body: Body, tell: Callable[[str], Awaitable[None]]) -> None:
        """The database knows this alert no longer: its message loses its buttons and says so."""
        text = (
            f":grey_question: Tocsin does not know alert #{number} any more, so nothing here can be acted on."
        )
        container = body.get("container") or {}
        message = body.get("message") or {}
        if container.get("message_ts") and not container.get("is_ephemeral"):
            old = outside(str(message.get("text") or "").split("\n")[0], 500)
            content = Message(text=f"{old}\n{text}").plain()
            await self._client.chat_update(
                channel=container["channel_id"], ts=container["message_ts"], **content
            )
        await tell(text)

    # Windows ----------------------------------------------------------------------------------------------

    async def _on_view(self, ack: Any, body: Body, view: Body) -> None:
        if view.get("callback_id") in (WINDOW, overriding.WINDOW):
            await self._on_checked_window(ack, body, view)
            return
        await ack()
        if body.get("type") != "view_submission":
            return
        if view.get("callback_id") in INCIDENT_WINDOWS:
            self._submit_incident(view, body)
            return
        if view.get("callback_id") == raising.CALLBACK:
            self._submit_raised(view, str(body["user"]["id"]))
            return
        try:
            origin = Origin.parse(str(view.get("private_metadata")))
        except (ValueError, KeyError, TypeError):
            log.info("window_unknown", callback_id=view.get("callback_id"))
            return
        user = str(body["user"]["id"])

        async def tell(text: str) -> None:
            await self._client.chat_postEphemeral(channel=origin.channel, user=user, text=text)

        self._start(self._submit(str(view.get("callback_id")), origin, view, body, tell), tell)

    async def _on_checked_window(self, ack: Any, body: Body, view: Body) -> None:
        """What cannot be read is said in the window, which stays open."""
        if body.get("type") != "view_submission":
            await ack()
            return
        user = str(body["user"]["id"])
        desk: SilenceDesk | SettingsDesk = self._silences
        block = "match"
        if view["callback_id"] == overriding.WINDOW:
            desk, block = self._settings, "value"

        async def tell(text: str) -> None:
            await self._client.chat_postEphemeral(channel=channel_of(view), user=user, text=text)

        try:
            wrong = await desk.mistakes(view)
        except (DatabaseError, OSError) as error:
            log.error("request_failed", reason=str(getattr(error, "orig", None) or error))
            wrong = {block: "Tocsin cannot use its database at present. Nothing was changed; try again."}
        if wrong:
            await ack(response_action="errors", errors=wrong)
            return
        await ack()
        self._start(desk.submit(view, body), tell)

    def _submit_incident(self, view: Body, body: Body) -> None:
        async def tell(text: str) -> None:
            await self._client.chat_postEphemeral(**incident_trouble(view, body, text))

        self._start(self._incidents.submit(view, body), tell)

    def _submit_raised(self, view: Body, user: str) -> None:
        channel = raising.origin(view)

        async def tell(text: str) -> None:
            await self._client.chat_postEphemeral(channel=channel, user=user, text=text)

        async def work() -> None:
            await tell(await self._raiser.submit(view, user))

        self._start(work(), tell)

    async def _submit(
        self, name: str, origin: Origin, view: Body, body: Body, tell: Callable[[str], Awaitable[None]]
    ) -> None:
        if no := await self._people.refusal(name, body):
            await tell(f":lock: {no}")
            return
        user = str(body["user"]["id"])
        length, note = modals.submitted(view)
        try:
            if name == "silence":
                outcome = await self._alerting.silence(origin.alert_id, user, length, note)
            else:
                outcome = await self._changes[name](origin.alert_id, user, note)
        except UnknownAlert:
            await tell(f"Tocsin does not know alert #{origin.alert_id} any more.")
            return
        await self._tell_refusal(outcome, tell)

    # Messages, mentions, Home -----------------------------------------------------------------------------

    async def _on_message(self, event: Body) -> None:
        if event.get("bot_id") or event.get("subtype"):
            return
        text = str(event.get("text") or "").strip().strip("`").lower()
        if text == HEARTBEAT:
            self._start(self._reply(event, self._answering.heartbeat()), None)
        elif event.get("channel_type") == "im" and text:
            self._start(self._reply(event, self._said(str(event["text"]))), None)

    async def _on_mention(self, event: Body) -> None:
        if event.get("bot_id"):
            return
        words = [word for word in str(event.get("text") or "").split() if not word.startswith("<@")]
        self._start(self._reply(event, self._said(" ".join(words)), in_thread=True), None)

    async def _said(self, text: str) -> Message:
        """The answer to something said; nothing said to Tocsin changes a silence."""
        if text.strip().lower() == "silences":
            return await self._silences.list()
        if text.strip().lower() in ("incidents", "incident list"):
            return await self._incidents.list()
        return await self._answering.answer("", text)

    async def _reply(
        self, event: Body, answer: Coroutine[Any, Any, Message], *, in_thread: bool = False
    ) -> None:
        """Answer a message in its channel, once however often the event comes."""
        message = await answer
        channel = str(event["channel"])
        thread = event.get("thread_ts") or (event["ts"] if in_thread else None)
        async with self._database.transaction() as connection:
            await outbox.add_post(
                self._database,
                connection,
                key=f"reply:{channel}:{event['ts']}",
                lane=Lane(destination="slack", channel=channel),
                payload={**post_payload(message, channel, thread), "only_here": True},
                priority=_QUICK,
                now=self._clock(),
            )
        self._wake()

    async def _on_home(self, event: Body) -> None:
        if event.get("tab", "home") == "home":
            self._start(self._show_home(str(event["user"])), None)

    async def _show_home(self, user: str) -> None:
        message = render_overview(await self._answering.reporting.overview())
        view = {"type": "home", "blocks": [*message.blocks, *message.body]}
        await self._client.views_publish(user_id=user, view=view)


_PERMISSION = {"unacknowledge": "acknowledge", "unsilence": "silence", "threshold": overriding.PERMISSION}
_SLACK_TROUBLES = {
    "expired_trigger_id": "Slack gave up waiting for the window; press the button again.",
    "exchanged_trigger_id": "",
    "missing_scope": "The Slack app lacks a scope; `tocsin doctor` says which.",
}


async def _respond(respond: Any, message: Message, *, replace_original: bool = False) -> None:
    """Answer where the question was asked, only to who asked; without its chart where Slack refuses charts."""
    how = {"response_type": "ephemeral", "replace_original": replace_original}
    answer = await respond(**how, **_response(message))
    if answer.status_code != 200 and message.has_chart:
        log.warning("chart_refused", reason=answer.body)
        answer = await respond(**how, **_response(message.without_charts()))
    if answer.status_code != 200:
        log.error("answer_refused", reason=answer.body)
        await respond(**how, text=message.plain()["text"])


def _response(message: Message) -> dict[str, Any]:
    payload = message.payload()
    return {"text": payload["text"], "blocks": payload["blocks"]}
