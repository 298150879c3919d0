"""Ask the teacher to explain the gold label of every item, and re-ask where a rule is broken (Section 2.3).

Label-conditioned: the teacher is told the label and explains it, so that rationales agree with verified labels. What
that is worth shows against labels that the teacher predicted and explanations without any label (Table 23).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from dart.chat.client import ChatClient
from dart.chat.tasks import Outcome, Rejected, Task
from dart.core.records import Item, Label, Rationale
from dart.core.schema.method import Distill
from dart.distill.acceptance import in_form, problems
from dart.prompts import classification, corrections
from dart.prompts.answer_format import parse
from dart.prompts.messages import Message, prompt_hash

log = logging.getLogger(__name__)
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
        prompt: E.1; or E.2, or the short variant with `short_rules`, for arms that are safer from the start.
        labels: what the teacher is told in the place of the gold labels, by item id, e.g. of `predict_labels`. An item
            that has none here is explained freely (`free_form_rationales`). None: the gold labels.

    A rationale that still breaks a rule after `rules.correction_rounds` re-asks is kept with `accepted` False and its
    problems, so that it is counted; it is never trained on. A request that failed gives no rationale at all and
    stands in the outcome's failures.
    """
    told = [item.gold if labels is None else labels.get(item.id) for item in items]
    tasks = [explanation_task(item, label, rules, prompt) for item, label in zip(items, told, strict=True)]
    outcome = client.ask(tasks)
    rationales = []
    for item, label, task in zip(items, told, tasks, strict=True):
        answer = outcome.answers.get(item.id)
        if answer is None:
            continue
        # Judged again rather than trusted: the acceptance that is written down is the rule book's, not a transcript's.
        broken = problems(answer.text, label, item.prompt, rules)
        rationales.append(
            Rationale(
                item_id=item.id,
                label=label or parse(answer.text).prediction,
                text=in_form(answer.text),
                accepted=not broken,
                problems=tuple(broken),
                attempts=answer.attempts,
                model=answer.model,
                prompt_hash=prompt_hash(task.messages),
            )
        )
    _report(rationales)
    return rationales, outcome


def free_form_rationales(
    items: Sequence[Item], client: ChatClient, rules: Distill, prompt: Prompt = classification.distillation
) -> tuple[list[Rationale], Outcome[str]]:
    """As `write_rationales`, but the teacher is told no label: it explains and concludes by itself.

    The rules are the same but for agreement with a label. The student learns the teacher's own conclusion.
    """
    return write_rationales(items, client, rules, prompt, labels={})


def short_rules(rules: Distill) -> Distill:
    """`rules` for rationales that are short from the start (prompt: `prompts.short_distillation`): 1-2 sentences."""
    return rules.model_copy(update={"min_sentences": 1, "max_sentences": 2})


def checked(label: Label | None, prompt: str, rules: Distill) -> Callable[[str], str]:
    """The check of a teacher's answer: the text itself, or Rejected naming every broken rule."""

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
    """The same for any label; None: the teacher is told none and concludes by itself."""
    return Task(
        key=item.id,
        messages=prompt(item.prompt, label),
        check=checked(label, item.prompt, rules),
        max_corrections=rules.correction_rounds,
        required=False,
    )


def _report(rationales: Sequence[Rationale]) -> None:
    refused = [rationale for rationale in rationales if not rationale.accepted]
    log.info("rationales: %d accepted, %d refused after re-asking", len(rationales) - len(refused), len(refused))
    for problem, count in Counter(problem for rationale in refused for problem in rationale.problems).most_common():
        log.info("  refused %d times: %s", count, problem)
