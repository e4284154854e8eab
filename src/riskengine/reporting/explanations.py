"""Charts of what drives a model: importance, and how its mean follows one feature or two.

The numbers come from `riskengine.risk.explain`. Features are shown by their labels where there are
any, else by their column names.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from riskengine.reporting.charts import (
    ACTUAL,
    EXPECTED,
    GLM_COLOUR,
    Chart,
    Say,
    exposure_behind,
    panels,
    render,
)
from riskengine.reporting.risk_words import short
from riskengine.risk.explain import Importance, PartialDependence
from riskengine.vocabulary import AnyArray, FloatArray, Text

MOST_BARS = 20
_MISSING = Text(zh="缺失", en="missing")
_COLORS = (EXPECTED, ACTUAL, GLM_COLOUR, "#7c3aed", "#0e7490", "#a16207")
_LONGEST = 18


def importance_chart(importance: Importance, labels: Mapping[str, Text] | None = None) -> Chart:
    """Bars of the share of what the model explains, most important feature or family on top.

    Beside each bar stands the mean absolute effect on the scale of the link. Of many, the twenty
    most important are shown.
    """
    shown = min(len(importance.names), MOST_BARS)

    def draw(axes: Any, say: Say) -> None:
        place = np.arange(shown)[::-1]
        share = 100 * importance.share[:shown]
        axes.barh(place, share, 0.7, color=[EXPECTED if one >= 0 else ACTUAL for one in share])
        for at, one, effect in zip(place, share, importance.effect[:shown], strict=True):
            axes.annotate(
                f"{effect:.3f}",
                (max(one, 0.0), at),
                va="center",
                xytext=(4, 0),
                textcoords="offset points",
                fontsize=9,
            )
        axes.set_yticks(place, [_named(name, labels, say) for name in importance.names[:shown]])
        axes.axvline(0, color="black", linewidth=0.8)
        axes.margins(x=0.12)
        axes.set_xlabel(
            say(
                Text(
                    zh="占模型所解释方差的百分比，条旁为平均绝对影响（连接尺度）",
                    en="% of the variance explained; beside: mean absolute effect, link scale",
                )
            )
        )
        axes.grid(axis="y", visible=False)

    return render(draw, height=1.2 + 0.3 * shown)


def partial_dependence_chart(
    found: PartialDependence, labels: Mapping[str, Text] | None = None
) -> Chart:
    """The relativity to the average by the values of one feature, exposure as bars behind.

    A number is a line, with missing as a point to its right; levels are points; classes of
    `multiclass` a line or points each. Of two features this is `heat_map`.
    """
    if len(found.features) == 2:
        return heat_map(found, labels)
    return partial_dependence_panels([found], labels)


def partial_dependence_panels(
    found: Sequence[PartialDependence], labels: Mapping[str, Text] | None = None
) -> Chart:
    """The same for several single features, a panel each."""
    many = len(found) > 1

    def draw(axes: Any, say: Say, one: PartialDependence) -> None:
        (_draw_levels if one.points[0].dtype == object else _draw_line)(axes, say, one)
        axes.axhline(1, color="black", linewidth=0.8)
        name = _named(one.features[0], labels, say)
        if many:
            axes.set_title(name, fontsize=8)
            axes.tick_params(labelsize=7)
        else:
            axes.set_xlabel(name)
            axes.set_ylabel(say(_relativity(one)))
        axes.grid(axis="x", visible=False)

    return panels(found, draw, None, per_row=3)


def heat_map(
    found: PartialDependence, labels: Mapping[str, Text] | None = None, which: int = 0
) -> Chart:
    """Relativities to the average by two features; of `multiclass`, those of one class."""
    relativities = found.relativities[..., which] if found.classes else found.relativities
    log = np.log(relativities)
    most = max(float(np.abs(log).max()), 1e-6)

    def draw(axes: Any, say: Say) -> None:
        mesh = axes.imshow(
            log.T, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", origin="lower"
        )
        if log.size <= 120:
            for x, y in np.ndindex(*log.shape):
                bright = abs(log[x, y]) > 0.6 * most
                axes.text(x, y, f"{relativities[x, y]:.2f}", ha="center", va="center",
                          fontsize=8, color="white" if bright else "black")  # fmt: skip
        for set_ticks, points in zip((axes.set_xticks, axes.set_yticks), found.points, strict=True):
            kept = np.unique(np.linspace(0, len(points) - 1, min(len(points), 10)).astype(int))
            set_ticks(kept, [_value(points[at], say) for at in kept])
        axes.set_xlabel(_named(found.features[0], labels, say))
        axes.set_ylabel(_named(found.features[1], labels, say))
        axes.grid(visible=False)
        bar = axes.figure.colorbar(mesh, ax=axes)
        ticks = np.linspace(-most, most, 5)
        bar.set_ticks(ticks, labels=[f"{tick:.2f}" for tick in np.exp(ticks)])
        words = say(_relativity(found))
        bar.set_label(f"{words}, {found.classes[which]}" if found.classes else words)

    return render(draw, height=4.6)


def _draw_line(axes: Any, say: Say, found: PartialDependence) -> None:
    points = found.points[0].astype(np.float64)
    values = found.relativities.reshape(len(points), -1)
    known = ~np.isnan(points)
    x = points[known]
    span = float(np.ptp(x)) if len(x) > 1 else 1.0
    right = (float(x.max()) if len(x) else 0.0) + 0.08 * span
    exposure_behind(axes, _between(np.where(known, points, right)), found.exposure[0])
    for place, (color, name) in enumerate(_series(found)):
        axes.plot(x, values[known, place], color=color, marker="o", markersize=3, label=name)
        if not known.all():
            axes.plot([right], values[~known, place], color=color, marker="D", linestyle="")
    if not known.all():
        axes.annotate(say(_MISSING), (right, values[~known].max()), ha="center", fontsize=8,
                      xytext=(0, 6), textcoords="offset points")  # fmt: skip


def _draw_levels(axes: Any, say: Say, found: PartialDependence) -> None:
    place = np.arange(len(found.points[0]))
    exposure_behind(axes, np.arange(-0.5, len(place)), found.exposure[0])
    values = found.relativities.reshape(len(place), -1)
    for column, (color, name) in zip(values.T, _series(found), strict=True):
        axes.plot(place, column, color=color, marker="D", linestyle="", label=name)
    names = [_value(point, say) for point in found.points[0]]
    aslant = len(names) > 8 or sum(map(len, names)) > 30
    axes.set_xticks(place, names, rotation=60 if aslant else 0, ha="right" if aslant else "center",
                    rotation_mode="anchor")  # fmt: skip


def _between(points: FloatArray) -> FloatArray:
    """Edges of intervals around rising points, from middle to middle."""
    middle = (points[1:] + points[:-1]) / 2
    step = middle[:1] - points[:1] if len(middle) else np.full(1, 0.5)
    last = points[-1:] - middle[-1:] if len(middle) else step
    return np.concatenate([points[:1] - step, middle, points[-1:] + last])


def _series(found: PartialDependence) -> list[tuple[str, str | None]]:
    """Colour and name of each line: of classes several, else one."""
    if not found.classes:
        return [(EXPECTED, None)]
    return [(_COLORS[at % len(_COLORS)], name) for at, name in enumerate(found.classes)]


def _relativity(found: PartialDependence) -> Text:
    if found.odds:
        return Text(zh="优势比（相对平均）", en="odds relative to the average")
    return Text(zh="系数（相对平均）", en="relativity to the average")


def _named(name: str, labels: Mapping[str, Text] | None, say: Say) -> str:
    return say(labels[name]) if labels and name in labels else name


def _value(point: AnyArray | str | float | None, say: Say) -> str:
    if point is None or point != point:
        return say(_MISSING)
    text = point if isinstance(point, str) else short(float(point))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
