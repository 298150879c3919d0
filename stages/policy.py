"""Stage `policy@S` (Section 2.6, Appendix F): the test set under the inference-time policy, scored as without it.

Of the reference seed. The answers of generate@S and regenerate@S are the first pass. Base, distilled and repaired
answer again under the two-pass policy, repaired under the other schemes of Table 34 as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from dart.core import layout
from dart.core.distributed import is_main_process
from dart.core.files import read_jsonl, replacing, write_jsonl
from dart.core.records import Generation, Item
from dart.core.result_cache import result_cache
from dart.core.schema.method import ExplanationPolicy
from dart.harm.classifier import Classifier, score_generations
from dart.policy.answers import answers_by_scheme, policy_requests, pool_choices
from dart.policy.records import SCHEMES, Premise, Scheme
from dart.policy.selection import Choice, choices, premise_of
from dart.student.generation import VariantRequests
from dart.student.stored_answers import answer_once
from stages.answers import AnsweringParams

SCHEMES_OF: Mapping[str, tuple[Scheme, ...]] = {"base": ("two_pass",), "distilled": ("two_pass",), "repaired": SCHEMES}


class Params(AnsweringParams):
    policy: ExplanationPolicy


def run(student: str) -> None:
    params = Params.load("policy", student=student)
    items = read_jsonl(layout.split("test"), Item)
    classifier = Classifier.load(layout.SCORERS / "toxicity", params.scorers.toxicity)
    premises = _premises(items, classifier, params)
    seed = params.reference_seed
    first = {variant: read_jsonl(layout.generations(student, variant, seed), Generation) for variant in SCHEMES_OF}
    plans: dict[str, dict[str, list[Choice]]] = {
        variant: {s: choices(s, items, first[variant], premises, params.policy, params.seed) for s in schemes}
        for variant, schemes in SCHEMES_OF.items()
    }
    pools = {variant: pool_choices(items, plan) for variant, plan in plans.items()}
    adapters = {variant: None if variant == "base" else layout.adapter(student, variant, seed) for variant in pools}
    by_adapter = {variant: VariantRequests(adapters[variant], policy_requests(pool)) for variant, pool in pools.items()}
    with result_cache("policy", student) as results:
        answers = answer_once(results, layout.base(student), params.student, by_adapter, params.generation, params.seed)
        scored = {variant: score_generations(texts, classifier) for variant, texts in answers.items()}
        if not is_main_process():
            return
        with replacing(layout.policy(student)) as folder:
            write_jsonl(folder / "premises.jsonl", premises)
            for variant, plan in plans.items():
                by_scheme = answers_by_scheme(items, plan, first[variant], pools[variant], scored[variant])
                for scheme, records in by_scheme.items():
                    write_jsonl(folder / variant / f"{scheme}.jsonl", records)


def _premises(items: list[Item], classifier: Classifier, params: Params) -> list[Premise]:
    toxicity = classifier.score([item.prompt for item in items])
    return [premise_of(item, score, params.policy) for item, score in zip(items, toxicity, strict=True)]
