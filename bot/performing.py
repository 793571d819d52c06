"""Doing what a remedy says: one HTTP request, or one command in a process group of its own."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter

import httpx

from bot.domain.clock import Clock
from bot.domain.filling import Action, Call, Command
from checks.means import NoAnswerError, ProbeClient, Progress, exchange, execute, passed_on, probe_client

_MOST_BYTES = 1_048_576
_TAIL = 2_000
_LONGEST_SAID = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """What became of an action: whether it succeeded, in words how, and the end of what it printed."""

    ok: bool
    summary: str
    output: str = ""


class Performer:
    """Performs actions. `mask` takes secrets out of what they answer. Close it at the end."""

    def __init__(
        self, *, clock: Clock, mask: Callable[[str], str], environ: Mapping[str, str] | None = None
    ) -> None:
        self._clock = clock
        self._mask = mask
        self._environ = passed_on(os.environ if environ is None else environ)
        self._client: ProbeClient | None = None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def perform(self, action: Action, limit: timedelta) -> Performed:
        """Do it, once. Raises nothing but cancellation, after which a command is ended with all it started."""
        began = perf_counter()
        try:
            async with asyncio.timeout(limit.total_seconds()):
                performed = (
                    await self._run(action) if isinstance(action, Command) else await self._send(action)
                )
        except TimeoutError:
            return Performed(
                ok=False, summary=f"no end within {limit.total_seconds():g} s, so it was stopped"
            )
        after = f" after {perf_counter() - began:.1f} s"
        return Performed(
            ok=performed.ok,
            summary=self._mask(performed.summary) + after,
            output=self._mask(performed.output)[-_TAIL:],
        )

    async def _run(self, command: Command) -> Performed:
        try:
            execution = await execute(
                command.arguments, environ=self._environ, folder=None, most_bytes=_MOST_BYTES
            )
        except FileNotFoundError:
            return Performed(ok=False, summary=f"there is no program {command.arguments[0]}")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return Performed(ok=False, summary=f"{command.arguments[0]} cannot be run: {reason}")
        output = (execution.output + execution.errors).strip()
        if execution.flooded:
            return Performed(ok=False, summary="it wrote more than 1 MB and was stopped", output=output)
        how = f"exit code {execution.code}" if execution.code >= 0 else f"ended by signal {-execution.code}"
        return Performed(ok=execution.code == 0, summary=_with_last_line(how, output), output=output)

    async def _send(self, call: Call) -> Performed:
        if self._client is None:
            self._client = probe_client()
        try:
            request = _request(self._client, call)
            answer = await exchange(
                self._client, request, request.extensions["progress"], follow=False, now=self._clock()
            )
        except NoAnswerError as error:
            return Performed(ok=False, summary=str(error))
        except (httpx.InvalidURL, ValueError, TypeError) as error:
            return Performed(ok=False, summary=f"the request cannot be made: {error}")
        ok = 200 <= answer.status < 300
        redirect = ", a redirect, which is not followed" if 300 <= answer.status < 400 else ""
        said = "" if ok else _with_last_line("", answer.text.strip())
        return Performed(ok=ok, summary=answer.status_line + redirect + said, output=answer.text)


def _request(client: httpx.AsyncClient, call: Call) -> httpx.Request:
    content = call.body
    headers = dict(call.headers)
    if content is None and call.json is not None:
        content = json.dumps(call.json)
        if not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "application/json"
    return client.build_request(
        call.method, call.url, headers=headers, content=content, extensions={"progress": Progress()}
    )


def _with_last_line(how: str, output: str) -> str:
    """How it ended, with the last thing that it said."""
    last = " ".join(output.splitlines()[-1].split())[:_LONGEST_SAID] if output else ""
    return f"{how}: {last}" if last else how
