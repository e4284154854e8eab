import numpy as np
import pytest

from riskengine.errors import InputError, TableError, UnknownNameError
from riskengine.risk.credibility import Experience
from riskengine.risk.design import (
    MANY_LEVELS,
    MOST_CROSSES,
    Design,
    check_known,
    crossed,
    fit_design,
    positions,
)
from riskengine.risk.spec import ModelSpec, parse_spec

ROWS, FOLDS = 3000, 3


def spec(purpose: str = "analysis", optional: str = "") -> ModelSpec:
    return parse_spec(
        f'[model]\nname = "m"\nkind = "poisson"\ntarget = "y"\npurpose = "{purpose}"\n'
        f'[features]\nnumeric = ["x", "z"]\ncategorical = ["region", "town"]\n'
        f"optional = [{optional}]\n"
    )


def columns(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=ROWS)
    z[::10] = np.nan
    region = rng.choice(np.array(["a", "b"], dtype=object), ROWS)
    town = np.array([f"t{n:02d}" for n in rng.integers(0, 30, ROWS)], dtype=object)
    return {"x": rng.uniform(1, 3, ROWS), "z": z, "region": region, "town": town}


def experience(outcome: np.ndarray) -> Experience:
    fold = np.random.default_rng(1).integers(0, FOLDS, ROWS)
    return Experience(outcome, np.ones(ROWS), fold, ~np.eye(FOLDS, dtype=bool))


def made(outcome: np.ndarray | None = None, **how: str) -> Design:
    told = np.random.default_rng(2).poisson(1.0, ROWS).astype(float)
    return fit_design(spec(**how), columns(), experience(told if outcome is None else outcome))[0]


def one(**values: object) -> dict[str, np.ndarray]:
    row: dict[str, object] = {"x": 2.0, "z": 0.5, "region": "a", "town": "t01"} | values
    return {
        n: np.array([v], dtype=object if n in {"region", "town"} else np.float64)
        for n, v in row.items()
    }


def test_few_levels_stay_and_many_are_encoded() -> None:
    design = made()
    assert design.levels == {"region": ("a", "b")}
    assert [e.features for e in design.encodings if len(e.features) == 1] == [("town",)]
    assert design.names[:4] == ("x", "z", "region", "town")
    assert design.categorical == [2]
    assert set(design.features) == {"x", "z", "region", "town"}
    assert len(design.known_levels()["town"]) == 30 > MANY_LEVELS
    matrix = design.matrix(columns(), model=1)
    assert matrix.shape == (ROWS, len(design.names))
    assert set(np.unique(matrix[:, 2])) == {0.0, 1.0}
    assert len(design.owners) == len(design.names) + len(design.paired)


def test_training_and_new_rows_read_the_same_plain_columns() -> None:
    told = np.random.default_rng(2).poisson(1.0, ROWS).astype(float)
    design, plain, own = fit_design(spec(), columns(), experience(told))
    np.testing.assert_array_equal(plain, design.plain(columns()))
    assert [o.shape for o in own] == [(ROWS, 2 * len(design.encodings))] * FOLDS


def test_missing_numbers_stay_where_learnt_and_take_the_median_where_not() -> None:
    design = made()
    assert design.learnt_missing == {"z"}
    row = design.plain(one(x=np.nan, z=np.nan))[0]
    assert row[0] == design.medians["x"] == np.median(columns()["x"])
    assert np.isnan(row[1])
    assert made(optional='"x"').learnt_missing == {"x", "z"}


def test_levels_never_seen_are_missing_or_the_collective() -> None:
    design = made()
    strange = one(region="z", town="nowhere")
    assert np.isnan(design.plain(strange)[0, 2])
    town = next(e for e in design.encodings if e.features == ("town",))
    place = design.names.index("town")
    assert design.names[place + 1] == "town experience"
    relativity, experience_of_it = design.matrix(strange)[0, place : place + 2]
    assert relativity == town.values[0, -1, 0] == 0.0
    assert experience_of_it == 0.0, "it rests on nothing"
    known = design.matrix(one(town="t01"))[0, place + 1]
    assert known == pytest.approx(np.log1p(np.sum(columns()["town"] == "t01") * 2 / 3), abs=0.2)
    assert design.unseen(strange) == {"region": ["z"], "town": ["nowhere"]}
    assert design.unseen(one(x=np.nan, z=np.nan)) == {"x": ["missing"]}


def test_a_pair_that_acts_together_is_crossed() -> None:
    """Every other town is dear in one region and cheap in the other: neither tells alone."""
    there = columns()
    odd = np.array([int(town[1:]) % 2 for town in there["town"]])
    mean = np.where((there["region"] == "a") == (odd == 1), 3.0, 0.3)
    told = np.random.default_rng(3).poisson(mean).astype(float)
    crosses = [e for e in made(told).encodings if len(e.features) == 2]
    assert [e.features for e in crosses] == [("region", "town")]
    assert crosses[0].name == "region x town"
    by_pair = dict(zip(crosses[0].levels, crosses[0].values[..., 0].mean(axis=0), strict=False))
    assert by_pair["a\x1ft01"] > 0.4
    assert by_pair["b\x1ft01"] < -0.8
    assert len(crosses) <= MOST_CROSSES


def test_named_interactions_leave_no_crosses() -> None:
    bound = spec().model_copy(
        update={"features": spec().features.model_copy(update={"interactions": (("x", "z"),)})}
    )
    told = np.random.default_rng(3).poisson(1.0, ROWS).astype(float)
    design, *_ = fit_design(bound, columns(), experience(told))
    assert all(len(e.features) == 1 for e in design.encodings)


def test_positions_and_crossed_texts() -> None:
    assert positions(("a", "c"), np.array(["c", None, "b", "a"], dtype=object)).tolist() == [
        1,
        -1,
        -1,
        0,
    ]
    there = {
        "u": np.array(["p", None], dtype=object),
        "v": np.array([None, "q"], dtype=object),
    }
    assert crossed(there, ("u",)).tolist() == ["p", "\x00"]
    assert crossed(there, ("u", "v")).tolist() == ["p\x1f\x00", "\x00\x1fq"]


def test_a_price_rests_on_no_guess() -> None:
    design = made()
    pricing = spec(purpose="pricing")
    check_known(pricing, design, one(z=np.nan))
    with pytest.raises(UnknownNameError, match="region has levels the model does not know: z"):
        check_known(pricing, design, one(region="z"))
    with pytest.raises(UnknownNameError, match=r"town has levels .* know: nowhere"):
        check_known(pricing, design, one(town="nowhere"))
    with pytest.raises(InputError, match="x is missing in row 0, but never was in training"):
        check_known(pricing, design, one(x=np.nan))
    with pytest.raises(InputError, match="region is missing in row 0"):
        check_known(pricing, design, one(region=None))
    check_known(spec(), design, one(region="z", town="nowhere", x=np.nan))
    with pytest.raises(TableError, match="needs columns that are missing: x, z"):
        check_known(spec(), design, {n: v for n, v in one().items() if n not in {"x", "z"}})


def test_a_level_of_both_an_unknown_name_and_missing_names_the_level() -> None:
    there = {n: np.concatenate([v, v]) for n, v in one().items()}
    there["region"] = np.array(["z", None], dtype=object)
    with pytest.raises(UnknownNameError, match="region has levels the model does not know: z"):
        check_known(spec(purpose="pricing"), made(), there)


def test_a_level_may_be_called_missing() -> None:
    pricing = spec(purpose="pricing")
    with pytest.raises(
        UnknownNameError, match="region has levels the model does not know: missing"
    ):
        check_known(pricing, made(), one(region="missing"))


def test_missing_and_empty_texts_are_two_levels_of_an_encoded_feature() -> None:
    there = columns()
    there["town"] = there["town"].copy()
    there["town"][:300], there["town"][300:600] = None, ""
    told = np.random.default_rng(3).poisson(np.where(np.arange(ROWS) < 300, 5.0, 1.0))
    design, *_ = fit_design(spec(), there, experience(told.astype(float)))
    assert "" in design.known_levels()["town"]
    assert all(level is not None and "\x00" not in level for level in design.known_levels()["town"])
    place = design.names.index("town")
    missing, empty = (design.matrix(one(town=town))[0, place] for town in (None, ""))
    assert missing > 0.8
    assert empty < 0.0
