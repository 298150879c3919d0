"""Stage `hatecheck_rewrites` (Appendix O.5): the teacher rewrites the failing subset of HateCheck's answers."""

from __future__ import annotations

from typing import Annotated

from dart.core import layout
from dart.core.files import replacing, write_jsonl
from dart.core.params import FromProfile, ScorerSpecs, TeacherEndpoint
from dart.core.schema.method import Distill, Repair
from dart.external.hatecheck import failing
from dart.external.rewriting import rewrite
from dart.harm.classifier import Classifier
from stages.clients import AskingParams, chat_client, write_cost
from stages.external.reading import pairs_of

STAGE = "hatecheck_rewrites"
SUITE = "hatecheck"


class Params(AskingParams):
    students: tuple[str, ...]
    distill: Distill
    repair: Repair
    teacher: TeacherEndpoint
    scorers: ScorerSpecs
    failing_share: Annotated[float, FromProfile("external.failing_share")]


def run() -> None:
    params = Params.load(STAGE)
    toxicity = Classifier.load(layout.SCORERS / "toxicity", params.scorers.toxicity)
    hate = Classifier.load(layout.SCORERS / "hate", params.scorers.hate)
    costs = []
    with replacing(layout.external_rewrites(SUITE)) as folder:
        for student in params.students:
            part = failing(pairs_of(SUITE, student), params.failing_share)
            teacher = chat_client(STAGE, "teacher", params.teacher, params)
            rewrites, outcome = rewrite(part, teacher, toxicity, hate, params.repair, params.distill)
            outcome.require_complete(STAGE)
            costs.append(outcome.usage.cost)
            write_jsonl(folder / f"{student}.jsonl", rewrites)
    write_cost(STAGE, *costs)
