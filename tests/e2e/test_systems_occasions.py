"""What the real configurations want said when."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.app import Tocsin
from bot.config import load, not_yet
from tests.config.reading import TOKENS

EXAMPLES = Path(__file__).parents[2] / "examples"
SUNDAY = datetime(2026, 11, 1, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "alertacall",
            {
                "digest": "2026-11-01T18:00",
                "checkin:Morning CC Data Check": "2026-11-01T07:30",
                "checkin:First Shift Check": "2026-11-01T11:45",
                "checkin:Second Shift Check": "2026-11-01T15:45",
            },
        ),
        ("fleetyield", {"digest": "2026-11-01T15:30", "heartbeat": "2026-11-01T00:30"}),
        (
            "homeverse",
            {
                "digest": "2026-11-01T14:00",
                "health": "2026-11-01T01:00",
                "sla": "2026-11-01T14:00",
                "checklist:daily": "2026-11-01T14:30",
                "checklist:weekly": "2026-11-02T14:30",
                "checklist:monthly": "2026-11-01T14:30",
            },
        ),
        ("keto-meals", {}),
        ("myhibachi", {"digest": "2026-11-01T16:00"}),
    ],
)
async def test_a_system_is_told_all_it_asks_for_at_its_local_times(
    name: str, expected: dict[str, str], tmp_path: Path
) -> None:
    environ = {**TOKENS, "TOCSIN_TOKEN": "a-long-token", "DATABASE_URL": f"sqlite:///{tmp_path}/a.db"}
    settings = load(EXAMPLES / f"{name}.yml", environ)
    bot = Tocsin(settings)
    try:
        found = {each.name: each.schedule.next_after(SUNDAY) for each in bot.scheduled.messages}
    finally:
        await bot._session.close()
        await bot.database.close()
    assert {each: f"{due:%Y-%m-%dT%H:%M}" for each, due in found.items()} == expected
    without = {warning.path[0] for warning in not_yet(settings)}
    assert not without & {"digest", "reports", "checkins", "checklists"}
