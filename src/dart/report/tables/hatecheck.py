"""Tables that take HateCheck apart: 36 (subsets), 37 (adjudication), 38 (functionality), 39 (teacher rewrite).

Appendices O.4 and O.5; read from metrics/external/hatecheck.json. No text of the suite or of an answer is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dart.external.adjudication import SEMANTICS
from dart.external.analysis import decisive_n
from dart.metrics.registry import FUNCTIONALITIES, family_p, name_of
from dart.metrics.run import Run, StudentRun
from dart.report import published
from dart.report.blocks import Maker, student_table
from dart.report.cells import (
    change_x1e5,
    rank_biserial,
    share,
    shift_x1e5,
    side_shares,
)
from dart.report.table import NONE, NOT_RUN, Row, Table, p_value, percent
from dart.report.tables.external import how_to_run, student_metrics

_SUBSETS: Mapping[str, str] = {
    "all": "all prompts",
    "matched": "base answered (matched)",
    "matched_without_failing": "matched, without the failing",
    "failing": "failing subset",
}
_NEEDS = how_to_run(["hatecheck"])
Rows = Callable[[StudentRun, Mapping[str, Any]], Sequence[Row]]


def _table(run: Run, number_: str, title: str, columns: tuple[str, ...], rows: Rows, note: str) -> Table:
    """A table with a block of rows for every student; one that was not run has a row that says so."""
    entries = [(student, student_metrics(run, "hatecheck", student)) for student in run.students]
    blocks = {student.slot: rows(student, entry) for student, entry in entries if entry is not None}
    return student_table(run, number_, title, columns, blocks, note, _NEEDS)


def table36(run: Run) -> Table:
    """Table 36: how hate and toxicity change over all prompts, where base answered, and in the failing subset."""

    def rows(student: StudentRun, entry: Mapping[str, Any]) -> list[Row]:
        return [_subset_row(student, name, entry["subsets"][name]) for name in _SUBSETS]

    return _table(
        run,
        "36",
        "HateCheck: all prompts, matched and failing subset",
        (
            "Student", "Subset", "n", "Abstention", "Hate: median", "change", "Hate: mean", "change", "Hate ≥ 0.5",
            "Wilcoxon: r", "p", "Toxicity: median", "change", "Paper: hate", "Paper: toxicity",
        ),
        rows,
        "Base → repaired, H × 10⁵. Matched: the prompts whose base answer has a conclusion, so that an increase is not "
        "the end of silence. Failing: the matched prompts with the largest increase of hate, up to the profile's "
        "external.failing_share, fewer where hate rises on fewer; it was chosen by that "
        f"increase, so its tests would be circular and are left out. The paper's subset is "
        f"{percent(published.FAILING_SHARE, 2)} of the matched prompts.",
    )  # fmt: skip


def _subset_row(student: StudentRun, name: str, part: Mapping[str, Any]) -> Row:
    hate, toxicity, paper = part["hate"], part["toxicity"], published.HATECHECK_SUBSETS.get(name, {})
    share = part.get("share_of_matched")
    test = None if name == "failing" or hate["wilcoxon"] is None else hate["wilcoxon"]
    return (
        student.name,
        _SUBSETS[name],
        f"{part['n']}{'' if share is None else f' ({percent(share, 2)})'}",
        side_shares(part["abstention"]),
        *change_x1e5(hate),
        *change_x1e5(hate, "mean"),
        side_shares(hate, "flagged_{}"),
        rank_biserial(test),
        NONE if test is None else p_value(test["p"]),
        *change_x1e5(toxicity),
        paper.get("hate", NONE),
        paper.get("toxicity", NONE),
    )


def table37(run: Run) -> Table:
    """Table 37: what people call the answers of the failing subset, without knowing whose they are."""
    labels_needed = "labels of the blinded sheets in data/external/hatecheck/review (external/human/README.md says how)"

    def rows(student: StudentRun, entry: Mapping[str, Any]) -> list[Row]:
        adjudication = entry["adjudication"]
        if adjudication["of"] and not adjudication["labelled"]:
            return [(student.name, "repaired", f"0 of {adjudication['of']}", *([NOT_RUN] * (len(SEMANTICS) + 2)))]
        return [_adjudicated_row(student, variant, adjudication) for variant in ("repaired", "base")]

    table = _table(
        run,
        "37",
        "HateCheck, failing subset: what people say of the answers",
        ("Student", "Answers", "Labelled", *SEMANTICS, "Benign [95 % CI]", "Paper: benign"),
        rows,
        "Benign: counter-speech or neutral mention. The answers of base to the same prompts are labelled on the same "
        "sheet, where nothing tells who wrote a text; equal answers share a row and count as repaired. "
        + ("The labels are simulated people's, with a declared error rate." if run.simulated else ""),
    )
    unlabelled = any(row[1] == "repaired" and NOT_RUN in row for row in table.rows)
    if not unlabelled:
        return table
    needs = f"{labels_needed}; {_NEEDS}" if any(row[1] == NOT_RUN for row in table.rows) else labels_needed
    return table.model_copy(update={"needs": needs, "measured": any(NOT_RUN not in row for row in table.rows)})


def _adjudicated_row(student: StudentRun, variant: str, adjudication: Mapping[str, Any]) -> Row:
    counts, repaired = adjudication["counts"][variant], variant == "repaired"
    benign = adjudication["benign"]
    benign_share = NONE
    if repaired and benign["estimate"] is not None:
        benign_share = share(benign)
    label_count = f"{adjudication['labelled']} of {adjudication['of']}" if repaired else str(sum(counts.values()))
    paper = published.BENIGN_SHARE if repaired else NONE
    return (student.name, variant, label_count, *(str(counts[label]) for label in SEMANTICS), benign_share, paper)


def table38(run: Run) -> Table:
    """Table 38: HateCheck by class and functionality."""
    p_holm = family_p(run.metrics, FUNCTIONALITIES)
    min_n = decisive_n(len(p_holm))

    def corrected(student: StudentRun, functionality: str) -> dict[str, float | None]:
        place = ("external", "hatecheck", "students", student.slot, "functionalities", functionality)
        return {score: p_holm.get(name_of(*place, score, "wilcoxon")) for score in ("hate", "toxicity")}

    def rows(student: StudentRun, entry: Mapping[str, Any]) -> list[Row]:
        block: list[Row] = []
        for kind, whole in entry["classes"].items():
            block.append(_functionality_row(student, kind, "all", whole, min_n, {}))
            block += [
                _functionality_row(student, kind, name, part, min_n, corrected(student, name))
                for name, part in entry["functionalities"].items()
                if part["class"] == kind
            ]
        return block

    return _table(
        run,
        "38",
        "HateCheck by functionality",
        (
            "Student", "Class", "Functionality", "Prompt is", "n", "Hate", "change", "Shift [95 % CI]", "r",
            "Wilcoxon: Holm", "Toxicity", "change", "r", "Wilcoxon: Holm",
        ),
        rows,
        "Base → repaired, medians of H × 10⁵; shift: Hodges-Lehmann, paired; r: matched-pairs rank-biserial, negative "
        "where repaired is safer; Holm: over all functionalities and both scores of this table. "
        f"† fewer than {min_n} prompts: no outcome could be significant here.",
    )  # fmt: skip


def _functionality_row(
    student: StudentRun,
    kind: str,
    name: str,
    part: Mapping[str, Any],
    min_n: int,
    p_adjusted: Mapping[str, float | None],
) -> Row:
    label = NONE if "hateful" not in part else "hateful" if part["hateful"] else "non-hateful"
    small = "†" if "hateful" in part and part["n"] < min_n else ""
    return (
        student.name, kind, name, label, f"{part['n']}{small}", *change_x1e5(part["hate"]), shift_x1e5(part["hate"]),
        rank_biserial(part["hate"]["wilcoxon"]), p_value(p_adjusted.get("hate")), *change_x1e5(part["toxicity"]),
        rank_biserial(part["toxicity"]["wilcoxon"]),
        p_value(p_adjusted.get("toxicity")),
    )  # fmt: skip


def table39(run: Run) -> Table:
    """Table 39: the failing subset after the teacher has rewritten it."""

    def rows(student: StudentRun, entry: Mapping[str, Any]) -> list[Row]:
        rewriting = entry["rewriting"]
        block: list[Row] = []
        for score in ("hate", "toxicity"):
            part = rewriting[score]
            flagged = " → ".join(share(part[f"flagged_{side}"]) for side in ("base", "repaired"))
            test = part["wilcoxon"]
            block.append(
                (
                    student.name, score, str(rewriting["n"]), str(rewriting["accepted"]), *change_x1e5(part),
                    *change_x1e5(part, "mean"), flagged, p_value(None if test is None else test["p"]),
                    published.STILL_FLAGGED if score == "hate" else NONE,
                )
            )  # fmt: skip
        return block

    return _table(
        run,
        "39",
        "HateCheck, failing subset: after rewriting by the teacher",
        (
            "Student", "Score", "n", "Accepted", "Median", "change", "Mean", "change", "H ≥ 0.5", "p (Wilcoxon)",
            "Paper: still flagged",
        ),
        rows,
        "Repaired student → teacher, H × 10⁵. The teacher gets the prompt of Appendix E.2 with the student's own "
        "conclusion; accepted: the rewriting keeps the rules of every rationale. Part of any decrease is regression to "
        "the mean, because the subset was chosen by its high scores. p: uncorrected.",
    )  # fmt: skip


TABLES: tuple[Maker, ...] = (table36, table37, table38, table39)
