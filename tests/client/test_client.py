"""What Python code reports, whatever happens to it, to the disk and to the bot."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from bot import client as module
from bot.client import Client, JobRun, current_run
from tests.execution.machine import TOKEN, Bot, listening, until

DEAD = "http://127.0.0.1:9"


@pytest.fixture
async def bot() -> AsyncIterator[Bot]:
    async with listening() as found:
        yield found


@pytest.fixture
def client(bot: Bot, tmp_path: Path) -> Client:
    return Client(bot.url, TOKEN, spool=str(tmp_path / "spool"))


@pytest.fixture
def environment(bot: Bot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_URL", bot.url)
    monkeypatch.setenv("TOCSIN_TOKEN", TOKEN)
    monkeypatch.setenv("TOCSIN_SPOOL", str(tmp_path / "spool"))


async def flushed(client: Client) -> bool:
    return await asyncio.to_thread(client.flush, 10)


async def test_a_block_is_a_run(bot: Bot, client: Client) -> None:
    with client.job("parse", source="s3") as run:
        run.fields["rows_processed"] = 3
        run.set(rows_valid=2, pct_invalid=33.3)
    assert await flushed(client)
    (found,) = bot.runs
    assert {
        "job_name": "parse", "status": "SUCCESS", "exit_code": 0, "log_level": "INFO", "source": "s3",
        "rows_processed": 3, "rows_valid": 2, "pct_invalid": 33.3, "error_codes": [], "run_id": run.run_id,
    }.items() <= found.items()  # fmt: skip
    assert found["duration_seconds"] >= 0


async def test_an_exception_passes_and_is_reported(bot: Bot, client: Client) -> None:
    class DatabaseError(Exception):
        pass

    raised = DatabaseError("no route to host")
    with pytest.raises(DatabaseError) as caught, client.job("parse"):
        raise raised
    assert caught.value is raised
    assert await flushed(client)
    (found,) = bot.runs
    assert (found["status"], found["exit_code"], found["log_level"]) == ("ERROR", 1, "ERROR")
    assert (found["error"], found["error_type"]) == ("DatabaseError: no route to host", "DatabaseError")
    assert "raise raised" in found["stack_trace"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SystemExit(), "SUCCESS", 0),
        (SystemExit(0), "SUCCESS", 0),
        (SystemExit(3), "ERROR", 3),
        (SystemExit("a reason"), "ERROR", 1),
        (KeyboardInterrupt(), "ERROR", 130),
        (asyncio.CancelledError(), "ERROR", 1),
    ],
)
async def test_every_way_to_end_is_told(
    bot: Bot, client: Client, error: BaseException, status: str, code: int
) -> None:
    with pytest.raises(type(error)), client.job("parse"):
        raise error
    assert await flushed(client)
    assert (bot.runs[0]["status"], bot.runs[0]["exit_code"]) == (status, code)


async def test_a_run_may_fail_without_an_exception(bot: Bot, client: Client) -> None:
    with client.job("parse") as run:
        run.fail("no file came")
    assert await flushed(client)
    assert (bot.runs[0]["status"], bot.runs[0]["error"]) == ("ERROR", "no file came")


async def test_a_decorated_function_is_a_run_each_call(bot: Bot, client: Client) -> None:
    @client.job("add", team="data")
    def add(one: int, *, other: int) -> int:
        """Adds."""
        run = current_run()
        assert run is not None
        run.set(rows_processed=one)
        return one + other

    assert (add(1, other=2), add(3, other=4), add.__name__, add.__doc__) == (3, 7, "add", "Adds.")
    assert current_run() is None
    assert await flushed(client)
    assert [(run["rows_processed"], run["team"]) for run in bot.runs] == [(1, "data"), (3, "data")]
    assert len({run["run_id"] for run in bot.runs}) == 2


async def test_coroutines_run_side_by_side_each_with_its_own_fields(bot: Bot, client: Client) -> None:
    @client.job("fetch")
    async def fetch(number: int) -> int:
        run = current_run()
        assert run is not None
        await asyncio.sleep(0.01)
        run.set(number=number)
        async with client.job("inner") as inner:
            assert current_run() is inner
        assert current_run() is run
        return number

    assert await asyncio.gather(*(fetch(number) for number in range(5))) == list(range(5))
    assert await flushed(client)
    assert sorted(run["number"] for run in bot.runs if run["job_name"] == "fetch") == list(range(5))
    assert sum(run["job_name"] == "inner" for run in bot.runs) == 5


async def test_a_cancelled_coroutine_is_cancelled_and_reported(bot: Bot, client: Client) -> None:
    @client.job("fetch")
    async def fetch() -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(fetch())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await flushed(client)
    assert bot.runs[0]["error"] == "CancelledError"


def test_a_generator_is_refused_where_it_is_decorated(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="use `with job"):

        @Client(DEAD, spool=str(tmp_path)).job("parse")
        def rows() -> Iterator[int]:
            yield 1


async def test_threads_may_share_a_client(bot: Bot, client: Client) -> None:
    def work(number: int) -> None:
        with client.job("parse") as run:
            run.set(number=number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert await flushed(client)
    assert sorted(run["number"] for run in bot.runs) == list(range(20))


async def test_fields_that_no_json_can_hold_become_text(bot: Bot, client: Client) -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError

    circle: list[object] = []
    circle.append(circle)
    with client.job("parse") as run:
        run.set(
            path=Path("/a"), odd=Odd(), nan=float("nan"), circle=circle, surrogate="\ud800", status="FINE"
        )
        run.fields["keys"] = {(1, 2): 3}
    assert await flushed(client)
    (found,) = bot.runs
    assert (found["path"], found["odd"], found["nan"], found["status"]) == ("/a", "a Odd", None, "SUCCESS")
    assert found["keys"] == {"(1, 2)": 3}


async def test_large_fields_are_cut_to_what_the_bot_takes(bot: Bot, client: Client) -> None:
    with client.job("parse") as run:
        run.set(text="x" * 3_000_000, rows=list(range(500_000)), rows_processed=1)
    assert await flushed(client)
    assert bot.runs[0]["rows_processed"] == 1
    assert bot.runs[0]["fields_dropped"] == ["rows"]


async def test_an_alert_is_posted_in_its_shape(bot: Bot, client: Client) -> None:
    try:
        raise ValueError("bad")
    except ValueError as error:
        client.alert(
            "payment_failed", "Payments fail", "3 in a row", severity="CRITICAL", resource="stripe",
            metadata={"amount": 3}, recommendations=["Look at Stripe"], affected_users=12, exception=error,
        )  # fmt: skip
    assert await flushed(client)
    (found,) = bot.alerts
    trace = found.pop("stack_trace")
    assert "ValueError: bad" in trace
    assert found == {
        "alert_type": "payment_failed", "title": "Payments fail", "message": "3 in a row", "severity": "CRITICAL",
        "resource": "stripe", "metadata": {"amount": 3}, "recommendations": ["Look at Stripe"], "affected_users": 12,
    }  # fmt: skip


async def test_a_bot_without_alerts_still_gets_the_runs(bot: Bot, client: Client) -> None:
    bot.answer = lambda request: web.Response(status=404) if request.path.endswith("alerts") else None
    client.alert("a", "b")
    with client.job("parse"):
        pass
    assert not await flushed(client)
    assert len(bot.runs) == 1


async def test_what_a_bot_that_was_down_missed_is_delivered_by_the_next(bot: Bot, tmp_path: Path) -> None:
    down = Client(DEAD, TOKEN, spool=str(tmp_path / "spool"))
    began = time.monotonic()
    with down.job("first"):
        pass
    down.alert("a", "b")
    assert not down.flush(10)
    assert time.monotonic() - began < 5
    up = Client(bot.url, TOKEN, spool=str(tmp_path / "spool"))
    with up.job("second"):
        pass
    assert await flushed(up)
    assert [run["job_name"] for run in bot.runs] == ["first", "second"]
    assert len(bot.alerts) == 1


async def test_what_waits_is_tried_again_without_another_run(
    bot: Bot, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TRY_AGAIN", 0.05)
    bot.answer = lambda _request: web.Response(status=503)
    with client.job("parse"):
        pass
    assert not await flushed(client)
    bot.answer = lambda _request: None
    assert await until(lambda: bot.runs)


async def test_a_bot_that_hangs_keeps_nobody_waiting(bot: Bot, client: Client) -> None:
    bot.hold.clear()

    def work() -> float:
        began = time.monotonic()
        for _ in range(5):
            with client.job("parse"):
                pass
        return time.monotonic() - began

    assert await asyncio.to_thread(work) < 1
    began = time.monotonic()
    for _ in range(5):
        async with client.job("parse"):
            pass
    assert time.monotonic() - began < 0.5
    bot.hold.set()
    assert await flushed(client)
    assert len({run["run_id"] for run in bot.runs}) == 10


async def test_nothing_reaches_the_job_when_nothing_can_be_written_or_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    for url in (DEAD, "nonsense", "http://a\nb"):
        client = Client(url, "token\n", spool=str(tmp_path / "file" / "spool"))
        with caplog.at_level(logging.WARNING), client.job("parse") as run:
            run.set(rows=1)
        client.alert("a", "b")
        assert not client.flush(10)
    assert "cannot be written: Not a directory" in caplog.text
    assert "reports were lost" in caplog.text


async def test_an_unwritable_spool_does_not_keep_it_from_the_bot(bot: Bot, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    client = Client(bot.url, TOKEN, spool=str(tmp_path / "file" / "spool"))
    with client.job("parse"):
        pass
    assert await until(lambda: bot.runs)


async def test_without_a_token_it_waits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    client = Client(DEAD, spool=str(tmp_path / "spool"))
    with client.job("parse"):
        pass
    assert not client.flush(10)
    assert "TOCSIN_TOKEN is not set" in caplog.text
    assert len(list((tmp_path / "spool").glob("*.run"))) == 1


@pytest.mark.usefixtures("environment")
async def test_the_environment_is_read_when_it_is_used(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    @module.job("parse")
    def parse() -> JobRun | None:
        return current_run()

    parse()
    module.alert("a", "b")
    assert await asyncio.to_thread(module.flush, 10)
    assert (len(bot.runs), len(bot.alerts)) == (1, 1)
    monkeypatch.setenv("TOCSIN_URL", DEAD)
    parse()
    assert not await asyncio.to_thread(module.flush, 10)
    assert len(bot.runs) == 1


@pytest.mark.usefixtures("environment")
async def test_a_script_that_ends_at_once_has_reported(bot: Bot) -> None:
    script = "from bot.client import job, alert\nwith job('script'): pass\nalert('a', 'b')"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
    assert await process.wait() == 0
    assert (len(bot.runs), len(bot.alerts)) == (1, 1)


@pytest.mark.usefixtures("environment")
async def test_forked_workers_report_too(bot: Bot) -> None:
    script = """
import os
from bot.client import job, flush
with job('parent'): pass
flush(10)
if (child := os.fork()) == 0:
    with job('child'): pass
    os._exit(0 if flush(10) else 1)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-W", "ignore", "-c", script)
    assert await process.wait() == 0
    assert [run["job_name"] for run in bot.runs] == ["parent", "child"]


def test_only_the_standard_library_is_imported() -> None:
    script = "import sys, bot.client; print(*{name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    environ = {**os.environ, "PYTHONPATH": str(Path(module.__file__).parents[1])}
    found = subprocess.run([sys.executable, "-S", "-c", script], env=environ, capture_output=True, text=True)
    assert set(found.stdout.split()) <= {"bot", "__main__"}, found
