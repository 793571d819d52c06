"""The scopes the app asks for."""

from bot.demo.workspace.core import DEFAULT_SCOPES
from handlers.slack.definitions import BOT_SCOPES, OPTIONAL_BOT_SCOPES
from handlers.slack.manifest import manifest


def test_what_only_incidents_need_is_optional() -> None:
    assert OPTIONAL_BOT_SCOPES == ("channels:manage", "pins:write")
    scopes = manifest()["oauth_config"]["scopes"]
    assert scopes["bot_optional"] == list(OPTIONAL_BOT_SCOPES)
    assert not set(scopes["bot"]) & set(OPTIONAL_BOT_SCOPES)


def test_the_local_workspace_grants_what_the_manifest_asks_for_and_nothing_else() -> None:
    assert set(DEFAULT_SCOPES) == {*BOT_SCOPES, *OPTIONAL_BOT_SCOPES}
