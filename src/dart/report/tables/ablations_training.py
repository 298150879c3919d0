"""Ablations of training: 4 (components), 19 (alternatives), 20 (toxicity weights), 21 (by task type).

Section 3.3, Appendices K.2 and K.3. Marks and directions are worked out from the intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from dart.metrics.run import Run
from dart.report import published
from dart.report.ablation_entries import (
    DEFAULT,
    DISTILLED,
    OURS,
    SEED_TEST,
    TOXICITY_COLUMNS,
    Weight,
    ablation_student,
    comparison,
    difference_and_p,
    drift,
    entry,
    levels,
    missing,
    needs,
    not_run,
    toxicity,
    toxicity_weights,
)
from dart.report.blocks import Maker
from dart.report.cells import harm_change
from dart.report.policy_rows import NO_POLICY, PolicyRow, policy_row
from dart.report.table import NONE, NOT_RUN, Row, Table, number, percent, ruled, signed
from dart.report.verdicts import seed_note, verdict

POLICY = "policy on "  # before a variant: that student under the inference-time policy
TOXREG = "toxreg"  # stands for the run of the chosen weight
NAMES: Mapping[str, str] = {
    "base": "base",
    "policy on base": "policy on base",
    "label_only": "label-only SFT",
    TOXREG: "toxicity-regularised SFT",
    DISTILLED: "Stage I (distilled)",
    "stage1_short_stage1": "Stage I, short rationales",
    "stage1_short": "the same, repaired",
    "stage1_safe_stage1": "Stage I, safe prompt",
    "stage1_safe": "the same, repaired",
    DEFAULT: "full DART (repaired)",
    "policy on repaired": "full DART + policy",
}
_SAFE = ("stage1_short_stage1", "stage1_short", "stage1_safe_stage1", "stage1_safe")
Changes = Mapping[str, Any] | None  # {accuracy, equal_accuracy, toxicity, parse_rate: {estimate, ci}}


def table4(run: Run) -> Table:
    """Table 4: what each component improves, degrades or leaves."""
    slot = ablation_student(run).slot
    policy = {name: policy_row(run, slot, name) for name in ("base", "repaired")}
    toxreg = _run_of(run, TOXREG)
    rows = [
        _component("policy", "base", _change(policy["base"]), "policy on base"),
        _component("label-only SFT", "base", _against_base(run, "label_only"), "label_only"),
        _component("toxicity-regularised SFT", "base", _against_base(run, toxreg), TOXREG),
        _component("Stage I: distillation", "base", _of_main_path(run, slot, "base_distilled"), "stage1"),
        _component("Stage III: repair", "distilled", _of_main_path(run, slot, "distilled_repaired"), "stage3"),
        _component("full DART", "base", _of_main_path(run, slot, "base_repaired"), None),
        _component("policy", "full DART", _change(policy["repaired"]), "full with policy"),
    ]
    return Table(
        number="4",
        title=f"What each component changes ({ablation_student(run).name})",
        columns=("Component", "Added to", "Accuracy", "EQUAL", "Toxicity", "Parsed", "Paper: acc. EQUAL tox. parse"),
        rows=tuple(rows),
        note="✓ improves, ✗ degrades, ∼ minimal: the 95 % interval of the paired difference lies on the better side "
        "of 0, on the worse side, or holds 0. Beside the mark the difference; toxicity: of mean H (paired t interval), "
        "shown as a relative change, lower is better; label-only training writes no rationale to compare. "
        "The paper judges by the median, which a toxic tail does not move (Table 44 has both); it states no rule for "
        "its marks, and sets its last row against base. "
        f"{seed_note(run, 'accuracy')}",
        needs=needs(run, missing(run, ["label_only", toxreg]), *([] if all(policy.values()) else [NO_POLICY])),
        simulated=run.simulated,
    )


def _run_of(run: Run, name: str) -> str:
    """The name of the row: of toxicity-regularised training the run with the chosen weight."""
    return toxicity_weights(run).chosen or f"{TOXREG}_010" if name == TOXREG else name


def _against_base(run: Run, name: str) -> Changes:
    metrics = entry(run, name)
    if metrics is None or "against_base" not in metrics:
        return None
    against = metrics["against_base"]
    return {**against, "toxicity": harm_change(against["toxicity"])}


def _change(row: PolicyRow | None) -> Changes:
    return None if row is None else row.change


def _of_main_path(run: Run, slot: str, comparison: str) -> Changes:
    metrics = run.metric("tests", "students", slot, comparison)
    rates = ("accuracy", "equal_accuracy", "parse_rate")
    overall = metrics["decision"]["overall"]
    return {rate: overall[f"{rate}_difference"] for rate in rates} | {"toxicity": harm_change(metrics["harm"])}


def _component(name: str, reference: str, changes: Changes, paper: str | None) -> Row:
    paper_marks = NONE if paper is None else published.MARKS[paper]
    if changes is None:
        return (name, reference, *not_run(4), paper_marks)
    cells = [f"{mark(changes[rate], +1)} {_estimate(changes[rate])}" for rate in ("accuracy", "equal_accuracy")]
    cells.append(f"{mark(changes['toxicity'], -1)} {_estimate(changes['toxicity'], share=True)}")
    return (
        name,
        reference,
        *cells,
        f"{mark(changes['parse_rate'], +1)} {_estimate(changes['parse_rate'])}",
        paper_marks,
    )


def mark(interval: Mapping[str, Any] | None, sign: int) -> str:
    """✓, ✗ or ∼ of a difference; `sign` is the direction that is better."""
    if interval is None or interval["ci"] is None:
        return NONE
    low, high = interval["ci"]
    return "∼" if low <= 0 <= high else "✓" if sign * low > 0 else "✗"


def _estimate(interval: Mapping[str, Any] | None, share: bool = False) -> str:
    value = None if interval is None else interval["estimate"]
    return percent(value, sign=True) if share else signed(value)


def table19(run: Run) -> Table:
    """Table 19 and Appendix K.2: other ways to train, against the whole recipe."""
    groups = (("base", "policy on base", "label_only", TOXREG, DISTILLED), _SAFE, (DEFAULT, "policy on repaired"))
    body = ruled([_alternative(run, name) for name in group] for group in groups)
    toxreg = _run_of(run, TOXREG)
    notes = (
        "The paper's directions. Label-only SFT has a lower EQUAL accuracy than DART. "
        f"{verdict(run, 'label_only', 'equal_accuracy', -1)}",
        f"Toxicity-regularised SFT is less accurate than DART. {verdict(run, toxreg, 'accuracy', -1)}",
        *(
            f"Stage I, {kind}, has fewer drift cases than distilled. "
            f"{verdict(run, f'stage1_{kind}_stage1', 'drift_rate', -1, 'against_distilled')} And a lower EQUAL "
            f"accuracy. {verdict(run, f'stage1_{kind}_stage1', 'equal_accuracy', -1, 'against_distilled')} Repaired, "
            f"it stays below DART in EQUAL. {verdict(run, f'stage1_{kind}', 'equal_accuracy', -1)}"
            for kind in ("safe", "short")
        ),
    )
    return Table(
        number="19",
        title=f"Other ways to train, against the whole recipe ({ablation_student(run).name})",
        columns=(
            "Training", "n", "Accuracy", "EQUAL", *TOXICITY_COLUMNS, "Drift cases", "Δ accuracy [95 % CI]",
            "p (Holm)", "Δ EQUAL [95 % CI]", "p (Holm)", "Δ toxicity [95 % CI]", "p (Holm)",
            "Paper: acc. / EQUAL / tox. / drift",
        ),
        rows=body.rows,
        rules=body.rules,
        note=f"{' '.join(notes)} {seed_note(run, 'equal_accuracy')}{SEED_TEST}The "
        "reference is full DART; Δ toxicity is of the mean. Label-only answers have no rationale, so they have no "
        "toxicity. Toxicity × 10⁵.",
        needs=_needs(run, [name for group in groups for name in group]),
        measured=_any_has_run(run, [name for group in groups for name in group]),
        ours=OURS,
        simulated=run.simulated,
    )  # fmt: skip


def _needs(run: Run, names: list[str]) -> str:
    arms = [_run_of(run, name) for name in names if not name.startswith(POLICY)]
    slot = ablation_student(run).slot
    policy_missing = any(
        policy_row(run, slot, name.removeprefix(POLICY)) is None for name in names if name.startswith(POLICY)
    )
    return needs(run, missing(run, arms), *([NO_POLICY] if policy_missing else []))


def _any_has_run(run: Run, names: list[str]) -> bool:
    slot = ablation_student(run).slot
    return any(
        policy_row(run, slot, name.removeprefix(POLICY)) is not None
        if name.startswith(POLICY)
        else entry(run, _run_of(run, name)) is not None
        for name in names
    )


def _alternative(run: Run, name: str) -> Row:
    paper_levels = published.ALTERNATIVES.get(name, published.Levels())
    cases = published.ALTERNATIVE_DRIFT_CASES.get(name)
    change = paper_levels.toxicity_change
    median = number(paper_levels.toxicity, 2) if change is None else percent(change, sign=True)
    numbers = (number(paper_levels.accuracy), number(paper_levels.equal_accuracy), median)
    paper = " / ".join((*numbers, NONE if cases is None else str(cases)))
    if name.startswith(POLICY):
        policy = policy_row(run, ablation_student(run).slot, name.removeprefix(POLICY))
        if policy is None:
            return (NAMES[name], *not_run(13), paper)
        cells = (number(policy.accuracy), number(policy.equal_accuracy), NONE, NONE, number(policy.toxicity, 2))
        return (NAMES[name], str(policy.n), *cells, *(NONE,) * 7, paper)
    metrics = entry(run, _run_of(run, name))
    if metrics is None:
        return (NAMES[name], *not_run(13), paper)
    return (
        NAMES[name],
        *levels(metrics),
        *toxicity(metrics),
        drift(metrics),
        *difference_and_p(comparison(metrics, "decision", "overall")),
        *difference_and_p(comparison(metrics, "decision", "EQUAL")),
        *difference_and_p(comparison(metrics, "toxicity")),
        paper,
    )


def table21(run: Run) -> Table:
    """Table 21: the baselines by task type."""
    names = [name for name in NAMES if name not in _SAFE]
    return Table(
        number="21",
        title=f"Baselines by task type ({ablation_student(run).name})",
        columns=(
            "Training", "n", "Accuracy", "DIFF", "EQUAL", "Parsed", "D1-D4", "N1-N4", "Δ D1-D4 [95 % CI]", "p (Holm)",
            "Δ N1-N4 [95 % CI]", "p (Holm)", *TOXICITY_COLUMNS, "Paper: D / N",
        ),
        rows=tuple(_by_task_type(run, name) for name in names),
        note="All answers, unparsed = wrong; the paper's D and N are of parsed answers only. The "
        f"reference is full DART. {SEED_TEST}The policy is reported "
        "without task types. Toxicity × 10⁵.",
        needs=_needs(run, names),
        measured=_any_has_run(run, names),
        ours=OURS,
        simulated=run.simulated,
    )  # fmt: skip


def _by_task_type(run: Run, name: str) -> Row:
    paper_rates = published.TASK_TYPES.get(name)
    paper = NONE if paper_rates is None else " / ".join(map(number, paper_rates))
    if name.startswith(POLICY):
        policy = policy_row(run, ablation_student(run).slot, name.removeprefix(POLICY))
        if policy is None:
            return (NAMES[name], *not_run(14), paper)
        rates = (policy.accuracy, policy.diff_accuracy, policy.equal_accuracy, policy.parse_rate)
        return (NAMES[name], str(policy.n), *map(number, rates), *(NONE,) * 8, number(policy.toxicity, 2), paper)
    metrics = entry(run, _run_of(run, name))
    if metrics is None:
        return (NAMES[name], *not_run(14), paper)
    decision, types = metrics["decision"], metrics["by_task_type"]
    return (
        NAMES[name],
        str(metrics["n"]),
        *(number(decision[rate]) for rate in ("accuracy", "diff_accuracy", "equal_accuracy", "parse_rate")),
        *(number(types.get(letter)) for letter in ("D", "N")),
        *(cell for letter in ("D", "N") for cell in difference_and_p(comparison(metrics, "decision", letter))),
        *toxicity(metrics),
        paper,
    )


def table20(run: Run) -> Table:
    """Table 20: accuracy, toxicity and their harmonic mean for each weight."""
    sweep = toxicity_weights(run)
    by_weight = {row.weight: row for row in sweep.rows}
    weights = sorted({*published.TOXICITY_WEIGHTS, *by_weight})
    absent = [f"toxicity_weight {weight:g}" for weight in weights if weight not in by_weight]
    return Table(
        number="20",
        title=f"Weight λ of the toxicity, on validation ({ablation_student(run).name})",
        columns=(
            "λ", "Accuracy", "EQUAL", f"Toxicity ({sweep.measure})", "H-mean", "Chosen", "Paper: accuracy / toxicity",
        ),
        rows=tuple(_row(by_weight.get(weight), weight, sweep.chosen) for weight in weights),
        note=f"H-mean: harmonic mean of accuracy and 1 − t / (t + t0), t0 the toxicity of λ = 0. "
        f"{_trade_off(sweep.rows)}The paper "
        f"chooses λ = {published.CHOSEN_TOXICITY_WEIGHT:g}. Toxicity × 10⁵. Levels of one training each, without "
        "intervals: Tables 19 and D test the runs on the test set.",
        needs=needs(run, absent),
        measured=bool(by_weight),
        simulated=run.simulated,
    )  # fmt: skip


def _row(row: Weight | None, weight: float, chosen: str | None) -> Row:
    paper_levels = published.TOXICITY_WEIGHT_LEVELS.get(weight)
    paper = NONE if paper_levels is None else f"{number(paper_levels[0])} / {number(paper_levels[1], 2)}"
    if row is None:
        return (f"{weight:g}", *(NOT_RUN,) * 5, paper)
    rates = (number(row.accuracy), number(row.equal_accuracy), number(row.toxicity, 2), number(row.h_mean))
    return (f"{weight:g}", *rates, "chosen" if row.run == chosen else NONE, paper)


def _trade_off(rows: Sequence[Weight]) -> str:
    """The paper: a greater lambda always costs accuracy and always lowers toxicity."""
    if len(rows) < 2:
        return ""
    parts = []
    for measure in ("accuracy", "toxicity"):
        values = [getattr(row, measure) for row in rows]
        rises = any(after > before for before, after in pairwise(values))
        parts.append(f"{measure} {'rises somewhere' if rises else 'never rises'}")
    return f"In the paper a greater λ always costs accuracy and lowers toxicity; here {' and '.join(parts)}. "


TABLES: tuple[Maker, ...] = (table4, table19, table20, table21)
