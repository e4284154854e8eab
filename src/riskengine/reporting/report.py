"""The report of one run: a single HTML file with everything in it, in both languages."""

from dataclasses import dataclass
from pathlib import Path

import jinja2

from riskengine.reporting.charts import Chart
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
    """One part of the report: words, then an optional table, then an optional chart by language.

    A notebook shows it in English; `html` gives it in either language.
    """

    title: Text
    words: Text
    table: Table | None = None
    chart: Chart | None = None

    def html(self, language: str) -> str:
        """The section as a piece of HTML in one language, `en` or `zh`.

        >>> told = Section(Text(zh="水平", en="Level"), Text(zh="A/E为1。", en="A/E is 1."))
        >>> told.html("en")
        '<h4>Level</h4>\\n<p>A/E is 1.</p>\\n'
        """
        template = _environment().get_template("section.html.jinja")
        return template.render(section=self, language=language)

    def _repr_html_(self) -> str:
        return self.html("en")


def render_report(title: Text, lead: Text, sections: list[Section]) -> str:
    """The report as one self-contained HTML page with a language switch that needs no script."""
    template = _environment().get_template("report.html.jinja")
    return template.render(title=title, lead=lead, sections=sections)


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
