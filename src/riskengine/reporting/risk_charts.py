"""The pictures of a diagnosis as SVG text: one panel for each class, feature or pair of features.

Every chart takes the numbers of `riskengine.risk.diagnose` as they are and computes none.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from riskengine.reporting.charts import (
    ACTUAL,
    EXPECTED,
    GLM_COLOUR,
    QUIET,
    Chart,
    Say,
    exposure_behind,
    panels,
)
from riskengine.reporting.risk_words import SIDES, level_name
from riskengine.risk.conformal import DecileCoverage
from riskengine.risk.diagnostics import Interval, Segment
from riskengine.risk.diagnostics.breakdown import FeatureTable
from riskengine.risk.diagnostics.curves import Curves, Residuals
from riskengine.risk.diagnostics.judged import GLM, MEAN, MODEL
from riskengine.vocabulary import Text

ACTUAL_WORD = Text(zh="实际（95%区间）", en="actual (95% interval)")
EXPECTED_WORD = Text(zh="预期", en="expected")
DECILE = Text(zh="预期的十分位（低到高）", en="decile of expected, low to high")
PER_EXPOSURE = Text(zh="每单位风险暴露", en="per unit of exposure")


def lift_picture(curves: Sequence[Curves]) -> Chart:
    """Actual with its interval and expected by decile; A/E above."""

    def draw(axes: Any, say: Say, one: Curves) -> None:
        place = np.arange(len(one.lift))
        _actual_and_expected(axes, say, one.lift)
        for x, row in enumerate(one.lift):
            top = max(row.expected * row.ratio.high, row.expected)
            _label(axes, f"{row.ratio.mean:.2f}", x, top)
        axes.set_xticks(place, [row.levels[0] for row in one.lift])
        axes.set_xlabel(say(Text(zh=f"{DECILE.zh}；上方为A/E", en=f"{DECILE.en}; A/E on top")))
        axes.set_ylabel(say(PER_EXPOSURE))
        axes.set_ylim(bottom=0)

    return panels(curves, draw, lambda one: one.of)


def double_lift_picture(curves: Sequence[Curves]) -> Chart:
    """Actual, GLM and model in tenths by how far the model differs from the GLM."""

    def draw(axes: Any, say: Say, one: Curves) -> None:
        bands = one.double_lift or ()
        place = np.arange(len(bands))
        axes.bar(
            place,
            [b.actual for b in bands],
            0.75,
            color=ACTUAL,
            alpha=0.35,
            label=say(Text(zh="实际", en="actual")),
        )
        axes.plot(place, [b.first for b in bands], "s--", color=GLM_COLOUR, label=say(SIDES[GLM]))
        axes.plot(place, [b.second for b in bands], "o-", color=EXPECTED, label=say(SIDES[MODEL]))
        axes.set_xticks(place, [f"{b.ratio:.2f}" for b in bands])
        axes.set_xlabel(
            say(
                Text(
                    zh="模型与GLM预测之比（每组风险暴露相等）",
                    en="model over GLM, in bands of equal exposure",
                )
            )
        )
        axes.set_ylabel(say(PER_EXPOSURE))
        axes.grid(axis="x", visible=False)

    return panels([one for one in curves if one.double_lift], draw, lambda one: one.of)


def lorenz_picture(curves: Sequence[Curves]) -> Chart:
    """Lorenz curves of the actual outcome by each prediction."""

    def draw(axes: Any, say: Say, one: Curves) -> None:
        axes.plot([0, 1], [0, 1], color=QUIET, linestyle="--", label=say(SIDES[MEAN]))
        for name, style, colour in ((GLM, "--", GLM_COLOUR), (MODEL, "-", EXPECTED)):
            if name in one.lorenz:
                curve = one.lorenz[name]
                axes.plot(curve.exposure, curve.cost, style, color=colour, label=say(SIDES[name]))
        axes.set_xlabel(
            say(
                Text(
                    zh="风险暴露累计占比（预期低到高）",
                    en="share of exposure, lowest expected first",
                )
            )
        )
        axes.set_ylabel(say(Text(zh="实际结果累计占比", en="share of actual outcome")))

    return panels(curves, draw, lambda one: one.of)


def reliability_picture(curves: Sequence[Curves]) -> Chart:
    """Mean outcome against mean prediction; on the diagonal predictions mean what they say."""

    def draw(axes: Any, say: Say, one: Curves) -> None:
        expected = np.array([row.expected for row in one.reliability])
        _points(axes, expected, [row.actual for row in one.reliability], say(ACTUAL_WORD))
        ends = [expected.min(), expected.max()]
        words = say(Text(zh="完全校准", en="perfectly calibrated"))
        axes.plot(ends, ends, color=QUIET, linestyle="--", label=words)
        if expected.max() > 20 * expected.min() and all(r.actual.low > 0 for r in one.reliability):
            axes.set_xscale("log")
            axes.set_yscale("log")
        axes.set_xlabel(say(Text(zh="预期", en="expected")))
        axes.set_ylabel(say(Text(zh="实际", en="actual")))

    return panels(curves, draw, lambda one: one.of)


def ratios_picture(curves: Sequence[Curves]) -> Chart:
    """Predictive ratios, expected over actual, by decile."""

    def draw(axes: Any, say: Say, one: Curves) -> None:
        rows = [row for row in one.predictive_ratios if np.isfinite(row.ratio.high)]
        place = np.array([float(row.levels[0]) for row in rows])
        axes.axhspan(0.9, 1.1, color=QUIET, alpha=0.2, label=say(Text(zh="±10%", en="±10%")))
        axes.axhline(1, color="black", linewidth=0.8)
        words = say(Text(zh="预期与实际之比（95%区间）", en="expected over actual (95%)"))
        _points(axes, place, [row.ratio for row in rows], words)
        axes.set_xticks(np.arange(1, 11))
        axes.set_xlabel(say(DECILE))

    return panels(curves, draw, lambda one: one.of)


def residuals_picture(curves: Sequence[Curves]) -> Chart:
    """Quantile residuals against the normal law, as the distance from it, with its band."""
    shown = [(one.of, one.residuals) for one in curves if one.residuals is not None]

    def draw(axes: Any, say: Say, one: tuple[str, Residuals]) -> None:
        found = one[1]
        words = say(Text(zh="95%带（分布正确时）", en="95% band, were the law right"))
        axes.fill_between(
            found.normal, -found.band, found.band, color=QUIET, alpha=0.3, label=words
        )
        axes.plot(
            found.normal,
            found.observed - found.normal,
            ".-",
            color=EXPECTED,
            label=say(Text(zh="观测分位减正态分位", en="observed less normal")),
        )
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_xlabel(say(Text(zh="标准正态分位数", en="quantile of the standard normal")))
        axes.set_ylabel(say(Text(zh="偏离（标准差）", en="departure (deviations)")))

    return panels(shown, draw, lambda one: one[0])


def coverage_picture(rows: Sequence[DecileCoverage], asked: float) -> Chart:
    """Share of members whose year lay in its interval, by decile of expected."""

    def draw(axes: Any, say: Say, found: Sequence[DecileCoverage]) -> None:
        place = np.array([float(row.decile) for row in found])
        words = say(Text(zh="覆盖率（95%区间）", en="covered (95% interval)"))
        _points(axes, place, [row.covered for row in found], words)
        label = say(Text(zh=f"要求的{asked:.0%}", en=f"asked: {asked:.0%}"))
        axes.axhline(asked, color=EXPECTED, linestyle="--", label=label)
        axes.set_xticks(place)
        axes.set_xlabel(say(DECILE))
        least = min(row.covered.low for row in found)
        bottom = min(asked - (1 - asked), least - 0.01)
        ticks = np.arange(np.floor(20 * bottom), 21) / 20
        axes.set_yticks(ticks, [f"{tick:.0%}" for tick in ticks])
        axes.set_ylim(bottom, 1.0)

    return panels([rows], draw, None)


def periods_picture(periods: Mapping[str, Sequence[Segment]]) -> Chart:
    """A/E by period."""

    def draw(axes: Any, say: Say, one: tuple[str, Sequence[Segment]]) -> None:
        place = np.arange(len(one[1]), dtype=np.float64)
        words = say(Text(zh="A/E（95%区间）", en="A/E (95% interval)"))
        _points(axes, place, [row.ratio for row in one[1]], words)
        axes.axhline(1, color="black", linewidth=0.8)
        _ticks(axes, say, [row.levels[0] for row in one[1]], 8, 80 // len(periods))

    return panels(list(periods.items()), draw, lambda one: one[0])


def one_way_picture(tables: Sequence[FeatureTable], title: Callable[[str], Text]) -> Chart:
    """Actual with its interval and expected by the levels of each feature; bars are exposure."""

    def draw(axes: Any, say: Say, one: FeatureTable) -> None:
        weights = np.array([row.exposure for row in one.segments])
        exposure_behind(axes, np.arange(-0.5, len(weights)), weights)
        _actual_and_expected(axes, say, one.segments)
        _ticks(axes, say, [row.levels[0] for row in one.segments], 6)
        axes.tick_params(axis="y", labelsize=7)
        axes.set_title(_panel(one, title, say), fontsize=8)

    return panels(tables, draw, None, per_row=3)


def two_way_picture(tables: Sequence[FeatureTable], title: Callable[[str], Text]) -> Chart:
    """A/E by pairs of levels as heat maps; bold where the interval leaves 1 out."""

    def draw(axes: Any, say: Say, one: FeatureTable) -> None:
        rows, columns = (list(dict.fromkeys(s.levels[k] for s in one.segments)) for k in (0, 1))
        columns.sort(key=lambda name: [s.levels[1] for s in one.segments].index(name))
        columns = _in_order(one, columns)
        values = np.full((len(rows), len(columns)), np.nan)
        for segment in one.segments:
            at = rows.index(segment.levels[0]), columns.index(segment.levels[1])
            values[at] = segment.ratio.mean
            axes.text(
                at[1],
                at[0],
                f"{segment.ratio.mean:.2f}",
                ha="center",
                va="center",
                fontsize=7,
                weight="bold" if segment.ratio.distance_from_one > 0 else None,
            )
        with np.errstate(divide="ignore"):
            axes.imshow(
                np.log(values), cmap="coolwarm", vmin=-0.7, vmax=0.7, alpha=0.7, aspect="auto"
            )
        axes.set_yticks(np.arange(len(rows)), [say(level_name(n)) for n in rows], fontsize=7)
        axes.set_ylabel(say(title(one.features[0])), fontsize=8)
        _ticks(axes, say, columns, 7)
        axes.set_xlabel(say(title(one.features[1])), fontsize=8)
        axes.grid(visible=False)
        axes.set_title(one.of, fontsize=8)

    return panels(tables, draw, None, per_row=2, height=2.6)


def _in_order(table: FeatureTable, columns: list[str]) -> list[str]:
    """The second levels in the order that the fullest row has them."""
    by_row: dict[str, list[str]] = {}
    for segment in table.segments:
        by_row.setdefault(segment.levels[0], []).append(segment.levels[1])
    fullest = max(by_row.values(), key=len)
    return [*fullest, *(name for name in columns if name not in fullest)]


def _panel(table: FeatureTable, title: Callable[[str], Text], say: Say) -> str:
    name = say(title(table.features[0]))
    return f"{name} · {table.of}" if table.of else name


def _actual_and_expected(axes: Any, say: Say, rows: Sequence[Segment]) -> None:
    place = np.arange(len(rows), dtype=np.float64)
    expected = np.array([row.expected for row in rows])
    axes.plot(place, expected, "o-", color=EXPECTED, markersize=3.5, label=say(EXPECTED_WORD))
    spread = [Interval(r.actual, r.expected * r.ratio.low, r.expected * r.ratio.high) for r in rows]
    _points(axes, place, spread, say(ACTUAL_WORD))


def _points(axes: Any, x: Any, rows: Sequence[Interval], label: str) -> None:
    """Points with their intervals."""
    middle = np.array([row.mean for row in rows])
    low, high = np.array([row.low for row in rows]), np.array([row.high for row in rows])
    reach = np.maximum(np.nan_to_num(np.array([middle - low, high - middle])), 0)
    axes.errorbar(
        x,
        middle,
        reach,
        fmt="o",
        color=ACTUAL,
        capsize=2.5,
        markersize=4.5,
        linewidth=1.2,
        label=label,
    )


def _ticks(axes: Any, say: Say, names: Sequence[str], size: int, room: int = 32) -> None:
    """Names of levels, aslant where they have more letters than there is room for."""
    words = [say(level_name(name)) for name in names]
    long = sum(map(len, words)) > room
    axes.set_xticks(
        np.arange(len(words)),
        words,
        fontsize=size,
        rotation=55 if long else 0,
        ha="right" if long else "center",
        rotation_mode="anchor",
    )


def _label(axes: Any, text: str, x: float, y: float) -> None:
    axes.annotate(text, (x, y), ha="center", xytext=(0, 3), textcoords="offset points", fontsize=8)
