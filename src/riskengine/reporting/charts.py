"""Charts as SVG text, in either language; the numbers come from `riskengine.risk.diagnostics`.

Fonts stay text, so that a browser draws Chinese with its own; equal input gives equal bytes. What
is drawn is drawn when it is asked for: a notebook needs one language, a report both.
"""

import hashlib
import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from riskengine.pricing.premium import PremiumChain
from riskengine.profiles.drift import SHIFTED, STABLE
from riskengine.recommendation.value import Worth
from riskengine.risk.diagnostics import gini, lift_table, lorenz_curve
from riskengine.vocabulary import FloatArray, Operation, Text

A_YEAR = Text(zh="每年", en="a year")
ACTUAL, EXPECTED, QUIET, GLM_COLOUR = "#c2410c", "#1d4ed8", "#94a3b8", "#15803d"
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "riskengine",
    "font.family": ["DejaVu Sans"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e2e8f0",
    "axes.axisbelow": True,
    "font.size": 10,
}
Say = Callable[[Text], str]
Drawing = Callable[[Any, Say], None]
LANGUAGES = ("en", "zh")
_T = TypeVar("_T")
_WIDEST_DRIFT = 1.0
"""PSI at which a bar stops; the number beside it goes on."""


class Chart(Mapping[str, str]):
    """A drawing of `width` x `height` inches as an SVG element by language, `en` and `zh`.

    A notebook shows the English one.

    >>> chart = render(lambda axes, say: axes.set_title(say(Text(zh="费用", en="cost"))))
    >>> list(chart), ">cost<" in chart["en"], ">费用<" in chart["zh"]
    (['en', 'zh'], True, True)
    """

    def __init__(self, draw: Drawing, width: float, height: float) -> None:
        self._draw, self._size = draw, (width, height)
        self._drawn: dict[str, str] = {}

    def __getitem__(self, language: str) -> str:
        if language not in LANGUAGES:
            raise KeyError(language)
        if language not in self._drawn:
            self._drawn[language] = _svg(self._draw, language, *self._size)
        return self._drawn[language]

    def __iter__(self) -> Iterator[str]:
        return iter(LANGUAGES)

    def __len__(self) -> int:
        return len(LANGUAGES)

    def _repr_html_(self) -> str:
        return self["en"]


def lift_chart(actual: FloatArray, expected: FloatArray, exposure: FloatArray) -> Chart:
    """Mean actual and expected by decile of expected, with A/E above each pair."""
    rows = lift_table(actual, expected, exposure)

    def draw(axes: Any, say: Say) -> None:
        place = np.arange(len(rows))
        axes.bar(
            place - 0.2,
            [r["actual"] for r in rows],
            0.4,
            color=ACTUAL,
            label=say(Text(zh="实际", en="actual")),
        )
        axes.bar(
            place + 0.2,
            [r["expected"] for r in rows],
            0.4,
            color=EXPECTED,
            label=say(Text(zh="预期", en="expected")),
        )
        for x, row in enumerate(rows):
            top = max(row["actual"], row["expected"])
            _label(axes, f"{row['actual_over_expected']:.2f}", x, top)
        axes.set_xticks(place, [f"{int(r['band'])}" for r in rows])
        axes.set_xlabel(
            say(
                Text(
                    zh="预期费用十分位（低到高），柱上为A/E",
                    en="decile of expected cost, low to high; A/E on top",
                )
            )
        )
        axes.set_ylabel(say(Text(zh="每年费用", en="cost a year")))
        axes.grid(axis="x", visible=False)
        axes.legend(frameon=False)

    return render(draw)


def lorenz_chart(
    actual: FloatArray, expected: Mapping[str, FloatArray], exposure: FloatArray
) -> Chart:
    """Lorenz curves of actual cost, ordered by each named prediction, with Gini indices."""

    def draw(axes: Any, say: Say) -> None:
        axes.plot(
            [0, 1],
            [0, 1],
            color=QUIET,
            linestyle="--",
            label=say(Text(zh="均值（基尼0）", en="mean (Gini 0)")),
        )
        for (name, prediction), color in zip(
            expected.items(), (EXPECTED, ACTUAL, GLM_COLOUR), strict=False
        ):
            x, y = lorenz_curve(actual, prediction, exposure)
            keep = np.unique(np.linspace(0, len(x) - 1, 300).astype(int))
            label = f"{name} (Gini {gini(actual, prediction, exposure):.3f})"
            axes.plot(x[keep], y[keep], color=color, label=label)
        axes.set_xlabel(
            say(
                Text(
                    zh="风险暴露累计占比（预期低到高）",
                    en="share of exposure, lowest expected first",
                )
            )
        )
        axes.set_ylabel(say(Text(zh="实际费用累计占比", en="share of actual cost")))
        axes.legend(frameon=False)

    return render(draw)


_EXPIRING = Text(zh="到期保费", en="expiring premium")


def dislocation_chart(
    change: FloatArray, against: Text = _EXPIRING, policies: FloatArray | None = None
) -> Chart:
    """Histogram of premium changes (n,), as shares of the premium they are `against`.

    `policies` (n,) says how many have each change; one each where it is left out.
    """
    edges = np.concatenate([np.arange(-0.8, 1.01, 0.1), [np.inf]])

    def draw(axes: Any, say: Say) -> None:
        counts, _ = np.histogram(np.clip(change, -0.8, None), edges, weights=policies)
        colors = [EXPECTED if left < -1e-9 else ACTUAL for left in edges[:-1]]
        axes.bar(np.arange(len(counts)), counts, 1.0, align="edge", color=colors, edgecolor="white")
        ticks = np.arange(0, len(counts) + 1, 3)
        labels = [f"{100 * edges[t]:+.0f} %" if np.isfinite(edges[t]) else "" for t in ticks]
        axes.set_xticks(ticks, labels)
        axes.set_xlabel(
            say(
                Text(
                    zh=f"相对{against.zh}的变化（最右一组为+100%及以上）",
                    en=f"change from the {against.en}; last bar: +100 % and more",
                )
            )
        )
        axes.set_ylabel(say(Text(zh="保单数", en="policies")))
        axes.grid(axis="x", visible=False)

    return render(draw)


def waterfall_chart(chain: PremiumChain, names: Mapping[str, Text], row: int = 0) -> Chart:
    """The premium of one member from pure premium to offered premium, step by step."""
    shown = [s for s in chain.steps if s.operation is not Operation.ROUND]

    def draw(axes: Any, say: Say) -> None:
        before = 0.0
        for place, step in enumerate(shown):
            after = float(step.running[row])
            color = QUIET if place == 0 else (ACTUAL if after > before else EXPECTED)
            axes.bar(place, abs(after - before), 0.7, min(before, after), color=color)
            sign = "" if place == 0 else "+" if after >= before else "\N{MINUS SIGN}"
            words = f"{sign}{abs(after - before):,.0f}"
            _label(axes, words, place, max(before, after))
            before = after
        total = float(chain.offered_cents[row]) / 100
        axes.bar(len(shown), total, 0.7, color=GLM_COLOUR)
        _label(axes, f"{total:,.2f}", len(shown), total)
        labels = [say(names[s.name]) for s in shown] + [say(names["offered_premium"])]
        axes.set_xticks(np.arange(len(labels)), labels)
        axes.set_ylabel(say(A_YEAR))
        axes.grid(axis="x", visible=False)

    return render(draw, width=9.0)


def plans_chart(items: Sequence[Worth]) -> Chart:
    """For each ranked plan: what it costs the member a year, expected and in a bad year."""
    return render(lambda axes, say: _draw_plans(axes, say, items), width=9.0)


def _draw_plans(axes: Any, say: Say, items: Sequence[Worth]) -> None:
    place = np.arange(len(items))
    premium = np.array([item.premium for item in items])
    expected = np.array([float(item.priced.expected_out_of_pocket[0]) for item in items])
    bad = np.array([item.bad_year_with for item in items])
    own_bad = Text(zh="十年一遇年份的自付", en="own share in the dearest of ten years")
    bars = (
        (-0.21, premium, 0.0, EXPECTED, 1.0, Text(zh="保费", en="premium")),
        (-0.21, expected, premium, ACTUAL, 1.0, Text(zh="预计自付", en="expected own share")),
        (0.21, premium, 0.0, EXPECTED, 0.55, None),
        (0.21, bad, premium, ACTUAL, 0.55, own_bad),
    )
    for shift, height, bottom, color, alpha, label in bars:
        axes.bar(place + shift, height, 0.38, bottom, color=color, alpha=alpha,
                 label=say(label) if label else None)  # fmt: skip
    for shift, total in ((-0.21, premium + expected), (0.21, premium + bad)):
        for x, value in zip(place, total, strict=True):
            _label(axes, f"{value:,.0f}", x + shift, value)
    without = items[0].bad_year_without
    axes.axhline(without, color=QUIET, linestyle="--")
    words = say(Text(zh="无保险时十年一遇年份的费用", en="dearest of ten years, no cover"))
    _label(axes, words, len(items) - 0.95, without)
    names = [f"{rank}. {say(item.priced.plan.name)}" for rank, item in enumerate(items, start=1)]
    axes.set_xticks(place, names)
    axes.set_ylabel(say(A_YEAR))
    axes.set_ylim(top=1.3 * max(without, float((premium + bad).max())))
    axes.grid(axis="x", visible=False)
    axes.legend(frameon=False, loc="upper left", ncols=3, fontsize=9)


def _label(axes: Any, text: str, x: float, y: float) -> None:
    """A small text just above a point."""
    axes.annotate(text, (x, y), ha="center", xytext=(0, 3), textcoords="offset points", fontsize=9)


def relativity_chart(labels: Sequence[Text], relativities: Sequence[float]) -> Chart:
    """One member's relativities, largest effect on top, on a log axis."""
    order = np.argsort(np.abs(np.log(relativities)))

    def draw(axes: Any, say: Say) -> None:
        for place, index in enumerate(order):
            value = float(relativities[index])
            axes.barh(place, np.log(value), 0.7, color=ACTUAL if value > 1 else EXPECTED)
            axes.annotate(
                f"{value:.3f}",
                (np.log(value), place),
                va="center",
                ha="left" if value > 1 else "right",
                xytext=(4 if value > 1 else -4, 0),
                textcoords="offset points",
                fontsize=9,
            )
        axes.set_yticks(np.arange(len(order)), [say(labels[i]) for i in order])
        axes.axvline(0, color="black", linewidth=0.8)
        axes.margins(x=0.15)
        ticks = np.array([0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0])
        low, high = axes.get_xlim()
        ticks = ticks[(np.log(ticks) >= low) & (np.log(ticks) <= high)]
        axes.set_xticks(np.log(ticks), [f"{t:g}" for t in ticks])
        axes.set_xlabel(say(Text(zh="系数（乘以基准）", en="relativity on the base")))
        axes.grid(axis="y", visible=False)

    return render(draw, height=4.6)


def drift_chart(names: Sequence[Text], indices: Sequence[float]) -> Chart:
    """Population stability indices of features, in their order, with the customary limits."""
    shown = np.minimum(np.nan_to_num(np.asarray(indices, dtype=np.float64)), _WIDEST_DRIFT)

    def draw(axes: Any, say: Say) -> None:
        place = np.arange(len(names))[::-1]
        colours = [ACTUAL if i > SHIFTED else EXPECTED if i > STABLE else QUIET for i in indices]
        axes.barh(place, shown, 0.7, color=colours)
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        for height, end, index in zip(place, shown, indices, strict=True):
            axes.annotate(f"{index:.3f}", (end, height), va="center", xytext=(4, 0),
                          textcoords="offset points", fontsize=8, bbox=paper)  # fmt: skip
        axes.set_yticks(place, [say(name) for name in names])
        axes.axvline(STABLE, color="black", linewidth=0.8, linestyle=":")
        axes.axvline(SHIFTED, color="black", linewidth=0.8, linestyle="--")
        axes.set_xlim(0, 1.15 * max(SHIFTED, *shown))
        axes.set_xlabel("PSI")
        axes.grid(axis="y", visible=False)

    return render(draw, height=max(1.6, 0.28 * len(names) + 0.8))


def exposure_behind(axes: Any, edges: FloatArray, exposure: FloatArray) -> None:
    """Exposure between `edges` (n + 1,) as pale bars over the lower third of a panel."""
    height = exposure / max(float(exposure.max()), 1e-12) / 3
    axes.bar(edges[:-1], height, 0.95 * np.diff(edges), align="edge", color=QUIET, alpha=0.3,
             transform=axes.get_xaxis_transform())  # fmt: skip


def panels(
    items: Sequence[_T],
    draw: Callable[[Any, Say, _T], None],
    name: Callable[[_T], str] | None,
    per_row: int = 2,
    height: float = 2.2,
) -> Chart:
    """One panel an item, the legend above all; a single item fills the chart."""
    per_row = min(per_row, len(items))
    lines = -(-len(items) // per_row)

    def fill(axes: Any, say: Say) -> None:
        figure = axes.figure
        axes.remove()
        grid = np.atleast_1d(figure.subplots(lines, per_row)).ravel()
        for panel, item in zip(grid, items, strict=False):
            draw(panel, say, item)
            if name is not None and name(item):
                panel.set_title(name(item), fontsize=9)
        for panel in grid[len(items) :]:
            panel.remove()
        handles, labels = grid[0].get_legend_handles_labels()
        if handles:
            figure.legend(
                handles,
                labels,
                frameon=False,
                loc="outside upper center",
                ncols=len(labels),
                fontsize=9,
            )

    return render(
        fill,
        width=7.2 if per_row == 1 else 9.0,
        height=3.8 if len(items) == 1 else height * lines + 0.4,
    )


def render(draw: Drawing, width: float = 7.2, height: float = 3.6) -> Chart:
    """The drawing as an SVG element, by language."""
    return Chart(draw, width, height)


def _svg(draw: Drawing, language: str, width: float, height: float) -> str:
    with warnings.catch_warnings(), rc_context(_STYLE):
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure.subplots(), lambda text: str(getattr(text, language)))
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace("'DejaVu Sans'", "system-ui, sans-serif")
    return _unique_ids(svg, hashlib.sha256(svg.encode("utf-8")).hexdigest()[:8])


def _unique_ids(svg: str, prefix: str) -> str:
    """Prefix ids and the references to them: one page holds many charts."""
    return (
        svg.replace('id="', f'id="c{prefix}-')
        .replace("url(#", f"url(#c{prefix}-")
        .replace('href="#', f'href="#c{prefix}-')
    )
