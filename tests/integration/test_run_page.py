"""`edgestill run --ui`: the live page of real runs in a real browser."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from page_alone import MARKUP
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from processes import actor_processes, wait_until

from edgestill.jobs import run_folder
from edgestill.jobs.live import live_page

CHROMIUM = Path("/usr/bin/chromium")
COMMAND = [sys.executable, "-m", "edgestill.jobs.cli", "run"]
ROUNDS = 12
ENDLESS = 100_000

RECORD = """
window.seen = [];
new MutationObserver(() => {
  const said = document.querySelector(".status")?.textContent;
  if (said && said !== window.seen.at(-1)) window.seen.push(said);
}).observe(document, {subtree: true, childList: true, characterData: true});
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing; install Debian's package chromium", pytrace=False)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM)


@dataclass
class Opened:
    """A page in the browser, and what it asked for and complained of."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def open_page(browser: Browser, port: int, **context) -> Opened:
    page = browser.new_page(**context)
    opened = Opened(page)
    page.on("request", lambda request: opened.requests.append(request.url))
    page.on("websocket", lambda socket: opened.requests.append(socket.url))
    page.on("console", lambda said: opened.complaints.append(f"{said.type}: {said.text}"))
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    page.add_init_script(RECORD)
    page.goto(f"http://127.0.0.1:{port}/")
    page.wait_for_selector(".status")
    return opened


def start(yaml: Path, folder: Path, rounds: int) -> tuple[subprocess.Popen[str], int]:
    """Start a run with a page; give its process and the page's port."""
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, yaml, "--out", folder, "--ui", "--set", f"federation.rounds={rounds}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    log = folder / "run.log"

    def port() -> int | None:
        assert process.poll() is None, process.communicate()[1]
        text = log.read_text() if log.exists() else ""
        found = re.search(r"page at http://127\.0\.0\.1:(\d+)", text)
        return int(found[1]) if found else None

    return process, wait_until(port, within_s=60, what="the page")


@pytest.fixture(scope="module")
def endless(small_yaml, tmp_path_factory) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A run that goes on until it is interrupted."""
    process, port = start(small_yaml, tmp_path_factory.mktemp("endless") / "run", ENDLESS)
    yield process, port
    if process.poll() is None:
        process.kill()
        process.communicate()


@pytest.fixture
def under_way(browser, endless) -> Iterator[Opened]:
    """The page of that run with at least one finished round."""
    opened = open_page(browser, endless[1])
    expect(opened.page.locator(".tiles")).to_contain_text(" of 10", timeout=60_000)
    yield opened
    opened.page.close()


def test_a_run_is_shown_from_its_teacher_to_its_report(browser, small_yaml, tmp_path):
    folder = tmp_path / "run"
    process, port = start(small_yaml, folder, ROUNDS)
    opened = open_page(browser, port)
    page = opened.page
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    report = json.loads((folder / "report.json").read_text())

    said = page.evaluate("window.seen")
    rounds = [int(n) for one in said for n in re.findall(r"^Round (\d+) of 12", one)]
    assert len(set(rounds)) >= 3
    assert rounds == sorted(rounds)
    accuracy = f"{100 * report['final']['accuracy']:.1f} %"
    assert said[-1] == f"The run is done: accuracy {accuracy}. Report: {folder / 'report.html'}"
    expect(page.locator(".tiles")).to_contain_text(accuracy)
    expect(page.locator(".tiles")).to_contain_text("12 / 12")
    expect(page.locator("h1 .state")).to_have_text("done")
    expect(page.locator(".chart[role=img] svg")).to_have_count(3)
    expect(page.locator(".chart").first).to_have_attribute("aria-label", re.compile("after round"))

    last = report["rounds"][-1]
    for group, reason in last["reasons"].items():
        decided = page.locator(".decisions tbody tr").filter(has_text=group).first
        expect(decided).to_contain_text(last["levels"][group])
        expect(decided).to_contain_text(reason)
    assert [one for one in opened.requests if f"//127.0.0.1:{port}/" not in one] == []
    assert opened.complaints == []
    expect(page.locator("#popup")).to_be_hidden()
    page.close()


def test_the_keyboard_reaches_the_tabs_and_the_filter_and_the_filter_works(under_way):
    page = under_way.page
    press_until(page, "Tab", page.get_by_role("tab"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name="Log")).to_have_attribute("aria-selected", "true")
    press_until(page, "Tab", page.get_by_label("Filter"))
    page.keyboard.type("stage=round round=1")
    lines = page.locator(".q-tab-panel tbody tr:visible")
    expect(lines.filter(has_not_text="round")).to_have_count(0)
    expect(lines.first).to_contain_text("devices, accuracy")
    press_until(page, "Tab", page.get_by_role("button", name="errors"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("No line of the log fits.")).to_be_visible()


def press_until(page: Page, key: str, wanted: Locator) -> None:
    for _ in range(30):
        page.keyboard.press(key)
        here = page.evaluate_handle("document.activeElement").as_element()
        if any(
            here and here.evaluate("(a, b) => a === b", one) for one in wanted.element_handles()
        ):
            return
    raise AssertionError(f"{key} never reached {wanted}")


def test_headings_are_in_order_and_the_round_is_said_politely(under_way):
    page = under_way.page
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map((h) => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    expect(page.locator("[aria-live=polite]")).to_contain_text("Round")
    assert page.evaluate("document.documentElement.lang") == "en-US"


def test_it_follows_the_preference_for_dark(under_way):
    page = under_way.page
    colours = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(
            "(dark) => document.body.classList.contains('body--dark') === dark",
            arg=scheme == "dark",
        )
        colours[scheme] = page.evaluate(
            "[document.body, document.querySelector('.tiles dd.soft'),"
            " document.querySelector('.tiles dl > div')].map((e) => getComputedStyle(e))"
            ".map((style, i) => i === 1 ? style.color : style.backgroundColor)"
        )
    assert colours["light"][0] == "rgb(255, 255, 255)"
    assert colours["dark"][0] == "rgb(20, 24, 29)"
    for _, text, tile in colours.values():
        assert contrast(text, tile) >= 4.5


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (WCAG 2.2)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_on_a_phone_nothing_is_wider_than_the_screen(browser, endless):
    page = open_page(browser, endless[1], viewport={"width": 390, "height": 844}).page
    expect(page.locator(".tiles")).to_contain_text(" of 10", timeout=60_000)
    for tab in ("Decisions", "Log", "Rounds"):
        page.get_by_role("tab", name=tab).click()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()


def test_an_interrupted_run_says_so(browser, endless):
    process, port = endless
    page = open_page(browser, port).page
    process.send_signal(signal.SIGINT)
    said = page.locator(".status")
    expect(said).to_contain_text("The run was interrupted", timeout=30_000)
    process.communicate(timeout=60)
    assert process.returncode == 130
    page.close()


def test_a_run_goes_on_without_its_page(ray_here, small_config, tmp_path, caplog):
    folder = run_folder.create(small_config, tmp_path / "run")
    with live_page(folder, 0, None) as live:
        process = wait_until(lambda: actor_processes("ray::Page"), within_s=30, what="the page")[0]
        process.kill()
        process.wait()
        for done in range(3):
            live.stage_advanced("teacher", done, 3, "")
        wait_until(lambda: "the page is lost" in caplog.text, within_s=30, what="the warning")
        live.finished(0.9, "report.html")


def test_markup_in_a_log_line_is_shown_as_text(browser):
    script = Path(__file__).with_name("page_alone.py")
    with subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as alone:
        assert alone.stdin is not None
        assert alone.stdout is not None
        opened = open_page(browser, int(alone.stdout.readline()))
        page = opened.page
        expect(page.locator("h1")).to_contain_text(MARKUP)
        page.get_by_role("tab", name="Log").click()
        expect(page.locator(".q-tab-panel tbody tr").first).to_contain_text(MARKUP)
        assert page.evaluate("window.taken") is None
        assert opened.complaints == []
        page.close()
        alone.stdin.close()
    assert alone.returncode == 0
