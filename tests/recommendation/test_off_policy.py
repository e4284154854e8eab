"""Estimates against a simulator whose truth is known, and refusals with their numbers."""

from dataclasses import replace

import numpy as np
import pytest

from riskengine.errors import InputError
from riskengine.recommendation.off_policy import (
    Logged,
    OffPolicy,
    Shown,
    Verdict,
    as_record,
    logged_actions,
    off_policy,
    rewards_by_action,
)
from riskengine.vocabulary import FloatArray

ACTIONS = 5
LOGS = 60


def softmax(scores: FloatArray) -> FloatArray:
    weights = np.exp(scores)
    found: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return found


class World:
    """Members with one number each, five actions, and the true chance that each is taken."""

    def __init__(self, size: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.known = self.rng.normal(size=(size, 1))
        level = np.array([-1.5, -1.0, -0.5, 0.0, 0.5])
        slope = np.array([1.0, 0.5, 0.0, -0.5, -1.0])
        self.taken = 1 / (1 + np.exp(-(level + slope * self.known)))
        self.logging = softmax(0.5 * self.known * np.arange(ACTIONS) / 4)
        self.target = softmax(2.5 * self.taken)

    @property
    def truth(self) -> float:
        """What the target earns with these members."""
        return float((self.target * self.taken).sum(axis=1).mean())

    def log(self, *, model: bool = False) -> Logged:
        rows = np.arange(len(self.known))
        bound = np.cumsum(self.logging, axis=1)
        action = (self.rng.random((len(rows), 1)) > bound).sum(axis=1).clip(0, ACTIONS - 1)
        reward = (self.rng.random(len(rows)) < self.taken[rows, action]).astype(np.float64)
        shown = Shown(action, reward, rows)
        predicted = np.clip(self.taken + 0.05, 0, 1) if model else None
        return logged_actions(shown, self.logging, self.target, predicted)


@pytest.fixture(scope="module")
def repeated() -> tuple[float, list[OffPolicy], list[OffPolicy]]:
    """The truth of one world, and estimates from many logs of it, without and with a model."""
    world = World(800, 3)
    plain = [off_policy(world.log()) for _ in range(LOGS)]
    return world.truth, plain, [off_policy(world.log(model=True)) for _ in range(LOGS)]


def test_estimates_are_unbiased_over_repeated_logs(
    repeated: tuple[float, list[OffPolicy], list[OffPolicy]],
) -> None:
    truth, plain, modelled = repeated
    for logs in (plain, modelled):
        for name in ("ips", "snips", "dr"):
            found = np.array([getattr(one, name).mean for one in logs])
            assert abs(found.mean() - truth) < 3 * found.std(ddof=1) / np.sqrt(LOGS), name
            inside = [getattr(o, name).low <= truth <= getattr(o, name).high for o in logs]
            assert np.mean(inside) >= 0.87, name


def test_doubly_robust_varies_less_than_inverse_propensities(
    repeated: tuple[float, list[OffPolicy], list[OffPolicy]],
) -> None:
    _, plain, modelled = repeated
    ips, dr = (np.var([getattr(one, name).mean for one in modelled]) for name in ("ips", "dr"))
    assert dr < 0.9 * ips
    assert np.var([one.dr.mean for one in plain]) < np.var([one.ips.mean for one in plain])


def test_a_better_target_is_called_better_and_the_log_itself_no_different() -> None:
    world = World(2500, 4)
    log = world.log()
    found = off_policy(log)
    assert (found.verdict, found.refusals) == (Verdict.BETTER, ())
    assert found.support == pytest.approx(1.0)
    same = replace(log, target=log.propensity, expected=log.predicted)
    itself = off_policy(same)
    assert itself.verdict is Verdict.NO_DIFFERENCE
    assert itself.ips == itself.snips == itself.dr == itself.logged
    assert (itself.gain.mean, itself.effective_sample) == (0.0, 2500.0)


def test_no_verdict_where_support_or_sample_is_thin() -> None:
    world = World(1500, 5)
    world.logging[:, 4] = 0.0
    world.logging /= world.logging.sum(axis=1, keepdims=True)
    thin = off_policy(world.log())
    covered = float(world.target[:, :4].sum(axis=1).mean())
    assert thin.support == pytest.approx(covered)
    assert thin.verdict is Verdict.REFUSED
    assert f"{covered:.1%}" in thin.refusals[0].en
    assert f"{covered:.1%}" in thin.refusals[0].zh
    few = off_policy(World(150, 6).log())
    assert few.verdict is Verdict.REFUSED
    assert f"150 decisions are worth {few.effective_sample:.0f} of" in few.refusals[0].en
    record = as_record(few)
    assert record["verdict"] == "refused"
    assert record["dr"] == vars(few.dr)


def test_rewards_of_a_member_do_not_predict_the_member() -> None:
    shown = Shown(np.array([0, 0, 1]), np.array([1.0, 0.0, 1.0]), np.array([7, 8, 8]))
    found = rewards_by_action(shown, 2)
    np.testing.assert_allclose(found[0], [5 * 0.5 / 6, (1 + 5 * 0.5) / 6])
    np.testing.assert_allclose(found[1], [1.0, 1.0])
    np.testing.assert_array_equal(found[1], found[2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"propensity": np.array([0.5, 0.0])}, "propensity of decision 1 is 0: give one above 0"),
        ({"target": np.array([1.5, 0.0])}, "target of decision 0 is 1.5: give one from 0 to 1"),
        ({"support": np.array([0.5, np.nan])}, "support of decision 1 is nan"),
        ({"reward": np.ones(3)}, "one value a decision"),
    ],
)
def test_a_log_that_cannot_be_is_refused(change: dict[str, FloatArray], message: str) -> None:
    half = np.full(2, 0.5)
    log = Logged(np.ones(2), half, half, np.ones(2), half, half, np.arange(2))
    with pytest.raises(InputError, match=message):
        replace(log, **change)
    shown = Shown(np.array([0, 1]), np.ones(2), np.arange(2))
    with pytest.raises(InputError, match=r"target of decision 0 sums to 0\.5: give all actions"):
        logged_actions(shown, np.full((2, 2), 0.5), np.full((2, 2), 0.25))
