"""LocalWorkspace: the server's life, its people's side and its troubles, for tests and for the demo."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.demo.workspace import responses
from bot.demo.workspace.api import WebApi
from bot.demo.workspace.clock import Clock, system_clock
from bot.demo.workspace.control import ControlApi, command_of
from bot.demo.workspace.core import DEFAULT_SCOPES, Call, Command, new_core
from bot.demo.workspace.entries import NotOffered
from bot.demo.workspace.errors import ConnectionDropped, Refusal
from bot.demo.workspace.faults import Faults, HttpFailure
from bot.demo.workspace.page_api import Control, PageApi
from bot.demo.workspace.people import UserSide
from bot.demo.workspace.socket import DisconnectKind
from bot.demo.workspace.state import BOT_USER, Change, Json, User

log = logging.getLogger(__name__)
LARGEST_BODY = 4 * 1024 * 1024
LARGEST_UPLOAD = 64 * 1024 * 1024
T = TypeVar("T")


class LocalWorkspace(UserSide):
    """A Slack workspace on this machine that an unchanged slack_bolt app can live in.

    Use it as an async context manager; it listens on 127.0.0.1 only. `api_url` and the two tokens are what
    the app needs. With `realistic_limits` calls are counted as Slack counts them; `clock` is its only time.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        clock: Clock = system_clock,
        realistic_limits: bool = False,
        scopes: Iterable[str] = DEFAULT_SCOPES,
        ack_timeout: float = 3.0,
    ) -> None:
        super().__init__(
            new_core(clock, realistic_limits=realistic_limits, scopes=scopes, ack_timeout=ack_timeout)
        )
        self._port = port
        self._runner: web.AppRunner | None = None
        self._moved = asyncio.Event()
        self._web_api = WebApi(self.core)
        self._page = PageApi(self.core, self)
        self._control = ControlApi(self)
        self.core.state.observers.append(lambda change: self._wake())
        self.core.on_call = self._wake

    # Life

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; OSError when the port is taken."""
        app = web.Application(middlewares=[self._answer_cleanly], client_max_size=LARGEST_UPLOAD)
        app.add_routes(
            [
                web.route("*", "/api/{method}", self._web_api.handle),
                web.get("/link/{ticket}", self.core.hub.serve),
                web.post("/response/{key}", self._response_url),
                web.post("/upload/{file}", self._upload),
                web.get("/files/{file}/{name}", self._download),
                *self._page.routes(),
                *self._control.routes(),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.core.state.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close every connection and stop listening; stopping twice is fine."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        self._page.close_streams()
        await self.core.hub.close()
        await runner.cleanup()

    @property
    def url(self) -> str:
        """Where the page is, without a slash at its end."""
        return self.core.origin

    @property
    def api_url(self) -> str:
        """What AsyncWebClient takes as base_url."""
        return f"{self.core.origin}/api/"

    @property
    def bot_token(self) -> str:
        return self.core.bot_token

    @property
    def app_token(self) -> str:
        return self.core.app_token

    # Watching

    @property
    def calls(self) -> list[Call]:
        """Every call of the Web API so far, oldest first."""
        return self.core.calls

    def calls_of(self, method: str) -> list[Call]:
        """The calls of one method, oldest first."""
        return [call for call in self.core.calls if call.method == method]

    @property
    def connections(self) -> int:
        """How many sockets the app holds open."""
        return self.core.hub.connections

    @property
    def envelopes(self) -> list[Json]:
        """The last envelopes sent to the app, oldest first, repetitions included."""
        return list(self.core.hub.sent)

    async def wait_for(self, predicate: Callable[[], T], timeout: float = 5.0) -> T:  # noqa: ASYNC109
        """The first truthy answer of `predicate`, asked at once and after every change; TimeoutError else."""
        async with asyncio.timeout(timeout):
            while not (answer := predicate()):
                self._moved.clear()
                await self._moved.wait()
        return answer

    def _wake(self) -> None:
        self._moved.set()

    # Furnishing

    def register_commands(self, commands: Sequence[str | Json | Command]) -> None:
        """Replace the app's slash commands; ValueError for one that Slack keeps for itself."""
        self.core.register(each if isinstance(each, Command) else command_of(each) for each in commands)

    def add_control(
        self,
        control_id: str,
        label: str,
        description: str,
        kind: Literal["toggle", "button"],
        action: Callable[[], Awaitable[Any]],
        state: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Add a button or switch to the page; `state` answers "on", "off", "busy" or None."""
        self._page.controls[control_id] = Control(label, description, kind, action, state)
        self.controls_changed()

    def controls_changed(self) -> None:
        """Have the page show the controls' states again."""
        self.core.state.announce(Change(kind="controls"))

    def add_channel(
        self, name: str, *, channel_id: str = "", is_private: bool = False, with_bot: bool = True
    ) -> str:
        """Add a channel with everybody in it; its id."""
        members = [BOT_USER] if with_bot else []
        return self.core.state.add_channel(
            name, channel_id=channel_id, is_private=is_private, members=members
        ).id

    def add_user(self, user_id: str, name: str, real_name: str = "") -> str:
        """Add a person; their id."""
        return self.core.state.add_user(User(id=user_id, name=name, real_name=real_name or name)).id

    # Troubles

    @property
    def faults(self) -> Faults:
        """What the next calls will suffer."""
        return self.core.faults

    def outage(self, *, drop: bool = False) -> None:
        """Nothing answers until `clear_faults`: HTTP 503, with `drop` no answer at all; sockets are cut."""
        self.core.faults.outage = "drop" if drop else "error"
        self.core.hub.refusing = True
        self.core.hub.cut_all()

    def clear_faults(self) -> None:
        """End every fault, outage and doubling; what was archived, renamed, removed or revoked stays so."""
        self.core.faults.clear()
        self.core.hub.refusing = False
        self.core.hub.doubling.times = 0

    async def disconnect(self, kind: DisconnectKind = "clean") -> None:
        """End the app's sockets: `clean`, `abrupt`, or by asking: `warning`, `refresh_requested`."""
        await self.core.hub.disconnect(kind)

    def duplicate_envelopes(self, times: int | None = 1) -> None:
        """Send the next so many envelopes twice; None is every one until cleared."""
        self.core.hub.doubling.times = times

    def revoke_token(self, code: str = "token_revoked") -> None:
        """Refuse the bot token with `token_revoked` or `account_inactive`; "" gives it back."""
        self.core.token_state = code

    def remove_scope(self, *scopes: str) -> None:
        """Take scopes from the bot token."""
        self.core.scopes.difference_update(scopes)

    def grant_scope(self, *scopes: str) -> None:
        """Give scopes to the bot token."""
        self.core.scopes.update(scopes)

    def remove_bot(self, channel: str) -> None:
        """Take the app out of a channel."""
        self.core.state.channels[self.channel_id(channel)].members.discard(BOT_USER)
        self._channel_changed(channel)

    def archive_channel(self, channel: str) -> None:
        """Archive a channel, as an administrator would."""
        self.core.state.channels[self.channel_id(channel)].is_archived = True
        self._channel_changed(channel)

    def rename_channel(self, channel: str, name: str) -> None:
        """Rename a channel; its id stays."""
        place = self.channel_id(channel)
        self.core.state.channels[place].name = name
        self._channel_changed(place)

    def remove_channel(self, channel: str) -> None:
        """Delete a channel with all that is in it."""
        self.core.state.remove_channel(self.channel_id(channel))

    def _channel_changed(self, channel: str) -> None:
        self.core.state.announce(Change(kind="channel", channel=self.channel_id(channel)))

    # Answering

    @web.middleware
    async def _answer_cleanly(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _guard(request)
            return await handler(request)
        except ConnectionDropped:
            return _cut(request)
        except HttpFailure as failure:
            return web.Response(status=failure.status, text="<html>Something went wrong</html>")
        except Refusal as refusal:
            status = refusal.status if refusal.status != 200 else 400
            return web.json_response(refusal.body(), status=status)
        except NotOffered as mistake:
            return web.json_response({"ok": False, "error": "not_found", "detail": str(mistake)}, status=404)
        except web.HTTPRequestEntityTooLarge:
            return web.json_response({"ok": False, "error": "request_too_large"}, status=413)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            code = "method_not_allowed" if error.status == 405 else "not_found"
            return web.json_response({"ok": False, "error": code}, status=error.status)
        except ConnectionError:
            return _cut(request)
        except Exception:
            log.exception("the workspace failed to answer %s %s", request.method, request.path)
            return web.json_response({"ok": False, "error": "internal_error"}, status=500)

    async def _response_url(self, request: web.Request) -> web.Response:
        return await responses.handle(self.core, request)

    async def _upload(self, request: web.Request) -> web.Response:
        file = self.core.state.files.get(request.match_info["file"])
        if file is None or file.content is not None:
            raise Refusal("not_found", status=404)
        async with self.core.faults.around("upload", ""):
            content = await _uploaded(request)
            if len(content) != file.length:
                raise Refusal("length_mismatch")
            file.content = content
        return web.Response(text=f"OK - {file.length}")

    async def _download(self, request: web.Request) -> web.Response:
        file = self.core.state.files.get(request.match_info["file"])
        if file is None or file.content is None:
            raise Refusal("not_found", status=404)
        # What an app uploads must never act as a page of this origin.
        headers = {
            "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
            "X-Content-Type-Options": "nosniff",
        }
        kinds = {"png": "image/png", "svg": "image/svg+xml", "jpg": "image/jpeg", "gif": "image/gif"}
        content_type = kinds.get(file.name.rpartition(".")[2].lower(), "text/plain")
        return web.Response(body=file.content, content_type=content_type, headers=headers)


def _guard(request: web.Request) -> None:
    """Refuse what another site's page sends: a foreign Host or Origin, except on the app's own doors."""
    if request.path.startswith(("/api/", "/link/", "/response/", "/upload/")):
        return
    host = request.headers.get("Host", "")
    if urlsplit(f"//{host}").hostname not in ("127.0.0.1", "localhost", "::1"):
        raise Refusal("invalid_host", status=403)
    if request.method in ("GET", "HEAD"):
        return
    origin = request.headers.get("Origin")
    is_foreign = origin is not None and urlsplit(origin).netloc != host
    if is_foreign or request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        raise Refusal("invalid_origin", status=403)


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)


async def _uploaded(request: web.Request) -> bytes:
    if request.content_type != "multipart/form-data":
        return await request.read()
    form = await request.post()
    for value in form.values():
        if isinstance(value, web.FileField):
            return value.file.read()
    return b""
