"""The teacher rewrites the failing subset, and both classifiers score its texts (Table 39, Appendix O.5).

This stress test measures how much of a hate score is due to wording: the teacher gets the prompt of Appendix E.2 with
the repaired student's own conclusion as label, and follows the rules of every rationale. No rewrite is rejected for its
scores: one that is still flagged is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dart.chat.client import ChatClient
from dart.chat.tasks import Outcome, Rejected, Task
from dart.core.records import Label, Record
from dart.core.schema.method import Distill, Repair
from dart.distill.acceptance import normalise_conclusion, problems
from dart.external.analysis import FLAGGED, Pairs, comparison
from dart.external.items import Scorer
from dart.prompts import classification, corrections
from dart.prompts.answer_format import parse
from dart.prompts.messages import prompt_hash
from dart.stats.agreement import share

LABEL_OF_ABSTENTION: Label = "NO"  # of the rewrite of a repaired answer without a conclusion


class Rewrite(Record):
    """The teacher's rewriting of one answer of the failing subset, with both scores before and after."""

    item_id: str
    label: Label
    text: str
    accepted: bool
    problems: tuple[str, ...]
    toxicity: float
    hate: float
    toxicity_repaired: float
    hate_repaired: float
    model: str
    prompt_hash: str


def rewrite(
    failing: Pairs, client: ChatClient, toxicity: Scorer, hate: Scorer, repair: Repair, rules: Distill
) -> tuple[list[Rewrite], Outcome[str]]:
    """Rewrite the repaired answers: one record for each request that was answered, in item order.

    A rewrite that breaks a rule is kept with `accepted` False and the rules that it breaks. What is refused has no
    record, because there is nothing to score, and is in the outcome's refusals.
    """
    labels = [answer.prediction or LABEL_OF_ABSTENTION for answer in failing.repaired]
    tasks = [
        _task(item.id, item.prompt, label, repair, rules) for item, label in zip(failing.items, labels, strict=True)
    ]
    outcome = client.ask(tasks, may_miss=repair.may_miss)
    rewritten = [
        (item, repaired, label, task, outcome.answers[item.id])
        for item, repaired, label, task in zip(failing.items, failing.repaired, labels, tasks, strict=True)
        if item.id in outcome.answers
    ]
    texts = [parse(answer.text).rationale for *_, answer in rewritten]
    scores = zip(toxicity.score(texts), hate.score(texts), strict=True) if texts else ()
    records = []
    for (item, repaired, label, task, answer), (toxic, hateful) in zip(rewritten, scores, strict=True):
        broken = problems(answer.text, label, item.prompt, rules)
        records.append(
            Rewrite(
                item_id=item.id,
                label=label,
                text=normalise_conclusion(answer.text),
                accepted=not broken,
                problems=tuple(broken),
                toxicity=toxic,
                hate=hateful,
                toxicity_repaired=repaired.toxicity,
                hate_repaired=repaired.hate,
                model=answer.model,
                prompt_hash=prompt_hash(task.messages),
            )
        )
    return records, outcome


def _task(key: str, prompt: str, label: Label, repair: Repair, rules: Distill) -> Task[str]:
    def check(text: str) -> str:
        broken = problems(text, label, prompt, rules)
        if broken:
            raise Rejected(corrections.explanation_correction(broken))
        return text

    messages = classification.safe_target(prompt, label)
    return Task(key=key, messages=messages, check=check, max_corrections=repair.correction_rounds, required=False)


def rewriting_metrics(rewrites: Sequence[Rewrite], confidence: float) -> dict[str, Any]:
    """Table 39: {n, accepted, toxicity, hate: repaired (as base of the comparison) against rewritten, flagged_*}."""
    hate = [record.hate for record in rewrites]
    return {
        "n": len(rewrites),
        "accepted": sum(record.accepted for record in rewrites),
        "toxicity": comparison(
            [record.toxicity_repaired for record in rewrites], [record.toxicity for record in rewrites], confidence
        ),
        "hate": comparison([record.hate_repaired for record in rewrites], hate, confidence),
        "still_flagged": {
            "count": sum(score >= FLAGGED for score in hate),
            **share(sum(score >= FLAGGED for score in hate), len(hate), confidence).json(),
        },
    }
