import re

import numpy as np
import pyarrow as arrow
import pyarrow.compute as pc
import pytest

from riskengine.reporting.report import Section, render_report
from riskengine.reporting.risk import lead_of, risk_sections
from riskengine.reporting.risk_words import level_name, number, told
from riskengine.risk.diagnose import Diagnosis, diagnose
from riskengine.risk.diagnostics import Interval
from riskengine.risk.fit import fit
from riskengine.risk.spec import FeatureSection, FoldSection, Kind
from riskengine.vocabulary import Text
from tests.risk.books import book, spec

TITLES = {"age": Text(zh="年龄", en="age in years")}


@pytest.fixture(scope="module", params=[Kind.TWEEDIE, Kind.MULTICLASS])
def diagnosis(request: pytest.FixtureRequest) -> Diagnosis:
    table = book(500, seed=3, towns=4)
    rich = pc.equal(table["plan"], "rich")  # two classes are enough to draw
    plan = pc.if_else(rich, "rich", "lean")
    table = table.set_column(table.schema.names.index("plan"), "plan", plan)
    table = table.append_column("year", arrow.array(2020 + np.arange(500) % 3))
    few = FeatureSection(numeric=("age",), categorical=("region",))
    small = spec(request.param).model_copy(update={"folds": FoldSection(count=3), "features": few})
    return diagnose(fit(small, table), table, groups=("region",), time="year", draws=20)


@pytest.fixture(scope="module")
def sections(diagnosis: Diagnosis) -> list[Section]:
    return risk_sections(diagnosis, TITLES)


def test_every_part_is_there_in_both_languages(
    diagnosis: Diagnosis, sections: list[Section]
) -> None:
    titles = [section.title.en for section in sections]
    for title in (
        "Against a GLM and the mean",
        "Before reading on",
        "Lift",
        "Double lift: model and GLM",
        "Lorenz curves",
        "Reliability and Murphy decomposition",
        "Actual and expected by feature",
        "A/E by pairs of features",
        "Predictive ratios by decile",
        "Quantile residuals",
        "The worst segment",
        "Consistency over time",
        "Actual and expected by fold",
        "Drift of features",
    ):
        assert title in titles
    fairness = [title for title in titles if title.startswith("Fairness")]
    assert len(fairness) == len(diagnosis.curves)
    for section in sections:
        assert re.search("[一-鿿]", section.words.zh), section.title.en
        assert not re.search("[一-鿿]", section.words.en + section.title.en)
        if section.chart is not None:
            assert set(section.chart) == {"en", "zh"}


def test_held_out_figures_say_what_they_chose(diagnosis: Diagnosis) -> None:
    chose = [note for note in diagnosis.notes if "also chose the model's shares" in note.en]
    assert len(chose) == 1
    assert "cross_fit" in chose[0].zh


def test_the_headline_table_holds_the_figures(
    diagnosis: Diagnosis, sections: list[Section]
) -> None:
    table = sections[0].table
    assert table is not None
    assert [heading.en for heading in table.headings] == ["figure", "model", "GLM", "mean"]
    first = table.rows[0]
    assert first[1] == told(diagnosis.headline["model"].deviance)
    assert first[3] == told(diagnosis.headline["mean"].deviance)
    last = table.rows[-1]
    assert last[1:] == ("–", *(told(gain) for gain in diagnosis.advantage.values()))


def test_pictures_name_features_and_the_page_holds_all(
    diagnosis: Diagnosis, sections: list[Section]
) -> None:
    chart = next(s.chart for s in sections if s.title.en == "Actual and expected by feature")
    assert chart is not None
    assert ">age in years" in chart["en"]
    assert ">年龄" in chart["zh"]
    page = render_report(Text(zh="诊断", en="Diagnosis"), lead_of(diagnosis), sections)
    assert page.count("<section>") == len(sections)
    assert page.count("<figure") == 2 * sum(s.chart is not None for s in sections)
    assert f"{diagnosis.about.rows:,} rows" in page


def test_a_notebook_shows_a_section_in_one_language(sections: list[Section]) -> None:
    first = sections[0]
    assert first.table is not None
    english, chinese = first.html("en"), first.html("zh")
    assert first._repr_html_() == english
    assert english.count("<tr>") == chinese.count("<tr>") == 1 + len(first.table.rows)
    assert ">mean deviance, low is good</td>" in english
    assert ">平均偏差（低为好）</td>" in chinese
    assert not re.search("[一-鿿]", english)
    drawn = next(s for s in sections if s.chart is not None)
    assert drawn.chart is not None
    assert drawn.chart["zh"] in drawn.html("zh")
    assert drawn.chart._repr_html_() == drawn.chart["en"]
    with pytest.raises(KeyError):
        drawn.chart["fr"]


def test_words_of_a_verdict() -> None:
    assert told(Interval(1.0, float("nan"), 2.0)) == "1.000 (–, 2.000)"
    assert number(-1e-9) == "0.000"
    assert level_name("0 to 0").zh == "0"
    assert level_name("1200.4 to 3000").en == "1,200–3,000"
    assert level_name("900.4 to 999.95").en == "900–1,000"
    assert level_name("close to home").en == "close–home"
