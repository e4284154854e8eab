"""The words and figures that the parts of a risk report share, in both languages."""

import numpy as np

from riskengine.risk.diagnostics import Interval, Segment
from riskengine.risk.diagnostics.breakdown import OTHERS
from riskengine.risk.diagnostics.judged import GLM, MEAN, MODEL
from riskengine.risk.diagnostics.levels import MISSING
from riskengine.vocabulary import Text

SIDES = {
    MODEL: Text(zh="模型", en="model"),
    GLM: Text(zh="GLM", en="GLM"),
    MEAN: Text(zh="均值", en="mean"),
}
SEGMENT_HEADINGS = (
    Text(zh="风险暴露", en="exposure"),
    Text(zh="实际", en="actual"),
    Text(zh="预期", en="expected"),
    Text(zh="A/E", en="A/E"),
)
_LONGEST = 16


def told(interval: Interval) -> str:
    """A figure with its interval.

    >>> told(Interval(0.12345, 0.1, 0.15)), told(Interval(12345.6, 12000.0, 13000.0))
    ('0.123 (0.100, 0.150)', '12,346 (12,000, 13,000)')
    """
    figures = [number(value) for value in (interval.mean, interval.low, interval.high)]
    return f"{figures[0]} ({figures[1]}, {figures[2]})"


def number(value: float) -> str:
    """A number with as many digits as it is read by.

    >>> number(1234.5), number(12.345), number(0.0123456), number(-0.0000001)
    ('1,234', '12.35', '0.012', '0.000')
    """
    if not np.isfinite(value):
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.2f}"
    return f"{value + 0.0:.3f}".replace("-0.000", "0.000")


def level_name(name: str) -> Text:
    """The name of a level in both languages; bands of numbers with a dash.

    >>> level_name("18.25 to 29.6667").en, level_name("2 to 2").en, level_name("missing").zh
    ('18.2–29.7', '2', '缺失')
    """
    if name == MISSING:
        return Text(zh="缺失", en="missing")
    if name == OTHERS:
        return Text(zh="其他", en="others")
    short = _band(name)
    short = short if len(short) <= _LONGEST else f"{short[: _LONGEST - 1]}…"
    return Text(zh=short, en=short)


def _band(name: str) -> str:
    """A band of numbers in three digits; any other name as it is."""
    low, to, high = name.partition(" to ")
    try:
        ends = [short(float(end)) for end in (low, high)]
    except ValueError:
        return name.replace(" to ", "–") if to else name
    return ends[0] if ends[0] == ends[1] else f"{ends[0]}–{ends[1]}"


def short(value: float) -> str:
    """A number in three digits, as it stands at an axis.

    >>> short(0.046543), short(39.7), short(13412.0)
    ('0.0465', '39.7', '13,412')
    """
    # From 999.5 three digits would be written with an exponent.
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def of_class(name: str) -> Text:
    """The class that a sentence is about, before it; empty where there are none."""
    return Text(zh=f"{name}：" if name else "", en=f"{name}: " if name else "")


def segment_cells(segment: Segment) -> tuple[str, ...]:
    """Exposure, actual, expected and A/E of a segment, under `SEGMENT_HEADINGS`."""
    middle = (f"{segment.exposure:,.0f}", number(segment.actual), number(segment.expected))
    return (*middle, told(segment.ratio))
