"""What a log tells of the recommendations served: where what was taken stood, for whom, how often.

Of what was not on a slate nothing is told: that a plan was not taken because it was not shown, no
figure here can know (`off_policy` says what another slate would have earned).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.products.product import Catalogue
from riskengine.recommendation.followed import Followed
from riskengine.recommendation.off_policy import SEED
from riskengine.risk.diagnostics.bootstrap import Interval, MemberDraws, draw_members
from riskengine.risk.diagnostics.levels import levels_of
from riskengine.vocabulary import AnyArray, FloatArray, IntArray

AGE_BANDS = 5
_LEAST = 1e-12


@dataclass(frozen=True)
class LogGroup:
    """Decisions for members of one level of a column: plans taken, how far down, what is shown.

    `taken` is a decision; `coverage` the share of all products that anybody in the group was shown.
    """

    column: str
    level: str
    decisions: int
    taken: Interval
    coverage: float


@dataclass(frozen=True)
class LogFigures:
    """Figures of a log, `hit_1` to `ndcg_5` of plans taken, each member's decisions together.

    `log_loss` and `calibration_gap` (told less taken) are of the take-up that was told of plans
    shown, None where none was; `places` is the share of all places that each product took.
    """

    decisions: int
    members: int
    taken: Interval
    hit_1: Interval
    hit_3: Interval
    mrr: Interval
    ndcg_5: Interval
    log_loss: Interval | None
    calibration_gap: Interval | None
    coverage: float
    places: Mapping[str, float]
    groups: tuple[LogGroup, ...]


def members_of(decisions: Sequence[Followed]) -> IntArray:
    """Whose each decision is, numbered from 0; where nobody is named, each is of its own."""
    names = [one.decision.member_id or f"\x00{one.decision.decision_id}" for one in decisions]
    _, member = np.unique(np.array(names, dtype=object), return_inverse=True)
    return np.asarray(member, dtype=np.int64)


def figures_of_log(
    decisions: Sequence[Followed],
    catalogue: Catalogue,
    by: Mapping[str, AnyArray] | None = None,
) -> LogFigures:
    """All figures; `by` has columns of the decisions' members, (n,) in the order of decisions."""
    member = members_of(decisions)
    draws = draw_members(member, np.random.default_rng(SEED))
    shown = [
        (row, at, one.plan in each.taken, one.take_up)
        for row, each in enumerate(decisions)
        for at, one in enumerate(each.slate, start=1)
    ]
    row, rank = np.array([s[0] for s in shown]), np.array([s[1] for s in shown])
    taken = np.array([float(s[2]) for s in shown])
    of_rows = MemberDraws(draws.block[row], draws.counts)
    where = {
        "hit_1": (rank <= 1).astype(np.float64),
        "hit_3": (rank <= 3).astype(np.float64),
        "mrr": 1.0 / rank,
        "ndcg_5": np.where(rank <= 5, 1 / np.log2(1.0 + rank), 0.0),
    }
    count = np.array([float(len(one.taken)) for one in decisions])
    told = np.array([np.nan if s[3] is None else s[3] for s in shown], dtype=np.float64)
    places = _places(decisions, catalogue)
    return LogFigures(
        decisions=len(decisions),
        members=len(np.unique(member)),
        taken=draws.ratio(count, np.ones(len(count))),
        **{name: of_rows.ratio(value * taken, taken) for name, value in where.items()},
        log_loss=_log_loss(told, taken, of_rows),
        calibration_gap=_calibration(told, taken, of_rows),
        coverage=len(places) / _products(catalogue),
        places=places,
        groups=tuple(
            group
            for column, values in (by or {}).items()
            for group in _groups(column, values, decisions, catalogue, (count, draws))
        ),
    )


def _products(catalogue: Catalogue) -> int:
    return len({plan.product for plan in catalogue.plans})


def _places(decisions: Sequence[Followed], catalogue: Catalogue) -> dict[str, float]:
    counts = Counter(catalogue.plan(one.plan).product for each in decisions for one in each.slate)
    return {name: n / counts.total() for name, n in counts.most_common()}


def _log_loss(told: FloatArray, taken: FloatArray, draws: MemberDraws) -> Interval | None:
    known = ~np.isnan(told)
    if not known.any():
        return None
    chance = np.clip(np.where(known, told, 0.5), _LEAST, 1 - _LEAST)
    lost = -(taken * np.log(chance) + (1 - taken) * np.log1p(-chance))
    return draws.ratio(np.where(known, lost, 0.0), known.astype(np.float64))


def _calibration(told: FloatArray, taken: FloatArray, draws: MemberDraws) -> Interval | None:
    """Take-up told less how many took it, over plans of which it was told."""
    known = ~np.isnan(told)
    if not known.any():
        return None
    gap = np.where(known, np.nan_to_num(told) - taken, 0.0)
    return draws.ratio(gap, known.astype(np.float64))


def _groups(
    column: str,
    values: AnyArray,
    decisions: Sequence[Followed],
    catalogue: Catalogue,
    counted: tuple[FloatArray, MemberDraws],
) -> list[LogGroup]:
    count, draws = counted
    ones = np.ones(len(count))
    told = levels_of(values, ones, AGE_BANDS)
    taken = draws.ratios(count, ones, told.code)
    found = []
    for place, level in enumerate(told.names):
        inside = [decisions[row] for row in np.flatnonzero(told.code == place).tolist()]
        share = len(_places(inside, catalogue)) / _products(catalogue)
        found.append(LogGroup(column, level, len(inside), taken[place], share))
    return found
