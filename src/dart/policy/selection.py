"""Which explanation policy a prompt gets: by the first pass, by its premise, or by one of the schemes compared with it.

Section 2.6: the decision of a first, neutral pass chooses the variant for NO or for YES (F.1, F.2); a prompt whose
premise is harmful gets the constraint of F.3 as well. Table 34 asks what a better or a worse choice would give.
Everything here is a pure function: same prompt, same first pass, same choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dart.core.errors import DataError
from dart.core.records import Generation, Item, Label
from dart.core.schema.method import ExplanationPolicy
from dart.core.seeds import unit_interval
from dart.policy.records import Premise, Scheme
from dart.prompts.explanation_policy import policy as policy_messages
from dart.prompts.messages import Message

_UNPARSED: Mapping[str, Label | None] = {"as_yes": "YES", "as_no": "NO", "neutral": None}


class Choice(NamedTuple):
    """The policy of a prompt; `decision` None is the neutral instruction (E.3)."""

    decision: Label | None
    harmful_premise: bool

    @property
    def off(self) -> bool:
        """Whether this is the request of the first pass, so that its answer exists."""
        return self.decision is None and not self.harmful_premise

    def messages(self, item: Item) -> list[Message]:
        return policy_messages(item.prompt, self.decision, self.harmful_premise)


# Deviates from the paper: policy-keywords - its list is not printed; "combined with" is read as either of the two
def premise_of(item: Item, toxicity: float, policy: ExplanationPolicy) -> Premise:
    """The premise of one prompt: harmful if it contains a word of the list or H(x) is above the threshold."""
    words = tuple(word for word in policy.harmful_keywords if _contains_word(item.prompt, word))
    return Premise(
        item_id=item.id,
        keywords=words,
        toxicity=toxicity,
        harmful=bool(words) or toxicity > policy.harmful_above,
    )


def _contains_word(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


# Deviates from the paper: policy-schemes - single-pass and always-on are named there and not defined
def choose(
    scheme: Scheme, item: Item, first: Label | None, harmful: bool, policy: ExplanationPolicy, seed: int
) -> Choice:
    """The choice of one scheme for one prompt.

    two_pass: by the decision of the first pass (the paper's policy). single_pass: without a decision, so the neutral
    instruction, with F.3 where the premise is harmful. always_on: two_pass with F.3 on every prompt. oracle: by the
    gold label. random: YES or NO by a draw of the item's own.

    Args:
        first: the prediction of the first pass; None if it did not parse.
        harmful: whether the prompt's premise is harmful.
    """
    match scheme:
        case "two_pass":
            return Choice(_decision(first, policy), harmful)
        case "single_pass":
            return Choice(None, harmful)
        case "always_on":
            return Choice(_decision(first, policy), True)
        case "oracle":
            return Choice(item.gold, harmful)
        case "random":
            return Choice("YES" if unit_interval(seed, "policy", item.id) < 0.5 else "NO", harmful)


# Deviates from the paper: policy-unparsed - it does not say what a first pass without a conclusion selects
def _decision(first: Label | None, policy: ExplanationPolicy) -> Label | None:
    return _UNPARSED[policy.unparsed] if first is None else first


def choices(
    scheme: Scheme,
    items: Sequence[Item],
    first: Sequence[Generation],
    premises: Sequence[Premise],
    policy: ExplanationPolicy,
    seed: int,
) -> list[Choice]:
    """The choice for every item.

    Args:
        first: the first pass, in item order, as `premises`.

    Raises:
        DataError: first pass or premises are in another order, or of other items.
    """
    for item, answer, premise in zip(items, first, premises, strict=True):
        if not item.id == answer.item_id == premise.item_id:
            raise DataError(
                f"policy: expected an answer and a premise of {item.id}, found those of {answer.item_id} and "
                f"{premise.item_id}. The test set has changed since it was answered: run `dvc repro`."
            )
    return [
        choose(scheme, item, answer.prediction, premise.harmful, policy, seed)
        for item, answer, premise in zip(items, first, premises, strict=True)
    ]
