"""Quotes with their acceptances, feedback, and prices of a challenger in the shadow."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    _quotes()
    _feedback()
    _shadow_prices()


def _quotes() -> None:
    op.create_table(
        "quotes",
        sa.Column("quote_id", sa.String(36), primary_key=True),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("idempotency_key", sa.String),
        sa.Column("request_digest", sa.String(64)),
        sa.Column("market", sa.String, nullable=False),
        sa.Column("release", sa.String(64), nullable=False),
        sa.Column("member", sa.String),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("valid_until", sa.DateTime, nullable=False),
        sa.Column("inputs", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("client", "idempotency_key", name="quotes_idempotency"),
    )
    op.create_index("quotes_member", "quotes", ["member"])
    op.create_index("quotes_created_at", "quotes", ["created_at"])
    op.create_table(
        "acceptances",
        sa.Column("quote_id", sa.String(36), sa.ForeignKey("quotes.quote_id"), primary_key=True),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("plan", sa.String, nullable=False),
        sa.Column("accepted_at", sa.DateTime, nullable=False),
    )


def _feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("feedback_id", sa.String(36), primary_key=True),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("idempotency_key", sa.String),
        sa.Column("request_digest", sa.String(64)),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("quote_id", sa.String(36)),
        sa.Column("decision_id", sa.String(36)),
        sa.Column("occurred_at", sa.DateTime, nullable=False),
        sa.Column("received_at", sa.DateTime, nullable=False),
        sa.Column("detail", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("client", "idempotency_key", name="feedback_idempotency"),
    )
    op.create_index("feedback_quote", "feedback", ["quote_id"])
    op.create_index("feedback_decision", "feedback", ["decision_id"])


def _shadow_prices() -> None:
    op.create_table(
        "shadow_prices",
        sa.Column("quote_id", sa.String(36), primary_key=True),
        sa.Column("challenger", sa.String(64), primary_key=True),
        sa.Column("plan", sa.String, primary_key=True),
        sa.Column("champion", sa.String(64), nullable=False),
        sa.Column("priced_at", sa.DateTime, nullable=False),
        sa.Column("champion_cents", sa.BigInteger),
        sa.Column("challenger_cents", sa.BigInteger),
        sa.Column("problem", sa.String),
    )
