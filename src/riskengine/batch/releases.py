"""Building a market's release from a folder and registering it, and describing any release.

The composition behind `riskengine release`; numbers come from `riskengine.market_training`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from riskengine.errors import TableError
from riskengine.market_release import MarketRelease, with_advice
from riskengine.market_training import learn_market, read_market
from riskengine.products.load import shipped
from riskengine.recommendation.advice_models import AdviceModels, read_advice_models
from riskengine.registry import AnyRelease, register_release
from riskengine.risk.spec import read_spec
from riskengine.settings import Settings
from riskengine.tables import COLUMNS, OPTIONAL, Tables


@dataclass(frozen=True, eq=False)
class Built:
    """A release with its registered version, and what its builder should know."""

    release: MarketRelease
    version: int
    notes: tuple[str, ...]


def build_and_register(
    settings: Settings,
    market: str,
    data: Path,
    spec: Path,
    say: Callable[[str], None],
    advice: Path | None = None,
) -> Built:
    """Learn a market from the tables in `data` and register its release, with models of `advice`.

    The first of a market is in force at once; any later one waits to be promoted.

    Raises `TableError` naming the tables that are missing, and as the readers do.
    """
    files = read_market(shipped(market))
    models = AdviceModels() if advice is None else read_advice_models(advice)
    models.check(files.catalogue)
    learnt = learn_market(read_tables(data), read_spec(spec), files, say)
    release = with_advice(learnt.release, models)
    say("registering")
    start = release.market.editions.editions[-1].effective_from
    version = register_release(settings, release, start, replaces=False)
    return Built(release, version, learnt.notes)


def read_tables(folder: Path) -> Tables:
    """The tables of a folder of Parquet files, unchecked; `riskengine validate` checks them."""
    absent = [n for n in COLUMNS if n not in OPTIONAL and not (folder / f"{n}.parquet").is_file()]
    if absent:
        message = f"{folder} has no {', '.join(f'{name}.parquet' for name in absent)}"
        raise TableError(message)
    return {
        name: pq.read_table(folder / f"{name}.parquet")
        for name in COLUMNS
        if (folder / f"{name}.parquet").is_file()
    }


def description(release: AnyRelease) -> dict[str, object]:
    """What a release is made of."""
    told: dict[str, object] = {
        "hash": release.hash,
        "market": release.catalogue.market,
        "currency": str(release.catalogue.currency),
        "plans": list(release.catalogue.names),
        "questions": [question.name for question in release.questions],
        "versions": dict(release.versions),
    }
    if isinstance(release, MarketRelease):
        return told | {
            "editions": {
                one.edition: {
                    "from": one.effective_from.isoformat(),
                    "to": one.effective_to.isoformat() if one.effective_to else None,
                    "base_rates": dict(release.base_rates[one.edition]),
                }
                for one in release.market.editions.editions
            },
            "perils": {p.value: m.spec.model.kind.value for p, m in release.models.items()},
            "underwriting": release.underwriting.edition,
            "experience_middle": release.market.experience_middle.isoformat(),
        }
    return told | {
        "rate_book": release.rate_book.edition,
        "ranking_policy": release.ranking_policy.edition,
    }
