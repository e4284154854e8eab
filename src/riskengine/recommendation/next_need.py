"""Which needs are likely to arise within 12 months: labels to learn them from, and probabilities.

An event that creates a need (a first chronic diagnosis, a further one, a first stay in hospital) is
labelled for members and days from claims and diagnoses. The labels join to profiles by their keys
and train a spec of kind `binary` (`riskengine train`), whose probabilities are calibrated and
gated as those of any risk model. Left out: events that no table tells, such as a marriage.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum

import numpy as np
import pandas as pd
import pyarrow as arrow

from riskengine.errors import SpecError, TableError
from riskengine.products.suitability import Need
from riskengine.profiles.conditions import CONDITIONS, conditions_of
from riskengine.risk.model import Frame, RiskModel
from riskengine.risk.spec import Kind
from riskengine.tables import Tables
from riskengine.vocabulary import BoolArray, FloatArray, IntArray, Service

DAYS = 365
TARGET = "happened"
_KEYS = ["member_id", "as_of"]


class NeedEvent(StrEnum):
    """What may happen within 12 months; of each, only those are labelled who can still have it."""

    FIRST_CHRONIC_DIAGNOSIS = "first_chronic_diagnosis"
    FURTHER_CHRONIC_CONDITION = "further_chronic_condition"
    FIRST_HOSPITAL_STAY = "first_hospital_stay"


def need_probabilities(models: Mapping[Need, RiskModel], frame: Frame) -> dict[Need, FloatArray]:
    """The probability within 12 months of each need with a model, (n,) in the order of `frame`.

    Raises `SpecError` for a model that predicts no probability.
    """
    found = {}
    for need, model in models.items():
        if model.spec.model.kind is not Kind.BINARY:
            message = (
                f"the model of {need} is of kind {model.spec.model.kind}: a need is a yes or no,"
                " train it as binary"
            )
            raise SpecError(message)
        found[need] = model.predict(frame)
    return found


def label_needs(
    tables: Tables, spine: arrow.Table, event: NeedEvent, observed_until: date
) -> arrow.Table:
    """Whether the event happens in the 365 days from `as_of` on: 1.0 or 0.0 as `happened`.

    `spine` has `member_id` and `as_of`; `observed_until` is the last day up to which all claims are
    known. Of the spine those rows come back, in its order, whose 365 days are observed and covered
    as a whole, and where by what was known on `as_of` the event can still happen. Claim lines that
    were taken back count for nothing. Raises `TableError` where nobody is left.
    """
    rows = spine.select(_KEYS).to_pandas()
    rows["as_of"] = pd.to_datetime(rows["as_of"])
    rows["row"] = np.arange(len(rows))
    last = pd.Timestamp(observed_until) - timedelta(days=DAYS - 1)
    rows = rows[(rows["as_of"] <= last).to_numpy() & _covered(rows, tables["policies"])]
    bits = _bits(_standing(tables, event), rows)
    known, new = bits["known"], bits["inside"] & ~bits["known"]
    if event is NeedEvent.FURTHER_CHRONIC_CONDITION:
        rows, happened = rows[known > 0], new[known > 0] != 0
    else:
        rows, happened = rows[known == 0], bits["inside"][known == 0] != 0
    if not len(rows):
        message = (
            f"no row of the spine can be labelled with {event}: give days at least {DAYS} days"
            f" before {observed_until}, of members who are covered from then on"
        )
        raise TableError(message)
    return arrow.table(
        {
            "member_id": arrow.array(rows["member_id"].astype(object), arrow.string()),
            "as_of": arrow.array(rows["as_of"].to_numpy("datetime64[D]"), arrow.date32()),
            TARGET: happened.astype(np.float64),
        }
    )


def _covered(rows: pd.DataFrame, policies: arrow.Table) -> BoolArray:
    """Whose 365 days from `as_of` on are covered, counted over policies that do not overlap."""
    table = policies.select(["member_id", "start_date", "end_date"]).to_pandas()
    held = rows.merge(table, on="member_id")
    first = (pd.to_datetime(held["start_date"]) - held["as_of"]).dt.days.clip(lower=0)
    last = (pd.to_datetime(held["end_date"]) - held["as_of"]).dt.days.clip(upper=DAYS - 1)
    days = (last - first + 1).clip(lower=0).groupby(held["row"]).sum()
    return np.asarray(days.reindex(rows["row"], fill_value=0) >= DAYS)


def _standing(tables: Tables, event: NeedEvent) -> pd.DataFrame:
    """Facts of the event: `member_id`, when they `happened` and were `known`, what in `bits`."""
    claims = tables["claims"].to_pandas()
    back = claims[claims["reversal_of"].notna()].groupby("reversal_of")["allowed_amount"].sum()
    left = claims["allowed_amount"] + claims["claim_id"].map(back).fillna(0.0)
    gone = claims["claim_id"].isin(back.index) & (left <= 0)
    claims = claims[~gone & claims["reversal_of"].isna()]
    if event is NeedEvent.FIRST_HOSPITAL_STAY:
        facts = claims[claims["service"] == Service.INPATIENT.value].assign(bits=1)
        dates = {"service_date": "happened", "reported_on": "known_on"}
    else:
        codes = tables["diagnoses"].to_pandas()
        listed = {condition.name: 1 << at for at, condition in enumerate(CONDITIONS)}
        of_code = {
            code: sum(listed[name] for name in conditions_of(code))
            for code in codes["icd10"].unique()
        }
        facts = codes.assign(bits=codes["icd10"].map(of_code))
        facts = facts[(facts["bits"] > 0) & facts["claim_id"].isin(claims["claim_id"])]
        dates = {"diagnosed_on": "happened"}
    facts = facts.rename(columns=dates)
    return pd.DataFrame(
        {
            "member_id": facts["member_id"],
            "happened": pd.to_datetime(facts["happened"]),
            "known_on": pd.to_datetime(facts["known_on"]),
            "bits": facts["bits"],
        }
    )


def _bits(facts: pd.DataFrame, rows: pd.DataFrame) -> dict[str, IntArray]:
    """What was known of each row on its day, and what happened in the 365 days from it on."""
    pairs = rows.merge(facts, on="member_id")
    before = (pairs["happened"] < pairs["as_of"]) & (pairs["known_on"] <= pairs["as_of"])
    after = pairs["as_of"] + timedelta(days=DAYS)
    inside = (pairs["happened"] >= pairs["as_of"]) & (pairs["happened"] < after)
    return {
        name: _any_of(pairs[chosen], rows["row"])
        for name, chosen in (("known", before), ("inside", inside))
    }


def _any_of(facts: pd.DataFrame, rows: pd.Series) -> IntArray:
    found = np.zeros(int(rows.max()) + 1 if len(rows) else 0, dtype=np.int64)
    np.bitwise_or.at(found, facts["row"].to_numpy(np.int64), facts["bits"].to_numpy(np.int64))
    return np.asarray(found[rows.to_numpy()])
