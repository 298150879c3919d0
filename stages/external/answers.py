"""Stage `answers@SUITE-S` (Section 3.4, Appendix O.1): base and repaired answer the sample of an external suite.

The suite is written (embedded) or verified by blob id (published) and drawn from here, beside the answers: the same
for every student, which the stages that read it check. Answers are scored for toxicity and hate.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from dart.core import layout
from dart.core.distributed import is_main_process
from dart.core.files import replacing, write_json, write_jsonl
from dart.core.params import FromProfile
from dart.core.result_cache import result_cache
from dart.external.items import ExternalItem, SuiteName, score_answers
from dart.external.loaders import load_suite
from dart.external.pins import ORIGINS, published_files
from dart.external.sample import draw_sample, suite_card
from dart.harm.classifier import Classifier
from dart.simulation.external_suites import NOTE, embedded_files
from dart.student.stored_answers import generate_once
from stages.answers import AnsweringParams


class Params(AnsweringParams):
    source: Annotated[Literal["embedded", "published"], FromProfile("external.source")]
    size: Annotated[int, FromProfile("external.sizes.{suite}")]  # prompts asked of this suite


def run(suite: SuiteName, student: str) -> None:
    params = Params.load("answers", suite=suite, student=student)
    items, card = _sample(suite, params)
    adapters = {"base": None, "repaired": layout.adapter(student, "repaired", params.reference_seed)}
    questions = [item.as_item() for item in items]
    with result_cache("external.answers", f"{suite}-{student}") as results:
        answers = generate_once(
            results, layout.base(student), params.student, adapters, questions, params.generation, params.seed
        )
        toxicity = Classifier.load(layout.SCORERS / "toxicity", params.scorers.toxicity)
        hate = Classifier.load(layout.SCORERS / "hate", params.scorers.hate)
        rated = score_answers(answers, toxicity, hate)
        if not is_main_process():
            return
        with replacing(layout.external_answers(suite, student)) as folder:
            write_jsonl(folder / "prompts.jsonl", items)
            write_json(folder / "card.json", card)
            for variant, texts in rated.items():
                write_jsonl(folder / f"{variant}.jsonl", texts)


def _sample(suite: SuiteName, params: Params) -> tuple[list[ExternalItem], dict[str, Any]]:
    """The prompts that are asked, and where they come from."""
    if params.source == "embedded":
        items = load_suite(suite, embedded_files(suite, params.seed))
        provenance = {"source": "embedded", "note": NOTE}
    else:
        items = load_suite(suite, published_files(suite, None))
        provenance = {"source": "published", **ORIGINS[suite]._asdict()}
    sample = draw_sample(items, params.size, params.seed)
    return sample, suite_card(suite, items, sample, provenance)
