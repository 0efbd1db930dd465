"""The report in headless Chromium; skipped where Chromium, its driver or Selenium is not installed.

``PADDLE_MT_AXE`` names axe-core's ``axe.min.js`` (npm pack axe-core); without it accessibility is not checked.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_paddle_mt.html_report import page
from pytest_paddle_mt.html_report.charts import figures
from tests.unit.html_report.samples import HOSTILE, compared, document, everything, failed, sweep, unmeasured

webdriver = pytest.importorskip("selenium.webdriver")
waiting = pytest.importorskip("selenium.webdriver.support.wait")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs chromium and chromedriver")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
)

#: The charts of the sample.
KEYS = [figure.key for one in everything(HOSTILE)["sweeps"] for figure in figures(one)]

#: The policy with which Jenkins serves what a build has archived (its manual, "Configuring Content Security Policy").
JENKINS = "sandbox; default-src 'none'; img-src 'self'; style-src 'self';"

#: The size on the screen of every chart.
SIZES = "return [...document.querySelectorAll('figure svg')].map((one) => one.getBoundingClientRect().width)"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, what is asked for below /jenkins/ under Jenkins' policy."""

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.replace("/jenkins/", "/"))

    def end_headers(self) -> None:
        if self.path.startswith("/jenkins/"):
            self.send_header("Content-Security-Policy", JENKINS)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page({"this run": everything(HOSTILE)}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def served(file: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(file.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def opened(*, scripts: bool = True) -> Any:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
    return driver


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    driver = opened()
    yield driver
    driver.quit()


def show(browser: Any, url: str, *, width: int = 1200, dark: bool = False) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get_log("browser")  # what was printed before
    browser.get(url)
    complete = "return document.readyState == 'complete'"  # on a busy machine the driver may be early
    waiting.WebDriverWait(browser, 60).until(lambda _: browser.execute_script(complete))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [375, 1200])
def test_the_page_opens_from_disk_without_an_error_and_fits(browser, file, width, dark):
    show(browser, file.as_uri(), width=width, dark=dark)
    assert browser.get_log("browser") == []
    sizes = browser.execute_script(SIZES)
    assert len(sizes) == len(KEYS)
    assert min(sizes) > 200
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(13, 17, 23)" if dark else "rgb(246, 248, 250)")


def test_no_hostile_name_became_markup(browser, file):
    show(browser, file.as_uri())
    assert browser.execute_script("return document.querySelectorAll('article').length") == 4 + len(HOSTILE)
    assert browser.execute_script("return document.querySelectorAll('img, h1 ~ h1, script').length") == 1


def test_a_table_sorts_by_a_column_from_the_keyboard(browser, file):
    show(browser, file.as_uri())
    column = "return [...document.querySelector('table').tBodies[0].rows].map((row) => row.cells[4].textContent)"
    browser.execute_script("document.querySelectorAll('thead button')[4].focus()")
    browser.switch_to.active_element.send_keys("\ue007")  # enter
    figures = [float(text) for text in browser.execute_script(column) if text]
    assert figures == sorted(figures)
    browser.switch_to.active_element.send_keys("\ue007")
    assert [float(text) for text in browser.execute_script(column) if text] == figures[::-1]


def test_the_timeline_can_be_widened(browser, file):
    show(browser, file.as_uri())
    width = "return document.querySelector('figure.wide svg').getBoundingClientRect().width"
    before = browser.execute_script(width)
    browser.execute_script("document.querySelectorAll('.zoom button')[2].click()")
    assert browser.execute_script(width) == pytest.approx(4 * before, rel=0.02)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 1200


def test_charts_and_tables_are_there_under_a_policy_that_forbids_styles_and_scripts(browser, served):
    show(browser, f"{served}/jenkins/report.html")
    refused = [entry["message"] for entry in browser.get_log("browser") if "favicon" not in entry["message"]]
    assert refused
    assert all("inline style" in one or "script" in one for one in refused)
    tree = browser.execute_cdp_cmd("DOM.getDocument", {"depth": -1})
    root = tree["root"]["nodeId"]
    charts = browser.execute_cdp_cmd("DOM.querySelectorAll", {"nodeId": root, "selector": "figure svg"})["nodeIds"]
    assert len(charts) == len(KEYS)
    for chart in charts[:6]:
        assert browser.execute_cdp_cmd("DOM.getBoxModel", {"nodeId": chart})["model"]["width"] in (400, 900)
    buttons = browser.execute_cdp_cmd("DOM.querySelectorAll", {"nodeId": root, "selector": "button"})["nodeIds"]
    assert buttons == []  # no script ran


def test_charts_are_there_without_scripts(file):
    driver = opened(scripts=False)
    try:
        show(driver, file.as_uri(), width=375)
        assert driver.get_log("browser") == []
        root = driver.execute_cdp_cmd("DOM.getDocument", {"depth": -1})["root"]["nodeId"]
        charts = driver.execute_cdp_cmd("DOM.querySelectorAll", {"nodeId": root, "selector": "figure svg"})["nodeIds"]
        assert len(charts) == len(KEYS)
        assert driver.execute_cdp_cmd("DOM.getBoxModel", {"nodeId": charts[0]})["model"]["width"] > 200
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with one of everything: axe looks at every element, one after the other."""
    path = tmp_path_factory.mktemp("axe") / "report.html"
    sweeps = (failed(measured_rounds=2, baseline=sweep()["baseline"]), compared(), unmeasured())
    path.write_text(page({"one.json": document(*sweeps), "two.json": document()}), encoding="utf-8")
    return path


@pytest.mark.skipif("PADDLE_MT_AXE" not in os.environ, reason="needs PADDLE_MT_AXE, the path of axe.min.js")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [375, 1200])
def test_axe_finds_no_violation(browser, small, width, dark):
    show(browser, small.as_uri(), width=width, dark=dark)
    browser.set_script_timeout(300)
    browser.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    browser.execute_script(Path(os.environ["PADDLE_MT_AXE"]).read_text(encoding="utf-8"))
    found = browser.execute_async_script(
        "axe.run().then(arguments[0], (error) => arguments[0]({error: String(error)}))"
    )
    assert "error" not in found, found
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
