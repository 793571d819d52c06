"""A real `python -m bot` in a process of its own."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.demo.workspace import LocalWorkspace

ROOT = Path(__file__).parents[2]
SLOWEST = 30.0  # seconds a process may take to start on a busy machine


class Process:
    """A running `python -m bot`, and what it wrote to standard error so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []
        self._more = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self.lines.append(line.decode().rstrip("\n"))
            self._more.set()
        self._more.set()

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's lines about this."""
        parsed = [json.loads(line) for line in self.lines if line.startswith("{")]
        return [line for line in parsed if line.get("event") == name]

    async def logs(self, name: str) -> dict[str, Any]:
        """The first line of the log about this, once it is written."""
        async with asyncio.timeout(SLOWEST):
            while not (found := self.events(name)):
                if self._reading.done():
                    raise AssertionError("it ended:\n" + "\n".join(self.lines[-20:]))
                self._more.clear()
                await self._more.wait()
        return found[0]

    def terminate(self) -> None:
        """Ask it to stop."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Let it die at once, as in a power cut."""
        self._process.kill()

    async def ended(self) -> int:
        """Its exit code, once it has ended; negative for a signal."""
        async with asyncio.timeout(SLOWEST):
            code = await self._process.wait()
            await self._reading
        return code

    async def close(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading


def environment(workspace: LocalWorkspace | None, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a Tocsin that lives in a workspace."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SLACK_", "TOCSIN_")) and not name.lower().endswith("_proxy")
    }
    tokens = {}
    if workspace is not None:
        tokens = {
            "SLACK_BOT_TOKEN": workspace.bot_token,
            "SLACK_APP_TOKEN": workspace.app_token,
            "SLACK_API_URL": workspace.api_url,
        }
    return {**kept, "PYTHONPATH": str(ROOT), **tokens, **(extra or {})}


@asynccontextmanager
async def running(
    config: Path, workspace: LocalWorkspace | None, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """`python -m bot run -c config`, killed at the end if it still lives."""
    process = Process(
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "run", "-c", str(config),
            env=environment(workspace, environ), stderr=asyncio.subprocess.PIPE, cwd=config.parent,
        )
    )  # fmt: skip
    try:
        yield process
    finally:
        await process.close()


async def command(
    *arguments: str, cwd: Path = ROOT, environ: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """`python -m bot` with these arguments: its exit code, output and errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", *arguments,
        env=environment(None, environ), cwd=cwd,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await asyncio.wait_for(process.communicate(), SLOWEST)
    return process.returncode or 0, output.decode(), errors.decode()
