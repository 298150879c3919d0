"""The three questions and the families of tests: which numbers they are, and that Holm is over the whole family."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dart.core.errors import DataError
from dart.core.schema.method import Equivalence, Hypotheses
from dart.metrics.hypotheses import hypotheses
from dart.metrics.questions import CAUSED, REDUCED, UNCHANGED, UNTOUCHED, answers
from dart.metrics.registry import FAMILIES, families_metrics, family_p, main_p, registry, table2_name
from dart.metrics.run import Run
from dart.report.tables.questions import NOT_SHOWN, SHOWN, table_families, table_questions, verdict
from dart.stats.paired import adjusted


def test_answers_are_the_entries_of_their_files(run: Run) -> None:
    found = {(a.student, a.question, a.estimand): a for a in answers(run.metrics)}
    small = run.metric("seeds", "students", "small")
    against = found["small", REDUCED, "audited drift, repaired − control"]
    entry = small["contrasts"]["control_repaired"]["drift_rate"]
    assert (against.estimate, against.p, against.expected) == (entry["estimate"], entry["p"], -1)
    label_only = found["small", CAUSED, "audited drift, distilled − label-only SFT of equal length"]
    arm = run.metric("arms", "arms", "label_only", "against_distilled_seeds", "drift_rate")
    assert label_only.estimate == -arm["estimate"]
    assert label_only.ci == (-arm["ci"][1], -arm["ci"][0])
    assert ("base", CAUSED, label_only.estimand) not in found, "arms run on one student"
    unchanged = found["small", UNCHANGED, "EQUAL accuracy, repaired − control"]
    assert unchanged.margin == 0.02
    assert not [a for a in found.values() if a.prompts == UNTOUCHED], "no recipes ran"


def test_untouched_prompts_are_those_of_the_validation_split(run: Run) -> None:
    entry = {"estimate": -0.1, "ci": [-0.15, -0.05], "p": 0.01, "n_seeds": 5, "n_items": 200}
    contrasts = {"validation": {"repaired": {"against_control": {"drift_rate": entry}}}}
    metrics = {**run.metrics, "recipes": {"students": {"small": {"contrasts": contrasts}}}}
    (answer,) = [a for a in answers(metrics) if a.prompts == UNTOUCHED]
    assert (answer.estimate, answer.n_items, answer.unit) == (-0.1, 200, "seeds and items")


def test_a_question_is_answered_by_its_corrected_test(run: Run) -> None:
    answer = next(a for a in answers(run.metrics) if a.question == REDUCED)._replace(estimate=-0.1)
    assert verdict(answer, 0.01) == SHOWN
    assert verdict(answer._replace(estimate=0.1), 0.01) == "the opposite"
    assert verdict(answer, 0.05) == verdict(answer, None) == NOT_SHOWN
    table = table_questions(run)
    assert len(table.rows) == len(answers(run.metrics))
    assert {row[-1] for row in table.rows} <= {SHOWN, NOT_SHOWN, "the opposite", "shown for these items"}


def test_holm_is_over_all_members(run: Run) -> None:
    for family, members in registry(run.metrics).items():
        assert [m.p_holm for m in members] == pytest.approx(adjusted([m.p for m in members], "holm"), rel=1e-5), family
    main = {member.name: member for member in registry(run.metrics)["main"]}
    expected = run.metric("seeds", "students", "base", "contrasts", "base_repaired", "accuracy", "p")
    assert main[table2_name("base", "overall")].p == expected
    assert main_p(run.metrics)[table2_name("base", "overall")] == main[table2_name("base", "overall")].p_holm


def test_arms_are_corrected_where_they_are_computed_as_in_the_registry(run: Run) -> None:
    members = {member.name: member.p_holm for member in registry(run.metrics)["ablations"]}
    assert not any(name.startswith(("second_judge/", "distilled/")) for name in members), "same answers; main path"
    for name, p_holm in members.items():
        arm, against, measure = name.split("/")
        assert run.metric("arms", "arms", arm, against, measure, "p_holm") == pytest.approx(p_holm, rel=1e-5)


def test_a_family_that_did_not_run_has_no_members_and_others_have_theirs(run: Run) -> None:
    members = registry(run.metrics)["harm"]
    assert family_p(run.metrics, "harm") == {member.name: member.p_holm for member in members}
    assert family_p({}, "harm") == {}
    assert {name.rsplit("/", 1)[1] for name in family_p(run.metrics, "harm")} >= {"mean", "wilcoxon"}


def test_families_are_listed_with_their_members(run: Run) -> None:
    found = families_metrics(run.metrics)
    assert list(found) == list(FAMILIES)
    assert found["main"]["size"] == len(found["main"]["members"]) == len(registry(run.metrics)["main"])
    assert [row[0] for row in table_families(run).rows] == list(FAMILIES)
    assert table_families(run).rows[0][2] == str(found["main"]["size"])


@pytest.mark.parametrize(
    ("rows", "parsed_only", "text"),
    [(("overall", "overall", "DIFF"), (), "twice"), (("overall",), ("D1-D4",), "does not have"),
     (("D1-D4",), ("D1-D4", "D1-D4"), "twice")],
)  # fmt: skip
def test_hypotheses_are_each_one_test(rows: tuple[Any, ...], parsed_only: tuple[Any, ...], text: str) -> None:
    declared = Hypotheses(correction="holm", rows=rows, parsed_only=parsed_only)
    with pytest.raises(DataError, match=text):
        hypotheses({}, declared, Equivalence(accuracy=0.02))


def test_the_metrics_are_json(run: Run) -> None:
    assert json.loads(json.dumps(families_metrics(run.metrics)))["main"]["size"] > 0
