"""Fixtures shared by all tests: the kept release, the study's tables, a quick model spec."""

from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as pq
import pytest

from riskengine.profiles.build import build_experience
from riskengine.release import Release, load_release
from riskengine.risk.spec import ModelSpec, read_spec
from riskengine.sources.rand_hie import read_study, tables_from_study
from riskengine.sources.synthetic.assumptions import PlanDesign, Setting
from riskengine.sources.synthetic.simulate import simulate
from riskengine.tables import COLUMNS, Tables
from riskengine.training import complete_experience
from riskengine.vocabulary import Currency
from tests.golden.rewrite import KEPT_RELEASE

ROOT = Path(__file__).parent.parent
CATALOGUE = ROOT / "src" / "riskengine" / "products" / "catalogue"
PLANS = (
    PlanDesign("free_care", 0, 0, 0),
    PlanDesign("high_deductible", 200, 0.2, 1000),
    PlanDesign("catastrophic", 1000, 0, float("inf")),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Notebooks first: one worker runs them all, and the others would wait for it at the end."""
    items.sort(key=lambda item: item.path.name != "test_notebooks.py")


@pytest.fixture(scope="session")
def release() -> Release:
    """The release kept from version 0.1.0; nothing is trained for it."""
    return load_release(KEPT_RELEASE)


@pytest.fixture(scope="session")
def tables() -> Tables:
    return tables_from_study(read_study())


@pytest.fixture(scope="session")
def insurer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tables of 400 synthetic members."""
    folder = tmp_path_factory.mktemp("insurer")
    simulate(400, 7, folder, Setting(PLANS, Currency.USD))
    return folder


@pytest.fixture(scope="session")
def synthetic(insurer: Path) -> Tables:
    return {name: pq.read_table(insurer / f"{name}.parquet") for name in COLUMNS}


@pytest.fixture(scope="session")
def experience(tables: Tables) -> arrow.Table:
    return complete_experience(build_experience(tables))


@pytest.fixture(scope="session")
def quick_spec() -> ModelSpec:
    """The shipped spec with few trees."""
    spec = read_spec(ROOT / "models" / "medical_spend.toml")
    trees = spec.lightgbm.model_copy(update={"rounds": 30, "learning_rate": 0.1, "num_leaves": 12})
    return spec.model_copy(update={"lightgbm": trees})
