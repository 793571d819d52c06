"""Searching with a regular expression that may take very long, without holding up everything else.

Python's engine tries every way to match: `.*"ok"` on one line of 60 KB that lacks it took 4.4 s, `(a+)+$` on 27
letters 13 s. While it does, no other thread runs. What could take long is therefore searched by a process of its
own, which can be ended; it costs about 20 ms.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from contextlib import suppress

from checks.result import CannotRun

_MOST_SECONDS = 5.0
_MOST_STEPS = 2_000_000  # a few milliseconds
_REPEAT = re.compile(r"[*+]|\{\d*,\}")
_REPEATED_GROUP = re.compile(r"\)(?:[*+]|\{)")
_SEARCH = "import json,re,sys; p,f,t=json.load(sys.stdin.buffer); print(int(bool(re.compile(p,f).search(t))),end='')"


async def is_found(pattern: re.Pattern[str], text: str, seconds: float = _MOST_SECONDS) -> bool:
    """Whether the pattern is somewhere in the text. Raises CannotRun when that takes too long to tell."""
    if may_be_slow(pattern, len(text)):
        return await _is_found_apart(pattern, text, seconds)
    return pattern.search(text) is not None


def may_be_slow(pattern: re.Pattern[str], length: int) -> bool:
    """Whether the worst text of this length could take more than a moment."""
    if _REPEATED_GROUP.search(pattern.pattern):  # a repeat within a repeat doubles its ways with every letter
        return length > 16
    repeats = len(_REPEAT.findall(pattern.pattern))
    return bool(repeats) and length ** (repeats + 1) > _MOST_STEPS


async def _is_found_apart(pattern: re.Pattern[str], text: str, seconds: float) -> bool:
    asked = json.dumps([pattern.pattern, pattern.flags, text]).encode()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-ISc",
        _SEARCH,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(seconds):
            said, _ = await process.communicate(asked)
    except TimeoutError:
        raise CannotRun(
            f"the regular expression takes longer than {seconds:g} s on a body of {len(text):,} characters",
            remedy="leave out .* at its beginning and repeats within repeats, such as (a+)+",
        ) from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if said not in (b"0", b"1"):
        raise CannotRun(
            "the regular expression could not be searched for", remedy="look at this host's memory"
        )
    return said == b"1"
