"""An unchanged Bolt app lives in the workspace: commands, buttons, modals, the home tab, messages."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import LocalWorkspace, NotOffered
from tests.workspace_client import ACTIONS, ShiftedClock, connected, modal, section, text_input


async def test_a_command_is_answered_to_its_user_alone(workspace: LocalWorkspace, app: AsyncApp) -> None:
    @app.command("/greet")
    async def greet(ack: Any, command: dict[str, Any]) -> None:
        await ack(f"Hello {command['user_name']}, you said {command['text']}")

    async with connected(workspace, app):
        outcome = await workspace.command("general", "/greet", "good morning", user="U0SAM")

    assert outcome.ok
    assert [m["text"] for m in workspace.ephemerals("U0SAM", "general")] == [
        "Hello sam, you said good morning"
    ]
    assert workspace.ephemerals("U0ALEX", "general") == []
    assert workspace.messages("general") == []


async def test_a_command_can_be_answered_for_all(workspace: LocalWorkspace, app: AsyncApp) -> None:
    @app.command("/greet")
    async def greet(ack: Any) -> None:
        await ack({"response_type": "in_channel", "text": "Hello all"})

    async with connected(workspace, app):
        await workspace.command("general", "/greet")

    assert [m["text"] for m in workspace.messages("general")] == ["Hello all"]


async def test_an_answer_slack_could_not_show_is_a_failed_command(
    workspace: LocalWorkspace, app: AsyncApp
) -> None:
    @app.command("/greet")
    async def greet(ack: Any) -> None:
        await ack({"text": "Hello", "blocks": [section("x" * 3001)]})

    async with connected(workspace, app):
        outcome = await workspace.command("general", "/greet")

    assert outcome.error == "invalid_command_response"
    assert workspace.ephemerals("U0ALEX", "general") == []


async def test_a_command_nobody_acknowledges_times_out(workspace: LocalWorkspace, app: AsyncApp) -> None:
    workspace.core.hub.ack_timeout = 0.1

    @app.command("/sleep")
    async def sleep(ack: Any) -> None:
        await asyncio.Event().wait()

    async with connected(workspace, app):
        outcome = await workspace.command("general", "/sleep")

    assert outcome.error == "operation_timeout"


async def test_without_a_connection_a_command_fails_at_once(workspace: LocalWorkspace) -> None:
    assert (await workspace.command("general", "/greet")).error == "dispatch_failed"


async def test_a_command_that_is_not_registered_is_not_sent(workspace: LocalWorkspace) -> None:
    workspace.register_commands([{"command": "/greet", "description": "Greets"}])
    assert (await workspace.command("general", "/other")).error == "unknown_command"


def test_commands_slack_keeps_for_itself_cannot_be_registered() -> None:
    workspace = LocalWorkspace()
    with pytest.raises(ValueError, match="/status"):
        workspace.register_commands(["/tocsin", "/status"])


async def test_a_button_press_carries_its_value_and_message(
    workspace: LocalWorkspace, app: AsyncApp, client: AsyncWebClient
) -> None:
    seen: list[dict[str, Any]] = []

    @app.action("press")
    async def press(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        seen.append(body)

    posted = await client.chat_postMessage(channel="#alerts", text="Fire", blocks=[ACTIONS])
    async with connected(workspace, app):
        outcome = await workspace.click("alerts", posted["ts"], "press", user="U0SAM")

    assert outcome.ok
    (body,) = seen
    assert body["actions"][0]["value"] == "7"
    assert body["actions"][0]["block_id"] == "row"
    assert body["user"]["id"] == "U0SAM"
    assert body["message"]["ts"] == posted["ts"]
    assert body["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": "C0ALERTS",
        "is_ephemeral": False,
    }


async def test_a_press_can_replace_the_message_it_was_made_on(
    workspace: LocalWorkspace, app: AsyncApp, client: AsyncWebClient
) -> None:
    @app.action("press")
    async def press(ack: Any, respond: Any) -> None:
        await ack()
        await respond(text="Done", replace_original=True)

    posted = await client.chat_postMessage(channel="alerts", text="Fire", blocks=[ACTIONS])
    async with connected(workspace, app):
        await workspace.click("alerts", posted["ts"], "press")
        await workspace.wait_for(lambda: workspace.messages("alerts")[0]["text"] == "Done")

    (message,) = workspace.messages("alerts")
    assert "blocks" not in message
    assert message["edited"]["user"] == "U0TOCSIN"


async def test_an_ephemeral_press_comes_without_the_message_and_can_remove_it(
    workspace: LocalWorkspace, app: AsyncApp, client: AsyncWebClient
) -> None:
    seen: list[dict[str, Any]] = []

    @app.action("press")
    async def press(ack: Any, respond: Any, body: dict[str, Any]) -> None:
        await ack()
        seen.append(body)
        await respond(delete_original=True)

    posted = await client.chat_postEphemeral(
        channel="C0ALERTS", user="U0KIM", text="Only you", blocks=[ACTIONS]
    )
    async with connected(workspace, app):
        await workspace.click("alerts", posted["message_ts"], "press", user="U0KIM")
        await workspace.wait_for(lambda: not workspace.ephemerals("U0KIM", "alerts"))

    assert seen[0]["container"]["is_ephemeral"] is True
    assert "message" not in seen[0]


async def test_a_button_inside_an_attachment_can_be_pressed(
    workspace: LocalWorkspace, app: AsyncApp, client: AsyncWebClient
) -> None:
    containers: list[str] = []

    @app.action("press")
    async def press(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        containers.append(body["container"]["type"])

    posted = await client.chat_postMessage(
        channel="alerts", text="Fire", attachments=[{"color": "#a30200", "blocks": [ACTIONS]}]
    )
    async with connected(workspace, app):
        await workspace.click("alerts", posted["ts"], "press")

    assert containers == ["message_attachment"]
    assert workspace.messages("alerts")[0]["attachments"][0]["color"] == "a30200"


async def test_only_what_a_menu_offers_can_be_chosen(
    workspace: LocalWorkspace, app: AsyncApp, client: AsyncWebClient
) -> None:
    chosen: list[Any] = []

    @app.action("for")
    async def choose(ack: Any, action: dict[str, Any]) -> None:
        await ack()
        chosen.append(action["selected_option"]["value"])

    menu = {
        "type": "static_select",
        "action_id": "for",
        "options": [{"text": {"type": "plain_text", "text": "An hour"}, "value": "1h"}],
    }
    posted = await client.chat_postMessage(
        channel="alerts", text="Silence", blocks=[{"type": "actions", "elements": [menu]}]
    )
    async with connected(workspace, app):
        await workspace.choose("alerts", posted["ts"], "for", "1h")
        with pytest.raises(NotOffered, match="offers 1h"):
            await workspace.choose("alerts", posted["ts"], "for", "2h")
        with pytest.raises(NotOffered, match="no other to press"):
            await workspace.click("alerts", posted["ts"], "other")

    assert chosen == ["1h"]


async def _opening(app: AsyncApp, view: dict[str, Any]) -> None:
    @app.command("/form")
    async def form(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=view)


async def test_a_modal_is_submitted_with_what_was_typed(workspace: LocalWorkspace, app: AsyncApp) -> None:
    submitted: list[dict[str, Any]] = []
    await _opening(app, modal(text_input(), private_metadata="alert 7"))

    @app.view("form")
    async def receive(ack: Any, view: dict[str, Any]) -> None:
        await ack()
        submitted.append(view)

    async with connected(workspace, app):
        await workspace.command("general", "/form")
        view = await workspace.wait_for(workspace.open_view)
        assert view is not None
        outcome = await workspace.submit(view["id"], {"reason": "Deploying"})

    assert outcome.ok
    assert workspace.open_view() is None
    assert submitted[0]["private_metadata"] == "alert 7"
    assert submitted[0]["state"]["values"] == {
        "reason": {"typed": {"type": "plain_text_input", "value": "Deploying"}}
    }


async def test_errors_keep_the_modal_open_until_they_are_mended(
    workspace: LocalWorkspace, app: AsyncApp
) -> None:
    await _opening(app, modal(text_input()))

    @app.view("form")
    async def receive(ack: Any, view: dict[str, Any]) -> None:
        if view["state"]["values"]["reason"]["typed"]["value"] == "no":
            await ack(response_action="errors", errors={"reason": "Say more"})
        else:
            await ack()

    async with connected(workspace, app):
        await workspace.command("general", "/form")
        view = await workspace.wait_for(workspace.open_view)
        assert view is not None
        refused = await workspace.submit(view["id"], {"reason": "no"})
        assert (refused.ok, refused.response_action) == (False, "errors")
        assert refused.errors == {"reason": "Say more"}
        assert workspace.open_view() is not None
        assert (await workspace.submit(view["id"], {"reason": "because"})).ok

    assert workspace.open_view() is None


async def test_an_empty_required_input_never_reaches_the_app(
    workspace: LocalWorkspace, app: AsyncApp
) -> None:
    await _opening(app, modal(text_input(), text_input("note", optional=True)))
    async with connected(workspace, app):
        await workspace.command("general", "/form")
        view = await workspace.wait_for(workspace.open_view)
        assert view is not None
        outcome = await workspace.submit(view["id"])

    assert outcome.errors == {"reason": "Please complete this required field."}
    assert not any(each["payload"].get("type") == "view_submission" for each in workspace.envelopes)


async def test_a_submission_can_push_update_and_clear(workspace: LocalWorkspace, app: AsyncApp) -> None:
    await _opening(app, modal(section()))
    second = modal(section("Second"), callback_id="second")
    third = modal(section("Third"), callback_id="third")

    @app.view("form")
    async def push(ack: Any) -> None:
        await ack(response_action="push", view=second)

    @app.view("second")
    async def update(ack: Any) -> None:
        await ack(response_action="update", view=third)

    @app.view("third")
    async def clear(ack: Any) -> None:
        await ack(response_action="clear")

    async with connected(workspace, app):
        await workspace.command("general", "/form")
        first = await workspace.wait_for(workspace.open_view)
        assert first is not None
        assert (await workspace.submit(first["id"])).ok
        pushed = workspace.open_view()
        assert pushed is not None
        assert pushed["previous_view_id"] == first["id"]
        with pytest.raises(NotOffered, match="covers"):
            await workspace.submit(first["id"])
        assert (await workspace.submit(pushed["id"])).ok
        updated = workspace.open_view()
        assert updated is not None
        assert (updated["id"], updated["callback_id"]) == (pushed["id"], "third")
        assert (await workspace.submit(updated["id"])).ok

    assert workspace.open_view() is None


@pytest.mark.parametrize(
    "response",
    [
        {"response_action": "errors", "errors": {"nowhere": "No such block"}},
        {"response_action": "update", "view": {"type": "modal"}},
        {"response_action": "vanish"},
    ],
)
async def test_a_response_slack_cannot_follow_is_trouble_for_the_user(
    workspace: LocalWorkspace, app: AsyncApp, response: dict[str, Any]
) -> None:
    await _opening(app, modal(text_input()))

    @app.view("form")
    async def receive(ack: Any) -> None:
        await ack(**response)

    async with connected(workspace, app):
        await workspace.command("general", "/form")
        view = await workspace.wait_for(workspace.open_view)
        assert view is not None
        outcome = await workspace.submit(view["id"], {"reason": "x"})

    assert outcome.error == "invalid_response"
    assert workspace.open_view() is not None


async def test_closing_a_modal_is_told_when_it_was_asked_for(
    workspace: LocalWorkspace, app: AsyncApp
) -> None:
    closed = asyncio.Event()
    await _opening(app, modal(section(), notify_on_close=True))

    @app.view_closed("form")
    async def hear(ack: Any) -> None:
        await ack()
        closed.set()

    async with connected(workspace, app):
        await workspace.command("general", "/form")
        view = await workspace.wait_for(workspace.open_view)
        assert view is not None
        assert (await workspace.close_view(view["id"])).ok

    assert closed.is_set()
    assert workspace.open_view() is None


async def test_the_home_tab_is_published_when_it_is_opened(workspace: LocalWorkspace, app: AsyncApp) -> None:
    @app.event("app_home_opened")
    async def opened(event: dict[str, Any], client: AsyncWebClient) -> None:
        await client.views_publish(
            user_id=event["user"], view={"type": "home", "blocks": [section("All nominal"), ACTIONS]}
        )

    @app.action("press")
    async def press(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal(section()))

    async with connected(workspace, app):
        await workspace.open_home("U0KIM")
        home = await workspace.wait_for(lambda: workspace.home("U0KIM"))
        assert home is not None
        await workspace.click_in_view(home["id"], "press", user="U0KIM")
        assert await workspace.wait_for(lambda: workspace.open_view("U0KIM"))

    assert home["blocks"][0]["text"]["text"] == "All nominal"
    assert workspace.home("U0ALEX") is None


async def test_the_app_hears_messages_and_mentions_where_it_is(
    workspace: LocalWorkspace, app: AsyncApp
) -> None:
    heard: list[tuple[str, str, str]] = []

    @app.event("message")
    async def message(event: dict[str, Any]) -> None:
        heard.append(("message", event["channel_type"], event["text"]))

    @app.event("app_mention")
    async def mention(event: dict[str, Any]) -> None:
        heard.append(("mention", event["channel"], event["text"]))

    async with connected(workspace, app):
        await workspace.say("general", "heartbeat_check")
        await workspace.mention("random", "the app is not in here")
        await workspace.say(workspace.direct("U0SAM"), "help", user="U0SAM")
        await workspace.mention("alerts", "status")

    assert sorted(heard) == [
        ("mention", "C0ALERTS", "<@U0TOCSIN> status"),
        ("message", "channel", "<@U0TOCSIN> status"),
        ("message", "channel", "heartbeat_check"),
        ("message", "im", "help"),
    ]


async def test_the_apps_own_messages_do_not_wake_it(
    workspace: LocalWorkspace, app: AsyncApp, client: AsyncWebClient
) -> None:
    heard: list[str] = []

    @app.event("message")
    async def message(event: dict[str, Any]) -> None:
        heard.append(event["text"])

    async with connected(workspace, app):
        await client.chat_postMessage(channel="general", text="from the app")
        await workspace.say("general", "from a person")

    assert heard == ["from a person"]


async def test_a_trigger_lives_three_seconds_and_opens_one_view(
    workspace: LocalWorkspace, app: AsyncApp, client: AsyncWebClient, clock: ShiftedClock
) -> None:
    triggers: list[str] = []

    @app.command("/form")
    async def form(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        triggers.append(body["trigger_id"])

    async with connected(workspace, app):
        await workspace.command("general", "/form")
        await workspace.command("general", "/form")

    await client.views_open(trigger_id=triggers[0], view=modal(section()))
    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        await client.views_open(trigger_id=triggers[0], view=modal(section()))
    clock.shift(timedelta(seconds=3.1))
    with pytest.raises(SlackApiError, match="expired_trigger_id"):
        await client.views_open(trigger_id=triggers[1], view=modal(section()))
    with pytest.raises(SlackApiError, match="invalid_trigger_id"):
        await client.views_open(trigger_id="made.up", view=modal(section()))
