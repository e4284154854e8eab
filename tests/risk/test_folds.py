import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.risk.folds import deal_folds, members
from riskengine.risk.spec import ModelSpec, parse_spec


def spec(count: int, how: str = "") -> ModelSpec:
    return parse_spec(
        '[model]\nname = "m"\nkind = "poisson"\ntarget = "y"\n[features]\nnumeric = ["x"]\n'
        f"[folds]\ncount = {count}\n{how}"
    )


def columns(**named: np.ndarray) -> dict[str, np.ndarray]:
    size = len(next(iter(named.values())))
    return {"x": np.zeros(size), "y": np.zeros(size), **named}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=40, max_size=200), st.integers(2, 6), st.integers())
def test_a_group_is_never_split(owners: list[int], count: int, seed: int) -> None:
    owner = np.array([*owners, *range(count)])
    rng = np.random.default_rng(abs(seed))
    dealt = deal_folds(
        spec(count, 'group = "who"'),
        columns(who=owner),
        rng.poisson(0.3, len(owner)).astype(float),
        abs(seed),
    )
    for who in np.unique(owner):
        assert len(np.unique(dealt.fold[owner == who])) == 1
    assert set(dealt.fold.tolist()) == set(range(count)), "every fold holds someone"
    for split in dealt.splits():
        assert not set(owner[split.train]) & set(owner[split.test])
    tested = np.concatenate([split.test for split in dealt.splits()])
    assert sorted(tested.tolist()) == list(range(len(owner))), "each row is held out once"


def test_rare_events_are_spread_over_the_folds() -> None:
    total = np.zeros(1000)
    total[:11] = 1.0
    dealt = deal_folds(spec(5), columns(z=total), total, 3)
    events = np.bincount(dealt.fold, total, 5)
    assert events.min() >= 2
    assert events.max() <= 3
    sizes = np.bincount(dealt.fold)
    assert sizes.max() - sizes.min() <= 1


def test_folds_bring_about_as_much() -> None:
    total = np.random.default_rng(0).lognormal(0, 1.5, 2000)
    dealt = deal_folds(spec(5), columns(z=total), total, 0)
    brought = np.bincount(dealt.fold, total) / total.sum()
    assert np.abs(brought - 0.2).max() < 0.02


def test_folds_are_seeded() -> None:
    total = np.zeros(100)
    first, again, other = (deal_folds(spec(4), columns(z=total), total, s).fold for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_members_are_numbered_groups() -> None:
    who = np.array(["b", "a", "b"], dtype=object)
    assert members(spec(2, 'group = "who"'), columns(who=who)).tolist() == [0, 1, 0]
    assert members(spec(2), columns(who=who)).tolist() == [0, 1, 2]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 25), min_size=10, max_size=150), st.integers(2, 6))
def test_time_only_runs_forward(times: list[int], count: int) -> None:
    time = np.array([*times, *range(count + 1)])
    dealt = deal_folds(spec(count, 'time = "when"'), columns(when=time), np.zeros(len(time)), 0)
    assert set(dealt.fold.tolist()) == set(range(count + 1)), "every block has rows"
    assert dealt.refit
    for split in dealt.splits():
        assert time[split.train].max() < time[split.test].min()
    for when in np.unique(time):
        assert len(np.unique(dealt.fold[time == when])) == 1
    assert dealt.may_see[-1].all(), "the model that serves sees everything"
    assert dealt.may_see.shape == (count + 1, count + 1)


def test_one_crowded_time_leaves_no_block_empty() -> None:
    time = np.concatenate([np.arange(5), np.full(1000, 5), np.arange(6, 9)])
    dealt = deal_folds(spec(4, 'time = "when"'), columns(when=time), np.zeros(len(time)), 0)
    assert np.bincount(dealt.fold, minlength=5).min() >= 1


@pytest.mark.parametrize("unit", ["D", "us"])
def test_dates_order_rows(unit: str) -> None:
    days = np.arange("2020-01-01", "2020-03-01", dtype="datetime64[D]")
    time = np.random.default_rng(0).permutation(days).astype(f"datetime64[{unit}]")
    dealt = deal_folds(spec(3, 'time = "when"'), columns(when=time), np.zeros(len(time)), 0)
    assert (np.diff(dealt.fold[np.argsort(time)]) >= 0).all()
    assert np.bincount(dealt.fold).tolist() == [15, 15, 15, 15]
