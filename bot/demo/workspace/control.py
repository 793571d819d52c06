"""Making trouble over HTTP: faults, disconnects, revoked rights, and the log of what the app called."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from bot.demo.workspace.arguments import Arguments
from bot.demo.workspace.core import Command
from bot.demo.workspace.errors import invalid_arguments
from bot.demo.workspace.faults import KINDS, Fault
from bot.demo.workspace.page_api import json_body
from bot.demo.workspace.state import Json

if TYPE_CHECKING:
    from bot.demo.workspace.workspace import LocalWorkspace

DISCONNECTS = ("clean", "abrupt", "warning", "refresh_requested")


class ControlApi:
    """The routes under /control."""

    def __init__(self, workspace: "LocalWorkspace") -> None:
        self.workspace = workspace
        self.core = workspace.core
        self._troubles: dict[str, Callable[[Arguments], Awaitable[None]]] = {
            "outage": self._outage,
            "disconnect": self._disconnect,
            "duplicate_envelopes": self._duplicate,
            "revoke_token": self._revoke,
            "remove_scope": self._remove_scope,
            "archive_channel": self._archive,
            "rename_channel": self._rename,
            "remove_channel": self._remove,
        }

    def routes(self) -> list[web.RouteDef]:
        """Every route of the controls."""
        return [
            web.get("/control/faults", self.list_faults),
            web.post("/control/faults", self.add_fault),
            web.delete("/control/faults", self.clear_faults),
            web.get("/control/calls", self.list_calls),
            web.post("/control/commands", self.register_commands),
            web.post("/control/channels", self.add_channel),
        ]

    async def list_faults(self, request: web.Request) -> web.Response:
        waiting = [
            {"kind": each.kind, "method": each.method, "channel": each.channel, "times": each.times}
            for each in self.core.faults.waiting
        ]
        return web.json_response({"faults": waiting, "outage": self.core.faults.outage})

    async def add_fault(self, request: web.Request) -> web.Response:
        args = Arguments(await json_body(request))
        kind = args.required("kind")
        if kind in self._troubles:
            await self._troubles[kind](args)
        elif kind in KINDS:
            self.core.faults.add(_fault(kind, args))
        else:
            known = ", ".join([*KINDS, *self._troubles])
            raise invalid_arguments(f"must be a valid enum value: {known} [json-pointer:/kind]")
        return web.json_response({"ok": True})

    async def clear_faults(self, request: web.Request) -> web.Response:
        self.workspace.clear_faults()
        return web.json_response({"ok": True})

    async def list_calls(self, request: web.Request) -> web.Response:
        method = request.query.get("method")
        shown = [
            {"method": each.method, "args": each.args, "outcome": each.outcome, "at": each.at.isoformat()}
            for each in self.core.calls
            if method in (None, each.method)
        ]
        return web.json_response({"calls": shown})

    async def register_commands(self, request: web.Request) -> web.Response:
        given = Arguments(await json_body(request)).structure("commands", list, "invalid_arguments") or []
        try:
            self.workspace.register_commands(given)
        except ValueError as mistake:
            raise invalid_arguments(str(mistake)) from None
        return web.json_response({"ok": True})

    async def add_channel(self, request: web.Request) -> web.Response:
        args = Arguments(await json_body(request))
        channel = self.workspace.add_channel(args.required("name"), is_private=args.flag("is_private"))
        return web.json_response({"ok": True, "id": channel})

    async def _outage(self, args: Arguments) -> None:
        self.workspace.outage(drop=args.text("how") == "drop")

    async def _disconnect(self, args: Arguments) -> None:
        how = args.text("how", "clean")
        if how not in DISCONNECTS:
            raise invalid_arguments(
                f"must be a valid enum value: {', '.join(DISCONNECTS)} [json-pointer:/how]"
            )
        await self.core.hub.disconnect(how)  # type: ignore[arg-type]

    async def _duplicate(self, args: Arguments) -> None:
        self.core.hub.doubling.times = (
            args.number("times", 1, least=0, most=10_000) if "times" in args else None
        )

    async def _revoke(self, args: Arguments) -> None:
        self.workspace.revoke_token(args.text("code", "token_revoked"))

    async def _remove_scope(self, args: Arguments) -> None:
        self.workspace.remove_scope(args.required("scope"))

    async def _archive(self, args: Arguments) -> None:
        self.workspace.archive_channel(args.required("channel"))

    async def _rename(self, args: Arguments) -> None:
        self.workspace.rename_channel(args.required("channel"), args.required("name"))

    async def _remove(self, args: Arguments) -> None:
        self.workspace.remove_channel(args.required("channel"))


def _fault(kind: Any, args: Arguments) -> Fault:
    seconds = args.given.get("seconds", 0.0)
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
        raise invalid_arguments("must be a number [json-pointer:/seconds]")
    return Fault(
        kind=kind,
        method=args.text("method", "*"),
        channel=args.text("channel"),
        # `times: 0` means until cleared: JSON's null would read as not given.
        times=args.number("times", 1, least=0, most=1_000_000) or None,
        code=args.text("code", "internal_error"),
        retry_after=args.number("retry_after", 1, least=0, most=86_400),
        status=args.number("status", 500, least=400, most=599),
        seconds=float(seconds),
    )


def command_of(given: object) -> Command:
    """A command from a string or `{command, description, usage_hint}`; ValueError for anything else."""
    body: Json = {"command": given} if isinstance(given, str) else given if isinstance(given, dict) else {}
    name = body.get("command")
    if not isinstance(name, str) or not name.startswith("/") or " " in name:
        raise ValueError(f"not a command: {given!r}")
    description, hint = str(body.get("description") or ""), str(body.get("usage_hint") or "")
    return Command(command=name, description=description, usage_hint=hint)
