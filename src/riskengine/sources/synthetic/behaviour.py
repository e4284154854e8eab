"""What members do and what is measured of them: check-ups, app, pages, calls, steps."""

from collections.abc import Callable

import numpy as np

from riskengine.sources.synthetic.assumptions import ILLNESSES
from riskengine.sources.synthetic.choice import YearOfCover, shown_on
from riskengine.sources.synthetic.population import People
from riskengine.vocabulary import AnyArray, BoolArray, FloatArray, IntArray, Measure

Dated = dict[str, AnyArray]
_NAMES = [illness.name for illness in ILLNESSES]
KINDS = ("app_visit", "call", "check_up", "page_view", "steps")


def draw_check_ups(
    rng: np.random.Generator, people: People, years: list[YearOfCover]
) -> tuple[IntArray, IntArray]:
    """Check-ups as (person, day): more for the engaged and the ill."""
    parts = []
    for year in years:
        ill = np.sum(people.stage(year.start.astype(np.float64)) > 0, axis=1)
        rate = 0.3 * people.engagement * (1 + 0.35 * ill)
        parts.append(_spread(rng, year, np.minimum(rate, 6)))
    return _joined(parts)


def draw_events(
    rng: np.random.Generator,
    people: People,
    years: list[YearOfCover],
    check_ups: tuple[IntArray, IntArray],
    plans: int,
) -> Dated:
    """Events by `person`, `day`, `known`, `kind` (of `KINDS`), `plan` (-1 none) and `quantity`."""
    parts = [_event(*check_ups, "check_up")]
    for year in years:
        parts.append(_event(*_spread(rng, year, 2.3 * people.engagement), "app_visit"))
        person, day = _spread(rng, year, np.full(people.size, 0.4))
        parts.append(
            _event(person, day, "call", quantity=rng.poisson(6, len(person)).astype(np.float64) + 1)
        )
        parts.append(_page_views(rng, people, year, plans))
        parts.append(_steps(rng, people, year))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _page_views(rng: np.random.Generator, people: People, year: YearOfCover, plans: int) -> Dated:
    """Pages seen in the two months before an offer, mostly about the plan leaned to."""
    counts = rng.poisson(0.5 + 0.9 * people.engagement) * year.offered
    person = np.repeat(np.arange(people.size), counts)
    day = shown_on(year)[person] - rng.integers(1, 60, len(person))
    leans = rng.random(len(person)) < 0.75
    plan = np.where(leans, year.leaning[person], rng.integers(0, plans, len(person)))
    seen = day > people.birth[person]
    return _event(person[seen], day[seen], "page_view", plan=plan[seen])


def _steps(rng: np.random.Generator, people: People, year: YearOfCover) -> Dated:
    """Mean steps a day of each covered month of those who wear a device."""
    months = np.arange(12)
    day = (year.end - 364) + months * 30 + 29
    worn = (people.wearable & year.covered)[:, None] & (day >= year.start[:, None])
    person, month = np.nonzero(worn)
    level = 7500 * people.engagement**0.15 / people.frailty**0.12
    steps = np.clip(level[person] * rng.lognormal(0, 0.25, len(person)), 0, 60000).round(0)
    known = day[month] + rng.integers(0, 6, len(person))
    return _event(person, day[month], "steps", known=known, quantity=steps)


def draw_measurements(
    rng: np.random.Generator,
    people: People,
    check_ups: tuple[IntArray, IntArray],
    measures: tuple[Measure, ...],
) -> Dated:
    """Measurements of check-ups and of joining: `person`, `day`, `known`, `measure`, `value`."""
    person, day = check_ups
    known = day + rng.integers(0, 8, len(person))
    parts = [
        _measured(measures.index(measure), person, day, known, value(rng, people, person, day))
        for measure, value in _AT_CHECK_UP.items()
    ]
    everyone = np.arange(people.size)
    joining = people.joined - 1
    health = 100 - 22 * people.frailty**0.5 - 0.25 * people.age(joining)
    mind = 78 - 6 * people.frailty**0.5
    at_joining = {
        Measure.HOUSEHOLD_SIZE: people.household.astype(np.float64),
        Measure.GENERAL_HEALTH_INDEX: np.clip(rng.normal(health, 8), 0, 100),
        Measure.MENTAL_HEALTH_INDEX: np.clip(rng.normal(mind, 10), 0, 100),
    }
    parts += [
        _measured(measures.index(measure), everyone, joining, joining, value)
        for measure, value in at_joining.items()
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


Value = Callable[[np.random.Generator, People, IntArray, IntArray], FloatArray]


def _years_with(people: People, illness: str, person: IntArray, day: IntArray) -> FloatArray:
    onset = people.onset[person, _NAMES.index(illness)]
    years: FloatArray = np.maximum(day - onset, 0.0) / 365.25
    return years


def _body_mass(
    rng: np.random.Generator, people: People, person: IntArray, day: IntArray
) -> FloatArray:
    drift = 0.15 * (day - people.joined[person]) / 365.25
    return people.body_mass[person] + drift + rng.normal(0, 0.4, len(person))


def _glycated(
    rng: np.random.Generator, people: People, person: IntArray, day: IntArray
) -> FloatArray:
    years = _years_with(people, "diabetes", person, day)
    ill = years > 0
    level: FloatArray = 5.3 + 1.4 * ill + 0.12 * np.minimum(years, 15)
    return np.clip(level + rng.normal(0, 0.3, len(person)), 3, 18)


def _systolic(
    rng: np.random.Generator, people: People, person: IntArray, day: IntArray
) -> FloatArray:
    ill = _years_with(people, "hypertension", person, day) > 0
    age = (day - people.birth[person]) / 365.25
    level: FloatArray = 104 + 0.35 * age + 16 * ill
    return np.clip(level + rng.normal(0, 8, len(person)), 60, 250)


def _cholesterol(
    rng: np.random.Generator, people: People, person: IntArray, day: IntArray
) -> FloatArray:
    ill = _years_with(people, "lipid_disorder", person, day) > 0
    level: FloatArray = 4.6 + 1.3 * ill + rng.normal(0, 0.6, len(person))
    return np.clip(level, 1.5, 15)


def _smokes(
    _rng: np.random.Generator,
    people: People,
    person: IntArray,
    _day: IntArray,
) -> FloatArray:
    return people.smoker[person].astype(np.float64)


_AT_CHECK_UP: dict[Measure, Value] = {
    Measure.BODY_MASS_INDEX: _body_mass,
    Measure.GLYCATED_HAEMOGLOBIN: _glycated,
    Measure.SYSTOLIC_PRESSURE: _systolic,
    Measure.TOTAL_CHOLESTEROL: _cholesterol,
    Measure.SMOKER: _smokes,
}


def _spread(
    rng: np.random.Generator, year: YearOfCover, rate: FloatArray
) -> tuple[IntArray, IntArray]:
    """Poisson many days of each covered member inside the year's cover: (person, day)."""
    length = np.where(year.covered, year.end - year.start + 1, 0)
    counts = rng.poisson(rate * length / 365)
    person = np.repeat(np.arange(len(length)), counts)
    offset = np.floor(rng.random(len(person)) * length[person]).astype(np.int64)
    return person, year.start[person] + offset


def _joined(parts: list[tuple[IntArray, IntArray]]) -> tuple[IntArray, IntArray]:
    return np.concatenate([p for p, _ in parts]), np.concatenate([d for _, d in parts])


def _event(
    person: IntArray,
    day: IntArray,
    kind: str,
    known: IntArray | None = None,
    plan: IntArray | None = None,
    quantity: FloatArray | None = None,
) -> Dated:
    n = len(person)
    return {
        "person": person,
        "day": day,
        "known": day if known is None else known,
        "kind": np.full(n, KINDS.index(kind)),
        "plan": np.full(n, -1) if plan is None else plan,
        "quantity": np.full(n, np.nan) if quantity is None else quantity,
    }


def _measured(
    measure: int, person: IntArray, day: IntArray, known: IntArray, value: FloatArray
) -> Dated:
    n = len(person)
    return {
        "person": person,
        "day": day,
        "known": known,
        "measure": np.full(n, measure),
        "value": np.round(value, 2),
    }


def in_order(dated: Dated, keep: BoolArray) -> Dated:
    """Rows of `keep`ed people, by person and day."""
    rows = np.flatnonzero(keep[dated["person"]])
    order = rows[np.lexsort((dated["day"][rows], dated["person"][rows]))]
    return {name: column[order] for name, column in dated.items()}
