"""The log that recommendations are judged by, out of the store: one record a line.

A decision without a record was erased with its member, or kept by an older version; what was told
of it is left out with it, and both are counted.
"""

from dataclasses import dataclass
from pathlib import Path

from riskengine.recommendation.feedback import Record, to_json
from riskengine.service.feedback_contracts import FeedbackRequest
from riskengine.store import Database, Feedback, Sealer, read_decisions, read_feedback


@dataclass(frozen=True)
class DecisionLog:
    """How many decisions and records of feedback were written, and how many were left out."""

    decisions: int
    feedback: int
    decisions_left_out: int
    feedback_left_out: int


def write_decision_log(database: Database, market: str, file: Path, sealer: Sealer) -> DecisionLog:
    """Write the decisions of a market and what was told of them, in order of time.

    The file appears when it is whole. Raises `StoreError` when the database cannot be used.
    """
    there: set[str] = set()
    left_out = told = untold = 0
    part = file.with_name(file.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with database.reading() as connection, part.open("w", encoding="utf-8") as lines:
        for name, record in read_decisions(connection, market, sealer):
            if record is None:
                left_out += 1
                continue
            there.add(name)
            lines.write(record.decode() + "\n")
        for one in read_feedback(connection, market, sealer):
            if one.decision_id not in there:
                untold += 1
                continue
            told += 1
            lines.write(to_json(record_of(one)) + "\n")
    part.replace(file)
    return DecisionLog(len(there), told, left_out, untold)


def record_of(one: Feedback) -> Record:
    """Feedback on a decision as it is judged."""
    assert one.decision_id is not None
    told = FeedbackRequest.model_validate_json(one.detail).root
    return told.record((one.feedback_id, one.decision_id), one.received_at)
