"""Annotation in a real browser: keyboard alone, undo, a reload in between, blinded files, and the labels' way back."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import cohen_kappa_score

from dart.annotation.exchange import import_sheets
from dart.annotation.sheets import BlindedPair, code, questions, swapped
from dart.annotation.study import Draw, Study, write_study
from dart.core.records import SEVERITIES, Item, Severity
from dart.core.seeds import unit_interval
from dart.viewer.annotation_page import annotation_html
from tests.support.browser import Tab
from tests.viewer.test_viewer import HOSTILE

PAIRS, SEED = 20, 5
NAMES = ("annotator_1", "annotator_2")
Labels = dict[str, Severity | None]


def pairs() -> list[BlindedPair]:
    return [
        BlindedPair(
            Item(id=f"D1-DIFF-{n}", benchmark="D1", condition="DIFF", gold="YES", prompt=f"Q {n}?", scenario=f"{n}"),
            f"Calm text {n}.",
            f"Worse text {n}." if n else HOSTILE[0] + HOSTILE[2],
        )
        for n in range(PAIRS)
    ]


def labels_of(annotator: str) -> Labels:
    """What an annotator thinks: annotators agree on most."""
    labels: Labels = {}
    for n in range(PAIRS):
        harmful = unit_interval("harmful", n) < 0.5
        if unit_interval(annotator, n) < 0.2:
            harmful = not harmful
        labels[f"D1-DIFF-{n}"] = SEVERITIES[n % 4] if harmful else None
    return labels


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a study of made-up pairs."""
    drawn = Draw(pairs(), SEED, tmp_path / "human.csv")
    monkeypatch.setattr("dart.annotation.exchange.draw", lambda _: drawn)
    folder = tmp_path / "sheets"
    folder.mkdir()
    write_study(folder, Study(annotators=NAMES, student="base", first="base", second="distilled", pairs=PAIRS))
    for name in NAMES:
        page = annotation_html(name, questions(drawn.pairs, name, SEED), {})
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return folder


def press(page: Any, annotator: str, label: Severity | None, item: str) -> None:
    pair = next(pair for pair in pairs() if pair.item.id == item)
    if label is None:
        page.keyboard.press("0")
        return
    page.keyboard.press("1" if swapped(pair, annotator, SEED) else "2")
    page.keyboard.press(str(1 + SEVERITIES.index(label)))


def shown_item(page: Any, annotator: str) -> str:
    """The item whose pair is on the page, by its code."""
    current = page.evaluate("study.questions[work.current].code")
    return next(pair.item.id for pair in pairs() if code(pair, annotator, SEED) == current)


def label_all(tab: Tab, path: Path, labels: Labels) -> None:
    """By keyboard alone; a reload after half of them, and one answer taken back."""
    annotator = path.stem
    page = tab.open(path)
    page.keyboard.press("Enter")
    for turn in range(PAIRS):
        if turn == PAIRS // 2:
            page.reload()
            page.wait_for_selector("html[data-ready]")
            assert page.inner_text("#count") == f"{turn} of {PAIRS}"
            page.keyboard.press("Enter")
        item = shown_item(page, annotator)
        if turn == 3:
            page.keyboard.press("0")
            page.keyboard.press("u")
            assert shown_item(page, annotator) == item, "undo returns to the pair"
            assert page.inner_text("#count") == f"{turn} of {PAIRS}"
        press(page, annotator, labels[item], item)
    assert page.inner_text("#count") == f"{PAIRS} of {PAIRS}"
    assert "All 20 pairs" in page.inner_text("#done")
    with page.expect_download() as download:
        page.keyboard.press("s")
    assert download.value.suggested_filename == f"{annotator}.jsonl"
    download.value.save_as(path.with_suffix(".jsonl"))


@pytest.mark.browser
def test_labels_by_keyboard_with_a_reload_give_the_kappa_of_scikit_learn(study: Path, tab: Tab) -> None:
    for name in NAMES:
        label_all(tab, study / f"{name}.html", labels_of(name))
    lines: list[str] = []
    with pytest.raises(ValueError, match="differ on"):
        import_sheets(study, annotation_html, lines.append)
    first, second = ([label is not None for label in labels_of(name).values()] for name in NAMES)
    expected = cohen_kappa_score(first, second)
    assert 0.1 < expected < 0.9
    assert f"on {PAIRS} pairs: {expected:.3f} [" in lines[-1]

    differing = {item: label for item, label in labels_of(NAMES[0]).items() if labels_of(NAMES[1])[item] != label}
    page = tab.open(study / "consensus.html")
    page.keyboard.press("Enter")
    assert "annotator_1: text" in page.inner_text("#said")
    for _ in differing:
        press(page, "consensus", "mild", shown_item(page, "consensus"))
    with page.expect_download() as download:
        page.keyboard.press("s")
    download.value.save_as(study / "consensus.jsonl")
    result = import_sheets(study, annotation_html, lines.append)
    assert (result.labels, result.discussed) == (PAIRS, len(differing))
    with result.path.open(encoding="utf-8") as stream:
        rows = {row["item_id"]: row for row in csv.DictReader(stream)}
    for item, row in rows.items():
        assert [row[name] for name in NAMES] == [labels_of(name)[item] or "none" for name in NAMES]
        assert row["consensus"] == ("mild" if item in differing else labels_of(NAMES[0])[item] or "none")


@pytest.mark.browser
def test_texts_appear_only_after_the_warning_and_stay_texts(study: Path, tab: Tab) -> None:
    page = tab.open(study / "annotator_1.html")
    assert "Calm text" not in page.inner_text("body")
    page.keyboard.press("Enter")
    while shown_item(page, "annotator_1") != "D1-DIFF-0":
        page.keyboard.press("j")
    side = "1" if swapped(pairs()[0], "annotator_1", SEED) else "2"
    assert page.locator(f"#text-{side} .text").inner_text() == HOSTILE[0] + HOSTILE[2]
    assert page.locator("h1").count() == 1
    assert page.title() == "Pairs of explanations: annotator_1"


@pytest.mark.browser
def test_axe_finds_nothing_serious(study: Path, tab: Tab) -> None:
    page = tab.open(study / "annotator_1.html")
    assert tab.violations() == []
    page.keyboard.press("Enter")
    page.keyboard.press("1")
    assert tab.violations() == []


@pytest.mark.browser
def test_premises_are_labelled_with_the_same_keys(study: Path, tab: Tab) -> None:
    path = study / "premises.html"
    path.write_text(annotation_html("premises", questions(pairs()[:3], "premises", SEED), {}, "premises"), "utf-8")
    page = tab.open(path)
    page.keyboard.press("Enter")
    assert not page.locator("#gold").is_visible(), "the label would tell what the premise is worth"
    for keys in ("0", "11", "14"):
        for key in keys:
            page.keyboard.press(key)
    assert tab.violations() == []
    with page.expect_download() as download:
        page.keyboard.press("s")
    download.value.save_as(study / "premises.jsonl")
    lines = [json.loads(line) for line in (study / "premises.jsonl").read_text(encoding="utf-8").splitlines()]
    expected = [("none", ""), ("harmful", "1"), ("harmful", "neither")]
    assert [(line["premise"], line["handled_by"]) for line in lines] == expected


def test_an_annotators_file_names_neither_models_nor_variants_nor_verdicts_and_orders_differ(study: Path) -> None:
    pages = [(study / f"{name}.html").read_text(encoding="utf-8").lower() for name in NAMES]
    for page in pages:
        for word in ("distilled", "repaired", "nano", "llama", "delta", "toxicity", "screened", "verdict", "judge",
                     "d1-diff", "annotator_1: text"):  # fmt: skip
            assert word not in page
    codes = [[question.code for question in questions(pairs(), name, SEED)] for name in NAMES]
    orders = [
        [p.item.id for c in by for p in pairs() if code(p, name, SEED) == c]
        for name, by in zip(NAMES, codes, strict=True)
    ]
    assert orders[0] != orders[1]
    assert set(codes[0]).isdisjoint(codes[1])


@pytest.mark.parametrize(
    ("line", "message"),
    [("{", "not a label"), ('{"code": "x", "more_harmful": "1", "severity": "mild"}', "not of this annotator")],
)
def test_a_damaged_export_is_refused_by_line(study: Path, line: str, message: str) -> None:
    (study / "annotator_1.jsonl").write_text(line, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        import_sheets(study, annotation_html, lambda _: None)
