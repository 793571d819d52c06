"""check-in cards, checklists with their ticks, drills"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from storage.tables import Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "checkins",
        sa.Column("id", _ID, nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=100), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("as_of", Instant(), nullable=False),
        sa.Column("lines", _DOCUMENT, nullable=False),
        sa.Column("checks", _DOCUMENT, nullable=False),
        sa.Column("mention", _DOCUMENT, nullable=False),
        sa.Column("live_until", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkins")),
    )
    op.create_index("ix_checkins_live_until", "checkins", ["live_until"])
    op.create_index("ix_checkins_due_at", "checkins", ["due_at"])
    op.create_table(
        "checklists",
        sa.Column("id", _ID, nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=100), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("items", _DOCUMENT, nullable=False),
        sa.Column("mention", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checklists")),
    )
    op.create_index("ix_checklists_due_at", "checklists", ["due_at"])
    op.create_table(
        "checklist_ticks",
        sa.Column("checklist_id", _ID, nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["checklist_id"],
            ["checklists.id"],
            name=op.f("fk_checklist_ticks_checklist_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("checklist_id", "item", name=op.f("pk_checklist_ticks")),
    )
    op.create_table(
        "drills",
        sa.Column("id", _ID, nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=100), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("places", _DOCUMENT, nullable=False),
        sa.Column("shown", _DOCUMENT, nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drills")),
    )
    op.create_index("ix_drills_ended_at", "drills", ["ended_at"])
    op.create_index("ix_drills_started_at", "drills", ["started_at"])


def downgrade() -> None:
    for table in ("drills", "checklist_ticks", "checklists", "checkins"):
        op.drop_table(table)
