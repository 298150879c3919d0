"""`dart viewer`: a page of a run, of two runs side by side, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from dart.cli.app import main
from dart.metrics.run import Run
from dart.viewer.archive import MAX_BYTES, archive, read_page, unpack
from dart.viewer.page import viewer_html
from dart.viewer.samples import Samples
from tests.support.browser import Tab, chromium, tab
from tests.support.finished_run import unevaluated
from tests.support.samples import samples_of

__all__ = ["chromium", "tab", "unevaluated"]


@pytest.fixture
def folder(unevaluated: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs: `ours`, and `theirs`, whose students answer one item otherwise."""
    monkeypatch.chdir(tmp_path)
    ours = samples_of(unevaluated)
    for name, samples in (("ours", ours), ("theirs", changed(ours))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "viewer.html").write_text(viewer_html([archive(samples)]), encoding="utf-8")
    return tmp_path


def changed(samples: Samples) -> Samples:
    student = samples.students[0]
    seed = student.seeds[0]
    first, *rest = seed.answers["repaired"]
    answers = {**seed.answers, "repaired": (first.model_copy(update={"text": "Other words."}), *rest)}
    students = (student.model_copy(update={"seeds": (seed.model_copy(update={"answers": answers}),)}),)
    return samples.model_copy(update={"students": students})


def test_two_runs_stand_side_by_side(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["viewer", "ours", "--against", "theirs", "--out", "both.html"]) == 0
    assert "both.html" in capsys.readouterr().out
    page = (folder / "both.html").read_text(encoding="utf-8")
    assert '"title":"theirs"' in page
    assert unpack(read_page(folder / "both.html")["items"]) == unpack(read_page(folder / "ours")["items"])


@pytest.mark.browser
def test_the_page_filters_what_changed(folder: Path, tab: Tab) -> None:
    assert main(["viewer", "ours", "--against", "theirs", "--out", "both.html"]) == 0
    page = tab.open(folder / "both.html", "#changed=text")
    assert page.inner_text("#count") == "1 of 160 samples"
    assert "Other words." not in page.inner_text("body")
    page.keyboard.press("r")
    assert page.locator(".other [data-variant=repaired] ins").inner_text().strip() == "Other words."
    page.evaluate("writeState({changed: 'nothing'})")
    page.locator("#count", has_text="159 of").wait_for()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no page and no folder with a viewer.html"),
        (["ours", "--against", "no_such_revision"], "is no page or folder here"),
        (["ours", "--out", "notes.html"], "is not overwritten"),
        (["notes.html"], "holds no samples"),
        (["old.html"], "format 0"),
    ],
)
def test_what_cannot_be_read_or_written_is_said(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "notes.html").write_text("<p>mine</p>", encoding="utf-8")
    page = (folder / "ours" / "viewer.html").read_text(encoding="utf-8")
    (folder / "old.html").write_text(page.replace('"format":1', '"format":0'), encoding="utf-8")
    assert main(["viewer", *arguments]) == 1
    assert message in " ".join(capsys.readouterr().err.split())
    assert (folder / "notes.html").read_text(encoding="utf-8") == "<p>mine</p>"


def test_seeds_beyond_the_size_are_left_out_and_named_but_never_the_reference_seed(unevaluated: Run) -> None:
    samples = samples_of(unevaluated)
    student = samples.students[0]
    seeds = (student.seeds[0], student.seeds[0].model_copy(update={"seed": 7}))
    two = samples.model_copy(update={"students": (student.model_copy(update={"seeds": seeds}),)})
    assert archive(two, max_bytes=MAX_BYTES)["left_out"] == []
    small = archive(two, max_bytes=1)
    assert small["left_out"] == ["small/7"]
    assert small["students"][0]["seeds"] == [42]
    assert set(small["chunks"]) == {"small/base", "small/42"}


def test_the_same_samples_give_the_same_bytes(unevaluated: Run) -> None:
    pages = {viewer_html([archive(samples_of(unevaluated))]) for _ in range(2)}
    assert len(pages) == 1
