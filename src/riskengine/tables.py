"""The tables that cross a stage, by name: their columns, keys and dates.

What a query of the tables needs and nothing more: what their values must be, with all that checks
it, is in `riskengine.contracts`.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as arrow
import pyarrow.compute as pc

from riskengine.vocabulary import AnyArray, BoolArray, Text

Tables: TypeAlias = dict[str, arrow.Table]
COLUMNS: dict[str, dict[str, str]] = {
    "members": {
        "member_id": "string",
        "birth_date": "date",
        "sex": "string",
        "rating_area": "string",
        "education_years": "float64",
        "household_income": "float64",
        "self_rated_health": "string",
        "known_on": "date",
    },
    "policies": {
        "policy_id": "string",
        "member_id": "string",
        "plan_design": "string",
        "coinsurance": "float64",
        "out_of_pocket_maximum": "float64",
        "individual_deductible": "float64",
        "start_date": "date",
        "end_date": "date",
        "exposure": "float64",
        "known_on": "date",
    },
    "claims": {
        "claim_id": "string",
        "member_id": "string",
        "policy_id": "string",
        "service": "string",
        "service_date": "date",
        "reported_on": "date",
        "allowed_amount": "float64",
        "currency": "string",
        "visit_count": "float64",
        "hospital_days": "float64",
        "reversal_of": "string",
    },
    "diagnoses": {
        "claim_id": "string",
        "member_id": "string",
        "icd10": "string",
        "diagnosed_on": "date",
        "known_on": "date",
    },
    "measurements": {
        "member_id": "string",
        "measure": "string",
        "value": "float64",
        "measured_on": "date",
        "known_on": "date",
    },
    "events": {
        "event_id": "string",
        "member_id": "string",
        "kind": "string",
        "plan": "string",
        "quantity": "float64",
        "occurred_on": "date",
        "known_on": "date",
    },
    "offers": {
        "offer_id": "string",
        "member_id": "string",
        "plan": "string",
        "position": "float64",
        "offered_premium": "float64",
        "propensity": "float64",
        "chosen": "float64",
        "shown_on": "date",
        "known_on": "date",
    },
}
"""The columns of all tables and their types, by Ibis's names, each table after those it refers to.

The same as in `riskengine.contracts`; a test holds them together.
"""

TITLES = {
    "members": Text(zh="成员", en="Members"),
    "policies": Text(zh="保单", en="Policies"),
    "claims": Text(zh="赔案", en="Claims"),
    "diagnoses": Text(zh="诊断", en="Diagnoses"),
    "measurements": Text(zh="测量", en="Measurements"),
    "events": Text(zh="行为事件", en="Events"),
    "offers": Text(zh="报价展示", en="Offers"),
}
OPTIONAL = frozenset({"diagnoses", "measurements", "events", "offers"})
"""Tables an insurer may not have; the others must be there."""

PRIMARY_KEYS = {
    "members": "member_id",
    "policies": "policy_id",
    "claims": "claim_id",
    "events": "event_id",
    "offers": "offer_id",
}
FOREIGN_KEYS = {
    "policies": {"member_id": "members"},
    "claims": {"member_id": "members", "policy_id": "policies", "reversal_of": "claims"},
    "diagnoses": {"member_id": "members", "claim_id": "claims"},
    "measurements": {"member_id": "members"},
    "events": {"member_id": "members"},
    "offers": {"member_id": "members"},
}
HAPPENED = {
    "members": "birth_date",
    "policies": "start_date",
    "claims": "service_date",
    "diagnoses": "diagnosed_on",
    "measurements": "measured_on",
    "events": "occurred_on",
    "offers": "shown_on",
}
"""The date on which a row's fact happened: not before the member's birth."""


def text_objects(values: arrow.Array | arrow.ChunkedArray) -> AnyArray:
    """Text (n,) as objects, None where it is missing; equal texts are one object.

    So comparing them, and asking whether a set has them, is comparing addresses.
    """
    if isinstance(values, arrow.ChunkedArray):
        values = values.combine_chunks()
    coded = values.cast(arrow.string()).dictionary_encode()
    known = np.array([*coded.dictionary.to_pylist(), None], dtype=object)
    found: AnyArray = known[pc.fill_null(coded.indices, len(known) - 1).to_numpy()]
    return found


def among(values: AnyArray, levels: Sequence[str]) -> BoolArray:
    """Which values (n,), objects, are one of the levels; a set is quicker than numpy's search."""
    known, given = frozenset(levels), values.tolist()
    if known.issuperset(given):
        return np.ones(len(given), dtype=bool)
    return np.array([one in known for one in given], dtype=bool)


def is_number(kind: arrow.DataType) -> bool:
    """Whether an Arrow type can hold a number; a column of nulls can."""
    return bool(
        arrow.types.is_floating(kind)
        or arrow.types.is_integer(kind)
        or arrow.types.is_decimal(kind)
        or arrow.types.is_null(kind)
    )


def is_text(kind: arrow.DataType) -> bool:
    """Whether an Arrow type can hold text, plain or dictionary-coded; a column of nulls can."""
    if arrow.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        arrow.types.is_string(kind)
        or arrow.types.is_large_string(kind)
        or arrow.types.is_string_view(kind)
        or arrow.types.is_null(kind)
    )
