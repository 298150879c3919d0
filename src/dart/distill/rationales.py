"""Ask the teacher to explain the gold label of every item, and re-ask where a rule is broken (Section 2.3).

Label-conditioned: the prompt states the label, so that rationales agree with verified labels. Table 23 compares this
with labels that the teacher predicted and with explanations without any label.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from dart.chat.client import ChatClient
from dart.chat.tasks import Outcome, Rejected, Task
from dart.core.records import Generation, Item, Label, Rationale
from dart.core.refusal import Refusal
from dart.core.schema.method import Distill
from dart.distill.acceptance import normalise_conclusion, problems
from dart.prompts import classification, corrections
from dart.prompts.answer_format import parse
from dart.prompts.messages import Message, prompt_hash

log = logging.getLogger(__name__)
MAX_REJECTED_IN_A_ROW = 50  # then something is wrong with all of them, and each is paid for three times
Prompt = Callable[[str, Label | None], list[Message]]


def write_rationales(
    items: Sequence[Item],
    client: ChatClient,
    rules: Distill,
    prompt: Prompt = classification.distillation,
    labels: Mapping[str, Label] | None = None,
) -> tuple[list[Rationale], Outcome[str]]:
    """One rationale per answered item, in the order of `items`.

    Args:
        prompt: E.1; or, for ablations that are safer from the start, E.2 or the short variant with `short_rules`.
        labels: in the prompt instead of the gold labels, by item id, e.g. of `predict_labels`. An item without an entry
            is explained freely (`free_form_rationales`). None: the gold labels.

    A rationale that still breaks a rule after `rules.correction_rounds` re-asks is recorded with `accepted` False and
    its problems, so that it is counted; it is never trained on. So is a refusal, with an empty text and its words as a
    problem. A failed request gives no rationale and is in the outcome's failures.
    """
    targets = [item.gold if labels is None else labels.get(item.id) for item in items]
    tasks = [explanation_task(item, label, rules, prompt) for item, label in zip(items, targets, strict=True)]
    outcome = client.ask(tasks, may_miss=rules.may_miss, stop_after_rejected=MAX_REJECTED_IN_A_ROW)
    rationales = []
    for item, label, task in zip(items, targets, tasks, strict=True):
        answer = outcome.answers.get(item.id)
        if answer is None and item.id in outcome.refusals:
            rationales.append(_refused(item, label, outcome.refusals[item.id], prompt_hash(task.messages)))
        if answer is None:
            continue
        # Checked again, so that the recorded acceptance follows today's rules and not those of a cached transcript.
        broken = problems(answer.text, label, item.prompt, rules)
        rationales.append(
            Rationale(
                item_id=item.id,
                label=label or parse(answer.text).prediction,
                text=normalise_conclusion(answer.text),
                accepted=not broken,
                problems=(*broken, *([] if answer.refusal is None else [answer.refusal.problem])),
                attempts=answer.attempts,
                model=answer.model,
                prompt_hash=prompt_hash(task.messages),
            )
        )
    _log_acceptance(rationales)
    return rationales, outcome


def _refused(item: Item, label: Label | None, refusal: Refusal, prompt: str) -> Rationale:
    return Rationale(
        item_id=item.id, label=label, text="", accepted=False, problems=(refusal.problem,), attempts=0,
        model=refusal.by, prompt_hash=prompt,
    )  # fmt: skip


def free_form_rationales(
    items: Sequence[Item], client: ChatClient, rules: Distill, prompt: Prompt = classification.distillation
) -> tuple[list[Rationale], Outcome[str]]:
    """As `write_rationales` without a label in the prompt: the teacher draws its own conclusion.

    The rules are the same except for agreement with a label. The student learns the teacher's conclusion.
    """
    return write_rationales(items, client, rules, prompt, labels={})


def short_rules(rules: Distill) -> Distill:
    """`rules` for rationales that are short from the start (prompt: `prompts.short_distillation`): 1-2 sentences."""
    return rules.model_copy(update={"min_sentences": 1, "max_sentences": 2})


def rule_check(label: Label | None, prompt: str, rules: Distill) -> Callable[[str], str]:
    """The check of a teacher's answer: it returns the text, or raises Rejected with every broken rule."""

    def check(text: str) -> str:
        broken = problems(text, label, prompt, rules)
        if broken:
            raise Rejected(corrections.explanation_correction(broken))
        return text

    return check


def rationale_task(item: Item, rules: Distill, prompt: Prompt = classification.distillation) -> Task[str]:
    """Ask for a rationale of the gold label, and again where it breaks a rule."""
    return explanation_task(item, item.gold, rules, prompt)


def explanation_task(
    item: Item, label: Label | None, rules: Distill, prompt: Prompt = classification.distillation
) -> Task[str]:
    """Ask for a rationale of `label`, and again where it breaks a rule; None leaves the conclusion to the teacher."""
    return Task(
        key=item.id,
        messages=prompt(item.prompt, label),
        check=rule_check(label, item.prompt, rules),
        max_corrections=rules.correction_rounds,
        required=False,
    )


def _log_acceptance(rationales: Sequence[Rationale]) -> None:
    rejected = [rationale for rationale in rationales if not rationale.accepted]
    log.info("rationales: %d accepted, %d rejected after re-asking", len(rationales) - len(rejected), len(rejected))
    for problem, count in Counter(problem for rationale in rejected for problem in rationale.problems).most_common():
        log.info("  rejected %d times: %s", count, problem)


def as_generation(rationale: Rationale) -> Generation:
    """A rationale in the place of a student's answer; also a refused one, for the teacher wrote it."""
    parsed = parse(rationale.text)
    return Generation(
        item_id=rationale.item_id,
        variant="teacher",
        text=rationale.text,
        rationale=parsed.rationale,
        prediction=parsed.prediction,
        new_tokens=0,
        model=rationale.model,
        revision="",
        prompt_hash=rationale.prompt_hash,
    )
