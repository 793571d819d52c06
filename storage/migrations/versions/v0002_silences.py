"""silences by matcher, and what they hid"""

import sqlalchemy as sa
from alembic import op

from storage.tables import Id, Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("alerts") as batch:
        batch.add_column(sa.Column("silence_id", Id))
        batch.add_column(sa.Column("silence_name", sa.String(200)))
    with op.batch_alter_table("silences") as batch:
        batch.add_column(sa.Column("origin", sa.String(16), nullable=False, server_default="slack"))
        batch.add_column(sa.Column("name", sa.String(200)))
        batch.add_column(sa.Column("match", sa.Text()))
        batch.add_column(sa.Column("extended_by", sa.String(64)))
        batch.add_column(sa.Column("ended_at", Instant()))
        batch.add_column(sa.Column("ended_by", sa.String(64)))
        batch.add_column(sa.Column("warned_at", Instant()))
        batch.add_column(sa.Column("told_at", Instant()))
    op.execute("UPDATE silences SET told_at = ends_at")  # what they hid was not written down
    untold, of_file = sa.text("told_at IS NULL"), sa.text("origin = 'file'")
    op.create_index(
        "ix_silences_untold", "silences", ["ends_at"], sqlite_where=untold, postgresql_where=untold
    )
    op.create_index(
        "uq_silences_window",
        "silences",
        ["name", "starts_at"],
        unique=True,
        sqlite_where=of_file,
        postgresql_where=of_file,
    )
    op.create_table(
        "silenced_alerts",
        sa.Column("silence_id", Id, nullable=False),
        sa.Column("alert_id", Id, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("lifted_by", sa.String(64)),
        sa.ForeignKeyConstraint(
            ["silence_id"],
            ["silences.id"],
            name=op.f("fk_silenced_alerts_silence_id_silences"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_silenced_alerts_alert_id_alerts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("silence_id", "alert_id", name=op.f("pk_silenced_alerts")),
    )
    op.create_index("ix_silenced_alerts_alert_id", "silenced_alerts", ["alert_id"])


def downgrade() -> None:
    op.drop_table("silenced_alerts")
    op.drop_index("uq_silences_window", "silences")
    op.drop_index("ix_silences_untold", "silences")
    with op.batch_alter_table("silences") as batch:
        for name in (
            "told_at", "warned_at", "ended_by", "ended_at", "extended_by", "match", "name", "origin",
        ):  # fmt: skip
            batch.drop_column(name)
    with op.batch_alter_table("alerts") as batch:
        batch.drop_column("silence_name")
        batch.drop_column("silence_id")
