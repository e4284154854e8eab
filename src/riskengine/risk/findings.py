"""What the gates ask of a model, from its diagnosis and its promises, and as JSON to keep.

Left out: the decision (`riskengine.risk.gates`) and the champion, who is known only later.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from riskengine.errors import ReleaseError
from riskengine.risk.diagnose import Diagnosis
from riskengine.risk.diagnostics import Interval, Segment
from riskengine.risk.gates import Findings, Ratio
from riskengine.risk.model import Frame, RiskModel
from riskengine.risk.promises import broken_promises

FINDINGS_FILE = "findings.json"
_FINDINGS = TypeAdapter(Findings)


def findings_of(model: RiskModel, frame: Frame, diagnosis: Diagnosis) -> Findings:
    """The numbers that the gates judge; `frame` is where monotone promises are tried."""
    promised = model.spec.features.monotone
    broken = broken_promises(model, frame) if promised else ()
    worst = diagnosis.breakdown.worst if diagnosis.breakdown else {}
    segments = [
        _ratio(_of(of, "+".join(one.factors), one.segment), one.segment.ratio, one.shrunk)
        for of, one in worst.items()
    ]
    groups = [
        _ratio(_of(fairness.of, fairness.column, segment), segment.ratio)
        for fairness in diagnosis.fairness
        for segment in fairness.calibration
    ]
    return Findings(
        balance=_balance(diagnosis),
        segment=max(segments, key=_distance) if segments else None,
        deciles=tuple(
            _ratio(_of(curves.of, "decile", segment), segment.ratio)
            for curves in diagnosis.curves
            for segment in curves.lift
        ),
        groups=tuple(groups) if diagnosis.fairness else None,
        promised=len(promised),
        broken=tuple(one.feature for one in broken),
    )


def to_json(findings: Findings) -> str:
    """Findings as a JSON text."""
    return json.dumps(_FINDINGS.dump_python(findings, mode="json"), indent=1) + "\n"


def read_findings(folder: Path) -> Findings:
    """The findings in a model's folder; all unmeasured where there are none.

    Raises `ReleaseError` when the file is broken.
    """
    path = folder / FINDINGS_FILE
    if not path.is_file():
        return Findings()
    try:
        return _FINDINGS.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        message = f"{path} cannot be read: {error}; train the model again"
        raise ReleaseError(message) from error


def _balance(diagnosis: Diagnosis) -> tuple[Ratio, ...]:
    measured: Iterable[tuple[str, Interval | None]] = [
        (of, one.actual_over_expected) for of, one in diagnosis.by_class.items()
    ] or [("all rows", diagnosis.headline["model"].actual_over_expected)]
    return tuple(_ratio(name, interval) for name, interval in measured if interval is not None)


def _distance(ratio: Ratio) -> float:
    return max(ratio.mean, 1 / ratio.mean) if ratio.mean > 0 else float("inf")


def _of(of: str, name: str, segment: Segment) -> str:
    before = f"{of}, " if of else ""
    return f"{before}{name} {' and '.join(segment.levels)}"


def _ratio(name: str, interval: Interval, mean: float | None = None) -> Ratio:
    # Where nothing happened, no draw has anything: the interval has no upper end.
    high = interval.high if interval.mean > 0 else float("inf")
    return Ratio(name, interval.mean if mean is None else mean, interval.low, high)
