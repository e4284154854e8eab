"""What a member is expected to cost, and what a plan makes of it.

The meeting of risk and products: the model's mean under the reference cover, then each plan's
actuarial value and the member's own share from the same continuance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.errors import SpecError
from riskengine.pricing.benefit import plan_payment
from riskengine.pricing.premium import PremiumChain, premium_chain
from riskengine.pricing.utilisation import InducedUtilisation
from riskengine.products.product import Plan
from riskengine.products.rate_book import Loadings, RateBook
from riskengine.risk.model import RiskModel
from riskengine.risk.spec import Kind, ModelPurpose
from riskengine.vocabulary import Columns, FloatArray


@dataclass(frozen=True)
class PricedPlan:
    """One plan priced for n members; amounts in currency a year."""

    plan: Plan
    chain: PremiumChain
    actuarial_value: FloatArray
    expected_out_of_pocket: FloatArray


def check_prices(model: RiskModel) -> None:
    """Raise `SpecError` for a model whose predictions are no base times relativities, or one that
    was not trained to price: only that one refuses what it has never seen."""
    spec = model.spec.model
    if not spec.kind.multiplicative:
        able = ", ".join(kind for kind in Kind if kind.multiplicative)
        message = (
            f"model {spec.name} is {spec.kind}: its predictions are no base times relativities, so"
            f" it cannot enter a release; use one of {able}"
        )
        raise SpecError(message)
    if spec.purpose is not ModelPurpose.PRICING:
        message = (
            f"model {spec.name} is for {spec.purpose}, and guesses at levels it has never seen, so"
            ' it cannot enter a release: train it with purpose = "pricing"'
        )
        raise SpecError(message)


def check_permitted(model: RiskModel, book: RateBook) -> None:
    """Raise `SpecError` when the model reads a factor that the rate book does not permit."""
    features = model.spec.features
    forbidden = [
        name
        for name in features.names
        if name not in features.cover and name not in book.permitted_factors
    ]
    if forbidden:
        message = (
            f"rate book {book.edition} does not permit {', '.join(forbidden)}: drop them from model"
            f" {model.spec.model.name}, or add them to permitted_factors if the law allows"
        )
        raise SpecError(message)


def check_order(
    model: RiskModel, utilisation: InducedUtilisation, plans: Sequence[Plan], loadings: Loadings
) -> None:
    """Raise `SpecError` when some plan would charge a higher risk less than a lower one.

    Looked at on a thousand means from a quarter of the lowest risk band's to eight times the
    highest's.
    """
    centres = model.continuance.centres
    means = np.geomspace(centres[0] / 4, centres[-1] * 8, 1000)
    for plan in plans:
        priced = price_plan(plan, means, model, utilisation, loadings)
        premium = priced.chain.technical_premium
        falls = np.flatnonzero(np.diff(premium) < -1e-9 * premium[:-1])
        if len(falls):
            low, high = means[falls[0]], means[falls[0] + 1]
            message = (
                f"plan {plan.plan} would charge a mean cost of {high:.2f} less than one of"
                f" {low:.2f}: fit the continuance of {model.spec.model.name} with fewer bands"
            )
            raise SpecError(message)


def reference_columns(model: RiskModel, columns: Columns) -> Columns:
    """The columns the model reads, with every cover feature at its reference value."""
    size = len(next(iter(columns.values())))
    cover = {name: np.full(size, value) for name, value in model.spec.features.cover.items()}
    return {**columns, **cover}


def price_plan(
    plan: Plan,
    mean: FloatArray,
    model: RiskModel,
    utilisation: InducedUtilisation,
    loadings: Loadings,
) -> PricedPlan:
    """Price one plan for members of annual mean cost `mean` (n,), under free care, untrended.

    Member and plan together bear the trended cost at the plan's level of use.
    """
    trended = mean * loadings.trend_factor
    paid = plan_payment(plan.benefit).expected(mean, model.continuance, loadings.trend_factor)
    share = paid / trended
    share = np.clip(share, 0.0, 1.0)
    chain = premium_chain(mean, share, utilisation, loadings)
    use = utilisation.factor(share)
    return PricedPlan(plan, chain, share, trended * use * (1 - share))
