"""audit: what people did; alerts found by their rule"""

import sqlalchemy as sa
from alembic import op

from storage.tables import Id, Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", Id, nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("act", sa.String(32), nullable=False),
        sa.Column("via", sa.String(16), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("alert_id", Id, nullable=True),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_alert_id", "audit", ["alert_id"])
    op.create_index("ix_audit_who_at", "audit", ["who", "at"])
    op.create_index("ix_alerts_rule", "alerts", ["rule", "id"])


def downgrade() -> None:
    op.drop_index("ix_alerts_rule", "alerts")
    op.drop_table("audit")
