"""Tables about the sources of labels, verdicts and rationales: 23 (labels), 26 (judge), 32 (teacher).

Appendices K.5, L.2 and M.4. Pools and repair success come from the same runs as the levels; precision and recall of
a pool need the truth, which only the embedded world knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dart.metrics.registry import ANNOTATION, family_p, name_of
from dart.metrics.run import Run
from dart.report import published
from dart.report.ablation_entries import (
    DEFAULT,
    DISTILLED,
    SEED_TEST,
    TOXICITY_COLUMNS,
    Entry,
    ablation_student,
    any_has_run,
    comparison,
    difference_and_p,
    drift,
    entry,
    levels,
    missing,
    needs,
    not_run,
    toxicity,
)
from dart.report.blocks import Maker
from dart.report.cells import (
    difference,
    share,
)
from dart.report.evidence import PaperRun
from dart.report.table import NONE, Row, Table, number, p_value, ruled
from dart.report.verdicts import NO_PROOF, robustness, seed_note, verdict

SECOND_JUDGE = "second_judge"
# By stage: source of the label -> run.
LABELS: Mapping[str, Mapping[str, str]] = {
    "distillation": {"gold": DISTILLED, "predicted": "stage1_predicted", "free-form": "stage1_free_form"},
    "audit": {"gold": DEFAULT, "predicted": "audit_predicted", "no label": "audit_unlabelled"},
    "repair": {"gold": DEFAULT, "predicted": "repair_predicted", "no label": "repair_unlabelled"},
}
_SECTIONS = {"audit": ("pool", "right"), "repair": ("repair", "against_default")}  # of metrics/arms.json
TEACHERS = (DEFAULT, "second_teacher", "third_teacher")


def table23(run: Run) -> Table:
    """Table 23: gold labels against predicted ones and none, in each stage."""
    p_values = _corrected_p(run)
    body = ruled([_label_row(run, stage, label, p_values) for label in labels] for stage, labels in LABELS.items())
    names = [name for labels in LABELS.values() for name in labels.values()]
    return Table(
        number="23",
        title=f"What each stage is told about the label ({ablation_student(run).name})",
        columns=(
            "Stage", "Label", "n", "Accuracy", "EQUAL", "Drift cases", "Pool", "Precision [95 % CI]",
            "Recall [95 % CI]", "Repair success [95 % CI]", "Δ to gold [95 % CI]", "p (Holm)",
            "Paper: accuracy, or P / R",
        ),
        rows=body.rows,
        rules=body.rules,
        note="Distillation rows end after Stage I, the others after repair. Pool: drift cases before repair; its "
        "precision and recall are over all pairs, against the truth of the embedded world. Repair success: targets "
        "that are less toxic than the distilled rationale and conclude with the gold label. Δ to gold: "
        "accuracy of one training against the distilled student's seeds (distillation; t for a new training, Holm over "
        "all arms), share of pairs judged rightly (audit) and of successful targets (repair), paired, McNemar, "
        "corrected by Holm over the labels of audit and repair (Table F). "
        f"{_audit_verdict(run)}{seed_note(run, 'accuracy')}",
        needs=needs(run, missing(run, names)),
        measured=any_has_run(run, names),
        simulated=run.simulated,
    )  # fmt: skip


def _test(run: Run, stage: str, name: str) -> Entry | None:
    """The comparison with gold that belongs to the stage."""
    metrics = entry(run, name)
    if metrics is None or name in (DEFAULT, DISTILLED):
        return None
    if stage == "distillation":
        return comparison(metrics, "decision", "overall", against="against_distilled")
    section, test = _SECTIONS[stage]
    found: Entry | None = metrics.get(section, {}).get(test)
    return found


def _corrected_p(run: Run) -> dict[str, float]:
    """Holm's p of the audit and repair rows over the family `annotation`, by run."""
    p_holm, corrected = family_p(run.metrics, ANNOTATION), {}
    for stage in ("audit", "repair"):
        for name in LABELS[stage].values():
            metrics = entry(run, name)
            if metrics is not None and _test(run, stage, name) is not None:
                hypothesis = name_of("arms", "arms", metrics.get("same_as", name), *_SECTIONS[stage])
                corrected[name] = p_holm[hypothesis]
    return corrected


def _label_row(run: Run, stage: str, label: str, p_values: Mapping[str, float]) -> Row:
    name = LABELS[stage][label]
    metrics = entry(run, name)
    paper = _paper_labels(stage, label)
    if metrics is None:
        return (stage, label, *not_run(10), paper)
    pool = metrics.get("pool", {}) if stage == "audit" else {}
    repair, test = metrics.get("repair", {}) if stage == "repair" else {}, _test(run, stage, name)
    truth = pool.get("against_truth", {})
    interval = None if test is None else test["difference"]
    p = None if test is None else test.get("p_holm", p_values.get(name))
    return (
        stage,
        label,
        *levels(metrics),
        drift(metrics),
        str(pool["cases"]) if pool else NONE,
        *(share(truth.get(side)) for side in ("precision", "recall")),
        share(repair.get("targets")),
        difference(interval),
        p_value(p),
        paper,
    )


def _paper_labels(stage: str, label: str) -> str:
    if stage == "distillation":
        return number(published.DISTILLATION_LABELS.get(label))
    pair = published.AUDIT_LABELS.get(label) if stage == "audit" else None
    return NONE if pair is None else f"{number(pair[0])} / {number(pair[1])}"


def _audit_verdict(run: Run) -> str:
    """The paper: predicted labels cost the audit precision and recall."""
    test, arm = _test(run, "audit", "audit_predicted"), entry(run, "audit_predicted")
    default = entry(run, DEFAULT)
    if test is None or arm is None or default is None:
        return ""
    truth, default_truth = (metrics["pool"]["against_truth"] for metrics in (arm, default))
    changes = {
        side: truth[side]["estimate"] - default_truth[side]["estimate"]
        for side in ("precision", "recall")
        if None not in (truth[side]["estimate"], default_truth[side]["estimate"])
    }
    text = ", ".join(f"{side} {points_of(value)}" for side, value in changes.items())
    worse = test["difference"]["ci"][1] < 0
    return (
        f"In the paper predicted labels cost the audit precision and recall, with "
        f"{published.AUDIT_EXTRA_FALSE_POSITIVES} more false positives. Here: {text}; "
        f"this run {'shows' if worse else 'does not show'} that the audit is less often right. "
    )


def points_of(value: float) -> str:
    return f"{100 * value:+.1f} points".replace("-", "−")


def table26(run: Run) -> Table:
    """Table 26: repair driven by the judge or by the second judge."""
    names = [DEFAULT, SECOND_JUDGE]
    labels = {DEFAULT: "judge", SECOND_JUDGE: "second judge"}
    rows = [_judge_row(run, name, labels[name]) for name in names]
    drift_note = robustness(run, [SECOND_JUDGE], "drift_rate", +1, "leave surely more drift cases than the default")
    accuracy_note = robustness(run, [SECOND_JUDGE], "accuracy", -1, "are surely less accurate")
    return Table(
        number="26",
        title=f"Repair driven by either judge ({ablation_student(run).name})",
        columns=(
            "Judge", "n", "Accuracy", "EQUAL", *TOXICITY_COLUMNS, "Pool", "Found by both", "Jaccard", "Remain",
            "Δ accuracy [95 % CI]", "p (Holm)", "Δ drift rate [95 % CI]", "p (Holm)", "True remain",
            "Paper: pool / acc. / EQUAL / tox.",
        ),
        rows=tuple(rows),
        note="Pool: drift cases before repair, of the same distilled answers. Remain: after repair, by the first judge "
        f"in both rows. The paper finds both judges comparable, {published.JUDGES_BOTH} cases found by both. "
        f"{drift_note}{accuracy_note}{NO_PROOF}{seed_note(run)}{SEED_TEST}"
        "Toxicity × 10⁵.",
        needs=needs(run, missing(run, names)),
        measured=any_has_run(run, names),
        simulated=run.simulated,
    )  # fmt: skip


def _judge_row(run: Run, name: str, label: str) -> Row:
    metrics = entry(run, name)
    judge = published.JUDGES["judge" if name == DEFAULT else name]
    paper_levels = (number(judge.accuracy), number(judge.equal_accuracy), number(judge.toxicity, 2))
    paper = " / ".join((str(judge.pool), *paper_levels))
    if metrics is None:
        return (label, *not_run(15), paper)
    pool = metrics.get("pool")
    overlap = (NONE, NONE) if pool is None or name == DEFAULT else (str(pool["both"]), number(pool["jaccard"]))
    return (
        label,
        *levels(metrics),
        *toxicity(metrics),
        NONE if pool is None else str(pool["cases"]),
        *overlap,
        drift(metrics),
        *difference_and_p(comparison(metrics, "decision", "overall")),
        *difference_and_p(comparison(metrics, "drift")),
        drift(metrics, "true"),
        paper,
    )


def table32(run: PaperRun) -> Table:
    """Table 32: rationales and safe targets of other teachers."""
    body = ruled([[_teacher_row(run, name) for name in TEACHERS], _paper_teachers()])
    gain_note = _gain_note(run, TEACHERS)
    return Table(
        number="32",
        title=f"Other teachers ({ablation_student(run).name})",
        columns=(
            "Teacher", "n", "Accuracy", "EQUAL", *TOXICITY_COLUMNS, "Reg.", "Remain", "Δ accuracy [95 % CI]",
            "p (Holm)", "Δ EQUAL [95 % CI]", "p (Holm)", "Δ drift rate [95 % CI]", "p (Holm)",
        ),
        rows=body.rows,
        rules=body.rules,
        note="Reg.: drift cases after Stage I; Remain: after repair. Below the line: the paper's models with its "
        f"student, Llama-3-8B. {gain_note}{_order_note(run)}{seed_note(run, 'accuracy')}{SEED_TEST}"
        "Toxicity × 10⁵.",
        needs=needs(run, missing(run, TEACHERS)),
        measured=any_has_run(run, TEACHERS),
        simulated=run.simulated,
    )  # fmt: skip


def teacher_name(run: PaperRun, name: str, metrics: Entry) -> str:
    """The model behind a run; the arm's description if it requested no safe target."""
    if name == DEFAULT:
        return f"{run.rationales[0].model} (default)" if run.rationales else "default"
    return str(metrics.get("teacher", metrics.get("about", name)))


def _teacher_row(run: PaperRun, name: str) -> Row:
    metrics = entry(run, name)
    if metrics is None:
        return (name, *not_run(14))
    stage1 = entry(run, DISTILLED if name == DEFAULT else f"{name}_stage1")
    return (
        teacher_name(run, name, metrics),
        *levels(metrics),
        *toxicity(metrics),
        NONE if stage1 is None else drift(stage1),
        drift(metrics),
        *difference_and_p(comparison(metrics, "decision", "overall")),
        *difference_and_p(comparison(metrics, "decision", "EQUAL")),
        *difference_and_p(comparison(metrics, "drift")),
    )


def _paper_teachers() -> list[Row]:
    return [
        (
            f"the paper: {row.name}", NONE, number(row.accuracy), number(row.equal_accuracy), NONE, NONE,
            number(row.toxicity, 2), str(row.regressed), str(row.remain), *(NONE,) * 6,
        )
        for row in published.TEACHERS
    ]  # fmt: skip


def _gain_note(run: Run, names: Iterable[str]) -> str:
    """The paper: every teacher gains accuracy over base."""
    arms = [metrics for name in names if (metrics := entry(run, name)) is not None and "against_base" in metrics]
    if not arms:
        return ""
    gains = sum((metrics["against_base"]["accuracy"]["ci"] or [0])[0] > 0 for metrics in arms)
    return f"In the paper every teacher gains accuracy over base; here {gains} of {len(arms)} surely do. "


def _order_note(run: Run) -> str:
    """Whether any other teacher is significantly better or worse than the default's."""
    others: Sequence[str] = [name for name in TEACHERS[1:] if entry(run, name) is not None]
    verdicts = {name: verdict(run, name, "accuracy", +1) for name in others}
    return "".join(f"{name} more accurate than the default's teacher: {text} " for name, text in verdicts.items())


TABLES: tuple[Maker, ...] = (table23, table26, table32)
