"""What an older version left in the database means the same after the upgrade."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

import storage
from bot.domain.alert import acknowledge
from storage import alerts, decisions, outbox
from storage.database import Database
from storage.schema import upgrade
from storage.tables import Document, Instant
from tests.storage.stored import MINUTE, NOON, announce


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new.db'}"
    found: str = request.getfixturevalue("new_postgres")
    return found


async def upgrade_to(database: Database, revision: str) -> None:
    def run(connection: sa.Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(storage.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    async with database.transaction() as connection:
        await connection.run_sync(run)


def table(name: str, **types: Any) -> sa.TableClause:
    return sa.table(name, *(sa.column(column, kind) for column, kind in types.items()))


Json = dict[str, Any]
WORDS = sa.String()
ALERTS = table(
    "alerts", id=sa.Integer(), version=sa.Integer(), fingerprint=WORDS, rule=WORDS, source_kind=WORDS, source=WORDS,
    resource=WORDS, severity=sa.Integer(), category=WORDS, status=WORDS, title=WORDS, detail=Document,
    count=sa.Integer(), opened_at=Instant(), last_seen=Instant(), reopened=sa.Integer(),
)  # fmt: skip
OUTBOX = table(
    "outbox", key=WORDS, kind=WORDS, destination=WORDS, channel=WORDS, alert_id=sa.Integer(), payload=Document,
    priority=sa.Integer(), state=WORDS, generation=sa.Integer(), created_at=Instant(), due_at=Instant(),
    attempts=sa.Integer(),
)  # fmt: skip
MESSAGES = table(
    "messages", key=WORDS, alert_id=sa.Integer(), destination=WORDS, channel=WORDS, ts=WORDS, posted_at=Instant(),
    shown=WORDS,
)  # fmt: skip


async def first_version(database: Database, channel: str | None) -> None:
    """An alert with its message and a line that waits, as the first version kept them."""
    detail: Json = {
        "message": "", "reason": "cpu 95", "fields": {}, "diagnostics": [], "recommendations": [], "runbook": None,
        "mention": "@oncall @ethan", "channel": channel, "held_by": None,
    }  # fmt: skip
    entry = {"destination": "slack", "channel": "#alerts", "alert_id": 1, "priority": 20, "generation": 1,
             "created_at": NOON, "due_at": NOON, "attempts": 0}  # fmt: skip
    line = {"event": {"kind": "acknowledged", "at": NOON.isoformat(), "text": "", "actor": "U1"}}
    async with database.transaction() as connection:
        await connection.execute(
            sa.insert(ALERTS).values(
                id=1, version=1, fingerprint="f", rule="r", source_kind="check", source="host", resource="host",
                severity=2, category="system", status="active", title="hot", detail=detail, count=1,
                opened_at=NOON, last_seen=NOON, reopened=0,
            )
        )  # fmt: skip
        await connection.execute(
            sa.insert(OUTBOX),
            [
                {**entry, "key": "alert:1:slack", "kind": "view", "payload": {}, "state": "done"},
                {**entry, "key": "line:1:2:0:slack", "kind": "post", "payload": line, "state": "pending"},
            ],
        )
        await connection.execute(
            sa.insert(MESSAGES).values(
                key="alert:1:slack", alert_id=1, destination="slack", channel="C0123", ts="1.0", posted_at=NOON,
                shown="as it was",
            )
        )  # fmt: skip


@pytest.mark.parametrize("channel", [None, "#gone"])
async def test_a_message_of_the_first_version_is_edited_and_not_posted_again(
    empty: str, channel: str | None
) -> None:
    """Also one that had to go to the default channel, since its own could not be posted to."""
    database = Database(empty)
    try:
        await upgrade_to(database, "0001")
        await first_version(database, channel)
        await upgrade(database)

        wanted = channel or "#alerts"
        async with database.snapshot() as connection:
            alert = await alerts.get(connection, 1)
            told = await decisions.told(connection, 1)
            rows = (await connection.execute(sa.text("SELECT key, root_key FROM outbox ORDER BY id"))).all()
            standing = await outbox.sent(connection, f"alert:1:slack:{wanted}")
        assert alert is not None
        assert [(place.channel, place.mentions) for place in told.places] == [(wanted, ("oncall", "ethan"))]
        assert [tuple(row) for row in rows] == [
            (f"alert:1:slack:{wanted}", None),
            ("line:1:2:0:slack", f"alert:1:slack:{wanted}"),
        ]
        assert standing is not None
        assert (standing.channel, standing.ts) == ("C0123", "1.0")

        change = acknowledge(alert, "U1", None, NOON + MINUTE)
        await announce(database, change, NOON + MINUTE)  # type: ignore[arg-type]
        async with database.snapshot() as connection:
            found = await connection.execute(
                sa.text("SELECT key, channel FROM outbox WHERE kind = 'view' AND state = 'pending'")
            )
            assert [tuple(row) for row in found] == [(f"alert:1:slack:{wanted}", "#alerts")]
    finally:
        await database.close()
