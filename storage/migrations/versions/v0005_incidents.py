"""incidents: their channel, alerts, history, steps and report"""

import sqlalchemy as sa
from alembic import op

from storage.tables import Document, Id, Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_incidents()
    op.create_table(
        "incident_alerts",
        sa.Column("incident_id", Id, nullable=False),
        sa.Column("alert_id", Id, nullable=False),
        sa.Column("joined_at", Instant(), nullable=False),
        sa.Column("joined_by", sa.String(64), nullable=False),
        sa.Column("left_at", Instant()),
        _of_incident("incident_alerts"),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_incident_alerts_alert_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("incident_id", "alert_id", name=op.f("pk_incident_alerts")),
    )
    op.create_index("ix_incident_alerts_alert_id", "incident_alerts", ["alert_id"])
    belongs = sa.text("left_at IS NULL")
    op.create_index(
        "uq_incident_alerts_open",
        "incident_alerts",
        ["alert_id"],
        unique=True,
        sqlite_where=belongs,
        postgresql_where=belongs,
    )
    op.create_table(
        "incident_notes",
        sa.Column("id", Id, nullable=False),
        sa.Column("incident_id", Id, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(64)),
        _of_incident("incident_notes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_notes")),
    )
    op.create_index("ix_incident_notes_incident_id", "incident_notes", ["incident_id", "id"])
    _create_steps()


def _create_incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", Id, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("opened_by", sa.String(64), nullable=False),
        sa.Column("asked_in", sa.String(100), nullable=False),
        sa.Column("channel_name", sa.String(80), nullable=False),
        sa.Column("channel_id", sa.String(64)),
        sa.Column("closed_at", Instant()),
        sa.Column("closed_by", sa.String(64)),
        sa.Column("root_cause", sa.Text()),
        sa.Column("resolution", sa.Text()),
        sa.Column("asked_at", Instant()),
        sa.Column("report", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    op.create_index("ix_incidents_closed_at", "incidents", ["closed_at"])


def _create_steps() -> None:
    op.create_table(
        "incident_steps",
        sa.Column("id", Id, nullable=False),
        sa.Column("incident_id", Id, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("payload", Document, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("leased_until", Instant()),
        sa.Column("last_error", sa.Text()),
        _of_incident("incident_steps"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_steps")),
        sa.UniqueConstraint("incident_id", "name", name=op.f("uq_incident_steps_incident_id_name")),
    )
    pending = sa.text("state = 'pending'")
    op.create_index(
        "ix_incident_steps_pending",
        "incident_steps",
        ["due_at"],
        sqlite_where=pending,
        postgresql_where=pending,
    )


def _of_incident(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["incident_id"], ["incidents.id"], name=op.f(f"fk_{table}_incident_id"), ondelete="CASCADE"
    )


def downgrade() -> None:
    for name in ("incident_steps", "incident_notes", "incident_alerts", "incidents"):
        op.drop_table(name)
