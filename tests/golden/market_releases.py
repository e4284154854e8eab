"""Small releases of the shipped markets, kept as artefacts: few trees, on few synthetic members."""

import tempfile
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq

from riskengine.market_release import MarketRelease, load_market_release, save_market_release
from riskengine.market_training import learn_market, read_market
from riskengine.products.load import read_catalogue, shipped
from riskengine.risk.spec import ModelSpec, read_spec
from riskengine.sources.synthetic.simulate import simulate
from riskengine.tables import COLUMNS, Tables
from riskengine.training import synthetic_setting

TESTS = Path(__file__).parent.parent
MARKETS = ("cn", "us_aca")


def kept_release(market: str) -> Path:
    """Where the release of a market is kept from version 0.1.0."""
    return TESTS / "artefacts" / f"release-{market}-0.1.0"


@cache
def market_release(market: str) -> MarketRelease:
    """The kept release of a market; nothing is trained for it."""
    return load_market_release(kept_release(market))


def quick_spec() -> ModelSpec:
    """The shipped spec of perils with few, small trees."""
    spec = read_spec(TESTS.parent / "models" / "peril.toml")
    trees = {"rounds": 25, "num_leaves": 6, "learning_rate": 0.1, "min_data_in_leaf": 40}
    knots = spec.continuance.model_copy(update={"knots": 60})
    blend = spec.blend.model_copy(update={"glm": False})
    return spec.model_copy(
        update={
            "lightgbm": spec.lightgbm.model_copy(update=trees),
            "continuance": knots,
            "blend": blend,
        }
    )


def synthetic_tables(market: str, members: int, folder: Path) -> Tables:
    """The tables of a synthetic insurer of a market."""
    simulate(members, 11, folder, synthetic_setting(read_catalogue(shipped(market))))
    return {name: pq.read_table(folder / f"{name}.parquet") for name in COLUMNS}


def keep_market_releases() -> None:
    """Learn and write the releases that are not kept yet; the others are left alone."""
    for market in MARKETS:
        if kept_release(market).is_dir():
            continue
        with tempfile.TemporaryDirectory() as folder:
            tables = synthetic_tables(market, 3000, Path(folder))
            files = read_market(shipped(market))
            learnt = learn_market(tables, quick_spec(), files, most_years=400)
        save_market_release(learnt.release, kept_release(market))


if __name__ == "__main__":
    keep_market_releases()
