"""Records put together, and decisions taken again: the log's own policy is found again exactly."""

from datetime import date

import numpy as np
import pytest

from riskengine.errors import InputError
from riskengine.recommendation.asked import Mode
from riskengine.recommendation.feedback import OutcomeKind, OverrideRecord
from riskengine.recommendation.followed import FollowedLog, LeftOut, follow, slate_of
from riskengine.recommendation.off_policy import Verdict, off_policy
from riskengine.recommendation.policy import RecommendationPolicy
from riskengine.recommendation.replay import Target, logged_slates, replay
from tests.recommendation.cases import opened, policy
from tests.recommendation.logs import AT, UNTIL, decision_of, display_of, log, outcome_of

CATALOGUE = opened("cn").catalogue


@pytest.fixture(scope="module")
def followed() -> FollowedLog:
    return follow(log(20), UNTIL)


def changed(**numbers: float) -> RecommendationPolicy:
    """The shipped policy with other numbers, by `section__name`."""
    content = policy("cn").model_dump(mode="json")
    for name, number in numbers.items():
        at = content
        for part in name.split("__"):
            at = at[part]
        for value in at["values"]:
            value["value"] = number
    return RecommendationPolicy.model_validate(content, strict=False)


def test_the_log_s_own_policy_is_replayed_exactly(followed: FollowedLog) -> None:
    own = Target(policy("cn"), explores=True)
    for one in followed.decisions[:4]:
        again = replay(one.decision, CATALOGUE, policy("cn"), own)
        assert again.propensity == pytest.approx(one.decision.propensity, rel=1e-12)
        assert again.target == pytest.approx(one.decision.propensity, rel=1e-12)
        assert again.support == pytest.approx(1.0)
        assert sum(again.shows.values()) == pytest.approx(3.0)


def test_without_exploration_the_slate_is_the_one_that_is_served(followed: FollowedLog) -> None:
    for one in followed.decisions[:8]:
        number = int(one.decision.decision_id[1:])
        served = slate_of(decision_of(number, None))
        again = replay(one.decision, CATALOGUE, policy("cn"), Target(policy("cn"), explores=False))
        assert again.shows == {c.plan: 1.0 for c in served}
        assert again.support == 1.0
        assert again.target == float([c.plan for c in served] == [c.plan for c in one.slate])


def test_a_colder_temperature_comes_nearer_to_the_best(followed: FollowedLog) -> None:
    cold = Target(changed(exploration__temperature=0.001, exploration__floor=0.0), explores=True)
    best = Target(policy("cn"), explores=False)
    one = followed.decisions[0].decision
    near, exact = (replay(one, CATALOGUE, policy("cn"), target) for target in (cold, best))
    for plan, chance in exact.shows.items():
        assert near.shows[plan] == pytest.approx(chance, abs=1e-3)


def test_an_unexplored_log_supports_nothing_else() -> None:
    decision = decision_of(1, None)
    found = replay(decision, CATALOGUE, policy("cn"), Target(policy("cn"), explores=True))
    assert found.propensity == 1.0
    assert found.support == found.target < 1
    small = Target(changed(slate_size=2), explores=False)
    assert replay(decision, CATALOGUE, policy("cn"), small).support == 0.0


def test_estimates_from_a_log_know_the_reward_of_plans(followed: FollowedLog) -> None:
    found = logged_slates(
        followed.decisions, CATALOGUE, policy("cn"), Target(policy("cn"), explores=True)
    )
    told = off_policy(found)
    assert told.logged.mean == np.mean([len(one.taken) for one in followed.decisions])
    assert told.ips.mean == pytest.approx(told.logged.mean)
    assert told.effective_sample == pytest.approx(20)
    assert told.verdict is Verdict.REFUSED
    assert found.predicted.min() > 0


def test_what_cannot_be_replayed_is_refused(followed: FollowedLog) -> None:
    one = followed.decisions[0].decision
    needs = Target(changed(risk_aversion=2.5, need__gap=0.7), explores=False)
    with pytest.raises(InputError, match=r"differs .* in risk_aversion \(.*\), need.gap"):
        replay(one, CATALOGUE, policy("cn"), needs)
    other = policy("cn").model_copy(update={"edition": "cn-1999"})
    with pytest.raises(InputError, match="not of cn-1999: give the policy of the log"):
        replay(one, CATALOGUE, other, Target(other, explores=False))
    advice = decision_of(3, None, mode=Mode.ADVICE)
    with pytest.raises(InputError, match="decision d3 was advice"):
        replay(advice, CATALOGUE, policy("cn"), needs)
    with pytest.raises(InputError, match="no decision of the log counts"):
        logged_slates([], CATALOGUE, policy("cn"), needs)


def test_every_decision_counts_or_is_told_why_not() -> None:
    rng = np.random.default_rng(8)
    kept = [decision_of(number, rng) for number in range(5)]
    shown = [display_of(one) for one in kept]
    slate = [one.plan for one in slate_of(kept[0])]
    why = "The member asked for it by name"
    override = OverrideRecord(
        record_id="w", decision_id="d1", recorded_at=AT, agent_id="a", reason=why, plans=()
    )
    mended = shown[3].model_copy(update={"record_id": "fix", "corrects": shown[3].record_id})
    wrong = shown[3].model_copy(update={"shown": display_of(kept[3], slate[:1]).shown})
    records = [
        *kept, shown[0], shown[1], override, display_of(kept[2], slate[:1]), wrong, mended,
        outcome_of(kept[0], slate[0]), outcome_of(kept[0], slate[1], after=30),
        outcome_of(kept[0], slate[2], kind=OutcomeKind.QUOTE),
    ]  # fmt: skip
    found = follow(records, UNTIL)
    assert [one.decision.decision_id for one in found.decisions] == ["d0", "d3"]
    assert found.decisions[0].taken == {slate[0]}
    assert found.left_out == {
        LeftOut.OVERRIDDEN: 1, LeftOut.DISPLAYED_OTHERWISE: 1, LeftOut.NOT_DISPLAYED: 1,
    }  # fmt: skip
    early = follow(records, date(2026, 3, 30))
    assert (early.decisions, early.left_out[LeftOut.UNDECIDED]) == ((), 2)
    with pytest.raises(InputError, match="decision d0 is there twice"):
        follow([kept[0], kept[0].model_copy(update={"record_id": "r9"})], UNTIL)
    with pytest.raises(InputError, match="is of decision d4, which is not there"):
        follow([shown[4]], UNTIL)
