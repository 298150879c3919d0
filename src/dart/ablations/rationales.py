"""What the teacher writes for Stage I of the arms that do not train on the main path's rationales (K.5, A.3).

Apart from the training that uses it: these are requests that may be paid, and no training waits in the same stage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from dart.chat.client import ChatClient
from dart.chat.tasks import Cost, Outcome
from dart.core.records import Item, Label, Rationale
from dart.core.schema.ablations import Change
from dart.core.schema.method import Distill
from dart.distill.labels import predict_labels
from dart.distill.rationales import free_form_rationales, short_rules, write_rationales
from dart.prompts import classification

OWN_LABELS = ("predicted", "free_form")  # Stage I on labels that are the teacher's own, and so may be wrong
T = TypeVar("T")
Labels = Mapping[str, Label]


class Parties(NamedTuple):
    """Whom an arm may ask, by role, and what it cost."""

    stage: str
    client: Callable[[str], ChatClient]
    unlabelled: Callable[[str], ChatClient]  # the same for questions that tell no label
    costs: list[Cost]

    def complete(self, result: tuple[T, Outcome[Any]]) -> T:
        """The result of asking, its cost counted.

        Raises:
            IncompleteError: an answer is missing.
        """
        value, outcome = result
        outcome.require_complete(self.stage)
        self.costs.append(outcome.usage.cost)
        return value

    def labels(self, source: str, items: Sequence[Item], teacher: str = "teacher", *, may_miss: float) -> Labels | None:
        """The labels that a party is told: None is gold, an item that is absent is asked about without a label.

        Args:
            source: gold | predicted | none.
            may_miss: share of the items that the teacher may refuse to label.
        """
        if source == "gold":
            return None
        return {} if source == "none" else self.complete(predict_labels(items, self.unlabelled(teacher), may_miss))


def writes_rationales(change: Change) -> bool:
    """Whether the arm needs rationales beside the main path's."""
    return bool(change.folds) or change.teacher != "teacher" or change.stage1 not in ("distilled", "label_only")


def stage1_rationales(
    change: Change, train: Sequence[Item], test: Sequence[Item], rules: Distill, parties: Parties
) -> list[Rationale]:
    """Rationales of another teacher, another prompt or without the gold label; of test items too for cross-validation.

    Raises:
        IncompleteError: an answer is missing.
    """
    if change.folds:
        return parties.complete(write_rationales([*train, *test], parties.client("teacher"), rules))
    if change.stage1 == "free_form":
        return parties.complete(free_form_rationales(train, parties.unlabelled(change.teacher), rules))
    teacher = parties.client(change.teacher)
    if change.stage1 == "predicted":
        labels = parties.labels("predicted", train, change.teacher, may_miss=rules.may_miss) or {}
        decided = [item for item in train if item.id in labels]  # what the teacher could not decide teaches nothing
        return parties.complete(write_rationales(decided, teacher, rules, labels=labels))
    if change.stage1 == "short":
        prompt = classification.short_distillation
        return parties.complete(write_rationales(train, teacher, short_rules(rules), prompt))
    prompt = classification.safe_target if change.stage1 == "safe" else classification.distillation
    return parties.complete(write_rationales(train, teacher, rules, prompt))
