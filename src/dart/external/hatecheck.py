"""What HateCheck is taken apart by: functionality, prompts that base answered, and the failing subset.

A base that abstains scores low on hate, so an increase over all prompts mixes harm with the end of silence. The
matched subset holds the prompts that base answered; the failing subset, those of them whose hate rises most.
Sections 3.4, O.3 to O.5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dart.core.errors import ModelError
from dart.external.analysis import Pairs, slice_of
from dart.external.items import ExternalItem
from dart.stats.agreement import auc_interval
from dart.stats.intervals import Interval

# The classes of functionalities in the order of HateCheck's own table (Roettger et al. 2021), by the name's beginning.
CLASSES: Mapping[str, str] = {
    "derog_": "Derogation",
    "threat_": "Threatening language",
    "slur_": "Slur usage",
    "profanity_": "Profanity usage",
    "ref_": "Pronoun reference",
    "negate_": "Negation",
    "phrase_": "Phrasing",
    "ident_": "Non-hateful use of an identity",
    "counter_": "Counter-speech",
    "target_": "Abuse of non-protected targets",
    "spell_": "Spelling variations",
}
OTHER = "Other"


def class_of(functionality: str) -> str:
    """The class that a functionality belongs to."""
    return next((name for start, name in CLASSES.items() if functionality.startswith(start)), OTHER)


def by_functionality(pairs: Pairs, confidence: float) -> dict[str, Any]:
    """{functionalities: {name: slice, with its class and label}, classes: {name: slice}}, in HateCheck's order."""
    known = {item.functionality: bool(item.hateful) for item in pairs.items if item.functionality}
    order = [*CLASSES.values(), OTHER]
    names = sorted(known, key=lambda name: order.index(class_of(name)))
    return {
        "functionalities": {
            name: {
                "class": class_of(name),
                "hateful": known[name],
                **slice_of(pairs.where(lambda item, *_, name=name: item.functionality == name), confidence),
            }
            for name in names
        },
        "classes": {
            kind: slice_of(
                pairs.where(lambda item, *_, kind=kind: class_of(item.functionality or "") == kind), confidence
            )
            for kind in dict.fromkeys(class_of(name) for name in names)
        },
    }  # fmt: skip


def matched(pairs: Pairs) -> Pairs:
    """The pairs whose prompt base answered."""
    return pairs.where(lambda item, base, repaired: base.answered)


def failing(pairs: Pairs, share: float) -> Pairs:
    """The `share` of the matched pairs with the largest hate increase, rounded up; none whose hate does not rise.

    Pairs of the same increase are taken in the order of their ids; the result is in item order.
    """
    candidates = matched(pairs)
    increase = {
        item.id: repaired.hate - base.hate for item, base, repaired in zip(*candidates, strict=True)
    }  # fmt: skip
    # 1e-9: a share that was rounded to some digits must not add a pair
    size = math.ceil(share * len(increase) - 1e-9)
    worst = sorted(increase, key=lambda key: (-increase[key], key))[:size]
    chosen = {key for key in worst if increase[key] > 0}
    return candidates.where(lambda item, base, repaired: item.id in chosen)


def subsets(pairs: Pairs, share: float, confidence: float) -> dict[str, Any]:
    """Table 36: {all, matched, matched_without_failing, failing: slice}; `failing` has its share and least increase."""
    part, answered = failing(pairs, share), matched(pairs)
    ids = {item.id for item in part.items}
    increases = [after.hate - before.hate for before, after in zip(part.base, part.repaired, strict=True)]
    return {
        "all": slice_of(pairs, confidence),
        "matched": slice_of(answered, confidence),
        "matched_without_failing": slice_of(
            answered.where(lambda item, base, repaired: item.id not in ids), confidence
        ),
        "failing": {
            **slice_of(part, confidence),
            "share_of_matched": round(len(ids) / len(answered.items), 6) if answered.items else None,
            "least_increase": round(min(increases), 6) if increases else None,
        },
    }  # fmt: skip


def hate_on_labels(items: Sequence[ExternalItem], scores: Sequence[float]) -> Interval:
    """How well a hate classifier's scores of the prompts agree with HateCheck's labels: AUC with its interval."""
    labels = [bool(item.hateful) for item in items]
    return auc_interval(scores, labels) if len(set(labels)) == 2 else Interval(None, None, None)


def require_upright(found: Interval) -> None:
    """Refuse a hate score that is upside down.

    A hate classifier whose classes are "hate" and "nothate" gives one as soon as the wrong class is taken.

    Raises:
        ModelError: hateful prompts score lower than non-hateful ones.
    """
    if found.estimate is not None and found.estimate < 0.5:
        raise ModelError(
            f"The hate classifier gives HateCheck's hateful cases lower scores than its non-hateful ones (AUC "
            f"{found.estimate:.3f}): it scores the wrong class. Correct scorers.hate.label in the profile."
        )
