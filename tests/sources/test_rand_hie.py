import numpy as np
import pyarrow.compute as pc

from riskengine.sources.rand_hie import nearest_plan, own_share, read_study
from riskengine.tables import Tables


def test_amounts_and_exposure_are_those_of_the_study(tables: Tables) -> None:
    study = read_study()
    parts = study[["inpdol", "outpdol", "drugdol", "suppdol"]].to_numpy().sum()
    assert np.isclose(pc.sum(tables["claims"]["allowed_amount"]).as_py(), parts)
    assert np.isclose(pc.sum(tables["policies"]["exposure"]).as_py(), study["time"].sum())
    assert np.isclose(parts, study["meddol"].sum(), rtol=1e-5)


def test_designs_map_to_the_nearest_plan() -> None:
    plans = nearest_plan(np.array([0.0, 0.0, 0.25, 0.5, 0.95, 1.0]), np.array([0, 1, 0, 0, 0, 1.0]))
    assert plans.tolist() == [
        "free_care", "high_deductible", "coinsurance_20", "coinsurance_20", "catastrophic",
        "high_deductible",
    ]  # fmt: skip


def test_own_share_follows_the_designs() -> None:
    share = own_share(
        cost=np.array([100.0, 1000.0, 1000.0, 1000.0]),
        coinsurance=np.array([0.0, 0.0, 0.25, 0.95]),
        individual_deductible=np.array([0.0, 1.0, 0.0, 0.0]),
        out_of_pocket_maximum=np.array([0.0, 450.0, 1000.0, 600.0]),
    )
    assert share.tolist() == [0.0, 150.0, 250.0, 600.0]
