"""Tables 7 (cross-validation) and E (not in the paper): how much a number moves where nothing about the recipe changed.

Appendix A.3. Table E holds what a referee asks of an audit: what it finds between two answers of one student, and what
a judge finds in repaired answers who saw all of them. How far training seeds lie apart stands in Table S.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dart.metrics.run import Run
from dart.report import published
from dart.report.ablation_entries import (
    DEFAULT,
    DISTILLED,
    OURS,
    ablation_student,
    arms,
    entry,
    needs,
    not_run,
)
from dart.report.blocks import Maker
from dart.report.cells import (
    share,
)
from dart.report.table import NONE, Row, Table, number, percent, ruled
from dart.report.verdicts import repair_note
from dart.stats.harm import TOXIC_ABOVE

_FIGURES: Mapping[str, tuple[str, int]] = {
    "accuracy": ("Accuracy", 3),
    "equal_accuracy": ("EQUAL", 3),
    "diff_accuracy": ("DIFF", 3),
    "macro_f1": ("Macro-F1", 3),
    "parse_rate": ("Parsed", 3),
    "toxicity_mean_x1e5": ("Toxicity: mean", 1),
    "toxicity_share_above": (f"Above {TOXIC_ABOVE:g}", 3),
    "toxicity_q95_x1e5": ("95th percentile", 2),
    "toxicity_median_x1e5": ("Median", 2),
}
FLOORS: Mapping[str, str] = {
    "base_again": "base, decoded again as in the recipe",
    "base_sampled": "base, sampled twice",
    "distilled_sampled": "distilled, sampled twice",
}
_PARTS: Mapping[str, str] = {
    "all": "all prompts",
    "repaired": "prompts with a repair target",
    "others": "all other prompts",
}


def table7(run: Run) -> Table:
    """Table 7: cross-validation over training and test items."""
    folds: Mapping[str, Any] = arms(run).get("folds") or {}
    figures, items = folds.get("figures", {}), folds.get("items", {})
    fold_names = [str(fold) for fold in range(folds.get("of", published.FOLDS))]
    absent_folds = [fold for fold in fold_names if fold not in items]
    mean, spread = published.FOLD_ACCURACY
    rows = [_fold_row(fold, items.get(fold), figures) for fold in fold_names]
    summary_rows: list[Row] = (
        [] if not items else [_summary("mean", "mean", items, figures), _summary("sd", "sd", items, figures)]
    )
    summary_rows += _test_set(run)
    summary_rows.append(
        ("the paper: mean ± sd", NONE, f"{number(mean)} ± {number(spread)}", *(NONE,) * (len(_FIGURES) - 1))
    )
    body = ruled([rows, summary_rows])
    return Table(
        number="7",
        title=f"Cross-validation over training and test items ({ablation_student(run).name})",
        columns=("Fold", "n", *(name for name, _ in _FIGURES.values())),
        rows=body.rows,
        rules=body.rules,
        note="Each fold is answered by a student of Stage I, trained anew on the rationales of the other folds: repair "
        "would need an audit of each fold. sd is the sample's over folds; folds share training items, so it is too "
        f"small as the error of the mean. {_range_note(run, figures)}Toxicity × 10⁵.",
        needs=needs(run, [f"folds {', '.join(absent_folds)}"]) if absent_folds else "",
        measured=bool(items),
        simulated=run.simulated,
    )


def _fold_row(fold: str, n: int | None, figures: Mapping[str, Any]) -> Row:
    name = f"fold {int(fold) + 1}"
    if n is None:
        return (name, *not_run(1 + len(_FIGURES)))
    return (name, str(n), *(_figure(figures, key, lambda values: values["points"].get(fold)) for key in _FIGURES))


def _summary(name: str, key: str, items: Mapping[str, int], figures: Mapping[str, Any]) -> Row:
    n = str(sum(items.values())) if key == "mean" else NONE
    return (name, n, *(_figure(figures, figure, lambda values: values[key]) for figure in _FIGURES))


def _figure(figures: Mapping[str, Any], key: str, value: Any) -> str:
    return number(value(figures[key]), _FIGURES[key][1]) if key in figures else NONE


def _test_set(run: Run) -> list[Row]:
    metrics = entry(run, DISTILLED)
    if metrics is None:
        return []
    values = {**metrics["decision"], **metrics["harm"]}
    return [("test set (distilled)", str(metrics["n"]), *(number(values[key], d) for key, (_, d) in _FIGURES.items()))]


def _range_note(run: Run, figures: Mapping[str, Any]) -> str:
    """Whether the fixed split is a lucky one; the paper says that it is not."""
    metrics, folds = entry(run, DISTILLED), figures.get("accuracy", {}).get("points", {})
    if metrics is None or len(folds) < 2:
        return ""
    low, high, accuracy = min(folds.values()), max(folds.values()), metrics["decision"]["accuracy"]
    position = "within" if low <= accuracy <= high else "below" if accuracy < low else "above"
    return (
        f"The distilled student's accuracy on the fixed test set ({number(accuracy)}) lies {position} the range of the "
        f"folds ({number(low)} to {number(high)}). "
    )


def table_floor(run: Run) -> Table:
    """Table E, not in the paper: noise floor, and a second reading of every repaired answer."""
    floor, reaudit = arms(run).get("floor") or {}, arms(run).get("reaudit") or {}
    floors = [*FLOORS, *(name for name in floor if name not in FLOORS)]
    groups = [
        [_floor_row(FLOORS.get(name, name), floor.get(name)) for name in floors],
        [_reading_row(reaudit, part, label) for part, label in _PARTS.items() if not reaudit or part in reaudit],
    ]
    body = ruled(groups)
    absent = [name for name in FLOORS if name not in floor]
    return Table(
        number="E",
        title=f"Noise floor, and repaired answers read again ({ablation_student(run).name})",
        columns=(
            "What", "Answers", "n", "Drift cases", "Drift rate [95 % CI]", "True drift rate", "Severe or extreme",
            "Besides",
        ),
        rows=body.rows,
        rules=body.rules,
        note="Noise floor: a student against itself, by the recipe's screen and judge; a drift rate means little "
        "below it. Read again: every repaired answer, screened or not, read against base by a judge that chose no "
        f"repair ({reaudit.get('judge', 'none')}); unseen cases are among pairs that the screen passed over. "
        f"{_floor_verdict(run, floor)}{_reading_verdict(reaudit)}{repair_note(run)}",
        needs=needs(run, absent, *([] if reaudit else ["arms.reaudit: a judge in params.yaml."])),
        measured=bool(floor or reaudit),
        ours=OURS,
        simulated=run.simulated,
    )  # fmt: skip


def _floor_row(label: str, metrics: Mapping[str, Any] | None) -> Row:
    if metrics is None:
        return ("noise floor", label, *not_run(6))
    counts = metrics["drift"]
    remarks = "; ".join(
        f"{name} {percent(metrics[key]['estimate'])}"
        for name, key in (("same text", "same_text"), ("same decision", "same_decision"), ("screened", "screened"))
    )
    true = share(metrics["true"]) if "true" in metrics else NONE
    severe = str(counts["severe"] + counts["extreme"])
    return (
        "noise floor",
        label,
        str(metrics["n"]),
        str(counts["total"]),
        share(metrics["rate"]),
        true,
        severe,
        remarks,
    )


def _reading_row(reaudit: Mapping[str, Any], part: str, label: str) -> Row:
    if part not in reaudit:
        return ("read again", label, *not_run(6))
    metrics = reaudit[part]
    counts, remarks = metrics["drift"], [f"unseen by the screen: {metrics['unseen']}"]
    if part == "all":
        remarks.append(f"κ with the pipeline's audit {number(reaudit['agreement']['kappa']['estimate'], 2)}")
        if "against_truth" in reaudit:
            truth = reaudit["against_truth"]
            remarks.append(
                f"precision {number(truth['precision']['estimate'])}, recall {number(truth['recall']['estimate'])}"
            )
    true = NONE
    if part == "all" and "against_truth" in reaudit:
        true = percent((reaudit["against_truth"]["tp"] + reaudit["against_truth"]["fn"]) / metrics["n"])
    return (
        "read again", label, str(metrics["n"]), str(counts["total"]), share(metrics["rate"]), true,
        str(counts["severe"] + counts["extreme"]), "; ".join(remarks),
    )  # fmt: skip


def _floor_verdict(run: Run, floor: Mapping[str, Any]) -> str:
    """Whether what is left after repair lies above the floor of a trained student."""
    default, metrics = entry(run, DEFAULT), floor.get("distilled_sampled")
    if default is None or metrics is None:
        return ""
    rate, high = default["drift"]["rate"], metrics["rate"]["ci"][1]
    position = "above" if rate > high else "not above"
    return (
        f"After repair {percent(rate)} of the pairs are drift cases, {position} what two samples of the distilled "
        f"student give (at most {percent(high)}). "
    )


def _reading_verdict(reaudit: Mapping[str, Any]) -> str:
    """Whether the pipeline's screen and judge hid what repair left."""
    if "all" not in reaudit:
        return ""
    total, unseen = reaudit["all"]["drift"]["total"], reaudit["all"]["unseen"]
    share = percent(unseen / total) if total else NONE
    return (
        f"Of the {total} cases found on reading again, {unseen} ({share}) had not been shown to the pipeline's judge. "
    )


TABLES: tuple[Maker, ...] = (table7, table_floor)
