"""What a job notices of `tocsin exec`, and what is written down of its run."""

import asyncio
import json
import os
import re
import signal
import sys
from datetime import datetime
from pathlib import Path

import pytest

from tests.execution.machine import Machine, ended, is_alive, until


async def test_output_and_exit_code_pass_through_unchanged(machine: Machine) -> None:
    done = await machine.job("printf 'a\\377\\000b'; echo wrong >&2; exit 7")
    assert (done.code, done.out) == (7, b"a\xff\0b")
    assert done.err == "wrong\n"


async def test_a_run_is_one_line_of_the_agreed_format(machine: Machine) -> None:
    await machine.job("echo done")
    (run,) = machine.runs()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", run["timestamp"])
    assert datetime.fromisoformat(run["started_at"]) <= datetime.fromisoformat(run["timestamp"])
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", run["run_id"])
    assert 0 <= run["duration_seconds"] < 30
    assert {
        "job_name": "nightly", "status": "SUCCESS", "exit_code": 0, "log_level": "INFO", "error_codes": [],
        "command": "sh -c 'echo done'", "output_tail": "done\n", "output_bytes": 5, "host": os.uname().nodename,
    }.items() <= run.items()  # fmt: skip


async def test_a_failure_is_an_error_with_its_code(machine: Machine) -> None:
    await machine.job("exit 3")
    (run,) = machine.runs()
    assert (run["status"], run["exit_code"], run["log_level"]) == ("ERROR", 3, "ERROR")


async def test_death_by_a_signal_is_told_as_a_shell_tells_it(machine: Machine) -> None:
    done = await machine.job("kill -KILL $$")
    assert done.code == 128 + signal.SIGKILL
    assert machine.runs()[0]["error"] == "killed by SIGKILL"


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("no-such-command", 127, "No such file or directory"),
        ("./no-such-command", 127, "No such file or directory"),
        ("./plain", 126, "Permission denied"),
        ("./orphan", 126, "interpreter"),
        (".", 126, "Permission denied"),
    ],
)
async def test_a_command_that_cannot_be_run_says_why(
    machine: Machine, command: str, code: int, words: str
) -> None:
    (machine.folder / "plain").write_text("#!/bin/sh\n")
    (machine.folder / "orphan").write_text("#!/no/such/interpreter\n")
    (machine.folder / "orphan").chmod(0o755)
    done = await machine.exec("nightly", "--log", str(machine.log), "--", command)
    assert done.code == code
    assert words in done.err
    (run,) = machine.runs()
    assert (run["status"], run["exit_code"]) == ("ERROR", code)
    assert words in run["message"]


async def test_output_is_live(machine: Machine) -> None:
    process = await machine.start("nightly", "--", "sh", "-c", "echo first; read line; echo $line", stdin=-1)
    assert process.stdout is not None
    assert process.stdin is not None
    assert await process.stdout.readline() == b"first\n"
    process.stdin.write(b"second\n")
    assert (await ended(process)).out == b"second\n"


async def test_both_outputs_keep_their_order_where_they_are_one(machine: Machine) -> None:
    script = "for i in 1 2 3 4 5 6; do echo out $i; echo err $i >&2; done"
    done = await machine.job(script, stderr=asyncio.subprocess.STDOUT)
    assert done.out == b"".join(b"out %d\nerr %d\n" % (i, i) for i in range(1, 7))


async def test_of_ten_megabytes_all_are_passed_on_and_the_end_is_kept(machine: Machine) -> None:
    script = "head -c 10000000 /dev/zero | tr '\\0' x; printf '\\303\\050 the end'"
    done = await machine.job(script)
    assert len(done.out) == 10_000_010
    (run,) = machine.runs()
    assert run["output_bytes"] == 10_000_010
    assert len(run["output_tail"].encode()) <= 66_000
    assert run["output_tail"].endswith("x\ufffd( the end")


async def test_who_stops_reading_stops_the_job_as_without_tocsin(machine: Machine) -> None:
    process = await machine.start("nightly", "--log", str(machine.log), "--", "yes")
    assert process.stdout is not None
    await process.stdout.readline()
    process.stdout._transport.close()  # type: ignore[attr-defined]
    assert await process.wait() == 128 + signal.SIGPIPE
    assert machine.runs()[0]["error"] == "killed by SIGPIPE"


async def test_a_full_disk_behind_the_output_does_not_stop_the_job(machine: Machine) -> None:
    with open("/dev/full", "wb") as full:
        done = await machine.exec(
            "nightly", "--log", str(machine.log), "--", "sh", "-c", "echo a; sleep 0.1; echo b", stdout=full
        )
    assert done.code == 0
    assert "No space left on device" in done.err
    assert machine.runs()[0]["output_tail"] == "a\nb\n"


async def test_closed_standard_streams_do_no_harm(machine: Machine) -> None:
    line = f"{sys.executable} -m bot.execution nightly --log {machine.log} --fields-fd -- sh -c"
    script = f"""{line} 'echo out; echo err >&2; echo "{{\\"a\\": 1}}" >&3' <&- >&- 2>&-"""
    process = await asyncio.create_subprocess_exec("sh", "-c", script, env=machine.environ)
    assert await process.wait() == 0
    assert machine.runs()[0]["a"] == 1


async def test_a_job_that_leaves_a_process_behind_ends_with_its_command(machine: Machine) -> None:
    done = await machine.job("sleep 60 & echo $!")
    left = int(done.out)
    try:
        assert is_alive(left)
        assert machine.runs()[0]["duration_seconds"] < 20
    finally:
        os.kill(left, signal.SIGKILL)


# The time limit


async def test_after_the_time_limit_the_whole_group_is_ended(machine: Machine) -> None:
    done = await machine.job("sleep 60 & echo $!; sleep 60 & echo $!; wait", "--timeout", "300ms")
    assert done.code == 124
    assert not any(is_alive(int(pid)) for pid in done.out.split())
    (run,) = machine.runs()
    assert (run["status"], run["exit_code"], run["max_seconds"]) == ("TIMEOUT", 124, 0.3)
    assert 0.3 <= run["duration_seconds"] < 20


async def test_who_does_not_listen_to_term_is_killed_after_the_grace(machine: Machine) -> None:
    stubborn = "trap '' TERM; (trap '' TERM; sleep 60) & echo $!; sleep 60; sleep 60"
    done = await machine.job(stubborn, "--timeout", "300ms", "--grace", "300ms")
    assert done.code == 124
    assert not is_alive(int(done.out))
    assert 0.6 <= machine.runs()[0]["duration_seconds"] < 20


async def test_a_stubborn_grandchild_is_killed_though_the_command_ended(machine: Machine) -> None:
    done = await machine.job(
        "(trap '' TERM; while :; do sleep 1; done) & echo $!; wait", "--timeout", "300ms", "--grace", "300ms"
    )
    assert done.code == 124
    assert not is_alive(int(done.out))


async def test_processes_with_groups_of_their_own_are_ended_too(machine: Machine) -> None:
    script = "set -m; sleep 60 & echo $!; wait"
    done = await machine.exec("nightly", "--timeout", "300ms", "--grace", "300ms", "--", "bash", "-c", script)
    assert done.code == 124
    assert not is_alive(int(done.out))


async def test_the_time_limit_holds_while_nobody_reads_the_output(machine: Machine) -> None:
    process = await machine.start("nightly", "--log", str(machine.log), "--timeout", "300ms", "--", "yes")
    await until(lambda: machine.runs())
    assert machine.runs()[0]["status"] == "TIMEOUT"
    await ended(process)


async def test_a_job_may_clean_up_within_the_grace(machine: Machine) -> None:
    done = await machine.job("trap 'echo cleaned; exit 0' TERM; sleep 60 & wait", "--timeout", "300ms")
    assert (done.code, done.out) == (124, b"cleaned\n")
    assert machine.runs()[0]["output_tail"] == "cleaned\n"


# Signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_is_passed_on_and_the_run_written_down(
    machine: Machine, number: signal.Signals
) -> None:
    process = await machine.start(
        "nightly", "--log", str(machine.log), "--", "sh", "-c", "echo on; exec sleep 60"
    )
    assert process.stdout is not None
    await process.stdout.readline()
    process.send_signal(number)
    assert (await ended(process)).code == 128 + number
    (run,) = machine.runs()
    assert (run["status"], run["interrupted_by"]) == ("ERROR", number.name)


async def test_a_job_hears_user_signals_and_goes_on(machine: Machine) -> None:
    script = "trap 'echo heard; exit 0' USR1; echo on; while :; do sleep 0.05; done"
    process = await machine.start("nightly", "--log", str(machine.log), "--", "sh", "-c", script)
    assert process.stdout is not None
    await process.stdout.readline()
    process.send_signal(signal.SIGUSR1)
    done = await ended(process)
    assert (done.code, done.out) == (0, b"heard\n")
    assert machine.runs()[0]["status"] == "SUCCESS"


async def test_what_was_ignored_before_stays_ignored(machine: Machine) -> None:
    line = (
        f"trap '' HUP; exec {sys.executable} -m bot.execution nightly -- sh -c 'kill -HUP $PPID $$; echo on'"
    )
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", line, env=machine.environ, stdout=-1, stderr=-1
    )
    done = await ended(process)
    assert (done.code, done.out) == (0, b"on\n")


# Fields


async def test_a_job_adds_fields_through_a_descriptor(machine: Machine) -> None:
    script = """
    echo '{"rows_processed": 10, "rows_valid": 9}' >&$TOCSIN_FIELDS_FD
    echo '{"rows_valid": 8, "error_codes": ["CSV_INVALID"], "log_level": "warning"}' >&3
    printf '{"name": "größe", "ratio": NaN}' >&3"""
    await machine.job(script, "--fields-fd")
    expected = {
        "rows_processed": 10, "rows_valid": 8, "error_codes": ["CSV_INVALID"], "log_level": "WARNING",
        "name": "größe", "ratio": None,
    }  # fmt: skip
    assert expected.items() <= machine.runs()[0].items()


async def test_any_descriptor_will_do(machine: Machine) -> None:
    for number in (4, 7, 9):  # none of ours may be in the way
        await machine.job(f"""echo '{{"n": {number}}}' >&{number}""", "--fields-fd", str(number))
    assert [run["n"] for run in machine.runs()] == [4, 7, 9]


async def test_a_job_adds_fields_through_a_file(machine: Machine) -> None:
    fields = machine.folder / "fields.jsonl"
    fields.write_text('{"of_the_last_run": 1}\n')
    await machine.job(
        """echo '{"rows_processed": 10}' >> "$TOCSIN_FIELDS_FILE" """, "--fields-file", str(fields)
    )
    (run,) = machine.runs()
    assert run["rows_processed"] == 10
    assert "of_the_last_run" not in run


async def test_broken_lines_are_counted_and_never_fatal(machine: Machine) -> None:
    script = r"""
    printf '{"rows\n[1]\n"x"\n\377\n{"a": %s}\n' "$(printf '[%.0s' $(seq 5000))" >&3
    head -c 200000 /dev/zero | tr '\0' x >&3; echo >&3
    echo '{"rows_processed": 1}' >&3; printf '{"cut' >&3"""
    done = await machine.job(script, "--fields-fd")
    (run,) = machine.runs()
    assert done.code == 0
    assert (run["rows_processed"], run["fields_broken"]) == (1, 7)


async def test_fields_cannot_change_what_was_measured(machine: Machine) -> None:
    await machine.job(
        """echo '{"status": "SUCCESS", "exit_code": 0, "rows": 1}' >&3; exit 5""", "--fields-fd"
    )
    (run,) = machine.runs()
    assert (run["status"], run["exit_code"], run["rows"]) == ("ERROR", 5, 1)
    assert run["fields_ignored"] == ["status", "exit_code"]


async def test_fields_without_end_stay_within_bounds(machine: Machine) -> None:
    script = "import os\nfor i in range(3000): os.write(3, b'{\"f%d\": \"%s\"}\\n' % (i, b'x' * 1000))"
    await machine.exec(
        "nightly", "--fields-fd", "--log", str(machine.log), "--", sys.executable, "-c", script
    )
    (run,) = machine.runs()
    assert run["f0"] == "x" * 1000
    assert run["fields_broken"] > 2000
    assert len(json.dumps(run)) < 200_000


# What is told of the command


async def test_passwords_are_masked(machine: Machine) -> None:
    machine.environ["TOCSIN_TOKEN"] = "the-secret-of-the-bot"
    secret = ["--password", "hunter2", "--api-key=hunter3", "DB_PASSWORD=hunter4", "pg://me:hunter5@db/x"]
    script = "echo said the-secret-of-the-bot"
    await machine.exec("nightly", "--log", str(machine.log), "--", "sh", "-c", script, *secret)
    (run,) = machine.runs()
    assert "hunter" not in run["command"]
    assert "pg://me:••••@db/x" in run["command"]
    assert "the-secret" not in json.dumps(run)


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name the job"),
        (("nightly",), "write -- and the command"),
        (("nightly", "--"), "write -- and the command"),
        (("nightly", "ls", "--", "ls"), "'ls' is one too many"),
        (("nightly", "--timeout", "5", "--", "ls"), "'5' is not a duration; write one such as 30s"),
        (("nightly", "--timeout", "0s", "--", "ls"), "longer than nothing"),
        (("nightly", "--timeout", "--", "ls"), "--timeout needs a value"),
        (("nightly", "--timeout=9999999999999w", "--", "ls"), "longer than any clock runs"),
        (("nightly", "--tiemout", "5m", "--", "ls"), "there is no option --tiemout"),
        (("nightly", "--fields-fd", "2", "--", "ls"), "not a file descriptor from 3 to 255"),
        (("nightly", "--fields-file", "/", "--", "ls"), "'/' is not a file"),
        (("nightly", "--url", "bot:8787", "--", "ls"), "not an address such as http://127.0.0.1:8787"),
        (("a\nb", "--", "ls"), "all printable"),
        (("--flush", "nightly"), "--flush runs nothing"),
    ],
)
async def test_mistakes_are_told_and_nothing_runs(
    machine: Machine, arguments: tuple[str, ...], words: str
) -> None:
    done = await machine.exec(*arguments)
    assert (done.code, done.out) == (2, b"")
    assert words in done.err


async def test_help_is_on_standard_output(machine: Machine) -> None:
    done = await machine.exec("--help")
    assert done.code == 0
    assert b"--timeout 5m" in done.out


async def test_the_commands_own_help_is_its_own(machine: Machine) -> None:
    assert (await machine.exec("nightly", "--", "echo", "--help", "--")).out == b"--help --\n"


async def test_a_log_whose_last_line_was_cut_off_takes_whole_lines_after_it(machine: Machine) -> None:
    machine.log.write_text('{"job_name": "nigh')
    await machine.job("true")
    first, second = machine.log.read_text().splitlines()
    assert first == '{"job_name": "nigh'
    assert json.loads(second)["status"] == "SUCCESS"


async def test_nothing_that_cannot_be_written_stops_the_job(machine: Machine) -> None:
    (machine.folder / "file").touch()
    machine.environ |= {"TOCSIN_SPOOL": str(machine.folder / "file/spool"), "TOCSIN_TOKEN": "x"}
    machine.environ["TOCSIN_LOCK_DIR"] = str(machine.folder / "file/locks")
    done = await machine.exec("nightly", "--log", "/dev/full", "--", "echo", "ran")
    assert (done.code, done.out) == (0, b"ran\n")
    assert "/dev/full cannot be written: No space left on device" in done.err
    assert "file/spool cannot be written: Not a directory" in done.err


async def test_the_environment_tells_the_job_which_run_it_is(machine: Machine) -> None:
    done = await machine.job("echo $TOCSIN_JOB $TOCSIN_RUN_ID")
    assert done.out.decode().split() == ["nightly", machine.runs()[0]["run_id"]]


def test_nothing_heavy_is_imported(machine: Machine) -> None:
    import subprocess

    heavy = "{'typing', 'dataclasses', 'subprocess', 'argparse', 'asyncio', 'http.client', 'ssl', 'logging', 'httpx'}"
    script = f"import sys, bot.execution.command, bot.execution.delivery; print(*{heavy} & set(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", script], env=machine.environ, capture_output=True, text=True
    )
    assert (found.stdout.strip(), found.stderr) == ("", "")


def test_durations_are_those_of_the_configuration() -> None:
    from bot.execution.options import Misused, parse_duration
    from checks import options

    for text in ("30s", "5m", "1h30m", "1.5h", "250ms", "2d", "1w", "1h 30m"):
        assert parse_duration(text) == options.parse_duration(text)
    for text in ("", "5", "m", "5 minutes", "-5m", "5m!", "1e3s"):
        with pytest.raises(Misused):
            parse_duration(text)
        with pytest.raises(ValueError, match="duration"):
            options.parse_duration(text)


def test_defaults_follow_the_user(tmp_path: Path) -> None:
    from bot.execution.options import state_folder

    expected = "/var/lib/tocsin/spool" if os.geteuid() == 0 else f"{tmp_path}/tocsin/spool"
    assert state_folder({"XDG_STATE_HOME": str(tmp_path)}, "spool") == expected
