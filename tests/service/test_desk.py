"""The sales desk in a real browser: headless Chromium, with a service of its own."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

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
from tests.golden.market_releases import market_release
from tests.service.running import KEPT, application

_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_DRIVER = shutil.which("chromedriver")
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
    app = application(tmp_path_factory.mktemp("desk"), *releases)
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
    driver.find_element(By.ID, "go").click()
    wait(driver, lambda: cards(driver))
    return cards(driver)


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
        desk.find_element(By.ID, "example").click()
        desk.find_element(By.ID, "go").click()
        wait(desk, lambda: cards(desk) or desk.find_element(By.ID, "notice").text)
        assert desk.find_element(By.ID, "notice").text == ""
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
