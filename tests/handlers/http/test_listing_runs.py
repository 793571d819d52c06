"""`GET /api/v1/runs`: filtered, in pages that hold still, at a price that does not grow."""

import json
from datetime import timedelta
from typing import Any

import pytest

from handlers.http import run_routes
from storage.database import Database
from tests.handlers.http.door import BACKUP, TOKEN, Door, door
from tests.jobs.hearing import START


async def many(at: Door, count: int = 25) -> None:
    """Runs of two jobs, one a minute, every fifth failed; the newest ends now."""
    at.ear.clock.now = START + timedelta(minutes=count)
    body = [
        {
            "job_name": "sync" if number % 2 else "report",
            "status": "ERROR" if number % 5 == 0 else "SUCCESS",
            "timestamp": (START + timedelta(minutes=number)).isoformat(),
            "run_id": f"r{number}",
            "error": "disk full" if number % 5 == 0 else "",
        }
        for number in range(1, count + 1)
    ]
    answer = await at.post(body)
    assert answer.json["accepted"] == count, answer.text


def ids(body: Any) -> list[str]:
    return [item["run_id"] for item in body["items"]]


async def test_a_run_is_listed_in_the_words_in_which_it_was_posted(database: Database) -> None:
    async with door(database) as at:
        await at.post(
            {
                "job_name": "sync",
                "status": "ERROR",
                "exit_code": 3,
                "duration_seconds": 1.5,
                "rows": 7,
                "run_id": "a",
            }
        )
        answer = await at.listed()
        (item,) = answer.json["items"]
        assert isinstance(item.pop("id"), int)
        assert item.pop("fields")["rows"] == 7
        assert item == {
            "run_id": "a",
            "job_name": "sync",
            "status": "ERROR",
            "timestamp": "2025-03-03T00:00:00.000Z",
            "duration_seconds": 1.5,
            "exit_code": 3,
            "log_level": "ERROR",
            "summary": "ERROR (exit code 3) in 1.5 s",
        }
        assert {key: answer.json[key] for key in ("total", "total_is", "next", "previous")} == {
            "total": 1, "total_is": "exact", "next": None, "previous": None,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "total", "newest"),
    [
        ("", 25, "r25"),
        ("job=sync", 13, "r25"),
        ("status=error", 5, "r25"),
        ("status=ERROR&job=report", 2, "r20"),
        ("since=10m", 11, "r25"),
        ("since=2025-03-03T00:20:00Z&until=2025-03-03T00:23:00Z", 3, "r22"),
        ("since=2025-03-03T01:20:00+01:00", 6, "r25"),
        ("since=2025-03-03T01:20:00%2B01:00", 6, "r25"),
        ("since=2025-03-03T00:20:00", 6, "r25"),
        ("q=DISK", 5, "r25"),
        ('q="disk full" error', 5, "r25"),
        ("q=full&job=report", 2, "r20"),
        ("job=nobody", 0, None),
        ("limit=1", 25, "r25"),
    ],
)
async def test_runs_are_filtered(database: Database, query: str, total: int, newest: str | None) -> None:
    async with door(database) as at:
        await many(at)
        body = (await at.listed(query)).json
        assert (body["total"], body["total_is"]) == (total, "exact")
        assert next(iter(ids(body)), None) == newest


@pytest.mark.parametrize("query", ["", "&job=sync", "&q=disk", "&status=SUCCESS"])
async def test_pages_hold_still_while_runs_come_in(database: Database, query: str) -> None:
    async with door(database) as at:
        await many(at)
        whole = ids((await at.listed(f"limit=500{query}")).json)
        seen: list[str] = []
        cursor, pages = "", 0
        while True:
            body = (await at.listed(f"limit=3{query}{cursor}")).json
            seen += ids(body)
            pages += 1
            late = {"job_name": "sync", "status": "ERROR", "error": "disk full", "run_id": f"late{pages}"}
            await at.post(late)
            if body["next"] is None:
                break
            cursor = f"&cursor={body['next']}"
        assert seen == whole
        assert pages == -(-len(whole) // 3)


async def test_pages_lead_back(database: Database) -> None:
    async with door(database) as at:
        await many(at)
        first = (await at.listed("limit=4")).json
        second = (await at.listed(f"limit=4&cursor={first['next']}")).json
        back = (await at.listed(f"limit=4&cursor={second['previous']}")).json
        assert ids(back) == ids(first)
        assert first["previous"] is None


async def test_the_total_is_counted_only_so_far(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_routes, "MOST_COUNTED", 20)
    async with door(database) as at:
        await many(at)
        for query, total, how in (
            ("", 20, "at least"),
            ("job=sync", 13, "exact"),
            ("since=20m&limit=2", 20, "at least"),
            ("since=19m", 20, "exact"),
        ):
            body = (await at.listed(query)).json
            assert (body["total"], body["total_is"]) == (total, how), query


async def test_what_a_job_said_is_listed_by_its_own_status(database: Database) -> None:
    async with door(database) as at:
        await many(at, 5)
        await at.ping(f"{BACKUP}/log", "Hello World")
        body = (await at.listed("status=log")).json
        assert [(item["job_name"], item["summary"]) for item in body["items"]] == [
            ("Nightly Backup", "LOG: Hello World")
        ]


MISTAKES = [
    ("limit=0", "limit", "from 1 to 500"),
    ("limit=501", "limit", "from 1 to 500"),
    ("limit=many", "limit", "from 1 to 500"),
    ("limit=" + "9" * 5000, "limit", "from 1 to 500"),
    ("status=broken", "status", "SUCCESS, ERROR, TIMEOUT, LOG"),
    ("since=yesterday", "since", "such as 24h"),
    ("since=-1h", "since", "such as 24h"),
    ("until=0001-01-01T00:00:00%2B14:00", "until", "such as"),
    ("since=1h&until=2h", "until", "before"),
    ("cursor=nonsense", "cursor", "`next`"),
    ("cursor=WyJiZWZvcmUiLCAiMjAyNSIsIDFd", "cursor", "`next`"),
    ("cursor=bnVsbA", "cursor", "`next`"),
    ("cursor=%00", "cursor", "`next`"),
    ("q=", "q", "1 to 5"),
    ("q=a b c d e f", "q", "1 to 5"),
    ("q=" + "x" * 101, "q", "100 characters"),
    ("q=a%00b", "q", "1 to 5"),
    ("job=", "job", "name of a job"),
    ("job=a%00b", "job", "name of a job"),
    ("job=sync&job=report", "job", "given twice"),
    ("state=critical", "state", "filter by `status`"),
    ("severity=HIGH", "severity", "filter by `status`"),
    ("jobs=sync", "jobs", "did you mean `job`"),
    ("colour=red", "colour", "there are job, status"),
]


async def test_a_parameter_that_cannot_be_read_is_named_with_its_remedy(database: Database) -> None:
    async with door(database) as at:
        for query, name, remedy in MISTAKES:
            answer = await at.listed(query)
            (detail,) = json.loads(answer.text)["details"]
            assert (answer.status, detail["path"], remedy in detail["message"]) == (400, name, True), (
                answer.text
            )


@pytest.mark.parametrize("given", ["", "Bearer wrong", "Basic abc", f"Bearer {TOKEN}x"])
async def test_without_the_token_nothing_is_shown(database: Database, given: str) -> None:
    async with door(database) as at:
        answer = await at.ask("GET", "/api/v1/runs", headers={"Authorization": given})
        assert answer.status == 401
        assert "items" not in answer.json
