"""The closed vocabularies and the small frozen types that every stage shares.

Left out on purpose: anything with behaviour. A word that only one stage uses lives in that stage.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
Answer: TypeAlias = str | bool | int | float | None
Value: TypeAlias = float | str | None
"""An answer that was checked: a number, a level, or None where it is missing."""
AnyArray: TypeAlias = npt.NDArray[Any]
Columns: TypeAlias = Mapping[str, AnyArray]
"""Columns by name, all of one length: float64 with NaN for missing, or object with None."""


class Frozen(BaseModel):
    """Base of data read from files and requests: immutable, strict, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Text(Frozen):
    """One text in both first-class languages."""

    zh: str
    en: str


class Sex(StrEnum):
    FEMALE = "female"
    MALE = "male"


class SelfRatedHealth(StrEnum):
    EXCELLENT = "excellent"
    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


class Service(StrEnum):
    """Kinds of care a claim is for."""

    INPATIENT = "inpatient"
    OUTPATIENT = "outpatient"
    DRUG = "drug"
    SUPPLY = "supply"
    EMERGENCY = "emergency"
    PREVENTIVE = "preventive"


class Measure(StrEnum):
    """What a dated number about a member measures."""

    BODY_MASS_INDEX = "body_mass_index"
    CHRONIC_DISEASE_INDEX = "chronic_disease_index"
    GENERAL_HEALTH_INDEX = "general_health_index"
    HOUSEHOLD_SIZE = "household_size"
    MENTAL_HEALTH_INDEX = "mental_health_index"
    GLYCATED_HAEMOGLOBIN = "glycated_haemoglobin"
    PHYSICAL_LIMITATION = "physical_limitation"
    SMOKER = "smoker"
    SYSTOLIC_PRESSURE = "systolic_pressure"
    TOTAL_CHOLESTEROL = "total_cholesterol"


class EventKind(StrEnum):
    """What a member did that we came to know of."""

    APP_VISIT = "app_visit"
    CALL = "call"
    CHECK_UP = "check_up"
    PAGE_VIEW = "page_view"
    STEPS = "steps"


class Currency(StrEnum):
    """Currencies of amounts, by ISO 4217 code."""

    CNY = "CNY"
    EUR = "EUR"
    USD = "USD"


class Operation(StrEnum):
    """How a step of the premium chain changes the running value."""

    START = "start"
    MULTIPLY = "multiply"
    ADD = "add"
    DIVIDE = "divide"
    AT_MOST = "at_most"
    AT_LEAST = "at_least"
    ROUND = "round"
