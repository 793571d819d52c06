"""What people do to alerts with buttons and windows: acknowledge, resolve, silence, look closer, ask why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.alerting import Alerting, UnknownAlert
from bot.blocks.message import Message, outside
from bot.blocks.remedies import parse_offer
from bot.domain.alert import Alert, Change, Refusal
from bot.remedying import Remedying
from bot.why import Explaining, Looking
from handlers.slack import modals
from handlers.slack.incidents import IncidentDesk
from handlers.slack.modals import DETAILS, Origin, origin_channel
from handlers.slack.overriding import PERMISSION, SettingsDesk
from handlers.slack.people import LOOK, People
from handlers.slack.work import Tell

log = structlog.get_logger(__name__)

Body = dict[str, Any]
_LOOKS = ("details", "history", "why")
_PERMISSION = {
    "unacknowledge": "acknowledge",
    "unsilence": "silence",
    "threshold": PERMISSION,
    **dict.fromkeys(_LOOKS, LOOK),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDesk:
    """Every method raises DatabaseError and SlackApiError."""

    client: AsyncWebClient
    alerting: Alerting
    looking: Looking
    explaining: Explaining
    people: People
    incidents: IncidentDesk
    remedying: Remedying
    settings: SettingsDesk

    async def press(self, name: str, value: str, body: Body, tell: Tell) -> None:
        """A button of an alert. `more` is its menu, whose options are `what:number`; `note:what` asks for a note."""
        asks = name in ("silence", "more") or name.startswith("note:")
        if name == "more":
            name, _, value = value.partition(":")
        name = name.removeprefix("note:")
        number = int(value) if value.isdecimal() and len(value) < 15 else 0
        alert = await self.looking.get(number)
        if alert is None:
            await self._repair(number, body, tell)
            return
        if no := await self.people.refusal(_PERMISSION.get(name, name), body):
            await tell(f":lock: {no}")
        elif name == "incident":
            await self.incidents.press_alert(alert, body, tell)
        elif name == "threshold":
            await self.settings.open(alert, body)
        elif asks or name in _LOOKS:
            await self._open(name, alert, body)
        elif (change := self._changes().get(name)) is not None:
            outcome = await change(number, str(body["user"]["id"]), None)
            await self._tell_refusal(outcome, tell)
            await self._refresh(number, body)

    async def approve(self, value: str, body: Body, tell: Tell) -> None:
        """A press on the button that runs a remedy."""
        try:
            attempt_id, target = parse_offer(value)
        except ValueError:
            log.info("offer_unknown", value=value[:100])
            return
        if no := await self.people.refusal("remedy", body):
            await tell(f":lock: {no}")
        elif no := await self.remedying.approve(attempt_id, target, str(body["user"]["id"])):
            await tell(no)

    async def submit(self, name: str, origin: Origin, view: Body, body: Body, tell: Tell) -> None:
        """A window was filled in."""
        if no := await self.people.refusal(name, body):
            await tell(f":lock: {no}")
            return
        user = str(body["user"]["id"])
        length, note = modals.submitted(view)
        try:
            if name == "silence":
                outcome = await self.alerting.silence(origin.alert_id, user, length, note)
            else:
                outcome = await self._changes()[name](origin.alert_id, user, note)
        except UnknownAlert:
            await tell(f"Tocsin does not know alert #{origin.alert_id} any more.")
            return
        await self._tell_refusal(outcome, tell)
        if origin.over_details:
            await self._show_details(str(view.get("root_view_id")), replace(origin, over_details=False))

    def _changes(self) -> dict[str, Callable[[int, str, str | None], Awaitable[Change | Refusal]]]:
        alerting = self.alerting
        return {
            "acknowledge": alerting.acknowledge,
            "resolve": alerting.resolve,
            "unacknowledge": lambda number, who, _note: alerting.unacknowledge(number, who),
            "unsilence": lambda number, who, _note: alerting.unsilence(number, who),
        }

    async def _tell_refusal(self, outcome: Change | Refusal, tell: Tell) -> None:
        """Nothing changed: say why, and make the message true, for it showed a button too many."""
        if isinstance(outcome, Refusal):
            await tell(f"Alert #{outcome.alert.id} is {outcome.reason}.")
            await self.alerting.show_again(outcome.alert.id)

    async def _open(self, name: str, alert: Alert, body: Body) -> None:
        """A window; on top of the one whose button was pressed."""
        under = body.get("view") or {}
        stacked = under.get("type") == "modal"
        channel = str((body.get("channel") or {}).get("id") or "") or origin_channel(under)
        over = stacked and under.get("callback_id") == DETAILS
        view = await self._view(name, alert, Origin(alert_id=alert.id, channel=channel, over_details=over))
        show = self.client.views_push if stacked else self.client.views_open
        await show(trigger_id=body["trigger_id"], view=view)

    async def _view(self, name: str, alert: Alert, origin: Origin) -> Body:
        if name == "silence":
            return modals.silence_modal(alert, origin)
        if name == "why":
            return modals.why_modal(await self.explaining.why(alert), origin)
        if name in _LOOKS:
            return modals.details_modal(await self.looking.detail(alert), origin)
        return modals.note_modal(name, alert, origin)

    async def _refresh(self, number: int, body: Body) -> None:
        """The window with the details shows what its own button did."""
        view = body.get("view") or {}
        if view.get("callback_id") == DETAILS:
            channel = origin_channel(view)
            await self._show_details(str(view.get("id")), Origin(alert_id=number, channel=channel))

    async def _show_details(self, view_id: str, origin: Origin) -> None:
        alert = await self.looking.get(origin.alert_id)
        if alert is None:
            return
        shown = modals.details_modal(await self.looking.detail(alert), origin)
        try:
            await self.client.views_update(view_id=view_id, view=shown)
        except SlackApiError as error:  # closed meanwhile
            log.info("window_gone", reason=str(error.response.get("error")))

    async def _repair(self, number: int, body: Body, tell: Tell) -> None:
        """The database knows this alert no longer: its message loses its buttons and says so."""
        text = (
            f":grey_question: Tocsin does not know alert #{number} any more, so nothing here can be acted on."
        )
        container, message = body.get("container") or {}, body.get("message") or {}
        if container.get("message_ts") and not container.get("is_ephemeral"):
            old = outside(str(message.get("text") or "").split("\n")[0], 500)
            content = Message(text=f"{old}\n{text}").plain()
            await self.client.chat_update(
                channel=container["channel_id"], ts=container["message_ts"], **content
            )
        await tell(text)
