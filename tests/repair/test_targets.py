"""Safe targets: kept only if strictly less toxic and with the right label (the published code filtered nothing)."""

import pytest

from dart.core.errors import DataError
from dart.core.records import AuditRecord, Generation, Item, Judgement
from dart.core.schema.method import Distill, Repair
from dart.prompts.classification import safe_target
from dart.prompts.messages import prompt_hash
from dart.repair.targets import safe_targets, succeeded
from tests.support.chat_client import FakeClient

RULES = Distill(min_sentences=2, max_sentences=4, quote_window=40, correction_rounds=0)
REPAIR = Repair(correction_rounds=1)
SAFE = "The law decides it. Nothing more is needed."
HARSH = "A harsh word is here. It stays."


class WordScorer:
    """Toxicity .9 with the word "harsh", .5 with "plain", else .1; counts what it was asked."""

    def __init__(self):
        self.texts = []

    def score(self, texts):
        self.texts.extend(texts)
        return [0.9 if "harsh" in text else 0.5 if "plain" in text else 0.1 for text in texts]


def item(number):
    return Item(
        id=f"N3-DIFF-{number}",
        benchmark="N3",
        condition="DIFF",
        gold="YES",
        prompt=f"Q {number}?",
        scenario=str(number),
    )


def audited(number, severity="severe", toxicity=0.5):
    verdict = Judgement(
        is_regression=severity is not None, severity=severity or "none", reason="r", a_correct=True, b_correct=True,
        regression_type="normalizes_bias" if severity else "none",
    )  # fmt: skip
    return AuditRecord(
        item_id=f"N3-DIFF-{number}", toxicity_base=0.0, toxicity_candidate=toxicity, delta=toxicity, screened=True,
        judgement=verdict, severity=severity,
    )  # fmt: skip


def distilled(number, toxicity=0.5):
    return Generation(
        item_id=f"N3-DIFF-{number}", variant="distilled", text="t", rationale="t", prediction="YES", new_tokens=3,
        model="m", revision="r", prompt_hash="h", toxicity=toxicity,
    )  # fmt: skip


def run(talk, scorer=None, drift=None, answers=None, repair=REPAIR, labels=None):
    return safe_targets(
        [item(n) for n in range(3)], drift or [audited(1)], answers or [distilled(n) for n in range(3)], talk.client,
        scorer or WordScorer(), repair, RULES, labels,
    )  # fmt: skip


def test_every_drift_case_and_no_other_pair_is_rewritten(tmp_path):
    talk = FakeClient(lambda messages: f"{SAFE}\nConclusion: YES", tmp_path)
    targets, outcome = run(talk, drift=[audited(2, "mild"), audited(0, None), audited(1, "extreme")])
    outcome.require_complete("targets")
    assert [(target.item_id, target.severity) for target in targets] == [
        ("N3-DIFF-2", "mild"),
        ("N3-DIFF-1", "extreme"),
    ]
    assert all(target.accepted and target.problems == () for target in targets)
    assert (targets[0].toxicity, targets[0].toxicity_distilled) == (0.1, 0.5)
    assert targets[0].text == f"{SAFE}\nConclusion: YES"
    assert targets[0].prompt_hash == prompt_hash(safe_target("Q 2?", "YES"))
    assert talk.requests[0]["messages"][0] == safe_target("Q", "YES")[0]


def test_a_target_as_toxic_as_before_is_refused_and_asked_again_with_the_reason(tmp_path):
    def reply(messages):
        return f"{SAFE if len(messages) > 2 else HARSH}\nConclusion: YES"

    talk = FakeClient(reply, tmp_path)
    [target], _ = run(talk)
    assert (target.accepted, target.toxicity) == (True, 0.1)
    assert "toxicity classifier" in talk.requests[1]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("text", "toxicity", "named"),
    [
        (f"{HARSH}\nConclusion: YES", 0.9, "toxicity classifier"),
        ("A plain word is here. It stays.\nConclusion: YES", 0.5, "toxicity classifier"),  # equal is not less
        (f"{SAFE}\nConclusion: NO", 0.1, "gold label is YES"),
        (SAFE, 0.1, "does not end"),
        ("The law decides it.\nConclusion: YES", 0.1, "has 1 sentences"),
    ],
)
def test_what_never_passes_the_filter_is_kept_as_not_accepted(tmp_path, text, toxicity, named):
    talk = FakeClient(lambda messages: text, tmp_path)
    [target], outcome = run(talk)
    outcome.require_complete("targets")
    assert len(talk.requests) == 1 + REPAIR.correction_rounds
    assert not target.accepted
    assert target.toxicity == toxicity
    [problem] = target.problems
    assert named in problem


@pytest.mark.parametrize(
    ("words", "accepted"),
    [("A plain caution stands here.", True), ("No word of it is here.", False), ("A harsh word is here.", False)],
)
def test_a_lost_caution_must_come_back_and_nothing_beyond_it(tmp_path, words, accepted):
    """H of base .5 by its caution, of distilled .1 without it: a target at .5 restores it, .1 and .9 do not."""
    talk = FakeClient(lambda messages: f"{words} The law decides it.\nConclusion: YES", tmp_path)
    lost = audited(1).model_copy(update={"toxicity_base": 0.5, "toxicity_candidate": 0.1, "delta": -0.4})
    [target], _ = run(talk, drift=[lost], answers=[distilled(n, 0.1) for n in range(3)])
    assert target.accepted is accepted
    assert accepted or "point to the harm" in target.problems[0]


def test_the_rationale_is_scored_without_its_conclusion_and_once(tmp_path):
    scorer = WordScorer()
    run(FakeClient(lambda messages: f"{SAFE}\nConclusion: YES", tmp_path), scorer)
    assert scorer.texts == [SAFE]


def test_a_score_that_is_no_number_does_not_pass(tmp_path):
    scorer = WordScorer()
    scorer.score = lambda texts: [float("nan")] * len(texts)
    [target], _ = run(FakeClient(lambda messages: f"{SAFE}\nConclusion: YES", tmp_path), scorer)
    assert not target.accepted


def test_rounds_are_those_of_repair_and_not_of_distillation(tmp_path):
    talk = FakeClient(lambda messages: SAFE, tmp_path)
    run(talk, repair=Repair(correction_rounds=3))
    assert len(talk.requests) == 4


def test_a_failed_request_is_no_target(tmp_path):
    targets, outcome = run(FakeClient(lambda messages: 503, tmp_path))
    assert targets == []
    assert set(outcome.failures) == {"N3-DIFF-1"}


@pytest.mark.parametrize(
    ("drift", "answers", "named"),
    [
        ([audited(7)], None, "N3-DIFF-7"),
        ([audited(1, toxicity=0.6)], None, "toxicity 0.6"),
        ([audited(1)], [distilled(0)], "N3-DIFF-1"),
    ],
)
def test_an_audit_of_other_answers_is_refused(tmp_path, drift, answers, named):
    talk = FakeClient(lambda messages: f"{SAFE}\nConclusion: YES", tmp_path)
    with pytest.raises(DataError, match=named):
        run(talk, drift=drift, answers=answers)
    assert talk.requests == []


def test_a_told_label_takes_the_place_of_the_gold_one_in_question_and_filter(tmp_path):
    talk = FakeClient(lambda messages: f"{SAFE}\nConclusion: NO", tmp_path)
    [target], _ = run(talk, labels={"N3-DIFF-1": "NO"})
    assert target.accepted
    assert target.prompt_hash == prompt_hash(safe_target("Q 1?", "NO"))
    assert not succeeded(target, "YES"), "accepted for the told label, but the decision is wrong"
    assert succeeded(target, "NO")


def test_without_a_label_the_teachers_own_conclusion_is_kept(tmp_path):
    talk = FakeClient(lambda messages: f"{SAFE}\nConclusion: NO", tmp_path)
    [target], _ = run(talk, labels={})
    assert (target.accepted, target.text) == (True, f"{SAFE}\nConclusion: NO")
    assert target.prompt_hash == prompt_hash(safe_target("Q 1?", None))
    [refused], _ = run(FakeClient(lambda messages: SAFE, tmp_path / "other"), labels={})
    assert not refused.accepted


def test_success_needs_less_harm_as_well_as_the_right_decision(tmp_path):
    [target], _ = run(FakeClient(lambda messages: f"{SAFE}\nConclusion: YES", tmp_path))
    assert succeeded(target, "YES")
    assert not succeeded(target.model_copy(update={"toxicity": target.toxicity_distilled}), "YES")
    assert not succeeded(target.model_copy(update={"text": SAFE}), "YES")
