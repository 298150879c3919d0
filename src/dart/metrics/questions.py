"""The three questions of the method, each with its estimand, over training seeds where there are several.

Did distillation cause drift? Did repair reduce it beyond what as many further steps do, on prompts that it saw and on
prompts that it did not see? Are decisions unchanged? Section 3 of the paper answers them from one training, against
the student before and without a control. Read from metrics/seeds.json, recipes.json and arms.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from dart.metrics.run import CONTROL

Kind = Literal["difference", "equivalence"]
CAUSED, REDUCED, UNCHANGED = (
    "distillation causes drift",
    "repair removes drift beyond the control",
    "accuracy unchanged",
)
SEEN, UNTOUCHED, OTHER_HALF, TEST = (
    "repaired prompts (test)",
    "untouched prompts (validation)",
    "test half that was not repaired",
    "test prompts",
)


class Answer(NamedTuple):
    """One estimand.

    `expected`: the sign that the claim needs; `margin`: of an equivalence test, whose interval has 90 %.
    """

    student: str
    question: str
    estimand: str
    prompts: str
    kind: Kind
    expected: int
    estimate: float
    ci: tuple[float, float] | None
    p: float | None
    n_seeds: int
    n_items: int
    unit: Literal["seeds and items", "one training, items", "one training against seeds"]
    margin: float | None = None
    remark: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names the test in the registry of families."""
        return (self.student, self.question, self.estimand, self.prompts)


def answers(metrics: Mapping[str, Any]) -> list[Answer]:
    """Every estimand that this run can give, by student; `metrics`: contents of the files by name."""
    result: list[Answer] = []
    for slot, student in metrics.get("seeds", {}).get("students", {}).items():
        result += [*_caused(slot, student, metrics.get("arms", {})), *_reduced(slot, student, metrics)]
        result += _unchanged(slot, student)
    return result


def _of(
    slot: str, question: str, estimand: str, prompts: str, expected: int, entry: Mapping[str, Any], **more: Any
) -> Answer:
    ci = entry["ci"]
    return Answer(
        student=slot,
        question=question,
        estimand=estimand,
        prompts=prompts,
        expected=expected,
        estimate=entry["estimate"],
        ci=None if ci is None else (ci[0], ci[1]),
        p=entry.get("p"),
        n_seeds=entry.get("n_seeds", 1),
        n_items=entry.get("n_items", more.pop("n_items", 0)),
        **({"kind": "difference", "unit": "seeds and items"} | more),
    )


def _flipped(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The other side minus this one."""
    ci = entry["ci"]
    return {**entry, "estimate": -entry["estimate"], "ci": None if ci is None else [-ci[1], -ci[0]]}


def _caused(slot: str, student: Mapping[str, Any], arms: Mapping[str, Any]) -> Iterator[Answer]:
    level = student["levels"]["distilled"]["drift_rate"]
    yield _of(slot, CAUSED, "audited drift of distilled, from base", TEST, +1, level)
    if "true_rate" in student["levels"]["distilled"]:
        true = student["levels"]["distilled"]["true_rate"]
        yield _of(slot, CAUSED, "true drift of distilled, from base", TEST, +1, true)
    if arms.get("student") != slot:
        return
    for name, label, remark in (
        ("label_only", "label-only SFT of equal length", "answers without a rationale cannot drift in one"),
        ("stage1_safe_stage1", "Stage I on rationales of the safe prompt", "equally long, with rationales"),
    ):
        entry = arms["arms"].get(name, {}).get("against_distilled_seeds", {}).get("drift_rate")
        if entry is not None:
            yield _of(
                slot, CAUSED, f"audited drift, distilled − {label}", TEST, +1, _flipped(entry),
                unit="one training against seeds", remark=remark,
            )  # fmt: skip


def _reduced(slot: str, student: Mapping[str, Any], metrics: Mapping[str, Any]) -> Iterator[Answer]:
    contrasts = student["contrasts"]
    names = {"drift_rate": "audited drift", "true_rate": "true drift"}
    if f"{CONTROL}_repaired" in contrasts:
        for measure, name in names.items():
            entry = contrasts[f"{CONTROL}_repaired"].get(measure)
            if entry is not None:
                yield _of(slot, REDUCED, f"{name}, repaired − control", SEEN, -1, entry)
    recipes = metrics.get("recipes", {}).get("students", {}).get(slot, {}).get("contrasts", {})
    for split, prompts in (("validation", UNTOUCHED), ("halves", OTHER_HALF)):
        against = recipes.get(split, {}).get("repaired", {})
        for other in (CONTROL, "distilled"):
            for measure, name in names.items():
                entry = against.get(f"against_{other}", {}).get(measure)
                if entry is not None:
                    yield _of(slot, REDUCED, f"{name}, repaired − {other}", prompts, -1, entry)
    if "repaired" not in recipes.get("halves", {}):
        yield from _one_training_of_halves(slot, metrics.get("arms", {}))


def _one_training_of_halves(slot: str, arms: Mapping[str, Any]) -> Iterator[Answer]:
    """The arms' inductive halves, where no recipe was repaired on halves with every seed."""
    inductive = arms.get("inductive") or {}
    if arms.get("student") == slot and inductive:
        for other in (CONTROL, "distilled"):
            entry = inductive[f"against_{other}"]["drift"]
            interval = {**entry["difference"], "p": entry["p"]}
            yield _of(
                slot, REDUCED, f"audited drift, repaired − {other}", OTHER_HALF, -1, interval,
                unit="one training, items", n_items=inductive["n"], remark="both halves pooled; says nothing of seeds",
            )  # fmt: skip


def _unchanged(slot: str, student: Mapping[str, Any]) -> Iterator[Answer]:
    for entry in student["unchanged"]:
        estimand = f"{entry['row']} accuracy, {entry['other']} − {entry['base']}"
        p = entry["p"] if entry["n_seeds"] > 1 else None
        yield _of(slot, UNCHANGED, estimand, TEST, 0, {**entry, "p": p}, kind="equivalence", margin=entry["margin"])
