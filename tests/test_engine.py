from datetime import date

import numpy as np
import pytest

from riskengine.engine import quote, recommend, reprice
from riskengine.errors import AnswerError, UnknownNameError
from riskengine.profiles.questions import answers_to_columns
from riskengine.recommendation.eligibility import Gate
from riskengine.release import Release

AS_OF = date(2026, 1, 1)


def test_cover_held_is_no_rating_factor(release: Release) -> None:
    """The price depends on answers alone: cover columns that slip in change nothing."""
    columns = answers_to_columns(release.questions, {"age": 40, "sex": "male"})
    cover = {name: np.array([0.95]) for name in release.medical_spend.spec.features.cover}
    plain = quote(release, columns, AS_OF, ())
    slipped = quote(release, {**columns, **cover}, AS_OF, ())
    assert plain.mean == slipped.mean


def test_chosen_plans_come_in_the_order_asked(release: Release) -> None:
    columns = answers_to_columns(release.questions, {"age": 40, "sex": "male"})
    chosen = quote(release, columns, AS_OF, ("catastrophic", "free_care"))
    assert [offer.plan.plan for offer in chosen.offers] == ["catastrophic", "free_care"]
    assert quote(release, columns, AS_OF, ()).offers[0].chain.offered_cents == (
        chosen.offers[1].chain.offered_cents
    )
    with pytest.raises(UnknownNameError, match="unknown plan 'gold'"):
        quote(release, columns, AS_OF, ("gold",))


def test_before_the_plans_are_on_sale(release: Release) -> None:
    columns = answers_to_columns(release.questions, {"age": 40, "sex": "male"})
    with pytest.raises(AnswerError, match="as_of=2020-06-01: plan free_care is on sale from 2021"):
        quote(release, columns, date(2020, 6, 1), ())
    found = recommend(release, columns, date(2020, 6, 1))
    assert found.items == ()
    assert {f.gate for f in found.not_offered} == {Gate.NOT_YET_ON_SALE}


def test_a_plan_outside_the_entry_age_is_not_offered_and_says_why(release: Release) -> None:
    import dataclasses

    plans = release.catalogue.plans
    young = plans[0].model_copy(
        update={"entry_age": plans[0].entry_age.model_copy(update={"maximum": 30})}
    )
    catalogue = release.catalogue.model_copy(update={"plans": (young, *plans[1:])})
    changed = dataclasses.replace(release, catalogue=catalogue)
    columns = answers_to_columns(release.questions, {"age": 31, "sex": "male"})
    found = recommend(changed, columns, AS_OF)
    assert [item.priced.plan.plan for item, _ in found.items] != []
    assert "free_care" not in {item.priced.plan.plan for item, _ in found.items}
    (failure,) = found.not_offered
    assert failure.gate is Gate.ENTRY_AGE
    assert (failure.plan, failure.value, failure.allowed) == ("free_care", "31", "for ages 0 to 30")
    with pytest.raises(AnswerError, match="age=31: plan free_care is for ages 0 to 30"):
        quote(changed, columns, AS_OF, ("free_care",))
    almost = answers_to_columns(release.questions, {"age": 30.99, "sex": "male"})
    assert recommend(changed, almost, AS_OF).not_offered == ()


def test_repricing_an_unknown_plan_raises(release: Release) -> None:
    columns = answers_to_columns(release.questions, {"age": 40, "sex": "male"})
    with pytest.raises(UnknownNameError, match="unknown plan 'gold' in row 0"):
        reprice(release, columns, np.array(["gold"], dtype=object), AS_OF)
