"""The tables of the serving store as they are now; `migrations` tells how they came to be.

Times are UTC without a zone, to the microsecond. What tells of a person is sealed: bytes that the
injected `Sealer` wrote.
"""

import sqlalchemy as sa

from riskengine.security.tables import METADATA

_ID = 36

PROFILES = sa.Table(
    "profiles",
    METADATA,
    sa.Column("member_id", sa.String, primary_key=True),
    sa.Column("as_of", sa.Date, nullable=False),
    sa.Column("features", sa.Text, nullable=False),
)
QUOTES = sa.Table(
    "quotes",
    METADATA,
    sa.Column("quote_id", sa.String(_ID), primary_key=True),
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
    sa.Index("quotes_member", "member"),
    sa.Index("quotes_created_at", "created_at"),
)
QUOTE_MEMBERS = sa.Table(
    "quote_members",
    METADATA,
    sa.Column("quote_id", sa.String(_ID), sa.ForeignKey("quotes.quote_id"), primary_key=True),
    sa.Column("member", sa.String, primary_key=True),
    sa.Index("quote_members_member", "member"),
)
"""The members of a household beside the one that `quotes` has."""
ACCEPTANCES = sa.Table(
    "acceptances",
    METADATA,
    sa.Column("quote_id", sa.String(_ID), sa.ForeignKey("quotes.quote_id"), primary_key=True),
    sa.Column("client", sa.String, nullable=False),
    sa.Column("plan", sa.String, nullable=False),
    sa.Column("accepted_at", sa.DateTime, nullable=False),
)
DECISIONS = sa.Table(
    "decisions",
    METADATA,
    sa.Column("decision_id", sa.String(_ID), primary_key=True),
    sa.Column("client", sa.String, nullable=False),
    sa.Column("market", sa.String, nullable=False),
    sa.Column("release", sa.String(64), nullable=False),
    sa.Column("member", sa.String),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("inputs", sa.LargeBinary, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("record", sa.LargeBinary),
    sa.Index("decisions_member", "member"),
    sa.Index("decisions_created_at", "created_at"),
)
"""What was recommended: feedback refers to it. `record` has every candidate, for evaluation."""
DECISION_MEMBERS = sa.Table(
    "decision_members",
    METADATA,
    sa.Column(
        "decision_id", sa.String(_ID), sa.ForeignKey("decisions.decision_id"), primary_key=True
    ),
    sa.Column("member", sa.String, primary_key=True),
    sa.Index("decision_members_member", "member"),
)
"""The members of a household beside the one that `decisions` has."""
FEEDBACK = sa.Table(
    "feedback",
    METADATA,
    sa.Column("feedback_id", sa.String(_ID), primary_key=True),
    sa.Column("client", sa.String, nullable=False),
    sa.Column("idempotency_key", sa.String),
    sa.Column("request_digest", sa.String(64)),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("quote_id", sa.String(_ID)),
    sa.Column("decision_id", sa.String(_ID)),
    sa.Column("occurred_at", sa.DateTime, nullable=False),
    sa.Column("received_at", sa.DateTime, nullable=False),
    sa.Column("detail", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("client", "idempotency_key", name="feedback_idempotency"),
    sa.Index("feedback_quote", "quote_id"),
    sa.Index("feedback_decision", "decision_id"),
)
SHADOW_PRICES = sa.Table(
    "shadow_prices",
    METADATA,
    sa.Column("quote_id", sa.String(_ID), primary_key=True),
    sa.Column("challenger", sa.String(64), primary_key=True),
    sa.Column("plan", sa.String, primary_key=True),
    sa.Column("champion", sa.String(64), nullable=False),
    sa.Column("priced_at", sa.DateTime, nullable=False),
    sa.Column("champion_cents", sa.BigInteger),
    sa.Column("challenger_cents", sa.BigInteger),
    sa.Column("problem", sa.String),
)
