"""What benefits are priced at against what they pay, and how fast.

Actuarial values from the joint continuance against held-out person-years re-adjudicated one by
one, on the RAND study and on the simulator; the pricing kernel against re-adjudication of every
member's distribution and against pandas. Rewrites its section of benchmarks/RESULTS.md.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.pricing_data import Years, simulated_years, study_years
from benchmarks.results import write_section
from riskengine.pricing.benefit_rules import medical_paid
from riskengine.pricing.benefit_table import BenefitTable, payments_at_knots, tabulate
from riskengine.pricing.market import Insured, Market, base_rates, open_market, price_plans
from riskengine.pricing.offered import Terms
from riskengine.pricing.perils import PersonYears, band_weights, fit_person_years, mean_grid
from riskengine.pricing.premium import premium_chain
from riskengine.pricing.utilisation import InducedUtilisation
from riskengine.products.benefit import MedicalBenefit, Peril, ServiceTerms
from riskengine.products.load import shipped
from riskengine.products.product import AgeRange, Catalogue, Plan
from riskengine.products.rate_book import Loadings
from riskengine.products.rate_book_read import read_editions
from riskengine.risk.diagnostics import equal_exposure_bands
from riskengine.risk.spec import read_spec
from riskengine.vocabulary import Currency, FloatArray, Service, Text

HERE = Path(__file__).parent
BANDS, DECILES = 20, 10
FIT_BLOCKS, TEST_BLOCKS, REPEATS = range(16), range(16, 32), 40
MEMBERS, ROUNDS = 1_000_000, 5
SPEND = Peril.MEDICAL_SPEND
USE = InducedUtilisation((0.3, 0.6, 1.0), (0.7, 0.8, 1.0))
LOADINGS = Loadings(trend_factor=1.06, fixed_expense=12.0, permissible_loss_ratio=0.85)


def designs() -> dict[str, MedicalBenefit]:
    """Fourteen designs in the study's dollars: shares of all spend, and services on own terms."""
    free = ServiceTerms(coinsurance=0.0, deductible_applies=False)
    inpatient, outpatient, drug = Service.INPATIENT, Service.OUTPATIENT, Service.DRUG

    def tier(deductible: float, share: float, maximum: float, copay: float) -> MedicalBenefit:
        return MedicalBenefit(
            deductible=deductible,
            coinsurance=share,
            out_of_pocket_maximum=maximum,
            services={
                inpatient: ServiceTerms(),
                Service.SUPPLY: ServiceTerms(),
                outpatient: free.model_copy(update={"copay": copay}),
                drug: ServiceTerms(deductible_applies=False),
            },
        )

    return {
        "deductible 50": MedicalBenefit(deductible=50),
        "deductible 150": MedicalBenefit(deductible=150),
        "deductible 200, 20 %, maximum 1000": MedicalBenefit(
            deductible=200, coinsurance=0.2, out_of_pocket_maximum=1000
        ),
        "deductible 1000": MedicalBenefit(deductible=1000, out_of_pocket_maximum=1000),
        "25 %, maximum 500": MedicalBenefit(coinsurance=0.25, out_of_pocket_maximum=500),
        "50 %, maximum 1000": MedicalBenefit(coinsurance=0.5, out_of_pocket_maximum=1000),
        "95 %, maximum 1000": MedicalBenefit(coinsurance=0.95, out_of_pocket_maximum=1000),
        "20 %, annual limit 2000": MedicalBenefit(coinsurance=0.2, annual_limit=2000),
        "inpatient, deductible 100, 10 %": MedicalBenefit(
            deductible=100, coinsurance=0.1, services={inpatient: ServiceTerms()}
        ),
        "outpatient, copay 4, limit 300": MedicalBenefit(
            services={outpatient: ServiceTerms(copay=4, limit=300)}
        ),
        "bronze": tier(200, 0.5, 500, 10),
        "silver": tier(120, 0.3, 400, 6),
        "gold": tier(40, 0.2, 300, 4),
        "platinum": tier(0, 0.1, 150, 2),
    }


@dataclass(frozen=True)
class Sums:
    """By decile of risk: paid, cost, expected paid, expected cost, squared error of the payment."""

    paid: FloatArray
    cost: FloatArray
    expected: FloatArray
    mean: FloatArray
    square: FloatArray

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            *(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True))
        )

    def overall(self) -> tuple[float, float]:
        """Actuarial value of the years re-adjudicated, and priced."""
        return float(self.paid.sum() / self.cost.sum()), float(
            self.expected.sum() / self.mean.sum()
        )

    def row(self, name: str) -> str:
        actual, priced = self.overall()
        off = 100 * (self.paid / self.cost - self.expected / self.mean)
        error = 100 * np.sqrt(self.square) / self.cost
        worst = int(np.argmax(np.abs(off)))
        overall_error = 100 * np.sqrt(self.square.sum()) / self.cost.sum()
        return (
            f"| {name} | {actual:.3f} | {priced:.3f} | **{100 * (actual - priced):+.2f}**"
            f" ({overall_error:.2f}) | {np.sum(np.abs(off) <= 2)} | {off[worst]:+.1f}"
            f" ({error[worst]:.1f}) | {np.sum(np.abs(off) > 2 + 2 * error)} |"
        )


def sums_of(benefit: MedicalBenefit, years: Years, model: PersonYears, edges: FloatArray) -> Sums:
    """Years re-adjudicated and priced on a model that never saw them."""
    curve = payments_at_knots(benefit, model, 1.0, 1.0)
    expected = np.interp(years.mean, mean_grid(model).means(), curve)
    paid = medical_paid(benefit, years.amounts, years.visits)
    decile = np.searchsorted(edges, years.mean, side="right")
    parts = (paid, years.total, expected, years.mean)
    error = years.exposure * (paid - expected / years.mean * years.total)
    return Sums(
        *(np.bincount(decile, years.exposure * part, DECILES) for part in parts),
        np.bincount(decile, error**2, DECILES),
    )


def fitted(years: Years, rows: np.ndarray) -> PersonYears:
    return fit_person_years(
        {service: values[rows] for service, values in years.amounts.items()},
        {service: values[rows] for service, values in years.visits.items()},
        (years.mean[rows], years.exposure[rows]),
        BANDS,
    )


def chosen(years: Years, rows: np.ndarray) -> Years:
    return Years(
        {service: values[rows] for service, values in years.amounts.items()},
        {service: values[rows] for service, values in years.visits.items()},
        years.mean[rows],
        years.exposure[rows],
        years.fold[rows],
    )


def edges_of(years: Years) -> FloatArray:
    """The lowest mean of each decile but the first."""
    decile = equal_exposure_bands(years.mean, years.exposure, DECILES)
    return np.array([years.mean[decile == d].min() for d in range(1, DECILES)])


def study_checks() -> Iterator[tuple[Years, PersonYears]]:
    """Each fold with the model of the other four."""
    years = study_years(read_spec(HERE.parent / "models" / "medical_spend.toml"))
    for fold in np.unique(years.fold):
        yield chosen(years, years.fold == fold), fitted(years, years.fold != fold)


def simulated_checks() -> Iterator[tuple[Years, PersonYears]]:
    """Each test block with the model of all fit blocks."""
    years = simulated_years(FIT_BLOCKS, most_repeats=REPEATS)[0]
    model = fitted(years, np.ones(len(years.mean), dtype=bool))
    del years
    for block in TEST_BLOCKS:
        yield simulated_years([block], most_repeats=REPEATS)[0], model


def accuracy(checks: Iterable[tuple[Years, PersonYears]], edges: FloatArray | None) -> list[str]:
    """One row a design."""
    found: dict[str, Sums] = {}
    pairs = list(checks) if edges is None else checks
    if edges is None:
        parts = [years for years, _ in pairs]
        joined = np.concatenate([years.mean for years in parts])
        weight = np.concatenate([years.exposure for years in parts])
        decile = equal_exposure_bands(joined, weight, DECILES)
        edges = np.array([joined[decile == d].min() for d in range(1, DECILES)])
    for years, model in pairs:
        for name, benefit in designs().items():
            sums = sums_of(benefit, years, model, edges)
            found[name] = found[name] + sums if name in found else sums
    return [sums.row(name) for name, sums in found.items()]


def plans(number: int) -> list[Plan]:
    """The richest designs as plans of one product."""
    text = Text(zh="基准", en="Benchmark")
    return [
        Plan(
            product="benchmark",
            plan=f"plan_{place}",
            effective_from=date(2026, 1, 1),
            name=text,
            summary=text,
            exclusions=text,
            how_to_claim=text,
            entry_age=AgeRange(minimum=0, maximum=60),
            benefits={"care": benefit},
        )
        for place, benefit in enumerate(list(designs().values())[-number:])
    ]


def kernel(table: BenefitTable, mean: FloatArray) -> list[np.ndarray]:
    """Every step for every plan, from the mean to cents."""
    places, trended = table.place({SPEND: mean}), LOADINGS.trend_factor * mean
    cents = []
    for plan in table.curves:
        share = np.minimum(table.expected(plan, places) / trended, 1.0)
        cents.append(premium_chain(mean, share, USE, LOADINGS).offered_cents)
    return cents


def whole_path(model: PersonYears, mean: FloatArray) -> Callable[[], object]:
    """Every step of ten plans of one tariff, to the offered premium, for members of `mean`."""
    folder = shipped("us_aca")
    medical = [plan.model_copy(update={"tariff": "medical"}) for plan in plans(10)]
    market = Market(
        Catalogue(market="us_aca", currency=Currency.USD, plans=tuple(medical)),
        read_editions(folder),
        {SPEND: model},
        USE,
        date(2025, 7, 1),
    )
    opened = open_market(market, date(2026, 1, 1))
    rng = np.random.default_rng(2)
    columns: dict[str, np.ndarray] = {"age": rng.uniform(0, 60, len(mean))}
    for table in opened.edition.tariff("medical").factors:
        if table.levels is not None:
            columns[table.factor] = rng.choice(np.array(table.levels, dtype=object), len(mean))
    members = Insured(columns, {SPEND: mean})
    rates = base_rates(opened, members, np.ones(len(mean)), np.arange(len(mean)))
    terms = dict.fromkeys(rates, Terms(payments=12))
    return lambda: price_plans(opened, members, rates, terms)


def with_pandas(table: BenefitTable, mean: FloatArray) -> list[np.ndarray]:
    """The same as columns of one long frame: members by plans, joined to the curves by knot."""
    knots = table.grids[SPEND].means()
    curves = pd.concat(
        pd.DataFrame({"plan": plan, "knot": np.arange(len(v) - 1), "low": v[:-1], "high": v[1:]})
        for plan, (curve,) in table.curves.items()
        for v in [curve.payments]
    )
    frame = pd.DataFrame({"member": np.arange(len(mean)), "mean": mean})
    frame["knot"] = np.searchsorted(knots, frame["mean"], side="right") - 1
    frame["along"] = (frame["mean"] - knots[frame["knot"]]) / np.diff(knots)[frame["knot"]]
    frame = frame.merge(curves, on="knot").sort_values(["plan", "member"])
    paid = frame["low"] + (frame["high"] - frame["low"]) * frame["along"]
    frame["share"] = np.minimum(paid / (LOADINGS.trend_factor * frame["mean"]), 1.0)
    frame["use"] = np.interp(frame["share"], USE.actuarial_values, USE.factors)
    frame["paid"] = frame["mean"] * LOADINGS.trend_factor * frame["share"] * frame["use"]
    premium = (frame["paid"] + LOADINGS.fixed_expense) / LOADINGS.permissible_loss_ratio
    frame["cents"] = np.floor(premium * 100 + 0.5).astype(int)
    return [of_plan["cents"].to_numpy() for _, of_plan in frame.groupby("plan", sort=False)]


def brute_force(model: PersonYears, benefit: MedicalBenefit, mean: FloatArray) -> FloatArray:
    """E[paid] of each member: all years of the bands next to it, adjudicated for that member."""
    weights = band_weights(model.centres, mean)
    paid = np.empty(len(mean))
    for row, one in enumerate(mean):
        counts = weights[model.band, row] * model.weight
        rows = counts > 0
        scale = LOADINGS.trend_factor * one
        amounts = {service: scale * values[rows] for service, values in model.amounts.items()}
        visits = {service: one * values[rows] for service, values in model.visits.items()}
        paid[row] = counts[rows] @ medical_paid(benefit, amounts, visits)
    return paid


def timed(work: Callable[[], object]) -> float:
    """Median CPU seconds of a few runs: the machine may be shared."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def speed() -> list[str]:
    """Microseconds a member and plan, on one core."""
    years = simulated_years(range(8), most_repeats=REPEATS)[0]
    model = fitted(years, np.ones(len(years.mean), dtype=bool))
    table = tabulate(plans(10), {SPEND: model}, {SPEND: LOADINGS.trend_factor})
    rng = np.random.default_rng(1)
    chance = years.exposure / years.exposure.sum()
    mean = rng.choice(years.mean, MEMBERS, p=chance) * rng.uniform(0.9, 1.1, MEMBERS)
    few = mean[:200]
    exact = np.array([brute_force(model, p.benefits["care"], few) for p in plans(10)])
    placed = table.place({SPEND: few})
    ours = np.array([table.expected(plan, placed) for plan in table.curves])
    apart = 100 * np.abs(ours - exact) / (LOADINGS.trend_factor * few)
    for a, b in zip(kernel(table, mean[:1000]), with_pandas(table, mean[:1000]), strict=True):
        np.testing.assert_array_equal(a, b)
    part = mean[: MEMBERS // 10]
    seconds = {
        "riskengine": timed(lambda: kernel(table, mean)) / MEMBERS,
        "riskengine, technical, filed and offered, 100,000 members": timed(whole_path(model, part))
        / len(part),
        "pandas, 100,000 members": timed(lambda: with_pandas(table, part)) / len(part),
        "re-adjudication, 200 members (benefit only)": timed(
            lambda: [brute_force(model, p.benefits["care"], few) for p in plans(10)]
        )
        / len(few),
    }
    ours_alone = seconds["riskengine"]
    whole = seconds["riskengine, technical, filed and offered, 100,000 members"]
    tabulating = timed(lambda: tabulate(plans(10), {SPEND: model}, {SPEND: 1.0}))
    return [
        f"{MEMBERS:,} members, 10 plans of services with terms of their own, from the mean to"
        f" cents; medians of {ROUNDS} rounds, CPU time of one core. Tabulating 10 plans"
        f" from {len(model.weight):,} years took {tabulating:.2f} s, once for a rate book and day."
        f" Straight lines between knots, and the levelling that keeps a higher risk from being"
        f" cheaper, move a member's actuarial value by {apart.mean():.2f} points on average,"
        f" {apart.max():.1f} at most.",
        "",
        "| side | microseconds a member and plan | times riskengine |",
        "|---|---|---|",
        *(
            f"| {name} | {1e6 * each / 10:.3f} | {each / ours_alone:,.1f} |"
            for name, each in seconds.items()
        ),
        "",
        f"Bar: at most 3 microseconds; {'met' if whole < 30e-6 else 'missed'}.",
    ]


HEADING = (
    "| design | re-adjudicated | priced | points apart (s.e.) | deciles within 2 points"
    " | worst decile (s.e.) | beyond 2 points and 2 s.e. |\n|---|---|---|---|---|---|---|"
)


def main() -> None:
    simulated = accuracy(simulated_checks(), edges_of(simulated_years(range(4))[0]))
    write_section(
        "Benefits and the pricing kernel (`make bench-pricing`)",
        [
            "Actuarial value of designs, in points of cost: person-years that the joint continuance"
            " never saw, re-adjudicated one by one, against the price from the continuance of"
            f" the others ({BANDS} risk bands). Overall, and by decile of expected cost. In"
            " brackets the standard error of the re-adjudicated side alone: what chance does to a"
            " decile's dear years.",
            "",
            "RAND study, five folds by person, pricing columns; deciles hold 2,000 person-years:",
            "",
            HEADING,
            *accuracy(study_checks(), None),
            "",
            f"Simulator, {len(FIT_BLOCKS) * 10_000:,} members to learn from and"
            f" {len(TEST_BLOCKS) * 10_000:,} others to check on, true means, low risks drawn up to"
            f" {REPEATS} times:",
            "",
            HEADING,
            *simulated,
            "",
            *speed(),
        ],
    )


if __name__ == "__main__":
    main()
