"""many alerts in one message: groups and their members"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from storage.tables import Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "alert_groups",
        sa.Column("id", _ID, nullable=False),
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column("channel", sa.String(length=100), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("joined_at", Instant(), nullable=False),
        sa.Column("called_at", Instant(), nullable=False),
        sa.Column("names", _DOCUMENT, nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_groups")),
    )
    taking = sa.text("closed_at IS NULL")
    op.create_index(
        "uq_alert_groups_taking",
        "alert_groups",
        ["destination", "channel", "urgent"],
        unique=True,
        sqlite_where=taking,
        postgresql_where=taking,
    )
    op.create_table(
        "alert_group_members",
        sa.Column("view_key", sa.String(length=300), nullable=False),
        sa.Column("group_id", _ID, nullable=False),
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("opened", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["alert_groups.id"],
            name=op.f("fk_alert_group_members_group_id_alert_groups"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["alert_id"],
            ["alerts.id"],
            name=op.f("fk_alert_group_members_alert_id_alerts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("view_key", name=op.f("pk_alert_group_members")),
    )
    op.create_index("ix_alert_group_members_group_id", "alert_group_members", ["group_id", "alert_id"])
    op.create_index("ix_alert_group_members_alert_id", "alert_group_members", ["alert_id"])


def downgrade() -> None:
    op.drop_table("alert_group_members")
    op.drop_table("alert_groups")
