"""Ask the teacher for a safe rationale of every drift case, and keep those that really are safer (Section 2.5).

The filter is the paper's: H(safe) < H(distilled), strictly, and the gold label; on top of it the rules that every
teacher's rationale keeps (2-4 sentences, no quotation). Training on an unfiltered target would teach the harm anew.
For Table 23 the teacher may be told other labels than the gold ones, or none; `succeeded` is the table's measure.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from dart.chat.client import ChatClient
from dart.chat.tasks import Answer, Outcome, Rejected, Task
from dart.core.errors import DataError
from dart.core.records import AuditRecord, Generation, Item, Label, RepairTarget, Severity
from dart.core.schema.method import Distill, Repair
from dart.distill.acceptance import in_form, problems
from dart.prompts import classification, corrections
from dart.prompts.answer_format import parse
from dart.prompts.messages import prompt_hash

log = logging.getLogger(__name__)


class Scorer(Protocol):
    """What is needed of `dart.harm.Classifier`: H of each text, in [0, 1]."""

    def score(self, texts: Sequence[str]) -> list[float]: ...


class Case(NamedTuple):
    """A drift case to repair."""

    item: Item
    severity: Severity
    toxicity_distilled: float
    label: Label | None  # what the teacher is told; None: nothing


def safe_targets(
    items: Sequence[Item],
    drift: Sequence[AuditRecord],
    distilled: Sequence[Generation],
    client: ChatClient,
    classifier: Scorer,
    repair: Repair,
    rules: Distill,
    labels: Mapping[str, Label] | None = None,
) -> tuple[list[RepairTarget], Outcome[str]]:
    """One target per answered drift case of `drift`, in its order; records without a severity are passed over.

    Args:
        labels: what the teacher is told in the place of the gold labels, by item id; a case that has none here is
            rewritten with the teacher's own conclusion. None: the gold labels.

    A target that is still refused after `repair.correction_rounds` re-asks is kept with `accepted` False and its
    problems, so that it is counted; it is never trained on.

    Raises:
        DataError: a drift case has no item, or `drift` was not made from `distilled`.
    """
    cases = _cases(items, drift, distilled, labels)
    toxicity = _remembered(classifier)
    tasks = [_task(case, toxicity, repair, rules) for case in cases]
    outcome = client.ask(tasks)
    targets = []
    for case, task in zip(cases, tasks, strict=True):
        answer = outcome.answers.get(case.item.id)
        if answer is not None:
            targets.append(_target(case, answer, toxicity, rules, prompt_hash(task.messages)))
    log.info("safe targets: %d of %d drift cases accepted", sum(target.accepted for target in targets), len(cases))
    return targets, outcome


def target_problems(text: str, case: Case, toxicity: float, rules: Distill) -> list[str]:
    """Every rule that `text` breaks as the safe target of `case`; `toxicity` is H of its rationale."""
    found = problems(text, case.label, case.item.prompt, rules)
    if not toxicity < case.toxicity_distilled:  # Section 2.5: H(r_safe) < H(r_int); NaN is refused too
        # The scores stay out of the words: they go into the next request, whose identity must not hang on rounding.
        found.append(
            "a toxicity classifier finds it no less toxic than the explanation that it replaces; "
            "use more abstract and more neutral wording"
        )
    return found


def succeeded(target: RepairTarget, gold: Label) -> bool:
    """Repair success (Table 23): less harm, and the correct decision, whatever label the teacher was told."""
    return target.toxicity < target.toxicity_distilled and parse(target.text).prediction == gold


def _cases(
    items: Sequence[Item],
    drift: Sequence[AuditRecord],
    distilled: Sequence[Generation],
    labels: Mapping[str, Label] | None,
) -> list[Case]:
    by_id = {item.id: item for item in items}
    answers = {generation.item_id: generation for generation in distilled}
    cases = []
    for record in drift:
        if record.severity is None:
            continue
        if record.item_id not in by_id or record.item_id not in answers:
            raise DataError(
                f"Drift case {record.item_id} is not among the {len(by_id)} items and {len(answers)} answers given. "
                "The audit belongs to another suite: run `dvc repro` to make it again."
            )
        if answers[record.item_id].toxicity != record.toxicity_candidate:
            raise DataError(
                f"Drift case {record.item_id} was audited with toxicity {record.toxicity_candidate}, but the answer "
                f"given has {answers[record.item_id].toxicity}. The audit is of other answers: run it again."
            )
        item = by_id[record.item_id]
        told = item.gold if labels is None else labels.get(item.id)
        cases.append(Case(item, record.severity, record.toxicity_candidate, told))
    return cases


def _task(case: Case, toxicity: Callable[[str], float], repair: Repair, rules: Distill) -> Task[str]:
    def check(text: str) -> str:
        broken = target_problems(text, case, toxicity(text), rules)
        if broken:
            raise Rejected(corrections.explanation_correction(broken))
        return text

    return Task(
        key=case.item.id,
        messages=classification.safe_target(case.item.prompt, case.label),
        check=check,
        max_corrections=repair.correction_rounds,
        required=False,
    )


def _target(
    case: Case, answer: Answer[str], toxicity: Callable[[str], float], rules: Distill, prompt_hash: str
) -> RepairTarget:
    score = toxicity(answer.text)
    broken = target_problems(answer.text, case, score, rules)
    return RepairTarget(
        item_id=case.item.id,
        severity=case.severity,
        text=in_form(answer.text),
        toxicity=score,
        toxicity_distilled=case.toxicity_distilled,
        accepted=not broken,
        problems=tuple(broken),
        model=answer.model,
        prompt_hash=prompt_hash,
    )


def _remembered(classifier: Scorer) -> Callable[[str], float]:
    """H of an answer's rationale, scored once: by itself, so that it does not depend on what else is in a batch."""
    known: dict[str, float] = {}

    def toxicity(text: str) -> float:
        rationale = parse(text).rationale
        if rationale not in known:
            [known[rationale]] = classifier.score([rationale])
        return known[rationale]

    return toxicity
