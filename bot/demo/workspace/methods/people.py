"""auth.test, apps.connections.open, users.*, usergroups.* and bots.info: who is there, and who calls."""

from bot.demo.workspace import payloads
from bot.demo.workspace.arguments import Arguments
from bot.demo.workspace.core import Core
from bot.demo.workspace.errors import Refusal
from bot.demo.workspace.methods import method
from bot.demo.workspace.state import APP_ID, BOT_ID, BOT_USER, TEAM_ID, Json


@method("auth.test")
def auth_test(core: Core, args: Arguments) -> Json:
    return {
        "url": f"{core.origin}/",
        "team": payloads.TEAM_NAME,
        "user": core.state.users[BOT_USER].name,
        "team_id": TEAM_ID,
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "is_enterprise_install": False,
    }


@method("apps.connections.open", takes="app")
def connections_open(core: Core, args: Arguments) -> Json:
    address = core.origin.replace("http://", "ws://", 1)
    return {"url": f"{address}/link/{core.hub.ticket()}"}


@method("users.info", "users:read")
def users_info(core: Core, args: Arguments) -> Json:
    user = core.state.users.get(args.required("user"))
    if user is None:
        raise Refusal("user_not_found")
    return {"user": payloads.user_json(user)}


@method("users.list", "users:read")
def users_list(core: Core, args: Arguments) -> Json:
    members = [payloads.user_json(user) for user in core.state.users.values()]
    now = int(core.clock().timestamp())
    return {"members": members, "cache_ts": now, "response_metadata": {"next_cursor": ""}}


@method("usergroups.list", "usergroups:read")
def usergroups_list(core: Core, args: Arguments) -> Json:
    with_users = args.flag("include_users")
    return {
        "usergroups": [
            payloads.group_json(each, include_users=with_users) for each in core.state.groups.values()
        ]
    }


@method("usergroups.users.list", "usergroups:read")
def usergroup_users(core: Core, args: Arguments) -> Json:
    group = core.state.groups.get(args.required("usergroup"))
    if group is None:
        raise Refusal("no_such_subteam")
    return {"users": group.users}


@method("bots.info", "users:read")
def bots_info(core: Core, args: Arguments) -> Json:
    if args.text("bot", BOT_ID) != BOT_ID:
        raise Refusal("bot_not_found")
    return {
        "bot": {
            "id": BOT_ID,
            "deleted": False,
            "name": core.state.users[BOT_USER].real_name,
            "updated": 0,
            "app_id": APP_ID,
            "user_id": BOT_USER,
            "icons": {},
        }
    }
