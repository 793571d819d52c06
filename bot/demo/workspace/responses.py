"""Answers to an interaction: what an acknowledgement carries and what is posted to a response_url."""

from aiohttp import web

from bot.demo.workspace.arguments import Arguments, read_arguments
from bot.demo.workspace.core import Core, ResponseUrl
from bot.demo.workspace.errors import Refusal
from bot.demo.workspace.methods.chat import NO_FALLBACK, content_of
from bot.demo.workspace.state import BOT_USER, Json, Message


def respond(core: Core, to: ResponseUrl, body: Json) -> None:
    """Carry out an answer: post, replace or delete; raise the Refusal Slack has for its content."""
    args = Arguments(body)
    if args.text("response_type", "ephemeral") not in ("ephemeral", "in_channel"):
        raise Refusal("invalid_response_type", status=400)
    source = _source(core, to)
    if args.flag("delete_original"):
        if source is None:
            raise Refusal("message_not_found", status=404)
        core.delete(source)
        return
    content = content_of(args)
    if not any(content.get(name) for name in ("text", "blocks", "attachments")):
        raise Refusal("no_text", status=400)
    content.setdefault("text", NO_FALLBACK if content.get("blocks") else "")
    if args.flag("replace_original") and source is not None:
        for name in ("text", "blocks", "attachments"):
            setattr(source, name, content.get(name) or ("" if name == "text" else []))
        core.edited(source, BOT_USER)
        return
    _post(core, to, args, content)


def _source(core: Core, to: ResponseUrl) -> Message | None:
    if not to.source:
        return None
    if to.is_ephemeral:
        return core.state.ephemeral(to.user, to.channel, to.source)
    return core.state.message(to.channel, to.source)


def _post(core: Core, to: ResponseUrl, args: Arguments, content: Json) -> None:
    if to.channel not in core.state.channels:
        raise Refusal("channel_not_found", status=404)
    if core.state.channels[to.channel].is_archived:
        raise Refusal("is_archived", status=403)
    only_for = to.user if args.text("response_type", "ephemeral") == "ephemeral" else ""
    text = content.pop("text")
    thread_ts = args.text("thread_ts")
    core.post(core.bot_message(to.channel, text, thread_ts=thread_ts, ephemeral_to=only_for, **content))


async def handle(core: Core, request: web.Request) -> web.Response:
    """A POST to a response_url."""
    key = request.match_info["key"]
    issued = core.response_urls.get(key)
    try:
        async with core.faults.around("response_url", issued.channel if issued else ""):
            body = await _body(request)
            respond(core, core.redeem_response_url(key), body)
    except Refusal as refusal:
        return web.json_response(refusal.body(), status=refusal.status if refusal.status != 200 else 400)
    return web.Response(text="ok")


async def _body(request: web.Request) -> Json:
    given = await read_arguments(request)
    return Arguments(given).structure("payload", dict, "invalid_payload") or given
