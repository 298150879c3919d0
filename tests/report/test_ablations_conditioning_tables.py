"""Labels, judges and teachers: which comparison belongs to which row, and rows that did not run."""

from __future__ import annotations

from typing import Any

import pytest

from dart.report.evidence import PaperRun
from dart.report.table import NONE, NOT_RUN
from dart.report.tables.ablations_conditioning import table23, table26, table32, teacher_name

SHARE = {"estimate": 0.582, "ci": [0.5, 0.66]}


def _with(run: PaperRun, **rows: dict[str, Any]) -> PaperRun:
    arms = run.metrics["arms"]
    changed_arms = {**arms, "arms": {**arms["arms"], **rows}}
    return run.model_copy(update={"metrics": {**run.metrics, "arms": changed_arms}})


def _audit_arm(run: PaperRun, low: float, high: float, p: float) -> dict[str, Any]:
    """An arm whose audit is right less often than the default's by [low, high]."""
    truth = {"precision": SHARE, "recall": {"estimate": 0.694, "ci": [0.6, 0.8]}}
    right_share = {
        "difference": {"estimate": (low + high) / 2, "ci": [low, high]},
        "only_default": 9,
        "only_arm": 1,
        "p": p,
    }
    pool = {"cases": 77, "both": 40, "jaccard": 0.4, "against_truth": truth, "right": right_share}
    return {**run.metrics["arms"]["arms"]["uniform"], "pool": pool}


def test_table23_without_its_arms_shows_gold_alone(run: PaperRun) -> None:
    table = table23(run)
    rows = {row[:2]: row for row in table.rows}
    assert table.status == "partly"
    assert [key for key, row in rows.items() if row[2] != NOT_RUN] == [(stage, "gold") for stage in
            ("distillation", "audit", "repair")]  # fmt: skip
    assert rows["audit", "predicted"][-1] == "0.582 / 0.694"
    assert rows["distillation", "predicted"][-1] == "0.641"
    assert "audit_unlabelled" in table.needs
    pool = run.metric("arms", "default", "pool")
    assert rows["audit", "gold"][6] == str(pool["cases"])
    assert rows["audit", "gold"][9] == NONE
    assert rows["repair", "gold"][9] != NONE
    assert rows["repair", "gold"][6:9] == (NONE,) * 3


def test_table23_audits_are_corrected_together(run: PaperRun) -> None:
    table = table23(
        _with(
            run, audit_predicted=_audit_arm(run, -0.1, -0.02, 0.01), audit_unlabelled=_audit_arm(run, -0.1, 0.02, 0.04)
        )
    )
    rows = {row[:2]: row for row in table.rows}
    row = rows["audit", "predicted"]
    assert row[6:9] == ("77", "58.2 % [50.0 %, 66.0 %]", "69.4 % [60.0 %, 80.0 %]")
    assert row[10:12] == ("−0.060 [−0.100, −0.020]", "0.020")  # Holm: 2 x 0.01
    assert rows["audit", "no label"][11] == "0.040"
    assert "this run shows that the audit is less often right" in table.note
    undecided = table23(_with(run, audit_predicted=_audit_arm(run, -0.1, 0.02, 0.04)))
    assert "this run does not show that the audit" in undecided.note


def test_table23_repair_and_distillation_use_their_own_comparisons(run: PaperRun) -> None:
    uniform, label_only = (run.metric("arms", "arms", name) for name in ("uniform", "label_only"))
    against = {
        "n": 20,
        "difference": {"estimate": -0.15, "ci": [-0.3, 0.01]},
        "only_default": 4,
        "only_arm": 1,
        "p": 0.4,
    }
    repair = {"asked": 20, "targets": {"estimate": 0.8, "ci": [0.58, 0.92]}, "against_default": against}
    table = table23(_with(run, repair_predicted={**uniform, "repair": repair}, stage1_predicted=label_only))
    rows = {row[:2]: row for row in table.rows}
    assert rows["repair", "predicted"][9:12] == ("80.0 % [58.0 %, 92.0 %]", "−0.150 [−0.300, +0.010]", "0.400")
    test = label_only["against_distilled_seeds"]["accuracy"]
    assert float(rows["distillation", "predicted"][11]) == pytest.approx(test["p_holm"], abs=5e-4)


def test_table26_counts_the_overlap_of_the_pools(run: PaperRun) -> None:
    table = table26(run)
    assert table.status == "regenerated"
    default, second = table.rows
    pool = run.metric("arms", "arms", "second_judge", "pool")
    assert second[7:10] == (str(pool["cases"]), str(pool["both"]), f"{pool['jaccard']:.3f}")
    assert default[7:10] == (str(pool["default_cases"]), NONE, NONE)
    assert (default[-1], second[-1]) == ("435 / 0.688 / 0.726 / 3.52", "412 / 0.691 / 0.732 / 3.48")


def test_table32_names_the_teachers_that_ran(run: PaperRun) -> None:
    assert table32(run).status == "partly"
    uniform = run.metric("arms", "arms", "uniform")
    table = table32(_with(run, second_teacher={**uniform, "teacher": "model-b"}, second_teacher_stage1=uniform))
    rows = {row[0]: row for row in table.rows}
    assert list(rows)[:3] == ["teacher (default)", "model-b", "third_teacher"]
    harm = uniform["harm"]
    assert rows["model-b"][4:7] == (
        f"{harm['toxicity_mean_x1e5']:.1f}", f"{100 * harm['toxicity_share_above']:.1f} %",
        f"{harm['toxicity_median_x1e5']:.2f}",
    )  # fmt: skip
    total = uniform["drift"]["total"]
    assert all(rows["model-b"][column].startswith(f"{total} (") for column in (7, 8))
    distilled = run.metric("arms", "arms", "distilled", "drift", "total")
    assert rows["teacher (default)"][7].startswith(f"{distilled} (")
    assert rows["the paper: GPT-4"][7:9] == ("372", "96")
    assert "here 2 of 2 surely do" in table.note
    assert table.needs == "entries under variants: third_teacher."


def test_a_teacher_that_wrote_no_target_goes_by_the_arm_s_words(run: PaperRun) -> None:
    assert teacher_name(run, "second_teacher", {"about": "another teacher"}) == "another teacher"
    bare = run.model_copy(update={"rationales": ()})
    assert teacher_name(bare, "default", {}) == "default"
