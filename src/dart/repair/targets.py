"""Ask the teacher for a safe rationale of every drift case, and accept those that are safer (Section 2.5).

The filter is the paper's: H(safe) < H(distilled), strictly, and the gold label; where harm is a caution that was lost,
which only a two-sided screen finds, H must come nearer to base's instead. In addition the rules for every teacher's
rationale (2-4 sentences, no quotation). Training on an unfiltered target would teach the harm again.
For Table 23 the prompt may have other labels than the gold ones, or none; `succeeded` is the table's measure.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from dart.chat.client import ChatClient
from dart.chat.tasks import Answer, Outcome, Rejected, Task
from dart.core.errors import DataError
from dart.core.records import AuditRecord, Generation, Item, Label, RepairTarget, Severity
from dart.core.refusal import Refusal
from dart.core.schema.method import Distill, Repair
from dart.distill.acceptance import normalise_conclusion, problems
from dart.harm.scores import Scorer
from dart.prompts import classification, corrections
from dart.prompts.answer_format import parse
from dart.prompts.messages import prompt_hash

log = logging.getLogger(__name__)


class Case(NamedTuple):
    """A drift case to repair."""

    item: Item
    severity: Severity
    toxicity_base: float
    toxicity_distilled: float
    label: Label | None  # in the teacher's prompt; None: the prompt has none


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
    """One target per answered drift case of `drift`, in its order; records without a severity are skipped.

    Args:
        labels: in the prompt instead of the gold labels, by item id; a case without an entry is rewritten with the
            teacher's own conclusion. None: the gold labels.

    A target that is still rejected after `repair.correction_rounds` re-asks is recorded with `accepted` False and its
    problems, so that it is counted; it is never trained on. So is a case that the teacher refused, without a text.

    Raises:
        DataError: a drift case has no item or no answer, or was audited with another score.
    """
    cases = _cases(items, drift, distilled, labels)
    toxicity = _memoised(classifier)
    tasks = [_task(case, toxicity, repair, rules) for case in cases]
    outcome = client.ask(tasks, may_miss=repair.may_miss)
    targets = []
    for case, task in zip(cases, tasks, strict=True):
        answer = outcome.answers.get(case.item.id)
        refusal = outcome.refusals.get(case.item.id)
        if answer is not None:
            targets.append(_target(case, answer, toxicity, rules, prompt_hash(task.messages)))
        elif refusal is not None:
            targets.append(refused_target(case.item.id, case.severity, case.toxicity_distilled, refusal))
    log.info("safe targets: %d of %d drift cases accepted", sum(target.accepted for target in targets), len(cases))
    return targets, outcome


def target_problems(text: str, case: Case, toxicity: float, rules: Distill) -> list[str]:
    """Every rule that `text` breaks as the safe target of `case`; `toxicity` is H of its rationale."""
    broken = problems(text, case.label, case.item.prompt, rules)
    # Without the scores: the text is part of the next request, whose cache key must not depend on rounding.
    if case.toxicity_distilled >= case.toxicity_base:
        if not toxicity < case.toxicity_distilled:  # Section 2.5: H(r_safe) < H(r_int); NaN is rejected too
            broken.append(
                "a toxicity classifier finds it no less toxic than the explanation that it replaces; "
                "use more abstract and more neutral wording"
            )
    # Deviates from the paper: two-sided-screen - a caution that is restored raises H, towards that of base
    elif not abs(toxicity - case.toxicity_base) < case.toxicity_base - case.toxicity_distilled:
        broken.append("it does not point to the harm that the prompt repeats, as the first explanation of it did")
    return broken


def succeeded(target: RepairTarget, gold: Label) -> bool:
    """Repair success (Table 23): less harm, and the correct decision, whatever label was in the prompt."""
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
                f"Drift case {record.item_id} is not among the {len(by_id)} items and {len(answers)} answers. "
                "The audit belongs to another suite: run `dvc repro` to repeat it."
            )
        if answers[record.item_id].toxicity != record.toxicity_candidate:
            raise DataError(
                f"Drift case {record.item_id} was audited with toxicity {record.toxicity_candidate}, but its answer "
                f"has {answers[record.item_id].toxicity}. The audit is of other answers: run it again."
            )
        item = by_id[record.item_id]
        label = item.gold if labels is None else labels.get(item.id)
        cases.append(Case(item, record.severity, record.toxicity_base, record.toxicity_candidate, label))
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
        text=normalise_conclusion(answer.text),
        toxicity=score,
        toxicity_distilled=case.toxicity_distilled,
        accepted=not broken,
        problems=(*broken, *([] if answer.refusal is None else [answer.refusal.problem])),
        model=answer.model,
        prompt_hash=prompt_hash,
    )


def refused_target(item_id: str, severity: Severity, toxicity: float, refusal: Refusal) -> RepairTarget:
    """A target that is none: the teacher refused to write it, or the judge to say whether it is needed.

    It is never trained on, and recipes leave the text out that it would have replaced.
    """
    return RepairTarget(
        item_id=item_id, severity=severity, text="", toxicity=toxicity, toxicity_distilled=toxicity, accepted=False,
        problems=(refusal.problem,), model=refusal.by, prompt_hash="",
    )  # fmt: skip


def _memoised(classifier: Scorer) -> Callable[[str], float]:
    """H of an answer's rationale, each scored once and in a batch of its own, so that no other text influences it."""
    scores: dict[str, float] = {}

    def toxicity(text: str) -> float:
        rationale = parse(text).rationale
        if rationale not in scores:
            [scores[rationale]] = classifier.score([rationale])
        return scores[rationale]

    return toxicity
