"""Tables about the inference-time policy: 3 and 17 (on and off), 18 (base), 33 (selection), 34 (other selections).

Section 3.3.2, Appendices K.1 and N; numbers from metrics/policy.json. Where the paper reports a direction, the note
says whether this run shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from dart.metrics.registry import POLICY, family_p, name_of
from dart.metrics.run import STAGES, Run, StudentRun
from dart.report import published
from dart.report.blocks import Maker, student_entry, student_table
from dart.report.cells import counted_share, difference, direction, relative_change, value_bounds
from dart.report.table import NONE, Row, Table, number, p_value, percent

SCHEME_NAMES: Mapping[str, str] = {
    "off": "policy off",
    "two_pass": "two-pass (the policy)",
    "single_pass": "single-pass",
    "always_on": "always-on",
    "oracle": "oracle",
    "random": "random",
}
OUTCOME_NAMES: Mapping[str, str] = {
    "match": "match",
    "under_engagement": "under-engagement (gold YES, policy NO)",
    "over_engagement": "over-engagement (gold NO, policy YES)",
    "none": "neutral instruction",
}
METRICS = "policy"  # the entry of `Run.metrics`
_ON, _OFF = "two_pass", "off"
_WILCOXON = ("toxicity", "all", "wilcoxon")
_TESTS = (
    "Off and on are answers to the same prompts: p of McNemar's exact test for decisions with Tango's interval, of "
    "Wilcoxon's signed-rank test for toxicity with the percentile bootstrap; Holm's correction is over all "
    "tests of the policy (Table F). "
)
_UNTRAINED = (
    " Simulated students were trained on the neutral instruction alone: these numbers show what a strange text before "
    "the question does to them, and nothing about the policy."
)
Variants = Mapping[str, Mapping[str, Any]]
Corrected = Callable[..., float | None]
Rows = Callable[[StudentRun, Variants], Iterable[Row]]


def _variants(run: Run) -> dict[str, Variants]:
    entries = {student.slot: student_entry(run, METRICS, student) for student in run.students}
    return {slot: entry["variants"] for slot, entry in entries.items() if entry is not None}


def _table(run: Run, number_: str, title: str, columns: tuple[str, ...], rows: Rows, note: str) -> Table:
    """A table with a block of rows for every student; one that was not run has a row that says so."""
    variants = _variants(run)
    blocks = {
        student.slot: rows(student, variants[student.slot]) for student in run.students if student.slot in variants
    }
    absent = [student.slot for student in run.students if student.slot not in variants]
    note += _UNTRAINED if run.simulated and variants else ""
    return student_table(
        run, number_, title, columns, blocks, note, "; ".join(f"`dvc repro policy@{s}`" for s in absent)
    )


def _difference(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return NONE
    return difference(entry["difference"])


def _toxicity(level: Mapping[str, Any], split: str, statistic: str) -> str:
    entry = level["toxicity"][split]
    return NONE if entry is None else number(entry[f"{statistic}_x1e5"]["estimate"], 2)


def _holm(run: Run) -> Corrected:
    """Holm's p of a test of a student's variant and scheme against no policy, over the family `policy`."""
    p_holm = family_p(run.metrics, POLICY)

    def of(slot: str, variant: str, scheme: str, *test: str) -> float | None:
        return p_holm.get(name_of(POLICY, slot, "variants", variant, scheme, "against_off", *test))

    return of


def _p(against: Mapping[str, Any], test: Sequence[str]) -> float | None:
    """The uncorrected p of a test; None where it was not made."""
    entry: Mapping[str, Any] | None = against if test else None
    for key in test:
        entry = None if entry is None else entry[key]
    return None if entry is None else float(entry["p"])


def table3(run: Run) -> Table:
    """Table 3: the repaired student with and without the two-pass policy."""
    splits = {"all": "Accuracy", "DIFF": "DIFF accuracy", "EQUAL": "EQUAL accuracy"}
    by_student, p_holm = _variants(run), _holm(run)

    def rows(student: StudentRun, variants: Variants) -> list[Row]:
        off, on = variants["repaired"][_OFF], variants["repaired"][_ON]
        against = on["against_off"]

        def row(name: str, sides: Sequence[str], change: str, test: Sequence[str], paper: str) -> Row:
            p = _p(against, test), p_holm(student.slot, "repaired", _ON, *test)
            return (student.name, name, *sides, change, *map(p_value, p), paper)

        block = []
        for split, name in splits.items():
            sides = [number(level["accuracy"][split]["estimate"]) for level in (off, on)]
            paper = published.POLICY_CHANGES["accuracy"] if split == "all" else NONE
            block.append(row(name, sides, _difference(against["accuracy"][split]), ("accuracy", split), paper))
        parsed = [number(1 - level["answers"]["unparsed"]["estimate"]) for level in (off, on)]
        block.append(row("Parse rate", parsed, _difference(against["parsed"]), ("parsed",), NONE))
        medians = [_toxicity(level, "all", "median") for level in (off, on)]
        median_change = relative_change(against["toxicity"]["all"]["median_change"])
        block.append(row("Toxicity, median", medians, median_change, _WILCOXON, published.POLICY_CHANGES["median"]))
        tails = [_toxicity(level, "all", "q95") for level in (off, on)]
        tail_change = relative_change(against["q95_change"])
        block.append(row("Toxicity, Q95", tails, tail_change, (), published.POLICY_CHANGES["q95"]))
        words = [number(level["words_mean"], 1) for level in (off, on)]
        return [*block, row("Words per rationale", words, relative_change(against["words_change"]), (), NONE)]

    return _table(
        run,
        "3",
        "The inference-time policy on the repaired student",
        ("Student", "Measure", "Off", "On", "Change [95 % CI]", "p", "p (Holm)", "Paper: change"),
        rows,
        f"{_stability_note(run, by_student)}{_premise_note(run)}{_TESTS}Toxicity: H × 10⁵.",
    )


def _stability_note(run: Run, by_student: Mapping[str, Variants]) -> str:
    """Whether this run shows what the paper's Table 3 does: toxicity falls and accuracy hardly changes."""
    parts = []
    for student in run.students:
        if student.slot in by_student:
            on = by_student[student.slot]["repaired"][_ON]
            against, median_change = on["against_off"], on["against_off"]["toxicity"]["all"]["median_change"]
            accuracy = against["accuracy"]["all"]["difference"]
            parts.append(
                f"{student.name}: accuracy {direction(accuracy)}, median toxicity {direction(median_change)}, Q95 "
                f"{direction(against['q95_change'])}; {percent(on['instructed']['estimate'])} of the answers end with "
                "the conclusion that the instruction names"
            )
    if not parts:
        return ""
    return f"The paper: accuracy hardly changes, both toxicities fall. This run: {'. '.join(parts)}. "


def _premise_note(run: Run) -> str:
    """How many prompts got the constraint of F.3; the same for all students, because it is read from the prompts."""
    premises = next(
        (entry["premises"] for s in run.students if (entry := student_entry(run, METRICS, s)) is not None), None
    )
    if premises is None:
        return ""
    benchmarks = ", ".join(f"{count} of {name}" for name, count in premises["by_benchmark"].items() if count) or "none"
    return (
        f"Harmful premises: {counted_share(premises['harmful'], interval=False)} of the prompts ({benchmarks}), "
        f"{premises['by_keyword']} by a word of the list, {premises['by_toxicity']} by H(x) alone. How well that finds "
        f"harmful premises is unknown here: nobody has labelled them (the paper: {published.PREMISE_DETECTION}). "
    )


def table17(run: Run) -> Table:
    """Table 17: every stage with and without the policy, toxicity by condition."""
    p_holm = _holm(run)

    def rows(student: StudentRun, variants: Variants) -> list[Row]:
        return [
            _ablation_row(student, variant, scheme, variants[variant][scheme], p_holm)
            for variant in STAGES
            for scheme in (_OFF, _ON)
        ]

    return _table(
        run,
        "17",
        "Every stage with and without the inference-time policy",
        (
            "Student", "Stage", "Policy", "Accuracy [95 % CI]", "DIFF", "EQUAL", "Δ accuracy", "p (Holm)",
            "Tox. median", "DIFF", "EQUAL", "Q95", "Δ median", "p (Holm)", "Paper: accuracy / EQUAL / median",
        ),
        rows,
        f"{_TESTS}Toxicity: H × 10⁵. DIFF and EQUAL: prompts whose gold label is YES and NO. {_base_note(run)}",
    )  # fmt: skip


def _ablation_row(
    student: StudentRun,
    variant: str,
    scheme: str,
    level: Mapping[str, Any],
    p_holm: Corrected,
) -> Row:
    accuracy = level["accuracy"]
    against = level.get("against_off")
    accuracy_change, toxicity_change = (NONE, NONE), (NONE, NONE)
    if against is not None:
        accuracy_change = (
            _difference(against["accuracy"]["all"]),
            p_value(p_holm(student.slot, variant, scheme, "accuracy", "all")),
        )
        toxicity_change = (
            relative_change(against["toxicity"]["all"]["median_change"]),
            p_value(p_holm(student.slot, variant, scheme, *_WILCOXON)),
        )
    medians = (_toxicity(level, split, "median") for split in ("all", "DIFF", "EQUAL"))
    return (
        student.name,
        variant,
        "off" if scheme == _OFF else "on",
        value_bounds(accuracy["all"]["estimate"], accuracy["all"]["ci"]),
        number(accuracy["DIFF"]["estimate"]),
        number(accuracy["EQUAL"]["estimate"]),
        *accuracy_change,
        *medians,
        _toxicity(level, "all", "q95"),
        *toxicity_change,
        " / ".join(published.POLICY_ABLATION[variant]["off" if scheme == _OFF else "on"]),
    )


def _base_note(run: Run) -> str:
    """The paper's claim about the policy without training, beside what this run shows."""
    parts = []
    for student in run.students:
        if (entry := student_entry(run, METRICS, student)) is not None:
            base = entry["variants"]["base"]
            parts.append(f"{student.name} {_difference(base[_ON]['against_off']['accuracy']['all'])}")
    if not parts:
        return ""
    return f"Alone, the policy does little for the paper's base (+0.012). In this run: {', '.join(parts)}."


def table18(run: Run) -> Table:
    """Table 18: what base answers with and without the policy."""
    p_holm = _holm(run)

    def rows(student: StudentRun, variants: Variants) -> list[Row]:
        off, on = variants["base"][_OFF], variants["base"][_ON]
        against = on["against_off"]
        block: list[Row] = []
        for name in ("YES", "NO", "unparsed"):
            sides = (off["answers"][name], on["answers"][name])
            change = _ratio(*(side["count"] for side in sides))
            p = p_value(p_holm(student.slot, "base", _ON, "parsed")) if name == "unparsed" else NONE
            paper = published.POLICY_BASE_CHANGES.get(name, NONE)
            block.append((student.name, name, *map(counted_share, sides), change, p, paper))
        yes_shares = [_yes_of_parsed(level) for level in (off, on)]
        block.append(
            (student.name, "YES of parsed", *yes_shares, NONE, NONE, published.POLICY_BASE_CHANGES["YES of parsed"])
        )
        words = [number(level["words_mean"], 1) for level in (off, on)]
        words_change, paper = relative_change(against["words_change"]), published.POLICY_BASE_CHANGES["words"]
        return [*block, (student.name, "Words per rationale", *words, words_change, NONE, paper)]

    return _table(
        run,
        "18",
        "What base answers with and without the policy",
        ("Student", "Answer", "Off", "On", "Change", "p (Holm)", "Paper"),
        rows,
        "Wilson's 95 % intervals; change of a count relative to off; p: McNemar's exact test of unparsed, corrected "
        "over all tests of the policy. What a first pass without a conclusion selects is policy.unparsed of "
        "params.yaml.",
    )


def _ratio(before: int, after: int) -> str:
    return percent(after / before - 1, sign=True) if before else NONE


def _yes_of_parsed(level: Mapping[str, Any]) -> str:
    answers = level["answers"]
    parsed = answers["YES"]["count"] + answers["NO"]["count"]
    return percent(answers["YES"]["count"] / parsed) if parsed else NONE


def table33(run: Run) -> Table:
    """Table 33: what the first pass selected for the repaired student, and how many answers are right all the same."""

    def rows(student: StudentRun, variants: Variants) -> list[Row]:
        on = variants["repaired"][_ON]
        block: list[Row] = []
        for name, label in OUTCOME_NAMES.items():
            entry = on["selection"][name]
            if name != "none" or entry["count"]:
                paper = published.POLICY_SELECTION.get(name, (NONE, NONE))
                block.append((student.name, label, counted_share(entry), counted_share(entry["correct"]), *paper))
        return [*block, (student.name, "all", str(on["n"]), counted_share(on["accuracy"]["all"]), NONE, NONE)]

    return _table(
        run,
        "33",
        "Policy selection of the repaired student",
        ("Student", "Outcome", "Prompts [95 % CI]", "Right in the end [95 % CI]", "Paper: prompts", "Paper: right"),
        rows,
        "The decision of the first pass selects the policy; a match is a selection that agrees with the gold label. "
        "The second pass gives the final answer. Wilson's 95 % intervals. " + _match_note(run),
    )


def _match_note(run: Run) -> str:
    """Whether a mismatch costs accuracy in this run: intervals of match and of both mismatches together."""
    parts = []
    for student in run.students:
        if (entry := student_entry(run, METRICS, student)) is not None:
            on = entry["variants"]["repaired"][_ON]["selection"]
            correct = [on[name]["correct"]["count"] for name in ("under_engagement", "over_engagement")]
            mismatches = [on[name]["count"] for name in ("under_engagement", "over_engagement")]
            share = f"{sum(correct)} of {sum(mismatches)}"
            parts.append(f"{student.name} {percent(on['match']['correct']['estimate'])}, and of mismatches {share}")
    return f"Right under a matching policy: {'; '.join(parts)}." if parts else ""


def table34(run: Run) -> Table:
    """Table 34: the repaired student under better and worse selections."""
    p_holm = _holm(run)

    def rows(student: StudentRun, variants: Variants) -> list[Row]:
        schemes = variants["repaired"]
        return [_scheme_row(student, s, schemes[s], p_holm) for s in SCHEME_NAMES if s in schemes]

    return _table(
        run,
        "34",
        "The repaired student under other policy selections",
        (
            "Student", "Selection", "Accuracy [95 % CI]", "Δ accuracy", "p (Holm)", "of oracle", "Unparsed",
            "Tox. median", "Δ median", "p (Holm)", "of oracle", "As instructed", "Paper: accuracy", "Paper: Δ median",
        ),
        rows,
        f"{_TESTS}Single-pass: the neutral instruction, with F.3 where the premise is harmful. Always-on: two-pass "
        "with F.3 on every prompt. Random: YES or NO by a coin. As instructed: answers that end with the conclusion "
        "that F.1 or F.2 names. In that way oracle tells the gold label: a student that follows to the letter would be "
        "right everywhere. The paper's single-pass has the accuracy of its policy off; its always-on raises refusals, "
        f"which are unparsed answers here, to {published.ALWAYS_ON_REFUSALS}. "
        + _oracle_note(run),
    )  # fmt: skip


def _scheme_row(student: StudentRun, scheme: str, level: Mapping[str, Any], p_holm: Corrected) -> Row:
    against, oracle = level.get("against_off"), level.get("of_oracle")
    accuracy = level["accuracy"]["all"]
    accuracy_change, toxicity_change = [NONE, NONE], [NONE, NONE]
    if against is not None:
        accuracy_change = [
            _difference(against["accuracy"]["all"]),
            p_value(p_holm(student.slot, "repaired", scheme, "accuracy", "all")),
        ]
        median_change = relative_change(against["toxicity"]["all"]["median_change"])
        toxicity_change = [median_change, p_value(p_holm(student.slot, "repaired", scheme, *_WILCOXON))]
    compliance = level.get("instructed")
    return (
        student.name,
        SCHEME_NAMES[scheme],
        value_bounds(accuracy["estimate"], accuracy["ci"]),
        *accuracy_change,
        NONE if oracle is None else percent(oracle["accuracy"]["estimate"]),
        counted_share(level["answers"]["unparsed"], interval=False),
        _toxicity(level, "all", "median"),
        *toxicity_change,
        NONE if oracle is None else percent(oracle["toxicity_reduction"]),
        NONE if compliance is None or compliance["estimate"] is None else percent(compliance["estimate"]),
        *published.POLICY_SCHEMES[scheme],
    )


def _oracle_note(run: Run) -> str:
    """Students for whom a share of the oracle's toxicity reduction does not exist."""
    names: Sequence[str] = [
        student.name
        for student in run.students
        if (entry := student_entry(run, METRICS, student)) is not None
        and entry["variants"]["repaired"].get("oracle", {}).get("of_oracle", {}).get("toxicity_reduction") is None
    ]
    text = f"With {' and '.join(names)} oracle does not lower the median, so there is no share of its reduction."
    return text if names else ""


TABLES: tuple[Maker, ...] = (table3, table17, table18, table33, table34)
