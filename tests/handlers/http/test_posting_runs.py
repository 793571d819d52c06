"""Runs that are posted: each is taken or refused by itself, with its reason and its place."""

import gzip
import json
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from storage.database import Database
from tests.databases import sqlite_database
from tests.handlers.http.door import door

GOOD = {"job_name": "sync", "status": "SUCCESS"}
NDJSON = "application/x-ndjson"


def lines(*items: Any) -> str:
    return "\n".join(item if isinstance(item, str) else json.dumps(item) for item in items)


def outcomes(answer: Any) -> list[tuple[int, str]]:
    return [(item.get("line") or item["item"], item["outcome"]) for item in answer.json["items"]]


async def test_lines_are_taken_each_by_itself_and_named_by_their_numbers(database: Database) -> None:
    async with door(database) as at:
        body = lines({**GOOD, "run_id": "a"}, "", '{"broken', {"status": "SUCCESS"}, {**GOOD, "run_id": "b"})
        answer = await at.post(body, NDJSON)
        assert answer.status == 202
        assert outcomes(answer) == [(1, "accepted"), (3, "refused"), (4, "refused"), (5, "accepted")]
        assert answer.json["items"][1]["details"] == [{"path": "", "message": 'not JSON: {"broken'}]
        assert answer.json["items"][2]["details"] == [{"path": "job_name", "message": "is missing"}]
        assert (answer.json["total"], answer.json["accepted"]) == (4, 2)
        assert sorted(str(run.run_id) for run in await at.runs()) == ["a", "b"]


async def test_one_line_said_to_be_lines_is_answered_as_lines(database: Database) -> None:
    async with door(database) as at:
        assert outcomes(await at.post(lines(GOOD), NDJSON)) == [(1, "accepted")]
        refused = await at.post('{"job_name', NDJSON)
        assert (refused.status, outcomes(refused)) == (422, [(1, "refused")])
        empty = await at.post("\n\n", NDJSON)
        assert (empty.status, empty.json["total"]) == (202, 0)


async def test_signs_that_end_lines_elsewhere_do_not_end_them_here(database: Database) -> None:
    async with door(database) as at:
        odd = "one\u2028two\x85three\x0b"
        body = "\r\n".join(
            json.dumps({**GOOD, "note": odd[:-1], "run_id": n}, ensure_ascii=False) for n in "ab"
        )
        assert outcomes(await at.post(body, NDJSON)) == [(1, "accepted"), (2, "accepted")]
        assert (await at.runs())[0].fields["note"] == odd[:-1]


async def test_items_of_an_array_are_named_by_their_numbers(database: Database) -> None:
    async with door(database) as at:
        answer = await at.post([GOOD, 7, {**GOOD, "exit_code": "x"}])
        assert outcomes(answer) == [(1, "accepted"), (2, "refused"), (3, "refused")]
        assert answer.json["items"][2]["details"][0]["path"] == "exit_code"


async def test_a_repeated_run_changes_nothing_and_says_so(database: Database) -> None:
    async with door(database) as at:
        run = {**GOOD, "run_id": "one"}
        assert outcomes(await at.post([run, {**run, "status": "ERROR"}])) == [
            (1, "accepted"),
            (2, "repeated"),
        ]
        again = await at.post({**run, "status": "ERROR"})
        assert (again.status, again.json["outcome"]) == (202, "repeated")
        assert [run.status for run in await at.runs()] == ["SUCCESS"]
        assert await at.ear.titles() == []


@pytest.mark.parametrize("several", [True, False])
async def test_a_compressed_body_is_taken(database: Database, several: bool) -> None:
    async with door(database) as at:
        kind = NDJSON if several else "application/json"
        body = gzip.compress((lines(GOOD, GOOD) if several else json.dumps(GOOD)).encode())
        answer = await at.post(body, kind, **{"Content-Encoding": "gzip"})
        assert answer.status == 202
        assert len(await at.runs()) == (2 if several else 1)


async def test_a_body_that_swells_beyond_the_limit_is_refused(database: Database) -> None:
    async with door(database, body_limit=100_000) as at:
        bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
        body = b"".join(bomb.compress(b" " * 1_000_000) for _ in range(200)) + bomb.flush()
        assert len(body) < 250_000
        answer = await at.post(body, **{"Content-Encoding": "gzip"})
        assert (answer.status, answer.json["error"]) == (413, "the body is larger than http.body_limit")
        small = gzip.compress(b" " * 50_000_000)
        assert (await at.post(small[:80_000], **{"Content-Encoding": "gzip"})).status in (400, 413)
        assert (await at.post(GOOD)).status == 202, "it still takes others"


async def test_a_body_that_is_not_compressed_as_it_says_is_refused(database: Database) -> None:
    with capture_logs() as logs:
        async with door(database) as at:
            answer = await at.post(b"\x00no such thing", **{"Content-Encoding": "gzip"})
            assert answer.status == 400
            cut = gzip.compress(json.dumps(GOOD).encode() * 100)[:-12]
            assert (await at.post(cut, **{"Content-Encoding": "gzip"})).status == 400
            assert await at.runs() == []
    assert [line for line in logs if line["log_level"] == "error"] == []


async def test_an_encoding_that_is_not_known_is_refused_with_those_that_are(database: Database) -> None:
    async with door(database) as at:
        answer = await at.post(GOOD, **{"Content-Encoding": "br"})
        assert (answer.status, "gzip" in answer.json["error"]) == (415, True)


async def test_a_body_compressed_in_pieces_is_taken_whole(database: Database) -> None:
    async with door(database) as at:
        body = b"".join(gzip.compress((json.dumps(GOOD) + "\n").encode()) for _ in range(3))
        answer = await at.post(body, NDJSON, **{"Content-Encoding": "gzip"})
        assert outcomes(answer) == [(1, "accepted"), (2, "accepted"), (3, "accepted")]


UNFIT: list[tuple[dict[str, Any], str, str]] = [
    ({**GOOD, "job_name": "a\0b"}, "job_name", "NUL"),
    ({**GOOD, "run_id": "a\0b"}, "run_id", "NUL"),
    ({**GOOD, "job_name": "a\ud800"}, "job_name", "surrogate"),
    ({**GOOD, "run_id": "\udfff"}, "run_id", "surrogate"),
    ({**GOOD, "run_id": "x" * 201}, "run_id", "at most 200"),
    ({**GOOD, "exit_code": 2**40}, "exit_code", "100000"),
    ({**GOOD, "duration_seconds": 1e300}, "duration_seconds", "less than or equal"),
    ({**GOOD, "timestamp": "0001-01-01T00:00:00Z"}, "timestamp", "before the year 2000"),
    ({**GOOD, "timestamp": "1999-12-31T23:59:59Z"}, "timestamp", "before the year 2000"),
    ({**GOOD, "log_level": "x" * 17}, "log_level", "at most 16"),
]


async def test_what_the_database_could_not_keep_is_refused_with_its_path(database: Database) -> None:
    async with door(database) as at:
        for body, path, words in UNFIT:
            answer = await at.post(body)
            (detail,) = answer.json["details"]
            assert (answer.status, detail["path"], words in detail["message"]) == (422, path, True), (
                answer.text
            )
        assert await at.runs() == []


ODD: list[dict[str, Any]] = [
    {"note": "a\0b", "half": "\ud800", "key\0": 1},
    {"big": 2**70, "huge": -(10**400), "small": 1e-320, "deep": [[[[[[[[[[[1]]]]]]]]]]]},
    {"duration_seconds": 1e9, "timestamp": "2000-01-01T00:00:00+00:00"},
    {"timestamp": "9999-12-31T23:59:59Z"},
    {"rid": "x" * 5000, "error": "x" * 100_000, "output": "\0" * 100},
    {"error_codes": [None, {"a": "\0"}], "status": "success", "exit_code": -1000},
    {f"field_{n}": "x" * 300 for n in range(300)},
]


async def test_odd_fields_never_stop_a_run_or_its_neighbours(database: Database) -> None:
    async with door(database) as at:
        for number, fields in enumerate(ODD):
            answer = await at.post([{**GOOD, **fields, "run_id": f"{number}"}, GOOD])
            assert outcomes(answer) == [(1, "accepted"), (2, "accepted")], (fields, answer.text)


async def test_a_start_of_a_run_and_its_end_are_told_by_lines(database: Database) -> None:
    async with door(database) as at:
        started = {"job_name": "sync", "status": "STARTED", "run_id": "r1"}
        first, second = await at.post(started), await at.post(started)
        assert (first.json["outcome"], second.json["outcome"]) == ("accepted", "repeated")
        at.ear.clock.now += timedelta(seconds=5)
        await at.post({**GOOD, "run_id": "r1"})
        assert await at.open() == []


async def test_what_cannot_be_written_now_is_to_be_sent_again(tmp_path: Path) -> None:
    async with sqlite_database(tmp_path / "tocsin.db") as database, door(database) as at:
        async with database.transaction() as connection:
            for table in ("run_outputs", "runs"):
                await connection.execute(sa.text(f"DROP TABLE {table}"))
        one = await at.post(GOOD)
        assert (one.status, "try again" in one.json["error"]) == (503, True)
        assert one.headers["Retry-After"]
        several = await at.post(lines(GOOD, {"status": "SUCCESS"}), NDJSON)
        assert (several.status, outcomes(several)) == (503, [(1, "failed"), (2, "refused")])
