"""The report in a real headless Chromium: quiet, offline, hovering names the network, and how it looks.

The screenshots stay in `tests/artefacts/report`.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from places import TESTS
from playwright.sync_api import Browser, Page, sync_playwright
from zenbench.bench.charts.style import DARK, LIGHT
from zenbench.bench.report.choice import SHOWN
from zenbench.bench.report.writing import write_report

ARTEFACTS = TESTS / "artefacts" / "report"
PHONE, DESK = 375, 1100


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, which `make test` installs."""
    chromium = shutil.which("chromium")
    assert chromium is not None, "chromium is missing; install it with: apt-get install chromium"
    with sync_playwright() as driver:
        # CI is root, whom Chromium gives no sandbox; the page is our own.
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(full_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full report, written into a copy of its run."""
    folder = shutil.copytree(full_run, tmp_path_factory.mktemp("browser") / "run")
    return write_report(folder)[0]


@dataclass
class Opened:
    """A page in the browser, and all that it said and asked for while it loaded and was used."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def opened(browser: Browser, report: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """The report, drawn, in a context of the parameter's options; it must stay quiet and offline."""
    context = browser.new_context(**{"viewport": {"width": DESK, "height": 900}, **request.param})
    page = context.new_page()
    found = Opened(page)
    page.on("console", lambda message: found.said.append(message.text))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.on("request", lambda asked: found.asked.append(asked.url))
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-drawn=yes]")
    yield found
    assert found.said == []
    assert found.asked == [report.as_uri()]
    context.close()


def background(page: Page) -> str:
    value: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return value


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[start : start + 2], 16)) for start in (1, 3, 5))})"


def shoot(page: Page, name: str) -> None:
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)
    assert (ARTEFACTS / f"{name}.png").stat().st_size > 20_000


@pytest.mark.parametrize(
    "opened, name, colour",
    [
        ({}, "light", LIGHT.page),
        ({"color_scheme": "dark"}, "dark", DARK.page),
        ({"viewport": {"width": PHONE, "height": 812}, "device_scale_factor": 2}, "phone", LIGHT.page),
    ],
    indirect=["opened"],
)
def test_every_figure_is_drawn_and_fits(opened: Opened, name: str, colour: str) -> None:
    page = opened.page
    assert background(page) == rgb(colour)
    for chart in page.locator(".chart").all():
        box = chart.locator("svg").first.bounding_box()
        assert box is not None and box["width"] > 250 and box["height"] > 100
        assert chart.locator("svg path").count() > 3
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    assert cut_off(page) == []
    labels = page.locator(".chart svg text").all_text_contents()
    assert labels and not [
        label for label in labels if re.fullmatch(r"[\d.]+e[+-]?\d+|NaN|.*undefined.*", label)
    ]
    shoot(page, name)


def cut_off(page: Page) -> list[str]:
    """Texts of figures that stick out of them, or out of the page."""
    found: list[str] = page.evaluate(
        """[...document.querySelectorAll(".chart svg text")].filter(text => {
            const box = text.getBoundingClientRect();
            const svg = text.ownerSVGElement.getBoundingClientRect();
            return box.width > 0 && (box.left < svg.left - 1 || box.right > svg.right + 1
                || box.top < svg.top - 1 || box.bottom > svg.bottom + 1);
        }).map(text => text.textContent)"""
    )
    return found


@pytest.mark.parametrize("opened", [{}], indirect=True)
def test_hovering_over_a_mark_names_its_network(opened: Opened) -> None:
    page = opened.page
    tooltip = page.locator("#vg-tooltip-element")
    specs: dict[str, Any] = page.evaluate("JSON.parse(document.getElementById('figures').textContent)")
    layers = specs["measured-against-predicted"]["layer"]
    (dots,) = (layer for layer in layers if "tooltip" in layer["encoding"])
    networks = {row["network"] for row in dots["data"]["values"]}
    figure = page.locator("#chart-measured-against-predicted")
    figure.scroll_into_view_if_needed()
    seen = set()
    for mark in figure.locator("[aria-roledescription=point]").all():
        box = mark.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        tooltip.wait_for(state="visible")
        seen |= {network for network in networks if network in tooltip.inner_text()}
    assert len(seen) > len(networks) / 2, "marks that lie on one another hide some, not most"
    assert any(network.startswith("chosen: ") for network in seen)
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / "hover.png")


@pytest.mark.parametrize("opened", [{}, {"viewport": {"width": PHONE, "height": 812}}], indirect=True)
def test_a_kept_network_opens_and_the_others_are_there_on_demand(opened: Opened) -> None:
    page = opened.page
    rows = page.locator("#choice tbody tr")
    assert rows.count() > SHOWN
    assert [row.is_visible() for row in rows.all()] == [at < SHOWN for at in range(rows.count())]
    page.get_by_label(f"show all {rows.count()}").check()
    assert all(row.is_visible() for row in rows.all())
    structure = rows.first.locator("code")
    assert not structure.is_visible()
    rows.first.locator("summary").click()
    assert structure.is_visible() and structure.inner_text().startswith("SuperConv")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"


@pytest.mark.parametrize("opened", [{"color_scheme": "dark"}], indirect=True)
def test_paper_is_white_though_the_screen_is_dark(opened: Opened) -> None:
    page = opened.page
    assert background(page) == rgb(DARK.page)
    page.emulate_media(media="print", color_scheme="dark")
    assert background(page) == rgb(LIGHT.page)
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    pdf = page.pdf(path=ARTEFACTS / "print.pdf", format="A4", print_background=True)
    assert pdf.startswith(b"%PDF")


@pytest.mark.parametrize("opened", [{"viewport": {"width": PHONE, "height": 812}}], indirect=True)
def test_what_a_mark_says_stays_on_a_phones_screen(opened: Opened) -> None:
    page = opened.page
    figure = page.locator("#chart-measured-against-predicted")
    figure.scroll_into_view_if_needed()
    for mark in figure.locator("[aria-roledescription=point]").all():
        box = mark.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.locator("#vg-tooltip-element").wait_for(state="visible")
        shown = page.locator("#vg-tooltip-element").bounding_box()
        assert shown is not None and shown["x"] >= 0 and shown["x"] + shown["width"] <= PHONE
