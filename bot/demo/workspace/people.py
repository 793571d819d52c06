"""What people do in the workspace: say, command, click, submit; each waits for the app to acknowledge."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from bot.demo.workspace import envelopes, payloads
from bot.demo.workspace.core import Core, ResponseUrl
from bot.demo.workspace.entries import Choice, NotOffered, chosen, entered, mistakes, stateful
from bot.demo.workspace.errors import NotDelivered, Refusal
from bot.demo.workspace.limits import check_view
from bot.demo.workspace.methods.views import pushed
from bot.demo.workspace.responses import respond
from bot.demo.workspace.socket import Envelope
from bot.demo.workspace.state import BOT_USER, Channel, Json, Message, View

TROUBLE = "We had some trouble connecting. Try again?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an interaction ended for the user; `response` is what the app sent with its acknowledgement."""

    ok: bool
    error: str = ""
    response: Json | None = None

    @property
    def response_action(self) -> str:
        """`errors`, `update`, `push`, `clear`, or "" when the view simply closed."""
        return str((self.response or {}).get("response_action", ""))

    @property
    def errors(self) -> dict[str, str]:
        """The messages shown below the inputs of a view, by block id."""
        return dict((self.response or {}).get("errors", {}))


class UserSide:
    """The workspace as its people use it. Channels are given by id or name."""

    def __init__(self, core: Core) -> None:
        self.core = core

    # Typing

    async def say(self, channel: str, text: str, *, user: str = "U0ALEX", thread_ts: str = "") -> Json:
        """Post a message as this user, wait for the app to take the event, and return the message."""
        place = self._open_channel(channel)
        message = Message(
            ts=self.core.state.next_ts(),
            channel=place.id,
            user=user,
            text=text,
            thread_ts=thread_ts,
            blocks=envelopes.rich_text_of(text),
            client_msg_id=envelopes.new_client_id(),
        )
        await self._taken(self.core.post(message))
        return payloads.message_json(self.core.state, message)

    async def mention(self, channel: str, text: str, *, user: str = "U0ALEX", thread_ts: str = "") -> Json:
        """Say something to the app by name."""
        return await self.say(channel, f"<@{BOT_USER}> {text}", user=user, thread_ts=thread_ts)

    async def command(self, channel: str, command: str, text: str = "", *, user: str = "U0ALEX") -> Outcome:
        """Give a slash command. Without registered commands every one is passed on."""
        place = self._open_channel(channel)
        known = self.core.commands
        if known and command not in known:
            self.core.notice(user, place.id, f"{command} is not a valid command.")
            return Outcome(ok=False, error="unknown_command")
        answer_to = ResponseUrl(channel=place.id, user=user, issued=self.core.clock())
        payload = envelopes.slash_command(
            self.core.state,
            place,
            user,
            command,
            text,
            trigger_id=self.core.issue_trigger(user),
            response_url=self.core.issue_response_url(place.id, user),
        )
        try:
            response = await self.core.hub.ask("slash_commands", payload)
            if response:
                respond(self.core, answer_to, response)
        except NotDelivered as trouble:
            self.core.notice(user, place.id, f"{command} failed with the error “{trouble.code}”")
            return Outcome(ok=False, error=trouble.code)
        except Refusal as refusal:
            self.core.notice(user, place.id, f"{command} failed with the error “invalid_command_response”")
            return Outcome(ok=False, error="invalid_command_response", response=refusal.body())
        return Outcome(ok=True, response=response)

    async def open_home(self, user: str = "U0ALEX") -> Outcome:
        """Open the app's home tab."""
        content = envelopes.home_opened(self.core.state, user, self.core.state.next_ts())
        envelope = self.core.hub.send("events_api", envelopes.event(self.core.state, content))
        await self._taken([envelope])
        return Outcome(ok=True)

    # Messages' buttons and menus

    async def click(
        self,
        channel: str,
        ts: str,
        action_id: str,
        *,
        user: str = "U0ALEX",
        block_id: str | None = None,
        value: str | None = None,
    ) -> Outcome:
        """Press a button in a message; with `value`, the one of several that carries it."""
        message = self._message(channel, ts, user)
        found = [
            (block, element)
            for block, element in _held(envelopes.blocks_of(message), action_id, block_id)
            if value is None or element.get("value") == value
        ]
        return await self._act_on_message(message, user, _only(found, action_id), None)

    async def choose(
        self,
        channel: str,
        ts: str,
        action_id: str,
        choice: Choice,
        *,
        user: str = "U0ALEX",
        block_id: str | None = None,
        values: Json | None = None,
    ) -> Outcome:
        """Choose in a message's menu, picker, overflow or checkboxes; options by their value."""
        message = self._message(channel, ts, user)
        found = _held(envelopes.blocks_of(message), action_id, block_id)
        return await self._act_on_message(message, user, _only(found, action_id), choice, values)

    async def _act_on_message(
        self,
        message: Message,
        user: str,
        place: tuple[Json, Json],
        choice: Choice,
        values: Json | None = None,
    ) -> Outcome:
        block, element = place
        entry = chosen(element, choice)
        taken = envelopes.action(block, element, entry, self.core.state.next_ts())
        if values is None and list(stateful([block])) and entry:
            kept = {"type": element["type"], **entry}
            values = {block["block_id"]: {element["action_id"]: kept}}
        is_ephemeral = bool(message.ephemeral_to)
        payload = envelopes.message_action(
            self.core.state,
            message,
            user,
            taken,
            values or {},
            trigger_id=self.core.issue_trigger(user),
            response_url=self.core.issue_response_url(
                message.channel, user, message.ts, is_ephemeral=is_ephemeral
            ),
        )
        return await self._interact(user, message.channel, payload)

    # Views

    async def click_in_view(
        self,
        view_id: str,
        action_id: str,
        *,
        user: str = "U0ALEX",
        block_id: str | None = None,
        choice: Choice = None,
        values: Json | None = None,
    ) -> Outcome:
        """Press a button, or choose, in a modal or the home tab; `values` is what else was entered."""
        view = self._view(view_id, user)
        block, element = _only(_held(view.content["blocks"], action_id, block_id), action_id)
        entry = chosen(element, choice)
        view.values = entered(view, {**(values or {})})
        if entry and element["type"] != "overflow":
            view.values.setdefault(block["block_id"], {})[action_id] = {"type": element["type"], **entry}
        if block["type"] == "input" and not block.get("dispatch_action"):
            return Outcome(ok=True)
        taken = envelopes.action(block, element, entry, self.core.state.next_ts())
        trigger_id = self.core.issue_trigger(user, view.id)
        payload = envelopes.view_action(self.core.state, view, user, taken, trigger_id=trigger_id)
        return await self._interact(user, "", payload)

    async def submit(self, view_id: str, values: Json | None = None, *, user: str = "U0ALEX") -> Outcome:
        """Submit a modal. `values`: block id → choice or text, or Slack's `{block: {action: entry}}`."""
        view = self._view(view_id, user)
        if "submit" not in view.content:
            raise NotOffered("the view has no submit button")
        view.values = entered(view, values or {})
        if wrong := mistakes(view, view.values):
            return Outcome(
                ok=False, error="incomplete", response={"response_action": "errors", "errors": wrong}
            )
        trigger_id = self.core.issue_trigger(user, view.id)
        payload = envelopes.view_submission(self.core.state, view, user, trigger_id=trigger_id)
        try:
            response = await self.core.hub.ask("interactive", payload)
            self._follow(view, response or {})
        except NotDelivered as trouble:
            self.core.notice(user, "", TROUBLE)
            return Outcome(ok=False, error=trouble.code)
        except Refusal as refusal:
            self.core.notice(user, "", TROUBLE)
            return Outcome(ok=False, error="invalid_response", response=refusal.body())
        is_refused = (response or {}).get("response_action") == "errors"
        return Outcome(ok=not is_refused, error="errors" if is_refused else "", response=response)

    def _follow(self, view: View, response: Json) -> None:
        """Do with the view what the acknowledgement asks; Refusal where Slack shows its trouble line."""
        stack = self.core.state.modals.get(view.user, [])
        match response.get("response_action"):
            case None:
                if view in stack:
                    self.core.state.close_views(view.user, stack.index(view))
            case "clear":
                self.core.state.close_views(view.user, 0)
            case "errors":
                _check_errors(view, response.get("errors"))
            case "update":
                check_view(response.get("view"), "modal")
                self.core.state.update_view(view, response["view"])
            case "push":
                check_view(response.get("view"), "modal")
                pushed(self.core, view.user, response["view"])
            case _:
                raise Refusal("invalid_response_action")

    async def close_view(self, view_id: str, *, user: str = "U0ALEX") -> Outcome:
        """Close a modal by its close button; the app hears of it when the view asked for that."""
        view = self._view(view_id, user)
        stack = self.core.state.modals.get(user, [])
        clears = bool(view.content.get("clear_on_close"))
        closed = self.core.state.close_views(user, 0 if clears else stack.index(view))
        for each in closed:
            if each.content.get("notify_on_close"):
                payload = envelopes.view_closed(self.core.state, each, user, is_cleared=clears)
                outcome = await self._interact(user, "", payload)
                if not outcome.ok:
                    return outcome
        return Outcome(ok=True)

    # What they see

    def messages(self, channel: str) -> list[Json]:
        """What stands in a channel itself, oldest first, with metadata."""
        place = self.channel_id(channel)
        return [self._seen(message) for message in self.core.state.messages(place)]

    def replies(self, channel: str, ts: str) -> list[Json]:
        """The replies in a thread without its root, oldest first."""
        return [self._seen(message) for message in self.core.state.replies(self.channel_id(channel), ts)]

    def ephemerals(self, user: str, channel: str) -> list[Json]:
        """What only this user sees in a channel, oldest first."""
        return [self._seen(each) for each in self.core.state.ephemerals(user, self.channel_id(channel))]

    def open_view(self, user: str = "U0ALEX") -> Json | None:
        """The modal in front of this user."""
        stack = self.core.state.modals.get(user)
        return payloads.view_json(stack[-1]) if stack else None

    def home(self, user: str = "U0ALEX") -> Json | None:
        """The app's home tab of this user, once it was published."""
        view = self.core.state.homes.get(user)
        return payloads.view_json(view) if view else None

    def direct(self, user: str = "U0ALEX") -> str:
        """The id of this user's direct conversation with the app."""
        return self.core.state.direct_channel(user).id

    def channel_id(self, channel: str) -> str:
        """A channel's id from its id or name; NotOffered when there is none."""
        found = self.core.state.channel_named(channel)
        if found is None:
            raise NotOffered(f"there is no channel {channel}")
        return found.id

    def _seen(self, message: Message) -> Json:
        return payloads.message_json(self.core.state, message, include_metadata=True)

    # Common steps

    def _open_channel(self, channel: str) -> Channel:
        place = self.core.state.channels[self.channel_id(channel)]
        if place.is_archived:
            raise NotOffered(f"#{place.name} is archived")
        return place

    def _message(self, channel: str, ts: str, user: str) -> Message:
        place = self.channel_id(channel)
        message = self.core.state.ephemeral(user, place, ts) or self.core.state.message(place, ts)
        if message is None:
            raise NotOffered(f"{user} sees no message {ts} in {channel}")
        return message

    def _view(self, view_id: str, user: str) -> View:
        view = self.core.state.view(view_id)
        if view is None or view.user != user:
            raise NotOffered(f"{user} sees no view {view_id}")
        stack = self.core.state.modals.get(user, [])
        if view in stack and view is not stack[-1]:
            raise NotOffered(f"another view covers {view_id}")
        return view

    async def _interact(self, user: str, channel: str, payload: Json) -> Outcome:
        try:
            response = await self.core.hub.ask("interactive", payload)
        except NotDelivered as trouble:
            self.core.notice(user, channel, TROUBLE)
            return Outcome(ok=False, error=trouble.code)
        return Outcome(ok=True, response=response)

    async def _taken(self, envelopes: Iterable[Envelope]) -> None:
        """Wait until events are acknowledged; nobody sees it when they are not."""
        waiting = [envelope.acked for envelope in envelopes]
        if waiting and self.core.hub.connections:
            await asyncio.wait(waiting, timeout=self.core.hub.ack_timeout)


def _held(blocks: list[Json], action_id: str, block_id: str | None) -> list[tuple[Json, Json]]:
    return list(envelopes.elements_named(blocks, action_id, block_id))


def _only(found: list[tuple[Json, Json]], action_id: str) -> tuple[Json, Json]:
    if not found:
        raise NotOffered(f"there is no {action_id} to press")
    if len(found) > 1:
        raise NotOffered(f"there are {len(found)} elements {action_id}: name the block or the value")
    return found[0]


def _check_errors(view: View, errors: object) -> None:
    inputs = {block["block_id"] for block in view.content["blocks"] if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or errors.keys() - inputs:
        raise Refusal("invalid_errors")
