"""A run reaches the bot once, whatever is down when it ends."""

import asyncio
import json
import os
import signal
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web

from bot.execution.delivery import Delivery, Endpoint
from bot.execution.spool import RUN, Spool
from tests.execution.machine import TOKEN, Machine, ended, listening, until


async def test_a_run_is_posted_as_it_is_logged(machine: Machine) -> None:
    async with listening() as bot:
        machine.report_to(bot)
        await machine.job("""echo '{"rows_processed": 5}' >&3; exit 4""", "--fields-fd")
        assert bot.runs == machine.runs()
        assert (bot.runs[0]["rows_processed"], bot.runs[0]["exit_code"]) == (5, 4)
    assert machine.waiting() == []


async def test_what_a_bot_that_was_down_missed_comes_once_and_in_order(machine: Machine) -> None:
    async with listening() as bot:
        machine.report_to(bot)
        port = int(bot.url.rpartition(":")[2])
    for name in ("first", "second"):
        done = await machine.job("true", name=name)
        assert done.code == 0
        assert "cannot be reached (Connection refused)" in done.err
    assert len(machine.waiting()) == 2
    async with listening(port) as bot:
        await machine.job("true", name="third")
        await machine.job("true", name="fourth")
        assert [run["job_name"] for run in bot.runs] == ["first", "second", "third", "fourth"]
    assert machine.waiting() == []


async def test_flush_delivers_what_waits(machine: Machine) -> None:
    await machine.exec("nightly", "--", "true")
    async with listening() as bot:
        machine.report_to(bot)
        done = await machine.exec("--flush")
        assert (done.code, done.err) == (0, "tocsin exec: 1 delivered, 0 waiting\n")
        assert len(bot.runs) == 1
    done = await machine.exec("--flush")
    assert done.code == 0


async def test_flush_says_that_something_still_waits(machine: Machine) -> None:
    machine.environ["TOCSIN_TOKEN"] = TOKEN
    await machine.exec("nightly", "--", "true")
    done = await machine.exec("--flush")
    assert done.code == 1
    assert "0 delivered, 1 waiting: http://127.0.0.1:9 cannot be reached" in done.err


async def test_without_a_token_the_run_waits_and_the_reason_is_told(machine: Machine) -> None:
    done = await machine.exec("nightly", "--", "true")
    assert "TOCSIN_TOKEN is not set" in done.err
    assert len(machine.waiting()) == 1


async def test_with_a_log_and_no_token_nothing_is_kept_twice(machine: Machine) -> None:
    done = await machine.job("true")
    assert (done.err, len(machine.runs()), machine.waiting()) == ("", 1, [])


async def test_a_bot_that_hangs_costs_two_seconds(machine: Machine) -> None:
    async with listening() as bot:
        machine.report_to(bot)
        bot.hold.clear()
        began = time.monotonic()
        done = await machine.job("true")
        assert time.monotonic() - began < 8
        assert "does not answer within 2 s" in done.err
        assert len(machine.waiting()) == 1


async def test_a_server_that_drips_is_no_reason_to_wait(machine: Machine) -> None:
    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"H")
            await writer.drain()
            await asyncio.sleep(0.1)

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    machine.environ |= {
        "TOCSIN_URL": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
        "TOCSIN_TOKEN": TOKEN,
    }
    began = time.monotonic()
    done = await machine.job("true")
    server.close()
    assert "does not answer within 2 s" in done.err
    assert time.monotonic() - began < 8


async def test_refusals_are_told_and_hold_nothing_up(machine: Machine) -> None:
    async with listening() as bot:
        await machine.exec("bad", "--", "true")
        await machine.exec("good", "--", "true")
        machine.report_to(bot)
        bot.refuse_job = "bad"
        done = await machine.exec("--flush")
        assert [run["job_name"] for run in bot.runs] == ["good"]
        assert "the bot refuses" in done.err
        assert machine.waiting() == []
        assert len(list((machine.folder / "spool").glob("*.refused"))) == 1


async def test_a_wrong_token_and_a_failing_bot_lose_nothing(machine: Machine) -> None:
    async with listening() as bot:
        machine.report_to(bot)
        for status in (401, 404, 500, 503):
            bot.answer = lambda _request, status=status: web.json_response({"error": "no"}, status=status)  # type: ignore[misc]
            assert f"answers {status}: no" in (await machine.job("true")).err
        bot.answer = lambda _request: web.Response(text="<html>a proxy's page</html>", status=200)
        assert "does not answer as Tocsin does" in (await machine.job("true")).err
        bot.answer = lambda _request: None
        await machine.job("true")
        assert bot.runs == machine.runs()
        assert len(bot.runs) == 6


async def test_many_that_flush_at_once_deliver_each_run_once(machine: Machine) -> None:
    await asyncio.gather(*(machine.exec("nightly", "--no-lock", "--", "true") for _ in range(6)))
    async with listening() as bot:
        machine.report_to(bot)
        done = await asyncio.gather(*(machine.exec("--flush") for _ in range(4)))
        assert sum(int(each.err.split()[2]) for each in done) == 6
        assert len(bot.runs) == 6


async def test_who_cannot_flush_delivers_its_own(machine: Machine) -> None:
    await machine.exec("waiting", "--", "true")
    async with listening() as bot:
        machine.report_to(bot)
        with Spool(str(machine.folder / "spool")).delivering() as alone:
            assert alone
            await machine.exec("nightly", "--", "true")
        assert [run["job_name"] for run in bot.runs] == ["nightly"]


async def test_with_a_spool_that_cannot_be_written_the_bot_hears_all_the_same(machine: Machine) -> None:
    (machine.folder / "file").touch()
    async with listening() as bot:
        machine.report_to(bot)
        machine.environ["TOCSIN_SPOOL"] = str(machine.folder / "file/spool")
        done = await machine.exec("nightly", "--", "true")
        assert done.code == 0
        assert len(bot.runs) == 1


async def test_a_kill_after_the_post_repeats_it_harmlessly(machine: Machine) -> None:
    """The bot commits, and the sender dies before it hears of it."""
    async with listening() as bot:
        machine.report_to(bot)
        bot.hold.clear()
        process = await machine.start("nightly", "--", "true")
        await until(lambda: bot.heard)
        process.send_signal(signal.SIGKILL)
        await ended(process)
        bot.hold.set()
        await until(lambda: bot.runs)
        assert len(machine.waiting()) == 1
        await machine.exec("--flush")
        assert len(bot.runs) == 1
    assert machine.waiting() == []


async def test_killed_at_any_instant_it_loses_no_run_and_blocks_none(machine: Machine) -> None:
    async with listening() as bot:
        machine.report_to(bot)
        for delay in range(20, 140, 5):
            process = await machine.start(
                "nightly", "--log", str(machine.log), "--", "sh", "-c", "echo $TOCSIN_RUN_ID >> begun"
            )
            await asyncio.sleep(delay / 1000)
            if process.returncode is None:
                process.kill()
            await ended(process)
        done = await machine.job("sleep 0.2; echo $TOCSIN_RUN_ID >> begun")
        while done.code == 1:  # the last command lived on for an instant
            done = await machine.job("echo $TOCSIN_RUN_ID >> begun")
        begun = set((machine.folder / "begun").read_text().split())
        told = {run["run_id"]: run["status"] for run in bot.runs}
        assert begun <= set(told)
        assert set(told) == {run["run_id"] for run in machine.runs()}
        assert len(bot.runs) == len(told)
        finished = {run["run_id"] for run in machine.runs() if run["status"] == "SUCCESS"}
        assert finished == {run_id for run_id, status in told.items() if status == "SUCCESS"}


async def test_a_big_run_fits_what_the_bot_takes(machine: Machine) -> None:
    script = "import os; os.write(1, b'\\1' * 200000); [os.write(3, b'{\"f%d\": \"%s\"}\\n' % (i, b'\\\\u0001' * 9000))"
    script += " for i in range(12)]"
    async with listening() as bot:
        machine.report_to(bot)
        done = await machine.exec("nightly", "--fields-fd", "--", "python3", "-c", script)
        assert (done.code, len(bot.runs)) == (0, 1)
        assert len(json.dumps(bot.runs[0])) < 600_000


async def test_a_large_backlog_goes_in_batches(machine: Machine) -> None:
    spool = Spool(str(machine.folder / "spool"))
    now = datetime.now(UTC)
    for number in range(450):
        run = {"job_name": "j", "run_id": str(number), "status": "SUCCESS", "pad": "x" * 1000}
        spool.add(RUN, f"{number:04}", json.dumps(run).encode() + b"\n", now)
    async with listening() as bot:
        delivery = Delivery(Endpoint(bot.url, TOKEN), spool, print)
        await asyncio.to_thread(delivery.run, now)
        assert (delivery.delivered, delivery.trouble) == (450, None)
        assert [run["run_id"] for run in bot.runs] == [str(number) for number in range(450)]
        assert len(bot.posts) == 3


async def test_what_is_too_large_together_is_sent_apart(machine: Machine) -> None:
    for name in ("a", "b", "c"):
        await machine.exec(name, "--", "true")
    async with listening() as bot:
        bot.answer = lambda request: web.Response(status=413) if (request.content_length or 0) > 600 else None
        machine.report_to(bot)
        assert (await machine.exec("--flush")).code == 0
        assert len(bot.posts) == 3


# The spool


def test_the_spool_is_bounded_and_the_oldest_go(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "spool"), largest=1000, most=5)
    now = datetime.now(UTC)
    for number in range(8):
        spool.add(RUN, str(number), b"x" * 9 + b"\n", now + timedelta(seconds=number))
    assert spool.trim() == 3
    assert [name.split(".")[1] for name in spool.names()] == ["3", "4", "5", "6", "7"]
    spool.add(RUN, "big", b"x" * 979 + b"\n", now + timedelta(minutes=1))
    assert spool.trim() == 3
    assert [name.split(".")[1] for name in spool.names()] == ["6", "7", "big"]


async def test_a_full_spool_is_told(machine: Machine) -> None:
    spool = Spool(str(machine.folder / "spool"))
    for number in range(3):
        path = machine.folder / f"{number}.big"
        path.write_bytes(b"")
        os.truncate(path, 30 * 1024 * 1024)
        spool.add(RUN, str(number), b"{}\n", datetime(2026, 1, 1, tzinfo=UTC))
        path.rename(machine.waiting()[-1])
    done = await machine.exec("nightly", "--", "true")
    assert "was full: its 1 oldest runs were dropped" in done.err


async def test_half_a_run_is_passed_over_and_gone_after_an_hour(machine: Machine) -> None:
    folder = machine.folder / "spool"
    folder.mkdir()
    now = datetime.now(UTC)
    for age in (0, 7200):
        instant = int((now - timedelta(seconds=age)).timestamp() * 1000)
        (folder / f"{instant:013d}.{age}.run").write_text('{"job_name": "nigh')
    async with listening() as bot:
        machine.report_to(bot)
        done = await machine.exec("nightly", "--", "true")
        assert "1 runs in" in done.err
        assert len(bot.runs) == 1
    assert [path.name.split(".")[1] for path in machine.waiting()] == ["0"]


def test_addresses_are_read_or_refused(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for url, words in (
        (f"http://127.0.0.1:{port}", "Connection refused"),
        (f"http://[::1]:{port}/under/a/path", "cannot be reached"),
        ("ftp://host", "write an address such as"),
        ("http://", "write an address such as"),
        ("http://host:99999", "cannot be"),
        ("http://a\nb:1", "control character"),
    ):
        spool = Spool(str(tmp_path / "spool"))
        spool.add(RUN, str(hash(url)), b"{}\n", datetime.now(UTC))
        delivery = Delivery(Endpoint(url, TOKEN), spool, print)
        delivery.run(datetime.now(UTC))
        assert words in (delivery.trouble or "")
