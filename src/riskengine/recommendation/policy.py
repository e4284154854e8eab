"""The ranking policy: the dated choices behind a recommendation, as data."""

from pathlib import Path

from riskengine.products.load import read_yaml
from riskengine.products.rate_book import Parameter
from riskengine.vocabulary import Frozen


class RankingPolicy(Frozen):
    """How much a member is taken to dislike risk; see `riskengine.recommendation.value`."""

    edition: str
    risk_aversion: Parameter


def read_ranking_policy(folder: Path) -> RankingPolicy:
    """The policy in `folder` (`ranking_policy.yaml`); raises `SpecError` when it is broken."""
    return read_yaml(folder / "ranking_policy.yaml", RankingPolicy)
