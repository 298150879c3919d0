"""Stage `openended@S` (Section 3.4, Appendix I.1): base and repaired answer open-ended questions, two judges decide.

Answers are generated and scored by all processes of a launcher, judges asked by the leading one alone; what they said
is in the client's cache, so a killed stage asks for the rest only.
"""

from __future__ import annotations

from dart.core import layout, params
from dart.core.distributed import is_main_process
from dart.core.files import replacing, write_json, write_jsonl
from dart.core.records import Generation
from dart.harm.classifier import Classifier, score_generations
from dart.openended.evaluation import openended_report
from dart.openended.judging import SIDES, QuestionVerdicts, Side, as_item, draw_questions, judge_answers
from dart.openended.questions import load
from dart.prompts import openended
from dart.student.generation import generate
from stages.clients import client_for, total


def run(student: str) -> None:
    given = params.load(f"external/dvc.yaml:openended@{student}")
    questions = draw_questions(load(), given.openended.per_domain, given.seed)
    adapters = {"base": None, "repaired": layout.adapter(student, "repaired")}
    decoding = given.generation.model_copy(update={"max_new_tokens": given.openended.max_new_tokens})
    written = generate(
        layout.base(student), given.student(student), adapters, [as_item(question) for question in questions],
        decoding, given.seed, lambda item: openended.open_question(item.prompt),
    )  # fmt: skip
    toxicity = Classifier.load(layout.SCORERS / "toxicity", given.world("scorers")["toxicity"])
    answers: dict[Side, list[Generation]] = {side: score_generations(written[side], toxicity) for side in SIDES}
    if not is_main_process():
        return
    judged: dict[str, list[QuestionVerdicts]] = {}
    costs = []
    for party in ("judge", "second_judge"):
        if given.world(party) is None:
            continue
        judged[party], outcome = judge_answers(questions, answers, client_for(given, party), party)
        outcome.require_complete(given.stage)
        costs.append(outcome.usage.cost)
    report = openended_report(questions, answers, judged, given.statistics.confidence)
    with replacing(layout.openended(student)) as folder:
        write_jsonl(folder / "answers.jsonl", [answer for side in SIDES for answer in answers[side]])
        write_jsonl(folder / "judgements.jsonl", [record for records in judged.values() for record in records])
        write_json(folder / "cost.json", total(*costs), digits=6)
    write_json(layout.openended_metrics(student), {"student": student, **report})
