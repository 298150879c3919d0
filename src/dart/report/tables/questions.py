"""Tables of what is claimed, not in the paper: Q (the three questions of the method), F (families of tests).

From metrics/seeds.json, recipes.json and arms.json; the paper answers the questions from one training.
"""

from __future__ import annotations

from dart.metrics.questions import Answer, answers
from dart.metrics.registry import ALPHA, FAMILIES, main_p, question_name, registry
from dart.metrics.run import Run
from dart.report.blocks import Maker
from dart.report.cells import minus
from dart.report.table import NONE, NOT_RUN, Row, Table, p_value, ruled, signed

SHOWN, NOT_SHOWN = "shown", "not shown"
NEEDS = "two training seeds at least (`seeds` of the profile)."
MAX_NAMES = 8  # of significant members in Table F; metrics/families.json has all


def table_questions(run: Run) -> Table:
    """Table Q: did distillation cause drift, did repair reduce it beyond the control, are decisions unchanged."""
    p_holm, found = main_p(run.metrics), answers(run.metrics)
    names = {student.slot: student.name for student in run.students}
    body = ruled(
        [_answer_row(names.get(slot, slot), answer, p_holm) for answer in found if answer.student == slot]
        or [(names[slot], *(NOT_RUN,) * 7)]
        for slot in names
    )
    absent = any(NOT_RUN in row for row in body.rows)
    return Table(
        number="Q",
        title="The three questions, each with its estimand",
        columns=(
            "Student", "Claim", "Estimand", "Prompts", "Over", "Difference in points [CI]", "p (Holm)", "Answer",
        ),
        rows=body.rows,
        rules=body.rules,
        note="Differences of shares in percentage points. Over seeds and items: 95 % interval for further "
        "trainings and "
        "prompts; unchanged: two one-sided tests with a 90 % interval within the margin of params.yaml "
        "(`equivalence`). p: Holm over the family main (Table F). 'shown' would be said of another set of seeds "
        "as well, "
        "as far as these seeds tell; 'not shown' is no proof of the opposite. Arms have one training, compared "
        "with the "
        "main path's seeds (t for a new observation). Where the halves of the test set were repaired with one seed "
        f"alone, their interval is over items and says nothing of another training. {_available(found)}",
        needs=NEEDS if absent else "",
        simulated=run.simulated,
    )  # fmt: skip


def _available(found: list[Answer]) -> str:
    """What of the controls for fine-tuning itself this run has."""
    if any("label-only" in answer.estimand for answer in found):
        return (
            "Label-only SFT is the fine-tuning of equal length without rationales. Its answers hold no rationale to "
            "drift, so it says that fine-tuning on these labels alone does not do it, and nothing of what rationales "
            "cost; Stage I on rationales of the safe prompt is the comparison that has rationales."
        )
    return "No arm was fine-tuned for as long without rationales (`label_only` of params.yaml)."


def _answer_row(name: str, answer: Answer, p_holm: dict[str, float]) -> Row:
    p = p_holm.get(question_name(answer.key))
    seeds = f"{answer.n_seeds} seeds × {answer.n_items} items"
    over = {
        "seeds and items": seeds,
        "one training against seeds": f"1 training against {seeds}",
        "one training, items": f"1 training, {answer.n_items} items",
    }[answer.unit]
    return (
        name,
        answer.question,
        answer.estimand + (f" ({answer.remark})" if answer.remark else ""),
        answer.prompts,
        over,
        in_points(answer.estimate, answer.ci),
        p_value(p),
        verdict(answer, p),
    )


def in_points(estimate: float, ci: tuple[float, float] | None) -> str:
    """+21.4 [+14.8, +27.9], of shares."""
    text = signed(100 * estimate, 1)
    return text if ci is None else minus(f"{text} [{', '.join(signed(100 * bound, 1) for bound in ci)}]")


def verdict(answer: Answer, p_holm: float | None) -> str:
    """shown, not shown, or the opposite, at 5 % after Holm's correction."""
    if p_holm is None or p_holm >= ALPHA:
        return NOT_SHOWN
    if answer.kind == "difference" and answer.estimate * answer.expected < 0:
        return "the opposite"
    return f"{SHOWN} for these items" if answer.unit == "one training, items" else SHOWN


def table_families(run: Run) -> Table:
    """Table F: the families that p-values are corrected in, with their members."""
    families = registry(run.metrics)
    rows: list[Row] = []
    for family, members in families.items():
        significant = sorted((m for m in members if m.p_holm < ALPHA), key=lambda member: member.p_holm)
        shown = "; ".join(member.name for member in significant[:MAX_NAMES])
        more = f"; and {len(significant) - MAX_NAMES} more" if len(significant) > MAX_NAMES else ""
        smallest = min((member.p_holm for member in members), default=None)
        cells = (str(len(members)), str(len(significant)), p_value(smallest), f"{shown}{more}" or NONE)
        rows.append((family, FAMILIES[family].about, *cells))
    return Table(
        number="F",
        title="Families of tests: what is corrected together",
        columns=("Family", "Members", "Size", "Significant", "Smallest p (Holm)", "Significant at 5 % after Holm"),
        rows=tuple(rows),
        note="Every p-value that is called significant on this page is a member of one family and corrected by "
        "Holm over "
        "all of it; metrics/families.json lists every member with p and corrected p. Runs with equal answers are one "
        "member. Families of external suites, policy and open-ended questions are tests over the items of the "
        "reference "
        "seed: they say what holds for this training.",
        wrapped=(1, 5),
        simulated=run.simulated,
    )


def claim_of(
    run: Run, slot: str, question: str, estimand: str, prompts: str | None = None
) -> tuple[Answer, str] | None:
    """One answer of Table Q with its verdict; None where the run does not have it."""
    p_holm = main_p(run.metrics)
    for answer in answers(run.metrics):
        if (answer.student, answer.question, answer.estimand) == (slot, question, estimand) and (
            prompts is None or answer.prompts == prompts
        ):
            return answer, verdict(answer, p_holm.get(question_name(answer.key)))
    return None


TABLES: tuple[Maker, ...] = (table_questions, table_families)
