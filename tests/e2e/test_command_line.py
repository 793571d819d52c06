"""The command `tocsin`: it runs until told to stop, says what is wrong with a configuration, prints its manifest."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest
import structlog
import yaml
from typer.testing import CliRunner

from bot.cli import app
from bot.demo.workspace import LocalWorkspace
from tests.e2e.harness import SHOP, TOKEN, Service, key_of, serving, shown
from tests.e2e.process import ROOT, running

SHARED = Path(os.environ.get("TOCSIN_SHARED", ROOT.parent / "shared"))


def tocsin(*arguments: str, **environ: str) -> tuple[int, str]:
    """Exit code and output of a command."""
    result = CliRunner().invoke(
        app, arguments, env={"SLACK_BOT_TOKEN": None, "SLACK_APP_TOKEN": None, **environ}
    )
    return result.exit_code, result.output


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "tocsin.yml"


def write(config: Path, service: Service) -> Path:
    text = SHOP.replace("{service}", service.url).replace("{every}", "1s")
    config.write_text(text.replace("{database}", f"sqlite:///{config.parent}/tocsin.db"))
    return config


async def test_it_runs_until_sigterm_and_loses_nothing_in_flight(config: Path) -> None:
    async with LocalWorkspace() as workspace, serving() as service:
        service.status = 503
        async with running(write(config, service), workspace) as process:
            port = (await process.logs("started"))["http_port"]
            await workspace.wait_for(lambda: workspace.messages("alerts"), timeout=20)
            assert await get(port, "/health") == {
                "status": "healthy",
                "version": "0.1.0",
                "parts": {"database": "ok", "delivery": "ok", "slack": "ok", "run_logs": "ok"},
            }
            (message,) = workspace.messages("alerts")
            workspace.faults.stall("chat.update", 0.5)  # under way while it stops
            pressed = await workspace.click("alerts", message["ts"], "alert:acknowledge")
            assert pressed.ok
            await workspace.wait_for(lambda: not workspace.faults.waiting)  # the edit has begun

            process.terminate()

            assert await process.ended() == 0
            assert "acknowledged by <@U0ALEX>" in shown(workspace.messages("alerts")[0])
            assert workspace.connections == 0

        assert [json.loads(line)["level"] for line in process.lines]  # every line is JSON
        log = "\n".join(process.lines)
        for secret in (workspace.bot_token, workspace.app_token, TOKEN):
            assert secret not in log
        assert [line for line in process.lines if json.loads(line)["level"] != "info"] == []
        assert [event["level"] for event in process.events("stopped")] == ["info"]
        assert len({key_of(m) for m in workspace.messages("alerts")}) == 1


async def get(port: int, path: str) -> object:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return json.loads(answer.partition(b"\r\n\r\n")[2])


TOKENS = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}


def test_a_good_configuration_is_counted(config: Path) -> None:
    config.write_text("checks: {web: {type: http, url: 'http://127.0.0.1:1/'}}\n")
    assert tocsin("validate", "-c", str(config), **TOKENS) == (
        0,
        f"{config}: ok, 1 checks, 0 jobs, 0 rules\n",
    )


def test_every_mistake_is_told_with_its_line(config: Path) -> None:
    config.write_text("chekcs: {}\nchecks:\n  web: {type: htpt, url: 1}\ndigest: {at: '25:00'}\n")
    code, output = tocsin("validate", "-c", str(config), **TOKENS)
    assert code == 2
    for place in ("tocsin.yml:1", "tocsin.yml:3", "tocsin.yml:4"):
        assert place in output
    assert "Traceback" not in output


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
@pytest.mark.parametrize("prefix", ["tocsin", "fleetyield"])
def test_the_manifest_is_one_slack_takes(version: str, prefix: str) -> None:
    schema = SHARED / "reference" / "slack" / f"manifest.schema.{version}.json"
    if not schema.exists():
        pytest.skip("Slack's manifest schema is not beside this repository; set TOCSIN_SHARED to its folder")
    code, output = tocsin("manifest", "--prefix", prefix)
    assert code == 0
    manifest = yaml.safe_load(output)
    jsonschema.validate(manifest, json.loads(schema.read_text()))
    commands = [command["command"] for command in manifest["features"]["slash_commands"]]
    assert commands == [f"/{prefix}", f"/{prefix}-status", f"/{prefix}-logs"]
    workspace = LocalWorkspace()
    workspace.register_commands(commands)  # none of them is Slack's own


def test_the_manifest_in_the_repository_is_the_one_the_command_prints() -> None:
    assert (ROOT / "manifest.yml").read_text() == tocsin("manifest")[1]


def test_the_link_carries_the_manifest() -> None:
    code, output = tocsin("manifest", "--link")
    link = urlsplit(output.strip())
    assert (code, link.netloc, link.path) == (0, "api.slack.com", "/apps")
    carried = parse_qs(link.query)
    assert carried["new_app"] == ["1"]
    assert yaml.safe_load(carried["manifest_yaml"][0]) == yaml.safe_load(tocsin("manifest")[1])
    assert len(output) < 8000  # what browsers take


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()
