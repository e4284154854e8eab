import dataclasses
from datetime import date

import numpy as np
import pytest

from riskengine.engine import recommend
from riskengine.pricing.benefit import plan_payment
from riskengine.profiles.questions import answers_to_columns
from riskengine.recommendation.ranking import rank
from riskengine.recommendation.reasons import ReasonCode
from riskengine.recommendation.value import Worth
from riskengine.release import Release
from riskengine.vocabulary import Answer

AS_OF = date(2026, 1, 1)
ANSWERS: dict[str, Answer] = {"age": 52, "sex": "female", "self_rated_health": "fair"}


def items(release: Release, answers: dict[str, Answer] | None = None) -> dict[str, Worth]:
    columns = answers_to_columns(release.questions, answers or ANSWERS)
    found = recommend(release, columns, AS_OF).items
    return {item.priced.plan.plan: item for item, _ in found}


def test_worth_agrees_with_a_simulation(release: Release) -> None:
    """Draws from the continuance, thinned by use: means, quantiles and chances agree."""
    priced = items(release)["high_deductible"]
    continuance = release.medical_spend.continuance
    mean = priced.priced.chain.steps[0].value[0]
    survival = np.append(continuance.survival_at(mean), 0.0)
    masses = np.append(1 - survival[0], -np.diff(survival))
    assert masses.min() > -1e-12
    masses = np.clip(masses, 0, None) / np.clip(masses, 0, None).sum()
    rng = np.random.default_rng(1)
    cost = mean * rng.choice(np.append(0.0, continuance.grid[1:]), 400_000, p=masses)
    use = release.utilisation.factor(priced.priced.actuarial_value[:1])[0]
    cost *= rng.random(len(cost)) < use
    own = cost - plan_payment(priced.priced.plan.benefit).paid(cost)
    assert own.mean() == pytest.approx(priced.priced.expected_out_of_pocket[0], rel=0.01)
    assert np.quantile(own, 0.9) == pytest.approx(priced.bad_year_with, rel=0.05)
    maximum = priced.priced.plan.benefit.out_of_pocket_maximum
    assert (own >= maximum - 1e-9).mean() == pytest.approx(priced.chance_of_maximum, abs=0.001)


def test_richer_cover_is_worth_more_and_costs_more(release: Release) -> None:
    found = items(release)
    order = ["catastrophic", "high_deductible", "coinsurance_20", "free_care"]
    for values in ([found[p].worth for p in order], [found[p].premium for p in order]):
        assert values == sorted(values)
    assert [found[p].bad_year_with for p in order] == sorted(
        (found[p].bad_year_with for p in order), reverse=True
    )


def test_without_aversion_cover_is_worth_less_than_it_costs(release: Release) -> None:
    """A member indifferent to risk gains nothing from paying expenses and margins."""
    values = release.ranking_policy.risk_aversion.values
    neutral = values[0].model_copy(update={"value": 1.0})
    parameter = release.ranking_policy.risk_aversion.model_copy(update={"values": (neutral,)})
    policy = release.ranking_policy.model_copy(update={"risk_aversion": parameter})
    for item in items(dataclasses.replace(release, ranking_policy=policy)).values():
        assert item.net < 0


def test_order_is_by_net_worth_then_premium_then_name(release: Release) -> None:
    found = list(items(release).values())
    ranked = rank(found)
    assert [item.net for item in ranked] == sorted((i.net for i in found), reverse=True)
    assert rank(found[::-1]) == ranked
    tied = [dataclasses.replace(item, worth=item.premium + 5.0) for item in found]
    assert [i.premium for i in rank(tied)] == sorted(i.premium for i in tied)


def test_the_insurer_s_margin_is_not_an_input(release: Release) -> None:
    """Moving margin to expense leaves premiums, and so every rank and reason, as they are."""
    book = release.rate_book
    moved = {
        name: getattr(book, name).model_copy(
            update={
                "values": tuple(
                    v.model_copy(update={"value": v.value + shift})
                    for v in getattr(book, name).values
                )
            }
        )
        for name, shift in (("profit_margin", 0.03), ("variable_expense", -0.03))
    }
    greedy = dataclasses.replace(release, rate_book=book.model_copy(update=moved))
    assert [(p, i.net) for p, i in items(greedy).items()] == [
        (p, i.net) for p, i in items(release).items()
    ]


def test_reasons_are_true_and_told_in_both_languages(release: Release) -> None:
    columns = answers_to_columns(release.questions, ANSWERS)
    ranked = recommend(release, columns, AS_OF).items
    premiums = [item.premium for item, _ in ranked]
    for item, reasons in ranked:
        codes = {reason.code for reason in reasons}
        assert (ReasonCode.LOWEST_PREMIUM in codes) == (item.premium == min(premiums))
        assert (ReasonCode.WORTH_MORE in codes) == (item.net >= 0)
        assert (ReasonCode.WORTH_LESS in codes) == (item.net < 0)
        assert (ReasonCode.DEDUCTIBLE in codes) == (item.priced.plan.benefit.deductible > 0)
        assert ReasonCode.ANSWERS_MISSING in codes
        for reason in reasons:
            assert reason.text.en.isascii()
            assert any("\u4e00" <= letter <= "\u9fff" for letter in reason.text.zh)
            for value in reason.parameters.values():
                assert f"{value:,.0f}" in reason.text.en
                assert f"{value:,.0f}" in reason.text.zh
