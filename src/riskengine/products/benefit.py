"""What a benefit pays, as data: one frozen type for each way of paying, checked when it is read.

Three ways are enough: a share of annual amounts (`MedicalBenefit`), an amount for each day in
hospital (`HospitalCash`) and a lump sum for each event (`LumpSum`). Every term moves the payment in
one direction only, so of two designs that differ in their terms the richer one never pays less.
Left out: how a payment is priced (`riskengine.pricing.benefit`).
"""

from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from riskengine.vocabulary import Frozen, Service


class Unit(StrEnum):
    """What the annual outcome of a peril is counted in."""

    CURRENCY = "currency"
    DAYS = "days"
    EVENTS = "events"


class Peril(StrEnum):
    """What is insured, by the outcome of one year."""

    MEDICAL_SPEND = "medical_spend"
    INPATIENT = "inpatient"
    OUTPATIENT = "outpatient"
    DRUGS = "drugs"
    ACCIDENT_SPEND = "accident_spend"
    HOSPITAL_DAYS = "hospital_days"
    VISITS = "visits"
    CRITICAL_ILLNESS = "critical_illness"
    CANCER = "cancer"
    ACCIDENT = "accident"
    SURGERY = "surgery"

    @property
    def unit(self) -> Unit:
        """The unit of the annual outcome.

        >>> Peril.HOSPITAL_DAYS.unit.value
        'days'
        """
        if self is Peril.HOSPITAL_DAYS:
            return Unit.DAYS
        return Unit.CURRENCY if self in _AMOUNTS else Unit.EVENTS


_AMOUNTS = (
    Peril.MEDICAL_SPEND,
    Peril.INPATIENT,
    Peril.OUTPATIENT,
    Peril.DRUGS,
    Peril.ACCIDENT_SPEND,
)
AnyPeril: TypeAlias = Annotated[Peril, Field(strict=False)]
Amount: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PositiveAmount: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
WaitingPeriod: TypeAlias = Annotated[int, Field(ge=0, lt=365)]
"""Days after the first start of cover in which nothing is insured; a renewal has none."""


class ServiceTerms(Frozen):
    """How one service of a medical benefit is covered, where it differs from the rest.

    Of a year's cost of the service up to `limit` the member pays `copay` for each visit, then, if
    `deductible_applies`, a part of the deductible, then `coinsurance` of what is left.
    """

    copay: Amount = 0.0
    coinsurance: Share | None = None
    limit: PositiveAmount | None = None
    deductible_applies: bool = True


class MedicalBenefit(Frozen):
    """A share of annual medical cost; amounts in the currency of the catalogue, a year.

    The member pays all up to `deductible`, then `coinsurance` (a share of cost) of the rest, at
    most `out_of_pocket_maximum` in total. `annual_limit` caps what the plan pays. Where `services`
    are named, only those are covered, each on its own terms; else all of the peril is. What lies
    above the limit of a service counts towards nothing.
    """

    kind: Literal["medical_expense", "outpatient_drugs"] = "medical_expense"
    peril: AnyPeril = Peril.MEDICAL_SPEND
    deductible: Amount = 0.0
    coinsurance: Share = 0.0
    out_of_pocket_maximum: Amount | None = None
    annual_limit: PositiveAmount | None = None
    services: dict[Annotated[Service, Field(strict=False)], ServiceTerms] = Field(
        default_factory=dict
    )
    waiting_period: WaitingPeriod = 0

    def coinsurance_of(self, service: Service) -> float:
        """The member's share of one covered service."""
        own = self.services[service].coinsurance
        return self.coinsurance if own is None else own

    @model_validator(mode="after")
    def pays_for_an_amount(self) -> "MedicalBenefit":
        expected = (Peril.DRUGS,) if self.kind == "outpatient_drugs" else _AMOUNTS
        _check_peril(self.kind, self.peril, expected)
        bears = [terms.deductible_applies for terms in self.services.values()]
        if self.deductible > 0 and bears and not any(bears):
            message = (
                f"deductible {self.deductible:g} applies to none of the services: drop it, or set"
                " deductible_applies to true for one of them"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def maximum_can_be_reached(self) -> "MedicalBenefit":
        maximum = self.out_of_pocket_maximum
        if maximum is not None and maximum < self.deductible:
            message = (
                f"out_of_pocket_maximum {maximum:g} is below the deductible {self.deductible:g}:"
                " raise the one or lower the other"
            )
            raise ValueError(message)
        shares = [self.coinsurance_of(service) for service in self.services] or [self.coinsurance]
        copays = [terms.copay for terms in self.services.values()]
        if maximum is not None and maximum > self.deductible and not any(shares + copays):
            message = (
                f"out_of_pocket_maximum {maximum:g} can never be reached without coinsurance or"
                f" copay: set it to the deductible, {self.deductible:g}"
            )
            raise ValueError(message)
        return self


class HospitalCash(Frozen):
    """`amount_per_day` in hospital, in currency.

    The first `waiting_days_per_stay` of each stay are not paid, nor what goes beyond
    `maximum_days_per_stay` paid days; of the days of all stays that are left, the first
    `waiting_days_per_year` are not paid, nor what goes beyond `maximum_days_per_year` paid days.
    """

    kind: Literal["hospital_cash"]
    peril: AnyPeril = Peril.HOSPITAL_DAYS
    amount_per_day: PositiveAmount
    waiting_days_per_stay: int = Field(default=0, ge=0)
    maximum_days_per_stay: int | None = Field(default=None, gt=0)
    waiting_days_per_year: int = Field(default=0, ge=0)
    maximum_days_per_year: int | None = Field(default=None, gt=0)
    waiting_period: WaitingPeriod = 0

    @model_validator(mode="after")
    def days_can_be_reached(self) -> "HospitalCash":
        _check_peril(self.kind, self.peril, (Peril.HOSPITAL_DAYS,))
        stay, year = self.maximum_days_per_stay, self.maximum_days_per_year
        if stay is not None and year is not None and stay > year:
            message = (
                f"maximum_days_per_stay {stay} can never be reached within maximum_days_per_year"
                f" {year}: lower the one or raise the other"
            )
            raise ValueError(message)
        return self


class Stage(Frozen):
    """One stage, grade or class of an event: `share` of the sum insured, so often in a term."""

    stage: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    share: float = Field(gt=0, allow_inf_nan=False)
    maximum_payments: int = Field(default=1, gt=0)


class LumpSum(Frozen):
    """A share of `sum_insured`, in currency, for each event, by its stage, from mild to severe."""

    kind: Literal["critical_illness", "accident", "surgery"]
    peril: AnyPeril
    sum_insured: PositiveAmount
    stages: Annotated[tuple[Stage, ...], Field(strict=False, min_length=1)]
    waiting_period: WaitingPeriod = 0

    @model_validator(mode="after")
    def severe_pays_no_less(self) -> "LumpSum":
        _check_peril(self.kind, self.peril, _LUMP_SUM_PERILS[self.kind])
        names = [stage.stage for stage in self.stages]
        if len(set(names)) < len(names):
            message = f"stages {', '.join(names)} name one twice: keep one of them"
            raise ValueError(message)
        for milder, graver in pairwise(self.stages):
            if graver.share < milder.share:
                message = (
                    f"stage {graver.stage} pays {graver.share:g} of the sum insured, less than the"
                    f" milder {milder.stage} with {milder.share:g}: list stages from mild to"
                    " severe, with shares that never fall"
                )
                raise ValueError(message)
        return self


_LUMP_SUM_PERILS = {
    "critical_illness": (Peril.CRITICAL_ILLNESS, Peril.CANCER),
    "accident": (Peril.ACCIDENT,),
    "surgery": (Peril.SURGERY,),
}
Benefit: TypeAlias = Annotated[MedicalBenefit | HospitalCash | LumpSum, Field(discriminator="kind")]


def _check_peril(kind: str, peril: Peril, expected: tuple[Peril, ...]) -> None:
    if peril not in expected:
        message = f"a benefit of kind {kind} pays for {' or '.join(expected)}, not for {peril}"
        raise ValueError(message)
