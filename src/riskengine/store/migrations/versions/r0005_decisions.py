"""What was recommended, and to whom: feedback told of decisions that nobody had kept."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables; decisions from before were not kept."""
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.String(36), primary_key=True),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("market", sa.String, nullable=False),
        sa.Column("release", sa.String(64), nullable=False),
        sa.Column("member", sa.String),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("inputs", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("decisions_member", "decisions", ["member"])
    op.create_index("decisions_created_at", "decisions", ["created_at"])
    op.create_table(
        "decision_members",
        sa.Column(
            "decision_id",
            sa.String(36),
            sa.ForeignKey("decisions.decision_id"),
            primary_key=True,
        ),
        sa.Column("member", sa.String, primary_key=True),
    )
    op.create_index("decision_members_member", "decision_members", ["member"])
