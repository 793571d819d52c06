"""People use the workspace's page in a real browser, with a real Bolt app behind it."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    BrowserContext,
    Error,
    Locator,
    Page,
    Route,
    async_playwright,
    expect,
)
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import LocalWorkspace
from tests.workspace_client import ShiftedClock, connected, modal, section, text_input

# One event loop for the whole file, because the browser lives on it and takes long to start.
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
# Only a failure waits so long: machines that run tests are often busy with more.
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Chromium asks its maker for updates unless it is told not to.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 360, "height": 740}
HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\"> <script>document.title='owned'</script> "
    "<javascript:alert(1)|press> <https://a.example/\"onmouseover=\"document.title='owned'|link>"
)


def button(text: str, action_id: str, **parts: Any) -> dict[str, Any]:
    label = {"type": "plain_text", "text": text}
    return {"type": "button", "action_id": action_id, "text": label, "value": "1", **parts}


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "block_id": "row", "elements": list(elements)}


def option(text: str) -> dict[str, Any]:
    return {"text": {"type": "plain_text", "text": text}, "value": text.lower()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One process for all tests; each opens windows that know nothing of the others'."""
    async with async_playwright() as playwright:
        installed = next((path for name in NAMES if (path := shutil.which(name))), None)
        try:
            running = await playwright.chromium.launch(executable_path=installed, args=ARGUMENTS)
        except Error as error:
            if "CI" in os.environ:
                raise
            pytest.skip(f"no Chromium: {error.message.splitlines()[0]}")
        yield running
        await running.close()


class Visit:
    """Pages on the workspace, and everything wrong they did: errors, and requests to anywhere else."""

    def __init__(self, browser: Browser, workspace: LocalWorkspace) -> None:
        self.browser = browser
        self.workspace = workspace
        self.wrong: list[str] = []
        self._contexts: list[BrowserContext] = []

    async def open(self, user: str = "U0ALEX", place: str = "C0ALERTS", size: dict[str, int] = WIDE) -> Page:
        """A new window at a place, ready to be used."""
        context = await self.browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            has_touch=size is NARROW,
            is_mobile=size is NARROW,
            timezone_id="Asia/Tokyo",
            reduced_motion="reduce",
        )
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        await page.route(lambda address: not address.startswith(self.workspace.url), self._refuse)
        await page.goto(f"{self.workspace.url}/?user={user}#/{place}")
        await expect(page.locator("#account")).to_contain_text("You are")
        return page

    async def leave(self) -> None:
        """Close every window."""
        for context in self._contexts:
            await context.close()

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.wrong.append(text)

    async def _refuse(self, route: Route) -> None:
        self.wrong.append(f"asked {route.request.url}")
        await route.abort()


@pytest_asyncio.fixture(loop_scope="module")
async def workspace(clock: ShiftedClock) -> AsyncIterator[LocalWorkspace]:
    """A fresh one for every test, on the browser's loop."""
    async with LocalWorkspace(clock=clock, ack_timeout=1.0) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser, workspace: LocalWorkspace) -> AsyncIterator[Visit]:
    visit = Visit(browser, workspace)
    yield visit
    wrong = list(visit.wrong)
    await visit.leave()
    assert wrong == []


def message(page: Page, text: str) -> Locator:
    return page.locator("#main .message", has_text=text)


def composer(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message #alerts")


async def post(client: AsyncWebClient, **content: Any) -> str:
    return str((await client.chat_postMessage(channel="C0ALERTS", **content))["ts"])


async def test_a_message_posted_by_the_app_appears_at_once(visit: Visit, client: AsyncWebClient) -> None:
    page = await visit.open()
    await post(client, text="*Checkout* is `down` :red_circle: &lt;503&gt;")
    shown = message(page, "Checkout is down")
    await expect(shown.locator("strong")).to_have_text("Checkout")
    await expect(shown.locator("code")).to_have_text("down")
    await expect(shown.get_by_role("img", name="red circle emoji")).to_be_visible()
    await expect(shown).to_contain_text("<503>")
    await expect(page.locator("#news")).to_contain_text("Checkout is down")


async def test_what_a_person_writes_reaches_the_app_in_slacks_form(
    visit: Visit, workspace: LocalWorkspace
) -> None:
    page = await visit.open()
    await composer(page).fill("@tocsin 1 < 2")
    await composer(page).press("Shift+Enter")
    await composer(page).type("second line")
    await composer(page).press("Enter")
    await expect(message(page, "second line")).to_contain_text("@tocsin 1 < 2")
    await expect(composer(page)).to_have_value("")
    assert workspace.messages("alerts")[-1]["text"] == "<@U0TOCSIN> 1 &lt; 2\nsecond line"


async def test_pressing_a_button_reaches_the_app_and_its_edit_shows_in_place(
    visit: Visit, app: AsyncApp, client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    @app.action("ack")
    async def acknowledge(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        who = f"<@{body['user']['id']}> has it"
        await client.chat_update(
            channel="C0ALERTS", ts=body["message"]["ts"], text=who, blocks=[section(who)], attachments=[]
        )

    row = actions(button("Acknowledge", "ack", style="primary"))
    await post(client, text="Down", attachments=[{"color": "#a30200", "blocks": [section("Down"), row]}])
    page = await visit.open()
    bar = page.locator(".attachment-bar")
    await expect(bar).to_have_css("background-color", "rgb(163, 2, 0)")
    async with connected(workspace, app):
        await page.get_by_role("button", name="Acknowledge").press("Enter")
        await expect(message(page, "@alex has it")).to_contain_text("(edited)")
    await expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)


async def test_a_button_the_app_does_not_answer_says_so(
    visit: Visit, client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    await post(client, text="Down", blocks=[actions(button("Acknowledge", "ack"))])
    page = await visit.open()
    await page.get_by_role("button", name="Acknowledge").click()
    await expect(page.get_by_role("alert")).to_contain_text("Tocsin did not respond")


async def test_an_action_that_asks_first_is_sent_only_after_yes(
    visit: Visit, app: AsyncApp, client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    pressed = []
    heard = asyncio.Event()

    @app.action("resolve")
    async def resolve(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        pressed.append(body["actions"][0]["value"])
        heard.set()

    confirm = {
        "title": {"type": "plain_text", "text": "Really?"},
        "text": {"type": "plain_text", "text": "It still fails."},
        "confirm": {"type": "plain_text", "text": "Do it"},
        "deny": {"type": "plain_text", "text": "Leave it"},
    }
    await post(client, text="Down", blocks=[actions(button("Resolve", "resolve", confirm=confirm))])
    page = await visit.open()
    resolve_button = page.get_by_role("button", name="Resolve")
    async with connected(workspace, app):
        await resolve_button.click()
        await expect(page.get_by_role("dialog", name="Really?")).to_contain_text("It still fails.")
        await page.get_by_role("button", name="Leave it").click()
        await expect(resolve_button).to_be_focused()
        assert pressed == []
        await resolve_button.click()
        await page.get_by_role("button", name="Do it").click()
        await asyncio.wait_for(heard.wait(), PATIENCE_MS / 1000)
        await expect(resolve_button).not_to_have_attribute("aria-busy", "true")
    assert pressed == ["1"]


async def test_menus_are_used_with_the_keyboard_alone(
    visit: Visit, app: AsyncApp, client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    chosen = []

    @app.action(re.compile("assign|more"))
    async def choose(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        chosen.append(body["actions"][0]["selected_option"]["value"])

    select = {"type": "static_select", "action_id": "assign", "options": [option("Alex"), option("Sam")]}
    more = {"type": "overflow", "action_id": "more", "options": [option("History"), option("Note")]}
    await post(client, text="Down", blocks=[actions(select, more)])
    page = await visit.open()
    async with connected(workspace, app):
        menu = page.get_by_role("button", name="Choose")
        await menu.press("ArrowDown")
        await page.keyboard.type("sa")
        await page.keyboard.press("Enter")
        await expect(menu).to_have_text("Sam")
        await expect(menu).to_be_focused()
        await page.get_by_role("button", name="More actions").press("Enter")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("menu")).to_have_count(0)
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
    assert chosen == ["sam", "note"]


async def test_a_modal_shows_errors_at_the_input_and_closes_when_all_is_well(
    visit: Visit, app: AsyncApp, client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    reasons = []

    @app.action("silence")
    async def open_form(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal(text_input()))

    @app.view("form")
    async def submitted(ack: Any, view: dict[str, Any]) -> None:
        reason = view["state"]["values"]["reason"]["typed"]["value"]
        reasons.append(reason)
        if len(reason) < 5:
            await ack(response_action="errors", errors={"reason": "Say more."})
        else:
            await ack()

    await post(client, text="Down", blocks=[actions(button("Silence", "silence"))])
    page = await visit.open()
    async with connected(workspace, app):
        await page.get_by_role("button", name="Silence").click()
        field = page.get_by_role("textbox", name="Reason")
        await expect(field).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator(".input-error")).to_have_text("Please complete this required field.")
        await field.fill("eh")
        await page.get_by_role("dialog").get_by_role("button", name="Send").click()
        await expect(page.locator(".input-error")).to_have_text("Say more.")
        await expect(field).to_have_attribute("aria-invalid", "true")
        await field.fill("deploying")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("button", name="Silence")).to_be_focused()
    assert reasons == ["eh", "deploying"]


async def test_escape_closes_one_view_after_the_other_and_the_app_hears_of_it(
    visit: Visit, app: AsyncApp, client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    closed = []
    above = modal(section("Above"), notify_on_close=True, title={"type": "plain_text", "text": "Above"})

    @app.action("silence")
    async def open_form(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal(text_input()))

    @app.view("form")
    async def submitted(ack: Any) -> None:
        await ack(response_action="push", view=above)

    @app.view_closed("form")
    async def left(ack: Any, view: dict[str, Any]) -> None:
        await ack()
        closed.append(view["title"]["text"])

    await post(client, text="Down", blocks=[actions(button("Silence", "silence"))])
    page = await visit.open()
    async with connected(workspace, app):
        await page.get_by_role("button", name="Silence").click()
        await page.get_by_role("textbox", name="Reason").fill("deploying")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog", name="Above")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("textbox", name="Reason")).to_have_value("deploying")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await workspace.wait_for(lambda: workspace.open_view() is None)
    assert closed == ["Above"]


async def test_a_slash_command_is_completed_and_given_by_keyboard(
    visit: Visit, app: AsyncApp, workspace: LocalWorkspace
) -> None:
    @app.command("/tocsin-logs")
    async def logs(ack: Any, command: dict[str, Any]) -> None:
        await ack(f"The log of {command['text']}")

    hint = {"command": "/tocsin-logs", "description": "What a job wrote", "usage_hint": "JOB"}
    workspace.register_commands([{"command": "/tocsin", "description": "Everything"}, hint])
    page = await visit.open()
    async with connected(workspace, app):
        await composer(page).type("/to")
        await expect(page.get_by_role("option")).to_have_count(2)
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Tab")
        await expect(composer(page)).to_have_value("/tocsin-logs ")
        await expect(page.locator(".composer-usage")).to_contain_text("JOB")
        await page.keyboard.type("backup")
        await page.keyboard.press("Enter")
        answer = message(page, "The log of backup")
        await expect(answer).to_contain_text("Only visible to you")
        await answer.get_by_role("button", name="Dismiss").click()
        await expect(answer).to_have_count(0)


async def test_an_unknown_command_is_refused_and_not_lost(visit: Visit, workspace: LocalWorkspace) -> None:
    page = await visit.open()
    await composer(page).fill("/nope now")
    await composer(page).press("Enter")
    await expect(page.get_by_text("/nope is not a command")).to_be_visible()
    await expect(composer(page)).to_have_value("/nope now")
    assert workspace.messages("alerts") == []


async def test_a_thread_opens_beside_the_channel_and_takes_replies(
    visit: Visit, client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    ts = await post(client, text="Checkout is down")
    await post(client, text="still down", thread_ts=ts)
    page = await visit.open()
    await page.get_by_role("button", name="1 reply").click()
    thread = page.get_by_role("complementary", name="Thread")
    await expect(thread).to_contain_text("still down")
    await thread.get_by_role("textbox", name="Reply in thread").fill("looking")
    await page.keyboard.press("Enter")
    await expect(thread.locator(".message", has_text="looking")).to_be_visible()
    await expect(page.get_by_role("button", name="2 replies")).to_be_visible()
    await expect(message(page, "looking")).to_have_count(0)
    await page.keyboard.press("Escape")
    await expect(thread).to_have_count(0)
    assert [reply["text"] for reply in workspace.replies("alerts", ts)] == ["still down", "looking"]


async def test_an_ephemeral_message_is_seen_by_its_reader_alone(visit: Visit, client: AsyncWebClient) -> None:
    alex, sam = await visit.open("U0ALEX"), await visit.open("U0SAM")
    await client.chat_postEphemeral(channel="C0ALERTS", user="U0ALEX", text="not allowed")
    await post(client, text="for everybody")
    await expect(message(alex, "not allowed")).to_contain_text("Only visible to you")
    await expect(message(sam, "for everybody")).to_be_visible()
    await expect(message(sam, "not allowed")).to_have_count(0)


async def test_a_mention_elsewhere_is_counted_until_it_is_read(visit: Visit, client: AsyncWebClient) -> None:
    page = await visit.open()
    await client.chat_postMessage(channel="C0GENERAL", text="<!subteam^S0ONCALL> wake up")
    general = page.get_by_role("link", name="general (1 mention)")
    await expect(general).to_be_visible()
    await expect(page).to_have_title("(1) Tocsin · local workspace")
    await general.click()
    await expect(message(page, "wake up")).to_be_visible()
    await expect(page).to_have_title("Tocsin · local workspace")


async def test_a_reader_of_older_messages_is_not_pulled_away(visit: Visit, client: AsyncWebClient) -> None:
    for number in range(40):
        await post(client, text=f"line {number}")
    page = await visit.open()
    await expect(message(page, "line 39")).to_be_in_viewport()
    await page.locator("#main .timeline").evaluate("node => { node.scrollTop = 0; }")
    await expect(message(page, "line 0")).to_be_in_viewport()
    await post(client, text="the newest")
    pill = page.get_by_role("button", name="1 new message")
    await expect(pill).to_be_visible()
    await expect(message(page, "line 0")).to_be_in_viewport()
    await pill.click()
    await expect(message(page, "the newest")).to_be_in_viewport()
    await expect(pill).to_be_hidden()


async def test_the_home_tab_shows_what_the_app_publishes(
    visit: Visit, app: AsyncApp, workspace: LocalWorkspace
) -> None:
    @app.event("app_home_opened")
    async def opened(event: dict[str, Any], client: AsyncWebClient) -> None:
        home = {"type": "home", "blocks": [section("*All is well*")]}
        await client.views_publish(user_id=event["user"], view=home)

    page = await visit.open()
    async with connected(workspace, app):
        await page.get_by_role("link", name="Tocsin (app, connected)").click()
        await expect(page.get_by_role("region", name="Home of Tocsin")).to_contain_text("All is well")


async def test_a_chart_gives_its_figures_to_those_who_do_not_see_it(
    visit: Visit, client: AsyncWebClient
) -> None:
    points = [{"label": day, "value": value} for day, value in (("Mon", 210), ("Tue", 480))]
    chart = {
        "type": "line",
        "series": [{"name": "checkout", "data": points}],
        "axis_config": {"categories": ["Mon", "Tue"], "y_label": "ms"},
    }
    await post(client, text="p95", blocks=[{"type": "data_visualization", "title": "p95", "chart": chart}])
    page = await visit.open()
    picture = page.get_by_role("img", name="Line chart: p95. checkout: from 210 to 480, last 480")
    await expect(picture).to_be_visible()
    await page.get_by_text("Figures").click()
    await expect(page.get_by_role("row", name="Tue 480")).to_be_visible()


async def test_moments_stand_in_the_readers_time_zone(visit: Visit, client: AsyncWebClient) -> None:
    await post(client, text="since <!date^1767225600^{date_num} {time}|long ago>")
    page = await visit.open()
    moment = message(page, "since").locator(".message-text time")
    await expect(moment).to_have_text("2026-01-01 9:00 AM")
    await expect(moment).to_have_attribute("title", re.compile("Thursday, January 1, 2026.*Tokyo"))


async def test_hostile_text_is_only_text(visit: Visit, client: AsyncWebClient) -> None:
    rich = {"type": "rich_text_section", "elements": [{"type": "text", "text": HOSTILE}]}
    script_link = {"type": "link", "url": "javascript:document.title='owned'", "text": "press"}
    blocks: list[dict[str, Any]] = [
        section(HOSTILE),
        {"type": "header", "text": {"type": "plain_text", "text": "<script>document.title='owned'</script>"}},
        {"type": "rich_text", "elements": [rich, {"type": "rich_text_section", "elements": [script_link]}]},
        {"type": "markdown", "text": f"{HOSTILE} [press](javascript:alert(1))"},
    ]
    await post(client, text=HOSTILE, attachments=[{"text": HOSTILE, "title": HOSTILE, "color": "red;"}])
    await post(client, text="hostile", blocks=blocks)
    page = await visit.open()
    await expect(page.locator("#main .message")).to_have_count(2)
    await expect(page.locator("#main .message").first).to_contain_text("<img src=x onerror=")
    await expect(page).to_have_title("Tocsin · local workspace")
    assert await page.locator("#main :is(img, script, iframe)").count() == 0
    addresses = await page.locator("#main a").evaluate_all("links => links.map((a) => a.protocol)")
    assert set(addresses) <= {"http:", "https:", "mailto:"}
    assert (
        await page.evaluate("[...document.querySelectorAll('*')].some((e) => e.onmouseover || e.onerror)")
        is False
    )


async def test_a_block_nobody_knows_leaves_a_note(
    visit: Visit, client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    ts = await post(client, text="strange", blocks=[section("before")])
    stored = workspace.core.state.message("C0ALERTS", ts)
    assert stored is not None
    stored.blocks.append({"type": "hologram", "block_id": "h"})
    page = await visit.open()
    await expect(message(page, "before")).to_contain_text("A block of type “hologram” is not drawn here.")


async def test_the_demos_controls_are_at_hand_on_a_phone(visit: Visit, workspace: LocalWorkspace) -> None:
    state = {"broken": False}

    async def toggle() -> None:
        state["broken"] = not state["broken"]

    workspace.add_control(
        "service",
        "Break the service",
        "It answers 503",
        "toggle",
        toggle,
        lambda: "on" if state["broken"] else "off",
    )
    page = await visit.open(size=NARROW)
    await page.get_by_role("button", name="Demo").tap()
    control = page.get_by_role("dialog").get_by_role("switch", name="Break the service")
    await expect(control).not_to_be_checked()
    await control.tap()
    await expect(control).to_be_checked()
    assert state["broken"]


async def test_nothing_is_wider_than_a_phone(visit: Visit, client: AsyncWebClient) -> None:
    cells = [
        [{"type": "raw_text", "text": f"column {row} {column}"} for column in range(8)] for row in range(3)
    ]
    pre = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "x" * 400}]}
    row = actions(*(button(f"A long name {number}", f"b{number}") for number in range(5)))
    ts = await post(
        client,
        text="https://example.com/" + "a" * 300,
        blocks=[
            section("w" * 300),
            {"type": "table", "rows": cells},
            {"type": "rich_text", "elements": [pre]},
            row,
        ],
    )
    page = await visit.open(size=NARROW)
    await expect(message(page, "column 0 0")).to_be_visible()
    for place in ("C0ALERTS", f"C0ALERTS/{ts}", "A0TOCSIN"):
        await page.evaluate("(place) => { location.hash = `/${place}`; }", place)
        await expect(page.locator(".thread" if "/" in place else "#main .pane-head")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
        assert (
            await page.evaluate(
                "Math.max(...[...document.querySelectorAll('.timeline')].map((t) => t.scrollWidth), 0)"
            )
            <= NARROW["width"]
        )


async def test_the_drawer_of_a_phone_leads_to_another_channel(visit: Visit, client: AsyncWebClient) -> None:
    await client.chat_postMessage(channel="C0GENERAL", text="good morning")
    page = await visit.open(size=NARROW)
    await expect(page.locator("#sidebar")).to_have_attribute("inert", "")
    await page.get_by_role("button", name="Channels and people").tap()
    await expect(page.locator("#places [aria-current=page]")).to_be_focused()
    await page.get_by_role("link", name="general").tap()
    await expect(message(page, "good morning")).to_be_visible()
    await expect(page.locator("#sidebar")).to_have_attribute("inert", "")


async def test_being_somebody_else_shows_their_workspace(visit: Visit, workspace: LocalWorkspace) -> None:
    page = await visit.open()
    await page.get_by_role("button", name="You are Alex Moreau").click()
    await page.get_by_role("menuitemradio", name="Sam Okafor").click()
    await expect(page.get_by_role("button", name="You are Sam Okafor")).to_be_visible()
    await composer(page).fill("hello")
    await composer(page).press("Enter")
    await expect(message(page, "hello")).to_contain_text("Sam Okafor")
    assert workspace.messages("alerts")[-1]["user"] == "U0SAM"


async def test_after_a_lost_connection_the_page_reads_what_it_missed(
    visit: Visit, client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    page = await visit.open()
    await page.context.set_offline(True)
    workspace._page.close_streams()
    await expect(page.get_by_text("Reconnecting…")).to_be_visible()
    await post(client, text="while you were away")
    await page.context.set_offline(False)
    await expect(message(page, "while you were away")).to_be_visible()
    await expect(page.get_by_text("Reconnecting…")).to_be_hidden()
    # The browser itself reports the requests that failed while it was offline.
    visit.wrong[:] = [each for each in visit.wrong if "ERR_INTERNET_DISCONNECTED" not in each]
