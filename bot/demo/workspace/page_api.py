"""What the web page reads and does: state, messages, live events, and each thing a person can do."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

from aiohttp import web

from bot.demo.workspace import payloads
from bot.demo.workspace.arguments import Arguments
from bot.demo.workspace.core import Core
from bot.demo.workspace.entries import NotOffered, choice_in
from bot.demo.workspace.errors import Refusal, invalid_arguments
from bot.demo.workspace.people import Outcome, UserSide
from bot.demo.workspace.state import APP_ID, BOT_ID, BOT_USER, TEAM_ID, Change, Channel, Json, Message

PAGE = Path(__file__).parent / "page"
CONTENT_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".json": "application/json",
    ".woff2": "font/woff2",
    ".txt": "text/plain",
}
# Nothing a message contains may run or lead the page elsewhere; pictures may come from anywhere.
POLICY = (
    "default-src 'self'; img-src 'self' https: http: data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
# How long an idle stream stays silent before a comment shows that it lives.
KEEP_ALIVE = 15.0
DEFAULT_CHANNEL = "C0ALERTS"


class Control:
    """A button or switch the demo adds to the page."""

    def __init__(
        self,
        label: str,
        description: str,
        kind: Literal["toggle", "button"],
        action: Callable[[], Awaitable[Any]],
        state: Callable[[], str | None],
    ) -> None:
        self.label = label
        self.description = description
        self.kind = kind
        self.action = action
        self.state = state

    def shown(self, control_id: str) -> Json:
        """As the page reads it."""
        return {
            "id": control_id,
            "label": self.label,
            "description": self.description,
            "state": self.state(),
            "kind": self.kind,
        }


class PageApi:
    """The routes under /, /page and /page-api."""

    def __init__(self, core: Core, people: UserSide) -> None:
        self.core = core
        self.people = people
        self.controls: dict[str, Control] = {}
        self._streams: dict[asyncio.Queue[str | None], str] = {}
        self._ids = 0
        core.state.observers.append(self._publish)

    def routes(self) -> list[web.RouteDef]:
        """Every route of the page."""
        return [
            web.get("/", self.index),
            web.get("/archives/{channel}/{message}", self.permalink),
            web.get("/page/{file:.+}", self.file),
            web.get("/page-api/state", self.state),
            web.get("/page-api/messages", self.messages),
            web.get("/page-api/replies", self.replies),
            web.get("/page-api/events", self.events),
            web.get("/page-api/controls", self.list_controls),
            web.post("/page-api/controls/{id}", self.use_control),
            web.post("/page-api/say", self._doing(self._say)),
            web.post("/page-api/command", self._doing(self._command)),
            web.post("/page-api/action", self._doing(self._action)),
            web.post("/page-api/submit", self._doing(self._submit)),
            web.post("/page-api/close", self._doing(self._close)),
            web.post("/page-api/home", self._doing(self._home)),
        ]

    # Files

    async def index(self, request: web.Request) -> web.StreamResponse:
        return self._file("index.html")

    async def file(self, request: web.Request) -> web.StreamResponse:
        return self._file(request.match_info["file"])

    async def permalink(self, request: web.Request) -> web.StreamResponse:
        message = request.match_info["message"].removeprefix("p")
        place = f"/?channel={request.match_info['channel']}&ts={message[:-6]}.{message[-6:]}"
        raise web.HTTPFound(place)

    def _file(self, name: str) -> web.StreamResponse:
        path = (PAGE / name).resolve()
        content_type = CONTENT_TYPES.get(path.suffix)
        if not path.is_relative_to(PAGE.resolve()) or content_type is None or not path.is_file():
            raise Refusal("not_found", status=404)
        charset = None if content_type.startswith(("image/", "font/")) else "utf-8"
        headers = {
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": POLICY,
        }
        return web.Response(
            body=path.read_bytes(), content_type=content_type, charset=charset, headers=headers
        )

    # Reading

    async def state(self, request: web.Request) -> web.Response:
        user = self._user(request.query.get("user", ""))
        state = self.core.state
        channels = [self._channel(channel) for channel in state.channels.values() if user in channel.members]
        return web.json_response(
            {
                "team": {"id": TEAM_ID, "name": payloads.TEAM_NAME, "domain": payloads.TEAM_DOMAIN},
                "me": payloads.user_json(state.users[user]),
                "users": [payloads.user_json(each) for each in state.users.values()],
                "usergroups": [
                    payloads.group_json(each, include_users=True) for each in state.groups.values()
                ],
                "channels": channels,
                "commands": [
                    {"command": each.command, "description": each.description, "usage_hint": each.usage_hint}
                    for each in self.core.commands.values()
                ],
                "apps": [self._app()],
                "default_channel": DEFAULT_CHANNEL if DEFAULT_CHANNEL in state.channels else "",
                "now": self.core.clock().isoformat(),
            }
        )

    def _app(self) -> Json:
        return {
            "id": APP_ID,
            "name": self.core.state.users[BOT_USER].real_name,
            "bot_user_id": BOT_USER,
            "bot_id": BOT_ID,
            "connected": self.core.hub.connections > 0,
        }

    def _channel(self, channel: Channel) -> Json:
        return {
            "id": channel.id,
            "name": channel.name,
            "is_private": channel.is_private,
            "is_archived": channel.is_archived,
            "is_im": channel.is_im,
            "user": channel.user or None,
            "topic": channel.topic,
            "latest_ts": self.core.state.latest_ts(channel.id) or None,
        }

    async def messages(self, request: web.Request) -> web.Response:
        user = self._user(request.query.get("user", ""))
        channel = self.people.channel_id(request.query.get("channel", ""))
        before = request.query.get("before", "")
        limit = Arguments(dict(request.query)).number("limit", 50, least=1, most=500)
        alone = [m for m in self.core.state.ephemerals(user, channel) if not m.thread_ts]
        found = sorted([*self.core.state.messages(channel), *alone], key=lambda each: each.ts)
        found = [message for message in found if not before or message.ts < before]
        shown = [self._message(message) for message in found[-limit:]]
        return web.json_response({"messages": shown, "has_more": len(found) > limit})

    async def replies(self, request: web.Request) -> web.Response:
        user = self._user(request.query.get("user", ""))
        channel = self.people.channel_id(request.query.get("channel", ""))
        ts = request.query.get("ts", "")
        own = [m for m in self.core.state.ephemerals(user, channel) if ts in (m.ts, m.thread_ts)]
        found = sorted([*self.core.state.thread(channel, ts), *own], key=lambda each: each.ts)
        return web.json_response({"messages": [self._message(message) for message in found]})

    def _message(self, message: Message) -> Json:
        body = payloads.message_json(self.core.state, message, include_metadata=True)
        return {"reply_count": 0, "files": [], **body, "is_ephemeral": bool(message.ephemeral_to)}

    def _user(self, user: str) -> str:
        """The user who looks; the first of the people when none is named."""
        if not user:
            return next(each.id for each in self.core.state.users.values() if not each.bot_id)
        if user not in self.core.state.users or self.core.state.users[user].bot_id:
            raise Refusal("user_not_found", status=404)
        return user

    # Live events

    async def events(self, request: web.Request) -> web.StreamResponse:
        user = self._user(request.query.get("user", ""))
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        stream: asyncio.Queue[str | None] = asyncio.Queue(maxsize=1000)
        await response.prepare(request)
        self._streams[stream] = user
        try:
            await response.write(b"retry: 1000\n\n")
            async for line in self._lines(stream):
                await response.write(line)
        except ConnectionError:
            pass
        finally:
            self._streams.pop(stream, None)
        return response

    async def _lines(self, stream: asyncio.Queue[str | None]) -> AsyncIterator[bytes]:
        while True:
            try:
                line = await asyncio.wait_for(stream.get(), KEEP_ALIVE)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if line is None:
                return
            yield line.encode()

    def _publish(self, change: Change) -> None:
        if not self._streams:
            return
        self._ids += 1
        line = f"id: {self._ids}\ndata: {json.dumps(self._event(change))}\n\n"
        for stream, user in list(self._streams.items()):
            if not self._sees(user, change):
                continue
            if stream.full():
                # A page that does not read is cut off; it reads the state again when it comes back.
                del self._streams[stream]
                stream.get_nowait()
                stream.put_nowait(None)
            else:
                stream.put_nowait(line)

    def _sees(self, user: str, change: Change) -> bool:
        if change.user:
            return change.user == user
        channel = self.core.state.channels.get(change.channel)
        return channel is None or user in channel.members

    def _event(self, change: Change) -> Json:
        body: Json = {"type": change.kind}
        if change.channel:
            body["channel"] = change.channel
        if change.message is not None:
            body |= {"message": self._message(change.message), "ts": change.message.ts}
            if change.message.ephemeral_to:
                body["user"] = change.message.ephemeral_to
        if change.view is not None:
            body |= {"view": payloads.view_json(change.view), "view_id": change.view.id, "user": change.user}
        if change.kind == "channel" and change.channel in self.core.state.channels:
            body["info"] = self._channel(self.core.state.channels[change.channel])
        if change.kind == "app_status":
            body["apps"] = [self._app()]
        if change.kind == "notice":
            body["text"] = change.text
        if change.kind == "controls":
            body["controls"] = self.shown_controls()
        return body

    def close_streams(self) -> None:
        """End every page's stream."""
        for stream in self._streams:
            while stream.full():
                stream.get_nowait()
            stream.put_nowait(None)

    # Doing

    def _doing(
        self, act: Callable[[Arguments, str], Awaitable[Outcome]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            args = Arguments(await json_body(request))
            try:
                outcome = await act(args, self._user(args.required("user")))
            except NotOffered as mistake:
                return web.json_response({"ok": False, "error": "not_offered", "detail": str(mistake)})
            body: Json = {"ok": outcome.ok}
            if outcome.error:
                body["error"] = outcome.error
            if outcome.response_action:
                body["response_action"] = outcome.response_action
            if outcome.errors:
                body["errors"] = outcome.errors
            return web.json_response(body)

        return handler

    async def _say(self, args: Arguments, user: str) -> Outcome:
        channel, text = args.required("channel"), args.required("text")
        if text.startswith("/"):
            command, _, rest = text.partition(" ")
            return await self._give(channel, command, rest.strip(), user)
        if len(text) > 12_000:
            return Outcome(ok=False, error="msg_too_long")
        await self.people.say(channel, text, user=user, thread_ts=args.text("thread_ts"))
        return Outcome(ok=True)

    async def _command(self, args: Arguments, user: str) -> Outcome:
        return await self._give(args.required("channel"), args.required("command"), args.text("text"), user)

    async def _give(self, channel: str, command: str, text: str, user: str) -> Outcome:
        if command not in self.core.commands:
            place = self.people.channel_id(channel)
            self.core.notice(user, place, f"{command} is not a valid command.")
            return Outcome(ok=False, error="unknown_command")
        return await self.people.command(channel, command, text, user=user)

    async def _action(self, args: Arguments, user: str) -> Outcome:
        container = args.structure("container", dict, "invalid_arguments") or {}
        entry = args.structure("action", dict, "invalid_arguments") or {}
        values = (args.structure("state", dict, "invalid_arguments") or {}).get("values") or {}
        if not isinstance(values, dict):
            raise invalid_arguments("must be an object [json-pointer:/state/values]")
        action_id, block_id = args.required("action_id"), args.text("block_id") or None
        choice = choice_in(entry)
        if container.get("type") == "view":
            view_id = Arguments(container).required("view_id")
            return await self.people.click_in_view(
                view_id, action_id, user=user, block_id=block_id, choice=choice, values=values
            )
        place = Arguments(container)
        return await self.people.choose(
            place.required("channel"),
            place.required("ts"),
            action_id,
            choice,
            user=user,
            block_id=block_id,
            values=values or None,
        )

    async def _submit(self, args: Arguments, user: str) -> Outcome:
        values = args.structure("values", dict, "invalid_arguments") or {}
        return await self.people.submit(args.required("view_id"), values, user=user)

    async def _close(self, args: Arguments, user: str) -> Outcome:
        return await self.people.close_view(args.required("view_id"), user=user)

    async def _home(self, args: Arguments, user: str) -> Outcome:
        return await self.people.open_home(user)

    # Controls

    def shown_controls(self) -> list[Json]:
        """Every control as the page reads it."""
        return [control.shown(control_id) for control_id, control in self.controls.items()]

    async def list_controls(self, request: web.Request) -> web.Response:
        return web.json_response({"controls": self.shown_controls()})

    async def use_control(self, request: web.Request) -> web.Response:
        await json_body(request)
        control = self.controls.get(request.match_info["id"])
        if control is None:
            raise Refusal("not_found", status=404)
        await control.action()
        self.core.state.announce(Change(kind="controls"))
        return web.json_response({"ok": True, "controls": self.shown_controls()})


async def json_body(request: web.Request) -> Json:
    """The JSON object of a request of the page or of a control; a form cannot send one across sites."""
    text = await request.text()
    if not text:
        return {}
    if request.content_type != "application/json":
        raise Refusal("invalid_post_type", status=415)
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise Refusal("invalid_json", status=400) from None
    if not isinstance(body, dict):
        raise Refusal("json_not_object", status=400)
    return body
