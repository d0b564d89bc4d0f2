"""The journal and the inbox."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the four tables."""
    op.create_table(
        "journal_entries",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("target", sa.String(200), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("last_at", _MOMENT, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(60), nullable=False),
        sa.Column("because", sa.String(2000), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("detail", sa.String(8000), nullable=False),
        sa.Column("version", sa.String(60)),
        sa.Column("commit_id", sa.String(64)),
        sa.Column("url", sa.String(2000)),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_journal_entries"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_journal_entries_target_id", "journal_entries", ["target", "id"])
    op.create_index("ix_journal_entries_last_at", "journal_entries", ["last_at"])
    op.create_table(
        "journal_standings",
        sa.Column("target", sa.String(200), nullable=False),
        sa.Column("looked_at", _MOMENT, nullable=False),
        sa.Column("wanted", sa.String(300)),
        sa.Column("pinned", sa.String(300)),
        sa.Column("live", sa.String(300)),
        sa.Column("action", sa.String(60), nullable=False),
        sa.Column("because", sa.String(2000), nullable=False),
        sa.Column("proposals", sa.JSON(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("target", name="pk_journal_standings"),
    )
    op.create_table(
        "journal_facts",
        sa.Column("fact_key", sa.String(300), nullable=False),
        sa.Column("value", sa.String(4000), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("fact_key", name="pk_journal_facts"),
    )
    op.create_table(
        "inbox_deliveries",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("sender", sa.String(60), nullable=False),
        sa.Column("delivery_id", sa.String(200), nullable=False),
        sa.Column("event", sa.String(100), nullable=False),
        sa.Column("received_at", _MOMENT, nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inbox_deliveries"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_inbox_deliveries_sender_delivery_id", "inbox_deliveries", ["sender", "delivery_id"], unique=True
    )
    op.create_index("ix_inbox_deliveries_received_at", "inbox_deliveries", ["received_at"])


def downgrade() -> None:
    """Nothing goes back: losing the database loses no promotion, so a downgrade begins with an empty one."""
    raise NotImplementedError("delete the database instead: no promotion is lost")
