"""Jobs that ping Healthchecks ping Tocsin without a change but the address."""

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from bot.domain.run import Run, RunStatus
from storage.database import Database
from tests.databases import sqlite_database
from tests.handlers.http.door import BACKUP, JOBS, KEY, OTHER, RID, RID2, door

SLUG = f"{KEY}/nightly-backup"


def ends(found: list[Run]) -> list[tuple[str, str, int | None]]:
    return [(run.job, run.status.value, run.exit_code) for run in found]


@pytest.mark.parametrize("way", [BACKUP, f"{BACKUP}/", BACKUP.upper(), SLUG])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_a_ping_is_a_success(database: Database, way: str, method: str) -> None:
    async with door(database) as at:
        answer = await at.ping(way, method=method)
        assert (answer.status, answer.text) == (200, "" if method == "HEAD" else "OK")
        assert answer.headers["Ping-Body-Limit"] == "65536"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert "no-store" in answer.headers["Cache-Control"]
        assert ends(await at.runs()) == [("Nightly Backup", "SUCCESS", None)]
        assert (await at.runs())[0].duration_seconds is None


@pytest.mark.parametrize(
    ("action", "end"),
    [
        ("fail", ("ERROR", None)),
        ("0", ("SUCCESS", 0)),
        ("1", ("ERROR", 1)),
        ("255", ("ERROR", 255)),
        ("007", ("ERROR", 7)),
    ],
)
@pytest.mark.parametrize("way", [BACKUP, SLUG])
async def test_how_a_run_ended_is_said_by_the_address(
    database: Database, way: str, action: str, end: tuple[str, int | None]
) -> None:
    async with door(database) as at:
        assert (await at.ping(f"{way}/{action}")).text == "OK"
        assert ends(await at.runs()) == [("Nightly Backup", *end)]


async def test_a_failure_alerts_and_the_next_success_resolves(database: Database) -> None:
    async with door(database) as at:
        await at.ping(f"{BACKUP}/3", "disk full")
        (title,) = await at.ear.titles()
        assert "Nightly Backup" in title
        at.pass_seconds(60)
        await at.ping(BACKUP)
        assert await at.ear.titles() == []


NOT_TAKEN = [
    (f"{BACKUP}/256", 400, "invalid url format"),
    (f"{BACKUP}/99999999999999999999", 400, "invalid url format"),
    (f"{SLUG}/256", 400, "invalid url format"),
    (f"{KEY}/Nightly-Backup", 400, "invalid url format"),
    (f"{BACKUP}?rid=7", 400, "invalid uuid format"),
    (f"{BACKUP}?rid=", 400, "invalid uuid format"),
    (f"{SLUG}?rid={RID}x", 400, "invalid uuid format"),
    (f"{KEY}/new?create=1&rid=nonsense", 400, "invalid uuid format"),
    (RID, 404, "not found"),
    (f"{RID}/256", 404, "not found"),
    (f"{BACKUP}/done", 404, "not found"),
    (f"{BACKUP}/start/", 404, "not found"),
    (f"{BACKUP}/-1", 404, "not found"),
    (f"{KEY}/unknown", 404, "not found"),
    (f"{KEY}/unknown?create=0", 404, "not found"),
    (f"{KEY}/unknown/fail", 404, "not found"),
    ("wrong-key/nightly-backup", 404, "not found"),
    ("wrong-key/new?create=1", 404, "not found"),
    (f"{KEY}/", 404, "not found"),
    (f"{KEY}/ünknown?create=1", 404, "not found"),
    (f"{KEY}/a%00b?create=1", 404, "not found"),
    (f"{KEY}%2Fnightly-backup", 404, "not found"),
    (KEY, 404, "not found"),
    ("", 404, "not found"),
]


async def test_what_is_not_taken_is_answered_in_the_words_of_healthchecks(database: Database) -> None:
    async with door(database) as at:
        for address, status, text in NOT_TAKEN:
            answer = await at.ping(address)
            assert (answer.status, answer.text) == (status, text), address
            assert answer.headers["Content-Type"].startswith("text/plain")
        assert await at.runs() == []


async def test_without_a_key_in_the_configuration_no_key_is_right(database: Database) -> None:
    async with door(database, key="") as at:
        assert (await at.ping("/nightly-backup")).status == 404
        assert (await at.ping("x/nightly-backup")).status == 404


async def test_other_methods_are_refused(database: Database) -> None:
    async with door(database) as at:
        answer = await at.ping(BACKUP, method="PUT")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD,POST")


async def test_two_jobs_of_one_slug_are_told_apart_by_nobody(database: Database) -> None:
    config = "jobs:\n  Data Sync: {every: 1h}\n  data-sync: {every: 1h}\n"
    async with door(database, config) as at:
        answer = await at.ping(f"{KEY}/data-sync")
        assert (answer.status, answer.text) == (409, "ambiguous slug")
        assert await at.runs() == []


@pytest.mark.parametrize("action", ["", "/start", "/fail", "/log", "/0"])
async def test_an_unknown_slug_is_created_once_when_asked_for(database: Database, action: str) -> None:
    async with door(database) as at:
        first = await at.ping(f"{KEY}/new-job{action}?create=1", "hello")
        second = await at.ping(f"{KEY}/new-job{action}?create=1", "hello")
        third = await at.ping(f"{KEY}/new-job{action}", "hello")
        assert [(each.status, each.text) for each in (first, second, third)] == [
            (201, "Created"),
            (200, "OK"),
            (200, "OK"),
        ]
    async with door(database) as at:
        assert (await at.ping(f"{KEY}/new-job")).status == 200, "it is known after a restart"


async def test_a_run_lasts_from_its_start(database: Database) -> None:
    async with door(database) as at:
        await at.ping(f"{BACKUP}/start")
        assert [run.job for run in await at.open()] == ["Nightly Backup"]
        at.pass_seconds(90)
        await at.ping(BACKUP)
        (run,) = await at.runs()
        assert run.duration_seconds == 90
        assert await at.open() == []


async def test_runs_at_the_same_time_are_told_apart_by_their_ids(database: Database) -> None:
    async with door(database) as at:
        await at.ping(f"{BACKUP}/start?rid={RID}")
        at.pass_seconds(10)
        await at.ping(f"{BACKUP}/start?rid={RID2}")
        at.pass_seconds(10)
        await at.ping(f"{BACKUP}?rid={RID}")
        at.pass_seconds(10)
        await at.ping(f"{BACKUP}/1?rid={RID2}")
        newest, before = await at.runs()
        assert (newest.status, newest.duration_seconds) == (RunStatus.ERROR, 20)
        assert (before.status, before.duration_seconds) == (RunStatus.SUCCESS, 20)
        assert await at.open() == []


async def test_an_end_without_its_id_does_not_last_from_a_start_with_one(database: Database) -> None:
    async with door(database) as at:
        await at.ping(f"{BACKUP}/start?rid={RID}")
        at.pass_seconds(10)
        await at.ping(BACKUP)
        assert (await at.runs())[0].duration_seconds is None


async def test_after_a_run_that_never_ended_the_next_lasts_from_its_own_start(database: Database) -> None:
    async with door(database) as at:
        await at.ping(f"{BACKUP}/start")
        at.pass_seconds(3600)
        await at.ping(f"{BACKUP}/start")
        at.pass_seconds(5)
        await at.ping(BACKUP)
        assert (await at.runs())[0].duration_seconds == 5
        assert len(await at.open()) == 1


async def test_a_ping_repeated_with_its_id_counts_once(database: Database) -> None:
    async with door(database) as at:
        for action in ("/start", "/log", ""):
            for _ in range(3):
                assert (await at.ping(f"{BACKUP}{action}?rid={RID}", "said")).text == "OK"
                at.pass_seconds(1)
        assert (await at.ping(f"{BACKUP}/start?rid={RID}")).text == "OK"
        found = await at.runs()
        assert sorted(run.status for run in found) == ["LOG", "SUCCESS"]
        assert found[0].duration_seconds == 6, "the first of each counts"
        assert await at.open() == [], "a start that comes again after the end opens nothing"


async def test_pings_repeated_at_the_same_instant_count_once(database: Database) -> None:
    async with door(database) as at:
        answers = await asyncio.gather(*(at.ping(f"{BACKUP}/fail?rid={RID}", "x") for _ in range(8)))
        logs = await asyncio.gather(*(at.ping(f"{BACKUP}/log?rid={RID}", "x") for _ in range(8)))
        assert {answer.text for answer in answers + logs} == {"OK"}
        assert sorted(run.status for run in await at.runs()) == ["ERROR", "LOG"]


async def test_a_failure_after_a_success_of_the_same_id_is_not_lost(database: Database) -> None:
    async with door(database) as at:
        for action in ("", "/fail", "", "/fail"):
            await at.ping(f"{BACKUP}{action}?rid={RID}")
            at.pass_seconds(1)
        assert [run.status for run in await at.runs()] == ["ERROR", "SUCCESS"]


async def test_one_id_of_two_jobs_is_two_runs(database: Database) -> None:
    async with door(database) as at:
        await at.ping(f"{BACKUP}/start?rid={RID}")
        at.pass_seconds(2)
        await at.ping(f"{OTHER}/start?rid={RID}")
        at.pass_seconds(3)
        await at.ping(f"{BACKUP}?rid={RID}")
        await at.ping(f"{OTHER}?rid={RID}")
        assert {run.job: run.duration_seconds for run in await at.runs()} == {"Nightly Backup": 5, "sync": 3}


async def test_one_id_of_two_jobs_with_long_names_is_two_runs(database: Database) -> None:
    one, two = f"{'a' * 198}-1", f"{'a' * 198}-2"
    async with door(database) as at:
        await at.ping(f"{KEY}/{one}?create=1&rid={RID}")
        await at.ping(f"{KEY}/{two}?create=1&rid={RID}")
        await at.ping(f"{KEY}/{two}?rid={RID}")
        assert sorted(run.job for run in await at.runs()) == [one, two]


async def test_pings_without_an_id_are_each_a_run(database: Database) -> None:
    async with door(database) as at:
        await at.ping(BACKUP)
        await at.ping(BACKUP)
        assert len(await at.runs()) == 2


async def test_the_end_of_a_long_body_is_kept(database: Database) -> None:
    async with door(database, body_limit=1024) as at:
        body = b"first line\n" + b"x" * 3_000_000 + "ü\nlast line: disk full".encode()
        assert (await at.ping(f"{BACKUP}/fail", body)).text == "OK"
        (run,) = await at.runs()
        assert run.output.endswith("ü\nlast line: disk full")
        assert len(run.output.encode()) <= 65536
        (alert,) = (await at.ear.alerts()).values()
        assert "disk full" in str(alert.firing)


async def test_a_body_cut_within_a_character_stays_readable(database: Database) -> None:
    async with door(database) as at:
        await at.ping(f"{BACKUP}/fail", ("ü" * 40_000 + "!").encode())
        (run,) = await at.runs()
        assert run.output == "ü" * 32767 + "!"


async def test_a_body_that_is_no_text_is_kept_as_far_as_it_is(database: Database) -> None:
    async with door(database) as at:
        assert (await at.ping(f"{BACKUP}/fail", b"\xff\x00broken\xfe")).text == "OK"
        assert "broken" in (await at.runs())[0].output


async def test_a_log_is_kept_and_judged_as_nothing(database: Database) -> None:
    async with door(database, JOBS.replace("every: 1d", "every: 1h, consecutive_failures: 2")) as at:
        await at.ping(f"{BACKUP}/fail")
        at.pass_seconds(1)
        await at.ping(f"{BACKUP}/log", "half way\nmore")
        (title,) = await at.ear.titles()
        assert title == "Nightly Backup failed"
        log, _failure = await at.runs()
        assert (log.status, log.output, log.fields) == (
            RunStatus.LOG,
            "half way\nmore",
            {"message": "half way"},
        )
        at.pass_seconds(1)
        await at.ping(BACKUP)
        assert await at.ear.titles() == []
        at.pass_seconds(1)
        await at.ping(f"{BACKUP}/log")
        seen = await at.ear.fields("Nightly Backup")
        assert (seen["status"], seen["runs_24h"], seen["success_rate_24h"]) == ("SUCCESS", 2, 0.5)
        at.pass_seconds(4000)
        await at.ping(f"{BACKUP}/log")
        await at.ear.look()
        assert "Nightly Backup has not been heard of" in " ".join(await at.ear.titles()), (
            "what a job says is no sign that it ran"
        )


async def test_what_comes_with_a_start_is_kept(database: Database) -> None:
    async with door(database) as at:
        await at.ping(f"{BACKUP}/start?rid={RID}", "from host-7")
        (said,) = await at.runs()
        assert (said.status, said.output) == (RunStatus.LOG, "from host-7")
        assert len(await at.open()) == 1


async def test_a_ping_that_cannot_be_kept_is_to_be_sent_again_and_its_address_is_not_logged(
    tmp_path: Path,
) -> None:
    async with sqlite_database(tmp_path / "tocsin.db") as database, door(database) as at:
        async with database.transaction() as connection:
            for table in ("run_outputs", "runs", "open_runs"):
                await connection.execute(sa.text(f"DROP TABLE {table}"))
        with capture_logs() as logs:
            for address in (BACKUP, f"{SLUG}/start", f"{BACKUP}/log", f"{KEY}/unknown"):
                answer = await at.ping(address)
                assert answer.status == 503
                assert answer.headers["Retry-After"]
                assert "try again" in answer.text
        assert logs
        assert BACKUP not in str(logs)
        assert KEY not in str(logs)
