"""borgmatic, healthchecks-io and curl ping Tocsin as they are, told only its address.

borgmatic and healthchecks-io live in an environment of their own (they ask for other versions of what Tocsin
uses): the one of `make clients`, or that TOCSIN_TEST_CLIENTS names.
"""

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from bot.domain.run import Run, RunStatus
from storage.database import Database
from tests.handlers.http.door import BACKUP, KEY, OTHER, Door, door

ROOT = Path(__file__).resolve().parents[3]
CLIENTS = Path(os.environ.get("TOCSIN_TEST_CLIENTS") or ROOT / ".venv" / "clients")


def need(program: str) -> str:
    """A program's path; without it the test is skipped, but fails where CI promises it."""
    here = CLIENTS / "bin" / program
    found = str(here) if here.exists() else shutil.which(program) if program in ("curl", "borg") else None
    if found is None:
        reason = f"{program} is not installed; run `make clients`, and install curl and borgbackup"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


async def called(*command: str, **environ: str) -> tuple[int, str]:
    """A command's exit code and what it printed."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**kept, **environ},
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


async def ended(at: Door) -> list[Run]:
    """The runs that ended, newest first; borgmatic says its log once more after them."""
    return [run for run in await at.runs() if run.status is not RunStatus.LOG]


async def borgmatic(
    at: Door, folder: Path, address: str, hook: str, *, broken: bool = False
) -> tuple[int, str]:
    """A backup of a file into a repository of borg, whose hook pings."""
    environ = {"HOME": str(folder), "BORG_BASE_DIR": str(folder / "borg"), "PATH": os.environ["PATH"]}
    environ["BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"] = "yes"
    program, borg = need("borgmatic"), need("borg")
    folder.joinpath("data").mkdir(exist_ok=True)
    folder.joinpath("data", "file").write_text("worth keeping")
    if not folder.joinpath("repository").exists():
        code, printed = await called(borg, "init", "-e", "none", str(folder / "repository"), **environ)
        assert code == 0, printed
    config = f"""
source_directories: [{folder / "data"}]
repositories: [{{path: {folder / ("missing" if broken else "repository")}}}]
local_path: {borg}
healthchecks: {{ping_url: "{at.url}/ping/{address}", {hook}}}
"""
    folder.joinpath("config.yaml").write_text(config)
    return await called(
        program,
        "create",
        "--config",
        str(folder / "config.yaml"),
        "--verbosity",
        "1",
        "--no-color",
        **environ,
    )


async def test_a_backup_of_borgmatic_is_a_run_with_its_log(database: Database, tmp_path: Path) -> None:
    async with door(database) as at:
        code, printed = await borgmatic(at, tmp_path, BACKUP, "send_logs: true")
        assert (code, "Healthchecks error" in printed) == (0, False), printed
        (run,) = await ended(at)
        assert (run.job, run.status, run.duration_seconds) == ("Nightly Backup", RunStatus.SUCCESS, 0)
        assert "Creating archive" in run.output
        assert await at.open() == []


async def test_a_failed_backup_of_borgmatic_alerts_with_what_it_said(
    database: Database, tmp_path: Path
) -> None:
    async with door(database) as at:
        code, printed = await borgmatic(at, tmp_path, BACKUP, "send_logs: true", broken=True)
        assert code == 1, printed
        (run,) = await ended(at)
        assert run.status is RunStatus.ERROR
        assert "missing" in run.output
        assert len(await at.ear.titles()) == 1


async def test_borgmatic_creates_its_job_by_a_slug(database: Database, tmp_path: Path) -> None:
    async with door(database) as at:
        hook = "create_slug: true, states: [start, log, finish]"
        code, printed = await borgmatic(at, tmp_path, f"{KEY}/borg-of-web-1", hook)
        assert (code, "Healthchecks error" in printed) == (0, False), printed
        assert [(run.job, run.status) for run in await ended(at)] == [("borg-of-web-1", RunStatus.SUCCESS)]


PYTHON = """
import json, sys
from healthchecks_io import Client, CheckTrap, CheckNotFoundError, BadAPIRequestError, NonUniqueSlugError
url, key, backup, other = sys.argv[1:]
found = []
with Client(api_key="unused", ping_key=key, ping_url=url) as client:
    found.append(client.success_ping(uuid=backup))
    found.append(client.start_ping(uuid=backup))
    found.append(client.fail_ping(uuid=backup, data="disk full"))
    found.append(client.exit_code_ping(3, uuid=backup, data="three"))
    found.append(client.success_ping(slug="report"))
    found.append(client.exit_code_ping(0, slug="report"))
    for refused in (dict(slug="unknown"), dict(uuid="00000000-0000-4000-8000-000000000000"), dict(slug="Report"),
                    dict(slug="a-job")):
        try:
            client.success_ping(**refused)
        except Exception as error:
            found.append(type(error).__name__)
    with CheckTrap(client, uuid=other) as trap:
        trap.add_log("line one")
    try:
        with CheckTrap(client, uuid=other) as trap:
            raise ValueError("it broke")
    except ValueError:
        pass
print(json.dumps(found))
"""


async def test_healthchecks_io_pings_and_knows_why_it_is_refused(database: Database) -> None:
    config = f"""
jobs:
  Nightly Backup: {{every: 1d, ping: {BACKUP}}}
  sync: {{every: 1h, ping: {OTHER}}}
  report: {{every: 1h}}
  A job: {{every: 1h}}
  a-job: {{every: 1h}}
"""
    async with door(database, config) as at:
        python = need("python")
        code, printed = await called(python, "-c", PYTHON, f"{at.url}/ping/", KEY, BACKUP, OTHER)
        assert code == 0, printed
        assert json.loads(printed) == [[True, "OK"]] * 6 + [
            "CheckNotFoundError",
            "CheckNotFoundError",
            "BadAPIRequestError",
            "NonUniqueSlugError",
        ]
        found = [(run.job, run.status.value, run.exit_code) for run in reversed(await at.runs())]
        assert found == [
            ("Nightly Backup", "SUCCESS", None),
            ("Nightly Backup", "ERROR", None),
            ("Nightly Backup", "ERROR", 3),
            ("report", "SUCCESS", None),
            ("report", "SUCCESS", 0),
            ("sync", "SUCCESS", None),
            ("sync", "ERROR", None),
        ]
        outputs = [run.output for run in await at.runs()]
        assert "it broke" in outputs[0]
        assert outputs[1] == "line one"
        assert outputs[5] == "disk full"


async def test_lines_of_a_crontab_with_curl_work(database: Database) -> None:
    async with door(database) as at:
        curl = "curl -fsS -m 10 --retry 5 -o /dev/null"
        need("curl")
        url = f"{at.url}/ping"
        for line in (
            f"{curl} {url}/{BACKUP}",
            f'{curl} --data-raw "$(echo it said this)" {url}/{BACKUP}/$( (exit 3); echo $?)',
            f'm=$(false); {curl} --data-raw "$m" {url}/{BACKUP}/$?',
            f'RID=$(cat /proc/sys/kernel/random/uuid); {curl} "{url}/{OTHER}/start?rid=$RID" '
            f'&& {curl} "{url}/{OTHER}?rid=$RID"',
            f"head -c 2000000 /dev/zero | tr '\\0' x | {curl} --data-binary @- {url}/{BACKUP}/log",
            f"{curl} -I {url}/{KEY}/by-name?create=1",
        ):
            assert await called("sh", "-c", line) == (0, ""), line
        code, printed = await called("sh", "-c", f"{curl} {url}/{KEY}/nobody")
        assert (code, "404" in printed) == (22, True)
        found = [(run.job, run.status.value, run.exit_code) for run in reversed(await at.runs())]
        assert found == [
            ("Nightly Backup", "SUCCESS", None),
            ("Nightly Backup", "ERROR", 3),
            ("Nightly Backup", "ERROR", 1),
            ("sync", "SUCCESS", None),
            ("Nightly Backup", "LOG", None),
            ("by-name", "SUCCESS", None),
        ]
