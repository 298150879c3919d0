"""The folder and the page: claims with their controls, self-contained, the same bytes twice, texts only warned."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from dart.core.schema.method import Statistics
from dart.metrics.evaluate import evaluate
from dart.metrics.run import AUDITS, SPLITS, STAGES, Run, Settings
from dart.metrics.training_seeds import seed_metrics
from dart.report.contents import SECTIONS, tables
from dart.report.evidence import PaperRun
from dart.report.markdown import markdown
from dart.report.page import html_fragment
from dart.report.summary import claims, decision_claim, drift_claim, summary
from dart.report.table import Table
from dart.report.writer import write_paper

ROOT = Path(__file__).resolve().parents[2]
QUOTING = {"1", "8", "12", "46"}


def _all(run: PaperRun) -> list[Table]:
    return [table for section_tables in tables(run).values() for table in section_tables]


@pytest.fixture(scope="module")
def page(written: Any) -> str:
    return (written.folder / "index.html").read_text(encoding="utf-8")


def test_every_table_says_that_it_is_simulated(run: PaperRun) -> None:
    for table in _all(run):
        assert table.rows
        assert "(simulated)" in markdown(table).splitlines()[0]
        assert "(simulated)" in html_fragment(table)


def test_measured_run_is_not_called_simulated(run: PaperRun) -> None:
    settings = Settings(label="measured", severity_weights=run.settings.severity_weights)
    measured = run.model_copy(update={"settings": settings})
    for table in _all(measured):
        assert "imulated" not in markdown(table).splitlines()[0]
    assert summary(measured).startswith("MEASURED")


def test_table_names_the_rebuilt_benchmark(run: PaperRun) -> None:
    assert {t.number for t in _all(run) if "| N1 (rebuilt) |" in markdown(t)} == {"6", "13", "45"}


def test_texts_stand_only_in_tables_with_a_warning(run: PaperRun) -> None:
    for table in _all(run):
        text = markdown(table)
        quotes = any(mark in text for mark in ("Question ", "Because.", "Teacher's reason"))
        assert quotes == (table.number in QUOTING) == bool(table.warning)


def test_page_of_a_real_suite_warns_before_the_first_text(run: PaperRun, tmp_path: Path, page: str) -> None:
    header = page[: page.index("<nav")]
    assert "Content warning" in header  # the fixture's suite is unknown: it counts as real
    assert "Question " not in header
    embedded = run.model_copy(update={"card": {**run.card, "provenance": {"source": "embedded"}}})
    write_paper(embedded, tmp_path / "paper")
    assert "Content warning" not in (tmp_path / "paper" / "index.html").read_text(encoding="utf-8")


class _Structure(HTMLParser):
    """Collects ids, links and unbalanced tags."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if attributes.get("id"):
            self.ids[str(attributes["id"])] += 1
        if tag == "a":
            self.links.append(str(attributes["href"]))
        if tag == "img":
            assert attributes.get("alt"), "a figure without a text for readers who cannot see it"

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def test_page_is_well_formed_and_every_link_lands(page: str) -> None:
    structure = _Structure()
    structure.feed(page)
    assert not structure.open
    assert max(structure.ids.values()) == 1
    assert {link.removeprefix("#") for link in structure.links} <= set(structure.ids)
    assert {section.key for section in SECTIONS} <= set(structure.ids)


def test_every_table_names_its_stage_and_function_and_has_a_caption_and_row_headers(run: PaperRun, page: str) -> None:
    places = re.findall(r"Drawn by (src/[\w/]+\.py), (\w+)\.", page)
    assert len(places) == len(_all(run))
    for path, function in places:
        assert f"\ndef {function}(" in (ROOT / path).read_text(encoding="utf-8")
    assert page.count("<caption>") == page.count("<table>")
    body, coverage = page.split('id="table_c"')
    assert body.count('<th scope="row"') == sum(len(table.rows) for table in _all(run))
    assert '<th scope="row"' in coverage


def test_first_screen_says_what_is_not_shown_and_by_which_parameters(page: str) -> None:
    header = page[: page.index("<nav")]
    for text in (
        "What this does not show",
        "training seeds",
        "severity weights",
        "<dd>0.01</dd>",
        'id="figure04_base"',
    ):
        assert text in header
    assert page.count('id="figure04_base"') == 1


def test_page_is_self_contained(page: str) -> None:
    assert not re.search(r'src="(?!data:)|href="(?!#)', page)
    assert "<script" not in page
    assert "url(" not in page


def test_page_leads_with_label_claims_and_contents(run: PaperRun, page: str) -> None:
    order = ["Simulated:", "nano_small, decisions", "Figure 4", "<nav", "Figure 3", "Table 2 ", "Table A ", "Table C "]
    positions = [page.index(mark) for mark in order]
    assert positions == sorted(positions)
    assert page.index("Table Q (") < page.index("Table F (") < page.index("Table 2 (")
    assert page.count("<table>") == len(_all(run)) + 1
    assert "prefers-color-scheme:dark" in page
    assert "@media print" in page


def test_the_papers_numbers_stand_beside_ours_and_are_called_the_papers(page: str) -> None:
    page = page.replace("\u00a0", " ")
    for numbers in ("0.390 → 0.688", "3.81 / 4.08 / 3.52", "severe 283 → 71", "435 → 119", "160 of 435", "0.72 / 0.81"):
        before = page[: page.index(numbers)]
        assert "paper" in before[before.rindex("<figure") :].lower(), f"{numbers} is not marked as the paper's"


def test_same_run_gives_the_same_folder(run: PaperRun, written: Any, tmp_path: Path) -> None:
    write_paper(run, tmp_path / "again")
    files = sorted(path.name for path in written.folder.iterdir())
    assert {"index.md", "index.html", "tables.tex", "table02.tex", "table45.md", "table_a.md"} <= set(files)
    assert {"figure03_base.png", "figure05_base.pdf"} <= set(files)
    for name in files:
        assert (written.folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_claims_speak_of_the_recipe_and_stand_beside_their_control(run: PaperRun) -> None:
    student = run.students[0]
    levels = run.metric("seeds", "students", "small", "levels")
    before, after, control = (
        f"{100 * levels[variant]['drift_rate']['estimate']:.1f} %" for variant in ("distilled", "repaired", "control")
    )
    claim = drift_claim(run, student)
    assert f"audited in {before} of the explanations after distillation and {after} after repair" in claim
    assert f"mean of 2 training seeds. The control leaves {control}" in claim
    assert "on prompts that it repaired: not shown" in claim, "two seeds of the fixture show nothing"
    assert "The control without repair rows has" in decision_claim(run, student)
    assert len(claims(run)) == 2 * len(run.students)


@pytest.mark.parametrize(
    ("p", "estimate", "text"),
    [
        (1e-9, -0.2, "that it repaired: shown, −20.0 points"),
        (1e-9, 0.2, "the opposite is shown"),
        (0.2, -0.2, "not shown, −20.0 points"),
        (None, -0.2, "not shown, with one training seed"),
    ],
)
def test_what_another_seed_would_not_repeat_is_not_shown(
    run: PaperRun, p: float | None, estimate: float, text: str
) -> None:
    metrics = json.loads(json.dumps(run.metrics))
    entry = metrics["seeds"]["students"]["small"]["contrasts"]["control_repaired"]["drift_rate"]
    entry |= {"p": p, "estimate": estimate, "ci": [estimate - 0.01, estimate + 0.01]}
    assert text in drift_claim(run.model_copy(update={"metrics": metrics}), run.students[0])


def test_a_run_without_control_says_so(run: PaperRun) -> None:
    metrics = json.loads(json.dumps(run.metrics))
    del metrics["seeds"]["students"]["small"]["levels"]["control"]
    assert "No control was run" in drift_claim(run.model_copy(update={"metrics": metrics}), run.students[0])


def test_summary_has_a_line_for_each_student_and_stage(run: Run) -> None:
    lines = summary(run).splitlines()
    assert lines[0].startswith("SIMULATED")
    assert len(lines) == 2 + 2 * 4
    assert max(len(line) for line in lines) < 120


def _degenerate(run: PaperRun) -> PaperRun:
    """A benchmark of one's own, a base that never parses, no drift at all, no control, no rationale, no annotation."""
    items = tuple(item.model_copy(update={"benchmark": "MINE"}) for item in run.items if item.benchmark in ("D1", "N1"))
    ids = {item.id for item in items}
    student = run.students[0]
    generations = {
        variant: tuple(
            answer.model_copy(update={"prediction": None if variant == "base" else answer.prediction})
            for answer in student.generations[variant]
            if answer.item_id in ids
        )
        for variant in STAGES
    }
    audits = {
        audit: tuple(
            record.model_copy(update={"severity": None, "judgement": None, "screened": False})
            for record in student.audits[audit]
            if record.item_id in ids
        )
        for audit in AUDITS
    }
    alone = student.model_copy(update={"generations": generations, "audits": audits, "targets": ()})
    changes = {"students": (alone,), "splits": dict.fromkeys(SPLITS, items), "card": {}, "rationales": ()}
    return run.model_copy(update=changes)


def test_a_run_in_which_nothing_can_be_counted_still_gives_every_table(unannotated: PaperRun, tmp_path: Path) -> None:
    bare = _degenerate(unannotated)
    statistics = Statistics(resamples=100, confidence=0.95)
    outs = evaluate(bare, statistics, 1)
    outs["metrics/seeds.json"] = seed_metrics({42: bare, 0: bare}, None)
    json.dumps(outs, allow_nan=False)
    metrics = {path[8:-5]: content for path, content in outs.items() if path.startswith("metrics/")}
    assert metrics["drift"]["small"]["reduction"] is None
    assert metrics["hypotheses"]["size"] == 3  # no D and no N rows
    metrics |= {name: unannotated.metrics[name] for name in ("calibration", "arms")}
    write_paper(bare.model_copy(update={"metrics": metrics}), tmp_path / "paper")
    assert "| MINE |" in (tmp_path / "paper" / "table13.md").read_text(encoding="utf-8")
