"""The invariants of benefits, over random designs and members."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskengine.pricing.benefit import plan_payment
from riskengine.pricing.premium import premium_chain
from riskengine.products.benefit import MedicalBenefit
from riskengine.products.rate_book import Loadings
from riskengine.release import Release
from riskengine.risk.continuance import Continuance, fit_continuance

amount = st.floats(0, 5000)
COSTS = np.concatenate([np.linspace(0, 2000, 81), np.geomspace(2000, 1e6, 40)])
LOADINGS = Loadings(trend_factor=1.05, fixed_expense=12.0, permissible_loss_ratio=0.85)


@st.composite
def benefits(draw: st.DrawFn) -> MedicalBenefit:
    deductible = draw(st.just(0.0) | amount)
    maximum = draw(st.none() | st.just(deductible) | amount.map(lambda extra: deductible + extra))
    coinsurance = draw(st.sampled_from([0.0, 1.0]) | st.floats(0, 1))
    if maximum is not None and coinsurance == 0:
        maximum = deductible  # the only maximum that can be reached
    return MedicalBenefit(
        deductible=deductible,
        coinsurance=coinsurance,
        out_of_pocket_maximum=maximum,
        annual_limit=draw(st.none() | st.floats(100, 1e5)),
    )


@st.composite
def richer(draw: st.DrawFn) -> tuple[MedicalBenefit, MedicalBenefit]:
    """Two designs, the second at least as rich in every term."""
    lean = draw(benefits())
    maximum, limit = lean.out_of_pocket_maximum, lean.annual_limit
    deductible = lean.deductible * draw(st.floats(0, 1))
    if maximum is not None:
        maximum = max(deductible, maximum * draw(st.floats(0, 1)))
    coinsurance = lean.coinsurance * draw(st.floats(0, 1))
    if maximum is not None and coinsurance == 0:
        maximum = deductible
    rich = MedicalBenefit(
        deductible=deductible,
        coinsurance=coinsurance,
        out_of_pocket_maximum=maximum,
        annual_limit=None if limit is None or draw(st.booleans()) else limit * 1.5,
    )
    return lean, rich


def adjudicate(benefit: MedicalBenefit, cost: float) -> float:
    """The terms of the contract, word by word: what the plan pays for one annual cost."""
    own = min(cost, benefit.deductible)
    own += benefit.coinsurance * (cost - own)
    if benefit.out_of_pocket_maximum is not None:
        own = min(own, benefit.out_of_pocket_maximum)
    paid = cost - own
    return paid if benefit.annual_limit is None else min(paid, benefit.annual_limit)


@given(benefits())
def test_payment_is_what_the_contract_says(benefit: MedicalBenefit) -> None:
    paid = plan_payment(benefit).paid(COSTS)
    word_by_word = np.array([adjudicate(benefit, cost) for cost in COSTS])
    np.testing.assert_allclose(paid, word_by_word, rtol=1e-9, atol=1e-7)


@given(benefits())
def test_member_and_plan_share_the_whole_cost(benefit: MedicalBenefit) -> None:
    payment = plan_payment(benefit)
    own = COSTS - payment.paid(COSTS)
    assert (own >= -1e-7).all()
    assert (np.diff(own) >= -1e-7).all()
    if benefit.out_of_pocket_maximum is not None and benefit.annual_limit is None:
        assert own.max() <= benefit.out_of_pocket_maximum + 1e-6


@given(pair=richer(), mean=st.floats(1, 20000))
def test_richer_cover_never_costs_less(
    release: Release, pair: tuple[MedicalBenefit, MedicalBenefit], mean: float
) -> None:
    means, continuance = np.array([mean]), release.medical_spend.continuance
    shares, cents = [], []
    for benefit in pair:
        share = plan_payment(benefit).expected(means, continuance) / means
        chain = premium_chain(means, np.clip(share, 0, 1), release.utilisation, LOADINGS)
        shares.append(share[0])
        cents.append(int(chain.offered_cents[0]))
    assert shares[0] <= shares[1] + 1e-12
    assert cents[0] <= cents[1]
    assert shares[0] >= -1e-12
    assert shares[1] <= 1 + 1e-12


@given(benefits())
def test_expected_payment_is_the_mean_of_adjudicated_payments(benefit: MedicalBenefit) -> None:
    rng = np.random.default_rng(3)
    outcome = 200 * rng.lognormal(-0.5, 1.2, 20000) * (rng.random(20000) < 0.8)
    mean = np.full(20000, outcome.mean())
    continuance = fit_continuance(outcome, mean, np.ones(20000), bands=1, knots=3000)
    payment = plan_payment(benefit)
    expected = payment.expected(mean[:1], continuance)[0]
    assert expected == pytest.approx(payment.paid(outcome).mean(), abs=0.002 * outcome.mean())


def test_a_higher_risk_never_pays_less(release: Release) -> None:
    """Over all means and shipped plans: no premium falls where the expected cost rises."""
    means = np.geomspace(15, 3000, 5000)
    for plan in release.catalogue.plans:
        paid = plan_payment(plan.benefit).expected(means, release.medical_spend.continuance)
        chain = premium_chain(means, paid / means, release.utilisation, LOADINGS)
        assert (np.diff(chain.technical_premium) >= 0).all(), plan.plan


def test_a_deductible_cannot_be_priced_from_a_mean(release: Release) -> None:
    """The mean lies below the deductible, yet the plan pays a third of the cost."""
    continuance: Continuance = release.medical_spend.continuance
    mean = np.array([150.0])
    payment = plan_payment(MedicalBenefit(deductible=200.0))
    assert payment.paid(mean)[0] == 0
    assert 0.25 < payment.expected(mean, continuance)[0] / 150 < 0.75
