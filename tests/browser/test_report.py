"""The report as people meet it: in a browser, by eye, by keyboard and by screen reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pgcontract.report.html import document, page, read_results
from tests.browser.shop import HOSTILE_CHECK, HOSTILE_TABLE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PRICE = "products.chk_products_price"
WIDE, NARROW = 1440, 360
A4 = 794
"""Pixels of a page's width."""
# what reaches over the right edge, and can't be scrolled to within a frame of its own
TOO_WIDE = """
() => document.documentElement.scrollWidth > innerWidth
  || (document.querySelector("dialog[open]")?.scrollWidth ?? 0) > innerWidth
"""
CUT = """
() => [...document.querySelectorAll("main *")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => one.outerHTML.slice(0, 90))
"""


class Reader:
    """Somebody who reads a report, and of whom every click is counted. What the console says is kept."""

    def __init__(self, page: Page, report: Path) -> None:
        self.page = page
        self.clicks = 0
        self.console: list[str] = []
        self.asked: list[str] = []
        page.set_default_timeout(5000)
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.on("dialog", lambda dialog: self.console.append(f"alert: {dialog.message}"))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(report.as_uri())
        page.wait_for_selector("main[data-ready]")

    def click(self, name: str, *, within: str = "main", role: Any = "button") -> None:
        """Click what bears this very name."""
        self.clicks += 1
        self.page.locator(within).get_by_role(role, name=name, exact=True).first.click()

    def choose(self, label: str, value: str) -> None:
        """Choose from a list: a click that opens it, and one on the choice."""
        self.clicks += 2
        self.page.get_by_label(label, exact=True).select_option(label=value)

    def group(self, title: str) -> list[str]:
        """What stands in the overview under a title."""
        sections = self.page.locator("#answer section.group")
        return (
            sections.filter(has=self.page.get_by_role("heading", name=re.compile(f"^{title}")))
            .locator("li")
            .all_inner_texts()
        )

    @property
    def rows(self) -> list[str]:
        """The promises that the matrix shows."""
        return self.page.locator("#promises tbody th button").all_inner_texts()

    @property
    def sheet(self) -> str:
        """All that the open sheet says."""
        return self.page.locator("#sheet[open]").inner_text()


@pytest.fixture
def read(browser: Browser, shop_report: Path) -> Iterator[Callable[..., Reader]]:
    """Open the shop's report, or another, in a window of its own; nothing may be said in the console."""
    opened: list[Reader] = []

    def opens(report: Path = shop_report, *, width: int = WIDE, dark: bool = False) -> Reader:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
        opened.append(Reader(page, report))
        return opened[-1]

    yield opens
    for reader in opened:
        reader.page.close()
        assert reader.console == []
        assert [url for url in reader.asked if not url.startswith("file://")] == []


def test_which_promises_fail_on_one_version_only(read: Callable[..., Reader]) -> None:
    """The overview says it before any click; the matrix shows the same by one choice."""
    reader = read()
    assert reader.page.get_by_role("heading", level=1).inner_text() == "4 promises and 1 hot query are broken."
    assert reader.group("Fails on 18 only") == [PRICE]
    reader.choose("Verdict", "fails on 18 only")
    assert reader.rows == [PRICE]
    assert reader.clicks <= 3


def test_which_index_no_query_needs(read: Callable[..., Reader]) -> None:
    """Both that no query needs are told, and that one of them serves a foreign key; what a query uses is not."""
    reader = read()
    assert reader.group("Indexes that no hot query needs") == [
        "idx_lines_product on lines, for a foreign key",
        "idx_products_price on products",
    ]
    reader.click("2 not needed")
    told = reader.page.locator("#indexes").inner_text()
    assert "fk_lines_product looks its rows up by it" in told
    assert reader.clicks <= 3


def test_which_query_grew_worse(read: Callable[..., Reader]) -> None:
    """The overview says which and by how much; a click shows the plans of both runs side by side."""
    reader = read()
    (told,) = reader.group("Hot queries that grew worse since the last run")
    assert re.fullmatch(r"latest_orders \d+ → \d+ pages on 5,000 rows", told)
    (slower,) = reader.group("Hot queries that are slower")
    assert re.match(r"latest_orders \d\.\d+ . \(\d\.\d+ to \d", slower)
    # a commit's schema bears its folder's name, so that its queries are known
    timed = reader.page.locator("#answer section.group").filter(has_text="Hot queries that are slower")
    assert timed.get_by_role("button", name="latest_orders").count() == 1
    reader.click("latest_orders")
    assert "Plan on 15 before, 18 before" in reader.sheet
    assert "Plan on 15, 18" in reader.sheet
    assert "Sort" in reader.page.locator("#sheet .plan").nth(1).inner_text()
    assert reader.clicks <= 3


def test_what_breaks_a_promise_row_for_row(read: Callable[..., Reader]) -> None:
    """A click on the promise shows the row that was accepted, with the column that matters marked, and SQL to paste."""
    reader = read()
    reader.click(PRICE)
    row = reader.page.locator("#sheet table.row").first
    assert "A row of products" in row.inner_text()
    assert row.locator(".named").inner_text().split() == ["price", "-0.01"] or row.locator(
        ".named"
    ).inner_text().split() == ["price", "-1"]
    assert "refused with 23514 naming chk_products_price" in reader.sheet
    assert re.search(r"Seen\s+accepted", reader.sheet)
    reader.page.get_by_text("As SQL to paste into psql").click()
    assert 'INSERT INTO "public"."products"' in reader.sheet
    assert "drop_check chk_products_price" in reader.sheet
    assert reader.clicks <= 3


def test_filters_of_the_matrix(read: Callable[..., Reader]) -> None:
    """Text, verdict, kind and table each leave what fits, and the count says how many."""
    reader = read()
    status = reader.page.locator("#promises [role=status]")
    everything = reader.rows
    assert status.inner_text() == f"{len(everything)} promises"
    # what is not proven comes first
    assert set(everything[:4]) >= {PRICE, "orders.chk_orders_quantity", "orders.idx_orders_customer"}
    reader.page.get_by_label("Search").fill("PRICE >=")
    assert reader.rows == [PRICE]
    assert status.inner_text() == f"1 of {len(everything)} promises"
    reader.page.get_by_label("Search").fill("")
    reader.choose("Kind", "check")
    assert len(reader.rows) == 3
    reader.choose("Table", "orders")
    assert reader.rows == ["orders.chk_orders_quantity"]
    reader.choose("Verdict", "unproven")
    assert reader.rows == []
    reader.choose("Verdict", "all verdicts")
    reader.page.get_by_label("Earlier runs too").check()
    headings = reader.page.locator("#promises thead th.mark").all_inner_texts()
    assert [heading.split("PostgreSQL")[-1].strip() for heading in headings] == ["15 before", "15", "18 before", "18"]


def test_a_table_of_the_picture_leads_to_its_promises(read: Callable[..., Reader]) -> None:
    """The picture's boxes say how much is proven, and are links."""
    reader = read()
    box = reader.page.get_by_role("link", name=re.compile(r"^orders: \d+ of \d+ promises proven, 2 broken$"))
    box.click()
    assert reader.page.get_by_label("Table", exact=True).input_value() == "orders"
    assert all(row.startswith("orders") for row in reader.rows)
    boxes = reader.page.locator("#schema .box").count()
    assert boxes == 5


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_nothing_overflows(read: Callable[..., Reader], width: int) -> None:
    """Neither the page nor a sheet is wider than the window."""
    reader = read(width=width)
    assert not reader.page.evaluate(TOO_WIDE)
    for name in (PRICE, "latest_orders", f"{HOSTILE_TABLE}.{HOSTILE_CHECK}"):
        reader.click(name)
        assert not reader.page.evaluate(TOO_WIDE), name
        reader.page.keyboard.press("Escape")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_nobody_is_left_out(read: Callable[..., Reader], axe: str, width: int, *, dark: bool) -> None:
    """axe-core finds nothing, on the page and in both kinds of sheet, light and dark: names, contrast, order, focus."""
    reader = read(width=width, dark=dark)
    for opens in (None, PRICE, "latest_orders"):
        if opens:
            reader.click(opens)
        # scripts of a page are held back by its policy; this is the browser's own
        reader.page.evaluate(axe)
        found = reader.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        told = [(v["id"], [n["html"][:160] for n in v["nodes"]][:3]) for v in found["violations"]]
        assert told == [], opens
        reader.page.keyboard.press("Escape")


def test_by_keyboard_alone(read: Callable[..., Reader]) -> None:
    """Tab reaches a promise, Enter opens it, the focus stays within, Escape gives it back to where it was."""
    reader = read()
    focused = "document.activeElement.textContent"
    for _ in range(12):
        reader.page.keyboard.press("Tab")
        if reader.page.evaluate(focused) == PRICE:
            break
    assert reader.page.evaluate(focused) == PRICE
    reader.page.keyboard.press("Enter")
    assert reader.page.locator("#sheet-title").inner_text() == PRICE
    for _ in range(8):
        reader.page.keyboard.press("Tab")
        # past the last one a browser goes to its own controls, where the document's focus is on its body
        assert reader.page.evaluate(
            "!!document.activeElement.closest('#sheet, body:focus') || document.activeElement === document.body"
        )
    reader.page.keyboard.press("Escape")
    assert reader.page.evaluate(focused) == PRICE
    assert not reader.page.locator("#sheet").is_visible()


def test_names_that_look_like_markup_stay_text(read: Callable[..., Reader]) -> None:
    """Names of tables, columns and constraints, values and comments that are HTML are read as they are written."""
    reader = read()
    before = reader.page.evaluate("document.querySelectorAll('script, img, b, i').length")
    assert before == 2, "its own two scripts"
    reader.click(f"{HOSTILE_TABLE}.{HOSTILE_CHECK}")
    assert reader.page.locator("#sheet-title").inner_text() == f"{HOSTILE_TABLE}.{HOSTILE_CHECK}"
    assert "</script><img src=x onerror=alert(2)>" in reader.sheet
    assert "<i>" in reader.sheet
    reader.page.keyboard.press("Escape")
    reader.click("latest_orders")
    assert "A customer's <b>latest</b> orders." in reader.sheet
    assert reader.page.evaluate("document.querySelectorAll('script, img, b, i').length") == before


def test_no_script_but_its_own_is_run(read: Callable[..., Reader]) -> None:
    """The document's policy holds back whatever else would be put into it, and any connection."""
    reader = read()
    reader.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.run = true";
          document.body.append(script);
        }"""
    )
    assert reader.page.evaluate("window.run === undefined")
    assert (
        reader.page.evaluate("fetch('https://example.invalid/').then(() => 'sent', () => 'held back')") == "held back"
    )
    assert len(reader.console) >= 1
    assert all("Content Security Policy" in said for said in reader.console)
    assert not any(url.startswith("https") for url in reader.asked)
    reader.console.clear()


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("after-verify-18.json", "4 promises are broken."),
        ("before-verify-15.json", "Every promise is proven."),
        ("mutate.json", "Nothing is broken."),
        ("before-plans-18.json", "Nothing is broken."),
        ("compare.json", "Nothing is broken."),
        ("after-benchmark.json", "Nothing is broken."),
    ],
)
def test_any_result_alone_is_a_report(
    read: Callable[..., Reader], shop_results: Path, tmp_path: Path, file: str, says: str
) -> None:
    """What there is no result of is left out, and nothing else is missed."""
    report = tmp_path / "report.html"
    made = document(read_results([shop_results / file]), made="2026-01-02T03:04:05+00:00", version="0")
    report.write_text(page(made), encoding="utf-8")
    reader = read(report)
    assert reader.page.get_by_role("heading", level=1).inner_text() == says
    for opens in reader.page.locator("main button").all()[:8]:
        opens.click()
        reader.page.keyboard.press("Escape")


def test_it_prints(read: Callable[..., Reader]) -> None:
    """On paper there are no controls, nothing is cut at the right edge, and the answer comes first."""
    reader = read()
    reader.page.set_viewport_size({"width": A4, "height": 1123})
    reader.page.emulate_media(media="print")
    assert not reader.page.locator(".controls").is_visible()
    assert reader.page.get_by_role("heading", level=1).is_visible()
    assert not reader.page.evaluate(TOO_WIDE)
    assert reader.page.evaluate(CUT) == []
    assert reader.page.pdf(format="A4").startswith(b"%PDF")
