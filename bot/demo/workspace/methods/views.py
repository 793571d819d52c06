"""views.*: modals and home tabs."""

from typing import Any

from bot.demo.workspace import payloads
from bot.demo.workspace.arguments import Arguments
from bot.demo.workspace.core import Core
from bot.demo.workspace.errors import Refusal, invalid_arguments
from bot.demo.workspace.limits import check_view
from bot.demo.workspace.methods import method
from bot.demo.workspace.state import Json, View

# docs.slack.dev, modals: three views in a stack.
VIEWS_IN_A_STACK = 3


def _content(args: Arguments, kind: str) -> Any:
    content = args.structure("view", dict, "invalid_arguments")
    if content is None:
        raise invalid_arguments("missing required field: view")
    check_view(content, kind)
    return content


def _unique(core: Core, content: Json, view: View | None = None) -> None:
    external_id = content.get("external_id")
    holder = core.state.view(external_id) if external_id else None
    if holder is not None and holder is not view:
        raise Refusal("duplicate_external_id")


def _shown(view: View) -> Json:
    return {"view": payloads.view_json(view)}


@method("views.open")
def open_view(core: Core, args: Arguments) -> Json:
    trigger_id = args.required("trigger_id")
    content = _content(args, "modal")
    _unique(core, content)
    trigger = core.redeem_trigger(trigger_id)
    return _shown(core.state.open_view(trigger.user, content))


@method("views.push")
def push_view(core: Core, args: Arguments) -> Json:
    trigger_id = args.required("trigger_id")
    content = _content(args, "modal")
    _unique(core, content)
    trigger = core.redeem_trigger(trigger_id)
    return _shown(pushed(core, trigger.user, content))


def pushed(core: Core, user: str, content: Json) -> View:
    """Put a view on the user's stack; there must be one, with room on it."""
    stack = core.state.modals.get(user, [])
    if not stack:
        raise Refusal("no_open_view")
    if len(stack) >= VIEWS_IN_A_STACK:
        raise Refusal("push_limit_reached")
    return core.state.open_view(user, content, push=True)


@method("views.update")
def update_view(core: Core, args: Arguments) -> Json:
    view_id, external_id = args.text("view_id"), args.text("external_id")
    if view_id and external_id:
        raise invalid_arguments("Cannot provide both `view_id` and `external_id`")
    view = core.state.view(view_id or args.required("external_id"))
    if view is None:
        raise Refusal("not_found")
    content = _content(args, view.kind)
    _unique(core, content, view)
    _same_hash(args, view)
    core.state.update_view(view, content)
    return _shown(view)


def _same_hash(args: Arguments, view: View | None) -> None:
    wanted = args.text("hash")
    if wanted and view is not None and wanted != view.hash:
        raise Refusal("hash_conflict", view=payloads.view_json(view))


@method("views.publish")
def publish(core: Core, args: Arguments) -> Json:
    user = core.state.users.get(args.required("user_id"))
    if user is None or user.bot_id:
        raise Refusal("user_not_found")
    content = _content(args, "home")
    _unique(core, content, core.state.homes.get(user.id))
    _same_hash(args, core.state.homes.get(user.id))
    return _shown(core.state.publish_home(user.id, content))
