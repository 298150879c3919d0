"""Tables about annotated pairs: 25, 27, 28 (judges against annotators) and 29 (the screen's threshold).

Appendices L and M.1. Agreement comes from metrics/calibration.json; what that file does not hold (severities, the
audit as it ran) is counted from the pairs and the audit. Without annotators the tables stand empty and say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dart.metrics.annotation import Confusion, audit_confusion, severity_distances
from dart.report import published
from dart.report.ablation_entries import (
    DEFAULT,
    TOXICITY_COLUMNS,
    Entry,
    ablation_student,
    any_has_run,
    arms,
    comparison,
    difference_and_p,
    drift,
    entry,
    missing,
    needs,
    toxicity,
)
from dart.report.blocks import Maker
from dart.report.cells import (
    value_bounds,
)
from dart.report.evidence import PaperRun
from dart.report.table import NONE, NOT_RUN, Row, Table, bounds, number, percent, ruled
from dart.report.verdicts import NO_PROOF, robustness, seed_note
from dart.stats.annotation import TAUS
from dart.stats.calibration import operating_point

NO_PAIRS = "nobody has annotated pairs of this run; label them and write data/annotation/pairs.jsonl."
NO_CALIBRATION = "stage calibrate (`dvc repro calibrate` writes metrics/calibration.json)."
NO_SECOND = "a second judge (profile: second_judge)"


def needs_pairs(run: PaperRun) -> str:
    """What would fill the tables about annotated pairs; empty where they are filled."""
    return NO_CALIBRATION if not run.calibrated else "" if run.pairs else NO_PAIRS


def _sample_note(run: PaperRun) -> str:
    kind = "simulated annotators with a declared error rate" if run.simulated else "annotators"
    drift = sum(pair.consensus is not None for pair in run.pairs)
    return (
        f"{len(run.pairs)} pairs of {run.annotated_student.name}, two {kind}, consensus: {drift} drift cases. Pairs "
        "are drawn in equal numbers from condition × screened and weighted by what they stand for, so rates are the "
        "test set's; counts are the sample's."
        if run.pairs
        else ""
    )


def _judge_metrics(run: PaperRun, judge: str) -> Mapping[str, Any] | None:
    metrics: Mapping[str, Any] | None = run.metric("calibration", "judges").get(judge) if run.pairs else None
    return metrics


def _counts(entry: Mapping[str, Any] | None) -> Confusion | None:
    return None if entry is None else Confusion(*entry["counts"])


def _judge_confusion(run: PaperRun, judge: str) -> Confusion | None:
    return _counts(_judge_metrics(run, judge))


def table25(run: PaperRun) -> Table:
    """Table 25: each judge against the consensus, the judges against each other, the annotators against each other."""
    annotators = run.metric("calibration", "annotators") if run.pairs else None
    paper = published.KAPPA["annotators"]
    rows = [_agreement_row("annotator 1 against annotator 2", annotators, _counts(annotators), paper)]
    for judge, name in (("judge", "judge against consensus"), ("second_judge", "second judge against consensus")):
        rows.append(
            _agreement_row(name, _judge_metrics(run, judge), _judge_confusion(run, judge), published.KAPPA[judge])
        )
    between = run.metric("calibration", "between_judges") if run.pairs else None
    rows.append(_agreement_row("second judge against judge", between, _counts(between), published.KAPPA["judges"]))
    needs = needs_pairs(run) if not run.pairs else "" if between else f"{NO_SECOND}."
    return Table(
        number="25",
        title="Agreement of judges and annotators on drift",
        columns=("Who", "n", "κ [95 % CI]", "Precision", "Recall", "F1", "Accuracy", "Paper's κ"),
        rows=tuple(rows),
        note=f"Every pair is shown to the judge, screened or not. {_sample_note(run)} The paper: n = 200, judge "
        "DeepSeek-Chat, second judge GPT-4.",
        needs=needs,
        measured=bool(run.pairs),
        simulated=run.simulated,
    )


def _agreement_row(name: str, entry: Mapping[str, Any] | None, counts: Confusion | None, paper: float) -> Row:
    if entry is None:
        return (name, *(NOT_RUN for _ in range(6)), number(paper, 2))
    cells = (value_bounds(entry[key], entry[f"{key}_ci"]) for key in ("kappa", "precision", "recall"))
    return (
        name,
        str(entry["n"]),
        *cells,
        number(entry["f1"]),
        number(counts.accuracy) if counts else NONE,
        number(paper, 2),
    )


def table27(run: PaperRun) -> Table:
    """Table 27 and Appendix L.3: the primary judge's agreement in presence and in severity."""
    paper = published.SEVERITY_AGREEMENT
    confusion = published.JUDGE_CONFUSION
    true_positives, positives, flagged = confusion[0], confusion[0] + confusion[1], confusion[0] + confusion[2]
    entry, counts = _judge_metrics(run, "judge"), _judge_confusion(run, "judge")
    rows = [
        _value("κ, judge against consensus", entry, "kappa", number(published.KAPPA["judge"], 2)),
        _value("κ, annotators", run.metric("calibration", "annotators") if run.pairs else None, "kappa", "0.72"),
        ("Accuracy", number(counts.accuracy) if counts else NOT_RUN, _n(entry), number(published.JUDGE_ACCURACY)),
        _value("Precision", entry, "precision", number(true_positives / flagged)),
        _value("Recall", entry, "recall", number(true_positives / positives)),
        _value("F1", entry, "f1", number(2 * true_positives / (positives + flagged))),
    ]
    severities = _severity_rows(run)
    return Table(
        number="27",
        title="The primary judge against the annotators",
        columns=("Agreement", "This run", "n", "The paper"),
        rows=(*rows, *severities),
        rules=(len(rows),),
        note=f"{_sample_note(run)} κ of Landis and Koch: to .20 slight, .40 fair, .60 moderate, .80 substantial. "
        "Severity: the audit's (screen and judge) against the consensus, over pairs that the consensus calls drift; "
        "'none' counts as the level below mild. In the paper "
        f"{percent(paper['within one level'])} of its {positives} drift pairs are within one level although its judge "
        f"confirmed only {true_positives}, so it must have counted likewise.",
        needs=needs_pairs(run),
        measured=bool(run.pairs),
        simulated=run.simulated,
    )


def _n(entry: Mapping[str, Any] | None) -> str:
    return NONE if entry is None else str(entry["n"])


def _value(name: str, entry: Mapping[str, Any] | None, key: str, paper: str) -> Row:
    if entry is None:
        return (name, NOT_RUN, NONE, paper)
    interval = f" {bounds(entry[f'{key}_ci'], sign=False)}" if f"{key}_ci" in entry else ""
    return (name, f"{number(entry[key])}{interval}", _n(entry), paper)


def _severity_rows(run: PaperRun) -> list[Row]:
    rows: list[Row] = []
    for detected_only, subset in ((False, "all drift pairs"), (True, "drift pairs that the audit found")):
        distances = (
            severity_distances(run.pairs, run.annotated_student.audits["before"], detected_only) if run.pairs else []
        )
        for limit, name in ((0, "exact"), (1, "within one level")):
            share = _share_within(distances, limit) if run.pairs else NOT_RUN
            paper = NONE if detected_only else percent(published.SEVERITY_AGREEMENT[name])
            rows.append((f"Severity {name}, {subset}", share, str(len(distances)) if run.pairs else NONE, paper))
    return rows


def _share_within(distances: list[int], limit: int) -> str:
    return percent(sum(value <= limit for value in distances) / len(distances)) if distances else NONE


def table28(run: PaperRun) -> Table:
    """Table 28: confusion of the primary judge, alone and behind the screen, with the consensus."""
    alone = _judge_confusion(run, "judge")
    groups = [
        _confusion_rows("judge alone", alone),
        _confusion_rows(
            "screen and judge (the audit)",
            audit_confusion(run.pairs, run.annotated_student.audits["before"]) if run.pairs else None,
        ),
        _confusion_rows("the paper's judge", Confusion(*published.JUDGE_CONFUSION)),
    ]
    body = ruled(groups)
    needs = needs_pairs(run) if not run.pairs else "" if alone else "the judge's verdict on every annotated pair."
    return Table(
        number="28",
        title="Confusion of the judge with the annotators' consensus",
        columns=("Who", "Consensus", "Said drift", "Said none", "n"),
        rows=body.rows,
        rules=body.rules,
        note=f"{_sample_note(run)} 'Judge alone' saw every pair. The audit shows the judge screened pairs only. "
        "Table 28 of the paper gives κ = 0.650.",
        needs=needs,
        measured=bool(run.pairs),
        simulated=run.simulated,
    )


def _confusion_rows(label: str, counts: Confusion | None) -> list[Row]:
    if counts is None:
        return [(label, truth, NOT_RUN, NOT_RUN, NONE) for truth in ("drift", "none")]
    true_positive, false_negative, false_positive, true_negative = counts
    return [
        (label, "drift", str(true_positive), str(false_negative), str(true_positive + false_negative)),
        (label, "none", str(false_positive), str(true_negative), str(false_positive + true_negative)),
    ]


def table29(run: PaperRun) -> Table:
    """Table 29: what each threshold flags, detects and leaves."""
    default_tau = _arms_tau(run)
    taus = sorted({*TAUS, *(() if default_tau is None else (default_tau,))})
    best = run.metric("calibration").get("best_f1") if run.pairs else None
    optimum = f" Best F1 of this sample: {number(best['f1'])} at τ = {best['tau']:.4f}." if best else ""
    columns_note = (
        f"Flagged, precision, recall, F1: annotated pairs of {run.annotated_student.name}." if run.pairs else ""
    )
    absent = missing(run, [name for tau in taus if (name := _tau_arm(tau, default_tau)) != DEFAULT])
    pairs = needs_pairs(run)
    drift_note = robustness(run, [_tau_arm(tau, default_tau) for tau in TAUS if tau != default_tau], "drift_rate", +1,
                      "leave surely more drift cases than the default")  # fmt: skip
    return Table(
        number="29",
        title="The screen's threshold τ",
        columns=(
            "τ", "Flagged pairs", "Precision", "Recall", "F1", "Detected", "Remain after repair", "Accuracy",
            *TOXICITY_COLUMNS, "Δ drift rate [95 % CI]", "p (Holm)", "True drift", "Paper's P / R",
        ),
        rows=tuple(_tau_row(run, tau, default_tau) for tau in taus),
        note=f"{_sample_note(run)} {columns_note}{optimum} Detected: pairs of the whole test set above τ that the "
        f"judge confirmed, and so repaired; this and what follows: {ablation_student(run).name}, the student of the "
        f"arms. Remain: by the arms' own τ in every row. {drift_note}{NO_PROOF}{seed_note(run)}The paper: "
        f"{published.TAU_PAIRS} pairs, F1 {published.TAU_F1} at τ = 0.01; its recall at τ ≥ 0.03 is below .55. "
        "Toxicity × 10⁵.",
        needs=needs(run, absent, *([] if run.pairs else [f"{pairs[0].upper()}{pairs[1:]}"])),
        measured=bool(run.pairs) or any_has_run(run, [_tau_arm(tau, default_tau) for tau in taus]),
        simulated=run.simulated,
    )  # fmt: skip


def _arms_tau(run: PaperRun) -> float | None:
    """The threshold of the arms, which the main path need not share."""
    tau: float | None = arms(run).get("tau_delta", run.settings.tau_delta)
    return tau


def _tau_arm(tau: float, default_tau: float | None) -> str:
    """The run that repaired with τ, e.g. tau_0005 for 0.005."""
    return DEFAULT if tau == default_tau else f"tau_{round(1000 * tau):04d}"


def _tau_row(run: PaperRun, tau: float, default_tau: float | None) -> Row:
    both_kinds = len(set(run.annotations.drift)) == 2
    deltas, labels, weights = run.annotations
    point = operating_point(deltas, labels, tau, weights) if both_kinds else None
    metrics = entry(run, _tau_arm(tau, default_tau))
    return (
        f"{tau:g}{' (default)' if tau == default_tau else ''}",
        NOT_RUN if point is None else str(point.flagged),
        *([NOT_RUN] * 3 if point is None else map(number, (point.precision, point.recall, point.f1))),
        *(_arm_cells(metrics) if metrics is not None else [NOT_RUN] * (6 + len(TOXICITY_COLUMNS))),
        _paper_tau(tau),
    )


def _arm_cells(metrics: Entry) -> Row:
    """Detected, remain, accuracy, toxicity, difference in drift with its p, true drift."""
    return (
        str(metrics["pool"]["cases"]) if "pool" in metrics else NONE,
        drift(metrics),
        number(metrics["decision"]["accuracy"]),
        *toxicity(metrics),
        *difference_and_p(comparison(metrics, "drift")),
        drift(metrics, "true"),
    )


def _paper_tau(tau: float) -> str:
    pair = published.TAU_SWEEP.get(tau)
    return NONE if pair is None else f"{number(pair[0], 2)} / {number(pair[1], 2)}"


TABLES: tuple[Maker, ...] = (table25, table27, table28, table29)
