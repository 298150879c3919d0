"""Stage `judge_annotated` (Appendices L, M.1): the pairs that are annotated, their labels, and both judges' verdicts.

In the embedded world two simulated annotators with a declared error rate fill in the very sheets that people get. A
profile whose parties are real has the labels that people left in data/human (`dart annotate`), or none: then nothing
is asked and nothing is invented.
"""

from __future__ import annotations

from dart.annotation import labels
from dart.annotation.sample import drawn_pairs, labelled, primary
from dart.core import layout
from dart.core.files import read_jsonl, replacing, write_jsonl
from dart.core.params import GuardEndpoints, JudgeEndpoint, SecondJudgeEndpoint, TrainingSeeds
from dart.core.records import AuditRecord, Generation, Item
from dart.core.schema.method import Annotation, Audit
from dart.core.schema.profile import Endpoint, Judge
from dart.harm.audit import audit
from dart.harm.guards import read_pairs
from dart.harm.local_guards import guard_client
from dart.harm.screen import SCREEN_ALL
from dart.simulation.annotation import annotate_pairs
from stages.clients import AskingParams, chat_client, judge_client, write_cost

STAGE = "judge_annotated"


class Params(AskingParams):
    profile: str
    students: tuple[str, ...]
    seeds: TrainingSeeds
    audit: Audit
    annotation: Annotation
    judge: JudgeEndpoint
    second_judge: SecondJudgeEndpoint
    guards: GuardEndpoints


def run() -> None:
    params = Params.load(STAGE)
    student = primary(params.students)
    items = read_jsonl(layout.split("test"), Item)
    seed = params.seeds[0]  # people read the reference seed's answers
    base, distilled = (
        read_jsonl(layout.generations(student, name, seed), Generation) for name in ("base", "distilled")
    )
    before = read_jsonl(layout.audit(student, "before", seed), AuditRecord)
    answers = {"base": base, "distilled": distilled}
    pairs, records = drawn_pairs(items, before, answers, params.annotation.pairs, params.seed)
    if params.simulation is None:
        annotated = labels.applicable(labelled(params.profile), pairs, records)
    else:
        drawn = {pair.item.id for pair in pairs}
        annotated = annotate_pairs(
            pairs,
            records,
            [answer for answer in base if answer.item_id in drawn],
            [answer for answer in distilled if answer.item_id in drawn],
            params.simulation.annotators.error,
            params.seed,
        )
    ids = {pair.item_id for pair in annotated}
    shown = [item for item in items if item.id in ids]
    one, other = ([answer for answer in written if answer.item_id in ids] for written in (base, distilled))
    judges: dict[str, Endpoint | None] = {}
    if annotated:
        judges = {"judge": params.judge, "second_judge": params.second_judge}
    costs = []
    with replacing(layout.ANNOTATION) as folder:
        write_jsonl(folder / "pairs.jsonl", annotated)
        for role, endpoint in judges.items():
            if endpoint is None:
                continue
            verdicts, outcome = audit(
                shown,
                one,
                other,
                SCREEN_ALL,
                judge_client(STAGE, endpoint, params)
                if isinstance(endpoint, Judge)
                else chat_client(STAGE, role.replace("_", " "), endpoint, params),
                params.audit,
                params.seed,
            )
            outcome.require_complete(STAGE)
            costs.append(outcome.usage.cost)
            write_jsonl(folder / f"{role}.jsonl", verdicts)
        for name, guard in params.guards.items() if annotated else ():
            client = guard_client(guard, STAGE)
            read, asked = read_pairs(shown, one, other, guard.format, client, params.audit.may_miss)
            asked.require_complete(STAGE)
            costs.append(asked.usage.cost)
            write_jsonl(folder / layout.guard_verdicts().name / f"{name}.jsonl", read)
    write_cost(STAGE, *costs)
