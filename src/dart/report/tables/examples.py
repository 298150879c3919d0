"""Tables of words: 1 (the task), 8 (an example of every condition), 12 (over-elaboration), 46 (drift and repair).

In the paper people chose these examples. Here a fixed rule does, which each table states, so that nobody can pick the
flattering one. Texts are cut to a stated length and stand below a content warning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median

from dart.core.records import SEVERITIES, AuditRecord, Generation, Item, Rationale
from dart.distill.sentences import count_sentences
from dart.metrics.run import STAGES, StudentRun
from dart.report.blocks import Maker
from dart.report.evidence import PaperRun
from dart.report.table import NONE, Row, Table, percent, signed
from dart.stats.decision import benchmarks_of

PROMPT_CHARACTERS, ANSWER_CHARACTERS = 200, 260
_PERHAPS_END = re.compile(r"[.!?…]\S*\s+|\n+")
NECESSARY_SENTENCES = 2  # E.1 asks for 2-4: what stands after the second is more than it had to be
_WARNING = (
    "Content warning: prompts and answers below may be offensive, stereotyping or wrong. They are quoted to study them."
)
_INVENTED = (
    "Content: prompts and answers of the embedded world, whose countries, groups and customs are invented; harmful "
    "sentences are stand-ins without offensive words."
)


def real_suite(run: PaperRun) -> bool:
    """Whether prompts come from people rather than from the embedded world; in doubt, they do."""
    return bool(run.card.get("provenance", {}).get("source") != "embedded")


def warning(run: PaperRun) -> str:
    """The warning above every table that quotes texts."""
    return _WARNING if real_suite(run) else _INVENTED


def excerpt(text: str, characters: int) -> str:
    """`text` on one line, cut between words to at most `characters`, the ellipsis included."""
    line = " ".join(text.split())
    if len(line) <= characters:
        return line
    head = line[: characters - 2]
    return head[: head.rfind(" ")].rstrip(" ,;:") + " …" if " " in head else head + " …"


def _quoting(run: PaperRun, number: str, title: str, columns: tuple[str, ...], rows: Sequence[Row], rule: str) -> Table:
    """A table whose columns after the first are running text."""
    return Table(
        number=number,
        title=title,
        columns=columns,
        rows=tuple(rows),
        note=f"{rule} Prompts are cut to {PROMPT_CHARACTERS} characters, other texts to {ANSWER_CHARACTERS}.",
        warning=warning(run),
        folded=real_suite(run),
        wrapped=tuple(range(1, len(columns))),
        simulated=run.simulated,
    )


def _prompt(item: Item) -> str:
    return excerpt(item.prompt, PROMPT_CHARACTERS)


def _answer(answer: Generation, item: Item) -> str:
    decision = "unparsed" if answer.prediction is None else answer.prediction
    mark = "right" if answer.prediction == item.gold else "wrong"
    return f"{excerpt(answer.rationale, ANSWER_CHARACTERS) or '(no rationale)'} → {decision} ({mark})"


def _answers(student: StudentRun, variant: str) -> dict[str, Generation]:
    return {answer.item_id: answer for answer in student.generations[variant]}


def table1(run: PaperRun) -> Table:
    """Table 1: the task on one DIFF and one EQUAL prompt, with the answers of base and distilled."""
    base, distilled = (_answers(run.primary_student, variant) for variant in STAGES[:2])

    def improved(item: Item) -> bool:
        return base[item.id].prediction != item.gold == distilled[item.id].prediction

    rows = []
    for condition, kind in (("DIFF", "D"), ("EQUAL", "N")):
        items = [item for item in run.items if item.condition == condition]
        tiers = (
            [item for item in items if item.benchmark.startswith(kind) and improved(item)],
            filter(improved, items),
            items,
        )
        for item in [item for tier in tiers for item in tier][:1]:
            key = f"{condition} ({run.benchmark_name(item.benchmark)}), gold {item.gold}"
            rows.append((key, _prompt(item), _answer(base[item.id], item), _answer(distilled[item.id], item)))
    return _quoting(
        run,
        "1",
        f"Difference-awareness classification illustrated ({run.primary_student.name})",
        ("Condition", "Prompt", "Base", "Distilled"),
        rows,
        "Rule: the first test item, in the order of the file, that base gets wrong and distilled right, DIFF from a "
        "descriptive and EQUAL from a normative benchmark; from any benchmark, then any item, if there is none. These "
        "are examples of the gain, not a sample.",
    )


def table8(run: PaperRun) -> Table:
    """Table 8: a prompt of every benchmark and condition, with the teacher's reason for its label."""
    rows = []
    accepted = run.accepted_rationales
    for name in benchmarks_of(run.splits["train"]):
        for condition in ("DIFF", "EQUAL"):
            pairs = [(item, r) for item, r in accepted if (item.benchmark, item.condition) == (name, condition)]
            key = f"{run.benchmark_name(name)} {condition}"
            if pairs:
                item, rationale = min(pairs, key=lambda pair: (len(pair[0].prompt), pair[0].id))
                rows.append((key, _prompt(item), excerpt(rationale.text, ANSWER_CHARACTERS)))
            else:
                rows.append((f"{key}: no accepted rationale", NONE, NONE))
    return _quoting(
        run,
        "8",
        "An example of each benchmark and condition",
        ("Benchmark", "Prompt", "Teacher's rationale"),
        rows,
        "Rule: the training item with the shortest prompt among those with an accepted rationale, ties by id. DIFF has "
        "gold YES, EQUAL gold NO; D1-D4 ask for facts, N1-N4 for judgement.",
    )


def table12(run: PaperRun) -> Table:
    """Table 12: where the teacher wrote more than the label needed."""
    rows: list[Row] = []
    accepted = run.accepted_rationales
    for name in benchmarks_of(run.splits["train"]):
        texts = [(item, r) for item, r in accepted if item.benchmark == name]
        longer = [(item, *parts) for item, r in texts if (parts := split_sentences(_body(r)))[1]]
        key = f"{run.benchmark_name(name)}: {len(longer)} of {len(texts)} ({_share(len(longer), len(texts))})"
        if longer:
            item, head, rest = max(longer, key=lambda entry: (len(entry[2].split()), entry[0].id))
            rows.append((key, _prompt(item), *(excerpt(text, ANSWER_CHARACTERS) for text in (head, rest))))
        else:
            rows.append((key, NONE, NONE, NONE))
    return _quoting(
        run,
        "12",
        "Over-elaboration by the teacher",
        ("Benchmark: longer", "Prompt", "First two sentences", "Beyond them"),
        rows,
        "The first column counts accepted rationales with more than two sentences, the fewest that prompt E.1 asks "
        "for. Rule: of each benchmark the one with the most words beyond its second sentence, ties by id. People chose "
        "the paper's examples for sensitive content; this rule looks at length only and calls nothing harmful.",
    )


def _share(part: int, whole: int) -> str:
    return percent(part / whole) if whole else NONE


def _body(rationale: Rationale) -> str:
    """The rationale without its conclusion line."""
    return rationale.text.rpartition("Conclusion:")[0].strip() or rationale.text


def split_sentences(text: str, first: int = NECESSARY_SENTENCES) -> tuple[str, str]:
    """The first `first` sentences of `text` and the rest, counted as the acceptance of rationales counts them."""
    total = count_sentences(text)
    if total > first:
        for match in _PERHAPS_END.finditer(text):
            head, rest = text[: match.end()].strip(), text[match.end() :].strip()
            if count_sentences(head) == first and count_sentences(rest) == total - first:
                return head, rest
    return text, ""


def table46(run: PaperRun) -> Table:
    """Table 46: for every severity one drift case through base, distilled and repaired."""
    student = run.primary_student
    items = {item.id: item for item in run.items}
    answers = [_answers(student, variant) for variant in STAGES]
    after = {record.item_id: record.severity for record in student.audits["after"]}
    rows: list[Row] = []
    for severity in SEVERITIES:
        records = [record for record in student.audits["before"] if record.severity == severity]
        case = _middle(records)
        if case is None:
            rows.append((f"{severity}: no case in this run", NONE, *(NONE for _ in STAGES)))
            continue
        item = items[case.item_id]
        key = (
            f"{severity} ({len(records)} cases): {run.benchmark_name(item.benchmark)}, gold {item.gold}, "
            f"Δ {signed(case.delta)}, after repair: {after.get(item.id) or 'no drift'}"
        )
        rows.append((key, _prompt(item), *(_answer(stage_answers[item.id], item) for stage_answers in answers)))
    return _quoting(
        run,
        "46",
        f"Drift and repair, one case of each severity ({student.name})",
        ("Severity", "Prompt", *(stage.capitalize() for stage in STAGES)),
        rows,
        "Rule: among the audited cases of a severity the one whose Δ is nearest to their median, ties by id, whether "
        "or not repair removed it (the first column says). The paper shows cases that were repaired.",
    )


def _middle(records: Sequence[AuditRecord]) -> AuditRecord | None:
    if not records:
        return None
    middle = median(record.delta for record in records)
    return min(records, key=lambda record: (abs(record.delta - middle), record.item_id))


TABLES: tuple[Maker, ...] = (table1, table8, table12, table46)
