"""What the synthetic insurer is made of: the figures behind its people, illness, care and habits.

All figures are planning assumptions of this project, round and plausible, not estimates from any
insurer; the amounts are on the scale of the shipped research catalogue (dollars of the 1970s). How
cost sharing lowers use follows the order of magnitude of the RAND experiment (Newhouse 1993).
"""

from dataclasses import dataclass, field
from datetime import date

import numpy as np

from riskengine.vocabulary import Currency, FloatArray, Service

YEARS = (2023, 2024, 2025)
FIRST_DAY = date(YEARS[0], 1, 1).toordinal() - date(1970, 1, 1).toordinal()
LAST_DAY = date(YEARS[-1], 12, 31).toordinal() - date(1970, 1, 1).toordinal()
"""First and last day of cover that is simulated, in days since 1970."""

BLOCK_MEMBERS = 10_000
OLDEST = 62
"""Years of age on the first day, at most: nobody grows older than the catalogue insures."""

SERVICES = tuple(Service)


LEVELS = {"study": 1.0, "cn": 12.0, "us_aca": 30.0}
"""Times the research catalogue's amounts, by market: a year of care is about 2,300 yuan in China
and 5,700 dollars in the United States."""
AREAS = {
    "study": ("1", "2", "3", "4", "5", "6"),
    "cn": ("second_tier", "other", "first_tier"),
    "us_aca": ("area_1", "area_2", "area_3"),
}
"""The rating areas that the tariff of a market tells apart."""


@dataclass(frozen=True)
class Setting:
    """Where the synthetic insurer stands: its plans, the currency of its claims and their level.

    `level` multiplies every amount of these assumptions, `areas` names the rating areas.
    """

    plans: tuple["PlanDesign", ...]
    currency: Currency
    level: float = 1.0
    areas: tuple[str, ...] = AREAS["study"]


@dataclass(frozen=True)
class PlanDesign:
    """A plan as the simulator knows it: what the member pays of a year's cost."""

    plan: str
    deductible: float
    coinsurance: float
    out_of_pocket_maximum: float

    def member_share(self, cost: FloatArray) -> FloatArray:
        """What the member pays of an annual `cost`, in currency, any shape."""
        above = np.maximum(cost - self.deductible, 0.0)
        owed = np.minimum(cost, self.deductible) + self.coinsurance * above
        return np.minimum(owed, self.out_of_pocket_maximum)


@dataclass(frozen=True)
class Illness:
    """A chronic condition: who gets it, what it is coded as, and what it does to the use of care.

    `hazard` is per year at age 40 for an average person, times `by_decade` for each ten years of
    age. `leads_from` multiplies it once another condition is there. `codes` are of the early and
    of the late stage, which begins `years_to_late` after onset on average. `multiplier` is of the
    rate of care by service, for the late stage squared.
    """

    name: str
    hazard: float
    by_decade: float
    codes: tuple[str, str]
    multiplier: dict[Service, float]
    years_to_late: float = 6.0
    by_body_mass: float = 1.0
    by_smoking: float = 1.0
    leads_from: dict[str, float] = field(default_factory=dict)


def _care(outpatient: float, inpatient: float, drug: float) -> dict[Service, float]:
    return {
        Service.OUTPATIENT: outpatient,
        Service.INPATIENT: inpatient,
        Service.DRUG: drug,
        Service.EMERGENCY: 1 + (inpatient - 1) / 2,
    }


ILLNESSES: tuple[Illness, ...] = (
    Illness("hypertension", 0.008, 1.7, ("I10", "I11.9"), _care(1.25, 1.1, 1.6), by_body_mass=1.8),
    Illness("lipid_disorder", 0.006, 1.6, ("E78.5", "E78.2"), _care(1.1, 1.0, 1.4)),
    Illness(
        "diabetes",
        0.0028,
        1.7,
        ("E11.9", "E11.65"),
        _care(1.4, 1.4, 1.9),
        by_body_mass=2.6,
    ),
    Illness(
        "chronic_lung_disease",
        0.0025,
        1.4,
        ("J45.909", "J44.9"),
        _care(1.4, 1.5, 1.6),
        by_smoking=2.8,
    ),
    Illness("depression", 0.004, 1.05, ("F32.9", "F33.1"), _care(1.5, 1.2, 1.5)),
    Illness(
        "ischaemic_heart_disease",
        0.0012,
        2.1,
        ("I25.10", "I20.0"),
        _care(1.4, 2.2, 1.6),
        by_smoking=2.0,
        leads_from={"hypertension": 2.0, "diabetes": 1.8, "lipid_disorder": 1.5},
    ),
    Illness(
        "heart_failure",
        0.0003,
        2.2,
        ("I50.9", "I50.23"),
        _care(1.5, 2.6, 1.6),
        years_to_late=4.0,
        leads_from={"ischaemic_heart_disease": 6.0, "hypertension": 1.8},
    ),
    Illness(
        "stroke",
        0.0005,
        2.1,
        ("I63.9", "G81.90"),
        _care(1.4, 2.2, 1.3),
        years_to_late=1.0,
        by_smoking=1.7,
        leads_from={"hypertension": 2.5},
    ),
    Illness(
        "chronic_kidney_disease",
        0.0007,
        1.8,
        ("N18.30", "N18.4"),
        _care(1.4, 1.6, 1.4),
        leads_from={"diabetes": 3.5, "hypertension": 2.0},
    ),
    Illness(
        "cancer",
        0.0016,
        1.9,
        ("C50.919", "C79.51"),
        _care(2.2, 3.0, 1.8),
        years_to_late=5.0,
        by_smoking=1.6,
    ),
)
"""In an order in which each stands after those that lead to it."""

ACUTE_CODES = {
    Service.INPATIENT: ("K35.80", "J18.9", "S72.001A", "O80", "K80.00"),
    Service.OUTPATIENT: ("J06.9", "A09", "M54.50", "R51.9", "S93.401A", "J02.9"),
    Service.DRUG: ("J06.9", "J02.9", "M54.50", "R51.9"),
    Service.SUPPLY: ("S93.401A", "M54.50"),
    Service.EMERGENCY: ("S93.401A", "R07.9", "R10.9", "T78.40XA"),
    Service.PREVENTIVE: ("Z00.00", "Z23"),
}

LINES_A_YEAR = dict(zip(SERVICES, (0.055, 1.15, 0.7, 0.15, 0.13, 0.35), strict=True))
"""Claim lines a year of an average healthy person, by service."""
MEAN_AMOUNT = dict(zip(SERVICES, (900.0, 28.0, 13.0, 20.0, 38.0, 14.0), strict=True))
"""Mean allowed amount of a line, in currency."""
SPREAD = dict(zip(SERVICES, (1.15, 0.85, 0.8, 0.9, 0.8, 0.3), strict=True))
"""Standard deviation of the logarithm of an amount."""
REPORT_DELAY = dict(zip(SERVICES, (20.0, 9.0, 6.0, 15.0, 12.0, 9.0), strict=True))
"""Median days from care to report."""

VISITS_PER_LINE = 2.1
DELAY_SPREAD, LONGEST_DELAY, LONGEST_REVERSAL_DELAY = 0.8, 120, 60
REVERSED, REVERSED_WHOLE = 0.02, 2 / 3
USE_BY_MEMBER_SHARE = 0.45
"""Use of care falls by this share of the share that the member pays of an average year."""
LAPSE_A_YEAR = 0.05
OFFERED_DAYS_BEFORE = 30
MOST_CARE = 6.0
"""Times the use of a healthy person, at most, however many conditions there are."""
LOADING = 1.3
"""Premium over expected plan payments in the insurer's crude tariff."""
