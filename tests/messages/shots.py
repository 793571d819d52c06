"""Photographs of the catalogue: posted into a local workspace and looked at with Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from playwright.async_api import Browser, Page, async_playwright
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.message import Message
from bot.demo.workspace import LocalWorkspace
from tests.messages.catalogue.parts import LATER
from tests.messages.kinds import USUAL, Kind
from tests.messages.page import EVERY, IMAGES, LOOKS, image

WIDTHS = {"desktop": (1000, 800), "phone": (390, 780)}
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]
_PLAIN = (  # a sentence each, or much like one that is there; Home is no window
    "line-", "remedy-", "logs", "details", "alert-mounts", "alert-held", "alert-rerouted", "alert-recovered",
    "alert-expired", "alert-flapping", "help-", "status-troubled", "status-nothing", "incident-card-closed",
    "incident-list", "incident-report", "incident-note", "incident-line", "window-silence-", "window-why",
    "silence-after", "silence-extended", "silence-answer", "silence-warning", "run-log", "results", "thresholds",
    "setting-", "audit", "checkin-", "group-", "destination-", "home",
)  # fmt: skip
_CHANNEL = "C0ALERTS"


async def photograph(kinds: Sequence[Kind], looks: Sequence[str] = LOOKS) -> None:
    """Write docs/images/messages: each kind on a desktop in light, those that matter most in every look."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]  # slack_sdk sends even loopback calls through them
    installed = next((path for name in _NAMES if (path := shutil.which(name))), None)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=installed, args=_ARGUMENTS)
        for look in looks:
            chosen = [
                kind for kind in kinds if kind.large or (look == EVERY and not kind.name.startswith(_PLAIN))
            ]
            for kind in chosen:
                await _photograph(browser, kind, look)
        await browser.close()


async def _photograph(browser: Browser, kind: Kind, look: str) -> None:
    width, scheme = look.split("-")
    async with LocalWorkspace(clock=lambda: LATER) as workspace:
        client = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
        workspace.add_channel("inc-7-payments", channel_id="C0INC")
        found = kind.render(USUAL)
        if isinstance(found, Message):
            await client.chat_postMessage(channel=_CHANNEL, **found.payload())
        size = WIDTHS[width]
        page = await browser.new_page(
            viewport={"width": size[0], "height": size[1]}, timezone_id="UTC",
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce", is_mobile=width == "phone", has_touch=width == "phone",
        )  # fmt: skip
        await page.clock.set_fixed_time(LATER)
        await page.goto(f"{workspace.url}/?user=U0ALEX#/{_CHANNEL}")
        if not isinstance(found, Message):
            await page.locator("#main").wait_for()
            workspace.core.state.open_view("U0ALEX", found)
        await _shoot(page, kind, look, window=not isinstance(found, Message))
        await page.close()


async def _shoot(page: Page, kind: Kind, look: str, *, window: bool) -> None:
    shown = page.locator("dialog[open]" if window else "#main .message").last
    await shown.wait_for()
    await page.mouse.move(0, 0)
    width, height = WIDTHS[look.split("-")[0]]
    box = await shown.bounding_box()
    if box is not None and box["height"] > height - 250:
        await page.set_viewport_size({"width": width, "height": int(box["height"]) + 300})
    await shown.screenshot(path=image(kind.name, look))
