"""Promotion: the champion's alias moves when the gates hold, and every decision is kept.

Without a champion of the same training rows there is nothing to pair held-out predictions with: a
labelled table then decides, or somebody who gives a reason.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from riskengine.batch.train import read_both
from riskengine.errors import InputError, ReleaseError
from riskengine.registry import (
    Registered,
    fetch_model,
    keep_decision,
    move_alias,
    registered,
    under_alias,
)
from riskengine.risk.comparison import held_out_rows, labelled_rows, paired_difference
from riskengine.risk.findings import read_findings
from riskengine.risk.gates import Bounds, Champion, Decision, decide
from riskengine.risk.kept import load_kept
from riskengine.risk.model import RiskModel
from riskengine.settings import Settings


@dataclass(frozen=True)
class Request:
    """Who is to be champion, when it was asked for, and a reason where no gate is to stop it.

    `version` is a number or `@ALIAS`. `data` is a labelled table on which to compare with the
    champion.
    """

    name: str
    version: str
    at: datetime
    force: str | None = None
    data: Path | None = None


@dataclass(frozen=True)
class Promotion:
    """What came of a request; `decision` is None when the candidate is champion already."""

    candidate: Registered
    champion: Registered | None
    decision: Decision | None
    outcome: str


def promote(settings: Settings, request: Request, bounds: Bounds | None = None) -> Promotion:
    """Decide on a request, keep the decision, and move the alias where it may move.

    `outcome` is `champion already`, `promoted`, `refused` or `promoted by force`. Raises
    `UnknownNameError` for a version that is not there and `InputError` for a force without reason.
    """
    if request.force is not None and not request.force.strip():
        message = "--force needs a reason, which is kept: --force 'what makes it right'"
        raise InputError(message)
    candidate = registered(settings, request.name, request.version)
    champion = under_alias(settings, candidate.name)
    if champion == candidate:
        return Promotion(candidate, champion, None, "champion already")
    folder = fetch_model(settings, candidate.uri)
    beside = _beside(settings, load_kept(folder), champion, request.data)
    bounds = bounds or Bounds()
    decision = decide(read_findings(folder), beside, bounds)
    outcome = "promoted" if decision.holds else "refused"
    if not decision.holds and request.force is not None:
        outcome = "promoted by force"
    _keep(settings, request, Promotion(candidate, champion, decision, outcome))
    if outcome != "refused":
        move_alias(settings, candidate)
    return Promotion(candidate, champion, decision, outcome)


def _beside(
    settings: Settings, candidate: RiskModel, champion: Registered | None, data: Path | None
) -> Champion:
    if champion is None:
        return Champion()
    name = f"version {champion.version}"
    try:
        serving = load_kept(fetch_model(settings, champion.uri))
        if data is None:
            rows = held_out_rows(serving, candidate)
        else:
            rows = labelled_rows(serving, candidate, read_both(serving, candidate, data))
    except ReleaseError as error:
        return Champion(name, None, str(error))
    except InputError as error:
        if data is not None:
            raise
        return Champion(name, None, str(error))
    return Champion(name, paired_difference(rows))


def _keep(settings: Settings, request: Request, made: Promotion) -> None:
    assert made.decision is not None
    at = request.at.isoformat(timespec="milliseconds")
    gates = made.decision.as_records()
    record: dict[str, object] = {
        "at": at,
        "model": made.candidate.name,
        "version": made.candidate.version,
        "champion_before": made.champion.version if made.champion else None,
        "outcome": made.outcome,
        "reason": request.force,
        "data": str(request.data) if request.data else None,
        "gates": gates,
    }
    tags = {"promotion": made.outcome, "promotion.at": at, "promotion.reason": request.force or ""}
    for gate in gates:
        name = gate["name"].replace(" ", "_")
        tags[f"gate.{name}"] = f"{gate['outcome']}: {gate['value']}; {gate['bound']}"
    keep_decision(settings, made.candidate, record, tags)
