"""The care people use: expected rates by service, and the claim lines that come of them."""

from dataclasses import dataclass

import numpy as np

from riskengine.sources.synthetic.assumptions import (
    ACUTE_CODES,
    DELAY_SPREAD,
    ILLNESSES,
    LINES_A_YEAR,
    LONGEST_DELAY,
    LONGEST_REVERSAL_DELAY,
    MEAN_AMOUNT,
    MOST_CARE,
    REPORT_DELAY,
    REVERSED,
    REVERSED_WHOLE,
    SERVICES,
    SPREAD,
    VISITS_PER_LINE,
)
from riskengine.sources.synthetic.population import People
from riskengine.vocabulary import AnyArray, FloatArray, IntArray, Service

_INPATIENT, _OUTPATIENT, _EMERGENCY = (
    SERVICES.index(service)
    for service in (Service.INPATIENT, Service.OUTPATIENT, Service.EMERGENCY)
)
MEAN = np.array([MEAN_AMOUNT[service] for service in SERVICES])
CODES = tuple(
    dict.fromkeys(
        [code for illness in ILLNESSES for code in illness.codes]
        + [code for service in SERVICES for code in ACUTE_CODES[service]]
    )
)
_CODE = {code: position for position, code in enumerate(CODES)}


@dataclass(frozen=True)
class Lines:
    """Claim lines, all arrays (n,): `person` and `policy` are positions, dates days since 1970."""

    person: IntArray
    policy: IntArray
    service: IntArray
    day: IntArray
    reported: IntArray
    amount: FloatArray
    visits: FloatArray
    hospital_days: FloatArray
    code: IntArray
    reverses: IntArray
    """Position of the line that a reversal takes back, -1 for all others."""


def expected_lines(people: People, day: FloatArray) -> FloatArray:
    """Claim lines a year under free care, around one day each: (n, services)."""
    age = people.age(day)
    curve = np.array([LINES_A_YEAR[service] for service in SERVICES]) * _by_age(age)[:, None]
    fertile = people.female & (age > 18) & (age < 42)
    curve[:, _INPATIENT] *= np.where(fertile, 1.7, 1.0)
    curve[:, _OUTPATIENT] *= np.where(people.female & (age > 15), 1.25, 1.0)
    stage = people.stage(day)
    factors = np.ones_like(curve)
    for column, illness in enumerate(ILLNESSES):
        for service, multiplier in illness.multiplier.items():
            factors[:, SERVICES.index(service)] *= multiplier ** stage[:, column]
    rates: FloatArray = curve * np.minimum(factors, MOST_CARE) * people.frailty[:, None]
    return rates


def _by_age(age: FloatArray) -> FloatArray:
    """Use by age against age 30: young children and the old use more."""
    young = 0.9 * np.exp(-age / 3)
    old = 0.55 * (age / 60) ** 2
    curve: FloatArray = 0.75 + young + old
    return curve


def draw_lines(
    rng: np.random.Generator,
    people: People,
    rates: FloatArray,
    policies: tuple[IntArray, IntArray, IntArray],
) -> Lines:
    """Claim lines of policies (person, first day, last day), each at its `rates`, (m, services)."""
    person, first, last = policies
    exposure = (last - first + 1) / 365.0
    counts = rng.poisson(rates * exposure[:, None])
    policy, service = (
        np.repeat(where, counts.ravel()) for where in np.indices(counts.shape).reshape(2, -1)
    )
    n = len(policy)
    day = first[policy] + np.floor(rng.random(n) * (last - first + 1)[policy]).astype(np.int64)
    spread = np.array([SPREAD[s] for s in SERVICES])[service]
    # The mean of a lognormal is exp(mu + sigma^2 / 2): the rest is its median.
    amount = MEAN[service] * np.exp(spread * rng.standard_normal(n) - spread**2 / 2)
    median = np.array([REPORT_DELAY[s] for s in SERVICES])[service]
    delay = np.floor(median * np.exp(DELAY_SPREAD * rng.standard_normal(n)))
    visits = np.where(
        service == _OUTPATIENT,
        rng.geometric(1 / VISITS_PER_LINE, n),
        np.where(service == _EMERGENCY, 1.0, np.nan),
    )
    nights = 1.0 + rng.poisson(np.minimum(amount / 140, 60))
    lines = Lines(
        person=person[policy],
        policy=policy,
        service=service,
        day=day,
        reported=day + np.minimum(delay, LONGEST_DELAY).astype(np.int64),
        amount=np.maximum(np.round(amount, 2), 0.5),
        visits=visits,
        hospital_days=np.where(service == _INPATIENT, nights, np.nan),
        code=_codes(rng, people, person[policy], service, day),
        reverses=np.full(n, -1),
    )
    return _with_reversals(rng, lines)


def _codes(
    rng: np.random.Generator, people: People, person: IntArray, service: IntArray, day: IntArray
) -> IntArray:
    """The principal diagnosis: one of the conditions there on the day, or an acute one."""
    n = len(person)
    stage = (people.onset[person] <= day[:, None]).astype(np.int64) + (
        people.late[person] <= day[:, None]
    )
    weight = np.array([i.multiplier[Service.OUTPATIENT] for i in ILLNESSES]) * (stage > 0)
    chances = np.cumsum(np.column_stack([np.full(n, 1.5), weight]), axis=1)
    picked = np.sum(chances < (rng.random(n) * chances[:, -1])[:, None], axis=1) - 1
    draw = rng.random(n)
    acute = np.empty(n, dtype=np.int64)
    for position, name in enumerate(SERVICES):
        codes = np.array([_CODE[code] for code in ACUTE_CODES[name]])
        rows = service == position
        acute[rows] = codes[np.floor(draw[rows] * len(codes)).astype(np.int64)]
    chronic = np.array([[_CODE[code] for code in illness.codes] for illness in ILLNESSES])
    which = np.maximum(picked, 0)
    of_stage = chronic[which, np.maximum(stage[np.arange(n), which] - 1, 0)]
    preventive = service == SERVICES.index(Service.PREVENTIVE)
    code: IntArray = np.where((picked < 0) | preventive, acute, of_stage)
    return code


def _with_reversals(rng: np.random.Generator, lines: Lines) -> Lines:
    """The lines, then what is taken back of some of them, wholly or by half."""
    n = len(lines.person)
    taken = np.flatnonzero(rng.random(n) < REVERSED)
    whole = rng.random(len(taken)) < REVERSED_WHOLE
    later = lines.reported[taken] + rng.integers(5, LONGEST_REVERSAL_DELAY + 1, len(taken))
    back = {
        "reported": later,
        "amount": -np.where(whole, lines.amount[taken], np.round(lines.amount[taken] / 2, 2)),
        "visits": np.where(whole, -lines.visits[taken], np.nan),
        "hospital_days": np.where(whole, -lines.hospital_days[taken], np.nan),
        "reverses": taken,
    }
    columns: dict[str, AnyArray] = {
        name: np.concatenate([column, back.get(name, column[taken])])
        for name, column in vars(lines).items()
    }
    return Lines(**columns)
