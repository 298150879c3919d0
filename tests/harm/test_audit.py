"""Stage II over the real client: all pairs recorded, only screened ones judged, and a failure is never a verdict."""

import json

import pytest

from dart.errors import DataError, IncompleteError
from dart.harm.audit import audit
from dart.harm.drift import drift_cases
from dart.prompts import judging, quoted
from dart.records import Generation, Item
from tests.talking import Talk

SAFE = {
    "is_regression": False, "severity": "none", "regression_type": "none", "reason": "No more harmful.",
    "a_correct": True, "b_correct": True,
}  # fmt: skip
DRIFT = {**SAFE, "is_regression": True, "severity": "severe", "regression_type": "normalizes_bias"}
BASE = [0.10, 0.10, 0.10, 0.50]
DISTILLED = [0.30, 0.11, 0.90, 0.10]  # deltas .20, .01, .80, -.40


def items():
    return [
        Item(id=f"N1-EQUAL-{n}", benchmark="N1", condition="EQUAL", gold="NO", prompt=f"Q {n}?", scenario=str(n))
        for n in range(4)
    ]


def generations(variant, scores):
    return [
        Generation(
            item_id=f"N1-EQUAL-{n}", variant=variant, text=f"{variant} {n} wrote.\nConclusion: NO",
            rationale=f"{variant} {n} wrote.", prediction="NO", new_tokens=9, model="m", revision="r", prompt_hash="h",
            toxicity=score,
        )
        for n, score in enumerate(scores)
    ]  # fmt: skip


def run(talk, tau=0.01, base=BASE, distilled=DISTILLED):
    return audit(items(), generations("base", base), generations("distilled", distilled), tau, talk.client)


def question(body):
    return quoted(body["messages"][1]["content"])[judging.PROMPT_BLOCK]


def test_every_pair_is_recorded_and_only_screened_ones_are_judged(tmp_path):
    verdict = {"Q 0?": SAFE, "Q 2?": DRIFT}
    talk = Talk(lambda messages: json.dumps(verdict[question({"messages": messages})]), tmp_path)
    records, outcome = run(talk, tau=0.015)
    outcome.require_complete("audit")
    assert [record.item_id for record in records] == [item.id for item in items()]
    assert [record.screened for record in records] == [True, False, True, False]
    assert [record.judgement is not None for record in records] == [True, False, True, False]
    assert [record.severity for record in records] == [None, None, "severe", None]
    assert drift_cases(records) == {"N1-EQUAL-2": "severe"}
    assert records[2].delta == 0.90 - 0.10
    assert (records[3].toxicity_base, records[3].toxicity_candidate) == (0.50, 0.10)


def test_the_judge_sees_base_as_a_and_candidate_as_b_and_json_mode_is_on(tmp_path):
    talk = Talk(lambda messages: json.dumps(SAFE), tmp_path)
    run(talk)
    body = talk.requests[0]
    blocks = quoted(body["messages"][1]["content"])
    assert blocks[judging.A_BLOCK].startswith("base ")
    assert blocks[judging.B_BLOCK].startswith("distilled ")
    assert "Conclusion: NO" not in blocks[judging.B_BLOCK]
    assert f"{judging.B_CONCLUSION_HEADING}NO\n" in body["messages"][1]["content"]
    assert body["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize("answer", [500, 429, '{"is_regression": fal', f"My verdict: {json.dumps(SAFE)}", "{}",
                                    json.dumps({**SAFE, "is_regression": "false"})])  # fmt: skip
def test_a_failed_judgement_is_a_failure_and_no_record(tmp_path, answer):
    talk = Talk(lambda messages: answer if question({"messages": messages}) == "Q 2?" else json.dumps(SAFE), tmp_path)
    records, outcome = run(talk)
    assert set(outcome.failures) == {"N1-EQUAL-2"}
    assert [record.item_id for record in records] == ["N1-EQUAL-0", "N1-EQUAL-1", "N1-EQUAL-3"]
    with pytest.raises(IncompleteError, match="1 of"):
        outcome.require_complete("audit")


def test_the_next_run_asks_only_for_what_is_missing(tmp_path):
    run(Talk(lambda messages: 500 if question({"messages": messages}) == "Q 2?" else json.dumps(SAFE), tmp_path))
    again = Talk(lambda messages: json.dumps(DRIFT), tmp_path)
    records, outcome = run(again)
    assert [question(body) for body in again.requests] == ["Q 2?"]
    assert drift_cases(records) == {"N1-EQUAL-2": "severe"}
    outcome.require_complete("audit")


def test_an_unreadable_verdict_is_asked_again(tmp_path):
    talk = Talk(lambda messages: json.dumps(DRIFT) if len(messages) > 2 else "It is fine.", tmp_path)
    records, outcome = run(talk, tau=0.5)
    outcome.require_complete("audit")
    assert drift_cases(records) == {"N1-EQUAL-2": "severe"}
    assert "cannot be read" in talk.requests[1]["messages"][-1]["content"]


@pytest.mark.parametrize(("tau", "asked"), [(-1.0, 4), (0.0, 3), (0.01, 2), (0.5, 1), (1.0, 0)])
def test_tau_decides_how_many_are_asked(tmp_path, tau, asked):
    talk = Talk(lambda messages: json.dumps(SAFE), tmp_path)
    records, _ = run(talk, tau=tau, base=[0.25] * 4, distilled=[0.5, 0.25 + 2**-8, 1.0, 0.125])
    assert len(talk.requests) == asked
    assert sum(record.screened for record in records) == asked
    assert len(records) == 4


@pytest.mark.parametrize("broken", [None, float("nan")])
def test_nothing_is_asked_when_a_score_is_missing(tmp_path, broken):
    talk = Talk(lambda messages: json.dumps(SAFE), tmp_path)
    with pytest.raises(DataError, match="N1-EQUAL-3"):
        run(talk, distilled=[0.9, 0.9, 0.9, broken])
    assert talk.requests == []


def of_another_item(generation):
    return generation.model_copy(update={"item_id": "N1-EQUAL-9"})


@pytest.mark.parametrize(
    "change",
    [lambda rows: rows[:3], lambda rows: [*rows, rows[0]], lambda rows: [*rows[:3], of_another_item(rows[3])]],
    ids=["missing", "repeated", "foreign"],
)
def test_generations_must_be_of_exactly_these_items(tmp_path, change):
    talk = Talk(lambda messages: json.dumps(SAFE), tmp_path)
    base, distilled = generations("base", BASE), generations("distilled", DISTILLED)
    with pytest.raises(DataError, match="base"):
        audit(items(), change(base), distilled, 0.01, talk.client)
    with pytest.raises(DataError, match="candidate"):
        audit(items(), base, change(distilled), 0.01, talk.client)
    assert (
        audit(items(), base[::-1], distilled, 1.0, talk.client)[0]
        == audit(items(), base, distilled, 1.0, talk.client)[0]
    )
