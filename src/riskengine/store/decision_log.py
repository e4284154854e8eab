"""Decisions and what was told of them, read in order of time for the log they are judged by."""

from collections.abc import Iterator
from datetime import UTC

import sqlalchemy as sa

from riskengine.store.records import ERASED, Feedback
from riskengine.store.schema import DECISIONS, FEEDBACK
from riskengine.store.sealing import Sealer

_AT_ONCE = 500


def read_decisions(
    connection: sa.Connection, market: str, sealer: Sealer
) -> Iterator[tuple[str, bytes | None]]:
    """Id and record of each decision of a market; no record of one that was erased, or too old."""
    query = sa.select(DECISIONS.c.decision_id, DECISIONS.c.record)
    query = query.where(DECISIONS.c.market == market).order_by(DECISIONS.c.created_at)
    for name, record in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
        yield name, None if record is None else sealer.unseal(record, f"decisions/{name}")


def read_feedback(connection: sa.Connection, market: str, sealer: Sealer) -> Iterator[Feedback]:
    """What was told of the decisions of a market; what was erased is left out."""
    query = sa.select(FEEDBACK).join(DECISIONS, FEEDBACK.c.decision_id == DECISIONS.c.decision_id)
    query = query.where(DECISIONS.c.market == market).order_by(FEEDBACK.c.received_at)
    for row in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
        detail = sealer.unseal(row.detail, f"feedback/{row.feedback_id}")
        if detail != ERASED:
            yield Feedback(
                row.feedback_id, row.client, row.kind, row.quote_id, row.decision_id,
                row.occurred_at.replace(tzinfo=UTC), row.received_at.replace(tzinfo=UTC), detail,
            )  # fmt: skip
