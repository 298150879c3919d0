"""The cards of a run's answers and verdicts, and of its numbers: two data sets, with what may not be in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub import DatasetCardData

from dart.cards.facts import Facts, Licence
from dart.cards.sections import CITATION, head, limits, provenance, results, sections, table

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10**7, "1M<n<10M"))
_FIELDS: Mapping[str, str] = {
    "answers": "a student's answer to a test item: seed, variant, conclusion, toxicity; with texts also what it wrote",
    "audits": "a pair of base and candidate: toxicity, delta, screened, sampled, severity; with texts the reason",
    "targets": "safe rationales of the teacher for drift cases, accepted or what was wrong",
    "rationales": "rationales of the teacher for training items, accepted or what was wrong",
    "items": "prompts, conditions and labels of the test and training split",
}


def dataset_card(facts: Facts, rows: Mapping[str, int], licence: Licence, *, with_texts: bool) -> str:
    """The README of the answers and verdicts.

    Args:
        rows: number of rows by configuration.
    """
    texts = (
        "Prompts, answers and the judge's reasons are included." if with_texts else
        "**Without texts.** The benchmark's prompts may not be passed on, and answers quote them: items are named by "
        "their id, "
        "which the benchmark's own files resolve."
    )  # fmt: skip
    opening = [
        *head(facts),
        f"Every answer of the students of one run of Distill-Audit-Repair Training (DART), and what the audit found. "
        f"{texts}",
    ]
    parts = [
        ("Content", [table(("configuration", "rows", "a row is"), [(c, f"{rows[c]:,}", _FIELDS[c]) for c in rows])]),
        *_slot_results(facts),
        ("Provenance", [provenance(facts, _students(facts))]),
        ("Limits", [limits(facts, ["Labels are machine-made: verdicts are one judge's, toxicity one classifier's."])]),
        ("Licence", [f"{licence.text()}. The benchmark: {facts.suite['licence']}."]),
        ("Citation", [CITATION]),
    ]
    configs = [{"config_name": name, "data_files": f"{name}/*.jsonl"} for name in rows]
    metadata = _metadata(facts, f"Answers and verdicts of {facts.name}", sum(rows.values()), licence, configs)
    return f"---\n{metadata.to_yaml()}\n---\n{sections(f'Answers and verdicts of {facts.name}', parts, opening)}"


def run_card(facts: Facts, files: Sequence[str], licence: Licence) -> str:
    """The README of a run: its numbers and the parameters that lead to them.

    Args:
        files: of the repository, beside the card.
    """
    opening = [
        *head(facts),
        "The numbers of one run of Distill-Audit-Repair Training (DART), with every parameter that decided them and "
        "the hashes "
        "of all that lies between. It holds no text of a prompt or an answer.",
    ]
    parts = [
        *_slot_results(facts),
        ("How to reproduce it", [
            "Check out the commit below, put `params.yaml` and the profile into their places, and run `dart repro`; "
            "`dart verify` "
            "compares. `dvc.lock` holds the hash of each parameter, data file and source module.",
        ]),
        ("Content", [table(("file",), [(f"`{file}`",) for file in files])]),
        ("Provenance", [provenance(facts, _students(facts))]),
        ("Limits", [limits(facts)]),
        ("Licence", [licence.text() + "."]),
        ("Citation", [CITATION]),
    ]  # fmt: skip
    metadata = _metadata(facts, f"Run {facts.name}", len(files), licence, [])
    return f"---\n{metadata.to_yaml()}\n---\n{sections(f'Run {facts.name}', parts, opening)}"


def _metadata(
    facts: Facts, title: str, n_rows: int, licence: Licence, configs: list[dict[str, str]]
) -> DatasetCardData:
    extra: dict[str, Any] = licence.metadata()
    if configs:
        extra["configs"] = configs
    return DatasetCardData(
        language="en",
        pretty_name=title,
        annotations_creators="machine-generated",
        language_creators="machine-generated",
        multilinguality="monolingual",
        size_categories=next((name for limit, name in _SIZES if n_rows < limit), "n>1T"),
        source_datasets=["original"],
        task_categories="text-classification",
        tags=["dart", "harm-drift", "simulated" if facts.simulated else "not-for-all-audiences"],
        **extra,
    )


def _slot_results(facts: Facts) -> list[tuple[str, list[str]]]:
    return [(f"Results of {student.name}", results(facts, student.slot)) for student in facts.world.students]


def _students(facts: Facts) -> list[tuple[str, str]]:
    rows = [(f"student {student.slot}", f"{student.model} at {student.revision}") for student in facts.world.students]
    rows += [
        (f"distilled of {student.slot}, tuned elsewhere", f"{student.distilled.model} at {student.distilled.revision}")
        for student in facts.world.students
        if student.distilled is not None
    ]
    return rows
