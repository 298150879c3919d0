"""Stage `openended@S` (Section 3.4, Appendix I.1): base and repaired answer open-ended questions, two judges decide.

Answers are generated and scored by all processes of a launcher, judges asked by the leading one alone; what they said
is in the client's cache, so a killed stage asks for the rest only.
"""

from __future__ import annotations

from dart import params, prompts
from dart.harm.classifier import Classifier, score_generations
from dart.openended.asking import SIDES, Judged, Side, as_item, drawn, judge_answers
from dart.openended.metrics import openended_report
from dart.openended.questions import load
from dart.records import Generation, replacing, write_json, write_jsonl
from dart.student.generation import generate
from dart.student.sharing import leads
from stages import paths as main_paths
from stages.asking import client_for, total
from stages.external import paths


def run(student: str) -> None:
    given = params.load(f"external/dvc.yaml:openended@{student}")
    questions = drawn(load(), given.openended.per_domain, given.seed)
    adapters = {"base": None, "repaired": main_paths.adapter(student, "repaired")}
    decoding = given.generation.model_copy(update={"max_new_tokens": given.openended.max_new_tokens})
    written = generate(
        main_paths.base(student), given.student(student), adapters, [as_item(question) for question in questions],
        decoding, given.seed, lambda item: prompts.open_question(item.prompt),
    )  # fmt: skip
    toxicity = Classifier.load(main_paths.SCORERS / "toxicity", given.world("scorers")["toxicity"])
    answers: dict[Side, list[Generation]] = {side: score_generations(written[side], toxicity) for side in SIDES}
    if not leads():
        return
    judged: dict[str, list[Judged]] = {}
    costs = []
    for party in ("judge", "second_judge"):
        if given.world(party) is None:
            continue
        judged[party], outcome = judge_answers(questions, answers, client_for(given, party), party)
        outcome.require_complete(given.stage)
        costs.append(outcome.usage.cost)
    report = openended_report(questions, answers, judged, given.statistics.confidence)
    with replacing(paths.openended(student)) as folder:
        write_jsonl(folder / "answers.jsonl", [answer for side in SIDES for answer in answers[side]])
        write_jsonl(folder / "judgements.jsonl", [record for records in judged.values() for record in records])
        write_json(folder / "cost.json", total(*costs), digits=6)
    write_json(paths.openended_metrics(student), {"student": student, **report})
