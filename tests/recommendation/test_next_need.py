"""Labels of events within 12 months by hand, and probabilities of a small trained model."""

from datetime import date

import numpy as np
import pyarrow as arrow
import pytest

from riskengine.errors import SpecError, TableError
from riskengine.products.suitability import Need
from riskengine.recommendation.next_need import (
    NeedEvent,
    label_needs,
    need_probabilities,
)
from riskengine.risk.fit import fit
from riskengine.risk.spec import Kind
from riskengine.tables import Tables
from tests.risk.books import book, spec

AS_OF, UNTIL = date(2024, 1, 1), date(2025, 3, 31)
CHRONIC, FURTHER, STAY = NeedEvent
DIAGNOSES = [
    ("early", "E11.9", date(2023, 5, 1), date(2023, 5, 9)),
    ("early", "I10", date(2024, 6, 1), date(2024, 6, 9)),
    ("early", "E11.65", date(2024, 7, 1), date(2024, 7, 9)),
    ("first", "I10", date(2024, 12, 30), date(2025, 1, 9)),
    ("late", "I10", date(2024, 12, 31), date(2025, 1, 9)),
    ("acute", "J06.9", date(2024, 6, 1), date(2024, 6, 9)),
    ("unknown", "I10", date(2023, 12, 20), date(2024, 1, 9)),
    ("reversed", "I10", date(2024, 6, 1), date(2024, 6, 9)),
    ("lapsed", "I10", date(2024, 6, 1), date(2024, 6, 9)),
]
MEMBERS = [*dict.fromkeys(row[0] for row in DIAGNOSES), "well"]


def tables() -> Tables:
    """Each diagnosis is of an inpatient line; one line is taken back, one member lapses."""
    lines = [
        {"claim_id": f"c{n}", "member_id": who, "service": "inpatient", "service_date": on,
         "reported_on": known, "allowed_amount": 100.0, "reversal_of": None}
        for n, (who, _, on, known) in enumerate(DIAGNOSES)
    ]  # fmt: skip
    lines.append({**lines[7], "claim_id": "back", "allowed_amount": -100.0, "reversal_of": "c7"})
    two = [("", date(2024, 8, 31)), ("b", date(2025, 12, 31))]
    return {
        "claims": arrow.Table.from_pylist(lines),
        "diagnoses": arrow.Table.from_pylist(
            [
                {
                    "claim_id": f"c{n}",
                    "member_id": who,
                    "icd10": code,
                    "diagnosed_on": on,
                    "known_on": known,
                }
                for n, (who, code, on, known) in enumerate(DIAGNOSES)
            ]
        ),
        "policies": arrow.Table.from_pylist(
            [
                {
                    "member_id": who,
                    "end_date": end,
                    "start_date": date(2024, 9, 1) if half else date(2023, 1, 1),
                }
                for who in MEMBERS
                for half, end in two
                if not (half and who == "lapsed")
            ]
        ),
    }


def spine(*days: date) -> arrow.Table:
    pairs = [(who, day) for day in days for who in MEMBERS]
    return arrow.table({"member_id": [who for who, _ in pairs], "as_of": [day for _, day in pairs]})


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (CHRONIC, {"first": 1, "late": 0, "acute": 0, "unknown": 0, "reversed": 0, "well": 0}),
        (FURTHER, {"early": 1}),
        (
            STAY,
            {"first": 1, "late": 0, "acute": 1, "unknown": 0, "reversed": 0, "well": 0},
        ),
    ],
)
def test_labels_by_hand(event: NeedEvent, expected: dict[str, int]) -> None:
    """365 days from 1 January 2024 end on 30 December; what was not known on the day is not."""
    found = label_needs(tables(), spine(AS_OF), event, UNTIL)
    assert dict(
        zip(found["member_id"].to_pylist(), found["happened"].to_pylist(), strict=True)
    ) == (expected)
    assert found.schema.field("as_of").type == arrow.date32()


def test_a_year_that_is_not_observed_as_a_whole_is_not_labelled() -> None:
    both = spine(AS_OF, date(2024, 6, 1))
    found = label_needs(tables(), both, CHRONIC, UNTIL)
    assert set(found["as_of"].to_pylist()) == {AS_OF}
    until = date(2024, 12, 30)
    assert label_needs(tables(), spine(AS_OF), CHRONIC, until).num_rows == 6
    with pytest.raises(TableError, match="no row of the spine can be labelled with first_chronic"):
        label_needs(tables(), spine(AS_OF), CHRONIC, date(2024, 12, 29))


def test_labels_of_the_synthetic_insurer_join_to_profiles(synthetic: Tables) -> None:
    members = synthetic["members"]["member_id"]
    days = arrow.array([date(2024, 1, 1)] * len(members))
    frame = arrow.table({"member_id": members, "as_of": days})
    found = label_needs(synthetic, frame, STAY, date(2025, 6, 30))
    labels = found["happened"].to_numpy()
    assert set(labels) == {0.0, 1.0}
    assert 0.01 < labels.mean() < 0.2


def test_probabilities_come_from_binary_models_alone() -> None:
    table = book(400)
    model = fit(spec(Kind.BINARY), table)
    found = need_probabilities({Need.HOSPITAL_BILLS: model}, table)
    chance = found[Need.HOSPITAL_BILLS]
    assert chance.shape == (400,)
    assert ((chance > 0) & (chance < 1)).all()
    assert chance.mean() == pytest.approx(np.mean(table["admitted"].to_numpy()), abs=0.03)
    counted = fit(spec(Kind.POISSON), table)
    with pytest.raises(SpecError, match="the model of accidents is of kind poisson"):
        need_probabilities({Need.ACCIDENTS: counted}, table)
