"""routes and escalation: several places an alert, decisions with reasons, escalations, held alerts"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from storage.tables import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("reasons", _DOCUMENT, nullable=False),
        sa.Column("outcome", _DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_decisions_alert_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index("ix_decisions_alert_id", "decisions", ["alert_id", "id"], unique=False)
    op.create_table(
        "escalations",
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("policy", sa.String(length=200), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("paused_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_escalations_alert_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_escalations")),
    )
    op.create_index("ix_escalations_due_at", "escalations", ["due_at"], unique=False)
    op.create_table(
        "held_alerts",
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_held_alerts_alert_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_held_alerts")),
    )
    op.create_index("ix_held_alerts_until", "held_alerts", ["until"], unique=False)
    op.add_column("outbox", sa.Column("root_key", sa.String(length=300), nullable=True))
    _name_the_channel()


# The tables as this step finds them: their later columns are none of its business.
_alerts = sa.table(
    "alerts", sa.column("id"), sa.column("detail", _DOCUMENT), sa.column("opened_at", Instant())
)
_outbox = sa.table(
    "outbox",
    sa.column("id"),
    sa.column("key"),
    sa.column("kind"),
    sa.column("destination"),
    sa.column("channel"),
    sa.column("alert_id"),
    sa.column("payload", _DOCUMENT),
    sa.column("root_key"),
)
_messages = sa.table("messages", sa.column("key"))
_decisions = sa.table(
    "decisions",
    sa.column("alert_id"),
    sa.column("kind"),
    sa.column("at", Instant()),
    sa.column("reasons", _DOCUMENT),
    sa.column("outcome", _DOCUMENT),
)


def _name_the_channel() -> None:
    """An alert had one message a destination; now its key names the channel, and a decision names the place."""
    connection = op.get_bind()
    views = connection.execute(
        sa.select(_outbox, _alerts.c.detail, _alerts.c.opened_at)
        .join_from(_outbox, _alerts, _alerts.c.id == _outbox.c.alert_id)
        .where(_outbox.c.kind == "view")
    ).all()
    for view in views:
        channel = view.detail.get("channel") or view.channel  # the entry may have had to go elsewhere
        key = f"{view.key}:{channel}"
        connection.execute(
            sa.update(_outbox)
            .where(_outbox.c.id == view.id)
            .values(key=key, payload={**view.payload, "channel": channel})
        )
        connection.execute(sa.update(_messages).where(_messages.c.key == view.key).values(key=key))
        lines = sa.and_(
            _outbox.c.alert_id == view.alert_id,
            _outbox.c.kind == "post",
            _outbox.c.destination == view.destination,
        )
        connection.execute(sa.update(_outbox).where(lines).values(root_key=key))
        connection.execute(sa.insert(_decisions).values(**_decided(view, channel)))


def _decided(view: sa.Row[tuple[object, ...]], channel: str) -> dict[str, object]:
    mention = view.detail.get("mention") or ""
    names = list(dict.fromkeys(mention.replace("@", " ").split()))
    place = {"destination": view.destination, "channel": channel, "mentions": names}
    return {
        "alert_id": view.alert_id,
        "kind": "routing",
        "at": view.opened_at,
        "reasons": ["told before there were routes"],
        "outcome": {"targets": ["slack"], "places": [place]},
    }
