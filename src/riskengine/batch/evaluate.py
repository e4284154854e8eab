"""Recommendations judged from files: a model of the next product on a table, or a log of decisions.

In the folder: `evaluation.json` with every number, `evaluation.html` in both languages.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as arrow

from riskengine.batch.train import load_model, wanted_columns
from riskengine.errors import InputError, SpecError, TableError
from riskengine.products.load import read_catalogue, shipped
from riskengine.products.product import Catalogue
from riskengine.recommendation.asked import Mode
from riskengine.recommendation.feedback import DecisionRecord, Record, from_json
from riskengine.recommendation.followed import DAYS, Followed, FollowedLog, follow
from riskengine.recommendation.log_figures import LogFigures, figures_of_log
from riskengine.recommendation.off_policy import OffPolicy, as_record, off_policy
from riskengine.recommendation.policy import read_recommendation_policy
from riskengine.recommendation.replay import Target, logged_slates
from riskengine.reporting.evaluation import (
    evaluation_sections,
    evaluation_title,
    lead_of_evaluation,
)
from riskengine.reporting.evaluation_of_log import log_lead, log_sections, log_title
from riskengine.reporting.report import render_report
from riskengine.risk.columns import levels, numbers
from riskengine.risk.diagnostics.bootstrap import Interval
from riskengine.risk.model import RiskModel
from riskengine.risk.next_product.evaluation import Evaluation, evaluate_next_product
from riskengine.risk.next_product.model import NextProductModel
from riskengine.settings import Settings
from riskengine.sources.table_file import Read, read_table
from riskengine.tables import is_number
from riskengine.vocabulary import AnyArray

JSON_FILE, PAGE_FILE = "evaluation.json", "evaluation.html"
BEST_FIRST, PROPOSED = "best_first", "proposed"


@dataclass(frozen=True)
class LogJob:
    """A log of JSON lines; `policy` is a folder with a policy to judge beside the one in force.

    `members` is a table by `member_id` whose columns `by` tell groups apart.
    """

    log: Path
    policy: Path | None = None
    explores: bool = False
    members: Path | None = None
    by: tuple[str, ...] = ()
    days: int = DAYS


@dataclass(frozen=True, eq=False)
class LogEvaluation:
    """What a log tells: figures of what was served, and of each target policy, by name."""

    market: str
    followed: FollowedLog
    advice: int
    figures: LogFigures
    targets: dict[str, OffPolicy]

    def as_record(self) -> dict[str, object]:
        figures = {name: _plain(value) for name, value in vars(self.figures).items()}
        figures["groups"] = [
            {name: _plain(value) for name, value in vars(one).items()}
            for one in self.figures.groups
        ]
        return {
            "market": self.market,
            "left_out": {why.value: n for why, n in self.followed.left_out.items()},
            "advice": self.advice,
            "figures": figures,
            "off_policy": {name: as_record(one) for name, one in self.targets.items()},
        }


def evaluate_model(
    settings: Settings, model: str, data: Path, champion: str | None, by: Sequence[str]
) -> Evaluation:
    """Judge a model, a folder or under a URI, on a Parquet or CSV file.

    Raises `SpecError` for a model that is not of the next product, and as the judging does.
    """
    own = _next_product(load_model(settings, model), model)
    other = None if champion is None else _next_product(load_model(settings, champion), champion)
    reads = dict.fromkeys(by, Read.ORDER) | wanted_columns(own.spec)
    if other is not None:
        reads |= wanted_columns(other.spec)
    return evaluate_next_product(own, read_table(data, reads), other, by)


def write_model_evaluation(found: Evaluation, folder: Path) -> None:
    page = render_report(
        evaluation_title(found), lead_of_evaluation(found), evaluation_sections(found)
    )
    _write(found.as_record(), page, folder)


def evaluate_log(job: LogJob) -> LogEvaluation:
    """Judge a log: what was served, the policy in force without drawing, and a proposed one.

    Outcomes are known up to the day of the last record. Raises `InputError` naming the line that is
    no record, and for a log of two markets.
    """
    records = read_log(job.log)
    market, until = _market_and_end(records, job.log)
    followed = follow(records, until, days=job.days)
    catalogue = read_catalogue(shipped(market))
    if not followed.decisions:
        told = ", ".join(f"{n} {why.value}" for why, n in followed.left_out.items())
        message = f"no decision of {job.log} counts ({told}): nothing can be judged"
        raise InputError(message)
    drawn = [one for one in followed.decisions if one.decision.mode is not Mode.ADVICE]
    return LogEvaluation(
        market=market,
        followed=followed,
        advice=len(followed.decisions) - len(drawn),
        figures=figures_of_log(followed.decisions, catalogue, _by(job, followed.decisions)),
        targets=_targets(job, drawn, catalogue, market) if drawn else {},
    )


def write_log_evaluation(found: LogEvaluation, folder: Path) -> None:
    sections = log_sections(found.figures, found.targets)
    lead = log_lead(found.market, found.followed, found.advice)
    _write(found.as_record(), render_report(log_title(found.market), lead, sections), folder)


def read_log(path: Path) -> list[Record]:
    """The records of a file of JSON lines, in order; empty lines are skipped.

    Raises `InputError` naming the first line that is no record.
    """
    found = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                found.append(from_json(line))
            except InputError as error:
                message = f"{path}, line {number}: {error}"
                raise InputError(message) from error
    return found


def _targets(
    job: LogJob, decisions: Sequence[Followed], catalogue: Catalogue, market: str
) -> dict[str, OffPolicy]:
    logged = read_recommendation_policy(shipped(market))
    targets = {BEST_FIRST: Target(logged, explores=False)}
    if job.policy is not None:
        targets[PROPOSED] = Target(read_recommendation_policy(job.policy), job.explores)
    return {
        name: off_policy(logged_slates(decisions, catalogue, logged, target))
        for name, target in targets.items()
    }


def _market_and_end(records: Sequence[Record], path: Path) -> tuple[str, date]:
    markets = {one.market for one in records if isinstance(one, DecisionRecord)}
    if len(markets) != 1:
        message = f"{path} has decisions of {', '.join(sorted(markets)) or 'no market'}: give one"
        raise InputError(message)
    return markets.pop(), max(one.recorded_at.date() for one in records)


def _by(job: LogJob, decisions: Sequence[Followed]) -> dict[str, AnyArray]:
    """The columns of the members' table in the order of decisions."""
    if job.members is None:
        if job.by:
            message = f"--by {', '.join(job.by)} of a log needs --data, a table by member_id"
            raise InputError(message)
        return {}
    reads = {"member_id": Read.TEXT} | dict.fromkeys(job.by, Read.ORDER)
    table = read_table(job.members, reads)
    rows = {name: row for row, name in enumerate(levels(table, "member_id").tolist())}
    if len(rows) < table.num_rows:
        message = f"{job.members} has a member_id twice: give one row a member"
        raise TableError(message)
    wanted = [one.decision.member_id for one in decisions]
    absent = [name for name in wanted if name is not None and name not in rows]
    if absent:
        message = f"{job.members} lacks members of the log: {', '.join(absent[:5])}"
        raise TableError(message)
    places = arrow.array([None if name is None else rows[name] for name in wanted], arrow.int64())
    taken = table.take(places)
    return {
        name: numbers(taken, name) if is_number(taken[name].type) else levels(taken, name)
        for name in job.by
    }


def _next_product(model: RiskModel, where: str) -> NextProductModel:
    if isinstance(model, NextProductModel):
        return model
    message = f"{where} is a {model.spec.model.kind} model: give one of kind next_product"
    raise SpecError(message)


def _plain(value: object) -> object:
    if isinstance(value, Interval):
        return {name: end if np.isfinite(end) else None for name, end in vars(value).items()}
    return value


def _write(record: dict[str, object], page: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / JSON_FILE).write_text(text, encoding="utf-8")
    (folder / PAGE_FILE).write_text(page + "\n", encoding="utf-8")
