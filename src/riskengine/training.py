"""From experience to a release: what an actuary runs, step by step, from a notebook or `demo`."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as arrow
import pyarrow.compute as pc

from riskengine.errors import SpecError
from riskengine.pricing.benefit import plan_payment
from riskengine.pricing.premium import premium_chain
from riskengine.pricing.rating import reference_columns
from riskengine.pricing.utilisation import InducedUtilisation, fit_induced_utilisation
from riskengine.products.benefit import MedicalBenefit
from riskengine.products.load import read_catalogue, read_rate_book, shipped
from riskengine.products.product import Catalogue
from riskengine.profiles.build import build_profiles
from riskengine.recommendation.policy import read_ranking_policy
from riskengine.release import Release, build_release, with_inputs
from riskengine.risk.columns import feature_columns, spread_of
from riskengine.risk.diagnostics import actual_over_expected
from riskengine.risk.fit import HeldOut
from riskengine.risk.model import RiskModel
from riskengine.sources.rand_hie import nearest_plan, own_share
from riskengine.sources.synthetic.assumptions import AREAS, LEVELS, PlanDesign, Setting
from riskengine.tables import Tables
from riskengine.vocabulary import Currency, FloatArray


@dataclass(frozen=True)
class PaidCheck:
    """Plan-paid amounts of one benefit, re-adjudicated and expected, both per year, (n,)."""

    actual: FloatArray
    expected: FloatArray

    def overall(self, exposure: FloatArray) -> float:
        """A/E of what the plan pays."""
        return actual_over_expected(self.actual, self.expected, exposure)


def complete_experience(experience: arrow.Table) -> arrow.Table:
    """The rows that state their cover and the household's education, as published analyses use."""
    known = pc.and_(
        pc.is_valid(experience["out_of_pocket_maximum"]), pc.is_valid(experience["education_years"])
    )
    return experience.filter(known)


def synthetic_setting(catalogue: Catalogue) -> Setting:
    """Where a synthetic insurer of a market stands: its plans that share the cost of care.

    Plans that pay by the day or by the event have no share of cost, and are left out of what the
    synthetic members hold. Raises `SpecError` where none is left.
    """
    level, areas = LEVELS[catalogue.market], AREAS[catalogue.market]
    plans = []
    for plan in catalogue.plans:
        benefit = next(iter(plan.benefits.values()))
        if isinstance(benefit, MedicalBenefit):
            maximum = benefit.out_of_pocket_maximum
            plans.append(
                PlanDesign(
                    plan.plan,
                    benefit.deductible / level,
                    benefit.coinsurance,
                    float("inf") if maximum is None else maximum / level,
                )
            )
    if not plans:
        message = f"no plan of {catalogue.market} shares the cost of care: nothing can be simulated"
        raise SpecError(message)
    return Setting(tuple(plans), Currency(catalogue.currency), level, areas)


def assemble_release(
    model: RiskModel,
    utilisation: InducedUtilisation,
    market: str,
    experience: arrow.Table | None = None,
) -> Release:
    """A release of the model with the catalogue, rate book and ranking policy of `market`.

    Where the `experience` it was trained on is given, a service tells how far its inputs drift.
    """
    folder = shipped(market)
    release = build_release(
        model,
        utilisation,
        read_catalogue(folder),
        read_rate_book(folder),
        read_ranking_policy(folder),
    )
    if experience is None:
        return release
    return with_inputs(release, spread_of(release.questions, experience))


def check_plan_paid(
    benefit: MedicalBenefit, held_out: list[HeldOut], mean: FloatArray, outcome: FloatArray
) -> PaidCheck:
    """Re-adjudicate `benefit` on held-out outcomes and set it against its expectation.

    `mean` and `outcome` are per year of exposure, (n,); each row's continuance comes from the
    model that never saw its member.
    """
    payment = plan_payment(benefit)
    expected = np.empty(len(mean))
    for part in held_out:
        expected[part.split.test] = payment.expected(mean[part.split.test], part.model.continuance)
    return PaidCheck(payment.paid(outcome), expected)


def learn_utilisation(model: RiskModel, experience: arrow.Table) -> InducedUtilisation:
    """Induced utilisation from the study's randomised designs.

    For each group of one coinsurance: the share of its cost that its own cover paid, and the
    model's mean for its members under the cover they held against free care.
    """
    columns = feature_columns(model.spec, experience)
    held = model.predict(columns)
    reference = model.predict(reference_columns(model, columns))
    weight = experience["exposure"].to_numpy()
    outcome = experience["medical_spend"].to_numpy() / weight
    coinsurance = experience["coinsurance"].to_numpy()
    deductible = experience["individual_deductible"].to_numpy()
    maximum = experience["out_of_pocket_maximum"].to_numpy()
    paid = outcome - own_share(outcome, coinsurance, deductible, maximum)
    value, use, exposure = [], [], []
    for rows in _groups(coinsurance + 10 * deductible):
        value.append(np.sum((weight * paid)[rows]) / np.sum((weight * outcome)[rows]))
        use.append(np.sum((weight * held)[rows]) / np.sum((weight * reference)[rows]))
        exposure.append(np.sum(weight[rows]))
    return fit_induced_utilisation(np.array(value), np.array(use), np.array(exposure))


def renewal_portfolio(
    tables: Tables, experience: arrow.Table, release: Release, as_of: date
) -> arrow.Table:
    """The policies that end on the day before `as_of`, with profiles as of that day.

    The study charged no premiums. `expiring_premium` is what a community rate would have been: the
    cost of all earlier years, re-adjudicated under the plan and loaded by the rate book, the same
    for everyone. `plan` is the catalogue's nearest to the design held.
    """
    last = arrow.scalar(date.fromordinal(as_of.toordinal() - 1), arrow.date32())
    ending = tables["policies"].filter(pc.equal(tables["policies"]["end_date"], last))
    spine = arrow.table(
        {
            "member_id": ending["member_id"],
            "as_of": arrow.array([as_of] * ending.num_rows, arrow.date32()),
        }
    )
    profiles = build_profiles(tables, spine).drop_columns(["as_of"])
    plans = nearest_plan(
        ending["coinsurance"].to_numpy(), ending["individual_deductible"].to_numpy()
    )
    rates = _community_rates(experience, release, as_of)
    book = arrow.table(
        {
            "policy_id": ending["policy_id"],
            "member_id": ending["member_id"],
            "plan": arrow.array(plans, arrow.string()),
            "expiring_premium": arrow.array([rates[plan] for plan in plans], arrow.float64()),
        }
    )
    asked = [question.name for question in release.questions]
    joined = book.join(profiles.select(["member_id", *asked]), "member_id")
    return joined.select([*book.column_names, *asked]).sort_by("policy_id")


def _community_rates(experience: arrow.Table, release: Release, as_of: date) -> dict[str, float]:
    """One premium a plan for everyone: the earlier years' cost through the release's own chain.

    Outcomes arose under the cover people held; each is brought to free care by the model's ratio,
    so that the benefit and its use are counted once.
    """
    earlier = arrow.scalar(date(as_of.year - 1, 1, 1), arrow.date32())
    rows = experience.filter(pc.less(experience["as_of"], earlier))
    model, loadings = release.medical_spend, release.loadings(as_of)
    columns = feature_columns(model.spec, rows)
    weight = rows["exposure"].to_numpy()
    to_free_care = model.predict(reference_columns(model, columns)) / model.predict(columns)
    cost = rows["medical_spend"].to_numpy() / weight * to_free_care
    mean = np.array([np.average(cost, weights=weight)])
    rates = {}
    for plan in release.catalogue.plans:
        paid = plan_payment(plan.benefit).paid(cost * loadings.trend_factor)
        share = np.average(paid, weights=weight) / (mean * loadings.trend_factor)
        chain = premium_chain(mean, share, release.utilisation, loadings)
        rates[plan.plan] = float(chain.offered_cents[0]) / 100
    return rates


def _groups(keys: FloatArray) -> list[np.ndarray]:
    return [np.flatnonzero(keys == key) for key in np.unique(keys)]
