"""The shipped catalogues: complete in both languages, and broken ones refused with their line."""

import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from riskengine.errors import SpecError
from riskengine.products.benefit import HospitalCash, LumpSum, MedicalBenefit
from riskengine.products.load import read_catalogue, shipped
from riskengine.products.product import Catalogue, Plan
from riskengine.products.suitability import Need, Suitability

CATALOGUES = {market: read_catalogue(shipped(market)) for market in ("cn", "us_aca", "study")}


@pytest.mark.parametrize(
    "plan", [p for c in CATALOGUES.values() for p in c.plans], ids=lambda p: p.plan
)
def test_every_plan_tells_its_own_terms_in_both_languages(plan: Plan) -> None:
    for text in (plan.name, plan.summary, plan.exclusions, plan.how_to_claim):
        assert "{" not in text.zh + text.en
        assert 0 < len(text.en) <= 220
        assert any("\u4e00" <= letter <= "\u9fff" for letter in text.zh)


def test_china_sells_nine_products_of_every_kind() -> None:
    catalogue = CATALOGUES["cn"]
    products = {plan.product for plan in catalogue.plans}
    assert products == {
        "million_medical", "city_supplement", "outpatient", "outpatient_drugs", "hospital_cash",
        "surgery", "critical_illness", "cancer", "accident",
    }  # fmt: skip
    kinds = {benefit.kind for plan in catalogue.plans for benefit in plan.benefits.values()}
    assert kinds == {
        "medical_expense", "outpatient_drugs", "hospital_cash", "surgery", "critical_illness",
        "accident",
    }  # fmt: skip
    cash = catalogue.plan("hospital_cash_200").benefits["cash"]
    assert isinstance(cash, HospitalCash)
    assert (cash.amount_per_day, cash.waiting_days_per_stay) == (200, 3)
    assert "200 yuan for each day" in catalogue.plan("hospital_cash_200").summary.en
    illness = catalogue.plan("critical_illness_500k").benefits["illness"]
    assert isinstance(illness, LumpSum)
    assert [stage.share for stage in illness.stages] == [0.3, 0.6, 1.0]
    assert "确诊重症给付500,000元" in catalogue.plan("critical_illness_500k").summary.zh


def test_metal_tiers_get_richer_term_by_term() -> None:
    benefits = [plan.benefits["care"] for plan in CATALOGUES["us_aca"].plans]
    assert [plan.plan for plan in CATALOGUES["us_aca"].plans] == [
        "bronze", "silver", "gold", "platinum",
    ]  # fmt: skip
    for lean, rich in pairwise(benefits):
        assert isinstance(lean, MedicalBenefit)
        assert isinstance(rich, MedicalBenefit)
        assert lean.deductible > rich.deductible
        assert lean.coinsurance > rich.coinsurance
        assert (lean.out_of_pocket_maximum or 0) > (rich.out_of_pocket_maximum or 0)
        for service, terms in lean.services.items():
            assert terms.copay >= rich.services[service].copay
            assert lean.coinsurance_of(service) >= rich.coinsurance_of(service)


def test_a_plan_of_services_is_not_taken_for_a_share_of_all_spend() -> None:
    with pytest.raises(SpecError, match="plan gold is more than one share of medical spend"):
        _ = CATALOGUES["us_aca"].plan("gold").benefit
    assert CATALOGUES["study"].plan("high_deductible").benefit.deductible == 200


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("critical_illness.yaml", "share: 0.6", "share: 0.2", "0.2 of the sum insured, less than"),
        ("critical_illness.yaml", "stage: early", "stage: severe", "name one twice"),
        ("critical_illness.csv", "300000", "", ":3: illness.sum_insured is empty: write its"),
        ("critical_illness.csv", "300000", "many", "critical_illness.csv:3: benefits.illness"),
        ("critical_illness.csv", ",300000", "", ":3: critical_illness_300k,重疾险30万元"),
        ("critical_illness.csv", "sum_insured", "sum_assured", "csv:2: benefits.illness"),
        ("critical_illness.csv", "name_zh,", "name,", ":1: columns plan, name, name_en"),
        ("critical_illness.csv", "_300k", "_100k", "more than one plan is called critical_illness"),
        ("outpatient_drugs.yaml", ", en: Outpatient drugs", "", ":4: name.en is missing: add it"),
        ("critical_illness.yaml", "  en: We pay", "  de: We pay", ":6: summary.de is not known"),
        ("critical_illness.yaml", "{illness.sum_insured} yuan", "{sum} yuan", "no number {sum}"),
        ("hospital_cash.yaml", "stay: 90", "stay: 200", "can never be reached within"),
        ("outpatient.yaml", "peril: outpatient", "peril: surgery", "not for surgery"),
        ("city_supplement.yaml", "drug:", "dental:", "city_supplement.yaml:21: "),
        ("million_medical.csv", ",10000", ",-1", "million_medical.csv:3: "),
        ("cancer.yaml", "needs: [grave_", "needs: [rare_", "cancer.yaml:23: suitability.needs.0="),
        (
            "cancer.yaml",
            "[online, app",
            "[fax, app",
            "cancer.yaml:24: suitability.channels.0='fax'",
        ),
        ("cancer.yaml", "[online, app", "[app, app", ": channels lists app twice: keep one"),
        (
            "critical_illness.yaml",
            "[cancer]",
            "[tumour]",
            "critical_illness.yaml:27: suitability.supersedes.0='tumour' is no other product",
        ),
        (
            "outpatient_drugs.yaml",
            "[million_medical, ",
            "[outpatient_drugs, ",
            "requires.0='outpat",
        ),
    ],
)
def test_a_broken_product_is_refused_with_file_line_value_and_fix(
    tmp_path: Path, file: str, old: str, new: str, message: str
) -> None:
    market = Path(shutil.copytree(shipped("cn"), tmp_path / "cn"))
    path = market / "products" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        read_catalogue(market)
    assert message in str(caught.value)


def test_what_products_are_for_and_whom_they_are_sold_to() -> None:
    for market in ("cn", "us_aca"):
        for plan in CATALOGUES[market].plans:
            assert plan.suitability.needs, plan.plan
    assert {n for p in CATALOGUES["cn"].plans for n in p.suitability.needs} == set(Need)
    cancer = CATALOGUES["cn"].plan("cancer_100k").suitability
    illness = CATALOGUES["cn"].plan("critical_illness_100k").suitability
    assert cancer.exclusive_group == illness.exclusive_group == "grave_illness"
    assert illness.supersedes == ("cancer",)
    assert CATALOGUES["study"].plan("free_care").suitability == Suitability()
    assert Catalogue.model_validate_json(CATALOGUES["cn"].model_dump_json()) == CATALOGUES["cn"]
