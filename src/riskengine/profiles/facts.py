"""What was known of each member on each date: the rule of time, once for every kind of fact.

A fact counts when it happened strictly before `as_of` and was known by `as_of`. Claim lines come
net of the reversals known by then. Joins to the spine are equality joins and "latest" is decided
by the data, so that another engine gives the same rows.
"""

from typing import Any

import ibis

from riskengine.profiles.conditions import with_conditions
from riskengine.profiles.feature import WINDOWS, Facts, days_between, millionths

KEYS = ["member_id", "as_of"]
ROW = "spine_row"
"""The whole number a spine may give each of its rows, in order of `KEYS`: cheaper to group by."""
_HAPPENED = {
    Facts.COVER: "start_date",
    Facts.CLAIMS: "service_date",
    Facts.DIAGNOSES: "diagnosed_on",
    Facts.MEASUREMENTS: "measured_on",
    Facts.EVENTS: "occurred_on",
    Facts.OFFERS: "shown_on",
}


def identity(rows: Any) -> list[str]:
    """The columns that tell the rows of a spine apart: its row number if it has one, or `KEYS`."""
    return [ROW] if ROW in rows.columns else KEYS


def known_facts(kind: Facts, tables: dict[str, Any], keys: Any) -> Any:
    """The facts of one kind that count for each (member_id, as_of) of `keys`, with `days_before`.

    `days_before` is the number of days from the fact to `as_of`, at least 1.
    """
    if kind is Facts.COVER:
        return _policies(_visible(kind, tables, keys))
    if kind is Facts.CLAIMS:
        return _claim_lines(tables, keys)
    if kind is Facts.DIAGNOSES:
        return _standing_diagnoses(tables, keys)
    return _visible(kind, tables, keys)


def _visible(kind: Facts, tables: dict[str, Any], keys: Any) -> Any:
    table = tables[kind.value]
    happened = _HAPPENED[kind]
    known = "reported_on" if kind is Facts.CLAIMS else "known_on"
    rows = keys.inner_join(table, "member_id")
    rows = rows.filter(rows[happened] < rows.as_of, rows[known] <= rows.as_of)
    return rows.mutate(days_before=days_between(rows[happened], rows.as_of))


def _policies(facts: Any) -> Any:
    """Policies with their days of cover inside each window before `as_of`."""
    last_day = -ibis.greatest(days_between(facts.end_date, facts.as_of) - 1, 0)
    inside = {
        f"days_in_{days}": ibis.greatest(last_day + ibis.least(facts.days_before, days), 0)
        for days in WINDOWS
    }
    return facts.mutate(**inside)


def _reversals(tables: dict[str, Any], keys: Any) -> Any:
    """What was taken back of each claim line by `as_of`, as amounts that are not positive."""
    reversals = dict(tables)
    reversals["claims"] = tables["claims"].filter(tables["claims"].reversal_of.notnull())
    facts = _visible(Facts.CLAIMS, reversals, keys)
    return facts.group_by([*KEYS, "reversal_of"]).aggregate(
        allowed_back=millionths(facts.allowed_amount).sum(),
        visits_back=millionths(facts.visit_count).sum(),
        days_back=millionths(facts.hospital_days).sum(),
    )


def _claim_lines(tables: dict[str, Any], keys: Any) -> Any:
    """Claim lines net of their reversals; `stands` is false for one taken back as a whole.

    Amounts (`allowed`, `visits`, `days`) are whole millionths.
    """
    lines = dict(tables)
    lines["claims"] = tables["claims"].filter(tables["claims"].reversal_of.isnull())
    facts = _visible(Facts.CLAIMS, lines, keys)
    back = _reversals(tables, keys)
    on = [facts.as_of == back.as_of, facts.claim_id == back.reversal_of]
    netted = facts.left_join(back, on, rname="{name}_back")
    allowed = _net(netted.allowed_amount, netted.allowed_back)
    return netted.select(
        *identity(keys),
        "service",
        "days_before",
        allowed=allowed,
        visits=_net(netted.visit_count, netted.visits_back),
        days=_net(netted.hospital_days, netted.days_back),
        stands=netted.allowed_back.isnull() | (allowed > 0),
    )


def _standing_diagnoses(tables: dict[str, Any], keys: Any) -> Any:
    """Diagnoses but those of claim lines taken back as a whole, with their `conditions`."""
    coded = {**tables, "diagnoses": with_conditions(tables["diagnoses"])}
    facts = _visible(Facts.DIAGNOSES, coded, keys)
    back = _reversals(tables, keys)
    claims = tables["claims"].select("claim_id", "allowed_amount")
    whole = back.inner_join(claims, back.reversal_of == claims.claim_id)
    whole = whole.filter(_net(whole.allowed_amount, whole.allowed_back) <= 0)
    return facts.anti_join(whole.select("as_of", "claim_id"), ["as_of", "claim_id"])


def _net(amount: Any, taken_back: Any) -> Any:
    return millionths(amount) + ibis.coalesce(taken_back, 0.0)
