"""Recipes of Stage III: what is rehearsed beside the repair rows, and which prompts are repaired (Section 2.5).

The paper rehearses all rationales of the teacher and repairs the test prompts on which the student drifted. But the
harm stands in those rationales: what repair takes out, rehearsal teaches again. The other recipes audit what is
rehearsed, with the parts that DART has anyway (classifier, judge, teacher) and without any ground truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from dart.core.errors import DataError
from dart.core.records import Generation, Item, PreferencePair, Rationale, RepairTarget, TrainingRow
from dart.core.schema.method import RecipeName, SeverityWeights
from dart.distill.rows import item_of, training_row
from dart.repair.mix import mix, repair_copies

Rehearsal = Literal["all", "cleared", "mended", "own", "none"]
Repaired = Literal["test", "training", "none"]
Objective = Literal["cross_entropy", "kl", "dpo", "orpo"]


class Recipe(NamedTuple):
    """What one recipe trains on in Stage III, by which objective, and from which adapter of the main path."""

    about: str
    rehearsal: Rehearsal
    repaired: Repaired  # the prompts whose drifted answers get safe rationales
    objective: Objective = "cross_entropy"
    start: Literal["distilled", "repaired", "control"] = "distilled"
    pool: bool = False  # whether its targets of the test set are its own and not the main path's
    control: str = "control"  # the variant with as many steps and no repair rows

    @property
    def audits_rationales(self) -> bool:
        return self.rehearsal in ("cleared", "mended")

    @property
    def audits_own_answers(self) -> bool:
        return self.rehearsal == "own" or self.repaired == "training"

    @property
    def prefers(self) -> bool:
        """Whether it trains on pairs of answers."""
        return self.objective in ("dpo", "orpo")


RECIPES: Mapping[RecipeName, Recipe] = {
    "published": Recipe("all rationales, and safe ones for the drift cases of the test set (the paper)", "all", "test"),
    "sham": Recipe("the same, with safe rationales for pairs that did not drift", "all", "test", pool=True),
    "two_sided": Recipe("as published, with drift cases of the two-sided screen", "all", "test", pool=True),
    "cleared": Recipe("rationales that the audit flags are left out", "cleared", "test"),
    "mended": Recipe("rationales that the audit flags are replaced by safe ones", "mended", "test"),
    "mended_training": Recipe("the same, and no test prompt is repaired", "mended", "none"),
    "own": Recipe("the student's own answers to training prompts, safe ones where it drifted", "own", "training"),
    "kl_anchored": Recipe(
        "as own, with the Kullback-Leibler divergence from distilled on what is rehearsed", "own", "training", "kl"
    ),
    "dpo": Recipe(
        "safe rationales preferred to the student's drifted answers to training prompts, distilled as the reference",
        "none", "training", "dpo",
    ),
    "orpo": Recipe("the same pairs by their odds ratio, without a reference", "none", "training", "orpo"),
    "task_arithmetic": Recipe(
        "distilled + w (repaired - distilled) without training, w chosen on the validation set", "none", "test"
    ),
    "two_rounds": Recipe(
        "the main path's repair, audited and repaired again for as many steps", "all", "test", start="repaired",
        pool=True, control="control_twice",
    ),
    "control_twice": Recipe("the control, continued for as many steps", "all", "none", start="control"),
}  # fmt: skip


class Material(NamedTuple):
    """Everything that recipes choose from; what a recipe does not need may be empty.

    Targets are the drift cases of an audit, each once, with the safe rationale that was accepted for it or was not.
    """

    rationales: Sequence[Rationale]  # the teacher's, of training items
    targets: Sequence[RepairTarget]  # of the test set
    rationale_targets: Sequence[RepairTarget] = ()  # of the teacher's rationales
    own_answers: Sequence[Generation] = ()  # of the distilled student, to training items
    own_targets: Sequence[RepairTarget] = ()  # of these answers


def recipe_rows(
    recipe: Recipe, material: Material, items_by_id: Mapping[str, Item], weights: SeverityWeights
) -> list[TrainingRow]:
    """The training set of Stage III under `recipe`: rehearsal, then safe rationales repeated by severity.

    Raises:
        DataError: nothing is left to rehearse, an item is unknown or occurs twice, or a rationale explains another
            label than the gold one.
    """
    repaired: dict[Repaired, Sequence[RepairTarget]] = {
        "test": material.targets, "training": material.own_targets, "none": (),
    }  # fmt: skip
    targets = repaired[recipe.repaired]
    if recipe.rehearsal == "none":
        raise DataError("This recipe trains on no rows: pairs of answers are made by preference_pairs.")
    if recipe.rehearsal == "own":
        rows = _own_rows(material.own_answers, _ids(material.own_targets), items_by_id)
        return [*rows, *repair_copies(targets, items_by_id, weights)]
    rationales = material.rationales
    if recipe.rehearsal == "cleared":
        rationales = _without(rationales, _ids(material.rationale_targets))
    elif recipe.rehearsal == "mended":
        rationales = _mended(rationales, material.rationale_targets)
    return mix(rationales, targets, items_by_id, weights)


def preference_pairs(
    material: Material, items_by_id: Mapping[str, Item], weights: SeverityWeights
) -> list[PreferencePair]:
    """Safe rationales over the student's own drifted answers to training prompts, repeated by severity.

    Raises:
        DataError: a target has no answer or no item, or no target was accepted.
    """
    answers = {answer.item_id: answer.text for answer in material.own_answers}
    pairs = []
    for row in repair_copies(material.own_targets, items_by_id, weights):
        item_id = row.key.rpartition("#")[0]
        if item_id not in answers:
            raise DataError(f"{item_id} has a safe target and no answer of the student: run `dvc repro` again.")
        pairs.append(PreferencePair(key=row.key, messages=row.messages, chosen=row.response, rejected=answers[item_id]))
    if not pairs:
        raise DataError(
            "There is no pair to prefer: the student drifted on no training prompt, or no safe target was accepted."
        )
    return pairs


def _ids(targets: Sequence[RepairTarget]) -> frozenset[str]:
    return frozenset(target.item_id for target in targets)


def _without(rationales: Sequence[Rationale], drifted: frozenset[str]) -> list[Rationale]:
    return [rationale for rationale in rationales if rationale.item_id not in drifted]


def _mended(rationales: Sequence[Rationale], targets: Sequence[RepairTarget]) -> list[Rationale]:
    """Flagged rationales with their safe text; those that have none are left out, as in `cleared`."""
    safe = {target.item_id: target.text for target in targets if target.accepted}
    drifted = _ids(targets)
    return [
        rationale.model_copy(update={"text": safe[rationale.item_id]}) if rationale.item_id in drifted else rationale
        for rationale in rationales
        if rationale.item_id not in drifted or rationale.item_id in safe
    ]


def _own_rows(
    answers: Iterable[Generation], drifted: frozenset[str], items_by_id: Mapping[str, Item]
) -> list[TrainingRow]:
    """The student's own answers that the audit cleared and that conclude with the gold label."""
    rows = []
    for answer in answers:
        item = item_of(items_by_id, answer.item_id)
        if answer.prediction == item.gold and answer.item_id not in drifted:
            rows.append(training_row(item.id, item, answer.text))
    return rows
