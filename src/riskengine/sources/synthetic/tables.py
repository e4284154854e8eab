"""One block of the synthetic insurer as tables of the contracts, and its truth apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as arrow
import pyarrow.compute as pc

from riskengine.sources.synthetic.assumptions import (
    BLOCK_MEMBERS,
    ILLNESSES,
    LAST_DAY,
    SERVICES,
    PlanDesign,
)
from riskengine.sources.synthetic.behaviour import (
    KINDS,
    Dated,
    draw_check_ups,
    draw_events,
    draw_measurements,
    in_order,
)
from riskengine.sources.synthetic.care import CODES, MEAN, Lines, draw_lines, expected_lines
from riskengine.sources.synthetic.choice import YearOfCover, draw_years, shown_on, use_of_care
from riskengine.sources.synthetic.population import People, draw_people
from riskengine.tables import Tables
from riskengine.vocabulary import (
    AnyArray,
    BoolArray,
    Currency,
    FloatArray,
    IntArray,
    Measure,
    SelfRatedHealth,
    Sex,
)

_FIRST_YEAR_AFTER = float(LAST_DAY + 183)
"""The middle of the year after the last day: expected spend is as of then."""


@dataclass(frozen=True)
class Block:
    """The members of one block that are wanted, and what is needed to name their facts."""

    people: People
    years: list[YearOfCover]
    plans: tuple[PlanDesign, ...]
    keep: BoolArray

    @property
    def member_id(self) -> arrow.Array:
        return _identifier("m", self.people.number)

    @property
    def wanted(self) -> IntArray:
        return np.flatnonzero(self.keep)


def draw_block(
    seed: int, number: int, members: int, plans: tuple[PlanDesign, ...], currency: Currency
) -> Tables:
    """All tables of block `number`, cut to the first `members` members, with `truth`."""
    rng = np.random.default_rng([seed, number])
    people = draw_people(rng, number)
    years = draw_years(rng, people, plans)
    keep = np.arange(BLOCK_MEMBERS) < members - number * BLOCK_MEMBERS
    block = Block(people, years, plans, keep)
    lines = _draw_care(rng, block)
    check_ups = draw_check_ups(rng, people, years)
    events = draw_events(rng, people, years, check_ups, len(plans))
    measurements = draw_measurements(rng, people, check_ups, tuple(Measure))
    kept_lines = _lines_in_order(lines, keep)
    return {
        "members": _members(block, rng),
        "policies": _policies(block),
        "claims": _claims(block, kept_lines, currency),
        "diagnoses": _diagnoses(block, kept_lines),
        "measurements": _measurements(block, in_order(measurements, keep)),
        "events": _events(block, in_order(events, keep)),
        "offers": _offers(block),
        "truth": _truth(block),
    }


def _draw_care(rng: np.random.Generator, block: Block) -> Lines:
    """Claim lines of all policies, numbered year by year and member by member."""
    person, first, last, rates = [], [], [], []
    for year in block.years:
        covered = np.flatnonzero(year.covered)
        middle = (year.start + year.end) / 2
        use = use_of_care(block.plans)[year.chosen[covered]]
        person.append(covered)
        first.append(year.start[covered])
        last.append(np.full(len(covered), year.end))
        rates.append(expected_lines(block.people, middle)[covered] * use[:, None])
    policies = (np.concatenate(person), np.concatenate(first), np.concatenate(last))
    return draw_lines(rng, block.people, np.concatenate(rates), policies)


def _lines_in_order(lines: Lines, keep: BoolArray) -> Lines:
    """Lines of `keep`ed people by person, each reversal after all lines; `reverses` follows."""
    order = np.lexsort((lines.day, lines.person, lines.reverses >= 0))
    order = order[keep[lines.person[order]]]
    moved = np.full(len(lines.person), -1)
    moved[order] = np.arange(len(order))
    columns: dict[str, AnyArray] = {name: column[order] for name, column in vars(lines).items()}
    columns["reverses"] = np.where(columns["reverses"] < 0, -1, moved[columns["reverses"]])
    return Lines(**columns)


def _members(block: Block, rng: np.random.Generator) -> arrow.Table:
    people, rows = block.people, block.wanted
    felt = people.frailty + rng.normal(0, 0.5, people.size)
    health = np.digitize(felt, [0.6, 1.3, 2.4])
    told = rng.random(people.size) < 0.8
    said = _level(health, tuple(SelfRatedHealth))
    rated = pc.if_else(arrow.array(told), said, arrow.scalar(None, arrow.string()))
    table = arrow.table(
        {
            "member_id": block.member_id,
            "birth_date": _dates(people.birth),
            "sex": _level(people.female.astype(np.int64), (Sex.MALE, Sex.FEMALE)),
            "rating_area": arrow.array(people.area).cast(arrow.string()),
            "education_years": _floats(people.education),
            "household_income": _floats(
                np.where(rng.random(people.size) < 0.9, people.income, np.nan)
            ),
            "self_rated_health": rated,
            "known_on": _dates(people.joined - 31),
        }
    )
    return table.take(arrow.array(rows))


def _policies(block: Block) -> arrow.Table:
    parts = []
    for year in block.years:
        rows = np.flatnonzero(block.keep & year.covered)
        plan = year.chosen[rows]
        start = year.start[rows]
        days = year.end - start + 1
        parts.append(
            arrow.table(
                {
                    "policy_id": _identifier(
                        "p", block.people.number[rows], np.full(len(rows), year.year)
                    ),
                    "member_id": block.member_id.take(arrow.array(rows)),
                    "plan_design": _level(plan, [p.plan for p in block.plans]),
                    "coinsurance": _of_plan(plan, [p.coinsurance for p in block.plans]),
                    "out_of_pocket_maximum": _of_plan(
                        plan, [p.out_of_pocket_maximum for p in block.plans]
                    ),
                    "individual_deductible": _of_plan(
                        plan, [float(p.deductible > 0) for p in block.plans]
                    ),
                    "start_date": _dates(start),
                    "end_date": _dates(np.full(len(rows), year.end)),
                    "exposure": _floats(days / _length(year)),
                    "known_on": _dates(start - 1),
                }
            )
        )
    return arrow.concat_tables(parts)


def _claims(block: Block, lines: Lines, currency: Currency) -> arrow.Table:
    claim_id = _claim_ids(block, lines)
    reverses = arrow.array(np.maximum(lines.reverses, 0))
    taken_back = claim_id.take(reverses) if len(claim_id) else claim_id
    years = np.array([year.year for year in block.years])
    ends = np.array([year.end for year in block.years])
    year = years[np.searchsorted(ends, lines.day)]
    return arrow.table(
        {
            "claim_id": claim_id,
            "member_id": block.member_id.take(arrow.array(lines.person)),
            "policy_id": _identifier("p", block.people.number[lines.person], year),
            "service": _level(lines.service, SERVICES),
            "service_date": _dates(lines.day),
            "reported_on": _dates(lines.reported),
            "allowed_amount": _floats(lines.amount),
            "currency": arrow.array([currency.value] * len(lines.person), arrow.string()),
            "visit_count": _floats(lines.visits),
            "hospital_days": _floats(lines.hospital_days),
            "reversal_of": pc.if_else(
                arrow.array(lines.reverses >= 0), taken_back, arrow.scalar(None, arrow.string())
            ),
        }
    )


def _claim_ids(block: Block, lines: Lines) -> arrow.Array:
    """A line's member and its place among the member's lines; a reversal's names its line."""
    plain = lines.reverses < 0
    place = np.where(plain, _place_within(lines.person, plain), 0)
    place = np.where(plain, place, place[np.maximum(lines.reverses, 0)])
    name = _identifier("c", block.people.number[lines.person], place)
    mark = arrow.array(np.where(plain, "", "-r"), arrow.string())
    return pc.binary_join_element_wise(name, mark, "")


def _diagnoses(block: Block, lines: Lines) -> arrow.Table:
    rows = arrow.array(np.flatnonzero(lines.reverses < 0))
    table = arrow.table(
        {
            "claim_id": _claim_ids(block, lines),
            "member_id": block.member_id.take(arrow.array(lines.person)),
            "icd10": _level(lines.code, CODES),
            "diagnosed_on": _dates(lines.day),
            "known_on": _dates(lines.reported),
        }
    )
    return table.take(rows)


def _measurements(block: Block, dated: Dated) -> arrow.Table:
    return arrow.table(
        {
            "member_id": block.member_id.take(arrow.array(dated["person"])),
            "measure": _level(dated["measure"], tuple(Measure)),
            "value": _floats(dated["value"]),
            "measured_on": _dates(dated["day"]),
            "known_on": _dates(dated["known"]),
        }
    )


def _events(block: Block, dated: Dated) -> arrow.Table:
    person = dated["person"]
    place = _place_within(person, np.ones(len(person), dtype=bool))
    plan = np.maximum(dated["plan"], 0)
    return arrow.table(
        {
            "event_id": _identifier("e", block.people.number[person], place),
            "member_id": block.member_id.take(arrow.array(person)),
            "kind": _level(dated["kind"], KINDS),
            "plan": pc.if_else(
                arrow.array(dated["plan"] >= 0),
                _level(plan, [p.plan for p in block.plans]),
                arrow.scalar(None, arrow.string()),
            ),
            "quantity": _floats(dated["quantity"]),
            "occurred_on": _dates(dated["day"]),
            "known_on": _dates(dated["known"]),
        }
    )


def _offers(block: Block) -> arrow.Table:
    names = [plan.plan for plan in block.plans]
    lists = float(np.prod(np.arange(1, len(names) + 1)))
    parts = []
    for year in block.years:
        rows = np.flatnonzero(block.keep & year.offered)
        person, plan = np.repeat(rows, len(names)), np.tile(np.arange(len(names)), len(rows))
        shown = _dates(shown_on(year)[person])
        number = block.people.number[person]
        listed = _identifier("o", number, np.full(len(person), year.year))
        parts.append(
            arrow.table(
                {
                    "offer_id": pc.binary_join_element_wise(listed, _level(plan, names), "-"),
                    "member_id": block.member_id.take(arrow.array(person)),
                    "plan": _level(plan, names),
                    "position": _floats(year.place[person, plan].astype(np.float64)),
                    "offered_premium": _floats(year.premium[person, plan]),
                    "propensity": _floats(np.full(len(person), 1 / lists)),
                    "chosen": _floats((year.chosen[person] == plan).astype(np.float64)),
                    "shown_on": shown,
                    "known_on": shown,
                }
            )
        )
    return arrow.concat_tables(parts)


def _truth(block: Block) -> arrow.Table:
    people = block.people
    after = np.full(people.size, _FIRST_YEAR_AFTER)
    lines = expected_lines(people, after)
    columns = {
        "member_id": block.member_id,
        "truth_frailty": _floats(people.frailty),
        "truth_engagement": _floats(people.engagement),
        "truth_price_sensitivity": _floats(people.price_sensitivity),
        "truth_expected_annual_spend": _floats(lines @ MEAN),
        "truth_expected_annual_claim_lines": _floats(lines.sum(axis=1)),
    }
    for column, illness in enumerate(ILLNESSES):
        columns[f"truth_onset_{illness.name}"] = _dates(people.onset[:, column])
    return arrow.table(columns).take(arrow.array(block.wanted))


def _length(year: YearOfCover) -> int:
    return 366 if year.year % 4 == 0 else 365


def _place_within(person: IntArray, counted: BoolArray) -> IntArray:
    """The number of each counted row among its person's, from 1; rows are in order of person."""
    running = np.cumsum(counted)
    first = np.searchsorted(person[counted], person)
    place: IntArray = running - first
    return place


def _identifier(letter: str, *numbers: IntArray) -> arrow.Array:
    texts = [arrow.array(number).cast(arrow.string()) for number in numbers]
    joined = pc.binary_join_element_wise(*texts, "-") if len(texts) > 1 else texts[0]
    return pc.binary_join_element_wise(arrow.scalar(letter), joined, "")


def _level(positions: IntArray, names: Sequence[str]) -> arrow.Array:
    coded = arrow.DictionaryArray.from_arrays(
        arrow.array(positions, arrow.int32()), arrow.array([str(name) for name in names])
    )
    return coded.cast(arrow.string())


def _of_plan(plan: IntArray, values: Sequence[float]) -> arrow.Array:
    """A number of each row's plan; an infinite one, such as no maximum, is missing."""
    numbers = np.array(values, dtype=np.float64)[plan]
    return _floats(np.where(np.isinf(numbers), np.nan, numbers))


def _floats(values: FloatArray) -> arrow.Array:
    return arrow.array(values, arrow.float64(), from_pandas=True)


def _dates(days: IntArray | FloatArray) -> arrow.Array:
    """Days since 1970 as dates; infinite is none."""
    known = np.isfinite(days)
    whole = np.where(known, days, 0).astype(np.int32)
    return arrow.array(whole, arrow.int32(), mask=~known).cast(arrow.date32())
