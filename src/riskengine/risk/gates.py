"""The gates before a model may serve: numbers in, a decision with its reasons out.

Pure functions. What the numbers are is measured at training (`riskengine.risk.findings`) and, for
the champion, on rows both models held out (`riskengine.risk.comparison`). A gate whose number was
not measured is not passed.
"""

from dataclasses import asdict, dataclass
from enum import StrEnum

from riskengine.risk.diagnostics import Interval

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Bounds:
    """How far off a model may be.

    `balance`: A/E of all held-out rows, within 1 %: a level error moves every price alike, and
    rates are filed to about a percent. `segment`: A/E of the worst segment after shrinkage to its
    credibility, or its inverse, at most 1.25: a quarter that credibility leaves standing is a
    feature the model lacks, not noise. `decile`: how far beyond chance A/E of a tenth of the
    predictions may be from 1; 10 % is the usual reading of predictive ratios by decile (Pope et
    al., 2011, Evaluation of the CMS-HCC Risk Adjustment Model). `group`: how far beyond chance A/E
    of a group may be from 1: above, others pay for it; below, it pays for others. 5 % is half of a
    decile's bound, as a group is meant to hold by purpose and a decile by construction.
    `calibration_error`: of the next product, how far beyond chance the probability of the product
    ranked first may be from how often it is right; 2 points do not turn an order of products.
    """

    balance: float = 0.01
    segment: float = 1.25
    decile: float = 0.10
    group: float = 0.05
    calibration_error: float = 0.02


@dataclass(frozen=True)
class Ratio:
    """A/E of a part of the book, with its 95 % interval."""

    name: str
    mean: float
    low: float
    high: float

    @property
    def beyond_chance(self) -> float:
        """How far from 1 the near end of the interval is; 0 where the interval holds 1.

        >>> round(Ratio("female", 1.2, 1.1, 1.3).beyond_chance, 6)
        0.1
        """
        return Interval(self.mean, self.low, self.high).distance_from_one


@dataclass(frozen=True)
class NextProductFindings:
    """What is asked of a model of the next product, held out.

    `chance` is the calibration error that chance alone gives on as many customers; `gain` the log
    loss of popularity less the model's, paired.
    """

    calibration_error: float
    chance: float
    gain: Interval


@dataclass(frozen=True)
class Findings:
    """What was measured of a model on its held-out rows; None or empty where it was not.

    `balance` has one ratio, or one a class. `segment` is A/E after shrinkage. `deciles` are those
    of the predictions. `groups` are of the columns named for fairness at training: None where none
    was named. `broken` says which monotone promises are broken; `promised` how many there are.
    A model of the next product has `next_product` alone.
    """

    balance: tuple[Ratio, ...] = ()
    segment: Ratio | None = None
    deciles: tuple[Ratio, ...] = ()
    groups: tuple[Ratio, ...] | None = None
    promised: int = 0
    broken: tuple[str, ...] | None = None
    next_product: NextProductFindings | None = None


class Outcome(StrEnum):
    """How a gate ends."""

    PASSED = "passed"
    REFUSED = "refused"
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Gate:
    """One gate: its value and bound as texts, and how it ended."""

    name: str
    value: str
    bound: str
    outcome: Outcome


@dataclass(frozen=True)
class Champion:
    """What is known of the model that serves now.

    `name` is empty when there is none. `difference` is the champion's deviance less the
    candidate's on the same rows (above 0 the candidate is better), None where the two could not be
    paired, for the reason in `why`.
    """

    name: str = ""
    difference: Interval | None = None
    why: str = ""


@dataclass(frozen=True)
class Decision:
    """All gates in order; the candidate may serve when none refuses."""

    gates: tuple[Gate, ...]

    @property
    def holds(self) -> bool:
        """Whether no gate refuses."""
        return not self.refused

    @property
    def refused(self) -> tuple[Gate, ...]:
        """The gates that refuse."""
        return tuple(gate for gate in self.gates if gate.outcome is Outcome.REFUSED)

    def as_records(self) -> list[dict[str, str]]:
        """The gates as plain records, for the registry."""
        return [{key: str(value) for key, value in asdict(gate).items()} for gate in self.gates]


def decide(findings: Findings, champion: Champion, bounds: Bounds) -> Decision:
    """Every gate for one candidate.

    >>> one = Ratio("all", 1.0, 0.98, 1.02)
    >>> found = Findings((one,), one, (one,), None, 0, ())
    >>> [str(gate.outcome) for gate in decide(found, Champion(), Bounds()).gates]
    ['passed', 'passed', 'passed', 'passed', 'not asked', 'not asked']
    """
    if findings.next_product is not None:
        return Decision(
            (
                champion_gate(champion),
                popularity_gate(findings.next_product.gain),
                calibration_error_gate(findings.next_product, bounds.calibration_error),
            )
        )
    return Decision(
        (
            balance_gate(findings.balance, bounds.balance),
            champion_gate(champion),
            segment_gate(findings.segment, bounds.segment),
            decile_gate(findings.deciles, bounds.decile),
            group_gate(findings.groups, bounds.group),
            promise_gate(findings.promised, findings.broken),
        )
    )


def balance_gate(ratios: tuple[Ratio, ...], bound: float) -> Gate:
    """A/E of the book; of classes, which may be rare, only as far as it is beyond chance.

    >>> str(balance_gate((Ratio("all", 1.02, 0.99, 1.05),), 0.01).outcome)
    'refused'
    """
    name, limit = "balance", f"A/E within {bound:.0%} of 1"
    if not ratios:
        return _unmeasured(name, limit)
    if len(ratios) == 1:
        return _gate(name, _told(ratios[0]), limit, abs(ratios[0].mean - 1) <= bound + _ROUNDING)
    return _furthest(name, ratios, bound, f"A/E of each class {_beyond(bound)}")


def champion_gate(champion: Champion) -> Gate:
    """No worse than the champion: the paired difference must not lie wholly on the worse side.

    >>> worse = Champion("version 1", Interval(-0.2, -0.3, -0.1))
    >>> str(champion_gate(worse).outcome)
    'refused'
    """
    name, limit = "champion", "interval of champion's less candidate's deviance reaches above 0"
    if not champion.name:
        return Gate(name, "there is no champion yet", limit, Outcome.PASSED)
    gap = champion.difference
    if gap is None:
        return Gate(name, f"{champion.name}: {champion.why}", limit, Outcome.REFUSED)
    value = f"{champion.name}: {gap.mean:.4g} ({gap.low:.4g} to {gap.high:.4g})"
    return _gate(name, value, limit, gap.high >= 0)


def segment_gate(ratio: Ratio | None, bound: float) -> Gate:
    """The worst segment's A/E after shrinkage, or its inverse.

    >>> str(segment_gate(Ratio("region=east", 0.7, 0.6, 0.8), 1.25).outcome)
    'refused'
    """
    name, limit = "worst segment", f"A/E from {1 / bound:.2f} to {bound:.2f} after shrinkage"
    if ratio is None:
        return _unmeasured(name, limit)
    value = f"{ratio.name}: {ratio.mean:.3f}"
    return _gate(name, value, limit, 1 / bound - _ROUNDING <= ratio.mean <= bound)


def decile_gate(ratios: tuple[Ratio, ...], bound: float) -> Gate:
    """Calibration: A/E by tenth of the predictions.

    >>> str(decile_gate((Ratio("decile 10", 1.3, 1.2, 1.4),), 0.1).outcome)
    'refused'
    """
    name, limit = "calibration", f"A/E by decile of prediction {_beyond(bound)}"
    return _furthest(name, ratios, bound, limit) if ratios else _unmeasured(name, limit)


def group_gate(ratios: tuple[Ratio, ...] | None, bound: float) -> Gate:
    """Fairness: A/E of each group of the columns that were named at training.

    >>> str(group_gate(None, 0.05).outcome)
    'not asked'
    """
    name, limit = "fairness", f"A/E of each group {_beyond(bound)}"
    if ratios is None:
        return Gate(name, "no groups were named at training", limit, Outcome.NOT_ASKED)
    return _furthest(name, ratios, bound, limit) if ratios else _unmeasured(name, limit)


def promise_gate(promised: int, broken: tuple[str, ...] | None) -> Gate:
    """Every monotone promise of the spec is kept.

    >>> str(promise_gate(2, ("age",)).outcome)
    'refused'
    """
    name, limit = "promises", "every monotone promise is kept"
    if not promised:
        return Gate(name, "the spec makes none", limit, Outcome.NOT_ASKED)
    if broken is None:
        return _unmeasured(name, limit)
    value = f"broken: {', '.join(broken)}" if broken else f"{promised} kept"
    return _gate(name, value, limit, not broken)


def popularity_gate(gain: Interval) -> Gate:
    """A model of the next product must beat popularity beyond chance.

    >>> str(popularity_gate(Interval(0.1, -0.1, 0.3)).outcome)
    'refused'
    """
    value = f"{gain.mean:.4g} ({gain.low:.4g} to {gain.high:.4g})"
    limit = "interval of popularity's less the model's log loss lies above 0"
    return _gate("popularity", value, limit, gain.low > 0)


def calibration_error_gate(found: NextProductFindings, bound: float) -> Gate:
    """The expected calibration error of a model of the next product.

    >>> told = NextProductFindings(0.05, 0.01, Interval(0.2, 0.1, 0.3))
    >>> str(calibration_error_gate(told, 0.02).outcome)
    'refused'
    """
    value = f"{found.calibration_error:.4f}, of which chance gives {found.chance:.4f}"
    limit = f"calibration error beyond chance at most {bound:g}"
    return _gate("calibration", value, limit, found.calibration_error - found.chance <= bound)


def _furthest(name: str, ratios: tuple[Ratio, ...], bound: float, limit: str) -> Gate:
    far = max(ratios, key=lambda ratio: (ratio.beyond_chance, abs(ratio.mean - 1)))
    return _gate(name, _told(far), limit, far.beyond_chance <= bound)


def _gate(name: str, value: str, limit: str, passed: bool) -> Gate:
    return Gate(name, value, limit, Outcome.PASSED if passed else Outcome.REFUSED)


def _unmeasured(name: str, limit: str) -> Gate:
    return Gate(name, "not measured at training", limit, Outcome.REFUSED)


def _told(ratio: Ratio) -> str:
    return f"{ratio.name}: {ratio.mean:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"


def _beyond(bound: float) -> str:
    return f"no more than {bound:.0%} from 1 beyond chance"
