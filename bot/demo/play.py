"""`tocsin demo`: the local workspace, the unchanged bot connected to it, and a shop to break."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from bot.demo.shop import Shop, report_run
from bot.demo.workspace import LocalWorkspace
from bot.domain.clock import system_clock
from handlers.slack.definitions import COMMANDS

_CONFIG = Path(__file__).parent / "tocsin.yml"
_READY_SECONDS = 30
_STOP_SECONDS = 20


class DemoFailed(Exception):
    """The bot of the demo ended by itself; the message holds the last lines of its log."""


async def play(port: int, say: Callable[[str], None]) -> None:
    """Run the demo until it is interrupted. Raises DemoFailed, and OSError when the port is taken."""
    with tempfile.TemporaryDirectory(prefix="tocsin-demo-") as folder:
        shop, workspace = Shop(), LocalWorkspace(port=port, realistic_limits=True)
        await shop.start()
        try:
            async with workspace:
                bot = _Bot(Path(folder), workspace, shop)
                _furnish(workspace, shop, bot)
                await bot.start()
                try:
                    await workspace.wait_for(lambda: workspace.connections, _READY_SECONDS)
                    say(workspace.url)
                    await bot.run()
                finally:
                    await bot.stop()
        except TimeoutError:
            raise DemoFailed(f"the bot did not connect within {_READY_SECONDS} s\n{bot.tail()}") from None
        finally:
            await shop.stop()


class _Bot:
    """`python -m bot run` in a process of its own, as a user would start it."""

    def __init__(self, folder: Path, workspace: LocalWorkspace, shop: Shop) -> None:
        self._log = folder / "tocsin.log"
        self.token = secrets.token_urlsafe(16)
        port = _free_port()
        self.address = f"http://127.0.0.1:{port}"
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY")},
            "SLACK_API_URL": workspace.api_url,
            "SLACK_BOT_TOKEN": workspace.bot_token,
            "SLACK_APP_TOKEN": workspace.app_token,
            "SHOP_URL": shop.url,
            "DEMO_BIND": f"127.0.0.1:{port}",
            "DEMO_TOKEN": self.token,
            "DEMO_DATABASE": f"sqlite:///{folder / 'tocsin.db'}",
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "run", "-c", str(_CONFIG),
                env=self._environ, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    async def run(self) -> None:
        """Until the process ends or this is interrupted."""
        assert self._process is not None
        interrupted = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupted.set)
        ended = asyncio.create_task(self._process.wait())
        stop = asyncio.create_task(interrupted.wait())
        await asyncio.wait([ended, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if ended.done() and not interrupted.is_set():
            raise DemoFailed(f"the bot ended with code {ended.result()}\n{self.tail()}")
        ended.cancel()

    async def stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def tail(self) -> str:
        """The last lines of its log."""
        with contextlib.suppress(OSError):
            return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-15:])
        return ""


def _furnish(workspace: LocalWorkspace, shop: Shop, bot: _Bot) -> None:
    """Give the workspace the bot's commands and the page its buttons."""
    workspace.register_commands(
        [
            {"command": each.name("tocsin"), "description": each.description, "usage_hint": each.usage_hint}
            for each in COMMANDS
        ]
    )

    def job(*, failed: bool) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            await report_run(bot.address, bot.token, system_clock, failed=failed)

        return run

    workspace.add_control(
        "break", "Break the shop", "It answers 503 until you switch this off: a P1 alert within seconds",
        "toggle", shop.toggle_broken, lambda: "on" if shop.broken else "off",
    )  # fmt: skip
    workspace.add_control(
        "slow", "Slow the checkout", "It takes more than a second: a P2 alert",
        "toggle", shop.toggle_slow, lambda: "on" if shop.slow else "off",
    )  # fmt: skip
    workspace.add_control(
        "fail-job",
        "Fail the nightly job",
        "It posts a run with 12.8 % invalid rows",
        "button",
        job(failed=True),
    )
    workspace.add_control(
        "run-job", "Run the nightly job", "It posts a run that went well: its alert resolves", "button",
        job(failed=False),
    )  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
