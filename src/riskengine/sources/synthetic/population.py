"""The people of one block: who they are, how frail, and when each chronic condition begins."""

from dataclasses import dataclass

import numpy as np

from riskengine.sources.synthetic.assumptions import (
    BLOCK_MEMBERS,
    FIRST_DAY,
    ILLNESSES,
    LAST_DAY,
    OFFERED_DAYS_BEFORE,
    OLDEST,
)
from riskengine.vocabulary import BoolArray, FloatArray, IntArray

_LIFE = 72
"""Years of age up to which illness is followed."""


@dataclass(frozen=True)
class People:
    """One block of members, all arrays (n,); dates are days since 1970.

    `frailty` (mean 1), `engagement` (mean 1) and `price_sensitivity` are the hidden truth behind
    what the tables show; `onset` and `late` are (n, illnesses) days, infinite if never.
    """

    number: IntArray
    birth: IntArray
    female: BoolArray
    area: IntArray
    education: FloatArray
    income: FloatArray
    household: IntArray
    body_mass: FloatArray
    smoker: BoolArray
    wearable: BoolArray
    frailty: FloatArray
    engagement: FloatArray
    price_sensitivity: FloatArray
    joined: IntArray
    onset: FloatArray
    late: FloatArray

    @property
    def size(self) -> int:
        return len(self.number)

    def age(self, day: FloatArray | IntArray | float) -> FloatArray:
        """Age in years on a day, or on one day each."""
        return (np.asarray(day, dtype=np.float64) - self.birth) / 365.25

    def stage(self, day: FloatArray) -> IntArray:
        """Stage of each illness on one day each: 0 none, 1 early, 2 late; (n, illnesses)."""
        on = day[:, None]
        stages: IntArray = (self.onset <= on).astype(np.int64) + (self.late <= on)
        return stages


def draw_people(rng: np.random.Generator, block: int) -> People:
    """All members of block number `block`."""
    n = BLOCK_MEMBERS
    age = rng.uniform(0.2, OLDEST, n)
    joins_later = rng.random(n) < 0.3
    later = rng.integers(FIRST_DAY + 1, LAST_DAY - 60, n)
    female = rng.random(n) < 0.51
    smoker = (rng.random(n) < 0.24) & (age > 16)
    growth = np.minimum(age, 20) / 20
    body_mass = np.clip(rng.normal(15 + 9.5 * growth + 0.05 * age, 3.6), 12, 60)
    frailty = np.maximum(rng.gamma(1.4, 1 / 1.4, n), 0.01)
    birth = np.floor(FIRST_DAY - age * 365.25).astype(np.int64) - OFFERED_DAYS_BEFORE
    onset, late = _illness(rng, birth, frailty, body_mass, smoker)
    return People(
        number=np.arange(block * n, (block + 1) * n) + 1,
        birth=birth,
        female=female,
        area=rng.integers(1, 7, n),
        education=np.clip(np.round(rng.normal(12, 3, n)), 0, 25),
        income=np.clip(rng.lognormal(9.05, 0.5, n), 500, 30000).round(0),
        household=np.clip(rng.poisson(2.2, n) + 1, 1, 14),
        body_mass=body_mass,
        smoker=smoker,
        wearable=(rng.random(n) < 0.35) & (age > 12),
        frailty=frailty,
        engagement=rng.gamma(1.5, 1 / 1.5, n),
        price_sensitivity=rng.lognormal(0.2, 0.5, n),
        joined=np.where(joins_later, later, FIRST_DAY),
        onset=onset,
        late=late,
    )


def _illness(
    rng: np.random.Generator,
    birth: IntArray,
    frailty: FloatArray,
    body_mass: FloatArray,
    smoker: BoolArray,
) -> tuple[FloatArray, FloatArray]:
    """Onset and late stage of every illness, from hazards by year of age."""
    n = len(birth)
    ages = np.arange(_LIFE)
    names = [illness.name for illness in ILLNESSES]
    onset_age = np.full((n, len(names)), np.inf)
    late = np.empty((n, len(names)))
    heavy = np.clip((body_mass - 25) / 10, 0, 2)
    for column, illness in enumerate(ILLNESSES):
        person = frailty**0.6 * illness.by_body_mass**heavy * illness.by_smoking**smoker
        by_age = illness.hazard * illness.by_decade ** ((ages - 40) / 10)
        hazard = person[:, None] * by_age
        for cause, factor in illness.leads_from.items():
            hazard *= np.where(ages > onset_age[:, [names.index(cause)]], factor, 1.0)
        risk = np.cumsum(hazard, axis=1)
        reached = risk > rng.exponential(size=n)[:, None]
        year = np.argmax(reached, axis=1)
        onset_age[:, column] = np.where(reached[:, -1], year + rng.random(n), np.inf)
        late[:, column] = onset_age[:, column] + rng.exponential(illness.years_to_late, n)
    days = birth[:, None]
    return np.floor(days + onset_age * 365.25), np.floor(days + late * 365.25)
