"""Stage II over the real client: all pairs recorded, only screened ones judged, and a failure is never a verdict."""

import json

import pytest
from pydantic import ValidationError

from dart.core.errors import DataError, IncompleteError
from dart.core.records import Generation, Item
from dart.core.schema.method import Audit
from dart.harm.audit import audit, is_sampled
from dart.prompts import judging
from dart.prompts.judging import quoted
from dart.stats.judge_consistency import judge_consistency
from tests.support.chat_client import FakeClient

SAFE = {
    "is_regression": False, "severity": "none", "regression_type": "none", "reason": "No more harmful.",
    "a_correct": True, "b_correct": True,
}  # fmt: skip
DRIFT = {**SAFE, "is_regression": True, "severity": "severe", "regression_type": "normalizes_bias"}
PAPER = Audit(orders="fixed", votes=1, unscreened_rate=0.0)  # Appendix D: one verdict, base shown first
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
    return audit(items(), generations("base", base), generations("distilled", distilled), tau, talk.client, PAPER, 0)


def drift_cases(records):
    return {record.item_id: record.severity for record in records if record.severity}


def question(body):
    return quoted(body["messages"][1]["content"])[judging.PROMPT_BLOCK]


def test_every_pair_is_recorded_and_only_screened_ones_are_judged(tmp_path):
    verdict = {"Q 0?": SAFE, "Q 2?": DRIFT}
    talk = FakeClient(lambda messages: json.dumps(verdict[question({"messages": messages})]), tmp_path)
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
    talk = FakeClient(lambda messages: json.dumps(SAFE), tmp_path)
    run(talk)
    body = talk.requests[0]
    blocks = quoted(body["messages"][1]["content"])
    assert blocks[judging.A_BLOCK].startswith("base ")
    assert blocks[judging.B_BLOCK].startswith("distilled ")
    assert "Conclusion: NO" not in blocks[judging.B_BLOCK]
    assert f"{judging.B_CONCLUSION_HEADING}NO\n" in body["messages"][1]["content"]
    assert body["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize("answer", [500, 429])
def test_a_failed_judgement_is_a_failure_and_no_record(tmp_path, answer):
    talk = FakeClient(
        lambda messages: answer if question({"messages": messages}) == "Q 2?" else json.dumps(SAFE), tmp_path
    )
    records, outcome = run(talk)
    assert set(outcome.failures) == {"N1-EQUAL-2"}
    assert [record.item_id for record in records] == ["N1-EQUAL-0", "N1-EQUAL-1", "N1-EQUAL-3"]
    with pytest.raises(IncompleteError, match="1 of"):
        outcome.require_complete("audit")


@pytest.mark.parametrize("answer", ['{"is_regression": fal', f"My verdict: {json.dumps(SAFE)}", "{}",
                                    json.dumps({**SAFE, "is_regression": "false"})])  # fmt: skip
def test_a_verdict_that_stays_unreadable_is_a_refusal_and_no_verdict(tmp_path, answer):
    talk = FakeClient(
        lambda messages: answer if question({"messages": messages}) == "Q 2?" else json.dumps(SAFE), tmp_path
    )
    records, outcome = run(talk)
    [refused] = [record for record in records if record.refusal is not None]
    assert (refused.item_id, refused.screened, refused.judgement, refused.severity) == ("N1-EQUAL-2", True, None, None)
    assert refused.unjudged
    assert (refused.refusal.kind, refused.refusal.by) == ("unreadable", "asked")
    with pytest.raises(IncompleteError, match="1 of 2 tasks were refused, and may_miss allows 0"):
        outcome.require_complete("audit")
    outcome._replace(may_miss=0.1).require_complete("audit")


def test_a_pair_without_a_refusal_has_no_such_field_in_its_file(tmp_path):
    records, _ = run(FakeClient(lambda messages: json.dumps(SAFE), tmp_path))
    assert all("refusal" not in record.model_dump(mode="json") for record in records)


def test_the_next_run_asks_only_for_what_is_missing(tmp_path):
    run(FakeClient(lambda messages: 500 if question({"messages": messages}) == "Q 2?" else json.dumps(SAFE), tmp_path))
    again = FakeClient(lambda messages: json.dumps(DRIFT), tmp_path)
    records, outcome = run(again)
    assert [question(body) for body in again.requests] == ["Q 2?"]
    assert drift_cases(records) == {"N1-EQUAL-2": "severe"}
    outcome.require_complete("audit")


def test_an_unreadable_verdict_is_asked_again(tmp_path):
    talk = FakeClient(lambda messages: json.dumps(DRIFT) if len(messages) > 2 else "It is fine.", tmp_path)
    records, outcome = run(talk, tau=0.5)
    outcome.require_complete("audit")
    assert drift_cases(records) == {"N1-EQUAL-2": "severe"}
    assert "cannot be read" in talk.requests[1]["messages"][-1]["content"]


@pytest.mark.parametrize(("tau", "expected"), [(-1.0, 4), (0.0, 3), (0.01, 2), (0.5, 1), (1.0, 0)])
def test_tau_decides_how_many_are_asked(tmp_path, tau, expected):
    talk = FakeClient(lambda messages: json.dumps(SAFE), tmp_path)
    records, _ = run(talk, tau=tau, base=[0.25] * 4, distilled=[0.5, 0.25 + 2**-8, 1.0, 0.125])
    assert len(talk.requests) == expected
    assert sum(record.screened for record in records) == expected
    assert len(records) == 4


@pytest.mark.parametrize("broken", [None, float("nan")])
def test_nothing_is_asked_when_a_score_is_missing(tmp_path, broken):
    talk = FakeClient(lambda messages: json.dumps(SAFE), tmp_path)
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
    talk = FakeClient(lambda messages: json.dumps(SAFE), tmp_path)
    base, distilled = generations("base", BASE), generations("distilled", DISTILLED)
    with pytest.raises(DataError, match="base"):
        audit(items(), change(base), distilled, 0.01, talk.client, PAPER, 0)
    with pytest.raises(DataError, match="candidate"):
        audit(items(), base, change(distilled), 0.01, talk.client, PAPER, 0)
    assert (
        audit(items(), base[::-1], distilled, 1.0, talk.client, PAPER, 0)[0]
        == audit(items(), base, distilled, 1.0, talk.client, PAPER, 0)[0]
    )


def protocol(orders="fixed", votes=1, unscreened_rate=0.0):
    return Audit(orders=orders, votes=votes, unscreened_rate=unscreened_rate)


def run_with(talk, rules, tau=0.015, seed=1):
    return audit(items(), generations("base", BASE), generations("distilled", DISTILLED), tau, talk.client, rules, seed)


def test_both_orders_ask_twice_and_a_verdict_must_survive_the_swap(tmp_path):
    """Q 0 is a regression in either order; of Q 2 the judge always accuses the text that stands second."""

    def judge(messages):
        swapped = messages[0]["content"] == judging.SWAPPED_SYSTEM
        drift = question({"messages": messages}) == "Q 0?" or not swapped
        verdict = {**(DRIFT if drift else SAFE), "a_correct": True, "b_correct": False}
        return json.dumps({**verdict, "a_correct": False, "b_correct": True} if swapped else verdict)

    talk = FakeClient(judge, tmp_path)
    records, outcome = run_with(talk, protocol("both"))
    outcome.require_complete("audit")
    assert len(talk.requests) == 4
    assert [record.severity for record in records] == ["severe", None, None, None]
    assert [record.flipped for record in records] == [False, None, True, None]
    assert [len(record.verdicts) for record in records] == [2, 0, 2, 0]
    assert not records[2].judgement.is_regression
    assert {(v.a_correct, v.b_correct) for v in records[0].verdicts} == {(True, False)}, "always in terms of A = base"
    assert judge_consistency(records) == {
        "screened": 2, "confirmed": 1, "sampled": 0, "sampled_regressions": 0, "flips": 1, "flip_rate": 0.5,
    }  # fmt: skip


def test_the_swapped_question_shows_the_candidate_first_and_asks_about_it(tmp_path):
    talk = FakeClient(lambda messages: json.dumps(SAFE), tmp_path)
    run_with(talk, protocol("both"))
    swapped = next(body["messages"] for body in talk.requests if "Is Model A's" in body["messages"][1]["content"])
    assert swapped[0]["content"] != judging.JUDGE_SYSTEM
    assert judging.exchanged(swapped[0]["content"]) == judging.JUDGE_SYSTEM
    assert quoted(swapped[1]["content"])[judging.A_BLOCK].startswith("distilled ")
    assert quoted(swapped[1]["content"])[judging.B_BLOCK].startswith("base ")


def test_the_majority_of_votes_decides_and_the_median_severity_counts(tmp_path):
    mild = {**DRIFT, "severity": "mild"}
    votes_by_question = {"Q 0?": [DRIFT, SAFE, mild], "Q 2?": [SAFE, DRIFT, SAFE]}

    def judge(messages, repeat):
        return json.dumps(votes_by_question[question({"messages": messages})][repeat])

    talk = FakeClient(lambda messages: judge(messages, talk.requests[-1].get("seed", 0)), tmp_path)
    records, outcome = run_with(talk, protocol(votes=3))
    outcome.require_complete("audit")
    assert len(talk.requests) == 6
    assert [record.severity for record in records] == ["mild", None, None, None]
    assert records[0].flipped is None


def test_one_failed_vote_is_a_failure_of_its_pair(tmp_path):
    talk = FakeClient(lambda messages: 500 if talk.requests[-1].get("seed") == 2 else json.dumps(SAFE), tmp_path)
    records, outcome = run_with(talk, protocol(votes=3))
    assert set(outcome.failures) == {"N1-EQUAL-0/vote 3", "N1-EQUAL-2/vote 3"}
    assert [record.item_id for record in records] == ["N1-EQUAL-1", "N1-EQUAL-3"]


def test_unscreened_pairs_are_sampled_judged_and_never_drift_cases(tmp_path):
    talk = FakeClient(lambda messages: json.dumps(DRIFT), tmp_path)
    records, _ = run_with(talk, protocol(unscreened_rate=1.0))
    assert [record.sampled for record in records] == [False, True, False, True]
    assert all(record.judgement.is_regression for record in records)
    assert list(drift_cases(records)) == ["N1-EQUAL-0", "N1-EQUAL-2"]
    assert judge_consistency(records)["sampled_regressions"] == 2


def test_samples_are_nested_so_a_sweep_asks_about_new_pairs_only(tmp_path):
    many = [item.model_copy(update={"id": f"N1-EQUAL-{n}"}) for n, item in enumerate(items() * 100)]
    chosen = {
        rate: {i.id for i in many if is_sampled(i, protocol(unscreened_rate=rate), 7)} for rate in (0.1, 0.2, 0.4)
    }
    assert chosen[0.1] < chosen[0.2] < chosen[0.4]
    assert 20 <= len(chosen[0.1]) <= 60
    talk = FakeClient(lambda messages: json.dumps(SAFE), tmp_path)
    counts = []
    for tau in (0.015, 0.5, 0.005):
        run_with(talk, protocol(unscreened_rate=0.5), tau=tau)
        counts.append(len(talk.requests))
    assert counts[1] == counts[0], "a higher threshold asks about no new pair"
    assert counts[2] <= counts[1] + 1, "a lower one about the newly screened ones alone"


def test_an_even_number_of_votes_is_refused():
    with pytest.raises(ValidationError, match="odd"):
        protocol(votes=2)


def test_the_judge_is_told_the_label_that_is_given_and_none_where_there_is_none(tmp_path):
    talk = FakeClient(lambda messages: json.dumps(SAFE), tmp_path)
    labels = {"N1-EQUAL-0": "YES", "N1-EQUAL-1": "NO"}
    base, distilled = generations("base", BASE), generations("distilled", DISTILLED)
    records, _ = audit(items(), base, distilled, -1.0, talk.client, PAPER, 0, labels=labels)
    by_question = {question(body): body["messages"] for body in talk.requests}
    headings = {
        name: [line for line in messages[1]["content"].splitlines() if line.startswith(judging.GOLD_HEADING)]
        for name, messages in by_question.items()
    }
    assert headings == {"Q 0?": ["Gold label: YES"], "Q 1?": ["Gold label: NO"], "Q 2?": [], "Q 3?": []}
    assert by_question["Q 2?"][0]["content"] == judging.UNLABELLED_SYSTEM
    assert len(records) == 4

    before = len(talk.requests)
    audit(items(), base, distilled, -1.0, talk.client, PAPER, 0)
    assert len(talk.requests) == before + 3, (
        "the gold labels are the default; of Q 1 they equal the label that was shown"
    )
    assert {item.gold for item in items()} == {"NO"}


def test_without_labels_both_orders_are_asked_without_one(tmp_path):
    talk = FakeClient(lambda messages: json.dumps(SAFE), tmp_path)
    base, distilled = generations("base", BASE), generations("distilled", DISTILLED)
    records, _ = audit(items(), base, distilled, 0.015, talk.client, protocol("both"), 0, labels={})
    systems = {body["messages"][0]["content"] for body in talk.requests}
    assert systems == {judging.UNLABELLED_SYSTEM, judging.SWAPPED_UNLABELLED_SYSTEM}
    assert [record.screened for record in records] == [True, False, True, False], "the screen needs no label"
