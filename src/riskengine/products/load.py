"""Reading catalogues and rate books from their YAML files."""

from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from riskengine.errors import SpecError
from riskengine.products.product import Catalogue, LaxCurrency, Plan
from riskengine.products.rate_book import RateBook
from riskengine.vocabulary import Frozen

Model = TypeVar("Model", bound=BaseModel)


class _Market(Frozen):
    """`market.yaml`: what all plans of a market share, and the order in which they are shown."""

    market: str
    currency: LaxCurrency
    plans: list[str]


def shipped(market: str) -> Path:
    """The folder of a market that ships with the package; raises `SpecError` when there is none."""
    root = Path(str(files("riskengine.products") / "catalogue"))
    if not (root / market / "market.yaml").is_file():
        there = ", ".join(sorted(folder.name for folder in root.iterdir() if folder.is_dir()))
        message = f"no catalogue for market {market!r}; there are {there}"
        raise SpecError(message)
    return root / market


def read_catalogue(folder: Path) -> Catalogue:
    """The catalogue in `folder`: `market.yaml` and one `plans/<plan>.yaml` for each plan it lists.

    Raises `SpecError` naming file, field, value and fix; nothing is loaded in part.
    """
    market = read_yaml(folder / "market.yaml", _Market)
    plans = []
    for name in market.plans:
        plan = read_yaml(folder / "plans" / f"{name}.yaml", Plan)
        if plan.plan != name:
            message = f"plans/{name}.yaml describes plan {plan.plan!r}: file and plan must agree"
            raise SpecError(message)
        plans.append(plan)
    return Catalogue(market=market.market, currency=market.currency, plans=tuple(plans))


def read_rate_book(folder: Path) -> RateBook:
    """The rate book in `folder` (`rate_book.yaml`); raises `SpecError` as `read_catalogue` does."""
    return read_yaml(folder / "rate_book.yaml", RateBook)


def read_yaml(path: Path, model: type[Model]) -> Model:
    """One YAML file as a `model`; raises `SpecError` naming file, field, value and fault."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise SpecError(message) from error
    except yaml.YAMLError as error:
        message = f"{path} is not valid YAML: {error}"
        raise SpecError(message) from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}={fault['input']!r}: {fault['msg']}"
            for fault in error.errors()[:5]
        )
        message = f"{path}: {faults}"
        raise SpecError(message) from error
