"""The digest and the heartbeat come at their time: once, right across clock changes and restarts."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.harness import SHOP, Json, Story, shown, story

DIGEST = SHOP + 'timezone: America/Los_Angeles\ndigest: {at: "%s"}\n'
HEARTBEAT = SHOP + "heartbeat: {every: 30m}\n"


def digests(told: Story) -> list[Json]:
    return [m for m in told.workspace.messages("alerts") if "digest of" in shown(m)]


async def tick(told: Story, instant: datetime) -> None:
    """Let it be this late, and let Tocsin look at its schedule."""
    told.clock.skip_to(instant)
    await told.tocsin.scheduled.tick()
    await told.settle()


async def test_a_digest_is_posted_each_day_at_its_local_time_and_not_at_the_first_start(
    tmp_path: Path,
) -> None:
    async with story(tmp_path, DIGEST % "07:30", start=datetime(2024, 3, 5, 12, 0, tzinfo=UTC)) as told:
        await tick(told, told.clock())
        assert digests(told) == []
        await tick(told, datetime(2024, 3, 5, 15, 29, 50, tzinfo=UTC))
        assert digests(told) == []

        await tick(told, datetime(2024, 3, 5, 15, 30, 2, tzinfo=UTC))
        (first,) = digests(told)
        assert "Shop: digest of Monday, 04 March 2024" in shown(first)
        assert "Nothing is open" in shown(first)
        await tick(told, datetime(2024, 3, 5, 23, 0, tzinfo=UTC))
        assert len(digests(told)) == 1

        await tick(told, datetime(2024, 3, 6, 15, 30, 2, tzinfo=UTC))
        assert "Tuesday, 05 March 2024" in shown(digests(told)[1])


@pytest.mark.parametrize(
    ("at", "start", "due"),
    [
        # Los Angeles skips 02:00 to 03:00 on 10 March: the first instant after the gap.
        ("02:30", datetime(2024, 3, 9, 20, tzinfo=UTC), datetime(2024, 3, 10, 10, 0, tzinfo=UTC)),
        ("07:30", datetime(2024, 3, 9, 20, tzinfo=UTC), datetime(2024, 3, 10, 14, 30, tzinfo=UTC)),
        # It repeats 01:00 to 02:00 on 3 November: the first of the two.
        ("01:30", datetime(2024, 11, 2, 20, tzinfo=UTC), datetime(2024, 11, 3, 8, 30, tzinfo=UTC)),
        ("07:30", datetime(2024, 11, 2, 20, tzinfo=UTC), datetime(2024, 11, 3, 15, 30, tzinfo=UTC)),
    ],
)
async def test_on_the_days_the_clocks_change_the_digest_comes_once(
    tmp_path: Path, at: str, start: datetime, due: datetime
) -> None:
    async with story(tmp_path, DIGEST % at, start=start) as told:
        await tick(told, told.clock())
        await tick(told, due - timedelta(seconds=10))
        assert digests(told) == []
        await tick(told, due + timedelta(seconds=1))
        assert len(digests(told)) == 1
        for hours in range(1, 4):
            await tick(told, due + timedelta(hours=hours))
        assert len(digests(told)) == 1


async def test_a_digest_missed_while_down_is_sent_once_after(tmp_path: Path) -> None:
    async with story(tmp_path, DIGEST % "07:30", start=datetime(2024, 3, 5, 12, 0, tzinfo=UTC)) as told:
        await tick(told, told.clock())
        await told.stop()
        told.clock.skip_to(datetime(2024, 3, 5, 18, 0, tzinfo=UTC))

        await told.start()
        await tick(told, told.clock())
        assert len(digests(told)) == 1

        await told.restart()
        await tick(told, told.clock())
        assert len(digests(told)) == 1


async def test_the_digest_tells_of_alerts_jobs_and_uptime(tmp_path: Path) -> None:
    async with story(tmp_path, DIGEST % "00:00", start=datetime(2024, 3, 5, 20, 0, tzinfo=UTC)) as told:
        await tick(told, told.clock())
        await told.looked()
        await told.run("sync", "ERROR", exit_code=2, duration_seconds=3)
        await told.alert("sync failed")

        await tick(told, datetime(2024, 3, 6, 8, 0, 5, tzinfo=UTC))

        content = shown(digests(told)[0])
        assert "Needs somebody today" in content
        assert "sync failed" in content
        assert "1 began" in content
        assert "sync: 1 run" in content
        assert "Uptime" not in content


async def test_a_digest_that_is_asked_for_uptime_tells_it_of_each_check_and_over_all(tmp_path: Path) -> None:
    config = DIGEST.replace("at:", "uptime: true, at:") % "00:00"
    async with story(tmp_path, config, start=datetime(2024, 3, 5, 20, 0, tzinfo=UTC)) as told:
        await tick(told, told.clock())
        await told.looked()
        await tick(told, datetime(2024, 3, 6, 8, 0, 5, tzinfo=UTC))
        assert "*100% over all*\n100% backend" in shown(digests(told)[0])


async def test_a_sign_of_life_every_half_hour(tmp_path: Path) -> None:
    async with story(tmp_path, HEARTBEAT, start=datetime(2024, 3, 5, 12, 5, tzinfo=UTC)) as told:
        await told.looked()
        await tick(told, told.clock())
        assert told.workspace.messages("alerts") == []

        for number in range(1, 4):
            await tick(told, datetime(2024, 3, 5, 12, 0, 3, tzinfo=UTC) + timedelta(minutes=30 * number))
            beats = told.workspace.messages("alerts")
            assert len(beats) == number
            assert ":large_green_circle: All systems nominal" in shown(beats[-1])
            assert "1 of 1 checks and jobs ok" in shown(beats[-1])
