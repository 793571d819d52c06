"""Jobs report their runs by HTTP; what failed is told by the team's own rules."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import SHOP, shown, story

FLEETYIELD = Path(__file__).parents[2] / "examples" / "fleetyield.yml"
HTTP = '\nhttp: {bind: "127.0.0.1:0", token: a-token-for-the-api}\n'

ONCALL, OPS, ETHAN = "<!subteam^S0ONCALL>", "<!subteam^S0OPS>", "<@U0ETHAN>"
FAILURES: list[tuple[str, str, str, str, dict[str, Any]]] = [
    (
        "Job Timeout: agent_voting",
        "P1 critical",
        ONCALL,
        "agent_voting exceeded its time limit of 600 s. Job killed.",
        {"job_name": "agent_voting", "status": "TIMEOUT", "exit_code": 124, "max_seconds": 600},
    ),
    (
        "CSV Validation Failed: parse_reservations",
        "P2 high",
        OPS,
        "CSV validation failed (12.5% invalid rows). Using 7-day rolling average.",
        {
            "job_name": "parse_reservations",
            "status": "ERROR",
            "exit_code": 1,
            "error_codes": ["ROW_SHORT", "CSV_INVALID"],
            "pct_invalid": 12.5,
        },
    ),
    (
        "Scraper All Failed: competitor_scraper",
        "P1 critical",
        ONCALL,
        "Scraper success rate 30% is critically low. Using 7-day average.",
        {"job_name": "competitor_scraper", "status": "ERROR", "exit_code": 1, "success_rate": 0.3},
    ),
    (
        "PMS Write Failed: pms_write",
        "P1 critical",
        f"{ONCALL} {ETHAN}",
        "PMS rate push FAILED. Auto-revert triggered. Manual verification required.",
        {"job_name": "pms_write", "status": "ERROR", "exit_code": 2},
    ),
    (
        "Data Quality Warning: import_rates",
        "P3 medium",
        OPS,
        "Data quality degrading (7.5% invalid rows). Monitoring.",
        {"job_name": "import_rates", "status": "SUCCESS", "exit_code": 0, "pct_invalid": 7.5},
    ),
    (
        "Job Failed: nightly_report",
        "P3 medium",
        "",
        "nightly_report ended with exit code 3.",
        {"job_name": "nightly_report", "status": "ERROR", "exit_code": 3},
    ),
]


async def test_every_rule_of_fleetyield_tells_its_people_and_a_success_resolves_it(tmp_path: Path) -> None:
    config = FLEETYIELD.read_text() + HTTP
    environ = {"DATABASE_URL": f"sqlite:///{tmp_path}/fleetyield.db"}
    async with story(tmp_path, config, environ=environ, begin=False) as told:
        channel = "fleetyield-alerts"
        told.workspace.add_channel(channel)
        await told.start()

        status, answer = await told.post("/api/v1/runs", [run for *_, run in FAILURES])
        assert (status, answer["accepted"]) == (202, 6)
        await told.see(lambda: len(told.alerts(channel=channel)) == 6)

        for title, priority, mention, message, run in FAILURES:
            (found,) = told.alerts(title, channel)
            heading = found["blocks"][0]["text"]["text"]
            assert f"*{priority}: {title}*" in heading
            assert heading.endswith(f"* {mention}" if mention else "*")
            assert message in shown(found), run
        await told.post(
            "/api/v1/runs",
            [{"job_name": run["job_name"], "status": "SUCCESS", "exit_code": 0} for *_, run in FAILURES],
        )

        await told.see(lambda: len(told.alerts("Resolved:", channel)) == 6)
        await told.settle()
        assert len(told.alerts(channel=channel)) == 6
        for found in told.alerts(channel=channel):
            assert len(told.thread(found)) == 1


async def test_a_run_posted_twice_counts_once(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        run = {"job_name": "sync", "status": "ERROR", "exit_code": 1, "run_id": "sync-1"}
        first = await told.post("/api/v1/runs", run)
        second = await told.post("/api/v1/runs", run)

        assert (first[0], first[1]["outcome"]) == (202, "accepted")
        assert (second[0], second[1]["outcome"]) == (202, "repeated")
        message = await told.alert("sync failed")
        await told.settle()
        assert "Seen" not in shown(told.again(message))


async def test_a_file_of_lines_is_taken_line_by_line(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        lines = '{"job_name": "a", "status": "SUCCESS"}\n{"job_name": "b", "stat\n\n{"job_name": "c", "status": "ok"}\n'
        status, answer = await told.post("/api/v1/runs", lines)

    assert status == 202
    assert [item["outcome"] for item in answer["items"]] == ["accepted", "refused", "refused"]
    assert answer["items"][2]["details"][0]["path"] == "status"


async def test_an_older_run_that_comes_late_changes_nothing(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        await told.run("sync", "SUCCESS", timestamp="2024-03-04T08:50:00.000Z")
        await told.run("sync", "ERROR", exit_code=1, timestamp="2024-03-04T08:40:00.000Z")
        await told.settle()

        assert told.alerts() == []
        (introduction,) = told.workspace.messages("alerts")
        assert "`sync`, SUCCESS" in introduction["text"]
        assert "ERROR" in await told.ask("/tocsin-logs", "sync")


@pytest.mark.parametrize(
    ("token", "config", "status"),
    [("", SHOP, 401), ("wrong", SHOP, 401), ("ünïcode", SHOP, 401), ("anything", None, 401)],
)
async def test_without_the_token_nothing_is_taken(
    tmp_path: Path, token: str, config: str | None, status: int
) -> None:
    closed = SHOP.replace(", token: a-token-for-the-api", "")
    async with story(tmp_path, config or closed) as told:
        answer = await told.post("/api/v1/runs", {"job_name": "a", "status": "ERROR"}, token=token)
        assert answer[0] == status
        assert "token" in answer[1]["error"]
        await told.settle()
        assert told.workspace.messages("alerts") == []
