"""The examples of docs/jobs.md work as they stand there."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from bot.execution.options import parse
from tests.execution.machine import Machine, ended, listening

_PAGE = (Path(__file__).resolve().parents[2] / "docs" / "jobs.md").read_text()


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", _PAGE, re.DOTALL)


@pytest.mark.parametrize("code", examples("python"))
async def test_python(machine: Machine, code: str) -> None:
    async with listening() as bot:
        machine.report_to(bot)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, env=machine.environ, stderr=-1
        )
        done = await ended(process)
        assert (done.code, done.err) == (0, "")
        assert len(bot.runs) + len(bot.alerts) == 1


@pytest.mark.parametrize("code", [each for each in examples("sh") if "tocsin exec" in each])
async def test_shell(machine: Machine, code: str) -> None:
    async with listening() as bot:
        machine.report_to(bot)
        code = code.replace("tocsin exec", f"{sys.executable} -m bot.execution")
        process = await asyncio.create_subprocess_exec(
            "sh", "-ec", code, env=machine.environ, stdout=-1, stderr=-1
        )
        done = await ended(process)
        assert (done.code, done.err, done.out) == (0, "", b"parsing\n")
        assert bot.runs[0]["rows_processed"] == 1200


def test_crontab() -> None:
    (table,) = examples("crontab")
    lines = [line for line in table.splitlines() if "tocsin exec" in line]
    assert [parse(line.split()[7:], os.environ).job for line in lines] == [
        "parse_reservations",
        "competitor_scraper",
    ]


def curl() -> str:
    (code,) = [each for each in examples("sh") if "curl" in each]
    if shutil.which("curl") is None and "CI" not in os.environ:
        pytest.skip("curl is not installed")
    return code
