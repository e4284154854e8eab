"""What is known of how good a model of the next product is: held out, beside its yardsticks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import rankdata

from riskengine.errors import InputError
from riskengine.risk.diagnostics.bootstrap import (
    DRAWS_OF_ROWS,
    Interval,
    MemberDraws,
    draw_members,
)
from riskengine.risk.diagnostics.headline import SEED
from riskengine.risk.diagnostics.judged import MODEL
from riskengine.risk.diagnostics.reliability import ReliabilityBin, reliability_bins
from riskengine.risk.gates import Findings, NextProductFindings
from riskengine.risk.next_product.book import Book
from riskengine.risk.next_product.cold_start import log_loss, prevalence
from riskengine.risk.next_product.held_out import HeldOut
from riskengine.risk.next_product.measures import (
    BINS,
    POPULAR,
    Asked,
    Figures,
    figures_of,
    first_choice,
    log_losses,
    ranks,
)
from riskengine.risk.next_product.model import NextProductModel
from riskengine.risk.next_product.thin import LEAST_OWNERS, credibility
from riskengine.risk.next_product.yardsticks import POPULARITY, yardsticks
from riskengine.vocabulary import FloatArray

_WIDTH = 2 * 1.96
"""Of an interval of 95 %, in standard errors."""


@dataclass(frozen=True)
class Product:
    """One product: `owners` in training, its `credibility`, and what came of hiding it.

    `actual_over_expected` is how often it was the hidden one over how often that was expected.
    Below `LEAST_OWNERS` its data are `insufficient`: its figures, and its probabilities, rest on
    its segment more than on itself.
    """

    name: str
    owners: int
    credibility: float
    insufficient: bool
    hit_3: Interval
    actual_over_expected: Interval
    cold_start_auc: float


@dataclass(frozen=True)
class ColdStartFigures:
    """How well it is told who owns what from a person alone, held out.

    `log_loss` is the mean over customers and products, `prevalence` the same of each product's
    share of owners; `macro_auc` the mean over products.
    """

    log_loss: Interval
    prevalence: Interval
    macro_auc: float


@dataclass(frozen=True, eq=False)
class ProductDiagnosis:
    """All that a report tells.

    `headline` has the figures of the model and of each yardstick; `advantage` a yardstick's log
    loss less the model's, paired: above 0 the model is better. `reliability` has tenths by the
    probability of the product ranked first. `segment` is the feature whose levels thin products
    are shrunk to, empty where that is the whole portfolio; `full_credibility` a number of owners.
    """

    model: str
    rows: int
    customers: int
    draws: int
    headline: Mapping[str, Figures]
    advantage: Mapping[str, Interval]
    reliability: tuple[ReliabilityBin, ...]
    products: tuple[Product, ...]
    cold_start: ColdStartFigures
    shares: Mapping[str, float]
    rounds: tuple[int, int]
    segment: str
    full_credibility: int
    held_out: HeldOut = field(repr=False)

    @property
    def calibration_by_chance(self) -> float:
        """The calibration error that perfect probabilities would have on as many customers.

        The mean of |gap| in each tenth, sqrt(2 / pi) of its standard error.
        """
        weight = np.array([one.exposure for one in self.reliability])
        error = [(one.bias.high - one.bias.low) / _WIDTH for one in self.reliability]
        return float(np.sqrt(2 / np.pi) * np.average(error, weights=weight))

    def metrics(self) -> dict[str, float]:
        """The figures under flat names, for a tracker: `model.log_loss`, `model.log_loss.low`,
        `popularity.advantage`, `cold_start.macro_auc`, `insufficient_data`, ..."""
        found: dict[str, float] = {"rows": float(self.rows), "customers": float(self.customers)}
        intervals = {
            f"{side}.{name}": interval
            for side, one in self.headline.items()
            for name, interval in one.figures().items()
        }
        intervals |= {f"{side}.advantage": gain for side, gain in self.advantage.items()}
        intervals["cold_start.log_loss"] = self.cold_start.log_loss
        intervals["cold_start.prevalence.log_loss"] = self.cold_start.prevalence
        for name, interval in intervals.items():
            found |= {name: interval.mean, f"{name}.low": interval.low}
            found[f"{name}.high"] = interval.high
        found["cold_start.macro_auc"] = self.cold_start.macro_auc
        found["model.calibration_error.by_chance"] = self.calibration_by_chance
        found["insufficient_data"] = float(sum(one.insufficient for one in self.products))
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def by_product(self) -> list[dict[str, object]]:
        """The products as records for a JSON file; figures that there are none of are null."""
        return [
            {
                "product": one.name,
                "owners": one.owners,
                "credibility": one.credibility,
                "data": "insufficient data" if one.insufficient else "sufficient",
                "hit_3": _or_none(one.hit_3.mean),
                "actual_over_expected": _or_none(one.actual_over_expected.mean),
                "cold_start_auc": _or_none(one.cold_start_auc),
            }
            for one in self.products
        ]


def findings_of_products(diagnosis: ProductDiagnosis) -> Findings:
    """The numbers that the gates judge."""
    return Findings(
        next_product=NextProductFindings(
            diagnosis.headline[MODEL].calibration_error.mean,
            diagnosis.calibration_by_chance,
            diagnosis.advantage[POPULARITY],
        )
    )


def diagnose_products(model: NextProductModel) -> ProductDiagnosis:
    """Judge a model that was fitted here by customers that each of its fold models did not see.

    Raises `InputError` for a model that was loaded.
    """
    held_out, trained = model.held_out, model.trained
    if held_out is None or trained is None:
        message = (
            f"model {model.spec.model.name} was loaded, not fitted: its held-out figures are in the"
            " report and metrics.json beside it"
        )
        raise InputError(message)
    book = held_out.book
    drawn = draw_members(trained.member, np.random.default_rng(SEED), DRAWS_OF_ROWS)
    asked = asked_of(book, drawn)
    sides = {MODEL: held_out.chances, **yardsticks(book, held_out.scores[0])}
    own = log_losses(held_out.chances, asked.place)
    said, right = first_choice(held_out.chances, asked.place)
    names = model.spec.features.categorical
    segment = model.learnt.thin.segment
    return ProductDiagnosis(
        model=model.spec.model.name,
        rows=len(asked.place),
        customers=len(np.unique(trained.member)),
        draws=len(drawn.counts),
        headline={name: figures_of(chances, asked) for name, chances in sides.items()},
        advantage={
            name: asked.mean(log_losses(chances, asked.place) - own)
            for name, chances in sides.items()
            if name != MODEL
        },
        reliability=reliability_bins(right, said, asked.weight, drawn, BINS),
        products=_products(model.classes, held_out, asked),
        cold_start=_cold_start(held_out),
        shares=trained.shares[0],
        rounds=held_out.rounds,
        segment=names[segment] if segment >= 0 else "",
        full_credibility=held_out.full,
        held_out=held_out,
    )


def asked_of(book: Book, drawn: MemberDraws) -> Asked:
    """The hidden products of a book, and which are niche, as the figures take them."""
    hidden = book.hidden
    popular = np.argsort(-np.nansum(book.flags, axis=0), kind="stable")[:POPULAR]
    niche = np.ones(book.products)
    niche[popular] = 0.0
    return Asked(hidden.place, hidden.weight, book.products, niche, drawn)


def _products(names: tuple[str, ...], held_out: HeldOut, asked: Asked) -> tuple[Product, ...]:
    book, chances = held_out.book, held_out.chances
    owners = np.nansum(book.flags, axis=0).astype(np.int64)
    believed = credibility(book.flags, held_out.full)
    among = (ranks(chances, asked.place) <= 3).astype(np.float64)
    found = []
    for place, name in enumerate(names):
        own = asked.weight * (asked.place == place)
        found.append(
            Product(
                name,
                int(owners[place]),
                float(believed[place]),
                bool(owners[place] < LEAST_OWNERS),
                asked.draws.ratio(own * among, own),
                asked.draws.ratio(own, asked.weight * chances[:, place]),
                _auc(held_out.owners[:, place], book.flags[:, place]),
            )
        )
    return tuple(found)


def _cold_start(held_out: HeldOut) -> ColdStartFigures:
    book = held_out.book
    drawn = draw_members(book.member, np.random.default_rng(SEED), DRAWS_OF_ROWS)
    known = (~np.isnan(book.flags)).sum(axis=1).astype(np.float64)
    flat = np.empty(book.flags.shape)
    for fold in np.unique(book.fold):
        flat[book.fold == fold] = prevalence(book.flags[book.fold != fold])
    aucs = [_auc(held_out.owners[:, place], book.flags[:, place]) for place in range(book.products)]
    return ColdStartFigures(
        drawn.ratio(np.nansum(log_loss(held_out.owners, book.flags), axis=1), known),
        drawn.ratio(np.nansum(log_loss(flat, book.flags), axis=1), known),
        float(np.nanmean(aucs)) if not np.isnan(aucs).all() else float("nan"),
    )


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _auc(score: FloatArray, flag: FloatArray) -> float:
    """The chance that an owner has a higher score than another; NaN where all or none own it."""
    known = ~np.isnan(flag)
    place, owns = rankdata(score[known]), flag[known] == 1
    owners, others = int(owns.sum()), int((~owns).sum())
    if not owners or not others:
        return float("nan")
    return float((place[owns].sum() - owners * (owners + 1) / 2) / (owners * others))
