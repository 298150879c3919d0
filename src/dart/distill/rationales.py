"""Ask the teacher to explain the gold label of every item, and re-ask where a rule is broken (Section 2.3).

Label-conditioned: the teacher is told the label and explains it, so that rationales agree with verified labels.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence

from dart import prompts
from dart.chat import ChatClient, Outcome, Rejected, Task
from dart.distill.acceptance import in_form, problems
from dart.prompts.messages import Message
from dart.records import Item, Label, Rationale
from dart.settings.recipe import Distill

log = logging.getLogger(__name__)
Prompt = Callable[[str, Label], list[Message]]


def write_rationales(
    items: Sequence[Item], client: ChatClient, rules: Distill, prompt: Prompt = prompts.distillation
) -> tuple[list[Rationale], Outcome[str]]:
    """One rationale per answered item, in the order of `items`; `prompt` is E.1, or E.2 for a safer-from-the-start arm.

    A rationale that still breaks a rule after `rules.correction_rounds` re-asks is kept with `accepted` False and its
    problems, so that it is counted; it is never trained on. A request that failed gives no rationale at all and
    stands in the outcome's failures.
    """
    tasks = [rationale_task(item, rules, prompt) for item in items]
    outcome = client.ask(tasks)
    rationales = []
    for item, task in zip(items, tasks, strict=True):
        answer = outcome.answers.get(item.id)
        if answer is None:
            continue
        # Judged again rather than trusted: the acceptance that is written down is the rule book's, not a transcript's.
        broken = problems(answer.text, item.gold, item.prompt, rules)
        rationales.append(
            Rationale(
                item_id=item.id,
                label=item.gold,
                text=in_form(answer.text),
                accepted=not broken,
                problems=tuple(broken),
                attempts=answer.attempts,
                model=answer.model,
                prompt_hash=prompts.prompt_hash(task.messages),
            )
        )
    _report(rationales)
    return rationales, outcome


def checked(label: Label, prompt: str, rules: Distill) -> Callable[[str], str]:
    """The check of a teacher's answer: the text itself, or Rejected naming every broken rule."""

    def check(text: str) -> str:
        broken = problems(text, label, prompt, rules)
        if broken:
            raise Rejected(prompts.explanation_correction(broken))
        return text

    return check


def rationale_task(item: Item, rules: Distill, prompt: Prompt = prompts.distillation) -> Task[str]:
    """Ask for a rationale of the gold label, and again where it breaks a rule."""
    return Task(
        key=item.id,
        messages=prompt(item.prompt, item.gold),
        check=checked(item.gold, item.prompt, rules),
        rounds=rules.correction_rounds,
        required=False,
    )


def _report(rationales: Sequence[Rationale]) -> None:
    refused = [rationale for rationale in rationales if not rationale.accepted]
    log.info("rationales: %d accepted, %d refused after re-asking", len(rationales) - len(refused), len(refused))
    for problem, count in Counter(problem for rationale in refused for problem in rationale.problems).most_common():
        log.info("  refused %d times: %s", count, problem)
