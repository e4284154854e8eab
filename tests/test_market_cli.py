"""The commands of markets on the kept releases, as a user types them."""

import json
from typing import Any

from typer.testing import CliRunner, Result

from riskengine.cli.app import app
from tests.golden.market_releases import kept_release

MEMBER = {
    "age": 41, "sex": "female", "social_insurance": "yes", "rating_area": "first_tier",
    "occupation_class": "class_1", "cancer_history": "no", "diabetes": "no",
    "thyroid_nodule": "none", "body_mass_index": 23, "glycated_haemoglobin": 5.2,
    "systolic_pressure": 118,
}  # fmt: skip


def run(command: str, *more: str, market: str = "cn") -> Result:
    given = [command, "--release", str(kept_release(market)), "--as-of", "2026-07-01", *more]
    return CliRunner().invoke(app, given)


def told(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.output)
    return found


def test_a_quote_of_a_market_names_edition_decision_and_every_step() -> None:
    quote = told(run("quote", "--answers", json.dumps(MEMBER), "--plan", "cancer_200k"))
    assert (quote["market"], quote["edition"], quote["currency"]) == ("cn", "cn-2026", "CNY")
    assert quote["decisions"][0]["outcome"] == "accept"
    (offer,) = quote["offers"]
    assert offer["members"][0]["offered"][0]["name"] == "base_rate"
    assert offer["household_premium"] == offer["members"][0]["offered_premium"]


def test_a_household_is_a_list_and_each_fault_names_its_member() -> None:
    both = [{**MEMBER, "age": 70}, MEMBER]
    refused = told(run("quote", "--answers", json.dumps([MEMBER, {**MEMBER, "age": 63}])))[
        "refused"
    ]
    assert {(one["member"], one["field"]) for one in refused} == {(1, "age")}
    wrong = run("quote", "--answers", json.dumps(both))
    assert wrong.exit_code != 0
    assert "age" in str(wrong.exception)


def test_a_recommendation_has_reasons_needs_and_a_bundle() -> None:
    wish = {"channel": "app", "stated_needs": ["hospital_bills"], "household_income": 150000}
    answer = told(
        run(
            "recommend",
            "--answers",
            json.dumps(MEMBER),
            "--wish",
            json.dumps(wish),
            "--budget",
            "100",
        )
    )
    assert answer["answer"] == "recommend"
    assert answer["items"][0]["rank"] == 1
    assert {"zh", "en"} == set(answer["items"][0]["statements"][0]["text"])
    assert float(answer["bundle"]["monthly_premium"]) <= 100
    assert answer["bundle"]["more_net"] >= 0
    assert answer["demands_and_needs"]["en"]


def test_wishes_that_cannot_be_are_refused_with_the_field() -> None:
    wrong = run("recommend", "--answers", json.dumps(MEMBER), "--wish", '{"channel": "fax"}')
    assert "--wish cannot be used: channel" in str(wrong.exception)
    listed = run("recommend", "--answers", "[3]")
    assert "--answers must be a JSON object" in str(listed.exception)


def test_a_release_is_shown() -> None:
    result = CliRunner().invoke(app, ["release", "show", str(kept_release("us_aca"))])
    shown = told(result)
    assert shown["perils"] == {"medical_spend": "tweedie"}
    assert list(shown["editions"]) == ["us_aca-2025", "us_aca-2026"]
