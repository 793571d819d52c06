"""What a job writes to its log is told in Slack."""

from pathlib import Path

from tests.e2e.harness import SHOP, shown, story
from tests.following.reading import line


async def test_a_failed_run_in_a_log_is_an_alert_and_its_next_success_ends_it(tmp_path: Path) -> None:
    log = tmp_path / "runs.jsonl"
    config = SHOP + f"run_logs: [{{path: '{log}', every: 1s}}]\njobs: {{sync: {{every: 1h}}}}\n"
    async with story(tmp_path, config) as told:
        log.write_text(line(0, at=told.clock(), status="ERROR", exit_code=3, error="no such table"))
        message = await told.alert("sync failed")
        assert "no such table" in shown(message)
        with log.open("a") as file:
            file.write(line(0, at=told.clock()))
        await told.becomes(message, "Resolved: sync failed")


async def test_a_log_that_cannot_be_read_is_told_where_people_look(tmp_path: Path) -> None:
    config = SHOP + f"run_logs: [{{path: '{tmp_path}', every: 1s}}]\n"
    async with story(tmp_path, config) as told:
        await told.see(lambda: told.tocsin.following.trouble)
        status, health = await told.health()
        assert (status, health["status"]) == (200, "degraded")
        assert "is not a file" in health["parts"]["run_logs"]
        assert "A run log cannot be read" in await told.ask("/tocsin-status")
