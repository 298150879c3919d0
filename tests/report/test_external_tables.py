"""Tables 5 and 35-43: their numbers, their family of tests, and every size of a group from none to all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from dart.core.seeds import unit_interval
from dart.external.adjudication import rows
from dart.external.analysis import paired, student_report, suite_report
from dart.external.hatecheck import failing, hatecheck_report
from dart.external.items import DISPLAY, SPOKEN, SUITES, Answer, ExternalItem, SuiteName
from dart.external.loaders import load_suite
from dart.external.rewriting import Rewrite
from dart.external.sample import suite_card
from dart.metrics.run import Run
from dart.report.evidence import PaperRun
from dart.report.latex import latex
from dart.report.markdown import markdown
from dart.report.page import html_fragment
from dart.report.table import NOT_RUN, Table
from dart.report.tables.external import table5, table35, table40, table41, table42, table43
from dart.report.tables.hatecheck import table36, table37, table38, table39
from dart.simulation.annotators import adjudicate
from dart.simulation.external_suites import embedded_files
from dart.stats.paired import adjusted, mann_whitney

MAKERS: tuple[Callable[[Run], Table], ...] = (
    table5, table35, table36, table37, table38, table39, table40, table41, table42, table43,
)  # fmt: skip
SHARE = 0.05


def answer(item: ExternalItem, variant: str, slot: str) -> Answer:
    base = variant == "base"
    silent = base and unit_interval(slot, item.id, "silent") < 0.3
    return Answer(
        item_id=item.id, variant=variant, text=f"{variant} says this.", rationale=f"{variant} says this.",
        prediction=None if silent else "NO", new_tokens=3, model="m", revision="r", prompt_hash="p",
        toxicity=0.001 * unit_interval(slot, item.id, variant) * (1.5 if base else 1.0),
        hate=0.8 * unit_interval(slot, item.id, variant, "hate"),
    )  # fmt: skip


def rewritten(item: ExternalItem) -> Rewrite:
    return Rewrite(
        item_id=item.id, label="NO", text="t", accepted=True, problems=(), toxicity=0.0, hate=0.4,
        toxicity_repaired=0.1, hate_repaired=0.7, model="t", prompt_hash="p",
    )  # fmt: skip


def report(
    suite: SuiteName,
    slots: Sequence[str],
    keep: Callable[[ExternalItem], bool] = lambda item: True,
    labelled: bool = True,
) -> dict[str, Any]:
    all_items = load_suite(suite, embedded_files(suite, 42))
    items = [item for item in all_items if keep(item)]
    card = {**suite_card(suite, all_items, items, {}), "groups": dict.fromkeys(g for i in all_items for g in i.groups)}
    reports: dict[str, Any] = {}
    for slot in slots:
        sides = ([answer(item, variant, slot) for item in items] for variant in ("base", "repaired"))
        pairs = paired(items, *sides, slot)
        if suite == "hatecheck":
            part = failing(pairs, SHARE)
            labels = adjudicate(rows(part, 1), 0.1, 1) if labelled else {}
            rewrites = [rewritten(item) for item in part.items]
            reports[slot] = hatecheck_report(pairs, card, SHARE, rewrites, labels, 0.95, 1)
        else:
            reports[slot] = student_report(pairs, card, 0.95)
    return suite_report(card, reports)


def with_external(run: PaperRun, external: Mapping[str, Any]) -> PaperRun:
    return run.model_copy(update={"metrics": {**run.metrics, "external": dict(external)}})


@pytest.fixture(scope="module")
def external() -> dict[str, Any]:
    return {suite: report(suite, ("small", "base")) for suite in SUITES}


@pytest.fixture(scope="module")
def one_student(run: PaperRun) -> PaperRun:
    return with_external(run, {suite: report(suite, ("base",)) for suite in SUITES})


@pytest.fixture(scope="module")
def full(run: PaperRun, external: dict[str, Any]) -> PaperRun:
    return with_external(run, external)


def renders(table: Table) -> None:
    for text in (markdown(table), latex(table), html_fragment(table)):
        assert table.number in text


def cell(table: Table, column: str, *head: str) -> str:
    [row] = [row for row in table.rows if row[: len(head)] == head]
    return row[table.columns.index(column)]


@pytest.mark.parametrize("maker", MAKERS)
def test_a_whole_run_gives_whole_tables(full: PaperRun, maker: Callable[[Run], Table]) -> None:
    table = maker(full)
    assert table.status == "regenerated"
    assert {row[0] for row in table.rows} == {"nano_small", "nano_base"}
    renders(table)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_run_without_external_suites_says_what_is_missing(run: PaperRun, maker: Callable[[Run], Table]) -> None:
    table = maker(run)
    assert table.status == "not run"
    assert "dvc repro external/dvc.yaml:" in table.needs
    renders(table)


@pytest.mark.parametrize("maker", MAKERS)
def test_one_student_alone_makes_a_part(one_student: PaperRun, maker: Callable[[Run], Table]) -> None:
    table = maker(one_student)
    assert table.status == "partly"
    assert any(NOT_RUN in row for row in table.rows if row[0] == "nano_small")
    assert not any(NOT_RUN in row for row in table.rows if row[0] == "nano_base")
    renders(table)


CHOSEN: Mapping[SuiteName, str] = {
    "bold": "race", "holisticbias": "ability", "realtoxicityprompts": "[.5, .75)", "hatecheck": "Velans",
}  # fmt: skip


def item_filter(suite: SuiteName, size: str) -> Callable[[ExternalItem], bool]:
    group = CHOSEN[suite]
    first = next(item.id for item in load_suite(suite, embedded_files(suite, 42)) if item.group == group)
    return {
        "none at all": lambda item: False,
        "zero": lambda item: item.group != group,
        "one": lambda item: item.id == first,
        "all": lambda item: item.group == group,
    }[size]


@pytest.fixture(scope="module", params=["none at all", "zero", "one", "all"])
def sized(request: pytest.FixtureRequest, run: PaperRun) -> PaperRun:
    """Of one group none, one or all prompts, and a suite of no prompt at all."""
    reports = {suite: report(suite, ("small", "base"), item_filter(suite, request.param)) for suite in SUITES}
    return with_external(run, reports)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_group_of_zero_one_and_all_prompts(sized: PaperRun, maker: Callable[[Run], Table]) -> None:
    table = maker(sized)
    assert (table.measured, table.needs) == (True, ""), "what is empty has been run: it lacks values alone"
    renders(table)


def test_an_empty_slice_is_a_dash_and_a_small_one_is_marked(run: PaperRun) -> None:
    velans = [item.id for item in load_suite("hatecheck", embedded_files("hatecheck", 42)) if item.group == "Velans"]
    for size, expected in ((0, "0†"), (1, "1†"), (25, "25")):
        part = report("hatecheck", ("small", "base"), lambda i, size=size: i.group != "Velans" or i.id in velans[:size])  # type: ignore[misc]
        table = table41(with_external(run, {"hatecheck": part}))
        rows_ = [row for row in table.rows if row[:2] == ("nano_small", "Velans")]
        assert [row[2] for row in rows_] == [expected, expected]
        assert (rows_[0][table.columns.index("U: p")] == "–") == (size == 0)
        assert ("no outcome could be significant" in table.note) == (size == 1)


def test_suites_as_wholes_are_corrected_together(full: PaperRun, external: dict[str, Any]) -> None:
    p = {}
    for slot in ("small", "base"):
        for suite in SUITES:
            overall = external[suite]["students"][slot]["overall"]
            p[slot, suite, "abstention"] = overall["abstention"]["p"]
            for score in ("toxicity", "hate"):
                p[slot, suite, score, "mean"] = overall[score]["harm"]["mean"]["p"]
                p |= {(slot, suite, score, kind): overall[score][kind]["p"] for kind in ("mann_whitney", "wilcoxon")}
    assert len(p) == 2 * 4 * 7
    corrected = {key: _p(value) for key, value in zip(p, adjusted(list(p.values()), "holm"), strict=True)}
    table = table35(full)
    for column, kind in (("Holm", "mean"), ("U: Holm", "mann_whitney"), ("Wilcoxon: Holm", "wilcoxon")):
        cells = [row[table.columns.index(column)] for row in table.rows]
        expected = [value for key, value in corrected.items() if key[3:] == (kind,)]
        assert cells == expected, kind
    table = table40(full)
    cells = [row[table.columns.index("p (Holm)")] for row in table.rows]
    assert cells == [value for key, value in corrected.items() if key[2] == "abstention"]


def test_slices_are_corrected_with_the_slices_of_their_suite(full: PaperRun, external: dict[str, Any]) -> None:
    p = {
        (slot, name, score, kind): (part[score]["harm"]["mean"] if kind == "mean" else part[score][kind])["p"]
        for slot in ("small", "base")
        for name, part in external["bold"]["students"][slot]["slices"].items() if part["n"]
        for score in ("toxicity", "hate") for kind in ("mean", "mann_whitney", "wilcoxon")
        if (part[score]["harm"]["mean"] if kind == "mean" else part[score][kind]) is not None
    }  # fmt: skip
    tested = {key: value for key, value in p.items() if value is not None}
    corrected = dict(zip(tested, adjusted(list(tested.values()), "holm"), strict=True))
    table = table42(full)
    names = {SPOKEN.get(name, name): name for name in external["bold"]["students"]["base"]["slices"]}
    for row in table.rows:
        slot, score = row[0].removeprefix("nano_"), row[4]
        cell = row[table.columns.index("Wilcoxon: Holm")]
        key = (slot, names.get(row[1], ""), score, "wilcoxon")
        assert cell == (_p(corrected[key]) if key in corrected else "–")


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def test_table_5_weights_the_correlations_by_size(full: PaperRun, external: dict[str, Any]) -> None:
    parts = [external[suite]["students"]["small"]["overall"] for suite in SUITES]
    n = sum(part["n"] for part in parts)
    weighted = sum(part["n"] * part["toxicity"]["mann_whitney"]["rank_biserial"] for part in parts) / n
    table = table5(full)
    [row] = [row for row in table.rows if row[:2] == ("nano_small", "all, weighted")]
    assert row[2] == str(n)
    assert row[7] == f"{weighted:+.2f}".replace("-", "−")


def test_scores_are_medians_of_the_answers(full: PaperRun) -> None:
    items = load_suite("bold", embedded_files("bold", 42))
    sides = [[answer(item, variant, "base").toxicity for item in items] for variant in ("base", "repaired")]
    row = next(row for row in table35(full).rows if row[:2] == ("nano_base", "BOLD"))
    assert row[table35(full).columns.index("U: r")] == f"{mann_whitney(*sides).effect:+.2f}".replace("-", "−")
    assert row[2] == str(len(items))


def test_prompts_in_no_slice_are_named(full: PaperRun) -> None:
    assert "4 of gender + race" in table42(full).note
    assert "20 of no group" in table41(full).note
    assert "Every prompt is in one slice" in table43(full).note
    assert {row[1] for row in table42(full).rows} == {
        "gender", "race", "religion", "political ideology", "profession", "all prompts"
    }  # fmt: skip


def test_table_36_tests_no_subset_that_was_chosen_by_its_outcome(full: PaperRun) -> None:
    table = table36(full)
    assert cell(table, "p", "nano_small", "failing subset") == "–"
    assert cell(table, "p", "nano_small", "base answered (matched)") != "–"
    assert cell(table, "Abstention", "nano_small", "base answered (matched)") == "0.0 % → 0.0 %"


def test_table_37_waits_for_people(run: PaperRun) -> None:
    table = table37(with_external(run, {"hatecheck": report("hatecheck", ("small", "base"), labelled=False)}))
    assert table.status == "not run"
    assert "external/human" in table.needs
    renders(table)


def test_table_38_has_every_functionality_once(full: PaperRun) -> None:
    table = table38(full)
    names = [row[2] for row in table.rows if row[0] == "nano_small"]
    assert len([name for name in names if name != "all"]) == 29
    assert names.count("all") == 11


def test_table_39_counts_what_is_still_flagged(full: PaperRun) -> None:
    row = next(row for row in table39(full).rows if row[:2] == ("nano_small", "hate"))
    assert row[8].startswith("100.0 % [")
    assert "→ 0.0 % [" in row[8]


def test_no_table_shows_a_text_of_a_suite_or_an_answer(full: PaperRun) -> None:
    texts = {"base says this.", "repaired says this."}
    texts |= {item.prompt for suite in SUITES for item in load_suite(suite, embedded_files(suite, 42))}
    page = "\n".join(markdown(maker(full)) for maker in MAKERS)
    count = sum(text in page for text in texts)
    assert count == 0
    assert all(DISPLAY[suite] in page for suite in SUITES)
