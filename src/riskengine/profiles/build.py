"""Point-in-time profiles: one row for each (member_id, as_of) of a spine.

The rule of time lives here, once: a fact counts when it happened strictly before `as_of` and was
known by `as_of`. Features are Ibis expressions over the facts that pass; joins to the spine are
equality joins and "latest" is decided by the data, so that another engine gives the same rows.
"""

from functools import reduce
from typing import Any

import ibis
import pyarrow as arrow

from riskengine.errors import TableError, UnknownNameError
from riskengine.profiles.features import FEATURES, Facts, Feature, exact_sum
from riskengine.tables import Tables
from riskengine.vocabulary import Service

KEYS = ["member_id", "as_of"]


def build_profiles(
    tables: Tables, spine: arrow.Table, features: tuple[Feature, ...] = FEATURES
) -> arrow.Table:
    """Profiles of the spine's members at the spine's dates, one row each, in key order.

    `spine` has `member_id` and `as_of` (date32) and no row twice. A member without a fact of some
    kind keeps its row, with nulls: no known claim is not a claim of 0. Raises
    `TableError` for a spine with duplicates and `UnknownNameError` for a member the tables do not
    have.
    """
    spine = spine.select(KEYS)
    if spine.group_by(KEYS).aggregate([]).num_rows != spine.num_rows:
        message = "the spine names a (member_id, as_of) pair twice; make its rows distinct"
        raise TableError(message)
    keys = ibis.memtable(spine)
    by_facts = {
        facts: [feature for feature in features if feature.facts is facts] for facts in Facts
    }
    parts = [
        _member_part(tables, keys, by_facts[Facts.MEMBER]),
        _claims_part(tables, keys, by_facts[Facts.CLAIMS]),
        _measurements_part(tables, keys, by_facts[Facts.MEASUREMENTS]),
    ]
    joined = reduce(
        lambda left, right: left.left_join(right, KEYS).drop("member_id_right", "as_of_right"),
        parts,
    )
    profiles = joined.select(*KEYS, *[f.name for f in features]).order_by(KEYS).to_pyarrow()
    if profiles.num_rows != spine.num_rows:
        unknown = set(spine["member_id"].to_pylist()) - set(profiles["member_id"].to_pylist())
        message = f"{len(unknown)} members of the spine are not in members: {min(unknown)}, ..."
        raise UnknownNameError(message)
    return profiles


def build_experience(tables: Tables) -> arrow.Table:
    """Policies with what they cost: `medical_spend` (allowed amount) and `visits` (outpatient).

    One row a policy with its cover, exposure and `as_of` = first day of cover, joined to the
    member's profile of that day. A policy without claims has outcomes of 0: nothing was claimed.
    """
    policies = ibis.memtable(tables["policies"])
    claims = ibis.memtable(tables["claims"])
    outcomes = claims.group_by("policy_id").aggregate(
        medical_spend=exact_sum(claims.allowed_amount),
        visits=exact_sum(claims.visit_count, claims.service == Service.OUTPATIENT.value),
    )
    exposed = policies.left_join(outcomes, "policy_id").drop("policy_id_right")
    exposed = exposed.mutate(
        as_of=exposed.start_date,
        medical_spend=ibis.coalesce(exposed.medical_spend, 0.0),
        visits=ibis.coalesce(exposed.visits, 0.0),
    )
    profiles = build_profiles(tables, exposed.select(KEYS).distinct().to_pyarrow())
    joined = exposed.inner_join(ibis.memtable(profiles), KEYS)
    return joined.order_by("policy_id").to_pyarrow()


def _member_part(tables: Tables, keys: Any, features: list[Feature]) -> Any:
    rows = keys.inner_join(ibis.memtable(tables["members"]), "member_id")
    known = rows.known_on <= rows.as_of
    columns = {}
    for feature in features:
        value = feature.expression(rows)
        columns[feature.name] = ibis.ifelse(known, value, ibis.null(value.type()))
    return rows.select(*KEYS, **columns)


def _claims_part(tables: Tables, keys: Any, features: list[Feature]) -> Any:
    rows = keys.inner_join(ibis.memtable(tables["claims"]), "member_id")
    facts = rows.filter(rows.service_date < rows.as_of, rows.reported_on <= rows.as_of)
    facts = facts.mutate(days_before=facts.as_of.epoch_days() - facts.service_date.epoch_days())
    return facts.group_by(KEYS).aggregate(**{f.name: f.expression(facts) for f in features})


def _measurements_part(tables: Tables, keys: Any, features: list[Feature]) -> Any:
    rows = keys.inner_join(ibis.memtable(tables["measurements"]), "member_id")
    facts = rows.filter(rows.measured_on < rows.as_of, rows.known_on <= rows.as_of)
    latest = facts.group_by([*KEYS, "measure"]).aggregate(latest_on=facts.measured_on.max())
    facts = facts.inner_join(latest, [*KEYS, "measure"])
    facts = facts.filter(facts.measured_on == facts.latest_on)
    return facts.group_by(KEYS).aggregate(**{f.name: f.expression(facts) for f in features})
