"""What a plan pays of one known year: the terms of the contract, word by word, for many years.

Annual totals have no order of dates, so where services bear different shares the deductible is met
by the service of the lowest coinsurance first. That is the order in which the plan pays least, and
it keeps every plan monotone: a term that gets richer, or a bill more, never lowers what is paid.
"""

from collections.abc import Mapping

import numpy as np

from riskengine.errors import SpecError
from riskengine.pricing.benefit import plan_payment
from riskengine.pricing.perils import totals
from riskengine.products.benefit import HospitalCash, MedicalBenefit
from riskengine.vocabulary import FloatArray, IntArray, Service


def medical_paid(
    benefit: MedicalBenefit,
    amounts: Mapping[Service, FloatArray],
    visits: Mapping[Service, FloatArray],
) -> FloatArray:
    """What a medical benefit pays of years with `amounts` and `visits` by service, any one shape.

    With allowed = min(amount, limit), copaid = min(copay * visits within the limit, allowed) and
    the deductible D spread over what is left, the member bears copaid + D + coinsurance * rest,
    summed over covered services and at most the maximum; the plan pays the rest of what is allowed,
    at most the annual limit. Visits are spread evenly over the cost of their service. Raises
    `SpecError` when a covered service is not among the amounts.

    >>> terms = {"inpatient": {}, "outpatient": {"copay": 10.0, "deductible_applies": False}}
    >>> benefit = MedicalBenefit(deductible=100.0, coinsurance=0.2, services=terms)
    >>> amounts = {Service.INPATIENT: np.array([600.0]), Service.OUTPATIENT: np.array([120.0])}
    >>> medical_paid(benefit, amounts, {Service.OUTPATIENT: np.array([2.0])}).tolist()
    [480.0]
    """
    if not benefit.services:
        total = np.sum(list(amounts.values()), axis=0)
        return plan_payment(benefit).paid(total.ravel()).reshape(total.shape)
    unknown = [service for service in benefit.services if service not in amounts]
    if unknown:
        message = (
            f"the experience has no costs of {', '.join(unknown)}, which the benefit covers: there"
            f" are {', '.join(amounts)}; price it on an experience that has them"
        )
        raise SpecError(message)
    allowed = np.zeros_like(next(iter(amounts.values())))
    share, left = np.zeros_like(allowed), np.full_like(allowed, benefit.deductible)
    for service in sorted(benefit.services, key=benefit.coinsurance_of):
        terms = benefit.services[service]
        cost = amounts[service]
        if terms.limit is not None:
            cost = np.minimum(cost, terms.limit)
        rest = cost
        if terms.copay > 0:
            of_cost = np.divide(
                terms.copay * _visits(visits, service),
                amounts[service],
                out=np.zeros_like(cost),
                where=amounts[service] > 0,
            )
            rest = cost * np.maximum(1 - of_cost, 0.0)
        borne = np.minimum(rest, left) if terms.deductible_applies else np.zeros_like(left)
        left = left - borne
        share = share + (cost - rest) + borne + benefit.coinsurance_of(service) * (rest - borne)
        allowed = allowed + cost
    if benefit.out_of_pocket_maximum is not None:
        share = np.minimum(share, benefit.out_of_pocket_maximum)
    paid = allowed - share
    return paid if benefit.annual_limit is None else np.minimum(paid, benefit.annual_limit)


def _visits(visits: Mapping[Service, FloatArray], service: Service) -> FloatArray:
    if service in visits:
        return visits[service]
    message = (
        f"the experience counts no visits of {service}, for which the benefit asks a copay: drop"
        " the copay, or price it on an experience that counts them"
    )
    raise SpecError(message)


def paid_days(benefit: HospitalCash, row: IntArray, days: FloatArray, rows: int) -> FloatArray:
    """The days a hospital cash benefit pays in each of `rows` years, (rows,).

    `row` (stays,) is the year of each stay and `days` its length. Each stay counts
    min((days - waiting)+, maximum); each year the same of its sum.

    >>> benefit = HospitalCash(
    ...     kind="hospital_cash", amount_per_day=100.0, waiting_days_per_stay=2,
    ...     maximum_days_per_year=10,
    ... )
    >>> paid_days(benefit, np.array([0, 0, 1]), np.array([5.0, 1.0, 20.0]), 2).tolist()
    [3.0, 10.0]
    """
    stay = _within(days, benefit.waiting_days_per_stay, benefit.maximum_days_per_stay)
    year = totals(row, stay, rows)
    return _within(year, benefit.waiting_days_per_year, benefit.maximum_days_per_year)


def _within(days: FloatArray, waiting: int, maximum: int | None) -> FloatArray:
    after = np.maximum(days - waiting, 0.0)
    return after if maximum is None else np.minimum(after, maximum)
