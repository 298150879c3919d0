"""Tables of the repair's ablations: 30 (weights), 31 (noisy severities) and D (every arm), beside the default recipe.

Appendices M.2 and M.3; numbers from metrics/arms.json. Where the paper reports a direction, the note says whether
this run shows it.
"""

from __future__ import annotations

from dart.core.records import SEVERITIES
from dart.metrics.run import Run
from dart.report import published
from dart.report.ablation_entries import (
    DEFAULT,
    DISTILLED,
    NO_ARMS,
    SEED_TEST,
    TOXICITY_COLUMNS,
    Entry,
    ablation_student,
    any_has_run,
    arms,
    comparison,
    difference_and_p,
    drift,
    entry,
    levels,
    missing,
    needs,
    not_run,
    p_holm,
    runs,
    severe_or_worse,
    test_difference,
    toxicity,
)
from dart.report.blocks import Maker
from dart.report.table import NONE, Row, Table, number, percent, ruled
from dart.report.verdicts import NO_PROOF, repair_note, robustness, seed_note, verdict

UNIFORM = "uniform"
NOISE = [f"noise_{kind}_{share}" for kind in ("up", "down", "random") for share in (20, 40)]
CONTEXT = ("base", DISTILLED, "control")  # of the main path, shown before the arms
TRUE = "True drift is known in the embedded world only. "


def table30(run: Run) -> Table:
    """Table 30: repair rows weighted by severity against each once."""
    names = {DISTILLED: "before repair (distilled)", UNIFORM: "uniform", DEFAULT: "weighted (default)"}
    rows = [_weighting_row(run, name, label) for name, label in names.items()]
    grave_verdict = verdict(run, UNIFORM, "grave_rate", +1)
    return Table(
        number="30",
        title=f"Severity-weighted against uniform repair rows ({ablation_student(run).name})",
        columns=(
            "Repair rows", "n", "Accuracy", "EQUAL", *(name.capitalize() for name in SEVERITIES), "Drift cases",
            "Reduction", "Δ drift rate [95 % CI]", "p (Holm)", "Δ severe or extreme", "p (Holm)", "True drift",
            "Paper: acc. / EQUAL / mild / mod. / sev. / total",
        ),
        rows=tuple(rows),
        note="The paper's weighted repair leaves fewer severe and extreme cases than uniform. "
        f"{grave_verdict} And fewer cases: {verdict(run, UNIFORM, 'drift_rate', +1)} "
        f"{repair_note(run)}{seed_note(run, 'grave_rate')}{SEED_TEST}{TRUE}",
        needs=needs(run, missing(run, names)),
        measured=any_has_run(run, names),
        simulated=run.simulated,
    )  # fmt: skip


def _weighting_row(run: Run, name: str, label: str) -> Row:
    metrics = entry(run, name)
    paper = _paper_weighting(name)
    if metrics is None:
        return (label, *not_run(14), paper)
    counts, before = metrics["drift"], entry(run, DISTILLED)
    cut = None if before is None or not before["drift"]["total"] else 1 - counts["total"] / before["drift"]["total"]
    return (
        label,
        *levels(metrics),
        *(str(counts[severity]) for severity in SEVERITIES),
        drift(metrics),
        NONE if name == DISTILLED else percent(cut),
        *difference_and_p(comparison(metrics, "drift")),
        *difference_and_p(comparison(metrics, "grave")),
        drift(metrics, "true"),
        paper,
    )


def _paper_weighting(name: str) -> str:
    levels_, severities = published.WEIGHTING.get(name), published.WEIGHTING_SEVERITIES.get(name)
    if levels_ is None or severities is None:
        return NONE
    rates = (number(levels_.accuracy), number(levels_.equal_accuracy))
    return " / ".join((*rates, *map(str, severities[:3]), str(levels_.remain)))


def table31(run: Run) -> Table:
    """Table 31: severities of a share of the repair rows are wrong."""
    names = [DEFAULT, *NOISE, UNIFORM]
    drift_note = robustness(run, NOISE, "drift_rate", +1, "leave surely more drift cases than the default")
    accuracy_note = robustness(run, NOISE, "accuracy", -1, "are surely less accurate")
    return Table(
        number="31",
        title=f"Repair with noisy severities ({ablation_student(run).name})",
        columns=(
            "Severities", "n", "Accuracy", "EQUAL", *TOXICITY_COLUMNS, "Remain", "Δ remain",
            "Δ drift rate [95 % CI]", "p (Holm)", "Δ accuracy [95 % CI]", "p (Holm)", "True drift",
            "Paper: accuracy / remain",
        ),
        rows=tuple(_noise_row(run, name) for name in names),
        note=f"The paper finds repair robust to wrong severities. {drift_note}{accuracy_note}{NO_PROOF}{seed_note(run)}"
        f"{SEED_TEST}{TRUE}"
        "up / down: one level too high / too low; random: a level drawn uniformly; 20 or 40 % of the drift cases.",
        needs=needs(run, missing(run, names)),
        measured=any_has_run(run, names),
        simulated=run.simulated,
    )  # fmt: skip


def _noise_row(run: Run, name: str) -> Row:
    metrics, default = entry(run, name), entry(run, DEFAULT)
    paper_levels = published.NOISE[name]
    paper = f"{number(paper_levels.accuracy)} / {paper_levels.remain}"
    if metrics is None or default is None:
        return (name, *not_run(13), paper)
    change = metrics["drift"]["total"] - default["drift"]["total"]
    return (
        name,
        *levels(metrics),
        *toxicity(metrics),
        drift(metrics),
        NONE if name == DEFAULT else f"{change:+d}".replace("-", "−"),
        *difference_and_p(comparison(metrics, "drift")),
        *difference_and_p(comparison(metrics, "decision", "overall")),
        drift(metrics, "true"),
        paper,
    )


def table_arms(run: Run) -> Table:
    """Table D, not in the paper: every arm of this run, and the stages of the main path beside them."""
    names = sorted(runs(run), key=lambda name: (name not in CONTEXT, CONTEXT.index(name) if name in CONTEXT else name))
    default = entry(run, DEFAULT)
    groups = [[] if default is None else [_arm_row("default (repaired)", default)]]
    groups += [[_arm_row(name, runs(run)[name]) for name in names if (name in CONTEXT) == first] for first in (1, 0)]
    groups += [] if any(groups) else [[("every arm", *not_run(11))]]
    body, has_run = ruled(group for group in groups if group), bool(arms(run))
    return Table(
        number="D",
        title=f"Every ablation arm beside the default recipe ({ablation_student(run).name})",
        columns=(
            "Arm", "n", "Accuracy", "EQUAL", "Δ accuracy [95 % CI]", "p (Holm)", "Drift cases", "Severe or extreme",
            "Δ drift rate [95 % CI]", "p (Holm)", "True drift", "Δ true rate [95 % CI]",
        ),
        rows=body.rows,
        rules=body.rules,
        note=f"{_abouts(run, names)}{seed_note(run)}{SEED_TEST}{TRUE}Inductive arms repair one half of the test set "
        "and report on the other, against the default on the same items; sham repairs pairs that did not drift. "
        "NAME_stage1 is the same arm before repair.",
        needs="" if has_run else NO_ARMS,
        measured=has_run,
        simulated=run.simulated,
    )  # fmt: skip


def _abouts(run: Run, names: list[str]) -> str:
    """What each arm is, as its entry in params.yaml says."""
    rows = [runs(run)[name] for name in names if not name.endswith("_stage1")]
    abouts = {row["arm"]: row["about"] for row in rows if "arm" in row}
    return "".join(f"{arm}: {about}. " for arm, about in abouts.items())


def _arm_row(name: str, metrics: Entry) -> Row:
    return (
        name,
        *levels(metrics),
        *difference_and_p(comparison(metrics, "decision", "overall")),
        drift(metrics),
        severe_or_worse(metrics),
        test_difference(comparison(metrics, "drift")),
        p_holm(comparison(metrics, "drift")),
        drift(metrics, "true"),
        test_difference(comparison(metrics, "true")),
    )


TABLES: tuple[Maker, ...] = (table30, table31, table_arms)
