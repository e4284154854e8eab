"""The report of one run: a single HTML file with everything in it, in both languages."""

from dataclasses import dataclass
from pathlib import Path

import jinja2

from riskengine.vocabulary import Text

STEP_NAMES = {
    "pure_premium": Text(zh="纯保费", en="pure\npremium"),
    "trend_factor": Text(zh="趋势", en="trend"),
    "actuarial_value": Text(zh="计划承担\n比例", en="actuarial\nvalue"),
    "induced_utilisation": Text(zh="就医行为\n变化", en="induced\nutilisation"),
    "fixed_expense": Text(zh="固定费用", en="fixed\nexpense"),
    "permissible_loss_ratio": Text(zh="附加费率", en="loadings"),
    "offered_premium": Text(zh="报价保费", en="offered\npremium"),
}


@dataclass(frozen=True)
class Table:
    """A table of the report: headings and rows of cells, in both languages where text."""

    headings: tuple[Text, ...]
    rows: tuple[tuple[Text | str, ...], ...]


@dataclass(frozen=True)
class Section:
    """One part of the report: words, then an optional table, then an optional chart by language."""

    title: Text
    words: Text
    table: Table | None = None
    chart: dict[str, str] | None = None


def render_report(title: Text, lead: Text, sections: list[Section]) -> str:
    """The report as one self-contained HTML page with a language switch that needs no script."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html.jinja")
    return template.render(title=title, lead=lead, sections=sections)
