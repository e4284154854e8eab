"""What explains one model on one table, gathered for files and reports.

Importance, partial dependence, and the factor tables with what they cost; each is computed in its
own module. Left out: files (`riskengine.batch.explain`), words and pictures (`reporting`).
"""

from dataclasses import dataclass

import pyarrow as arrow

from riskengine.risk.columns import training_columns
from riskengine.risk.distil import Distilled, TableSettings, distil
from riskengine.risk.explain import Importance, PartialDependence, importance, partial_dependence
from riskengine.risk.factor_tables import Fidelity
from riskengine.risk.fidelity import fidelity, fold_fidelity, refitted_fidelity
from riskengine.risk.fit import cross_fit, digest_of
from riskengine.risk.model import RiskModel


@dataclass(frozen=True)
class Asked:
    """How much is explained: the `features` of most importance (None: all) at `points` values.

    `pairs` are looked at two at a time; `families` asks for importance by family too. Factor
    tables are made from at most `rows` of the table; `refit` judges them by fits of each fold.
    """

    features: int | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    families: bool = True
    refit: bool = False
    points: int = 20
    rows: int = TableSettings().rows


@dataclass(frozen=True, eq=False)
class Explanation:
    """What explains a model; singles are most important first.

    `by_family` is None where the spec names no families. `distilled` is None for a kind without a
    log link, which has no factor tables; `fidelity` also for a table without outcomes.
    """

    importance: Importance
    by_family: Importance | None
    singles: tuple[PartialDependence, ...]
    pairs: tuple[PartialDependence, ...]
    distilled: Distilled | None
    fidelity: Fidelity | None


def explain_model(
    model: RiskModel, table: arrow.Table, asked: Asked = Asked(), known: Importance | None = None
) -> Explanation:
    """Explain a model on a table; `known` is the importance of its features, if it was computed.

    Raises as `riskengine.risk.explain.partial_dependence` and `riskengine.risk.distil.distil`.
    """
    pairs = tuple(partial_dependence(model, table, pair, points=12) for pair in asked.pairs)
    found = known or importance(model, table)
    families = None
    if asked.families and model.spec.features.families:
        families = importance(model, table, by_family=True)
    shown = found.names[: asked.features]
    distilled, cost = None, None
    if model.spec.model.kind.multiplicative:
        distilled = distil(model, table, TableSettings(rows=asked.rows))
        cost = _cost(model, table, distilled, asked)
    return Explanation(
        found,
        families,
        tuple(partial_dependence(model, table, [name], asked.points) for name in shown),
        pairs,
        distilled,
        cost,
    )


def _cost(model: RiskModel, table: arrow.Table, found: Distilled, asked: Asked) -> Fidelity | None:
    """Held out on the training table, which is known by its digest; else as served."""
    spec = model.spec
    of = spec.model
    beside = (of.exposure, of.propensity, spec.folds.group, spec.folds.time, *of.outcomes)
    if any(name is not None and name not in table.schema.names for name in beside):
        return None
    digest = digest_of(spec, training_columns(spec, table))
    if model.trained is None or model.trained.digest != digest:
        return fidelity(model, found.tables, table.take(found.rows.places))
    if asked.refit:
        return refitted_fidelity(cross_fit(spec, table), table, TableSettings(rows=asked.rows))
    return fold_fidelity(model, found)
