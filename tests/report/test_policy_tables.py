"""Tables 3, 17, 18, 33 and 34: their numbers, their families of tests, their notes, with no, one and all students."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from dart.core.records import Generation, Item
from dart.core.schema.method import ExplanationPolicy, Statistics
from dart.core.seeds import unit_interval
from dart.metrics.run import STAGES, Run
from dart.policy.evaluation import PolicyRun, policy_report
from dart.policy.premise_labels import Handling, PremiseLabel
from dart.policy.records import SCHEMES, PolicyAnswer, Premise
from dart.policy.selection import choices
from dart.report.evidence import PaperRun
from dart.report.latex import latex
from dart.report.markdown import markdown
from dart.report.page import html_fragment
from dart.report.table import NOT_RUN, Table
from dart.report.tables.policy import table3, table17, table18, table33, table34
from dart.stats.paired import adjusted

MAKERS: tuple[Callable[[Run], Table], ...] = (table3, table17, table18, table33, table34)
STATISTICS = Statistics(resamples=200, confidence=0.95)
POLICY = ExplanationPolicy(unparsed="neutral", harmful_above=0.5, harmful_keywords=())


def _near(factor: float, *key: str) -> float:
    """Up to 5 % from the factor: a change that is the same for all prompts would have no interval."""
    return factor * (0.95 + 0.1 * unit_interval("near", *key))


def obeying(items: Sequence[Item], first: Sequence[Generation], scheme: str, factor: float) -> list[PolicyAnswer]:
    """A student that mostly concludes as it is told, with `factor` times the toxicity of its first pass."""
    premises = [Premise(item_id=i.id, keywords=(), toxicity=0.0, harmful=i.benchmark == "N2") for i in items]
    plan = choices(scheme, items, first, premises, POLICY, 1)  # type: ignore[arg-type]
    return [
        PolicyAnswer(
            **(
                answer.model_dump()
                | {"prediction": choice.decision if unit_interval(i.id, scheme) < 0.9 else answer.prediction}
                | {"toxicity": _near(factor, i.id, scheme) * (answer.toxicity or 0.0), "rationale": "It is."}
            ),
            decision=choice.decision,
            harmful_premise=choice.harmful_premise,
        )
        for i, answer, choice in zip(items, first, plan, strict=True)
    ]


def premise_labels(items: Sequence[Item]) -> list[PremiseLabel]:
    """Every fourth prompt has a harmless premise; of four others one answer handles it under the policy alone."""
    handled: tuple[Handling | None, ...] = ("on", "both", "both", None)
    return [
        PremiseLabel(item_id=item.id, annotators=(label, label), consensus=label)
        for number, item in enumerate(items)
        for label in [handled[number % 4]]
    ]


def with_policy(
    run: PaperRun, slots: Sequence[str], factor: float = 0.5, items: int | None = None, labelled: str = "base"
) -> PaperRun:
    part = run.items[:items]
    reports: dict[str, Any] = {}
    for student in run.students:
        if student.slot in slots:
            off = {variant: student.generations[variant][:items] for variant in STAGES}
            on = {
                variant: {
                    scheme: obeying(part, off[variant], scheme, factor)
                    for scheme in (SCHEMES if variant == "repaired" else ("two_pass",))
                }
                for variant in STAGES
            }
            premises = [Premise(item_id=i.id, keywords=("x",), toxicity=0.0, harmful=True) for i in part]
            labels = premise_labels(part) if student.slot == labelled else []
            policy_run = PolicyRun(premises, off, on, labels)
            reports[student.slot] = policy_report(part, policy_run, STATISTICS, 1, student.slot)
    metrics = {**run.metrics, "policy": reports} if slots else run.metrics
    return run.model_copy(update={"metrics": metrics})


@pytest.fixture(scope="module")
def full(run: PaperRun) -> PaperRun:
    return with_policy(run, ("small", "base"))


def renders(table: Table) -> None:
    for text in (markdown(table), latex(table), html_fragment(table)):
        assert table.number in text


def rows(table: Table, *head: str) -> list[tuple[str, ...]]:
    return [row for row in table.rows if row[: len(head)] == head]


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize(
    ("slots", "status"), [((), "not run"), (("base",), "partly"), (("small", "base"), "regenerated")]
)
def test_no_one_and_all_students(
    run: PaperRun, maker: Callable[[Run], Table], slots: tuple[str, ...], status: str
) -> None:
    table = maker(with_policy(run, slots))
    assert table.status == status
    for slot in ("small", "base"):
        block = rows(table, f"nano_{slot}")
        assert block
        assert all(NOT_RUN in row for row in block) == (slot not in slots)
        assert (f"dvc repro policy@{slot}" in table.needs) == (slot not in slots)
    renders(table)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("items", [1, 10])
def test_one_prompt_and_one_condition_alone(run: PaperRun, maker: Callable[[Run], Table], items: int) -> None:
    """The first ten items are all DIFF."""
    table = maker(with_policy(run, ("small", "base"), items=items))
    assert table.status == ("partly" if table.number == "17" else "regenerated"), "no EQUAL prompts, no EQUAL columns"
    renders(table)


def test_table_3_shows_how_premises_are_detected_and_handled_or_who_could_tell(run: PaperRun, full: PaperRun) -> None:
    """All prompts are detected, three of four are harmful, and of these the policy handles a third that was not."""
    precision, recall, handled = rows(table3(full), "nano_base")[-3:]
    assert precision[3].startswith("75.0 % [")
    assert recall[3].startswith("100.0 % [")
    assert (precision[-1], recall[-1], handled[-1]) == ("94.2 %", "87.6 %", "89.2 % → 93.1 %")
    assert handled[2].startswith("66.7 % [")
    assert handled[3].startswith("100.0 % [")
    assert handled[4].startswith("+33.3 [")
    assert float(handled[5]) < float(handled[6]) < 0.001
    nobody = table3(with_policy(run, ("small", "base"), labelled="nobody"))
    assert nobody.status == "partly"
    assert "dart annotate export FOLDER --premises" in nobody.needs
    assert [row[2] for row in rows(nobody, "nano_small")[-3:]] == [NOT_RUN] * 3
    assert "nobody has labelled" in nobody.note


def entry(run: PaperRun, *path: str) -> Mapping[str, Any]:
    metrics: Mapping[str, Any] = run.metric("policy", "base", "variants", *path)
    return metrics


def test_table_3_shows_both_sides_and_the_paper(full: PaperRun) -> None:
    off, on = entry(full, "repaired", "off"), entry(full, "repaired", "two_pass")
    [accuracy] = rows(table3(full), "nano_base", "Accuracy")
    assert accuracy[2:4] == tuple(f"{level['accuracy']['all']['estimate']:.3f}" for level in (off, on))
    assert accuracy[-1] == "−0.004"
    [median] = rows(table3(full), "nano_base", "Toxicity, median")
    assert median[4].startswith(("−49.", "−50."))
    [tail] = rows(table3(full), "nano_base", "Toxicity, Q95")
    assert tail[5:] == ("–", "–", "−36.7 %")


def test_table_3_corrects_over_everything_that_is_tested_of_the_policy(full: PaperRun) -> None:
    p: dict[tuple[str, ...], float] = {}
    for slot in ("small", "base"):
        for variant, schemes in full.metric("policy", slot, "variants").items():
            for scheme, level in schemes.items():
                if (against := level.get("against_off")) is None:
                    continue
                p |= {
                    (slot, variant, scheme, split): entry["p"] for split, entry in against["accuracy"].items() if entry
                }
                p[slot, variant, scheme, "parsed"] = against["parsed"]["p"]
                for split, entry in against["toxicity"].items():
                    p |= {(slot, variant, scheme, split, "toxicity"): entry["wilcoxon"]["p"]} if entry else {}
    p["base", "premises"] = full.metric("policy", "base", "premises", "labelled", "handling", "p")
    corrected = dict(zip(p, adjusted(list(p.values()), "holm"), strict=True))
    measures = (("all",), ("DIFF",), ("EQUAL",), ("parsed",), ("all", "toxicity"))
    for slot in ("small", "base"):
        cells = [row[6] for row in rows(table3(full), f"nano_{slot}") if row[6] != "–"]
        values = [corrected[slot, "repaired", "two_pass", *measure] for measure in measures]
        values += [corrected[slot, "premises"]] if slot == "base" else []
        assert cells == [f"{v:.3f}" if v >= 0.001 else f"{v:.0e}" for v in values]


@pytest.mark.parametrize(
    ("factor", "text"), [(0.5, "median toxicity falls"), (2.0, "median toxicity rises"), (1.0, "not shown to change")]
)
def test_the_note_says_what_this_run_shows_and_not_what_the_paper_does(run: PaperRun, factor: float, text: str) -> None:
    assert text in table3(with_policy(run, ("base",), factor)).note


def test_a_simulated_run_says_that_its_students_do_not_know_the_policy(full: PaperRun, run: PaperRun) -> None:
    measured = full.model_copy(update={"settings": full.settings.model_copy(update={"label": "measured"})})
    for maker in MAKERS:
        assert "neutral instruction alone" in maker(full).note
        assert "neutral instruction alone" not in maker(measured).note
        assert "neutral instruction alone" not in maker(run).note


def test_table_17_has_every_stage_off_and_on(full: PaperRun) -> None:
    table = table17(full)
    assert [row[1:3] for row in rows(table, "nano_base")] == [(s, p) for s in STAGES for p in ("off", "on")]
    [on] = rows(table, "nano_base", "distilled", "on")
    level = entry(full, "distilled", "two_pass")
    assert on[8:12] == (
        *(f"{level['toxicity'][split]['median_x1e5']['estimate']:.2f}" for split in ("all", "DIFF", "EQUAL")),
        f"{level['toxicity']['all']['q95_x1e5']['estimate']:.2f}",
    )


def test_table_18_counts_what_base_says(full: PaperRun) -> None:
    answers = entry(full, "base", "off")["answers"]
    counts = {row[1]: row[2].split(" ")[0] for row in rows(table18(full), "nano_base")}
    assert {name: str(answers[name]["count"]) for name in ("YES", "NO", "unparsed")}.items() <= counts.items()
    assert [row[5] for row in rows(table18(full), "nano_base")].count("–") == 4


def test_table_33_adds_up_and_hides_an_outcome_that_cannot_happen(full: PaperRun) -> None:
    block = [row for row in rows(table33(full), "nano_base") if row[1] != "all"]
    assert [row[1].split(" ")[0] for row in block] == ["match", "under-engagement", "over-engagement"]
    assert sum(int(row[2].split(" ")[0]) for row in block) == len(full.items)
    [total] = rows(table33(full), "nano_base", "all")
    assert sum(int(row[3].split(" ")[0]) for row in block) == int(total[3].split(" ")[0])


def test_table_34_has_every_selection_and_shares_of_oracle(full: PaperRun, run: PaperRun) -> None:
    table = table34(full)
    names = [row[1] for row in rows(table, "nano_base")]
    assert names == ["policy off", "two-pass (the policy)", "single-pass", "always-on", "oracle", "random"]
    [oracle] = rows(table, "nano_base", "oracle")
    assert (oracle[5], oracle[10]) == ("100.0 %", "100.0 %")
    assert "does not lower the median" not in table.note
    worse = table34(with_policy(run, ("small", "base"), factor=2.0))
    assert "nano_small and nano_base oracle does not lower the median" in worse.note
    assert {row[10] for row in worse.rows} == {"undefined"}
