"""The sales desk in a real browser: headless Chromium, with a service of its own."""

import shutil
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as pq
import pytest
import uvicorn
from fastapi.testclient import TestClient
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from riskengine.release import load_release
from riskengine.service.desk import DESK_PATHS
from riskengine.store import ProfileStore
from tests.golden.market_releases import market_release
from tests.service.running import KEPT, application

_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_DRIVER = shutil.which("chromedriver")
_STORED = {
    "age": 43.0, "sex": "female", "self_rated_health": "good", "body_mass_index": 23.0,
    "glycated_haemoglobin": 5.2, "systolic_pressure": 120.0, "social_insurance": "no",
    "rating_area": "first_tier", "occupation_class": "class_1", "cancer_history": "no",
    "diabetes": "no", "thyroid_nodule": "none",
}  # fmt: skip
_BAD_YEAR = "What you bear in the dearest years"
_LISTEN = """
const real = window.fetch;
window.calls = [];
window.faults = {};
window.fetch = async (path, sent) => {
  const call = { path, body: typeof sent?.body === "string" ? JSON.parse(sent.body) : null };
  window.calls.push(call);
  const fault = Object.keys(window.faults).find((start) => path.startsWith(start));
  const answer = fault ? new Response(...window.faults[fault]) : await real(path, sent);
  call.status = answer.status;
  return answer;
};
"""
"""Keeps what the page asks in `calls`, and answers what `faults` has for the start of a path."""
browsing = pytest.mark.skipif(
    not (_CHROMIUM and _DRIVER), reason="no Chromium: apt install chromium chromium-driver"
)


def test_the_page_needs_no_token_and_nothing_from_elsewhere(tmp_path: Path) -> None:
    with TestClient(application(tmp_path, load_release(KEPT))) as client:
        for path in DESK_PATHS:
            told = client.get(path)
            assert told.status_code == 200, path
            assert "script-src 'self'" in told.headers["content-security-policy"]
            assert "//" not in told.text.replace("http://www.w3.org/2000/svg", "").replace(
                "// ", ""
            ), path
        page = client.get("/").text
        assert "<style" not in page
        assert "onclick" not in page
        assert client.get("/desk/nothing.js").status_code == 404


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service of the markets and the study, on a free port."""
    releases = (market_release("cn"), market_release("us_aca"), load_release(KEPT))
    folder = tmp_path_factory.mktemp("desk")
    table = arrow.Table.from_pylist([{"member_id": "m 1", "as_of": date(2025, 12, 1), **_STORED}])
    pq.write_table(table, folder / "p.parquet")
    with ProfileStore(f"sqlite:///{folder}/store.db") as store:
        store.publish(folder / "p.parquet")
    app = application(folder, *releases)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[WebDriver]:
    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--lang=en"):
        options.add_argument(flag)
    options.binary_location = _CHROMIUM or ""
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(_DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def desk(chromium: WebDriver, address: str) -> WebDriver:
    """The page in English, as a new visitor on a wide screen sees it."""
    chromium.set_window_size(1280, 1000)
    chromium.get(address)
    chromium.execute_script("localStorage.setItem('language', 'en'); sessionStorage.clear()")
    chromium.get(address)
    wait(chromium, lambda: chromium.find_elements(By.ID, "q-age"))
    chromium.execute_script(_LISTEN)
    return chromium


def wait(driver: WebDriver, there) -> None:
    WebDriverWait(driver, 15).until(lambda _: there())


def cards(driver: WebDriver) -> list[WebElement]:
    return driver.find_elements(By.CSS_SELECTOR, "#cards .card")


def medical(driver: WebDriver) -> WebElement:
    """The card of the medical plan, whichever variant it shows."""
    return driver.find_element(By.CSS_SELECTOR, "#cards [data-plan^=million_medical]")


def recommended(driver: WebDriver) -> list[WebElement]:
    driver.find_element(By.ID, "example").click()
    submit(driver)
    return cards(driver)


def submit(driver: WebDriver) -> None:
    """Ask for plans, until they are there and reported."""
    before = len(calls(driver, "/v1/feedback"))
    driver.find_element(By.ID, "go").click()
    wait(driver, lambda: len(calls(driver, "/v1/feedback")) > before)


def calls(driver: WebDriver, path: str) -> list[dict[str, Any]]:
    """What the page has asked of a path and was answered."""
    told: list[dict[str, Any]] = driver.execute_script("return window.calls")
    return [one for one in told if one["path"].startswith(path) and "status" in one]


def fail(driver: WebDriver, path: str, status: int, body: str) -> None:
    """Answer the path with an error from now on."""
    script = "window.faults[arguments[0]] = [arguments[2], { status: arguments[1] }]"
    driver.execute_script(script, path, status, body)


def load(driver: WebDriver, member: str) -> None:
    driver.find_element(By.ID, "member").send_keys(member, Keys.ENTER)
    said = driver.find_element(By.ID, "said")
    wait(driver, lambda: "Profile loaded, as of 2025-12-01" in said.text)


def show(driver: WebDriver, plan: str) -> None:
    """Let the card of the only product with this variant show it."""
    box = driver.find_element(By.XPATH, f"//li[contains(@class, 'card')]//option[@value='{plan}']")
    Select(box.find_element(By.XPATH, "./..")).select_by_value(plan)


def tick(driver: WebDriver, plan: str) -> None:
    """Put the plan on a card into the comparison, or take it out."""
    driver.find_element(By.CSS_SELECTOR, f"#cards [data-plan={plan}] .pick input").click()


def compared(driver: WebDriver) -> dict[str, list[str]]:
    """The rows of the comparison; the heads are under an empty name."""
    rows = driver.find_elements(By.CSS_SELECTOR, "#compare tr")
    texts = [[cell.text for cell in row.find_elements(By.XPATH, "./*")] for row in rows]
    return {name: values for name, *values in texts}


@browsing
def test_a_member_sees_ranked_plans_with_reasons_and_pictures(desk: WebDriver) -> None:
    assert len(recommended(desk)) == 3
    first = medical(desk)
    assert "Million-yuan medical" in first.text
    assert first.find_elements(By.CSS_SELECTOR, ".reasons li.for")
    assert "What you bear in the dearest years" in first.text
    pictures = first.find_elements(By.CSS_SELECTOR, "svg[role=img]")
    assert len(pictures) == 2
    assert all(one.get_attribute("aria-label") for one in pictures)
    errors = [one for one in desk.get_log("browser") if one["level"] == "SEVERE"]
    assert errors == []


@browsing
def test_another_deductible_has_another_price_at_once(desk: WebDriver) -> None:
    recommended(desk)
    first = medical(desk)
    before = first.find_element(By.CSS_SELECTOR, ".price").text
    Select(first.find_element(By.TAG_NAME, "select")).select_by_value("million_medical_20k")
    after = medical(desk)
    assert after.get_attribute("data-plan") == "million_medical_20k"
    assert after.find_element(By.CSS_SELECTOR, ".price").text != before
    assert len(after.find_elements(By.TAG_NAME, "svg")) == 2
    assert desk.switch_to.active_element.tag_name == "select"


@browsing
def test_plans_are_compared_and_a_budget_buys_a_set(desk: WebDriver) -> None:
    for one in recommended(desk)[:2]:
        one.find_element(By.CSS_SELECTOR, "input[type=checkbox]").click()
    heads = desk.find_elements(By.CSS_SELECTOR, "#compare thead th")
    assert len(heads) == 3
    desk.find_element(By.ID, "budget").send_keys("60")
    wait(desk, lambda: desk.find_elements(By.CSS_SELECTOR, "#bundle .bundle"))
    assert "50 more a month" in desk.find_element(By.ID, "bundle").text


@browsing
def test_a_quote_is_kept(desk: WebDriver) -> None:
    recommended(desk)[0].find_element(By.XPATH, ".//button[text()='Save quote']").click()
    said = desk.find_element(By.ID, "said")
    wait(desk, lambda: "Quote saved as" in said.text)
    assert "valid until 2026-03-31" in said.text


@browsing
def test_both_languages_and_every_market(desk: WebDriver) -> None:
    recommended(desk)
    desk.find_element(By.ID, "language").click()
    assert "百万医疗险" in medical(desk).text
    assert desk.find_element(By.TAG_NAME, "html").get_attribute("lang") == "zh"
    for market in ("us_aca", "study"):
        Select(desk.find_element(By.ID, "market")).select_by_value(market)
        wait(desk, lambda: not cards(desk) and desk.find_elements(By.ID, "q-rating_area"))
        recommended(desk)
        assert desk.find_element(By.ID, "notice").text == ""
        assert calls(desk, "/v1/feedback")[-1]["status"] == 201
        assert len(cards(desk)[0].find_elements(By.TAG_NAME, "svg")) == 2


@browsing
def test_wrong_input_is_told_and_nothing_is_lost(desk: WebDriver) -> None:
    desk.find_element(By.ID, "member").send_keys("nobody")
    desk.find_element(By.ID, "load").click()
    notice = desk.find_element(By.ID, "notice")
    wait(desk, lambda: "nobody" in notice.text)
    desk.find_element(By.ID, "q-age").send_keys("30")
    desk.find_element(By.ID, "go").click()
    # The sex is required: the browser says so, and nothing is sent.
    assert desk.switch_to.active_element.get_attribute("id") == "q-sex"
    assert not cards(desk)
    assert desk.find_element(By.ID, "q-age").get_attribute("value") == "30"


@browsing
def test_the_keyboard_alone_is_enough(desk: WebDriver) -> None:
    desk.find_element(By.ID, "q-age").send_keys("43", Keys.TAB, Keys.ARROW_DOWN, Keys.TAB)
    desk.switch_to.active_element.send_keys(Keys.TAB)
    desk.find_element(By.ID, "q-age").send_keys(Keys.ENTER)
    wait(desk, lambda: desk.find_element(By.ID, "said").text.startswith(("Plans", "There")))
    assert desk.switch_to.active_element.get_attribute("id") == "results"
    unnamed = desk.execute_script(
        "return [...document.querySelectorAll('input, select, button')].filter(one =>"
        " !one.labels?.length && !one.textContent.trim()).map(one => one.id)"
    )
    assert unnamed == []


@browsing
def test_it_fits_a_phone(desk: WebDriver) -> None:
    desk.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 375, "height": 740, "deviceScaleFactor": 1, "mobile": True},
    )
    try:
        for one in recommended(desk)[:2]:
            one.find_element(By.TAG_NAME, "summary").click()
            one.find_element(By.CSS_SELECTOR, "input[type=checkbox]").click()
        assert desk.execute_script("return document.documentElement.scrollWidth") <= 375
    finally:
        desk.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@browsing
def test_an_emptied_answer_is_not_taken_from_the_stored_profile(desk: WebDriver) -> None:
    load(desk, "m 1")
    submit(desk)
    assert "1,196.21 a year" in medical(desk).text
    Select(desk.find_element(By.ID, "q-rating_area")).select_by_value("")
    submit(desk)
    # Where the member lives is in the profile, but the page says that it is not known.
    unknown = [one.get_attribute("data-plan") for one in cards(desk)]
    assert "million_medical_5k" not in unknown
    for path in ("/v1/prices", "/v1/recommendations"):
        sent = calls(desk, path)[-1]["body"]
        assert (sent["member_id"], sent["answers"]["rating_area"]) == ("m 1", None), path
    # Without the member the same answers have the same plans, and nothing is sent as null.
    desk.find_element(By.ID, "member").clear()
    submit(desk)
    assert [one.get_attribute("data-plan") for one in cards(desk)] == unknown
    sent = calls(desk, "/v1/prices")[-1]["body"]
    assert sent == {"answers": {k: v for k, v in _STORED.items() if k != "rating_area"}}


@browsing
def test_a_member_read_once_is_offered_again(desk: WebDriver) -> None:
    load(desk, "m 1")
    script = "return [...document.getElementById('member').list.options].map(one => one.value)"
    assert desk.execute_script(script) == ["m 1"]
    desk.refresh()
    wait(desk, lambda: desk.find_elements(By.ID, "q-age"))
    assert desk.execute_script(script) == ["m 1"]
    load(desk, "m 1")
    assert desk.execute_script(script) == ["m 1"]
    assert desk.find_element(By.ID, "q-age").get_attribute("value") == "43"


@browsing
def test_slow_typing_keeps_the_field_and_what_it_finds_is_not_kept(desk: WebDriver) -> None:
    recommended(desk)
    budget = desk.find_element(By.ID, "budget")
    budget.click()
    for digits in range(1, 4):
        # Wherever the focus is.
        desk.switch_to.active_element.send_keys("6")
        time.sleep(0.5)
        wait(desk, lambda n=digits: len(calls(desk, "/v1/recommendations")) == 1 + n)
        assert desk.switch_to.active_element == budget
    assert budget.get_attribute("value") == "666"
    wait(desk, lambda: desk.find_elements(By.CSS_SELECTOR, "#bundle .bundle"))
    paths = [one["path"] for one in calls(desk, "/v1/recommendations")]
    assert ["store=false" in path for path in paths] == [False, True, True, True]
    assert len(calls(desk, "/v1/feedback")) == 1
    # Entered before the live update: one question, and its answer has the focus.
    budget.send_keys("6", Keys.ENTER)
    wait(desk, lambda: len(calls(desk, "/v1/feedback")) == 2)
    time.sleep(0.5)
    assert len(calls(desk, "/v1/recommendations")) == 5
    assert desk.switch_to.active_element.get_attribute("id") == "results"


@browsing
def test_variants_of_one_product_are_compared(desk: WebDriver) -> None:
    recommended(desk)
    show(desk, "million_medical_20k")
    tick(desk, "million_medical_20k")
    assert "one more plan or variant" in desk.find_element(By.ID, "compare").text
    show(desk, "million_medical_5k")
    tick(desk, "million_medical_5k")
    tick(desk, "accident_500k")
    rows = compared(desk)
    assert [one.rstrip(" ×") for one in rows[""]] == [
        "Million-yuan medical, 20,000 deductible",
        "Million-yuan medical, 5,000 deductible",
        "Accident, 500,000",
    ]
    assert rows["Deductible"] == ["CN¥20,000", "CN¥5,000", "CN¥100"]
    borne = [float(one.strip("CN¥").replace(",", "")) for one in rows[_BAD_YEAR]]
    assert borne[0] > borne[1] > 0
    assert "more received than spent" in rows["Expected own share a year"][2]
    assert all(all(cells) for name, cells in rows.items() if name)
    # A live update leaves the comparison and the variant shown as they are.
    desk.find_element(By.ID, "budget").send_keys("60")
    wait(desk, lambda: desk.find_elements(By.CSS_SELECTOR, "#bundle .bundle"))
    assert len(compared(desk)[""]) == 3
    assert medical(desk).get_attribute("data-plan") == "million_medical_5k"
    desk.find_elements(By.CSS_SELECTOR, "#compare .drop")[1].click()
    assert len(compared(desk)[""]) == 2
    assert not medical(desk).find_element(By.CSS_SELECTOR, ".pick input").is_selected()


@browsing
def test_metals_are_compared(desk: WebDriver) -> None:
    Select(desk.find_element(By.ID, "market")).select_by_value("us_aca")
    wait(desk, lambda: desk.find_elements(By.ID, "q-tobacco"))
    recommended(desk)
    for plan in ("bronze", "silver"):
        show(desk, plan)
        tick(desk, plan)
    rows = compared(desk)
    assert [one.rstrip(" ×") for one in rows[""]] == ["Bronze", "Silver"]
    bronze, silver = (float(one.strip("$").replace(",", "")) for one in rows["Deductible"])
    assert bronze > silver > 0


@browsing
def test_reasons_of_the_product_stay_with_another_variant(desk: WebDriver) -> None:
    recommended(desk)
    first = medical(desk)
    plan, name = first.get_attribute("data-plan"), first.find_element(By.TAG_NAME, "h3").text
    assert "told for the recommended variant" not in first.text
    told = [one.text for one in first.find_elements(By.CSS_SELECTOR, ".reasons li")]
    show(desk, "million_medical_5k" if plan == "million_medical_20k" else "million_medical_20k")
    other = medical(desk)
    kept = [one.text for one in other.find_elements(By.CSS_SELECTOR, ".reasons li")]
    assert kept == [one for one in told if "cover for hospital bills" in one] != []
    assert f"told for the recommended variant: {name}" in other.text
    show(desk, str(plan))
    again = [one.text for one in medical(desk).find_elements(By.CSS_SELECTOR, ".reasons li")]
    assert again == told


@browsing
def test_signing_in_again_keeps_what_was_filled_in(desk: WebDriver) -> None:
    recommended(desk)
    desk.find_element(By.ID, "q-age").clear()
    desk.find_element(By.ID, "q-age").send_keys("51")
    desk.find_element(By.ID, "budget").send_keys("60")
    fail(desk, "/v1/prices", 401, "{}")
    desk.find_element(By.ID, "go").click()
    wait(desk, lambda: desk.switch_to.active_element.get_attribute("id") == "client")
    assert desk.find_element(By.ID, "notice").text == "Please sign in."
    desk.execute_script("window.faults = {}")
    fail(desk, "/oauth/token", 200, '{"access_token": "t"}')
    desk.find_element(By.ID, "client").send_keys("c")
    desk.find_element(By.ID, "secret").send_keys("s", Keys.ENTER)
    wait(desk, lambda: desk.find_element(By.ID, "desk").is_displayed())
    wait(desk, lambda: desk.switch_to.active_element.get_attribute("id") == "member")
    assert desk.find_element(By.ID, "q-age").get_attribute("value") == "51"
    sex = Select(desk.find_element(By.ID, "q-sex"))
    assert sex.first_selected_option.get_attribute("value") != ""
    assert desk.find_element(By.ID, "budget").get_attribute("value") == "60"


@browsing
def test_an_answer_that_is_no_json_is_told(desk: WebDriver) -> None:
    fail(desk, "/v1/prices", 502, "<html>Bad gateway</html>")
    desk.find_element(By.ID, "example").click()
    for message in ("The service failed; try again later. (502)", "服务出错，请稍后重试。 (502)"):
        desk.find_element(By.ID, "go").click()
        wait(desk, lambda told=message: desk.find_element(By.ID, "notice").text == told)
        assert desk.find_element(By.ID, "said").text == ""
        desk.find_element(By.ID, "language").click()


@browsing
def test_what_was_shown_is_reported_once_a_decision(desk: WebDriver) -> None:
    for language in ("en", "zh"):
        recommended(desk)
        shown = calls(desk, "/v1/feedback")[-1]
        assert shown["status"] == 201
        body = shown["body"]
        assert (body["kind"], body["channel"], body["language"]) == ("display", "online", language)
        assert [one["plan"] for one in body["shown"]] == [
            one.get_attribute("data-plan") for one in cards(desk)
        ]
        assert [one["position"] for one in body["shown"]] == [1, 2, 3]
        price = medical(desk).find_element(By.CSS_SELECTOR, ".price").text.replace(",", "")
        (of_medical,) = (one for one in body["shown"] if "million_medical" in one["plan"])
        assert of_medical["premium"] in price
        assert body["shown"][0]["in_view"] is True
        desk.find_element(By.ID, "language").click()
    sent = calls(desk, "/v1/feedback")
    assert len({one["body"]["decision_id"] for one in sent}) == len(sent) == 2


@browsing
def test_no_store_and_no_report_are_nothing_to_the_user(desk: WebDriver) -> None:
    fail(desk, "/v1/feedback", 403, '{"title": "Forbidden"}')
    assert len(recommended(desk)) == 3
    assert desk.find_element(By.ID, "notice").text == ""
    desk.execute_script("document.getElementById('cards').replaceChildren()")
    # A service without a store ranks, and keeps nothing to report of.
    desk.execute_script(
        "const asked = window.fetch; window.fetch = (path, sent) =>"
        " path.startsWith('/v1/recommendations?market')"
        " ? new Response('{}', { status: 503 }) : asked(path, sent)"
    )
    desk.find_element(By.ID, "go").click()
    wait(desk, lambda: cards(desk))
    assert desk.find_element(By.ID, "notice").text == ""
    assert len(calls(desk, "/v1/feedback")) == 1
