"""The Web API's door: who calls, may they, what befalls the call, and the answer in Slack's form."""

from aiohttp import web

from bot.demo.workspace.arguments import Arguments, read_arguments
from bot.demo.workspace.core import Call, Core
from bot.demo.workspace.errors import ConnectionDropped, Refusal
from bot.demo.workspace.faults import HttpFailure
from bot.demo.workspace.methods import METHODS, Method, chat, conversations, files, need_scope, people, views
from bot.demo.workspace.state import Json

__all__ = ["WebApi", "chat", "conversations", "files", "people", "views"]
MOST_CALLS_KEPT = 10_000


class WebApi:
    """Answers `/api/<method>`."""

    def __init__(self, core: Core) -> None:
        self.core = core

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one call; raise ConnectionDropped or HttpFailure when a fault asks for it."""
        name = request.match_info["method"]
        try:
            given = await read_arguments(request)
        except Refusal as refusal:
            return self._refused(name, {}, refusal)
        token = _bearer(request) or str(given.pop("token", "") or "")
        try:
            return await self._call(name, Arguments(given), token)
        except Refusal as refusal:
            return self._refused(name, given, refusal)
        except RecursionError:
            return self._refused(name, {}, Refusal("invalid_arguments"))
        except HttpFailure as failure:
            self._log(name, given, f"http_{failure.status}", failure.status)
            raise
        except ConnectionDropped:
            self._log(name, given, "connection_dropped", 0)
            raise

    async def _call(self, name: str, args: Arguments, token: str) -> web.Response:
        channel = args.given.get("channel")
        place = self._channel_id(channel if isinstance(channel, str) else "")
        async with self.core.faults.around(name, place):
            method = METHODS.get(name)
            if method is None:
                raise Refusal("unknown_method", req_method=name)
            self._authorize(method, token)
            need_scope(self.core, *method.scopes)
            self.core.rates.admit(name, place, self.core.clock())
            body = {"ok": True, **method.run(self.core, args)}
            answer = web.json_response(body, headers=self._headers(method))
        self._log(name, args.given, "ok", 200)
        return answer

    def _channel_id(self, reference: str) -> str:
        found = self.core.state.channel_named(reference) if reference else None
        return found.id if found else reference

    def _authorize(self, method: Method, token: str) -> None:
        if not token:
            raise Refusal("not_authed")
        wanted = self.core.app_token if method.token == "app" else self.core.bot_token  # noqa: S105
        if token == self.core.bot_token and self.core.token_state:
            raise Refusal(self.core.token_state)
        if token == wanted:
            return
        known = token in (self.core.app_token, self.core.bot_token)
        raise Refusal("not_allowed_token_type" if known else "invalid_auth")

    def _headers(self, method: Method) -> dict[str, str]:
        return {
            "X-OAuth-Scopes": ",".join(sorted(self.core.scopes)),
            "X-Accepted-OAuth-Scopes": ",".join(method.scopes),
        }

    def _refused(self, name: str, given: Json, refusal: Refusal) -> web.Response:
        self._log(name, given, refusal.code, refusal.status)
        headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
        return web.json_response(refusal.body(), status=refusal.status, headers=headers)

    def _log(self, name: str, given: Json, outcome: str, status: int) -> None:
        calls = self.core.calls
        calls.append(Call(method=name, args=given, outcome=outcome, at=self.core.clock(), status=status))
        del calls[:-MOST_CALLS_KEPT]
        self.core.on_call()


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
