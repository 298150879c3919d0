"""Counts of the report and the samples behind them: every link, opened in a browser, shows as many as it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dart.core.records import Severity
from dart.report.evidence import PaperRun
from dart.report.row_links import Viewer, row_links
from dart.report.tables.harm import table45
from dart.report.tables.results import table_control
from dart.report.writer import write_paper
from dart.viewer.archive import archive
from dart.viewer.page import viewer_html
from tests.support.browser import Tab, chromium, tab
from tests.support.finished_run import REFERENCE_SEED
from tests.support.samples import samples_of

__all__ = ["chromium", "tab"]
_LINK = re.compile(r'<a href="(viewer\.html#[^"]*)">(\d+)</a>')


@pytest.fixture(scope="module")
def folder(
    run: PaperRun, truth: dict[str, dict[str, dict[str, Severity]]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    known: Any = {REFERENCE_SEED: truth}
    folder = tmp_path_factory.mktemp("report") / "paper"
    write_paper(run, folder, viewer=Viewer(viewer_html([archive(samples_of(run), known)]), True))
    return folder


@pytest.mark.browser
def test_every_count_of_the_report_is_the_number_of_samples_behind_its_link(folder: Path, tab: Tab) -> None:
    links = _LINK.findall((folder / "index.html").read_text(encoding="utf-8"))
    assert len(links) > 100
    tab.open(folder / "viewer.html")
    shown = tab.page.evaluate(
        """async (fragments) => {
             const counts = [];
             for (const fragment of fragments) {
               history.replaceState(null, "", fragment);
               await apply();
               counts.push(view.rows.length);
             }
             return counts;
           }""",
        [link.replace("&amp;", "&").removeprefix("viewer.html") for link, _ in links],
    )
    assert shown == [int(number) for _, number in links]
    assert len({number for number in shown if number}) > 20


@pytest.mark.browser
def test_a_link_of_the_page_opens_its_rows(folder: Path, tab: Tab) -> None:
    page = tab.page
    page.goto((folder / "index.html").as_uri())
    link = page.locator("#table45 tbody a").filter(has_text=re.compile(r"^[1-9]")).first
    number = int(link.inner_text())
    link.click()
    page.wait_for_selector("html[data-ready]")
    assert page.inner_text("#count").startswith(f"{number} of ")
    assert page.locator("#rows a").count() == number


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_report_is_accessible_and_never_scrolls_sideways(
    folder: Path, chromium: Any, width: int, scheme: str
) -> None:
    tab = Tab(chromium, width, scheme)
    tab.page.goto((folder / "index.html").as_uri())
    assert tab.violations() == []
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.page.locator("header img").bounding_box()["y"] < 900, "no figure on the first screen"
    assert (folder / "index.html").stat().st_size < 1_000_000
    tab.context.close()


def test_true_cases_are_linked_only_where_the_viewer_knows_them(run: PaperRun) -> None:
    table = table_control(run)
    known, unknown = (row_links(run, table, Viewer("", truth)) for truth in (True, False))
    true_rows = {number for number, row in enumerate(table.rows) if row[1] == "true"}
    assert {row for row, _ in known} > {row for row, _ in unknown}
    assert true_rows.isdisjoint(row for row, _ in unknown)


def test_fragments_are_the_cell(run: PaperRun) -> None:
    table = table45(run)
    links = row_links(run, table, Viewer("", True))
    assert len(links) == 6 * len(table.rows), "mild to extreme, before and after; not the paper's column"
    for (row, column), fragments in links.items():
        assert "".join(fragment.text for fragment in fragments) == table.rows[row][column]


def test_without_a_viewer_there_are_no_links(run: PaperRun) -> None:
    assert row_links(run, table45(run), None) == {}
