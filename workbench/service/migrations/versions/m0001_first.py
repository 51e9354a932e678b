"""The tables of version 0.1."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None


def upgrade() -> None:
    """Make all tables."""
    op.create_table("meta", sa.Column("key", sa.String(40), primary_key=True), _text("value"))
    op.create_table(
        "users",
        sa.Column("owner", sa.String(40), primary_key=True),
        _string("name", 64, unique=True),
        _text("password"),
        sa.Column("epoch", sa.Integer, nullable=False),
        _seconds("created"),
    )
    op.create_table(
        "login_attempts",
        sa.Column("key", sa.String(80), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        _seconds("since"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(40), primary_key=True),
        _string("owner", 40),
        _string("kind", 40),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("inputs", sa.JSON, nullable=False),
        _string("title", 120),
        _string("state", 12),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("cancel", sa.Boolean, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        _seconds("created"),
        _seconds("started", nullable=True),
        _seconds("finished", nullable=True),
        _seconds("seconds"),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        _text("reason", nullable=True),
    )
    op.create_index("jobs_by_owner", "jobs", ["owner", "created"])
    op.create_index("jobs_by_state", "jobs", ["state", "created"])
    job = sa.ForeignKey("jobs.id", ondelete="CASCADE")
    op.create_table(
        "results",
        sa.Column("job", sa.String(40), job, primary_key=True),
        sa.Column("name", sa.String(120), primary_key=True),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        _string("sha256", 64),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        _seconds("time"),
        _string("owner", 80),
        _string("action", 40),
        _string("subject", 120),
        _text("outcome"),
    )
    op.create_index("audit_by_time", "audit", ["time"])


def _string(name: str, length: int, unique: bool = False) -> sa.Column:
    return sa.Column(name, sa.String(length), nullable=False, unique=unique)


def _text(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Text, nullable=nullable)


def _seconds(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Double, nullable=nullable)
