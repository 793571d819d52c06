"""A job that pings, as people see it in Slack."""

from pathlib import Path

from tests.e2e.harness import SHOP, Story, shown, story

BACKUP = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
JOBS = f"\njobs:\n  backup: {{every: 1d, ping: {BACKUP}}}\n"


async def ping(told: Story, action: str = "", body: str = "") -> None:
    url = f"http://127.0.0.1:{told.tocsin.http.port}/ping/{BACKUP}{action}"
    async with told.http.post(url, data=body.encode()) as answer:
        assert (answer.status, await answer.text()) == (200, "OK")


async def test_a_backup_that_pings_is_told_of_and_looked_at_in_slack(tmp_path: Path) -> None:
    async with story(tmp_path, SHOP + JOBS) as told:
        await ping(told, "/start")
        await ping(told, "/log", "half of the tables are saved")
        await ping(told, "/fail", "pg_dump: connection lost")

        message = await told.alert("backup failed")
        assert "pg_dump: connection lost" in shown(message)
        await ping(told)
        await told.becomes(message, "Resolved")

        history = await told.ask("/tocsin-logs", "backup")
        assert "LOG: half of the tables are saved" in history
        said = await told.ask("/tocsin-logs", "backup log")
        assert "half of the tables" in said
        assert "SUCCESS" not in said
        status = await told.ask("/tocsin-status", "backup")
        assert "1 succeeded" in status
        assert "1 failed" in status
        assert "half of the tables" not in status
