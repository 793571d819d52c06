"""The command check: Debian's own plugins unchanged, and programs that misbehave."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from checks._performance import measured_fields, parse_performance, parse_range
from checks.command import CommandCheck, Options, split_output
from checks.options import CheckContext
from checks.result import CheckResult, State
from tests.checks.surroundings import absent, everything_said, found, surroundings, unused_port

PLUGINS = Path("/usr/lib/nagios/plugins")


@pytest.fixture
async def context() -> AsyncIterator[CheckContext]:
    async with surroundings() as context:
        yield context


@pytest.fixture
async def web_port() -> AsyncIterator[int]:
    """A web server that answers ok."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="all is well")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


def plugin(name: str, *arguments: str) -> list[str]:
    if not (PLUGINS / name).exists():
        absent(f"no {name}; apt-get install monitoring-plugins-basic")
    return [str(PLUGINS / name), *arguments]


async def running(context: CheckContext, script: str, **options: Any) -> CheckResult:
    """The result of a Python script as the plugin."""
    return await found("command", context, command=[sys.executable, "-c", script], **options)


async def test_check_http_is_read_whole(context: CheckContext, web_port: int) -> None:
    command = plugin("check_http", "-H", "127.0.0.1", "-p", str(web_port), "-w", "5", "-c", "10")
    result = await found("command", context, command=command)
    assert result.state is State.OK
    assert result.summary.startswith("HTTP OK: HTTP/1.1 200 OK")
    assert 0 < float(str(result.fields["time_s"])) < 5
    assert float(str(result.fields["size_bytes"])) > 10
    assert result.fields["exit_code"] == 0
    assert "warning 5" in result.diagnostics[-1].text
    assert "critical 10" in result.diagnostics[-1].text


async def test_check_tcp_tells_a_closed_port(context: CheckContext, web_port: int) -> None:
    up = await found("command", context, command=plugin("check_tcp", "-H", "127.0.0.1", "-p", str(web_port)))
    assert up.state is State.OK
    down = await found(
        "command", context, command=plugin("check_tcp", "-H", "127.0.0.1", "-p", str(unused_port()))
    )
    assert down.state is State.CRITICAL
    assert "refused" in down.summary.lower()


async def test_check_disk_gives_bytes_and_the_share_of_the_whole(context: CheckContext) -> None:
    result = await found("command", context, command=plugin("check_disk", "-w", "1%", "-c", "0%", "-p", "/"))
    assert result.state is State.OK
    used, share = float(str(result.fields["root_bytes"])), float(str(result.fields["root_percent"]))
    disk = psutil.disk_usage("/")
    assert used == pytest.approx(disk.total * share / 100, rel=0.01)
    assert 0 < share < 100


async def test_check_load_and_check_procs_give_numbers(context: CheckContext) -> None:
    load = await found(
        "command", context, command=" ".join(plugin("check_load", "-w", "999,999,999", "-c", "999,999,999"))
    )
    assert load.state is State.OK
    assert {"load1", "load5", "load15"} <= set(load.fields)
    processes = await found("command", context, command=plugin("check_procs", "-w", "0:0"))
    assert processes.state is State.WARNING
    assert float(str(processes.fields["procs"])) > 0
    assert "← warning" in processes.diagnostics[-1].text


@pytest.mark.parametrize(
    ("code", "state"),
    [(0, State.OK), (1, State.WARNING), (2, State.CRITICAL), (3, State.UNKNOWN), (4, State.UNKNOWN)],
)
async def test_check_dummy_s_exit_code_is_the_state(context: CheckContext, code: int, state: State) -> None:
    result = await found("command", context, command=plugin("check_dummy", str(code), "said so"))
    assert result.state is state
    assert "said so" in result.summary or code == 4


async def test_output_of_many_lines_is_told_apart(context: CheckContext) -> None:
    script = r"""print("DISK OK | /=10MB;20;30;0;100\n/home is fine\n/var is fine | 'a b'=1s\nc=50%;80;90")"""
    result = await running(context, script)
    assert result.summary == "DISK OK"
    assert result.diagnostics[0].text == "/home is fine\n/var is fine"
    assert result.fields["root_bytes"] == 10 * 2**20
    assert result.fields["root_percent"] == 10
    assert result.fields["a_b_s"] == 1
    assert result.fields["c_percent"] == 50


async def test_any_other_exit_code_is_unknown_and_told(context: CheckContext) -> None:
    result = await running(context, "import sys; print('hm'); sys.exit(42)")
    assert result.state is State.UNKNOWN
    assert result.summary.endswith("ended with exit code 42: hm")


async def test_a_program_ended_by_a_signal_is_unknown(context: CheckContext) -> None:
    result = await running(context, "import os; os.kill(os.getpid(), 9)")
    assert result.state is State.UNKNOWN
    assert result.summary.endswith("was ended by SIGKILL")


async def test_errors_speak_when_the_output_does_not(context: CheckContext) -> None:
    result = await running(context, "import sys; sys.stderr.write('no config'); sys.exit(3)")
    assert result.summary == "no config"
    assert (await running(context, "pass")).summary.endswith(" said nothing")


async def test_a_missing_program_or_folder_is_unknown(context: CheckContext, tmp_path: Path) -> None:
    missing = await found("command", context, command="check_nothing_of_the_kind -H x")
    assert missing.state is State.UNKNOWN
    assert missing.summary == "check_nothing_of_the_kind cannot be run: there is no such program"
    assert missing.remedy == "install check_nothing_of_the_kind, or write its whole path"
    gone = await found("command", context, command="true", cwd=str(tmp_path / "gone"))
    assert gone.summary == f"true cannot be run: there is no folder {tmp_path}/gone"
    denied = await found("command", context, command=[str(tmp_path)])
    assert denied.state is State.UNKNOWN
    assert denied.summary.endswith("Permission denied")


async def test_a_flood_is_stopped(context: CheckContext) -> None:
    began = perf_counter()
    result = await found("command", context, command=["yes"])
    assert result.state is State.UNKNOWN
    assert result.summary == "yes wrote more than 256 KB and was stopped"
    assert perf_counter() - began < 3


FAMILY = """
import os, signal, subprocess, sys, time
stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
child.stdout.readline()
open(sys.argv[1], "w").write(f"{os.getpid()} {child.pid}")
%s
"""


async def written(path: Path) -> list[int]:
    """The process ids a script wrote, once it has."""
    deadline = perf_counter() + 10
    while not (path.exists() and path.read_text().count(" ")):
        assert perf_counter() < deadline
        await asyncio.sleep(0.02)
    return [int(pid) for pid in path.read_text().split()]


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_program_given_up_ends_with_all_it_started(context: CheckContext, tmp_path: Path) -> None:
    command = [sys.executable, "-c", FAMILY % "time.sleep(60)", str(tmp_path / "pids")]
    check = Options.model_validate({"command": command}).build(context)
    task = asyncio.create_task(check.run())
    family = await written(tmp_path / "pids")
    assert all(alive(pid) for pid in family)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    deadline = perf_counter() + 3
    while any(alive(pid) for pid in family) and perf_counter() < deadline:
        await asyncio.sleep(0.02)
    assert not any(alive(pid) for pid in family)
    assert check.timed_out(5).summary.endswith("did not end within 5 s and was stopped")


async def test_a_child_that_keeps_the_output_open_does_not_outlive_the_check(
    context: CheckContext, tmp_path: Path
) -> None:
    script = FAMILY.replace("stdout=subprocess.PIPE", "stdout=None").replace(
        "child.stdout.readline()", "time.sleep(0.3)"
    )
    command = [sys.executable, "-c", script % "print('OK - done')", str(tmp_path / "pids")]
    result = await found("command", context, command=command)
    assert result.state is State.OK
    family = await written(tmp_path / "pids")
    deadline = perf_counter() + 3
    while any(alive(pid) for pid in family) and perf_counter() < deadline:
        await asyncio.sleep(0.02)
    assert not any(alive(pid) for pid in family)


async def test_a_program_sees_only_its_own_variables() -> None:
    script = (
        "import os; print(sorted(set(os.environ) & {'SLACK_BOT_TOKEN', 'PATH', 'MY_PASSWORD', 'LC_ALL'}))"
    )
    options = Options.model_validate(
        {"command": [sys.executable, "-c", script], "env": {"MY_PASSWORD": "hunter2-secret"}}
    )
    environ = {"PATH": os.environ["PATH"], "SLACK_BOT_TOKEN": "xoxb-1", "LC_ALL": "C"}
    result = await CommandCheck(options, environ).run()
    assert result.summary == "['LC_ALL', 'MY_PASSWORD', 'PATH']"


async def test_a_secret_the_program_repeats_is_hidden(context: CheckContext) -> None:
    script = "import os; print('login as app with', os.environ['MY_PASSWORD'])"
    result = await running(context, script, env={"MY_PASSWORD": "hunter2-secret"})
    assert "hunter2" not in everything_said(result)
    options = Options.model_validate({"command": "x", "env": {"MY_PASSWORD": "hunter2-secret"}})
    assert "hunter2" not in repr(options) + options.model_dump_json()


async def test_control_signs_are_left_out(context: CheckContext) -> None:
    result = await running(context, r"print('\x1b[31mred\x1b[0m \x07bell')")
    assert result.summary == "red bell"


@pytest.mark.parametrize(
    ("text", "alerts", "fine"),
    [
        ("10", [-1, 11], [0, 10]),
        ("10:", [9.9], [10, 1e9]),
        ("~:10", [10.1], [-1e9, 10]),
        ("10:20", [9, 21], [10, 20]),
        ("@10:20", [10, 20], [9, 21]),
        ("-5:-1", [0, -6], [-3]),
        ("@~:0", [-1, 0], [1]),
    ],
)
def test_ranges_alert_where_the_guidelines_say(text: str, alerts: list[float], fine: list[float]) -> None:
    limit = parse_range(text)
    assert limit is not None
    assert all(limit.alerts(value) for value in alerts)
    assert not any(limit.alerts(value) for value in fine)


@pytest.mark.parametrize("text", ["", "x", "20:10", ":", "1:2:3", "@"])
def test_what_is_no_range_is_none(text: str) -> None:
    assert text == ":" or parse_range(text) is None


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("time=0.013s;;;0.000;10", {"time_s": 0.013, "time_percent": 0.13}),
        ("'it''s free'=5GB", {"it_s_free_bytes": 5 * 2**30}),
        ("'C:\\ used'=1.5KiB '/var/lib'=3B", {"c_used_bytes": 1536, "var_lib_bytes": 3}),
        ("rta=U;;; pl=100%;80;90;0;100", {"rta": None, "pl_percent": 100}),
        ("in=12c out=3c", {"in_total": 12, "out_total": 3}),
        ("load1=0,250;1,5;2", {"load1": 0.25}),
        ("a=1 a=2", {"a": 1, "a_2": 2}),
        ("5xx=3 =4 b c=x d=1e3ms", {"_5xx": 3, "d_ms": 1000}),
        ("used_percent=40%", {"used_percent": 40}),
        ("rate=7req/s", {"rate_req_s": 7}),
        ("x=1;2;3;4;5;6;7", {"x": 1, "x_percent": 20}),
        ("big=" + "9" * 400, {"big": None}),
    ],
)
def test_performance_data_become_fields_with_units(text: str, fields: dict[str, Any]) -> None:
    assert measured_fields(parse_performance(text)[0]) == fields


def test_what_cannot_be_read_is_counted() -> None:
    measures, unread = parse_performance("a=1 nonsense b=x c=2")
    assert [measure.label for measure in measures] == ["a", "c"]
    assert unread == 2


@given(st.text(max_size=300))
def test_no_output_is_an_error(text: str) -> None:
    first, _, data = split_output(text)
    assert "\n" not in first
    measured_fields(parse_performance(data)[0])
    parse_range(text)


@pytest.mark.parametrize("command", ["", [], "unclosed 'quote", [""], {"a": 1}, None])
def test_commands_that_make_no_sense_are_mistakes(command: Any) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"command": command})


def test_a_line_is_split_as_a_shell_would_and_numbers_are_words() -> None:
    assert Options.model_validate({"command": "check_x -w '1 2' $HOME"}).command == [
        "check_x",
        "-w",
        "1 2",
        "$HOME",
    ]
    assert Options.model_validate({"command": ["check_x", "-p", 80]}).command == ["check_x", "-p", "80"]
