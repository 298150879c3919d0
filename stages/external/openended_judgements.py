"""Stage `openended_judgements@S` (Appendix I.1, Table 14): two judges assess and compare the open-ended answers."""

from __future__ import annotations

from typing import Annotated

from dart.core import layout
from dart.core.files import read_jsonl, write_jsonl
from dart.core.params import FromParams, JudgeEndpoint, SecondJudgeEndpoint
from dart.core.records import Generation
from dart.core.schema.method import OpenEnded
from dart.metrics.provenance import load_provenance, write_metrics
from dart.openended.evaluation import openended_report
from dart.openended.judging import SIDES, QuestionVerdicts, Side, draw_questions, judge_answers, refused_questions
from dart.openended.questions import load
from stages.clients import AskingParams, chat_client, write_cost


class Params(AskingParams):
    openended: OpenEnded
    may_miss: Annotated[float, FromParams("audit.may_miss")]  # as a judge may refuse pairs
    confidence: Annotated[float, FromParams("statistics.confidence")]
    judge: JudgeEndpoint
    second_judge: SecondJudgeEndpoint


def run(student: str) -> None:
    stage = f"openended_judgements@{student}"
    params = Params.load("openended_judgements", student=student)
    questions = draw_questions(load(), params.openended.per_domain, params.seed)
    written = read_jsonl(layout.openended_answers(student), Generation)
    answers: dict[Side, list[Generation]] = {
        side: [answer for answer in written if answer.variant == side] for side in SIDES
    }
    judgements: dict[str, list[QuestionVerdicts]] = {}
    costs, refused = [], {}
    for role, endpoint in {"judge": params.judge, "second_judge": params.second_judge}.items():
        if endpoint is None:
            continue
        client = chat_client(stage, role.replace("_", " "), endpoint, params)
        judgements[role], outcome = judge_answers(questions, answers, client, role, params.may_miss)
        refused[role] = refused_questions(outcome)
        outcome.require_complete(stage)
        costs.append(outcome.usage.cost)
    report = openended_report(questions, answers, judgements, params.confidence, refused)
    write_jsonl(layout.openended_judgements(student), [record for each in judgements.values() for record in each])
    write_metrics(layout.openended_metrics(student), {"student": student, **report}, load_provenance())
    write_cost(stage, *costs)
