"""The serving store: profiles of members, quotes, decisions, acceptances, feedback, shadow prices.

SQLAlchemy over SQLite by default and PostgreSQL by URL; Alembic makes its tables and moves them on.
What a client is told was kept is written by `GroupCommit` alone, which answers after the commit.
"""

from riskengine.store.database import Database
from riskengine.store.decision_log import read_decisions, read_feedback
from riskengine.store.group_commit import GroupCommit
from riskengine.store.ids import new_id
from riskengine.store.profiles import ProfileStore, StoredProfile
from riskengine.store.records import (
    Acceptance,
    Feedback,
    Record,
    ShadowPrice,
    StoredDecision,
    StoredQuote,
    read_acceptance,
    read_by_key,
    read_decision,
    read_feedback_by_key,
    read_feedback_subject,
    read_quote,
    write_records,
)
from riskengine.store.sealing import Plain, Sealer

__all__ = [
    "Acceptance", "Database", "Feedback", "GroupCommit", "Plain", "ProfileStore", "Record",
    "Sealer", "ShadowPrice", "StoredDecision", "StoredProfile", "StoredQuote", "new_id",
    "read_acceptance", "read_by_key", "read_decision", "read_decisions", "read_feedback",
    "read_feedback_by_key", "read_feedback_subject", "read_quote", "write_records",
]  # fmt: skip
