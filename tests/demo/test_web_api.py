"""The Web API answers and refuses as Slack does."""

from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import LocalWorkspace
from tests.workspace_client import ACTIONS, ShiftedClock, section

Json = dict[str, Any]


async def refused(call: Any) -> str:
    """The error of a call that must be refused."""
    with pytest.raises(SlackApiError) as error:
        await call
    return str(error.value.response["error"])


# Who calls


async def test_the_token_says_who_calls(client: AsyncWebClient, workspace: LocalWorkspace) -> None:
    answer = await client.auth_test()
    assert (answer["user_id"], answer["bot_id"], answer["team_id"]) == ("U0TOCSIN", "B0TOCSIN", "T0TOCSIN")
    assert "chat:write" in answer.headers["X-OAuth-Scopes"].split(",")


@pytest.mark.parametrize(
    ("headers", "body", "error"),
    [
        ({}, {}, "not_authed"),
        ({"Authorization": "Bearer xoxb-wrong"}, {}, "invalid_auth"),
        ({}, {"token": "xoxb-wrong"}, "invalid_auth"),
        ({"Authorization": "Bearer {app}"}, {}, "not_allowed_token_type"),
        ({"Authorization": "Bearer {bot}"}, {}, ""),
        ({}, {"token": "{bot}"}, ""),
    ],
)
async def test_a_call_needs_the_right_token(
    workspace: LocalWorkspace, headers: Json, body: Json, error: str
) -> None:
    def filled(values: Json) -> Json:
        known = {"app": workspace.app_token, "bot": workspace.bot_token}
        return {name: value.format(**known) for name, value in values.items()}

    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{workspace.api_url}auth.test", headers=filled(headers), data=filled(body)) as response,
    ):
        answer = await response.json()
    assert answer.get("error", "") == error


@pytest.mark.parametrize("code", ["token_revoked", "account_inactive"])
async def test_a_revoked_token_is_refused_until_it_is_given_back(
    client: AsyncWebClient, workspace: LocalWorkspace, code: str
) -> None:
    workspace.revoke_token(code)
    assert await refused(client.auth_test()) == code
    workspace.revoke_token("")
    assert (await client.auth_test())["ok"]


async def test_a_missing_scope_is_named(client: AsyncWebClient, workspace: LocalWorkspace) -> None:
    workspace.remove_scope("chat:write")
    with pytest.raises(SlackApiError) as error:
        await client.chat_postMessage(channel="alerts", text="x")
    assert error.value.response["error"] == "missing_scope"
    assert error.value.response["needed"] == "chat:write"
    assert "channels:read" in error.value.response["provided"]


async def test_opening_a_direct_conversation_needs_its_own_scope(
    client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    assert await refused(client.conversations_open(users="U0SAM")) == "missing_scope"
    workspace.grant_scope("im:write")
    opened = await client.conversations_open(users="U0SAM")
    assert opened["channel"]["id"] == workspace.direct("U0SAM")


# Posting


async def test_a_person_can_be_written_to_by_id(client: AsyncWebClient, workspace: LocalWorkspace) -> None:
    posted = await client.chat_postMessage(channel="U0SAM", text="Psst")
    assert posted["channel"] == workspace.direct("U0SAM")
    assert workspace.messages(posted["channel"])[0]["text"] == "Psst"


async def test_the_error_says_why_a_message_cannot_be_posted(
    client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    async def post(channel: str, **parts: Any) -> str:
        return await refused(client.api_call("chat.postMessage", json={"channel": channel, **parts}))

    workspace.archive_channel(workspace.add_channel("old"))
    assert await post("nowhere", text="x") == "channel_not_found"
    assert await post("leads", text="x") == "channel_not_found"
    assert await post("old", text="x") == "is_archived"
    assert await post("alerts") == "no_text"
    assert await post("alerts", text="", blocks=[]) == "no_text"
    assert await post("alerts", text="x", blocks="[{") == "invalid_blocks_format"
    assert await post("alerts", text="x", blocks={"type": "divider"}) == "invalid_blocks_format"
    assert await post("alerts", text="x", metadata="no") == "invalid_metadata_format"
    assert await post("alerts", text="x", thread_ts="1.000001") == "thread_not_found"
    assert await post("", text="x") == "invalid_arguments"


async def test_a_public_channel_is_open_only_with_its_scope(
    client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    assert (await client.chat_postMessage(channel="random", text="x"))["ok"]
    workspace.remove_scope("chat:write.public")
    assert await refused(client.chat_postMessage(channel="random", text="x")) == "not_in_channel"


async def test_very_long_text_is_cut_when_posted_and_refused_when_edited(
    client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    posted = await client.chat_postMessage(channel="alerts", text="x" * 40_001)
    assert len(workspace.messages("alerts")[0]["text"]) == 40_000
    await client.chat_update(channel="C0ALERTS", ts=posted["ts"], text="x" * 4000)
    long = client.chat_update(channel="C0ALERTS", ts=posted["ts"], text="x" * 4001)
    assert await refused(long) == "msg_too_long"


async def test_timestamps_never_repeat_though_the_clock_stands(client: AsyncWebClient) -> None:
    stamps = [(await client.chat_postMessage(channel="alerts", text=str(n)))["ts"] for n in range(5)]
    assert stamps == sorted(set(stamps))


async def test_a_form_is_read_like_json(client: AsyncWebClient, workspace: LocalWorkspace) -> None:
    await client.api_call(
        "chat.postMessage",
        data={"channel": "alerts", "text": "x", "blocks": '[{"type": "divider", "block_id": "d"}]'},
    )
    assert workspace.messages("alerts")[0]["blocks"] == [{"type": "divider", "block_id": "d"}]


# Editing


async def test_an_edit_keeps_what_it_does_not_name(client: AsyncWebClient, workspace: LocalWorkspace) -> None:
    metadata = {"event_type": "alert", "event_payload": {"key": "7"}}
    posted = await client.chat_postMessage(
        channel="alerts", text="a", blocks=[section()], attachments=[{"text": "b"}], metadata=metadata
    )
    await client.chat_update(channel=posted["channel"], ts=posted["ts"], text="c", attachments=[])
    (message,) = workspace.messages("alerts")
    assert message["text"] == "c"
    assert message["blocks"][0]["text"]["text"] == "Hello"
    assert "attachments" not in message
    assert message["metadata"] == metadata
    assert message["edited"]["ts"] > message["ts"]


async def test_only_the_apps_own_messages_can_be_edited_or_deleted(
    client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    said = await workspace.say("alerts", "mine")
    assert await refused(client.chat_update(channel="C0ALERTS", ts=said["ts"], text="x")) == (
        "cant_update_message"
    )
    assert await refused(client.chat_delete(channel="C0ALERTS", ts=said["ts"])) == "cant_delete_message"
    assert await refused(client.chat_update(channel="C0ALERTS", ts="1.1", text="x")) == "message_not_found"
    assert await refused(client.chat_update(channel="alerts", ts=said["ts"], text="x")) == (
        "channel_not_found"
    )


async def test_nothing_in_an_archived_channel_can_be_edited(
    client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    posted = await client.chat_postMessage(channel="alerts", text="x")
    workspace.archive_channel("alerts")
    assert await refused(client.chat_update(channel="C0ALERTS", ts=posted["ts"], text="y")) == "is_inactive"


async def test_deleting_the_root_leaves_its_thread(client: AsyncWebClient, workspace: LocalWorkspace) -> None:
    root = await client.chat_postMessage(channel="alerts", text="root")
    alone = await client.chat_postMessage(channel="alerts", text="alone")
    await client.chat_postMessage(channel="alerts", text="reply", thread_ts=root["ts"])
    for each in (root, alone):
        await client.chat_delete(channel="C0ALERTS", ts=each["ts"])
    (message,) = workspace.messages("alerts")
    assert (message["subtype"], message["reply_count"]) == ("tombstone", 1)
    gone = client.chat_update(channel="C0ALERTS", ts=root["ts"], text="x")
    assert await refused(gone) == "message_not_found"


# Reading


async def test_history_is_read_newest_first_in_pages_and_without_replies(client: AsyncWebClient) -> None:
    posted = [await client.chat_postMessage(channel="alerts", text=str(n)) for n in range(5)]
    await client.chat_postMessage(channel="alerts", text="reply", thread_ts=posted[0]["ts"])
    first = await client.conversations_history(channel="C0ALERTS", limit=3)
    assert [m["text"] for m in first["messages"]] == ["4", "3", "2"]
    assert first["has_more"]
    cursor = first["response_metadata"]["next_cursor"]
    second = await client.conversations_history(channel="C0ALERTS", limit=3, cursor=cursor)
    assert [m["text"] for m in second["messages"]] == ["1", "0"]
    assert not second["has_more"]
    assert second["messages"][1]["reply_count"] == 1


async def test_history_is_bounded_by_time(client: AsyncWebClient) -> None:
    stamps = [(await client.chat_postMessage(channel="alerts", text=str(n)))["ts"] for n in range(4)]

    async def texts(**bounds: Any) -> str:
        found = await client.conversations_history(channel="C0ALERTS", **bounds)
        return "".join(m["text"] for m in found["messages"])

    assert await texts(oldest=stamps[1]) == "32"
    assert await texts(oldest=stamps[1], inclusive=True) == "321"
    assert await texts(latest=stamps[2]) == "10"
    assert await texts(oldest=stamps[1], latest=stamps[2], inclusive=True) == "21"
    assert await texts(oldest="0") == "3210"
    assert await refused(client.conversations_history(channel="C0ALERTS", oldest="soon")) == (
        "invalid_ts_oldest"
    )


async def test_metadata_is_shown_only_when_it_is_asked_for(client: AsyncWebClient) -> None:
    metadata = {"event_type": "alert", "event_payload": {"key": "7"}}
    await client.chat_postMessage(channel="alerts", text="x", metadata=metadata)
    plain = await client.conversations_history(channel="C0ALERTS")
    full = await client.conversations_history(channel="C0ALERTS", include_all_metadata=True)
    assert "metadata" not in plain["messages"][0]
    assert full["messages"][0]["metadata"] == metadata


async def test_replies_begin_with_the_root(client: AsyncWebClient) -> None:
    root = await client.chat_postMessage(channel="alerts", text="root")
    for n in range(3):
        await client.chat_postMessage(channel="alerts", text=str(n), thread_ts=root["ts"])
    thread = await client.conversations_replies(channel="C0ALERTS", ts=root["ts"])
    assert [m["text"] for m in thread["messages"]] == ["root", "0", "1", "2"]
    assert thread["messages"][1]["parent_user_id"] == "U0TOCSIN"
    missing = client.conversations_replies(channel="C0ALERTS", ts="1.000001")
    assert await refused(missing) == "thread_not_found"


async def test_history_needs_membership_and_the_channels_scope(
    client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    assert await refused(client.conversations_history(channel="C0RANDOM")) == "not_in_channel"
    private = workspace.add_channel("secret", is_private=True)
    assert (await client.conversations_history(channel=private))["ok"]
    workspace.remove_scope("groups:history")
    assert await refused(client.conversations_history(channel=private)) == "missing_scope"


async def test_channels_are_listed_in_pages(client: AsyncWebClient, workspace: LocalWorkspace) -> None:
    for n in range(5):
        workspace.add_channel(f"team-{n}", is_private=n == 4)
    workspace.archive_channel("team-0")
    names: list[str] = []
    cursor = ""
    while True:
        page = await client.conversations_list(
            limit=2, cursor=cursor, exclude_archived=True, types="public_channel,private_channel"
        )
        names += [channel["name"] for channel in page["channels"]]
        cursor = page["response_metadata"]["next_cursor"]
        if not cursor:
            break
    assert sorted(names) == ["alerts", "general", "random", "team-1", "team-2", "team-3", "team-4"]
    assert await refused(client.conversations_list(cursor="bogus")) == "invalid_cursor"


async def test_people_and_groups_can_be_looked_up(client: AsyncWebClient) -> None:
    assert (await client.users_info(user="U0ALEX"))["user"]["name"] == "alex"
    assert await refused(client.users_info(user="U0NOBODY")) == "user_not_found"
    assert len((await client.users_list())["members"]) == 4
    groups = await client.usergroups_list(include_users=True)
    assert groups["usergroups"][0]["users"] == ["U0ALEX", "U0SAM"]
    assert "users" not in (await client.usergroups_list())["usergroups"][0]
    assert (await client.usergroups_users_list(usergroup="S0ONCALL"))["users"] == ["U0ALEX", "U0SAM"]
    assert await refused(client.usergroups_users_list(usergroup="S0NONE")) == "no_such_subteam"
    assert (await client.bots_info(bot="B0TOCSIN"))["bot"]["user_id"] == "U0TOCSIN"


# Channels


async def test_an_incident_channel_lives_and_ends(client: AsyncWebClient, workspace: LocalWorkspace) -> None:
    channel = (await client.conversations_create(name="inc-7"))["channel"]["id"]
    await client.conversations_invite(channel=channel, users="U0ALEX,U0SAM")
    await client.conversations_setTopic(channel=channel, topic="Checkout is down")
    await client.conversations_rename(channel=channel, name="inc-7-checkout")
    found = (await client.conversations_info(channel=channel, include_num_members=True))["channel"]
    assert (found["name"], found["topic"]["value"], found["num_members"]) == (
        "inc-7-checkout",
        "Checkout is down",
        3,
    )
    assert await refused(client.conversations_create(name="alerts")) == "name_taken"
    assert await refused(client.conversations_create(name="Not Allowed")) == "invalid_name_specials"
    assert await refused(client.conversations_create(name="a" * 81)) == "invalid_name_maxlength"
    made_by = {each["name"]: each["creator"] for each in (await client.conversations_list())["channels"]}
    assert (made_by["inc-7-checkout"], made_by["alerts"]) == ("U0TOCSIN", "U0KIM")
    again = client.conversations_invite(channel=channel, users="U0SAM")
    assert await refused(again) == "already_in_channel"
    await client.conversations_archive(channel=channel)
    assert await refused(client.conversations_archive(channel=channel)) == "already_archived"
    assert await refused(client.chat_postMessage(channel=channel, text="x")) == "is_archived"


async def test_reactions_pins_and_joining_need_their_scopes(
    client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    workspace.remove_scope("pins:write")
    posted = await client.chat_postMessage(channel="alerts", text="x")
    place = {"channel": posted["channel"], "timestamp": posted["ts"]}
    assert await refused(client.reactions_add(name="eyes", **place)) == "missing_scope"
    assert await refused(client.pins_add(**place)) == "missing_scope"
    assert await refused(client.conversations_join(channel="C0RANDOM")) == "missing_scope"
    workspace.grant_scope("reactions:write", "pins:write", "channels:join")
    await client.reactions_add(name="eyes", **place)
    assert await refused(client.reactions_add(name="eyes", **place)) == "already_reacted"
    await client.pins_add(**place)
    assert await refused(client.pins_add(**place)) == "already_pinned"
    (shown, *_) = (await client.conversations_history(channel="C0ALERTS"))["messages"]
    assert shown["pinned_to"] == ["C0ALERTS"]
    await client.conversations_join(channel="C0RANDOM")
    assert (await client.conversations_history(channel="C0RANDOM"))["ok"]


# Views, files, answers


async def test_a_view_changed_meanwhile_is_not_overwritten(client: AsyncWebClient) -> None:
    home = {"type": "home", "blocks": [section()]}
    first = (await client.views_publish(user_id="U0ALEX", view=home))["view"]
    await client.views_publish(user_id="U0ALEX", view=home, hash=first["hash"])
    stale = client.views_publish(user_id="U0ALEX", view=home, hash=first["hash"])
    assert await refused(stale) == "hash_conflict"
    assert await refused(client.views_update(view_id="V0NONE", view=home)) == "not_found"
    assert await refused(client.views_publish(user_id="U0NOBODY", view=home)) == "user_not_found"


async def test_a_file_is_uploaded_and_shared(client: AsyncWebClient, workspace: LocalWorkspace) -> None:
    root = await client.chat_postMessage(channel="alerts", text="root")
    await client.files_upload_v2(
        channel="C0ALERTS", content="all the logs", filename="run.log", title="Logs", thread_ts=root["ts"]
    )
    (reply,) = workspace.replies("alerts", root["ts"])
    (file,) = reply["files"]
    assert (file["name"], file["title"], file["size"]) == ("run.log", "Logs", 12)
    async with aiohttp.ClientSession() as session, session.get(file["url_private"]) as response:
        assert await response.text() == "all the logs"
        assert response.headers["Content-Security-Policy"].startswith("sandbox")


async def test_a_file_goes_only_where_the_app_is(client: AsyncWebClient) -> None:
    outside = client.files_upload_v2(channel="C0RANDOM", content="x", filename="x.txt")
    assert await refused(outside) == "not_in_channel"
    unknown = client.files_completeUploadExternal(files=[{"id": "F0NONE"}])
    assert await refused(unknown) == "file_not_found"


async def test_a_response_url_works_five_times_in_thirty_minutes(
    client: AsyncWebClient, workspace: LocalWorkspace, clock: ShiftedClock
) -> None:
    async def answer(url: str, body: Json) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
            return response.status, await response.text()

    used = workspace.core.issue_response_url("C0ALERTS", "U0ALEX")
    for _ in range(5):
        assert await answer(used, {"text": "x"}) == (200, "ok")
    status, body = await answer(used, {"text": "x"})
    assert (status, "used_url" in body) == (404, True)
    assert len(workspace.ephemerals("U0ALEX", "alerts")) == 5

    old = workspace.core.issue_response_url("C0ALERTS", "U0ALEX")
    clock.shift(timedelta(minutes=30, seconds=1))
    status, body = await answer(old, {"text": "x"})
    assert (status, "expired_url" in body) == (404, True)
    assert (await answer(f"{workspace.url}/response/none", {"text": "x"}))[0] == 404


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "no_text"),
        ({"text": "x", "blocks": [section("x" * 3001)]}, "invalid_blocks"),
        ({"text": "x", "response_type": "loud"}, "invalid_response_type"),
        ({"delete_original": True}, "message_not_found"),
    ],
)
async def test_a_response_slack_could_not_show_is_refused(
    workspace: LocalWorkspace, body: Json, error: str
) -> None:
    url = workspace.core.issue_response_url("C0ALERTS", "U0ALEX")
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        assert response.status >= 400
        assert (await response.json())["error"] == error


# Nonsense


@pytest.mark.parametrize(
    ("method", "content_type", "body", "error"),
    [
        ("no.such.method", "application/json", b"{}", "unknown_method"),
        ("chat.postMessage", "application/json", b"{", "invalid_json"),
        ("chat.postMessage", "application/json", b"[" * 100_000, "invalid_json"),
        ("chat.postMessage", "application/json", b"[1]", "json_not_object"),
        ("chat.postMessage", "text/plain", b"hello", "invalid_post_type"),
        ("chat.postMessage", "application/json", b"\xff\xfe", "invalid_charset"),
        ("chat.postMessage", "application/json", b'{"channel": {"a": 1}}', "invalid_arguments"),
        ("chat.postMessage", "application/json", b'{"channel": "alerts", "text": []}', "invalid_arguments"),
        ("chat.postMessage", "application/json", b'{"channel": "alerts", "blocks": [[]]}', "invalid_blocks"),
        (
            "chat.postMessage",
            "application/json",
            b'{"channel": "alerts", "attachments": [7]}',
            "invalid_attachments",
        ),
        (
            "chat.postMessage",
            "application/json",
            b'{"channel": "alerts", "attachments": [{"blocks": 7}]}',
            "invalid_attachments",
        ),
        (
            "conversations.history",
            "application/json",
            b'{"channel": "C0ALERTS", "limit": {}}',
            "invalid_arguments",
        ),
        (
            "conversations.history",
            "application/json",
            b'{"channel": "C0ALERTS", "oldest": "nan"}',
            "invalid_ts_oldest",
        ),
        ("views.open", "application/json", b'{"trigger_id": "x", "view": {"type": []}}', "invalid_arguments"),
        ("conversations.list", "application/json", b'{"limit": Infinity}', "invalid_arguments"),
        (
            "chat.postMessage",
            "application/json",
            b'{"channel": "alerts", "attachments": [{"a": ' + b"[" * 900 + b"]" * 900 + b"}]}",
            "invalid_arguments",
        ),
        ("files.completeUploadExternal", "application/json", b'{"files": [7]}', "invalid_arguments"),
    ],
)
async def test_nonsense_gets_a_clean_refusal(
    workspace: LocalWorkspace, method: str, content_type: str, body: bytes, error: str
) -> None:
    headers = {"Authorization": f"Bearer {workspace.bot_token}", "Content-Type": content_type}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{workspace.api_url}{method}", data=body, headers=headers) as response,
    ):
        assert response.status == 200
        assert (await response.json())["error"] == error


async def test_every_call_is_in_the_log(client: AsyncWebClient, workspace: LocalWorkspace) -> None:
    await client.chat_postMessage(channel="alerts", text="x", blocks=[ACTIONS])
    await refused(client.chat_postMessage(channel="nowhere", text="x"))
    assert [call.outcome for call in workspace.calls_of("chat.postMessage")] == ["ok", "channel_not_found"]
    assert workspace.calls[0].args["text"] == "x"
    assert all("token" not in call.args for call in workspace.calls)
