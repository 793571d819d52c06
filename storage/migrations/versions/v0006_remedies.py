"""attempts of remedies"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from storage.tables import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_UNDER_WAY = "state IN ('running', 'verifying')"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "remedy_attempts",
        sa.Column("id", number, nullable=False),
        sa.Column("alert_id", number, nullable=False),
        sa.Column("remedy", sa.String(length=200), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("resource", sa.String(length=300), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("target", sa.String(length=32), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("values", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("waited", sa.Boolean(), nullable=False),
        sa.Column("approved_by", sa.String(length=64), nullable=True),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_remedy_attempts_alert_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remedy_attempts")),
        sa.UniqueConstraint(
            "alert_id",
            "remedy",
            "episode",
            "number",
            name=op.f("uq_remedy_attempts_alert_id_remedy_episode_number"),
        ),
    )
    op.create_index("ix_remedy_attempts_remedy_started_at", "remedy_attempts", ["remedy", "started_at"])
    op.create_index(
        "ix_remedy_attempts_due_at",
        "remedy_attempts",
        ["due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    for name, columns in (
        ("uq_remedy_attempts_resource", ["remedy", "resource"]),
        ("uq_remedy_attempts_target", ["remedy", "target"]),
    ):
        op.create_index(
            name,
            "remedy_attempts",
            columns,
            unique=True,
            sqlite_where=sa.text(_UNDER_WAY),
            postgresql_where=sa.text(_UNDER_WAY),
        )


def downgrade() -> None:
    op.drop_table("remedy_attempts")
