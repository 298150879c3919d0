"""The sample viewer in a real browser: counts behind links, deep links, masking, keys, texts that are data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dart.viewer.archive import archive
from dart.viewer.page import viewer_html
from dart.viewer.samples import Samples
from tests.support.browser import Tab
from tests.support.paper_size import PAIRS, run_samples
from tests.viewer.conftest import Page

pytestmark = pytest.mark.browser

HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=document.title='owned'>",
    "</textarea></div><h1>heading</h1> &lt;b&gt; &amp;",
    "left \u202eright to left\u202c \u2066isolated\u2069 \u200bzero\x00\x1b[31m",
    "{{ 7 * 7 }} {% raw %} ${1} `tick` \\u003c",
)


def count(page: Any) -> int:
    return int(page.inner_text("#count").split(" of ")[0].replace(",", ""))


def visible(page: Any) -> str:
    return str(page.inner_text("body"))


def with_texts(samples: Samples, texts: list[str]) -> Samples:
    """The first items' prompts and distilled answers are `texts`."""
    student = samples.students[0]
    seed = student.seeds[0]
    answers = [
        answer.model_copy(update={"text": texts[index]}) if index < len(texts) else answer
        for index, answer in enumerate(seed.answers["distilled"])
    ]
    items = [
        item.model_copy(update={"prompt": texts[index]}) if index < len(texts) else item
        for index, item in enumerate(samples.items)
    ]
    changed = seed.model_copy(update={"answers": {**seed.answers, "distilled": tuple(answers)}})
    return samples.model_copy(
        update={"items": tuple(items), "students": (student.model_copy(update={"seeds": (changed,)}),)}
    )


def written(samples: Samples, folder: Path) -> Path:
    path = folder / "viewer.html"
    path.write_text(viewer_html([archive(samples)]), encoding="utf-8")
    return path


def test_a_deep_link_restores_filters_and_sample(viewer: Page, tab: Tab) -> None:
    fragment = "#student=base&benchmark=D2&condition=DIFF&compare=repaired&sort=-delta&item=D2-DIFF-test-3"
    page = tab.open(viewer.path, fragment)
    assert page.locator("#detail h2").inner_text() == "D2-DIFF-test-3"
    assert page.locator("#filter-benchmark").input_value() == "D2"
    assert page.locator("#filter-compare").input_value() == "repaired"
    assert count(page) == 10
    page = tab.open(viewer.path, "#N1-EQUAL-test-4")
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.locator("#detail h2").inner_text() == "N1-EQUAL-test-4"


def test_nothing_is_unmasked_before_an_explicit_act(viewer: Page, tab: Tab) -> None:
    page = tab.open(viewer.path)
    texts = ("Because.", "Question 0 of D1?", "Conclusion:")
    assert not any(text in visible(page) for text in texts)
    source = (viewer.path).read_text(encoding="utf-8")
    assert not any(text in source for text in texts)
    page.keyboard.press("r")
    assert all(text in visible(page) for text in texts)
    page.keyboard.press("j")
    assert not any(text in visible(page) for text in texts), "the next sample has not been asked for"
    page.keyboard.press("R")
    page.keyboard.press("j")
    assert "Because." in visible(page)


def test_keys_before_the_samples_are_read_do_nothing(viewer: Page, tab: Tab) -> None:
    tab.page.add_init_script(
        "const text = Response.prototype.text, held = new Promise((resolve) => { window.release = resolve; });"
        "Response.prototype.text = async function () { await held; return text.call(this); };"
    )
    tab.page.goto(viewer.path.as_uri())
    assert tab.page.locator("html[data-ready]").count() == 0
    for key in ("R", "j", "r"):
        tab.page.keyboard.press(key)
    tab.page.evaluate("window.release()")
    tab.page.wait_for_selector("html[data-ready]")
    assert tab.page.locator("#detail .masked").count() > 1


def test_keys_walk_through_the_filtered_samples(viewer: Page, tab: Tab) -> None:
    page = tab.open(viewer.path, "#benchmark=N4&condition=EQUAL")
    walked = [page.locator("#detail h2").inner_text()]
    for key in ("j", "ArrowDown", "ArrowRight", "k", "ArrowUp"):
        page.keyboard.press(key)
        walked.append(page.locator("#detail h2").inner_text())
    assert [name.rpartition("-")[2] for name in walked] == ["0", "1", "2", "3", "2", "1"]
    assert "item=N4-EQUAL-test-1" in page.url


def test_search_sort_and_filter_by_hand(viewer: Page, tab: Tab) -> None:
    page = tab.open(viewer.path)
    page.keyboard.press("/")
    page.keyboard.type("question 7 of d3")
    page.locator("#count", has_text=re.compile(r"^2 of")).wait_for()
    page.keyboard.press("Escape")
    page.locator("#clear").click()
    page.locator("#count", has_text=re.compile(r"^160 of")).wait_for()
    page.locator("#filter-sort").select_option("-delta")
    page.locator("#filter-severity").select_option("any")
    page.locator("#count", has_text=re.compile(r"^(?!160)")).wait_for()
    assert "severity=any" in page.url
    assert "sort=-delta" in page.url
    student = viewer.run.students[0]
    largest = max((r for r in student.audits["before"] if r.severity), key=lambda record: record.delta)
    assert page.locator("#detail h2").inner_text() == largest.item_id


def test_texts_are_never_markup(samples: Samples, tab: Tab, tmp_path: Path) -> None:
    path = written(with_texts(samples, list(HOSTILE)), tmp_path)
    page = tab.open(path)
    page.keyboard.press("R")
    elements = page.evaluate("document.querySelectorAll('script, img, h1').length")
    for text in HOSTILE:
        shown = page.locator(".prompt .text").inner_text()
        visible_text = re.sub(r"[\u202a-\u202e\u2066-\u2069\u200b\x00\x1b]", lambda c: f"U+{ord(c[0]):04X}", text)
        assert shown == visible_text
        assert page.locator("[data-variant=distilled] ins").count() == 1
        page.keyboard.press("j")
    assert page.evaluate("document.querySelectorAll('script, img, h1').length") == elements
    assert page.title() == "Samples of this run"


def test_a_text_of_a_million_characters_stays_readable(samples: Samples, tab: Tab, tmp_path: Path) -> None:
    path = written(with_texts(samples, ["word " * 200_000 + "end."]), tmp_path)
    page = tab.open(path)
    page.keyboard.press("r")
    assert "show the other 980,004 characters" in page.locator(".prompt").inner_text()
    page.locator(".prompt .text button").click()
    assert page.locator(".prompt .text").inner_text().endswith("end.")


def test_word_differences_reproduce_both_texts(viewer: Page, tab: Tab) -> None:
    page = tab.open(viewer.path)
    for reference, text in [
        ("a b c d", "a x c d e"),
        ("", "new text"),
        ("same", "same"),
        ("one two", ""),
        ("x\ny  z", "x y z"),
    ]:
        parts = page.evaluate("([a, b]) => wordDiff(a, b)", [reference, text])
        assert "".join(part for kind, part in parts if kind != "ins") == reference
        assert "".join(part for kind, part in parts if kind != "del") == text
    assert page.evaluate("wordDiff('a b c d e f', 'a b X d e f')") == [
        ["same", "a b"], ["del", " c"], ["ins", " X"], ["same", " d e f"],
    ]  # fmt: skip


def test_pairs_of_a_real_runs_length_stay_below_eight_megabytes(tab: Tab, tmp_path: Path) -> None:
    """A quarter of 3,248 pairs in a quarter of the size. All of them, and how fast: benchmarks/viewer_speed.py."""
    path = written(run_samples(PAIRS // 4), tmp_path)
    assert path.stat().st_size < 8_000_000 / 4
    page = tab.open(path)
    assert count(page) == PAIRS // 4
    page.evaluate("writeState({q: 'nothing of this kind'})")
    assert count(page) == 0


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing_serious(viewer: Page, chromium: Any, width: int, scheme: str) -> None:
    tab = Tab(chromium, width, scheme)
    page = tab.open(viewer.path, "#student=base&compare=repaired&flow=gone")
    page.keyboard.press("r")
    page.keyboard.press("?")
    assert tab.violations() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    assert tab.errors == []
    tab.context.close()
