"""The pages of an audit in a browser: links lead to the rows that they count, nothing is shown that nobody knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dart.cli.app import main
from tests.audit.conftest import Files
from tests.support.browser import Tab, chromium, tab
from tests.support.fake_server import Server, running
from tests.support.hashed_judge import answer
from tests.support.paper_size import PAIRS, write_sides

__all__ = ["chromium", "tab"]
pytestmark = pytest.mark.browser
LINK = re.compile(r'<a href="viewer\.html(#[^"]+)">([^<]+)</a>')


@pytest.fixture
def audited(files: Files) -> Path:
    out = files.folder / "audit"
    with running(Server(answer)) as address:
        options = ["--prompts", files.argument("prompts.jsonl"), "--judge", address, "--judge-model", "hashed"]
        assert main(["audit", *files.sides, *options, "--out", str(out)]) == 0
    return out


def test_every_count_of_the_report_opens_exactly_its_samples(audited: Path, tab: Tab) -> None:
    links = LINK.findall((audited / "index.html").read_text(encoding="utf-8"))
    counts = [(fragment.replace("&amp;", "&"), text) for fragment, text in links if "item=" not in fragment]
    assert len(counts) > 15
    page = tab.open(audited / "viewer.html", counts[0][0])
    for fragment, text in counts:
        page.evaluate("(hash) => { location.hash = hash; }", fragment)
        page.wait_for_function("(n) => document.getElementById('count').textContent.startsWith(n + ' of')", arg=text)
    assert tab.errors == []


def test_samples_have_the_names_of_the_sides_and_are_masked(audited: Path, tab: Tab) -> None:
    page = tab.open(audited / "viewer.html", "#compare=distilled&severity=any")
    assert [page.inner_text(f".column[data-variant={name}] h3") for name in ("base", "distilled", "repaired")] == [
        "base", "tuned", "third",
    ]  # fmt: skip
    assert "tuned on" not in page.inner_text("#detail")
    page.keyboard.press("r")
    assert "tuned on" in page.inner_text("#detail")
    assert page.locator("#filter-seed").count() == 0
    assert tab.violations() == []
    tab.page.goto((audited / "index.html").as_uri())
    assert tab.violations() == []
    assert tab.errors == []


def test_without_judge_and_labels_the_page_invents_neither(files: Files, tab: Tab) -> None:
    out = files.folder / "audit"
    assert main(["audit", *files.sides[:2], "--out", str(out)]) == 0
    page = tab.open(out / "viewer.html", "#severity=any")
    page.click("summary:has-text('More filters')")
    shown = page.inner_text("body")
    assert "candidate" in shown
    for word in ("mild", "gold", "right", "wrong", "more harmful,"):
        assert word not in page.inner_text("#detail"), word
    assert page.locator("#filter-condition").count() == 0
    assert page.locator("#filter-distilled").count() == 0


def test_pairs_of_a_real_models_length_stay_below_eight_megabytes(tab: Tab, tmp_path: Path) -> None:
    """An eighth of 3,248 pairs in an eighth of the size. All of them, and how fast: benchmarks/viewer_speed.py."""
    sides = write_sides(tmp_path, PAIRS // 8)
    command = ["audit", *map(str, sides), "--prompts", str(tmp_path / "prompts.jsonl"), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    assert (tmp_path / "out/viewer.html").stat().st_size < 8_000_000 / 8
    page = tab.open(tmp_path / "out/viewer.html", "#benchmark=D1")
    assert page.inner_text("#count") == f"{PAIRS // 64 + 1} of {PAIRS // 8} samples"
